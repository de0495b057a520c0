"""Real providers against a mock of the network: both HTTP libraries, blocking and asynchronous, whole and streamed."""

import asyncio
import json

import httpx
import httpx2
import pytest

from llmtest.errors import (
    AuthenticationError,
    ConfigurationError,
    InvalidResponseError,
    OverloadedError,
    ProviderConnectionError,
    ProviderTimeoutError,
    RateLimitedError,
    StreamInterruptedError,
)
from llmtest.providers import (
    AnthropicProvider,
    GeminiProvider,
    OllamaProvider,
    OpenAICompatibleProvider,
    OpenAIProvider,
    OpenRouterProvider,
    VLLMProvider,
)
from llmtest.resilience import AsyncLLMClient, FallbackChain, LLMClient
from llmtest.types import CompletionRequest, CompletionResponse, ModelCard, TextPart, Timeouts, Usage
from llmtest.wire import ResponseMeta, WireCall
from llmtest.wire import dialect as dialect_of

REQUEST = CompletionRequest.ask("Capital of France?")
MODES = ("complete", "complete_async", "stream", "stream_async")
CLASSES = {"openai": OpenAIProvider, "anthropic": AnthropicProvider}
ANSWER = CompletionResponse(parts=(TextPart("Paris it is"),), usage=Usage(7, 3), model="m")


def answer_of(dialect, streaming):
    """Return what a provider of this dialect sends, as bytes."""
    codec = dialect_of(dialect).chat
    call = WireCall(dialect_of("openai").chat, REQUEST.with_model("m"), "m", streaming, include_usage=True)
    meta = ResponseMeta(id="id-1", model="m")
    if streaming:
        return b"".join(codec.encode_stream(ANSWER, call, meta))
    return codec.encode_answer(ANSWER, call, meta)


class Network:
    """Answers requests of either library, and keeps what it saw."""

    def __init__(self, library, dialect, answer=None):
        self.library = library
        self.dialect = dialect
        self.answer = answer
        self.seen = []

    def _handle(self, request):
        self.seen.append(request)
        if self.answer is not None:
            return self.answer(self.library, request)
        streaming = json.loads(request.content).get("stream", False)
        kind = "text/event-stream" if streaming else "application/json"
        return self.library.Response(200, headers={"content-type": kind}, content=answer_of(self.dialect, streaming))

    async def _handle_async(self, request):
        return self._handle(request)

    def provider(self, mode, **settings):
        """Return the dialect's provider with a client that fits the mode."""
        if mode.endswith("async"):
            client = self.library.AsyncClient(transport=self.library.MockTransport(self._handle_async))
        else:
            client = self.library.Client(transport=self.library.MockTransport(self._handle))
        return CLASSES[self.dialect]("sk-test", http_client=client, **settings)


@pytest.fixture(params=[httpx, httpx2], ids=["httpx", "httpx2"])
def library(request):
    """Run the test with each HTTP library."""
    return request.param


@pytest.fixture(params=MODES)
def mode(request):
    """Run the test in each of the four ways to ask."""
    return request.param


@pytest.fixture(params=["openai", "anthropic"])
def dialect(request):
    """Run the test with each dialect."""
    return request.param


FIVE_SECONDS = Timeouts(connect=5, read=5)


def ask(provider, mode, timeouts=FIVE_SECONDS):
    """Ask in one of the four modes; streams are read to their end."""
    if mode == "complete":
        return provider.complete(REQUEST, timeouts)
    if mode == "stream":
        return list(provider.stream(REQUEST, timeouts))[-1].response

    async def story():
        if mode == "complete_async":
            return await provider.complete_async(REQUEST, timeouts)
        return [event async for event in provider.stream_async(REQUEST, timeouts)][-1].response

    return asyncio.run(story())


def test_an_answer_is_read(library, dialect, mode):
    """Every provider answers in every mode with either library, and says who it is."""
    network = Network(library, dialect)
    response = ask(network.provider(mode), mode)
    assert (response.content, response.provider) == ("Paris it is", dialect)
    assert (response.usage.input_tokens, response.usage.output_tokens) == (7, 3)


def test_a_request_is_addressed(library, mode):
    """URL, key and model are the provider's; its own headers go along."""
    network = Network(library, "openai")
    provider = network.provider(mode, model="gpt-9", base_url="http://localhost:9/v1/", headers={"x-team": "blue"})
    ask(provider, mode)
    (request,) = network.seen
    assert str(request.url) == "http://localhost:9/v1/chat/completions"
    assert request.headers["authorization"] == "Bearer sk-test"
    assert request.headers["x-team"] == "blue"
    assert json.loads(request.content)["model"] == "gpt-9"


def test_a_refusal_becomes_the_error_of_its_kind(library, dialect, mode):
    """A failed answer is the typed error with its facts, in streams too."""

    def refuse(library, request):
        error = RateLimitedError("", retry_after=7)
        status, headers, body = dialect_of(dialect).chat.encode_error(error, ResponseMeta(request_id="req-1"))
        return library.Response(status, headers=list(headers), content=body)

    with pytest.raises(RateLimitedError) as error:
        ask(Network(library, dialect, refuse).provider(mode), mode)
    assert (error.value.status, error.value.retry_after, error.value.provider) == (429, 7.0, dialect)
    assert error.value.model == CLASSES[dialect].dialect.default_model


@pytest.mark.parametrize(
    ("name", "kind", "facts"),
    [
        ("ConnectError", ProviderConnectionError, {"kind": "refused"}),
        ("ReadError", ProviderConnectionError, {"kind": "reset"}),
        ("RemoteProtocolError", ProviderConnectionError, {"kind": "closed"}),
        ("ProxyError", ProviderConnectionError, {"kind": "other"}),
        ("ConnectTimeout", ProviderTimeoutError, {"phase": "connect", "timeout": 5}),
        ("ReadTimeout", ProviderTimeoutError, {"phase": "read", "timeout": 5}),
        ("WriteTimeout", ProviderTimeoutError, {"phase": "write"}),
        ("PoolTimeout", ProviderTimeoutError, {"phase": "pool"}),
        ("DecodingError", InvalidResponseError, {}),
    ],
)
def test_failures_of_the_transport_are_translated(library, mode, name, kind, facts):
    """Either library's exceptions become ours, with the same facts."""

    def fail(library, request):
        raise getattr(library, name)("broken", request=request)

    with pytest.raises(kind) as error:
        ask(Network(library, "openai", fail).provider(mode), mode)
    assert {key: getattr(error.value, key) for key in facts} == facts
    assert type(error.value.__cause__).__name__ == name


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("[Errno -2] Name or service not known", "dns"),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed", "tls"),
        ("[Errno 111] Connection refused", "refused"),
    ],
)
def test_a_connection_that_never_stood_says_why(text, kind):
    """Names that do not resolve and certificates that do not hold are told apart from a closed port."""

    def fail(library, request):
        raise library.ConnectError(text, request=request)

    with pytest.raises(ProviderConnectionError) as error:
        ask(Network(httpx, "openai", fail).provider("complete"), "complete")
    assert error.value.kind == kind


def test_other_exceptions_of_a_client_come_through(mode):
    """What is no failure of the transport is not disguised as one."""

    def fail(library, request):
        raise ZeroDivisionError("bug")

    with pytest.raises(ZeroDivisionError):
        ask(Network(httpx, "openai", fail).provider(mode), mode)


class Broken(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that ends in an exception."""

    def __init__(self, pieces, error):
        self.pieces = pieces
        self.error = error

    def __iter__(self):
        yield from self.pieces
        raise self.error

    async def __aiter__(self):
        for piece in self.pieces:
            yield piece
        raise self.error


def stream_that_breaks(after, error):
    """Return an answer that stops after some bytes of OpenAI's stream."""

    def answer(library, request):
        body = answer_of("openai", streaming=True)[:after]
        return library.Response(200, headers={"content-type": "text/event-stream"}, stream=Broken([body], error))

    return answer


@pytest.mark.parametrize("mode", MODES[2:])
@pytest.mark.parametrize(
    ("error", "kind"),
    [(httpx.ReadError("reset"), "dropped"), (httpx.ReadTimeout("slow"), "stalled")],
    ids=["reset", "timeout"],
)
def test_h06_a_stream_that_breaks_keeps_what_had_arrived(mode, error, kind):
    """A connection lost inside a stream is one typed error with the text so far."""
    half = answer_of("openai", streaming=True).index(b" it") + 60
    with pytest.raises(StreamInterruptedError) as caught:
        ask(Network(httpx, "openai", stream_that_breaks(half, error)).provider(mode), mode)
    assert (caught.value.kind, caught.value.visible) == (kind, True)
    assert caught.value.partial_text.startswith("Paris")


@pytest.mark.parametrize("mode", MODES[2:])
def test_a_stream_that_breaks_before_it_began_is_a_plain_failure(mode):
    """Before the first token a lost connection is a connection error."""
    with pytest.raises(ProviderConnectionError):
        ask(Network(httpx, "openai", stream_that_breaks(0, httpx.ReadError("reset"))).provider(mode), mode)


@pytest.mark.parametrize("mode", MODES[2:])
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        pytest.param(lambda whole: whole.replace(b"data: [DONE]\n\n", b""), "truncated", id="no-terminator"),
        pytest.param(lambda whole: whole[:-40].replace(b"[DONE]", b"") + b"data: {broken\n\n", "malformed", id="bad"),
        pytest.param(
            lambda whole: (
                whole.split(b"\n\n")[0]
                + b'\n\ndata: {"error": {"message": "overloaded", "type": "server_error", "code": null}}\n\n'
            ),
            "error",
            id="error-event",
        ),
    ],
)
def test_h06_a_stream_that_is_wrong_is_an_error_although_its_status_is_200(library, mode, body, kind):
    """No terminator, a chunk that cannot be read, an error inside the stream: none is a short answer."""

    def answer(library, request):
        whole = answer_of("openai", streaming=True)
        return library.Response(200, headers={"content-type": "text/event-stream"}, content=body(whole))

    with pytest.raises(StreamInterruptedError) as caught:
        ask(Network(library, "openai", answer).provider(mode), mode)
    assert (caught.value.kind, caught.value.provider) == (kind, "openai")


def test_a_body_that_cannot_be_read_is_an_error(library, mode):
    """A page of a proxy with status 200 is no answer, whole or streamed."""

    def answer(library, request):
        return library.Response(200, headers={"content-type": "text/html"}, content=b"<html>busy</html>")

    with pytest.raises(InvalidResponseError):
        ask(Network(library, "openai", answer).provider(mode), mode)


@pytest.mark.parametrize("asynchronous", [False, True], ids=["blocking", "async"])
def test_models_are_listed(library, asynchronous):
    """The list of models comes from the provider, through the client too."""

    def answer(library, request):
        models = dialect_of("openai").endpoint("models")
        body = models.encode_answer([ModelCard("m-1"), ModelCard("m-2")], WireCall(models), ResponseMeta())
        return library.Response(200, headers={"content-type": "application/json"}, content=body)

    network = Network(library, "openai", answer)
    provider = network.provider("complete_async" if asynchronous else "complete")
    if asynchronous:
        models = asyncio.run(AsyncLLMClient(FallbackChain([provider])).list_models())
    else:
        models = LLMClient(provider).list_models()
    assert models == ["m-1", "m-2"]
    assert str(network.seen[0].url) == "https://api.openai.com/v1/models"


def test_a_failed_list_is_a_typed_error():
    """Errors of the list are those of any call."""

    def refuse(library, request):
        return library.Response(
            401, content=b'{"error": {"message": "bad key", "type": "x", "code": "invalid_api_key"}}'
        )

    with pytest.raises(AuthenticationError) as error:
        Network(httpx, "openai", refuse).provider("complete").list_models()
    assert error.value.provider == "openai"


def test_limits_of_the_call_reach_the_transport(library, mode):
    """The client is told how long to connect, to wait for the headers, and then to bear silence in the body."""
    seen = []

    def answer(library, request):
        seen.append(dict(request.extensions["timeout"]))
        streaming = json.loads(request.content).get("stream", False)
        return library.Response(200, content=answer_of("openai", streaming))

    network = Network(library, "openai", answer)
    ask(network.provider(mode), mode, Timeouts(connect=3, first_token=4, read=9))
    assert seen == [{"connect": 3, "read": 4, "write": 4, "pool": 3}]
    assert network.seen[0].extensions["timeout"]["read"] == 9


class Dripping(httpx.AsyncByteStream):
    """A body whose pieces take their time."""

    def __init__(self, pieces, seconds):
        self.pieces = pieces
        self.seconds = seconds

    async def __aiter__(self):
        for piece in self.pieces:
            await asyncio.sleep(self.seconds)
            yield piece


@pytest.mark.parametrize(
    ("limits", "phase"),
    [
        (Timeouts(read=60, total=7), "total"),
        (Timeouts(read=2), "read"),
        (Timeouts(read=60, first_token=2), "first_token"),
    ],
    ids=["total", "read", "first_token"],
)
def test_h05_a_slow_stream_ends_at_its_limit(limits, phase):
    """An answer that drips is cut at the limit of the whole, of a silence, or of its first token."""
    from llmtest.clock import VirtualClock, run_virtual

    body = answer_of("openai", streaming=True)

    def answer(library, request):
        stream = Dripping([body[i : i + 20] for i in range(0, len(body), 20)], 3)
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=stream)

    provider = Network(httpx, "openai", answer).provider("stream_async")
    clock = VirtualClock()

    async def story():
        with pytest.raises(ProviderTimeoutError) as error:
            [event async for event in provider.stream_async(REQUEST, limits)]
        return error.value

    error = run_virtual(story(), clock)
    assert error.phase == phase
    assert clock.elapsed() == (7.0 if phase == "total" else 2.0)


@pytest.mark.parametrize("mode", ["complete", "stream"])
def test_h05_blocking_code_notices_a_limit_when_the_next_piece_comes(mode):
    """What drips in blocking code cannot be interrupted: the piece that comes too late ends it."""
    from llmtest.clock import VirtualClock, active_clock, run_virtual

    body = answer_of("openai", streaming=mode == "stream")

    class Drops(httpx.SyncByteStream):
        def __iter__(self):
            for start in range(0, len(body), 20):
                active_clock().sleep(3)
                yield body[start : start + 20]

    def answer(library, request):
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=Drops())

    provider = Network(httpx, "openai", answer).provider(mode)

    def phase_of(limits):
        clock = VirtualClock()

        async def story():
            with pytest.raises(ProviderTimeoutError) as error:
                ask(provider, mode, limits)
            return error.value.phase, clock.elapsed()

        return run_virtual(story(), clock)

    assert phase_of(Timeouts(read=60, total=7)) == ("total", 9.0)
    assert phase_of(Timeouts(read=60, total=6)) == ("total", 9.0)
    if mode == "stream":
        assert phase_of(Timeouts(read=60, first_token=2)) == ("first_token", 3.0)


class Watched(Dripping):
    """A slow body that knows whether its connection was let go."""

    is_closed = False

    async def aclose(self):
        self.is_closed = True


@pytest.mark.parametrize("ending", ["timeout", "cancelled", "left"])
@pytest.mark.parametrize("mode", ["complete_async", "stream_async"])
def test_h07_whatever_ends_an_answer_lets_its_connection_go(mode, ending):
    """After a timeout, a cancellation or a stream that was left, no task is running and no connection is held."""
    from llmtest.clock import VirtualClock, run_virtual

    body = answer_of("openai", streaming=mode == "stream_async")
    bodies = []

    def answer(library, request):
        bodies.append(Watched([body[i : i + 20] for i in range(0, len(body), 20)], 3))
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=bodies[-1])

    provider = Network(httpx, "openai", answer).provider(mode)
    limits = Timeouts(read=2) if ending == "timeout" else Timeouts(read=60)

    async def read():
        if mode == "complete_async":
            return await provider.complete_async(REQUEST, limits)
        events = provider.stream_async(REQUEST, limits)
        async for event in events:
            if ending == "left" and event.visible:
                await events.aclose()
        return None

    async def story():
        task = asyncio.create_task(read())
        if ending == "cancelled":
            await asyncio.sleep(20)
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return asyncio.all_tasks()

    assert len(run_virtual(story(), VirtualClock())) == 1
    assert [each.is_closed for each in bodies] == [True]


@pytest.mark.parametrize(
    ("cls", "key", "model", "url"),
    [
        (OpenAIProvider, "OPENAI_API_KEY", "gpt-4o", "https://api.openai.com/v1"),
        (AnthropicProvider, "ANTHROPIC_API_KEY", "claude-sonnet-4-6", "https://api.anthropic.com"),
        (GeminiProvider, "GEMINI_API_KEY", "gemini-2.5-flash", "https://generativelanguage.googleapis.com/v1beta"),
        (OpenRouterProvider, "OPENROUTER_API_KEY", None, "https://openrouter.ai/api/v1"),
        (OllamaProvider, "OLLAMA_API_KEY", "llama3.2", "http://localhost:11434/v1"),
        (VLLMProvider, "VLLM_API_KEY", None, "http://localhost:8000/v1"),
    ],
    ids=lambda value: getattr(value, "NAME", None),
)
def test_a_provider_is_made_from_the_environment(monkeypatch, cls, key, model, url):
    """Key, model and address come from the provider's variables; arguments go before them."""
    variables = cls.dialect.variables
    for variable in (variables.keys[0], variables.model, variables.base_urls[0]):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv(key, "sk-1")
    assert (cls.from_env().model, cls.from_env().base_url) == (model, url)
    monkeypatch.setenv(variables.model, "from-env")
    monkeypatch.setenv(variables.base_urls[0], "http://localhost:1/v1")
    provider = cls.from_env()
    assert (provider.model, provider.base_url) == ("from-env", "http://localhost:1/v1")
    assert cls.from_env(model="from-argument").model == "from-argument"
    assert "sk-1" not in repr(provider) + provider.credential


@pytest.mark.parametrize("cls", [OpenAIProvider, AnthropicProvider, OpenRouterProvider])
def test_a_missing_key_is_named(monkeypatch, cls):
    """The error names the variable and says how to set it."""
    monkeypatch.delenv(cls.dialect.variables.keys[0], raising=False)
    with pytest.raises(ConfigurationError) as error:
        cls.from_env()
    assert str(error.value) == (
        f"`{cls.dialect.name}` needs an API key, and `{cls.dialect.variables.keys[0]}` is not set.\n"
        f"To fix: export {cls.dialect.variables.keys[0]}=..., or pass `api_key`"
    )


def test_ollama_s_host_may_lack_scheme_and_path(monkeypatch):
    """`OLLAMA_HOST` is what Ollama's own tools take."""
    monkeypatch.setenv("OLLAMA_HOST", "gpu-box:11434")
    assert OllamaProvider.from_env().base_url == "http://gpu-box:11434/v1"


def test_a_compatible_endpoint_needs_an_address(monkeypatch):
    """Its variables have a prefix of one's own choice; the address is required."""
    monkeypatch.delenv("GROQ_BASE_URL", raising=False)
    with pytest.raises(ConfigurationError) as error:
        OpenAICompatibleProvider.from_env("groq", "GROQ")
    assert str(error.value) == (
        "`groq` needs an address, and `GROQ_BASE_URL` is not set.\nTo fix: export GROQ_BASE_URL=..., or pass `base_url`"
    )
    monkeypatch.setenv("GROQ_BASE_URL", "https://api.groq.test/v1")
    monkeypatch.setenv("GROQ_API_KEY", "k")
    monkeypatch.setenv("GROQ_MODEL", "m")
    provider = OpenAICompatibleProvider.from_env("groq", "GROQ")
    assert (provider.name, provider.base_url, provider.model) == ("groq", "https://api.groq.test/v1", "m")


def test_a_request_without_a_model_is_refused_before_it_is_sent():
    """A provider that was told no model says so."""
    provider = OpenAICompatibleProvider("groq", base_url="http://localhost:1/v1")
    with pytest.raises(ConfigurationError) as error:
        provider.complete(REQUEST)
    assert str(error.value) == (
        "`groq` was not told which model to ask for.\nTo fix: give the provider a `model`, or the request one"
    )


def test_capabilities_know_the_model_s_window():
    """The context window comes from the price list, where it has one."""
    assert OpenAIProvider("k").capabilities.context_window == 128_000
    assert OpenAIProvider("k", model="unheard-of").capabilities.context_window is None


def test_the_label_of_a_key_tells_keys_apart_and_not_the_key():
    """Equal keys have equal labels, others have others."""
    labels = [OpenAIProvider(key).credential for key in ("sk-a", "sk-a", "sk-b", None)]
    assert labels[0] == labels[1] != labels[2]
    assert labels[3] == "openai:none"
    assert OpenAIProvider("sk-a", credential="team-key").credential == "team-key"


def test_an_overloaded_provider_is_its_own_class(dialect):
    """503 and 529 are told apart from other server errors."""

    def refuse(library, request):
        status, headers, body = dialect_of(dialect).chat.encode_error(OverloadedError(""), ResponseMeta())
        return library.Response(status, headers=list(headers), content=body)

    with pytest.raises(OverloadedError):
        ask(Network(httpx, dialect, refuse).provider("complete"), "complete")
