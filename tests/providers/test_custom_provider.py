"""An API that a mapping describes, asked for real and simulated."""

import asyncio
import json
from urllib.parse import parse_qs

import httpx
import pytest

from llmtest import (
    ClientCredentials,
    CustomProvider,
    FallbackChain,
    LLMClient,
    OpenAICompatibleProvider,
    RetryConfig,
    SessionToken,
    Simulation,
)
from llmtest.errors import (
    AuthenticationError,
    ConfigurationError,
    EmptyResponseError,
    InvalidResponseError,
    NotSupportedError,
    ProviderConnectionError,
    RateLimitedError,
    SessionExpiredError,
    SessionRenewalFailedError,
    StreamInterruptedError,
)
from llmtest.testing import check_dialect
from llmtest.types import CompletionRequest, Usage
from llmtest.wire import CustomFields, custom_dialect, registered

CORP = {
    "path": "",
    "model_field": "model_name",
    "prompt_field": "input_text",
    "response_field": "generated_text",
}
NESTED = {
    "path": "generate",
    "messages_field": "input.messages",
    "system_field": "input.system",
    "model_field": "engine",
    "max_tokens_field": "options.limit",
    "temperature_field": "options.temperature",
    "stop_field": "options.stop",
    "stream_field": "stream",
    "response_field": "choices.0.text",
    "stream_response_field": "delta",
    "finish_field": "choices.0.why",
    "input_tokens_field": "usage.in",
    "output_tokens_field": "usage.out",
    "answer_model_field": "engine",
    "id_field": "id",
    "body": {"options": {"safe": True}},
}


class Server:
    """Answers with what it is told to, and keeps what it saw."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.seen = []

    def __call__(self, request):
        self.seen.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer(request) if callable(answer) else httpx.Response(200, json=answer)

    @property
    def client(self):
        """A blocking client that leads here."""
        return httpx.Client(transport=httpx.MockTransport(self))


def test_f008_vapora_s_custom_endpoint_is_the_default():
    """POST {endpoint}/v1/complete with model and prompt, the key as a bearer, and the answer in `result`."""
    server = Server({"result": "Paris"})
    provider = CustomProvider("https://api.custom.test", api_key="k-1", model="m-1", http_client=server.client)
    assert LLMClient(provider).ask("Capital of France?") == "Paris"
    (request,) = server.seen
    assert str(request.url) == "https://api.custom.test/v1/complete"
    assert request.headers["authorization"] == "Bearer k-1"
    assert json.loads(request.content) == {"model": "m-1", "prompt": "Capital of France?"}


def test_f008_a_status_that_is_no_success_is_an_error_of_its_kind():
    """VAPORA's `API error: {status}` is a typed error with the status."""
    server = Server(lambda _: httpx.Response(429, headers={"retry-after": "7"}, text="slow down"))
    provider = CustomProvider("https://api.custom.test", api_key="k", model="m", http_client=server.client)
    with pytest.raises(RateLimitedError) as caught:
        LLMClient(provider).ask("hi")
    assert (caught.value.status, caught.value.retry_after, caught.value.provider) == (429, 7.0, "custom")


@pytest.mark.parametrize(
    ("auth", "header"),
    [
        pytest.param({"auth_type": "bearer"}, ("authorization", "Bearer k-1"), id="bearer"),
        pytest.param({"auth_type": "api_key"}, ("x-api-key", "k-1"), id="api-key"),
        pytest.param({"auth_type": "api_key", "api_key_header": "X-Corp"}, ("x-corp", "k-1"), id="own-header"),
        pytest.param({"auth_type": "none"}, ("authorization", None), id="none"),
    ],
)
def test_f007_a_mapping_says_where_everything_is(auth, header):
    """Caxton's shape: fields of the request and the answer by name, and the key as the API wants it."""
    server = Server({"generated_text": "Paris"})
    provider = CustomProvider(
        "https://api.corp.test/llm",
        api_key="k-1",
        model="custom-model-v1",
        fields=CORP,
        http_client=server.client,
        **auth,
    )
    answer = provider.complete(CompletionRequest.ask("hi", system="Be brief."))
    assert answer.content == "Paris"
    (request,) = server.seen
    assert str(request.url) == "https://api.corp.test/llm"
    assert request.headers.get(header[0]) == header[1]
    assert json.loads(request.content) == {"model_name": "custom-model-v1", "input_text": "Be brief.\n\nhi"}


def test_f007_paths_are_dotted_and_reach_into_lists():
    """Everything that a mapping names is written where it says, and read from where it says."""
    said = {"choices": [{"text": "Par", "why": "length"}], "usage": {"in": 3, "out": 1}, "engine": "e-2"}
    server = Server(said)
    provider = CustomProvider("https://api.corp.test", model="e-1", fields=NESTED, http_client=server.client)
    request = CompletionRequest.ask("hi", system="Be brief.").with_max_tokens(5).with_temperature(0.5)
    answer = provider.complete(request)
    assert json.loads(server.seen[0].content) == {
        "engine": "e-1",
        "input": {"system": "Be brief.", "messages": [{"role": "user", "content": "hi"}]},
        "options": {"safe": True, "limit": 5, "temperature": 0.5},
    }
    assert server.seen[0].url.path == "/generate"
    assert (answer.content, answer.finish_reason.value, answer.model) == ("Par", "length", "e-2")
    assert (answer.usage, answer.raw_finish_reason) == (Usage(3, 1), "length")


STREAMS = {
    "sse": (
        'data: {"delta": "Par"}\n\ndata: {"delta": "is"}\n\n'
        'data: {"choices": [{"why": "stop"}], "usage": {"in": 3, "out": 2}}\n\ndata: [DONE]\n\n'
    ),
    "ndjson": '{"delta": "Par"}\n{"delta": "is"}\n{"done": true, "usage": {"in": 3, "out": 2}}\n',
}


@pytest.mark.parametrize("form", ["sse", "ndjson"])
def test_f007_a_stream_comes_where_the_mapping_names_one(form):
    """Both forms of streams are read piece by piece, with the usage of the last event; a cut is an error."""
    server = Server(
        lambda _: httpx.Response(200, text=STREAMS[form]), lambda _: httpx.Response(200, text=STREAMS[form][:25])
    )
    fields = {**NESTED, "stream_format": form}
    provider = CustomProvider("https://api.corp.test", model="e-1", fields=fields, http_client=server.client)
    events = list(provider.stream(CompletionRequest.ask("hi")))
    assert [event.text for event in events] == ["Par", "is", ""]
    assert (events[-1].response.content, events[-1].response.usage) == ("Paris", Usage(3, 2))
    assert json.loads(server.seen[0].content)["stream"] is True
    with pytest.raises(StreamInterruptedError) as caught:
        list(provider.stream(CompletionRequest.ask("hi")))
    assert (caught.value.kind, caught.value.partial_text) == ("truncated", "Par")


def test_an_error_inside_a_stream_is_told():
    """An event with an error ends the stream with what it says."""
    server = Server(
        lambda _: httpx.Response(200, text='data: {"delta": "Pa"}\n\ndata: {"error": {"message": "off"}}\n\n')
    )
    provider = CustomProvider("https://api.corp.test", model="e", fields=NESTED, http_client=server.client)
    with pytest.raises(StreamInterruptedError, match="off"):
        list(provider.stream(CompletionRequest.ask("hi")))


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        pytest.param(b"", EmptyResponseError, id="empty"),
        pytest.param(b"<html>", InvalidResponseError, id="no-json"),
        pytest.param(b'{"other": 1}', InvalidResponseError, id="no-text"),
        pytest.param(b'{"result": 5}', InvalidResponseError, id="number"),
    ],
)
def test_an_answer_without_the_text_is_told(body, kind):
    """VAPORA reads a missing `result` as an empty answer; here it is an error that names the field."""
    server = Server(lambda _: httpx.Response(200, content=body))
    provider = CustomProvider("https://api.custom.test", api_key="k", model="m", http_client=server.client)
    with pytest.raises(kind):
        LLMClient(provider).ask("hi")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        pytest.param({"temperature": 0.5}, "temperature_field", id="temperature"),
        pytest.param({"max_tokens": 5}, "max_tokens_field", id="max-tokens"),
        pytest.param({"stop_sequences": ("x",)}, "stop_field", id="stop"),
        pytest.param({"n": 2}, "`n`", id="n"),
    ],
)
def test_what_a_mapping_has_no_field_for_is_refused_before_it_is_sent(change, word):
    """What would change the answer and cannot be said names the key that would say it; nothing is sent."""
    server = Server({"result": "Paris"})
    provider = CustomProvider(api_key="k", model="m", http_client=server.client)
    with pytest.raises(NotSupportedError, match=word):
        provider.complete(CompletionRequest(CompletionRequest.ask("hi").messages, **change))
    with pytest.raises(NotSupportedError, match="stream_field"):
        list(provider.stream(CompletionRequest.ask("hi")))
    assert server.seen == []


def tokens_of(request):
    """Give out a token, numbered."""
    form = {key: value[0] for key, value in parse_qs(request.content.decode()).items()}
    assert form == {
        "grant_type": "client_credentials",
        "client_id": "app",
        "client_secret": "s3cr3t-of-the-app",
        "scope": "llm",
    }
    tokens_of.count += 1
    return httpx.Response(200, json={"access_token": f"token-{tokens_of.count}", "expires_in": 3600})


OAUTH2 = {
    "token_url": "https://id.corp.test/token",
    "client_id": "app",
    "client_secret": "s3cr3t-of-the-app",
    "scope": "llm",
}


class Guarded(Server):
    """Gives tokens out, and takes only the newest ones of them."""

    def __init__(self):
        super().__init__(None)
        tokens_of.count = 0
        self.refused = set()

    def __call__(self, request):
        self.seen.append(request)
        if request.url.path == "/token":
            return tokens_of(request)
        if request.headers["authorization"] in self.refused:
            return httpx.Response(401, json={"error": {"message": "expired"}})
        return httpx.Response(200, json={"result": request.headers["authorization"]})


def test_f007_oauth2_gets_a_token_once_and_again_when_it_is_over():
    """A token is asked for by the first request, kept until shortly before its end, and renewed then."""
    server = Guarded()
    provider = CustomProvider(
        "https://api.corp.test", model="m", auth_type="oauth2", oauth2=OAUTH2, http_client=server.client
    )
    with Simulation() as sim:
        sim.allow("*.corp.test")
        client = LLMClient(provider)
        assert [client.ask("hi"), client.ask("hi")] == ["Bearer token-1", "Bearer token-1"]
        sim.clock.advance(3569)
        assert client.ask("hi") == "Bearer token-1"
        sim.clock.advance(2)
        assert client.ask("hi") == "Bearer token-2"
    assert [request.url.path for request in server.seen].count("/token") == 2
    assert provider.credential == "custom:app"
    assert provider.available()


def test_f007_a_token_that_is_refused_is_fetched_anew_once():
    """A 401 renews the token and sends the request again; a second 401 is the error."""
    server = Guarded()
    provider = CustomProvider(
        "https://api.corp.test", model="m", auth_type="oauth2", oauth2=OAUTH2, http_client=server.client
    )
    client = LLMClient(provider)
    client.ask("hi")
    server.refused = {"Bearer token-1"}
    assert client.ask("hi") == "Bearer token-2"
    server.refused = {"Bearer token-2", "Bearer token-3"}
    with pytest.raises(AuthenticationError, match="expired"):
        client.ask("hi")


def test_f007_tasks_at_the_same_time_share_one_token():
    """Whoever comes while a token is being fetched waits for it."""
    server = Guarded()

    async def handle(request):
        await asyncio.sleep(0)
        return server(request)

    client = httpx.AsyncClient(transport=httpx.MockTransport(handle))
    provider = CustomProvider("https://api.corp.test", model="m", auth_type="oauth2", oauth2=OAUTH2, http_client=client)

    async def story():
        asked = (provider.complete_async(CompletionRequest.ask("hi")) for _ in range(5))
        return {answer.content for answer in await asyncio.gather(*asked)}

    assert asyncio.run(story()) == {"Bearer token-1"}


@pytest.mark.parametrize(
    ("answer", "kind", "text"),
    [
        pytest.param(
            lambda _: httpx.Response(
                400, json={"error": "invalid_client", "error_description": "no s3cr3t-of-the-app"}
            ),
            AuthenticationError,
            "no token from https://id.corp.test/token: no ***",
            id="refused",
        ),
        pytest.param(lambda _: httpx.Response(200, text="hi"), AuthenticationError, "no token from", id="no-token"),
        pytest.param(lambda _: 1 / 0, ZeroDivisionError, "division", id="bug"),
    ],
)
def test_a_token_that_is_not_given_is_told(answer, kind, text):
    """What the server of tokens says is the error, without the secret in it."""
    server = Server(answer)
    provider = CustomProvider("https://a.test", model="m", auth_type="oauth2", oauth2=OAUTH2, http_client=server.client)
    with pytest.raises(kind) as caught:
        provider.complete(CompletionRequest.ask("hi"))
    assert text in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


def test_a_server_of_tokens_that_is_not_there_is_a_failure_of_the_connection():
    """No way to the server of tokens is no way to the provider."""

    def refuse(request):
        raise httpx.ConnectError("refused", request=request)

    provider = CustomProvider(model="m", auth_type="oauth2", oauth2=OAUTH2, http_client=Server(refuse).client)
    with pytest.raises(ProviderConnectionError):
        provider.complete(CompletionRequest.ask("hi"))


def test_f177_a_session_is_renewed_on_a_401():
    """A token of a session is asked for once, renewed when it is refused, and is in no repr."""
    made = iter(["sess-1", "sess-2"])
    source = SessionToken(lambda: next(made), label="near")

    def answer(request):
        if request.headers["authorization"] == "Bearer sess-1":
            return httpx.Response(401, json={"error": {"message": "session expired: sess-1"}})
        message = {"role": "assistant", "content": request.headers["authorization"]}
        return httpx.Response(200, json={"choices": [{"message": message, "finish_reason": "stop"}]})

    server = Server(answer)
    provider = OpenAICompatibleProvider(
        "near", base_url="https://near.test/v1", api_key=source, http_client=server.client
    )
    chain = FallbackChain([provider])
    assert LLMClient(chain).complete(CompletionRequest.ask("hi").with_model("m")).content == "Bearer sess-2"
    assert len(server.seen) == 2
    assert provider.credential == "near:near"
    assert "sess-" not in repr([source, provider, chain])


def test_f177_a_session_may_be_renewed_by_a_coroutine():
    """On an event loop a coroutine function renews it; blocking code is told that it cannot wait for one."""

    async def renew():
        await asyncio.sleep(0)
        return "sess-9"

    server = Server({"result": "Paris"})

    async def handle(request):
        return server(request)

    client = httpx.AsyncClient(transport=httpx.MockTransport(handle))
    provider = CustomProvider(model="m", api_key=SessionToken(renew), http_client=client)
    asyncio.run(provider.complete_async(CompletionRequest.ask("hi")))
    assert server.seen[0].headers["authorization"] == "Bearer sess-9"
    blocking = CustomProvider(model="m", api_key=SessionToken(renew), http_client=server.client)
    with pytest.raises(ConfigurationError, match="renewed by a coroutine function"):
        blocking.complete(CompletionRequest.ask("hi"))


def near(renew, server):
    """Return a provider that asks with the token of a session."""
    source = SessionToken(renew, label="near")
    return OpenAICompatibleProvider("near", base_url="https://near.test/v1", api_key=source, http_client=server.client)


def test_f053_a_session_whose_new_token_is_refused_too_has_ended():
    """The token is renewed once; then the error says whose session it is and what the provider said, without it."""
    made = iter(["sess-one", "sess-two"])
    refusal = {"error": {"message": "no such user: sess-two", "code": "bad_user"}}
    server = Server(lambda _: httpx.Response(401, json=refusal, headers={"x-request-id": "r-1"}))
    with pytest.raises(SessionExpiredError) as caught:
        near(lambda: next(made), server).complete(CompletionRequest.ask("hi").with_model("m"))
    error = caught.value
    assert str(error) == error.message == "the session `near` has ended, its new token is refused: no such user: ***"
    assert (error.status, error.code, error.provider, error.request_id) == (401, "bad_user", "near", "r-1")
    assert len(server.seen) == 2


def test_f053_a_renewal_that_fails_is_tried_again_and_remembers_no_key():
    """Nothing is sent without a token, the chain asks again, and the key does not count as refused."""
    made = iter([OSError("sign-in is down"), None, "sess-3"])

    def renew():
        found = next(made)
        if isinstance(found, Exception):
            raise found
        return found

    message = {"role": "assistant", "content": "Paris"}
    server = Server({"choices": [{"message": message, "finish_reason": "stop"}]})
    chain = FallbackChain([near(renew, server)], retry=RetryConfig(max_attempts=3, base_delay=0))
    answer = LLMClient(chain).complete(CompletionRequest.ask("hi").with_model("m"))
    assert (answer.content, len(server.seen)) == ("Paris", 1)
    assert [(each.outcome, each.billed) for each in answer.attempts] == [("error", False)] * 2 + [("200", True)]
    assert chain.metrics().providers[0].auth_failures == 0


def test_f053_a_renewal_that_fails_says_why():
    """The function's own error is named and kept as the cause; an error of this package comes through as it is."""

    async def renew():
        raise OSError("sign-in is down")

    async def handle(request):
        raise AssertionError("nothing is sent")

    client = httpx.AsyncClient(transport=httpx.MockTransport(handle))
    provider = CustomProvider(model="m", api_key=SessionToken(renew, label="corp"), http_client=client)
    with pytest.raises(SessionRenewalFailedError) as caught:
        asyncio.run(provider.complete_async(CompletionRequest.ask("hi")))
    assert str(caught.value) == "the session `corp` could not be renewed: OSError: sign-in is down"
    assert isinstance(caught.value.__cause__, OSError)

    def revoked():
        raise AuthenticationError("signed out", status=401)

    with pytest.raises(AuthenticationError, match="signed out"):
        near(revoked, Server({})).complete(CompletionRequest.ask("hi").with_model("m"))


def test_f053_a_server_of_tokens_that_is_too_busy_is_no_refused_key():
    """Its 5xx and 429 pass by themselves, and say when; a chain waits that long instead of giving the key up."""
    server = Server(lambda _: httpx.Response(503, headers={"retry-after": "7"}, text="busy"))
    provider = CustomProvider("https://a.test", model="m", auth_type="oauth2", oauth2=OAUTH2, http_client=server.client)
    with pytest.raises(SessionRenewalFailedError, match=r"no token from .*: status 503") as caught:
        provider.complete(CompletionRequest.ask("hi"))
    assert (caught.value.retry_after, caught.value.accepted) == (7.0, False)


def test_f177_a_lifetime_ends_a_session_before_it_is_refused():
    """A token whose lifetime is known is renewed in time, and one that was given is used first."""
    made = iter(["sess-2"])
    source = SessionToken(lambda: next(made), token="sess-1", lifetime=100)
    server = Server({"result": "Paris"})
    provider = CustomProvider(model="m", api_key=source, http_client=server.client)
    provider.complete(CompletionRequest.ask("hi"))
    source.forget("sess-1")
    provider.complete(CompletionRequest.ask("hi"))
    assert [each.headers["authorization"] for each in server.seen] == ["Bearer sess-1", "Bearer sess-2"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param(
            {"auth_type": "basic"}, "auth_type is one of bearer, api_key, oauth2, none, got `basic`", id="auth"
        ),
        pytest.param({"auth_type": "oauth2"}, "`oauth2` lacks `token_url`, `client_id`, `client_secret`", id="nothing"),
        pytest.param({"auth_type": "oauth2", "oauth2": {**OAUTH2, "x": "y"}}, "`oauth2` has no `x`", id="unknown"),
        pytest.param({"fields": {"promt_field": "x"}}, "Did you mean `prompt_field`?", id="misspelt"),
        pytest.param(
            {"fields": {"stream_format": "xml"}}, "stream_format is `sse` or `ndjson`, got `xml`", id="format"
        ),
    ],
)
def test_a_mapping_that_is_wrong_is_refused(settings, message):
    """Each mistake is named before anything is sent."""
    with pytest.raises(ConfigurationError) as caught:
        CustomProvider(model="m", **settings)
    assert message in str(caught.value)


def test_a_custom_provider_is_made_from_the_environment(monkeypatch):
    """VAPORA's three variables, and its default endpoint where one is missing."""
    monkeypatch.setenv("CUSTOM_API_KEY", "k-1")
    monkeypatch.setenv("CUSTOM_MODEL", "m-1")
    monkeypatch.delenv("CUSTOM_ENDPOINT", raising=False)
    provider = CustomProvider.from_env()
    assert (provider.base_url, provider.model, provider.available()) == ("http://localhost:8000", "m-1", True)
    monkeypatch.setenv("CUSTOM_ENDPOINT", "https://a.test")
    assert CustomProvider.from_env(model="m-2").base_url == "https://a.test"


def test_f007_the_record_of_a_mapping_is_a_dialect_like_any_other():
    """The conformance check of dialects holds for what a mapping makes that names everything."""
    check_dialect(custom_dialect("corp", CustomFields.of(NESTED), base_url="https://a.test"))


def test_f007_a_registered_mapping_is_simulated(llm_sim):
    """Registered, the API is a simulated provider that is scripted like every other, streams included."""
    with registered(custom_dialect("corp", NESTED)):
        llm_sim.provider("corp", dialect="corp", base_url="https://api.corp.test").replies("Paris", "Rome it is")
        provider = CustomProvider("https://api.corp.test", model="e-1", name="corp", fields=NESTED, api_key="k")
        client = LLMClient(provider)
        assert client.ask("hi") == "Paris"
        with client.stream(CompletionRequest.ask("hi")) as stream:
            assert "".join(event.text for event in stream) == "Rome it is"
    llm_sim.assert_sequence("corp:200", "corp:200")


def test_credentials_show_no_secret():
    """Neither a source of tokens nor its label shows the secret."""
    credentials = ClientCredentials("https://id.test/token", "app", "s3cr3t-of-the-app")
    assert repr(credentials) == "<ClientCredentials without a token>"
    assert credentials.label == "app"
