"""Our own provider over Gemini's API: what it sends, reads and raises."""

import pytest

from llmtest import GeminiProvider, Simulation, faults
from llmtest.errors import (
    AuthenticationError,
    ContentFilteredError,
    ContextLengthExceededError,
    ModelNotFoundError,
    NotSupportedError,
    OverloadedError,
    QuotaExceededError,
    RateLimitedError,
    StreamInterruptedError,
)
from llmtest.types import (
    ChatMessage,
    CompletionRequest,
    EmbeddingRequest,
    FinishReason,
    ImagePart,
    ResponseFormat,
    TextPart,
    ToolCall,
    ToolDefinition,
)
from llmtest.wire import dialect

SEARCH = ToolDefinition("search", "Searches.", {"type": "object", "properties": {"q": {"type": "string"}}})


@pytest.fixture
def llm():
    """A simulation that our providers ask."""
    with Simulation() as llm_sim:
        yield llm_sim


def test_a_request_arrives_as_it_was_meant(llm):
    """Roles, images, tools, limits, form, effort and labels are in Gemini's words, and read back the same."""
    llm.gemini.generates()
    asked = CompletionRequest(
        (
            ChatMessage.system("Be brief."),
            ChatMessage.user((TextPart("Find x"), ImagePart(data="AA==", media_type="image/png"))),
            ChatMessage.assistant_with_tool_calls("Looking.", (ToolCall("call_1", "search", '{"q":"x"}'),)),
            ChatMessage.tool_result("call_1", "found"),
        ),
        model="gemini-2.5-pro",
        max_tokens=64,
        temperature=0.5,
        top_p=0.5,
        top_k=3,
        n=1,
        seed=7,
        stop_sequences=("END",),
        tools=(SEARCH,),
        tool_choice="search",
        reasoning_effort="low",
        response_format=ResponseFormat.json_schema({"type": "object", "properties": {}}),
        metadata={"team": "a"},
    )
    GeminiProvider("k").complete(asked)
    assert llm.gemini.requests[0].request == asked


def test_an_answer_is_read_whole_and_streamed(llm):
    """Text, tool calls, usage and the reason of the end are the same both ways."""
    llm.gemini.calls_tool("search", {"q": "x"}).replies("Paris.").calls_tool("search", {"q": "x"}).replies("Paris.")
    asked = CompletionRequest.ask("Capital?")
    provider = GeminiProvider("k")
    whole = [provider.complete(asked) for _ in range(2)]
    streamed = [list(provider.stream(asked))[-1].response for _ in range(2)]
    for one, other in zip(whole, streamed, strict=True):
        assert (one.content, one.finish_reason, one.usage) == (other.content, other.finish_reason, other.usage)
        assert [(call.name, call.arguments) for call in one.tool_calls] == [
            (call.name, call.arguments) for call in other.tool_calls
        ]
    assert (whole[0].finish_reason, whole[1].content) == (FinishReason.TOOL_USE, "Paris.")


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (faults.RateLimited(retry_after=26), RateLimitedError),
        (faults.QuotaExceeded(), QuotaExceededError),
        (faults.AuthenticationFailed(), AuthenticationError),
        (faults.ModelNotFound(), ModelNotFoundError),
        (faults.ContextLengthExceeded(), ContextLengthExceededError),
        (faults.ContentFiltered(), ContentFilteredError),
        (faults.Overloaded(), OverloadedError),
    ],
    ids=str,
)
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_refusal_has_our_class(llm, fault, kind, streamed):
    """What Google says by details and by answers without candidates is one of our errors."""
    llm.gemini.fails(fault)
    provider, asked = GeminiProvider("k"), CompletionRequest.ask("x")
    with pytest.raises(kind) as caught:
        list(provider.stream(asked)) if streamed else provider.complete(asked)
    if kind is RateLimitedError:
        assert caught.value.retry_after == 26


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
    """A stream whose last event has no reason is no short answer."""
    llm.gemini.fails(fault)
    with pytest.raises(StreamInterruptedError) as caught:
        list(GeminiProvider("k").stream(CompletionRequest.ask("x")))
    assert caught.value.kind == kind
    assert caught.value.partial_text


def test_what_gemini_has_no_word_for_is_refused_before_it_is_sent(llm):
    """A request that would be answered otherwise than it asks is not sent."""
    with pytest.raises(NotSupportedError):
        GeminiProvider("k").complete(CompletionRequest((ChatMessage.user("x"),), max_tokens=0))
    assert not llm.gemini.requests


def test_models_are_listed_and_either_variable_holds_the_key(llm, monkeypatch):
    """`GOOGLE_API_KEY` is read where `GEMINI_API_KEY` is not set; the address may lack its version."""
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    monkeypatch.setenv("GOOGLE_API_KEY", "k2")
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "https://generativelanguage.googleapis.com/")
    provider = GeminiProvider.from_env()
    assert provider.base_url == "https://generativelanguage.googleapis.com/v1beta"
    assert "gemini-2.5-pro" in provider.list_models()
    assert llm.gemini.requests[0].operation == "models"


def test_embeddings_are_asked_for_in_one_request():
    """The client half writes a batch, which the server half reads."""
    endpoint = dialect("gemini").endpoint("embeddings")
    wire = endpoint.encode_call(EmbeddingRequest(("a", "b"), "gemini-embedding-001", "float", 8), stream=False)
    assert wire.path == "/models/gemini-embedding-001:batchEmbedContents"
    read = endpoint.read({}, wire.body, {"model": "gemini-embedding-001"}).request
    assert (read.inputs, read.dimensions) == (("a", "b"), 8)
