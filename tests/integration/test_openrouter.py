"""The official client of OpenAI at OpenRouter's address: who answered, for how much, further models, failures."""

from decimal import Decimal

import httpx
import openai
import pytest

from llmtest import LLMClient, OpenRouterProvider, Reply, Simulation, build_chain, faults
from llmtest.errors import (
    AuthenticationError,
    ContentFilteredError,
    ContextLengthExceededError,
    ModelNotFoundError,
    OverloadedError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitedError,
    ServerError,
    StreamInterruptedError,
)
from llmtest.types import CompletionRequest, Usage

URL = "https://openrouter.ai/api/v1"
FIRST, SECOND, THIRD = "openai/gpt-4o", "anthropic/claude-sonnet-4.5", "google/gemini-2.5-flash"
ASKED = [{"role": "user", "content": "Capital of France?"}]


@pytest.fixture
def sim():
    """A simulation that the client asks."""
    with Simulation() as simulation:
        yield simulation


def client():
    """Return OpenAI's client as OpenRouter's documentation makes it."""
    told = {"HTTP-Referer": "https://example.org", "X-Title": "A test"}
    return openai.OpenAI(base_url=URL, api_key="sk-or-v1-0123456789", default_headers=told, max_retries=0)


def ask(stream=False, **fields):
    """Ask for the capital."""
    return client().chat.completions.create(**{"model": FIRST, "messages": ASKED, "stream": stream, **fields})


def test_an_answer_tells_who_gave_it_and_what_it_costs(sim):
    """Provider, native reason, thoughts in detail, and a cost that is the bill."""
    sim.openrouter.replies(Reply("Paris", thinking="France.", usage=Usage(1000, 500)))
    told = ask().model_dump()
    choice = told["choices"][0]
    assert (told["provider"], told["model"], told["id"][:4]) == ("OpenAI", FIRST, "gen-")
    assert (choice["native_finish_reason"], choice["message"]["reasoning"]) == ("stop", "France.")
    (detail,) = choice["message"]["reasoning_details"]
    assert (detail["type"], detail["text"]) == ("reasoning.text", "France.")
    assert (told["usage"]["cost"], told["usage"]["is_byok"]) == (0.0075, False)
    assert sim.costs.total_usd == Decimal("0.0075")
    headers = sim.openrouter.requests[0].headers
    assert (headers["http-referer"], headers["x-title"]) == ("https://example.org", "A test")


@pytest.mark.parametrize(
    "asking", [{"stream_options": {"include_usage": True}}, {"extra_body": {"usage": {"include": True}}}]
)
def test_a_stream_ends_with_the_usage_and_a_choice_that_says_nothing(sim, asking):
    """Every chunk says who speaks; the last one has the cost, whichever field asks for it."""
    sim.openrouter.replies("Paris it is")
    chunks = list(ask(stream=True, **asking))
    assert {chunk.choices[0].delta.role for chunk in chunks if chunk.choices[0].delta.content is not None} == {
        "assistant"
    }
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Paris it is"
    assert chunks[-1].choices[0].finish_reason is None
    assert chunks[-1].usage.model_extra["cost"] > 0
    assert [chunk.usage is None for chunk in chunks[:-1]] == [True] * (len(chunks) - 1)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "fault",
    [faults.RateLimited(retry_after=3), faults.ServerError(status=502), faults.Overloaded(), faults.ContentFiltered()],
    ids=str,
)
def test_the_next_model_answers_where_the_first_fails(sim, fault, stream):
    """`models` is tried in order at the server; `model` says who answered, and is billed."""
    sim.openrouter.when(model=FIRST).fails(fault)
    sim.openrouter.when(model=SECOND).fails(faults.ServerError())
    sim.openrouter.when(model=THIRD).replies("Paris")
    answer = ask(stream=stream, extra_body={"models": [FIRST, SECOND, THIRD]})
    answer, *_ = list(answer) if stream else [answer]
    assert (answer.model, answer.model_extra["provider"]) == (THIRD, "Google")
    assert sim.openrouter.received == 1
    assert [THIRD in model for model in sim.costs.by_model()] == [True]


def test_models_alone_are_enough(sim):
    """`models` without `model` asks the first of them."""
    sim.openrouter.replies("Paris")
    answer = httpx.post(f"{URL}/chat/completions", json={"models": [SECOND, FIRST], "messages": ASKED}).json()
    assert answer["model"] == SECOND


def test_a_wrong_key_is_wrong_at_every_model(sim):
    """What no other model would help is told at once."""
    sim.openrouter.fails(faults.AuthenticationFailed())
    with pytest.raises(openai.AuthenticationError, match="User not found"):
        ask(extra_body={"models": [SECOND]})


def test_where_all_models_fail_the_last_failure_is_told(sim):
    """Its metadata names the provider behind it."""
    sim.openrouter.fails(faults.ServerError()).fails(faults.RateLimited(retry_after=3))
    with pytest.raises(openai.RateLimitError) as caught:
        ask(extra_body={"models": [SECOND]})
    assert caught.value.body["metadata"]["provider_name"] == "Anthropic"
    assert SECOND in caught.value.body["metadata"]["raw"]


FAILURES = [
    (faults.RateLimited(retry_after=26), 429, "Provider returned error", RateLimitedError),
    (faults.QuotaExceeded(), 402, "Insufficient credits", QuotaExceededError),
    (faults.AuthenticationFailed(), 401, "User not found", AuthenticationError),
    (faults.PermissionDenied(), 403, "Key limit exceeded", PermissionDeniedError),
    (faults.ContentFiltered(), 403, "requires moderation on OpenAI", ContentFilteredError),
    (faults.ModelNotFound(), 404, "No endpoints found for openai/gpt-4o", ModelNotFoundError),
    (faults.ContextLengthExceeded(), 400, "This endpoint's maximum context length is", ContextLengthExceededError),
    (faults.ServerError(status=502), 502, "Provider returned error", ServerError),
    (faults.Overloaded(), 503, "no available model provider", OverloadedError),
]


@pytest.mark.parametrize(("fault", "status", "text", "kind"), FAILURES, ids=lambda value: str(value)[:30])
def test_a_failure_has_openrouter_s_words_and_our_class(sim, fault, status, text, kind):
    """The code is a number; our own provider reads the same class from it."""
    sim.openrouter.fails(fault, times=2)
    with pytest.raises(openai.APIStatusError, match=text) as caught:
        ask()
    assert (caught.value.status_code, caught.value.body["code"]) == (status, status)
    with pytest.raises(kind) as ours:
        OpenRouterProvider("k", model=FIRST).complete(CompletionRequest.ask("x"))
    assert type(ours.value) is kind


def test_an_error_inside_a_stream_is_a_chunk_of_it(sim):
    """The status was 200; the chunk says code and message, and ends the choice."""
    sim.openrouter.fails(faults.StreamError(after_chunks=2, error=faults.RateLimited()), times=2)
    with pytest.raises(openai.APIError, match="Provider returned error") as caught:
        list(ask(stream=True))
    assert caught.value.code == "429"
    with pytest.raises(StreamInterruptedError) as ours:
        list(OpenRouterProvider("k", model=FIRST).stream(CompletionRequest.ask("x")))
    assert ours.value.kind == "error"
    assert isinstance(ours.value.__cause__, RateLimitedError)


def test_an_account_is_told_what_it_has_spent(sim):
    """`/generation` of an answer, `/key` and `/credits` agree with the bill."""
    sim.openrouter.replies(Reply("Paris", usage=Usage(1000, 500)))
    answer = ask()
    told = client().get(f"/generation?id={answer.id}", cast_to=dict[str, object])["data"]
    assert (told["id"], told["total_cost"], told["tokens_prompt"]) == (answer.id, 0.0075, 1000)
    assert (told["model"], told["provider_name"], told["streamed"]) == (FIRST, "OpenAI", False)
    assert client().get("/key", cast_to=dict[str, object])["data"]["usage"] == 0.0075
    assert client().get("/auth/key", cast_to=dict[str, object])["data"]["label"] == "sk-or-v1-012...789"
    assert client().get("/credits", cast_to=dict[str, object])["data"]["total_usage"] == 0.0075
    with pytest.raises(openai.NotFoundError, match="Generation gen-x not found"):
        client().get("/generation?id=gen-x", cast_to=dict[str, object])


def test_models_have_prices_and_windows(sim):
    """Prices are texts, USD for a token."""
    models = {model.id: model.model_extra for model in client().models.list().data}
    assert models[FIRST]["pricing"]["prompt"] == "0.0000025"
    assert models[FIRST]["context_length"] == 128_000
    assert THIRD in OpenRouterProvider("k", model=FIRST).list_models()
    assert {record.operation for record in sim.openrouter.requests} == {"models"}


def test_what_only_openrouter_knows_is_taken(sim):
    """Routing, transforms, plugins and its word for effort."""
    sim.openrouter.replies("Paris")
    routing = {"order": ["Azure"], "allow_fallbacks": False, "max_price": {"prompt": 1}}
    own = {
        "provider": routing,
        "transforms": ["middle-out"],
        "plugins": [{"id": "web"}],
        "reasoning": {"effort": "low"},
    }
    ask(extra_body=own)
    request = sim.openrouter.requests[0].request
    assert request.reasoning_effort == "low"
    assert request.extra_for("openai")["provider"] == routing


def test_our_provider_is_billed_what_the_answer_states(sim):
    """A chain over OpenRouter costs what the wire says."""
    sim.openrouter.replies(Reply("Paris", usage=Usage(1000, 500)))
    slot = {"provider": "openrouter", "api_key": "k", "model": FIRST}
    answer = LLMClient(build_chain({"providers": [slot]})).complete(CompletionRequest.ask("x"))
    assert answer.usage.cost_usd == Decimal("0.0075") == sim.costs.total_usd
