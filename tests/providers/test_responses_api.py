"""Our own provider over OpenAI's Responses: what it sends, reads and raises."""

import pytest

from llmtest import Simulation, build_chain, faults
from llmtest.errors import (
    ConfigurationError,
    ContextLengthExceededError,
    NotSupportedError,
    RateLimitedError,
    StreamInterruptedError,
)
from llmtest.providers import OllamaProvider, OpenAIProvider
from llmtest.types import (
    ChatMessage,
    CompletionRequest,
    FinishReason,
    ResponseFormat,
    ToolCall,
    ToolDefinition,
)

SEARCH = ToolDefinition("search", "Searches.", {"type": "object", "properties": {"q": {"type": "string"}}})


@pytest.fixture
def llm():
    """A simulation that our providers ask."""
    with Simulation() as llm_sim:
        yield llm_sim


def provider(**settings):
    """Return a provider that asks for responses."""
    return OpenAIProvider("sk-1", api="responses", **settings)


def test_a_request_arrives_as_it_was_meant(llm):
    """Roles, tools, limits, form, effort and labels are in the words of the API, and read back the same."""
    llm.openai.generates()
    asked = CompletionRequest(
        (
            ChatMessage.system("Be brief."),
            ChatMessage.user("Find x"),
            ChatMessage.assistant_with_tool_calls(None, (ToolCall("call_1", "search", '{"q":"x"}'),)),
            ChatMessage.tool_result("call_1", "found"),
        ),
        model="gpt-5",
        max_tokens=64,
        tools=(SEARCH,),
        tool_choice="auto",
        reasoning_effort="low",
        response_format=ResponseFormat.json_schema({"type": "object", "properties": {}}, name="any"),
        metadata={"team": "a"},
        parallel_tool_calls=False,
    )
    provider().complete(asked)
    seen = llm.openai.requests[0]
    assert (seen.operation, seen.request) == ("responses", asked)


def test_an_answer_is_read_whole_and_streamed(llm):
    """Text, tool calls, usage and the reason of the end are the same both ways."""
    llm.openai.calls_tool("search", {"q": "x"}).replies("Paris.").calls_tool("search", {"q": "x"}).replies("Paris.")
    asked = CompletionRequest.ask("Capital?", model="gpt-4o")
    whole = [provider().complete(asked) for _ in range(2)]
    streamed = [list(provider().stream(asked))[-1].response for _ in range(2)]
    for one, other in zip(whole, streamed, strict=True):
        assert (one.content, one.finish_reason, one.usage) == (other.content, other.finish_reason, other.usage)
        assert [(call.name, call.arguments) for call in one.tool_calls] == [
            (call.name, call.arguments) for call in other.tool_calls
        ]
    assert (whole[0].finish_reason, whole[1].content) == (FinishReason.TOOL_USE, "Paris.")
    assert whole[0].tool_calls[0].item_id.startswith("fc_")


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (faults.RateLimited(retry_after=3), RateLimitedError),
        (faults.ContextLengthExceeded(), ContextLengthExceededError),
    ],
)
def test_a_refusal_has_our_class(llm, fault, kind):
    """Errors of this API are told apart like those of Chat Completions."""
    llm.openai.fails(fault)
    with pytest.raises(kind):
        provider().complete(CompletionRequest.ask("x", model="gpt-4o"))


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (faults.StreamTruncated(after_chunks=1), "truncated"),
        (faults.StreamError(after_chunks=1), "error"),
        (faults.StreamMalformed(after_chunks=1), "malformed"),
        (faults.StreamDropped(after_chunks=1), "dropped"),
    ],
)
def test_a_broken_stream_is_an_error_with_what_had_come(llm, fault, kind):
    """A stream without its last event is no short answer."""
    llm.openai.fails(fault)
    with pytest.raises(StreamInterruptedError) as caught:
        list(provider().stream(CompletionRequest.ask("x", model="gpt-4o")))
    assert caught.value.kind == kind
    assert caught.value.partial_text


@pytest.mark.parametrize("fields", [{"n": 2}, {"stop_sequences": ("END",)}, {"top_k": 3}, {"max_tokens": 0}])
def test_what_the_api_has_no_word_for_is_refused_before_it_is_sent(llm, fields):
    """A request that would be answered otherwise than it asks is not sent."""
    with pytest.raises(NotSupportedError):
        provider().complete(CompletionRequest((ChatMessage.user("x"),), model="gpt-4o", **fields))
    assert not llm.openai.requests


def test_a_chain_file_names_the_api(llm):
    """`api: responses` in a slot asks that API."""
    llm.openai.replies("Paris.")
    chain = build_chain({"providers": [{"provider": "openai", "api_key": "k", "api": "responses"}]})
    assert chain.complete(CompletionRequest.ask("Capital?")).content == "Paris."
    assert llm.openai.requests[0].operation == "responses"


def test_an_api_that_is_not_there_is_refused_with_the_nearest():
    """The error lists what the provider has."""
    with pytest.raises(ConfigurationError) as caught:
        OpenAIProvider("k", api="response")
    assert str(caught.value) == (
        "`openai` has no API `response` for conversations. Its APIs: chat, responses, completions.\n\n"
        'To fix: api="responses"'
    )
    assert OllamaProvider(api="responses").name == "ollama"
