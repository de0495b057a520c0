"""A request that goes on to a provider of another dialect: what is said there, and what is not."""

import json

import pytest

from llmtest import (
    AnthropicProvider,
    FallbackChain,
    LLMClient,
    OpenAICompatibleProvider,
    OpenAIProvider,
    Simulation,
    faults,
)
from llmtest.errors import LLMTestError, NotSupportedError
from llmtest.types import ChatMessage, CompletionRequest, ResponseFormat

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}


@pytest.fixture
def sim():
    """A simulation whose OpenAI is down."""
    with Simulation() as sim:
        sim.openai.fails(faults.ServerError(), times=None, optional=True)
        yield sim


def chain(*others):
    """Return a chain of real providers, OpenAI before Anthropic, and then others."""
    openai = OpenAIProvider(api_key="k", model="gpt-4o")
    return FallbackChain([openai, AnthropicProvider(api_key="k", model="claude-opus-5"), *others])


def test_e32_what_only_openai_knows_is_not_sent_to_anthropic(sim):
    """Fields under OpenAI's name stay there, a schema becomes Anthropic's, and the answer comes."""
    sim.anthropic.replies('{"city": "Paris"}')
    request = CompletionRequest(
        [ChatMessage.user("Hi")],
        response_format=ResponseFormat.json_schema(SCHEMA, name="city"),
        extra={"openai": {"logit_bias": {"5": 1}}, "anthropic": {"inference_geo": "eu"}},
    )
    assert LLMClient(chain()).complete(request).provider == "anthropic"
    asked = sim.openai.requests[0].json
    assert (asked["logit_bias"], asked["response_format"]["type"]) == ({"5": 1}, "json_schema")
    assert "inference_geo" not in asked
    told = json.loads(sim.anthropic.requests[0].body)
    assert told.keys() == {"model", "max_tokens", "messages", "output_config", "inference_geo"}
    assert told["output_config"]["format"]["schema"] == SCHEMA


@pytest.mark.parametrize(
    "options", [{"n": 2}, {"logprobs": True}, {"response_format": ResponseFormat("json_object")}], ids=str
)
def test_e32_what_anthropic_cannot_say_is_not_sent(sim, options):
    """A wish that would change the answer is no request for Anthropic; the error says who cannot do what."""
    request = CompletionRequest([ChatMessage.user("Say it in json")], **options)
    with pytest.raises(LLMTestError) as caught:
        LLMClient(chain()).complete(request)
    assert sim.anthropic.received == 0
    last = caught.value.attempts[-1].error
    assert isinstance(last, NotSupportedError)
    assert (last.provider, str(last).startswith("anthropic: ")) == ("anthropic", True)


def test_e32_the_next_provider_is_asked_where_one_cannot_say_it(sim):
    """Not being able to say something is a reason to ask the next one, like being down."""
    sim.vllm.replies("one")
    address = "http://localhost:8000/v1"
    sim.vllm.at(address)
    vllm = OpenAICompatibleProvider(name="vllm", base_url=address, model="llama-3")
    answer = LLMClient(chain(vllm)).complete(CompletionRequest([ChatMessage.user("Hi")], n=2))
    assert (answer.provider, len(answer.alternatives)) == ("vllm", 1)
