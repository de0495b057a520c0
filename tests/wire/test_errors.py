"""What went wrong, read from genuine answers and from broken streams."""

import json
from datetime import UTC, datetime

import pytest

from llmtest import errors
from llmtest.types import CompletionResponse, TextPart, Usage
from llmtest.wire import ResponseMeta, WireCall
from llmtest.wire import dialect as dialect_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
META = ResponseMeta(id="i", model="m")
CALL = WireCall(dialect_of("openai").chat, stream=True, include_usage=True)
HELLO = CompletionResponse(parts=(TextPart("Hello big world"),), usage=Usage(3, 4))


def openai_error(message, kind=None, code=None, param=None):
    """Return OpenAI's error body."""
    return json.dumps({"error": {"message": message, "type": kind, "param": param, "code": code}}).encode()


def anthropic_error(message, kind, **more):
    """Return Anthropic's error body."""
    return json.dumps({"type": "error", "error": {"type": kind, "message": message, **more}}).encode()


TPM = "Rate limit reached for gpt-4o-mini in organization org-1 on tokens per min (TPM): Limit 200000, Used 150974, "
TPM += (
    "Requested 53621. Please try again in 1.378s. Visit https://platform.openai.com/account/rate-limits to learn more."
)
VLLM = "This model's maximum context length is 40960 tokens. However, you requested 0 output tokens and your prompt "
VLLM += "contains at least 40961 input tokens, for a total of at least 40961 tokens."


@pytest.mark.parametrize(
    ("dialect", "status", "body", "expected", "facts"),
    [
        (
            "openai",
            429,
            openai_error(TPM, "tokens", "rate_limit_exceeded"),
            errors.RateLimitedError,
            {"limit_kind": "tokens", "retry_after": 1.378, "code": "rate_limit_exceeded"},
        ),
        (
            "openai",
            429,
            openai_error("x on requests per min (RPM): Limit 5. Please try again in 120ms.", "requests"),
            errors.RateLimitedError,
            {"limit_kind": "requests", "retry_after": 0.12, "code": "requests"},
        ),
        (
            "openai",
            429,
            openai_error("x on requests per day (RPD): Limit 5. Please try again in 7m12s."),
            errors.RateLimitedError,
            {"limit_kind": "daily", "retry_after": 432.0},
        ),
        ("openai", 429, openai_error("Request too large for gpt-4o", "tokens"), errors.RequestTooLargeError, {}),
        ("openai", 429, openai_error("q", "insufficient_quota", "insufficient_quota"), errors.QuotaExceededError, {}),
        (
            "openai",
            400,
            openai_error("maximum context length is 16385 tokens. However, your messages resulted in 33625 tokens."),
            errors.ContextLengthExceededError,
            {"max_tokens": 16385, "requested_tokens": 33625},
        ),
        (
            "openai",
            400,
            openai_error(VLLM, "BadRequestError", 400, "input_tokens"),
            errors.ContextLengthExceededError,
            {"max_tokens": 40960, "requested_tokens": 40961, "code": "400", "param": "input_tokens"},
        ),
        ("openai", 400, openai_error("blocked", None, "content_filter"), errors.ContentFilteredError, {}),
        ("openai", 400, openai_error("bad", param="n"), errors.InvalidRequestError, {"param": "n"}),
        ("openai", 401, b'{"error":"Unauthorized"}', errors.AuthenticationError, {"message": "Unauthorized"}),
        ("near_ai", 401, b'{"error":{"message":"Session has expired"}}', errors.SessionExpiredError, {"status": 401}),
        ("openai", 401, b'{"detail":"invalid session token"}', errors.SessionExpiredError, {}),
        ("openai", 403, b'{"error":{"message":"session expired"}}', errors.PermissionDeniedError, {}),
        ("openai", 403, b"", errors.PermissionDeniedError, {"message": "HTTP 403"}),
        ("openai", 404, openai_error("x", None, "DeploymentNotFound"), errors.ModelNotFoundError, {}),
        ("openai", 404, openai_error("Invalid URL (POST /v1/x)"), errors.InvalidRequestError, {}),
        ("openai", 409, b"{}", errors.InvalidRequestError, {}),
        (
            "openai",
            502,
            b"<html>bad</html>",
            errors.ServerError,
            {"message": "HTTP 502 with a page of HTML instead of an error; its 16 bytes are in `.body`"},
        ),
        ("openai", 503, b"[]", errors.OverloadedError, {}),
        ("openai", 418, b"null", errors.InvalidRequestError, {"message": "null"}),
        (
            "anthropic",
            400,
            anthropic_error("prompt is too long: 210000 tokens > 200000 maximum", "invalid_request_error"),
            errors.ContextLengthExceededError,
            {"requested_tokens": 210000, "max_tokens": 200000, "code": "invalid_request_error"},
        ),
        (
            "anthropic",
            400,
            anthropic_error(
                "input length and `max_tokens` exceed context limit: 189136 + 20000 > 204648, decrease input length",
                "invalid_request_error",
            ),
            errors.ContextLengthExceededError,
            {"requested_tokens": 209136, "max_tokens": 204648},
        ),
        (
            "anthropic",
            400,
            anthropic_error("Your credit balance is too low to access the Anthropic API.", "invalid_request_error"),
            errors.QuotaExceededError,
            {},
        ),
        ("anthropic", 402, anthropic_error("x", "billing_error"), errors.QuotaExceededError, {}),
        ("anthropic", 413, b"<html>413</html>", errors.RequestTooLargeError, {}),
        (
            "anthropic",
            429,
            anthropic_error("x", "rate_limit_error", details={"error_code": "contract_spend_limit_reached"}),
            errors.QuotaExceededError,
            {"code": "contract_spend_limit_reached"},
        ),
        ("anthropic", 504, anthropic_error("x", "timeout_error"), errors.ServerError, {"code": "timeout_error"}),
        ("anthropic", 529, anthropic_error("Overloaded", "overloaded_error"), errors.OverloadedError, {"status": 529}),
    ],
)
def test_an_error_is_told_by_status_code_and_words(dialect, status, body, expected, facts):
    """The class, and the facts that only the words have."""
    error = dialect_of(dialect).chat.decode_error(status, {}, body, now=NOW)
    assert type(error) is expected
    assert {name: getattr(error, name) for name in facts} == facts


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_a_gateway_answers_in_html(dialect):
    """502 and 504 without words of their own are a gateway's page, not the provider's JSON."""
    codec = dialect_of(dialect).chat
    status, headers, body = codec.encode_error(errors.ServerError("", status=502), META)
    assert (status, dict(headers)["content-type"]) == (502, "text/html; charset=utf-8")
    assert b"<h1>502 Bad Gateway</h1>" in body
    assert type(codec.decode_error(status, dict(headers), body, now=NOW)) is errors.ServerError


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_a_stream_without_its_terminator_was_truncated(dialect):
    """A clean end too early is an error that carries what had arrived."""
    codec = dialect_of(dialect).chat
    pieces = codec.encode_stream(HELLO, CALL, META)
    decoder = codec.stream_decoder({"x-request-id": "r", "request-id": "r"})
    for piece in pieces[:-1]:
        decoder.feed(piece)
    with pytest.raises(errors.StreamInterruptedError) as caught:
        decoder.close()
    error = caught.value
    assert (error.kind, error.partial_text, error.visible) == ("truncated", "Hello big world", True)
    assert (error.partial_usage, error.request_id) == (Usage(3, 4), "r")
    assert str(error) == "the stream ended without its terminator"


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
@pytest.mark.parametrize("at_once", [True, False], ids=["in-one-piece", "piece-by-piece"])
def test_an_error_event_is_told_after_what_came_before(dialect, at_once):
    """Events before the error are delivered whatever the boundaries; the cause is typed, with status 200."""
    codec = dialect_of(dialect).chat
    pieces = codec.encode_stream(HELLO, CALL, META)[:4]
    pieces.append(codec.encode_stream_error(errors.OverloadedError("Overloaded", code="overloaded_error"), META))
    decoder = codec.stream_decoder()
    events = []
    with pytest.raises(errors.StreamInterruptedError) as caught:  # noqa: PT012 - whichever feed it is, it raises
        for piece in [b"".join(pieces)] if at_once else pieces:
            events += decoder.feed(piece)
        decoder.close()
    text = "".join(event.text for event in events if event.kind == "text")
    assert text
    error = caught.value
    assert (error.kind, error.partial_text, error.code, error.message) == (
        "error",
        text,
        "overloaded_error",
        "Overloaded",
    )
    assert type(error.__cause__) is errors.OverloadedError
    assert error.__cause__.status == 200
    with pytest.raises(errors.StreamInterruptedError):
        decoder.feed(b"more")


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
@pytest.mark.parametrize("data", [b"{broken", b"[1]", b"NaN"])
def test_an_unreadable_event_is_malformed(dialect, data):
    """Bad JSON inside a stream is an interruption, not an exception of Python."""
    decoder = dialect_of(dialect).chat.stream_decoder()
    with pytest.raises(errors.StreamInterruptedError) as caught:
        decoder.feed(b"event: x\ndata: " + data + b"\n\n")
    assert (caught.value.kind, caught.value.visible) == ("malformed", False)


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_a_body_that_is_no_stream_is_invalid(dialect):
    """JSON or a page where a stream should be is told apart from a stream that broke."""
    decoder = dialect_of(dialect).chat.stream_decoder()
    decoder.feed(b'{"id": "whole answer"}')
    with pytest.raises(errors.InvalidResponseError) as caught:
        decoder.close()
    assert str(caught.value) == 'expected a stream, got: {"id": "whole answer"}'


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_what_follows_the_terminator_is_ignored(dialect):
    """After the terminator nothing counts, not even nonsense."""
    codec = dialect_of(dialect).chat
    decoder = codec.stream_decoder()
    for piece in codec.encode_stream(HELLO, CALL, META):
        decoder.feed(piece)
    assert decoder.done
    assert decoder.feed(b"data: {broken\n\n") == []
    assert decoder.close()[-1].response.content == "Hello big world"


@pytest.mark.parametrize(
    ("dialect", "body", "expected"),
    [
        ("openai", b"{", errors.InvalidResponseError),
        ("openai", b"[]", errors.InvalidResponseError),
        ("openai", b"{}", errors.EmptyResponseError),
        ("openai", b'{"choices": []}', errors.EmptyResponseError),
        ("openai", b'{"choices": [5]}', errors.InvalidResponseError),
        ("openai", openai_error("Provider returned error", None, 429), errors.RateLimitedError),
        ("openai", openai_error("down", None, 502), errors.ServerError),
        ("anthropic", b"<html>", errors.InvalidResponseError),
        ("anthropic", b"{}", errors.InvalidResponseError),
        ("anthropic", anthropic_error("Overloaded", "overloaded_error"), errors.OverloadedError),
    ],
)
def test_a_success_that_is_none_is_an_error(dialect, body, expected):
    """A body that cannot be read, holds nothing, or holds an error in spite of status 200."""
    with pytest.raises(errors.ProviderError) as caught:
        dialect_of(dialect).chat.decode_answer(body, {})
    assert type(caught.value) is expected
    assert caught.value.status == 200
