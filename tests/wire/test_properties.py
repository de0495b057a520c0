"""Laws of the codecs: nothing is lost on the way out and back, and no boundary of bytes matters."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmtest import errors
from llmtest.types import FinishReason, TextPart
from llmtest.wire import ResponseMeta, SseParser, WireCall
from llmtest.wire import dialect as dialect_of
from tests.wire.lenient import lenient
from tests.wire.wire_strategies import (
    anthropic_requests,
    anthropic_responses,
    compact,
    names,
    openai_requests,
    openai_responses,
    texts,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
META = ResponseMeta(id="unused", created_s=1, model="unused", request_id="req_1")
CALL = WireCall(dialect_of("openai").chat, stream=True, include_usage=True)
RESPONSES = {"openai": openai_responses(), "anthropic": anthropic_responses()}
REQUESTS = {"openai": openai_requests(), "anthropic": anthropic_requests()}
both = pytest.mark.parametrize("dialect", ["openai", "anthropic"])


def decoded(codec, pieces):
    """Feed pieces to a fresh decoder; return all events."""
    decoder = codec.stream_decoder()
    events = []
    for piece in pieces:
        events += decoder.feed(piece)
    return events + decoder.close()


def cut(body, places):
    """Cut bytes at the given places."""
    edges = [0, *sorted(place % (len(body) + 1) for place in places), len(body)]
    return [body[start:end] for start, end in pairwise(edges)]


@both
@given(data=st.data())
def test_a_response_survives_its_encoding(dialect, data):
    """decode(encode(response)) is the response."""
    response = data.draw(RESPONSES[dialect])
    codec = dialect_of(dialect).chat
    assert codec.decode_answer(codec.encode_answer(response, CALL, META), {}) == response


@both
@given(data=st.data(), places=st.lists(st.integers(0, 10**6), max_size=8))
def test_a_stream_survives_its_encoding_at_any_chunk_boundary(dialect, data, places):
    """The stream of a response ends in the same response, and any cuts of its bytes give the same events."""
    response = data.draw(RESPONSES[dialect])
    codec = dialect_of(dialect).chat
    pieces = codec.encode_stream(response, CALL, META)
    events = decoded(codec, pieces)
    assert events[-1].kind == "end"
    assert events[-1].response == response
    assert decoded(codec, cut(b"".join(pieces), places)) == events


@both
@given(data=st.data())
def test_text_arrives_in_the_pieces_asked_for(dialect, data):
    """`chunks` are the pieces of the text events, one each."""
    chunks = data.draw(st.lists(texts, min_size=1, max_size=5))
    response = dialect_of(dialect).chat.decode_answer(
        dialect_of(dialect).chat.encode_answer(data.draw(RESPONSES[dialect]), CALL, META), {}
    )
    from dataclasses import replace

    plain = {"alternatives": (), "finish_reason": FinishReason.STOP, "raw_finish_reason": None}
    response = replace(response, parts=(TextPart("".join(chunks)),), **plain)
    pieces = dialect_of(dialect).chat.encode_stream(response, CALL, META, chunks)
    events = decoded(dialect_of(dialect).chat, pieces)
    assert [event.text for event in events if event.kind == "text"] == chunks


@both
@given(data=st.data())
def test_a_request_survives_its_encoding(dialect, data):
    """decode(encode(request)) is the request."""
    request = data.draw(REQUESTS[dialect])
    codec = dialect_of(dialect).chat
    sent = codec.encode_call(request, stream=request.stream)
    headers = dict((*sent.headers, *codec.dialect.auth("sk-1")))
    call = lenient(dialect).read(sent.method, sent.path, "", headers, sent.body)
    assert call.request == request
    assert (call.operation, call.api_key, call.stream, call.model) == ("chat", "sk-1", request.stream, request.model)


PLAIN = (
    errors.RateLimitedError,
    errors.QuotaExceededError,
    errors.AuthenticationError,
    errors.PermissionDeniedError,
    errors.ContextLengthExceededError,
    errors.RequestTooLargeError,
    errors.InvalidRequestError,
    errors.ContentFilteredError,
    errors.ModelNotFoundError,
    errors.NotSupportedError,
    errors.ServerError,
    errors.OverloadedError,
    errors.ProviderTimeoutError,
)


@both
@pytest.mark.parametrize("kind", PLAIN)
@given(
    model=names,
    wait=st.none() | st.integers(0, 10**6) | st.integers(1, 10**7).map(lambda ms: ms / 1000),
    should_retry=st.booleans(),
)
@settings(max_examples=20)
def test_an_error_in_genuine_words_survives_its_encoding(dialect, kind, model, wait, should_retry):
    """An error without words of its own gets the provider's, and comes back as the same error."""
    codec = dialect_of(dialect).chat
    error = kind("", model=model, retry_after=wait)
    error.should_retry = should_retry
    status, headers, body = codec.encode_error(error, META)
    again = codec.decode_error(status, dict(headers), body, now=NOW)
    assert type(again) is kind
    assert (again.status, again.code, again.message) == (status, error.code, error.message)
    assert (again.request_id, again.retry_after, again.should_retry) == ("req_1", wait, should_retry)
    assert again.message


@both
@pytest.mark.parametrize("kind", PLAIN)
@given(words=st.text("abc äöü 漢字", min_size=1, max_size=30))
@settings(max_examples=10)
def test_an_error_keeps_words_of_its_own(dialect, kind, words):
    """Words that an error has are sent as they are; where the class follows from a code, it is kept too."""
    if dialect == "anthropic" and kind in {errors.ContextLengthExceededError, errors.ContentFilteredError}:
        return  # Anthropic tells these two by their words alone.
    words = words.strip() or "x"
    if kind is errors.ModelNotFoundError:
        words += " model"
    codec = dialect_of(dialect).chat
    status, headers, body = codec.encode_error(kind(words), META)
    again = codec.decode_error(status, dict(headers), body, now=NOW)
    assert (type(again), again.message) == (kind, words)


@given(
    events=st.lists(st.tuples(st.sampled_from(["", "ping", "delta"]), st.text(max_size=20)), max_size=5),
    ending=st.sampled_from(["\n", "\r", "\r\n"]),
    bom=st.booleans(),
    places=st.lists(st.integers(0, 10**6), max_size=8),
)
def test_events_are_found_at_any_chunk_boundary(events, ending, bom, places):
    """Line endings, a byte order mark, comments, and cuts inside letters or line ends change nothing."""
    text = ""
    for name, value in events:
        data = compact({"text": value})
        text += f": comment{ending}" + (f"event: {name}{ending}" if name else "")
        text += f"id: 7{ending}data: {data}{ending}retry: 10{ending}{ending}"
    body = (b"\xef\xbb\xbf" if bom else b"") + text.encode()
    parser = SseParser()
    found = [event for piece in cut(body, places) for event in parser.feed(piece)]
    assert found == [(name, compact({"text": value})) for name, value in events]


def test_half_a_surrogate_pair_survives():
    """Text that UTF-8 cannot hold is escaped, not lost and not an exception."""
    for dialect in ("openai", "anthropic"):
        codec = dialect_of(dialect).chat
        response = codec.decode_answer(codec.encode_answer(_answer("half \ud83d, whole 😀"), CALL, META), {})
        assert response.content == "half \ud83d, whole 😀"
        events = decoded(codec, codec.encode_stream(response, CALL, META))
        assert events[-1].response == response


def _answer(text):
    from llmtest.types import CompletionResponse, Usage

    return CompletionResponse(parts=(TextPart(text),), usage=Usage(1, 1))


@both
@given(body=st.binary(max_size=60) | st.text(max_size=40).map(str.encode), status=st.integers(400, 599))
def test_no_body_is_beyond_an_error(dialect, body, status):
    """Whatever an error's body is, there is an error of the tree for it, with some words."""
    error = dialect_of(dialect).chat.decode_error(status, {}, body, now=NOW)
    assert isinstance(error, errors.ProviderError)
    assert error.status == status
    assert error.message
    assert error.body == body
