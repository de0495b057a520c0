"""Every fault, in the dialect of the provider it hits, over the wire and on the direct path."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
import trio

from llmtest import Simulation, errors, faults
from llmtest.clock import run_blocking
from llmtest.errors import ConfigurationError
from llmtest.simulation import Reply
from llmtest.types import CompletionRequest, Timeouts, Usage
from tests.simulation.sim_calls import Answered, exchange, make_world, post, texts_of

REFUSALS = [
    (faults.RateLimited(retry_after=30), 429, errors.RateLimitedError),
    (faults.QuotaExceeded(), 429, errors.QuotaExceededError),
    (faults.QuotaExceeded(status=402), 402, errors.QuotaExceededError),
    (faults.QuotaExceeded(status=429), 429, errors.QuotaExceededError),
    (faults.AuthenticationFailed(), 401, errors.AuthenticationError),
    (faults.PermissionDenied(), 403, errors.PermissionDeniedError),
    (faults.ModelNotFound(), 404, errors.ModelNotFoundError),
    (faults.ContextLengthExceeded(), 400, errors.ContextLengthExceededError),
    (faults.InvalidRequest(), 400, errors.InvalidRequestError),
    (faults.InvalidRequest(status=409), 409, errors.InvalidRequestError),
    (faults.InvalidRequest(status=422), 422, errors.InvalidRequestError),
    (faults.Timeout(phase="server"), 408, errors.ProviderTimeoutError),
    (faults.ContentFiltered(), 400, errors.ContentFilteredError),
    (faults.RequestTooLarge(), 413, errors.RequestTooLargeError),
    (faults.ServerError(), 500, errors.ServerError),
    (faults.ServerError(status=502), 502, errors.ServerError),
    (faults.Overloaded(), 503, errors.OverloadedError),
]
"""Fault, its usual status, and the error of our own layer."""


@dataclass(frozen=True)
class Manner:
    """How one dialect tells of faults: a new dialect adds one of these.

    Args:
        envelope: What the body of an error has inside `error`.
        event: How an error inside a stream begins.
        last: What a stream has in its last event, and nowhere before.
        statuses: Statuses of its own, by the fault.
    """

    envelope: frozenset[str]
    event: bytes
    last: bytes
    statuses: Mapping[faults.Fault, int] = field(default_factory=dict)


MANNERS = {
    "openai": Manner(frozenset({"message", "type", "param", "code"}), b'data: {"error":{', b"[DONE]"),
    "anthropic": Manner(
        frozenset({"message", "type"}),
        b"event: error\ndata: ",
        b"message_stop",
        {faults.QuotaExceeded(): 402, faults.Overloaded(): 529},
    ),
}
DIALECTS = list(MANNERS)
BY_DIALECT = [
    (dialect, fault, manner.statuses.get(fault, status), kind)
    for dialect, manner in MANNERS.items()
    for fault, status, kind in REFUSALS
]


def without_ids(message):
    """Return a message without what differs from request to request and from key to key."""
    return re.sub(r"req_\w+|provided: \S+", "", message)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("dialect", "fault", "status", "kind"), BY_DIALECT, ids=[f"{row[0]}-{row[1]}" for row in BY_DIALECT]
)
def test_a_refusal_is_answered_in_the_provider_s_dialect(dialect, fault, status, kind, stream):
    """Status and body are the provider's; our own layer reads the same class back on both paths."""
    world = make_world()
    handle = world.provider(dialect).fails(fault, times=2)
    answered = post(handle, stream=stream)
    assert answered.status == status
    assert answered.outcome == handle.requests[0].outcome == str(status)
    size = len(answered.body)
    said = f"HTTP 502 with a page of HTML titled `502 Bad Gateway` instead of an error; its {size} bytes are in `.body`"
    if status != 502:
        envelope = answered.json["error"]
        said = envelope["message"]
        assert set(envelope) == MANNERS[dialect].envelope
    provider = handle.as_provider("gpt-4o")
    with pytest.raises(kind) as caught:
        list(provider.stream(CompletionRequest.ask("hi"))) if stream else provider.complete(CompletionRequest.ask("hi"))
    error = caught.value
    assert (error.provider, error.model, error.status) == (dialect, "gpt-4o", status)
    assert without_ids(error.message) == without_ids(said.strip())
    assert handle.requests[1].outcome == str(status)
    assert handle.requests[1].usage is None


def test_the_facts_of_a_fault_reach_the_client():
    """Retry-After, tokens and messages are those the test wrote."""
    handle = make_world().provider("openai")
    handle.fails(faults.RateLimited(retry_after=1.5)).fails(faults.ServerError(503, retry_after=4))
    handle.fails(faults.ContextLengthExceeded(requested_tokens=900, max_tokens=800))
    handle.fails(faults.InvalidRequest("no such thing", param="top_p")).fails(faults.Overloaded(retry_after=2))
    limited, server, long, invalid, busy = (post(handle) for _ in range(5))
    assert (limited.headers["retry-after"], limited.headers["retry-after-ms"]) == ("2", "1500")
    assert server.headers["retry-after"] == "4"
    assert (
        "maximum context length is 800 tokens. However, your messages resulted in 900" in long.json["error"]["message"]
    )
    assert (invalid.json["error"]["message"], invalid.json["error"]["param"]) == ("no such thing", "top_p")
    assert busy.headers["retry-after"] == "2"


@pytest.mark.parametrize(
    ("fault", "failure", "outcome"),
    [
        (faults.ConnectionRefused(), "connect_refused", "refused"),
        (faults.ConnectionReset(), "reset", "reset"),
        (faults.ConnectionClosed(), "closed", "reset"),
        (faults.Timeout(), "read_timeout", "timeout"),
        (faults.Timeout(phase="connect"), "connect_timeout", "timeout"),
        (faults.Timeout(phase="first_token"), "read_timeout", "timeout"),
    ],
    ids=str,
)
def test_a_connection_fails_before_any_answer(fault, failure, outcome):
    """The plan says how the connection fails; a prompt is billed where the provider had taken it on."""
    world = make_world()
    handle = world.provider("openai").fails(fault)
    answered = post(handle)
    assert (answered.failure, answered.outcome, answered.head, answered.body) == (failure, outcome, None, b"")
    assert handle.requests[0].outcome == outcome
    billed = Usage(5, 0, source="estimated") if failure == "read_timeout" else None
    assert handle.requests[0].usage == billed


def test_a_silent_stream_opens_and_says_nothing():
    """`Timeout(phase="first_token")` answers the head of a stream and then nothing."""
    answered = post(make_world().provider("openai").fails(faults.Timeout(phase="first_token")), stream=True)
    assert (answered.status, answered.pieces, answered.failure) == (200, [], "read_timeout")


def test_a_malformed_body_stops_in_the_middle_of_its_json():
    """A 200 of the right type whose JSON is cut; the request was taken on, so its prompt is billed."""
    handle = make_world().provider("openai").fails(faults.MalformedBody())
    answered = post(handle)
    assert (answered.status, answered.headers["content-type"], answered.outcome) == (
        200,
        "application/json",
        "malformed",
    )
    with pytest.raises(ValueError, match=r"Unterminated string|Expecting"):
        answered.json  # noqa: B018 - reading it is the act
    assert handle.requests[0].usage == Usage(5, 0, source="estimated")


def test_a_malformed_stream_cuts_its_first_visible_event():
    """In a stream the first visible event is the one that cannot be read."""
    answered = post(make_world().provider("openai").fails(faults.MalformedBody()), stream=True)
    assert answered.pieces[-1].endswith(b"\n\n")
    assert texts_of(answered) == []


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_gateway_page_comes_instead_of_an_answer(stream):
    """`WrongContentType` is a 200 with HTML, and nothing was generated."""
    handle = make_world().provider("openai").fails(faults.WrongContentType())
    answered = post(handle, stream=stream)
    assert (answered.status, answered.headers["content-type"]) == (200, "text/html")
    assert answered.body.startswith(b"<html>")
    assert handle.requests[0].usage is None


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_an_empty_response_has_a_head_and_no_body(stream):
    """`EmptyResponse` is a 200 with nothing in it."""
    answered = post(make_world().provider("openai").fails(faults.EmptyResponse()), stream=stream)
    assert (answered.status, answered.pieces, answered.failure) == (200, [], None)


def streamed(fault, dialect="openai", text="one two three four"):
    """Return a stream of four words that a fault breaks, with its handle."""
    handle = make_world().provider(dialect).replies(lambda request: fault).echoes()
    return Answered(handle._provider.receive(exchange(dialect, text, stream=True))), handle


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("fault", "failure", "outcome"),
    [
        (faults.StreamDropped(2), "incomplete", "dropped"),
        (faults.StreamTruncated(2), None, "truncated"),
        (faults.StreamStalled(2), "read_timeout", "stalled"),
        (faults.StreamError(2), None, "error"),
        (faults.StreamMalformed(2), None, "malformed"),
    ],
    ids=str,
)
def test_a_stream_breaks_after_so_many_visible_pieces(fault, failure, outcome, dialect):
    """The client sees exactly two pieces; what was delivered is billed, and no terminator came."""
    answered, handle = streamed(fault, dialect)
    assert texts_of(answered, dialect) == ["one", " two"]
    assert (answered.status, answered.failure, answered.outcome) == (200, failure, outcome)
    assert MANNERS[dialect].last not in answered.body
    record = handle.requests[0]
    assert record.outcome == outcome
    assert record.usage.input_tokens > 0
    assert 0 < record.usage.output_tokens < 5


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("fault", [faults.StreamDropped(0), faults.StreamTruncated(0), faults.StreamError(0)], ids=str)
def test_a_stream_may_break_before_its_first_visible_piece(fault, dialect):
    """With `after_chunks=0` the stream opens and shows nothing."""
    answered, _ = streamed(fault, dialect)
    assert answered.status == 200
    assert texts_of(answered, dialect) == []


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_stream_with_fewer_pieces_breaks_after_its_last(dialect):
    """A short answer is delivered whole, and its end is missing."""
    answered, _ = streamed(faults.StreamTruncated(99), dialect)
    assert texts_of(answered, dialect) == ["one", " two", " three", " four"]
    assert MANNERS[dialect].last not in answered.body


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_stream_error_is_an_event_of_the_dialect(dialect):
    """OpenAI's has a top-level `error`, Anthropic's is an event of that name."""
    assert streamed(faults.StreamError(1), dialect)[0].pieces[-1].startswith(MANNERS[dialect].event)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_whole_stream_has_its_last_event(dialect):
    """What tells a broken stream from a whole one is there where nothing breaks."""
    assert MANNERS[dialect].last in streamed("one two", dialect)[0].pieces[-1]


def test_a_stalled_stream_may_go_on():
    """With `seconds` the stream pauses, then ends as it should."""
    answered, handle = streamed(faults.StreamStalled(after_chunks=1, seconds=90))
    assert answered.waits == [90.0]
    assert (answered.outcome, handle.requests[0].outcome) == ("200", "200")
    assert answered.pieces[-1] == b"data: [DONE]\n\n"


@pytest.mark.parametrize(
    ("fault", "failure", "outcome"),
    [
        (faults.StreamDropped(2), "incomplete", "dropped"),
        (faults.StreamTruncated(2), None, "truncated"),
        (faults.StreamStalled(2), "read_timeout", "stalled"),
        (faults.StreamMalformed(2), None, "malformed"),
    ],
    ids=str,
)
def test_a_stream_fault_meets_a_whole_answer_half_way(fault, failure, outcome):
    """Without a stream the single body is what breaks."""
    answered = post(make_world().provider("openai").fails(fault))
    assert (answered.status, answered.failure, answered.outcome) == (200, failure, outcome)
    with pytest.raises(ValueError, match=r"Unterminated string|Expecting"):
        answered.json  # noqa: B018 - reading it is the act


def test_a_stream_error_without_a_stream_is_a_plain_error():
    """What would have been an event is the provider's status."""
    answered = post(make_world().provider("openai").fails(faults.StreamError(2)))
    assert (answered.status, answered.outcome) == (503, "503")


def test_a_stall_inside_a_whole_answer_may_go_on():
    """A pause in the single body delays its second half."""
    answered = post(make_world().provider("openai").fails(faults.StreamStalled(2, seconds=5)))
    assert (answered.waits, answered.outcome, answered.json["object"]) == ([5.0], "200", "chat.completion")


def test_a_slow_first_token_is_late_and_right():
    """The stream opens at once and speaks late; without a stream everything is late."""
    handle = make_world().provider("openai").fails(faults.SlowFirstToken(20), times=2).echoes()
    whole, stream = post(handle), post(handle, stream=True)
    assert (whole.waits, whole.outcome) == ([20.0], "200")
    assert (stream.waits, stream.outcome) == ([20.0], "200")
    assert [type(step).__name__ for step in stream.steps[:3]] == ["Head", "Chunk", "Wait"]


def test_a_broken_answer_has_text_to_break():
    """Without a default the text is filler, long enough for the fault."""
    answered = post(make_world().provider("openai").fails(faults.StreamTruncated(10)), stream=True)
    assert len(texts_of(answered)) == 10
    assert "".join(texts_of(answered)).startswith("This is filler text of a simulated answer")


BROKEN = [
    (faults.ConnectionRefused(), errors.ProviderConnectionError, {"kind": "refused"}, "refused"),
    (faults.ConnectionReset(), errors.ProviderConnectionError, {"kind": "reset"}, "reset"),
    (faults.ConnectionClosed(), errors.ProviderConnectionError, {"kind": "closed"}, "reset"),
    (faults.Timeout(), errors.ProviderTimeoutError, {"phase": "read", "timeout": 10}, "timeout"),
    (faults.Timeout("connect"), errors.ProviderTimeoutError, {"phase": "connect", "timeout": 3}, "timeout"),
    (faults.Timeout("server"), errors.ProviderTimeoutError, {"status": 408, "timeout": None}, "408"),
    (faults.MalformedBody(), errors.InvalidResponseError, {}, "malformed"),
    (faults.WrongContentType(), errors.InvalidResponseError, {}, "200"),
    (faults.EmptyResponse(), errors.InvalidResponseError, {}, "200"),
    (faults.StreamDropped(1), errors.ProviderConnectionError, {"kind": "closed"}, "dropped"),
    (faults.StreamTruncated(1), errors.InvalidResponseError, {}, "truncated"),
    (faults.StreamStalled(1), errors.ProviderTimeoutError, {"phase": "read"}, "stalled"),
    (faults.StreamError(1), errors.OverloadedError, {"status": 503}, "503"),
    (faults.StreamMalformed(1), errors.InvalidResponseError, {}, "malformed"),
]


@pytest.mark.parametrize(("fault", "kind", "facts", "outcome"), BROKEN, ids=[str(row[0]) for row in BROKEN])
def test_the_direct_path_raises_our_own_errors(fault, kind, facts, outcome):
    """Without HTTP each fault is the error that our layer would make of the wire."""
    handle = make_world().provider("openai").fails(fault)
    limits = Timeouts(connect=3, read=10)
    with pytest.raises(kind) as caught:
        handle.as_provider("gpt-4o").complete(CompletionRequest.ask("hi"), limits)
    error = caught.value
    assert {name: getattr(error, name) for name in facts} == facts
    assert (error.provider, error.model) == ("openai", "gpt-4o")
    assert handle.requests[0].outcome == outcome


STREAMS = [
    (faults.StreamDropped(2), errors.StreamInterruptedError, {"kind": "dropped", "visible": True}, "dropped"),
    (faults.StreamDropped(0), errors.ProviderConnectionError, {"kind": "closed"}, "dropped"),
    (faults.StreamTruncated(2), errors.StreamInterruptedError, {"kind": "truncated"}, "truncated"),
    (faults.StreamStalled(2), errors.StreamInterruptedError, {"kind": "stalled", "visible": True}, "stalled"),
    (faults.StreamStalled(0), errors.ProviderTimeoutError, {"phase": "first_token", "timeout": 5}, "stalled"),
    (faults.StreamError(2), errors.StreamInterruptedError, {"kind": "error"}, "error"),
    (faults.StreamMalformed(2), errors.StreamInterruptedError, {"kind": "malformed"}, "malformed"),
    (faults.MalformedBody(), errors.StreamInterruptedError, {"kind": "malformed"}, "malformed"),
    (faults.WrongContentType(), errors.InvalidResponseError, {}, "200"),
    (faults.EmptyResponse(), errors.StreamInterruptedError, {"kind": "truncated"}, "200"),
    (faults.Timeout("first_token"), errors.ProviderTimeoutError, {"phase": "first_token"}, "timeout"),
    (faults.ConnectionReset(), errors.ProviderConnectionError, {"kind": "reset"}, "reset"),
]


@pytest.mark.parametrize(("fault", "kind", "facts", "outcome"), STREAMS, ids=[str(row[0]) for row in STREAMS])
def test_a_direct_stream_breaks_like_one_on_the_wire(fault, kind, facts, outcome):
    """What had arrived is handed over first; then the error tells how the stream ended."""
    handle = make_world().provider("openai").fails(fault).echoes()
    seen = []
    provider = handle.as_provider("gpt-4o")
    stream = provider.stream(CompletionRequest.ask("one two three four"), Timeouts(first_token=5, read=10))
    with pytest.raises(kind) as caught:
        seen.extend(stream)
    error = caught.value
    assert {name: getattr(error, name) for name in facts} == facts
    assert (error.provider, error.model) == ("openai", "gpt-4o")
    assert handle.requests[0].outcome == outcome
    if isinstance(error, errors.StreamInterruptedError):
        assert error.partial_text == "".join(event.text for event in seen if event.kind == "text")


def test_a_fault_that_never_answers_needs_a_limit():
    """Without any limit the blocking call would hang for ever, which is the test's mistake."""
    world = make_world()
    provider = world.provider("openai").fails(faults.Timeout()).as_provider("gpt-4o")
    with pytest.raises(errors.VirtualTimeStalledError) as caught:
        provider.complete(CompletionRequest.ask("hi"))
    assert str(caught.value) == (
        "`openai` never answers request 1, and the caller set no limit.\n\n"
        "To fix: give the call a timeout; without one it would hang for ever."
    )
    assert world.harness_errors == [caught.value]


@pytest.mark.parametrize("limit", [5, None], ids=["limited", "unlimited"])
def test_a_fault_that_never_answers_is_waited_for_in_trio(limit):
    """Whoever waits for ever without asyncio is cancelled by trio's own limit, or reported by the virtual clock."""
    with Simulation(strict=False) as sim:
        provider = sim.openai.fails(faults.Timeout()).as_provider("gpt-4o")

        async def main():
            with trio.move_on_after(limit or float("inf")) as scope:
                await provider.complete_async(CompletionRequest.ask("hi"))
            return scope.cancelled_caught

        if limit is None:
            with pytest.raises(errors.VirtualTimeStalledError):
                trio.run(main)
            sim.world.harness_errors.clear()
        else:
            assert trio.run(main)
            assert sim.clock.elapsed() == limit


def test_faults_are_values_with_stable_texts():
    """Equal faults are equal, and their text is the id of a parametrised case."""
    assert faults.RateLimited(30) == faults.RateLimited(retry_after=30)
    assert len({faults.Overloaded(), faults.Overloaded()}) == 1
    assert faults.RateLimited().__name__ == "rate_limited"
    assert faults.RateLimited(retry_after=30).__name__ == "rate_limited(retry_after=30)"
    assert faults.StreamStalled(2, seconds=5).__name__ == "stream_stalled(after_chunks=2, seconds=5)"
    assert repr(faults.ServerError(503)) == "ServerError(status=503, retry_after=None)"


def test_every_fault_has_a_name_for_scenario_files():
    """The table of names holds each public fault once, in snake case."""
    named = (getattr(faults, name) for name in faults.__all__)
    kinds = (each for each in named if isinstance(each, type) and issubclass(each, faults.Fault))
    public = {kind.__name__ for kind in kinds} - {"Fault"}
    assert {kind.__name__ for kind in faults.FAULTS.values()} == public
    assert faults.FAULTS["stream_dropped"] is faults.StreamDropped
    assert faults.FAULTS["slow_first_token"](seconds=3).seconds == 3


@pytest.mark.parametrize(
    ("make", "text"),
    [
        pytest.param(
            lambda: faults.RateLimited(retry_after=-1),
            "RateLimited: retry_after must be seconds, 0 or more, got -1.\n\nTo fix: RateLimited(retry_after=30)",
            id="negative-wait",
        ),
        pytest.param(
            lambda: faults.ServerError(status=429),
            "ServerError: status must be from 500 to 599, got 429.\n\nTo fix: ServerError(status=503); for a 4xx use "
            "the fault of that name, such as RateLimited or InvalidRequest",
            id="not-a-server-error",
        ),
        pytest.param(
            lambda: faults.Timeout("write"),
            "Timeout: unknown phase 'write'. Known phases: connect, read, first_token, server.\n\n"
            'To fix: Timeout(phase="read")',
            id="unknown-phase",
        ),
        pytest.param(
            lambda: faults.InvalidRequest(status=500),
            "InvalidRequest: status must be 400, 409 or 422, got 500.\n\nTo fix: InvalidRequest(status=422), or the "
            "fault that has this status, such as ServerError(status=503)",
            id="not-a-wrong-request",
        ),
        pytest.param(
            lambda: faults.QuotaExceeded(status=400),
            "QuotaExceeded: status must be 402 or 429, got 400.\n\nTo fix: QuotaExceeded(status=429), or the fault "
            "that has this status, such as ServerError(status=503)",
            id="not-a-quota",
        ),
        pytest.param(
            lambda: faults.StreamDropped(-1),
            "StreamDropped: after_chunks must be a whole number, 0 or more, got -1.\n\n"
            "To fix: StreamDropped(after_chunks=2)",
            id="negative-chunks",
        ),
        pytest.param(
            lambda: faults.SlowFirstToken("soon"),
            "SlowFirstToken: seconds must be seconds, 0 or more, got 'soon'.\n\nTo fix: SlowFirstToken(seconds=20)",
            id="not-seconds",
        ),
        pytest.param(
            lambda: faults.ContextLengthExceeded(requested_tokens=0),
            "ContextLengthExceeded: requested_tokens must be a whole number, 1 or more, got 0.\n\n"
            "To fix: ContextLengthExceeded(requested_tokens=2)",
            id="no-tokens",
        ),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(make, text):
    """Each wrong argument has one clear error."""
    with pytest.raises(ConfigurationError) as caught:
        make()
    assert str(caught.value) == text


def test_a_fault_over_a_reply_keeps_the_reply_s_usage():
    """A stream that breaks bills its prompt and the part that was delivered."""
    world = make_world()
    handle = world.provider("openai").replies(Reply("one two three four"))
    from llmtest.faults import FaultRule

    world.add_fault_rule(FaultRule("cut", faults.StreamDropped(2)))
    answered = post(handle, stream=True)
    assert texts_of(answered) == ["one", " two"]
    assert world.costs.entries[0].usage == Usage(5, 2, source="estimated")


def test_run_blocking_is_what_the_direct_path_uses():
    """The same coroutine serves both worlds."""
    provider = make_world().provider("openai").replies("x").as_provider("gpt-4o")
    assert run_blocking(provider._complete(CompletionRequest.ask("hi"), Timeouts(), provider._blocking)).content == "x"
