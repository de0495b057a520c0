"""The official client of OpenAI at a vLLM server: its fields, its errors, and what the server tells beside the API."""

import re
from datetime import UTC, datetime

import httpx
import openai
import pytest

from llmtest import Reply, Simulation, VLLMProvider, faults
from llmtest.errors import (
    ContextLengthExceededError,
    InvalidRequestError,
    ModelNotFoundError,
    OverloadedError,
    ServerError,
)
from llmtest.types import CompletionRequest
from llmtest.wire import dialect

ROOT = "http://localhost:8000"
MODEL = "meta-llama/Llama-3.1-8B-Instruct"
ASKED = [{"role": "user", "content": "Capital of France?"}]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def sim(monkeypatch):
    """A simulation whose vLLM server is where `OPENAI_BASE_URL` says."""
    monkeypatch.setenv("OPENAI_BASE_URL", f"{ROOT}/v1")
    with Simulation() as simulation:
        yield simulation


def client():
    """Return OpenAI's client, which finds the server by the environment."""
    return openai.OpenAI(api_key="unused", max_retries=0)


def ask(stream=False, **fields):
    """Ask for the capital."""
    return client().chat.completions.create(**{"model": MODEL, "messages": ASKED, "stream": stream, **fields})


def test_an_answer_has_vllm_s_fields(sim):
    """Thoughts are `reasoning`, usage is three counts, ids are its own, and nothing costs anything."""
    sim.vllm.replies(Reply("Paris", thinking="France.")).calls_tool("search", {"q": "x"})
    told = ask().model_dump(exclude_unset=True)
    choice = told["choices"][0]
    assert (choice["message"]["reasoning"], choice["stop_reason"]) == ("France.", None)
    assert (told["id"][:9], len(told["id"]), told["prompt_logprobs"]) == ("chatcmpl-", 41, None)
    assert told["usage"]["prompt_tokens_details"] is None
    assert ask().choices[0].message.tool_calls[0].id.startswith("chatcmpl-tool-")
    assert sim.costs.total_usd == 0


def test_thoughts_are_streamed_under_the_same_name(sim):
    """Our own provider reads them too."""
    sim.vllm.replies(Reply("Paris", thinking="It is France."), times=2)
    deltas = [chunk.choices[0].delta for chunk in ask(stream=True)]
    assert "".join((delta.model_extra or {}).get("reasoning", "") for delta in deltas) == "It is France."
    events = list(VLLMProvider(model=MODEL).stream(CompletionRequest.ask("x")))
    assert "".join(event.text for event in events if event.kind == "thinking") == "It is France."


@pytest.mark.parametrize("own", [{"guided_json": SCHEMA}, {"structured_outputs": {"json": SCHEMA}}], ids=str)
def test_what_guides_the_generation_is_followed(sim, own):
    """Both words for it; other options of its own are taken as they are."""
    sim.vllm.generates()
    answer = ask(extra_body={**own, "top_k": 5, "min_p": 0.1, "repetition_penalty": 1.1, "guided_choice": None})
    assert '"city"' in answer.choices[0].message.content
    request = sim.vllm.requests[0].request
    assert (request.response_format.schema, request.top_k) == (SCHEMA, 5)


@pytest.mark.parametrize(
    "own", [{"guided_choice": ["red", "green"]}, {"structured_outputs": {"choice": ["red", "green"]}}], ids=str
)
def test_a_choice_is_one_of_the_texts(sim, own):
    """It is said as it is, and not as JSON."""
    sim.vllm.generates()
    assert ask(extra_body=own).choices[0].message.content in {"red", "green"}


@pytest.mark.parametrize("own", [{"guided_regex": r"\d{4}-[A-Z]+"}, {"structured_outputs": {"regex": r"\d{4}-[A-Z]+"}}])
def test_a_pattern_is_followed_from_end_to_end(sim, own):
    """The whole text matches the expression."""
    sim.vllm.generates()
    assert re.fullmatch(r"\d{4}-[A-Z]+", ask(extra_body=own).choices[0].message.content)


@pytest.mark.parametrize(
    ("fault", "status", "kind", "text", "ours"),
    [
        (faults.ModelNotFound(), 404, "NotFoundError", f"The model `{MODEL}` does not exist.", ModelNotFoundError),
        (faults.ContextLengthExceeded(), 400, "BadRequestError", "maximum context length", ContextLengthExceededError),
        (faults.InvalidRequest(), 400, "BadRequestError", "temperature must be", InvalidRequestError),
        (faults.ServerError(), 500, "InternalServerError", "EngineCore", ServerError),
        (faults.Overloaded(), 503, "Service Unavailable", "overloaded", OverloadedError),
    ],
    ids=lambda value: str(value)[:24],
)
def test_an_error_has_a_class_s_name_and_a_number(sim, fault, status, kind, text, ours):
    """The client makes its class of the status; so do we."""
    sim.vllm.fails(fault, times=2)
    with pytest.raises(openai.APIStatusError) as caught:
        ask()
    told = caught.value.body
    assert (caught.value.status_code, told["type"], told["code"]) == (status, kind, status)
    assert text in told["message"]
    with pytest.raises(ours) as read:
        VLLMProvider(model=MODEL).complete(CompletionRequest.ask("x"))
    assert type(read.value) is ours


def test_a_wrong_key_is_one_word(sim):
    """The body's `error` is a text."""
    sim.vllm.fails(faults.AuthenticationFailed())
    with pytest.raises(openai.AuthenticationError) as caught:
        ask()
    assert caught.value.body == "Unauthorized"


def test_an_error_inside_a_stream_is_followed_by_the_last_event(sim):
    """The status was 200, and the stream ends as every other one."""
    sim.vllm.fails(faults.StreamError(after_chunks=1), times=2)
    with pytest.raises(openai.APIError, match="overloaded"):
        list(ask(stream=True))
    asked = {"model": MODEL, "messages": ASKED, "stream": True}
    text = httpx.post(f"{ROOT}/v1/chat/completions", json=asked).text
    assert text.endswith("data: [DONE]\n\n")
    assert '"code":503}}' in text


def test_the_older_form_of_an_error_is_read():
    """Servers up to 0.8 wrote the fields without `error` around them."""
    body = (
        b'{"object":"error","message":"The model `m` does not exist.","type":"NotFoundError","param":null,"code":404}'
    )
    error = dialect("vllm").errors.decode(404, {}, body, NOW)
    assert (type(error), error.message) == (ModelNotFoundError, "The model `m` does not exist.")


def test_the_server_tells_of_itself(sim):
    """Version, health and load need no key and no script."""
    assert httpx.get(f"{ROOT}/version").json() == {"version": "0.11.0"}
    healthy = httpx.get(f"{ROOT}/health")
    assert (healthy.status_code, healthy.content) == (200, b"")
    assert httpx.get(f"{ROOT}/load").json() == {"server_load": 0}
    assert [record.operation for record in sim.vllm.requests] == ["version", "health", "load"]


def test_a_text_goes_to_tokens_and_back(sim):
    """As many as are billed for it, and `detokenize` gives the text again."""
    text = "Grüße aus 東京, and one more sentence."
    told = httpx.post(f"{ROOT}/tokenize", json={"model": MODEL, "prompt": text, "return_token_strs": True}).json()
    assert (told["count"], len(told["tokens"]), told["max_model_len"]) == (len(told["tokens"]), told["count"], 32_768)
    assert "".join(told["token_strs"]) == text
    assert httpx.post(f"{ROOT}/detokenize", json={"tokens": told["tokens"]}).json() == {"prompt": text}
    sim.vllm.replies("Yes.")
    assert ask(messages=[{"role": "user", "content": text}]).usage.prompt_tokens == told["count"]


def test_a_model_s_card_has_its_window(sim):
    """`max_model_len` is the provider's window."""
    sim.vllm.context_window(8192)
    sim.vllm.replies("Paris")
    ask()
    (card,) = client().models.list().data
    assert (card.id, card.owned_by, card.model_extra["max_model_len"]) == (MODEL, "vllm", 8192)
    assert VLLMProvider(model=MODEL).list_models() == [MODEL]
