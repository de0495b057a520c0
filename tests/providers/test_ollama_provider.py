"""Our own provider over Ollama's API, its own and the compatible one: what it sends, reads and raises."""

import pytest

from llmtest import OllamaProvider, Simulation, build_chain, faults
from llmtest.errors import (
    AuthenticationError,
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
    ThinkingPart,
    ToolCall,
    ToolDefinition,
)
from llmtest.wire import dialect

SEARCH = ToolDefinition("search", "Searches.", {"type": "object", "properties": {"q": {"type": "string"}}})

CALL = ToolCall("c1", "search", '{"q":1}')
NO_WORD_FOR = (
    {"n": 2},
    {"tool_choice": "required"},
    {"parallel_tool_calls": False},
    {"max_tokens": 0},
    {"reasoning_effort": "xhigh"},
    {"messages": (ChatMessage.user((ImagePart(url="https://example.org/x.png"),)),)},
)


@pytest.fixture
def llm():
    """A simulation that our providers ask."""
    with Simulation() as llm_sim:
        yield llm_sim


def test_a_request_arrives_as_it_was_meant(llm):
    """Roles, images, thoughts, tools, limits, form and effort are in Ollama's words, and read back the same."""
    llm.ollama.generates()
    asked = CompletionRequest(
        (
            ChatMessage.system("Be brief."),
            ChatMessage.user((TextPart("Find x"), ImagePart(data="iVBORw0=", media_type="image/png"))),
            ChatMessage(
                "assistant", (ThinkingPart("Hm."), TextPart("Looking.")), (ToolCall("c1", "search", '{"q":1}'),)
            ),
            ChatMessage.tool_result("c1", "found"),
        ),
        model="qwen3",
        max_tokens=64,
        temperature=0.5,
        top_p=0.5,
        top_k=3,
        seed=7,
        stop_sequences=("END",),
        tools=(SEARCH,),
        reasoning_effort="low",
        logprobs=True,
        top_logprobs=2,
        response_format=ResponseFormat.json_schema({"type": "object", "properties": {}}),
        extra={"ollama": {"keep_alive": "5m"}},
    )
    OllamaProvider(api="native").complete(asked)
    assert llm.ollama.requests[0].request == asked


def test_options_of_ollama_s_own_go_beside_ours(llm):
    """`num_ctx` reaches the server together with a limit of ours."""
    llm.ollama.replies("x")
    asked = CompletionRequest.ask("x")
    request = CompletionRequest(asked.messages, max_tokens=5, extra={"ollama": {"options": {"num_ctx": 8192}}})
    OllamaProvider(api="native").complete(request)
    seen = llm.ollama.requests[0].request
    assert (seen.max_tokens, seen.extra_for("ollama")["options"]) == (5, {"num_ctx": 8192, "num_predict": 5})


@pytest.mark.parametrize("api", ["native", "chat"])
def test_an_answer_is_read_whole_and_streamed(llm, api):
    """Text, tool calls, usage and the reason of the end are the same both ways, and cost nothing."""
    llm.ollama.calls_tool("search", {"q": "x"}).replies("Paris.").calls_tool("search", {"q": "x"}).replies("Paris.")
    asked = CompletionRequest.ask("Capital?")
    provider = OllamaProvider(api=api)
    whole = [provider.complete(asked) for _ in range(2)]
    streamed = [list(provider.stream(asked))[-1].response for _ in range(2)]
    for one, other in zip(whole, streamed, strict=True):
        assert (one.content, one.finish_reason, one.usage) == (other.content, other.finish_reason, other.usage)
        assert [(call.name, call.arguments) for call in one.tool_calls] == [
            (call.name, call.arguments) for call in other.tool_calls
        ]
    assert (whole[0].finish_reason, whole[1].content) == (FinishReason.TOOL_USE, "Paris.")
    assert llm.costs.total_usd == 0


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (faults.RateLimited(retry_after=26), RateLimitedError),
        (faults.QuotaExceeded(), QuotaExceededError),
        (faults.AuthenticationFailed(), AuthenticationError),
        (faults.ModelNotFound(), ModelNotFoundError),
        (faults.ContextLengthExceeded(), ContextLengthExceededError),
        (faults.Overloaded(), OverloadedError),
    ],
    ids=str,
)
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("api", ["native", "chat", "generate"])
def test_a_refusal_has_our_class(llm, fault, kind, streamed, api):
    """What Ollama says by a text is one of our errors."""
    llm.ollama.fails(fault)
    provider, asked = OllamaProvider(api=api), CompletionRequest.ask("x")
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
    """A stream without its last line is no short answer."""
    llm.ollama.fails(fault)
    with pytest.raises(StreamInterruptedError) as caught:
        list(OllamaProvider(api="native").stream(CompletionRequest.ask("x")))
    assert caught.value.kind == kind
    assert caught.value.partial_text


@pytest.mark.parametrize("fields", NO_WORD_FOR, ids="".join)
def test_what_ollama_has_no_word_for_is_refused_before_it_is_sent(llm, fields):
    """A request that would be answered otherwise than it asks is not sent."""
    asked = CompletionRequest(**{"messages": (ChatMessage.user("x"),), **fields})
    with pytest.raises(NotSupportedError):
        OllamaProvider(api="native").complete(asked)
    assert not llm.ollama.requests


def test_a_prompt_alone_is_no_conversation(llm):
    """`api="generate"` sends a system prompt and a prompt; a conversation is refused."""
    llm.ollama.replies("Paris")
    provider = OllamaProvider(api="generate")
    assert provider.complete(CompletionRequest.ask("Capital?", system="Be brief.")).content == "Paris"
    assert llm.ollama.requests[0].operation == "generate"
    talk = (ChatMessage.user("a"), ChatMessage.assistant("b"), ChatMessage.user("c"))
    with pytest.raises(NotSupportedError, match="conversations and tools are /api/chat's"):
        provider.complete(CompletionRequest(talk))


@pytest.mark.parametrize(
    "given", ["http://gpu:11434", "http://gpu:11434/", "http://gpu:11434/v1", "http://gpu:11434/api"]
)
def test_p03_the_address_may_name_an_api_or_none(given):
    """With and without `/v1` it is the same server, whichever of its APIs is asked."""
    assert OllamaProvider(base_url=given).base_url == "http://gpu:11434/v1"
    assert OllamaProvider(base_url=given, api="native").base_url == "http://gpu:11434/api"


@pytest.mark.parametrize("host", ["gpu", "gpu:11434", "http://gpu:11434", "http://gpu:11434/v1/"])
def test_ollama_host_is_completed(monkeypatch, host):
    """As Ollama's own tools do: scheme and port may be left out."""
    monkeypatch.setenv("OLLAMA_HOST", host)
    assert OllamaProvider.from_env(api="native").base_url == "http://gpu:11434/api"


def test_p03_a_chain_file_s_address_without_v1_is_asked_below_it(llm):
    """A slot with Ollama's bare address is answered; so is one that names its own API."""
    llm.ollama.replies("Paris", "Rome")
    slot = {"provider": "ollama", "base_url": "http://localhost:11434"}
    assert build_chain({"providers": [slot]}).complete(CompletionRequest.ask("x")).content == "Paris"
    native = {"providers": [{**slot, "api": "native"}]}
    assert build_chain(native).complete(CompletionRequest.ask("x")).content == "Rome"
    assert [record.path for record in llm.ollama.requests] == ["/v1/chat/completions", "/api/chat"]


@pytest.mark.parametrize("api", ["native", "chat"])
def test_models_are_listed(llm, api):
    """By `/api/tags` or by `/v1/models`, under the name that one asks for."""
    assert OllamaProvider(api=api).list_models() == ["llama3.2"]


def test_embeddings_are_asked_for_in_one_request():
    """The client half writes several texts, which the server half reads."""
    endpoint = dialect("ollama").mounts["/api"].endpoint("embeddings")
    wire = endpoint.encode_call(EmbeddingRequest(("a", "b"), "all-minilm", "float", 8), stream=False)
    assert wire.path == "/embed"
    read = endpoint.read({}, wire.body, {}).request
    assert (read.inputs, read.dimensions) == (("a", "b"), 8)
