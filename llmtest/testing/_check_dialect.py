"""The conformance check of a dialect: what everything else takes for granted of its record."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

from llmtest import errors
from llmtest.types import (
    ChatMessage,
    CompletionRequest,
    CompletionResponse,
    EmbeddingRequest,
    EmbeddingResponse,
    FinishReason,
    ModelCard,
    TextPart,
    ToolCall,
    Usage,
)
from llmtest.wire import Dialect, Endpoint, ResponseMeta, Store, WireCall, WireFormatError

__all__ = ["DialectCase", "check_dialect"]

_PARAMETER = re.compile(r"\{(\w+)\}")

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEY = "sk-conformance"
NUMBERS = (0, 1, (1 << 64) + 7)
TEXTS = ("Paris", 'Grüße, 東京 🗼 and "quotes" \\ {braces}', "line one\nline two\n")
FAILURES: tuple[tuple[type[errors.ProviderError], int], ...] = (
    (errors.RateLimitedError, 429),
    (errors.AuthenticationError, 401),
    (errors.PermissionDeniedError, 403),
    (errors.ModelNotFoundError, 404),
    (errors.InvalidRequestError, 400),
    (errors.ContextLengthExceededError, 400),
    (errors.ServerError, 500),
    (errors.OverloadedError, 503),
)


@dataclass(frozen=True)
class DialectCase:
    """One row of a dialect's own table: what it can say beyond plain text.

    Args:
        name: What a failure calls it.
        request: A request that must come back from its encoding; None: the row is about an answer.
        response: An answer that must come back from its encoding, whole and, where `streams`, in pieces.
        streams: Whether the answer must come back from a stream as well.
    """

    name: str
    request: CompletionRequest | None = None
    response: CompletionResponse | None = None
    streams: bool = True


def check_dialect(dialect: Dialect, cases: Iterable[DialectCase] = ()) -> None:
    """Check that a dialect keeps what everything built on it relies on; run it in a test of your own.

    Addresses are URLs, paths lead to their endpoints and to nothing else, keys come back from their headers, ids differ
    and repeat, every error comes back as the class it was, a wait too, and each endpoint reads what it writes, streams
    in whatever pieces included.

    Args:
        dialect: The record.
        cases: Rows of its own: what it can say beyond plain text.

    Raises:
        AssertionError: It does not; the text names the dialect, the endpoint, and what came instead.

    Example:
        >>> from llmtest.wire import dialect
        >>> check_dialect(dialect("openai"))
    """
    _check_addresses(dialect)
    _check_paths(dialect)
    _check_ids(dialect)
    for spoken in {id(each.dialect): each.dialect for each in dialect.served}.values():
        _check_errors(spoken)
    for endpoint in dialect.served:
        _check_halves(endpoint)
        if endpoint.gives == "completion":
            _check_completion(endpoint, tuple(cases), is_first=endpoint is dialect.chat)
        else:
            _CHECKS[endpoint.gives](endpoint, tuple(cases))


def _say(where: object, what: str) -> str:
    return f"{where!r}: {what}"


def _check_addresses(dialect: Dialect) -> None:
    for url in (*dialect.hosts, *([dialect.base_url] if dialect.base_url else [])):
        parts = urlsplit(url)
        is_url = parts.scheme in {"http", "https"} and bool(parts.hostname)
        assert is_url, _say(dialect, f"`{url}` is no URL")
    for name, text in dialect.variables.served.items():
        assert "{url}" in text, _say(dialect, f"the variable `{name}` for child processes has no `{{url}}` in it")
    headers = {name.lower(): value for name, value in dialect.auth(KEY)}
    assert dialect.read_key(headers) == KEY, _say(dialect, f"a key does not come back from its headers {headers}")
    assert not dialect.auth(None), _say(dialect, "headers for a key are written where there is none")


def _check_paths(dialect: Dialect) -> None:
    assert dialect.served, _say(dialect, "it has no endpoint, neither its own nor mounted ones")
    for endpoint in dialect.served:
        path = f"{endpoint.dialect.root}{endpoint.pattern}".replace("{model}", "m-1")
        for address, anywhere in ((path, False), (f"/gateway{path}", True)):
            found = dialect.match(endpoint.method, address, anywhere=anywhere).endpoint
            assert found is endpoint, _say(endpoint, f"{endpoint.method} {address} leads to {found!r}")
        assert dialect.match("BREW", path).endpoint is None, _say(endpoint, "any method leads to it")
    assert dialect.match("GET", "/nowhere/at/all").endpoint is None, _say(dialect, "any path leads somewhere")


def _check_ids(dialect: Dialect) -> None:
    for make in (dialect.response_id, dialect.request_id, dialect.tool_call_id):
        ids = [make(number) for number in NUMBERS]
        assert len(set(ids)) == len(NUMBERS), _say(dialect, f"different numbers give equal ids: {ids}")
        assert ids == [make(number) for number in NUMBERS], _say(dialect, "equal numbers give different ids")


def _flat(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers}


def _check_errors(dialect: Dialect) -> None:
    meta = ResponseMeta(id="id-1", model="m-1", request_id="req-1", api_key=KEY)
    for kind, _ in FAILURES:
        error = kind("", model="m-1")
        if isinstance(error, errors.RateLimitedError):
            error.retry_after = 30.0
        status, headers, body = dialect.encode_error(error, meta)
        assert status >= 400, _say(dialect, f"{kind.__name__} is sent with status {status}")
        found = dialect.errors.decode(status, _flat(headers), body, NOW)
        assert type(found) is kind, _say(dialect, f"{kind.__name__} comes back as {type(found).__name__}: {found}")
        assert found.retry_after == error.retry_after, _say(
            dialect, f"a wait of 30 s comes back as {found.retry_after}"
        )
    garbage = dialect.errors.decode(502, {}, b"<html>busy</html>", NOW)
    assert isinstance(garbage, errors.ServerError), _say(dialect, f"a proxy's page is read as {type(garbage).__name__}")
    for refusal in (dialect.errors.not_found("GET", "/x"), dialect.errors.not_allowed("GET", "/x")):
        assert refusal.status in {404, 405}, _say(dialect, f"nothing at a path has the status {refusal.status}")


def _meta(endpoint: Endpoint) -> ResponseMeta:
    return ResponseMeta(
        id=endpoint.dialect.response_id(1), created_s=1, model="m-1", request_id="req-1", now=NOW, number=1
    )


def _asked(endpoint: Endpoint, request: object, *, stream: bool = False) -> WireCall:
    """Return a request as the server half reads what the client half wrote."""
    wire = endpoint.encode_call(request, stream=stream)
    headers = _flat((*wire.headers, *endpoint.dialect.auth(KEY)))
    path, _, query = wire.path.partition("?")
    match = endpoint.dialect.match(wire.method, path, below=True)
    served = match.endpoint
    leads = served is not None and (served.operation, served.gives) == (endpoint.operation, endpoint.gives)
    assert served is not None and leads, _say(endpoint, f"its own call goes to {wire.method} {wire.path}")  # noqa: PT018
    try:
        call = served.read(headers, wire.body, served.with_query(match.parameters, query))
    except WireFormatError as refused:
        raise AssertionError(_say(endpoint, f"it refuses its own call: {refused.error}")) from refused
    assert call.api_key == KEY, _say(endpoint, f"the key of a call is read as {call.api_key!r}")
    return call


def _check_halves(endpoint: Endpoint) -> None:
    """Check that what one half of an endpoint writes the other can read."""
    if endpoint.gives != "json":
        for half in ("encode_call", "decode_answer"):
            assert endpoint.has(half), _say(endpoint, f"it has no `{half}`, so that no client of ours can use it")
    writes, reads = endpoint.has("encode_stream"), endpoint.has("stream_decoder")
    missing = "stream_decoder" if writes else "encode_stream"
    assert writes == reads, _say(endpoint, f"it has one half of its streams, and no `{missing}`")


def _is_sayable(endpoint: Endpoint, request: CompletionRequest, *, is_first: bool) -> bool:
    """Tell whether a request can be written; one that only another endpoint of the API can say must be refused."""
    if is_first or endpoint.refuse_unsayable is None:
        return True
    try:
        endpoint.refuse_unsayable(request)
    except errors.NotSupportedError:
        try:
            endpoint.encode_call(request, stream=request.stream)
        except errors.NotSupportedError:
            return False
        raise AssertionError(_say(endpoint, f"it writes a request that it refuses: {request}")) from None
    return True


def _is_told(endpoint: Endpoint, answer: CompletionResponse, request: CompletionRequest, *, is_first: bool) -> bool:
    """Tell whether an answer can be written; one that only another endpoint can say is refused as a test's mistake."""
    call = _asked(endpoint, request)
    try:
        call.endpoint.encode_answer(answer, call, _meta(endpoint))
    except errors.SimulationStateError:
        if is_first:
            raise
        return False
    return True


def _check_completion(endpoint: Endpoint, cases: Sequence[DialectCase], *, is_first: bool = True) -> None:
    plain = [
        CompletionRequest(messages=(ChatMessage.user(text),), model="m-1", max_tokens=64, stream=stream)
        for text in TEXTS
        for stream in ((False, True) if endpoint.streams else (False,))
    ]
    talk = (
        ChatMessage.system("Be brief."),
        ChatMessage.user("Hi"),
        ChatMessage.assistant("Hello"),
        ChatMessage.user("?"),
    )
    more = [CompletionRequest(messages=talk, model="m-1", max_tokens=64)]
    more += (case.request for case in cases if case.request is not None)
    for request in (*plain, *(each for each in more if _is_sayable(endpoint, each, is_first=is_first))):
        read = _asked(endpoint, request, stream=request.stream).request
        assert read == request, _say(endpoint, f"a request comes back changed:\n  sent {request}\n  read {read}")
    answers = [
        CompletionResponse(parts=(TextPart(text),), finish_reason=reason, usage=Usage(12, 3), model="m-1", id="id-1")
        for text in TEXTS
        for reason in (FinishReason.STOP, FinishReason.LENGTH)
    ]
    own = [(case.response, case.streams) for case in cases if case.response is not None]
    own = [(answer, streams) for answer, streams in own if _is_told(endpoint, answer, plain[0], is_first=is_first)]
    for answer, streams in [*((each, True) for each in answers), *own]:
        _check_answer(endpoint, answer, _asked(endpoint, plain[0]))
        if endpoint.streams and streams:
            _check_stream(endpoint, answer, _asked(endpoint, plain[1], stream=True))


def _said(response: CompletionResponse) -> CompletionResponse:
    """Return what an answer says, without what surrounds it, and without ids that an API gives to each of its parts."""
    parts = tuple(replace(part, item_id=None) if isinstance(part, ToolCall) else part for part in response.parts)
    return replace(
        response, parts=parts, raw_finish_reason=None, request_id=None, provider=None, service_tier=None, extra={}
    )


def _named(endpoint: Endpoint, answer: CompletionResponse) -> CompletionResponse:
    """Return an answer as it comes back from an API that gives none an id, and as it is from any other."""
    settings = endpoint.dialect.settings
    if not endpoint.tells_names:
        return replace(answer, id=None, model=None)
    if settings.get("tells_no_model"):
        answer = replace(answer, model=None)
    return replace(answer, id=None) if settings.get("is_nameless") else answer


def _check_answer(endpoint: Endpoint, answer: CompletionResponse, call: WireCall) -> None:
    answer = _named(endpoint, answer)
    meta = _meta(endpoint)
    headers = _flat(endpoint.response_headers(meta))
    assert "content-type" in headers, _say(endpoint, "its answers have no content type")
    read = endpoint.decode_answer(call.endpoint.encode_answer(answer, call, meta), headers)
    assert _said(read) == _said(answer), _say(
        endpoint, f"an answer comes back changed:\n  sent {answer}\n  read {read}"
    )


def _check_stream(endpoint: Endpoint, answer: CompletionResponse, call: WireCall) -> None:
    answer = _named(endpoint, answer)
    meta = _meta(endpoint)
    call.include_usage = True
    served = call.endpoint
    pieces = served.encode_stream(answer, call, meta)
    body = b"".join(pieces)
    headers = _flat(served.response_headers(meta, stream=True))
    for size in (len(body), 1, 7, 64):
        decoder = endpoint.stream_decoder(headers)
        events = [event for start in range(0, len(body), size) for event in decoder.feed(body[start : start + size])]
        assert decoder.done, _say(endpoint, "a whole stream has no last event")
        (end,) = decoder.close()
        assert end.response is not None, _say(endpoint, "a stream ends without its response")
        read, said = end.response, _said(answer)
        assert _said(read) == said, _say(
            endpoint, f"a stream in pieces of {size} bytes comes back changed:\n  sent {answer}\n  read {read}"
        )
        text = "".join(event.text for event in events if event.kind == "text")
        assert text == (answer.content or ""), _say(endpoint, f"the pieces of its text are {text!r}")
    kept = b"".join(pieces[: _needed(endpoint, pieces, headers)])
    cut_off = _ending(endpoint, kept, headers)
    assert cut_off != "", _say(endpoint, "a stream without its last event passes for whole")
    assert cut_off == "truncated", _say(endpoint, f"a stream without its last event is `{cut_off}`")
    if len(pieces) == 1:
        return  # An API without a terminator says a word and its end at once.
    error = errors.OverloadedError("", model="m-1")
    told = _ending(endpoint, pieces[0] + served.encode_stream_error(error, meta), headers)
    assert told == "error", _say(endpoint, f"an error inside a stream is `{told or 'passed over'}`")


def _needed(endpoint: Endpoint, pieces: list[bytes], headers: Mapping[str, str]) -> int:
    """Return how many of the pieces are not enough for a whole answer.

    That is all but the last, and fewer where an API reads what has told why it ended as whole without a terminator.
    """
    for count in range(len(pieces) - 1, 0, -1):
        body = b"".join(pieces[:count])
        told = any(event.kind == "finish" for event in endpoint.stream_decoder(headers).feed(body))
        if not told or _ending(endpoint, body, headers):
            return count
    return 0


def _ending(endpoint: Endpoint, body: bytes, headers: Mapping[str, str]) -> str:
    """Return how a stream breaks; an empty text where it does not."""
    decoder = endpoint.stream_decoder(headers)
    try:
        decoder.feed(body)
        decoder.close()
    except errors.StreamInterruptedError as broken:
        return broken.kind
    return ""


def _check_embeddings(endpoint: Endpoint, cases: Sequence[DialectCase]) -> None:
    del cases
    request = EmbeddingRequest(("a", "b"), "m-1")
    call = _asked(endpoint, request)
    assert call.request == request, _say(endpoint, f"a request comes back as {call.request}")
    answer = EmbeddingResponse(((1.0, 0.5), (0.25, 0.0)), "m-1", Usage(2, 0))
    read = endpoint.decode_answer(call.endpoint.encode_answer(answer, call, _meta(endpoint)), {})
    assert read.vectors == answer.vectors, _say(endpoint, f"vectors come back as {read}")


def _check_models(endpoint: Endpoint, cases: Sequence[DialectCase]) -> None:
    del cases
    model = "m-1" if "{model}" in endpoint.pattern else None
    call = _asked(endpoint, model)
    assert call.model == model, _say(endpoint, f"the model of its path is read as {call.model!r}")
    read = endpoint.decode_answer(call.endpoint.encode_answer([ModelCard("m-1")], call, _meta(endpoint)), {})
    assert [card.id for card in read] == ["m-1"], _say(endpoint, f"a list of models comes back as {read}")


def _check_count(endpoint: Endpoint, cases: Sequence[DialectCase]) -> None:
    del cases
    request = CompletionRequest(messages=(ChatMessage.user("Hi"),), model="m-1", max_tokens=64)
    call = _asked(endpoint, request)
    read = endpoint.decode_answer(call.endpoint.encode_answer(17, call, _meta(endpoint)), {})
    assert read == 17, _say(endpoint, f"17 tokens come back as {read}")


def _check_json(endpoint: Endpoint, cases: Sequence[DialectCase]) -> None:
    del cases
    assert endpoint.needs_script or endpoint.default is not None, _say(
        endpoint, "it answers nothing by itself and does not ask for a script: give it `default` or `needs_script=True`"
    )
    if endpoint.default is not None:
        first, second = (_own_answer(endpoint) for _ in range(2))
        assert first == second, _say(endpoint, "equal calls get different answers")


def _own_answer(endpoint: Endpoint) -> bytes:
    """Return what an endpoint answers by itself, of which its refusal of a request for nothing is one form."""
    assert endpoint.default is not None
    meta = _meta(endpoint)
    body = b"" if endpoint.method in {"GET", "DELETE"} else b"{}"
    try:
        call = endpoint.read({}, body, dict.fromkeys(_PARAMETER.findall(endpoint.pattern), "x-1"))
        return endpoint.encode_answer(endpoint.default(call, meta, Store()), call, meta)
    except WireFormatError as refused:
        return endpoint.encode_error(refused.error, meta)[2]


_CHECKS = {
    "embeddings": _check_embeddings,
    "models": _check_models,
    "token_count": _check_count,
    "json": _check_json,
}
