"""An `Answer` written in a dialect, as the steps of a `Plan`. Pure: no clock, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from llmtest.costs import partial_usage
from llmtest.errors import ProviderError
from llmtest.faults import (
    EmptyResponse,
    Fault,
    FaultRule,
    StreamDropped,
    StreamError,
    StreamMalformed,
    StreamStalled,
    WrongContentType,
)
from llmtest.simulation.plan._answer import Answer
from llmtest.simulation.plan._billing import events_in
from llmtest.simulation.plan._events import event_of
from llmtest.simulation.plan._plan import Chunk, CountedSteps, Failure, Head, ReadySteps, Step, Wait
from llmtest.simulation.plan._recorded_pace import as_recorded
from llmtest.simulation.plan._wire_edit import UnappliedEditError, edited_body, edited_events, kept_alive
from llmtest.simulation.script._recording import Recorded
from llmtest.simulation.script._reply import pieces_of
from llmtest.types import TextPart
from llmtest.wire import Endpoint, Headers, ResponseMeta, WireCall

__all__ = ["outcome_of", "plain", "render"]

GATEWAY_PAGE = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"
    b"<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n"
)
STREAM_OUTCOMES = {
    "stream_dropped": "dropped",
    "stream_truncated": "truncated",
    "stream_stalled": "stalled",
    "stream_error": "error",
    "stream_malformed": "malformed",
}
FAILURE_OUTCOMES = {
    "connect_refused": "refused",
    "connect_timeout": "timeout",
    "read_timeout": "timeout",
    "reset": "reset",
    "closed": "reset",
    "incomplete": "dropped",
}


def outcome_of(answer: Answer, status: int) -> str:
    """Return the word or status that an answer ends with when the client takes all of it."""
    if answer.failure is not None:
        return FAILURE_OUTCOMES[answer.failure]
    if answer.error is not None:
        return str(status)
    if answer.silent:
        return "timeout"
    sent = str(_status(answer))
    if answer.body_fault is not None:
        return "malformed" if answer.body_fault.name == "malformed_body" else sent
    cut = answer.stream_fault
    if cut is None or (isinstance(cut, StreamStalled) and cut.seconds is not None) or (answer.stream and _goes_on(cut)):
        is_cut_off = cut is None and isinstance(answer.raw, Recorded) and not answer.raw.is_complete
        return "dropped" if is_cut_off else sent
    return STREAM_OUTCOMES[cut.name]


def render(answer: Answer, call: WireCall, endpoint: Endpoint, meta: ResponseMeta) -> tuple[Iterable[Step], str]:
    """Return the steps of an answer that streams or breaks, and its outcome when all of them are performed."""
    if answer.failure is not None:
        return (Failure(answer.failure),), outcome_of(answer, 0)
    if isinstance(answer.stream_fault, StreamError) and not answer.stream and answer.error is None:
        answer.error = answer.told_error
    if answer.error is not None:
        status, headers, body = endpoint.encode_error(answer.error, meta)
        head = Head(status, _changed(headers, answer.fault_headers))
        steps: tuple[Step, ...] = (head, Chunk(body))
        return (Wait(answer.head_ns), *steps) if answer.head_ns else steps, str(status)
    outcome = outcome_of(answer, 200)
    if not answer.stream or answer.raw is not None:
        return _as_it_is(answer, call, endpoint, meta), outcome
    answer.taken = []
    if answer.cutter is not None:
        whole = _alive(answer, _streamed(answer, call, endpoint, meta), endpoint)
        return CountedSteps(answer.cutter.steps(whole), answer.taken), outcome
    if answer.is_plain and not (answer.head_ns or answer.slow_ns or answer.body_ns):
        head = Head(200, _headers(answer, endpoint, meta, stream=True))
        return ReadySteps(head, _pieces(answer, call, endpoint, meta), answer.taken), outcome
    return CountedSteps(_alive(answer, _streamed(answer, call, endpoint, meta), endpoint), answer.taken), outcome


def _as_it_is(answer: Answer, call: WireCall, endpoint: Endpoint, meta: ResponseMeta) -> Iterable[Step]:
    """Return the steps of an answer that is whole or recorded, and breaks or streams."""
    raw = answer.raw
    if not isinstance(raw, Recorded):
        return _alive(answer, _whole(answer, call, endpoint, meta), endpoint)
    write = _streamed if answer.stream else _whole
    steps = as_recorded(write(answer, call, endpoint, meta), answer.due_ns, is_complete=raw.is_complete)
    alive = _alive(answer, steps, endpoint)
    if not answer.stream:
        return alive
    answer.taken = []
    return CountedSteps(alive, answer.taken)


def _struck(answer: Answer) -> list[FaultRule]:
    """Return where rules are noted whose edits were made."""
    if answer.struck is None:
        answer.struck = []
    return answer.struck


def _refuse_edits_of_nothing(answer: Answer) -> None:
    """Refuse edits of an answer of which a fault leaves nothing; signs of life need none.

    Raises:
        UnappliedEditError: There is such an edit, and it is the script's own.
    """
    if answer.silent or isinstance(answer.body_fault, WrongContentType | EmptyResponse):
        for edit, rule in answer.edits:
            if rule is None and edit.keep_alive is None:
                raise UnappliedEditError(
                    edit,
                    f"the fault `{answer.fault}` leaves nothing of this answer to edit",
                    "leave one of the two out",
                )


def _alive(answer: Answer, steps: Sequence[Step], endpoint: Endpoint) -> Iterable[Step]:
    """Return steps with signs of life in their silences, where an edit asks for them."""
    if not answer.edits:
        return steps
    return kept_alive(steps, answer.edits, endpoint, _struck(answer), is_stream=answer.stream)


def _headers(answer: Answer, endpoint: Endpoint, meta: ResponseMeta, *, stream: bool) -> Headers:
    if isinstance(answer.raw, Recorded):
        return _changed(answer.raw.lines, answer.fault_headers)
    headers = endpoint.response_headers(meta, stream=stream)
    if not (answer.headers or answer.fault_headers):
        return headers
    return _changed(_changed(headers, answer.headers), answer.fault_headers)


def _changed(headers: Headers, changes: Sequence[tuple[str, str | None]]) -> Headers:
    """Return headers with others on top; of two changes of one name the last counts, and None takes it away."""
    if not changes:
        return headers
    last = dict(changes)
    kept = [pair for pair in headers if pair[0].lower() not in last]
    return (*kept, *((name, value) for name, value in last.items() if value is not None))


def _page_headers(headers: Headers) -> Headers:
    return (*(pair for pair in headers if pair[0].lower() != "content-type"), ("content-type", "text/html"))


def _cut_json(body: bytes) -> bytes:
    return body[: max(1, len(body) // 2)]


def _status(answer: Answer) -> int:
    return 200 if answer.raw is None else answer.raw.status


def _body(answer: Answer, call: WireCall, endpoint: Endpoint, meta: ResponseMeta) -> bytes:
    """Return the body of a whole answer."""
    if answer.raw is not None:
        return answer.raw.data
    return endpoint.encode_answer(answer.response if answer.is_conversation else answer.content, call, meta)


def plain(answer: Answer, call: WireCall, endpoint: Endpoint, meta: ResponseMeta) -> tuple[Step, ...]:
    """Return the steps of a whole answer in which nothing is wrong."""
    wait = answer.head_ns + answer.slow_ns + answer.body_ns
    head = Head(_status(answer), _headers(answer, endpoint, meta, stream=False))
    chunk = Chunk(_body(answer, call, endpoint, meta))
    return (Wait(wait), head, chunk) if wait else (head, chunk)


def _whole(answer: Answer, call: WireCall, endpoint: Endpoint, meta: ResponseMeta) -> Sequence[Step]:
    """Return the steps of an answer that breaks in some way."""
    if answer.events is not None:
        raise UnappliedEditError(
            None,
            "Reply(events=...) is a stream, and this request asked for a whole answer",
            "Reply(text) for it, or ask for a stream",
        )
    wait = answer.head_ns + answer.slow_ns + answer.body_ns
    headers = _headers(answer, endpoint, meta, stream=False)
    opening: list[Step] = [Wait(wait)] if wait else []
    body_fault, cut = answer.body_fault, answer.stream_fault
    _refuse_edits_of_nothing(answer)
    if isinstance(body_fault, WrongContentType):
        return [*opening, Head(200, _page_headers(headers)), Chunk(GATEWAY_PAGE)]
    opening.append(Head(_status(answer), headers))
    if isinstance(body_fault, EmptyResponse):
        return opening
    body = _body(answer, call, endpoint, meta)
    if answer.edits:
        body = edited_body(body, answer.edits, _struck(answer))
    if body_fault is None and cut is None:
        return [*opening, Chunk(body)]
    half = _cut_json(body)
    opening.append(Chunk(half))
    if body_fault is None and isinstance(cut, StreamStalled) and cut.seconds is not None:
        opening += [Wait(round(cut.seconds * 1e9)), Chunk(body[len(half) :])]
    elif body_fault is None and isinstance(cut, StreamStalled):
        opening.append(Failure("read_timeout"))
    elif body_fault is None and isinstance(cut, StreamDropped):
        opening.append(Failure("incomplete"))
    return opening


def _pieces(answer: Answer, call: WireCall, endpoint: Endpoint, meta: ResponseMeta) -> list[bytes]:
    """Return the events of a stream in which nothing is wrong but what edits make of it."""
    if answer.pieces is not None and answer.raw is not None and answer.edits:
        return edited_events(list(answer.pieces), answer.edits, endpoint, _struck(answer))
    if answer.pieces is not None:
        return list(answer.pieces)
    assert answer.response is not None
    if answer.events is not None:
        # What the API writes itself shows whether its events have names.
        is_named = _encoded(answer, call, endpoint, meta)[0].startswith(b"event:")
        events = [event_of(each, endpoint.framing, is_named=is_named) for each in answer.events]
        if answer.response.usage.source == "unknown":
            told = events_in(events, endpoint)
            answer.response = replace(answer.response, usage=partial_usage(answer.prompt_tokens, told))
    else:
        events = _encoded(answer, call, endpoint, meta)
    if answer.edits:
        return edited_events(events, answer.edits, endpoint, _struck(answer))
    return events


def _encoded(answer: Answer, call: WireCall, endpoint: Endpoint, meta: ResponseMeta) -> list[bytes]:
    assert answer.response is not None
    chunks = answer.chunks
    if chunks is None:
        text = "".join(part.text for part in answer.response.parts if isinstance(part, TextPart))
        chunks = tuple(pieces_of(text))
    return endpoint.encode_stream(answer.response, call, meta, chunks)


def _streamed(answer: Answer, call: WireCall, endpoint: Endpoint, meta: ResponseMeta) -> list[Step]:
    """Return the steps of a stream that takes its time, or breaks in some way."""
    headers = _headers(answer, endpoint, meta, stream=True)
    steps: list[Step] = [Wait(answer.head_ns)] if answer.head_ns else []
    _refuse_edits_of_nothing(answer)
    if isinstance(answer.body_fault, WrongContentType):
        return [*steps, Head(200, _page_headers(headers)), Chunk(GATEWAY_PAGE)]
    steps.append(Head(200, headers))
    if isinstance(answer.body_fault, EmptyResponse):
        return steps
    if answer.silent:
        return [*steps, Failure("read_timeout")]
    pieces = _pieces(answer, call, endpoint, meta)
    if not (answer.slow_ns or answer.body_ns or answer.body_fault or answer.stream_fault):
        return [*steps, *map(Chunk, pieces)]
    return steps + _timed(answer, pieces, endpoint, meta)


def _visibility(pieces: Sequence[bytes], endpoint: Endpoint) -> list[bool]:
    """Tell which events carry something that the client gets to see."""
    decoder = endpoint.stream_decoder()
    shown: list[bool] = []
    for piece in pieces:
        try:
            shown.append(any(event.visible for event in decoder.feed(piece)))
        except ProviderError:
            break  # Only what a test wrote itself cannot be read; nobody sees anything of it or after it.
    return [*shown, *[False] * (len(pieces) - len(shown))]


def _timed(answer: Answer, pieces: Sequence[bytes], endpoint: Endpoint, meta: ResponseMeta) -> list[Step]:
    """Put waits between the events, and break the stream where a fault says so."""
    is_served = answer.pieces is not None and answer.raw is None
    shown = [True] * len(pieces) if is_served else _visibility(pieces, endpoint)
    total = sum(shown)
    cut = answer.stream_fault
    after = 0 if answer.body_fault is not None else total if cut is None else getattr(cut, "after_chunks", total)
    broken = answer.body_fault is not None or cut is not None
    steps: list[Step] = []
    # One silence is one wait, however many causes it has: a client's limit on silence must see it whole.
    seen, spent, silence = 0, 0, 0 if total else answer.slow_ns
    last = max((index for index, each in enumerate(shown) if each), default=-1)
    for index, (piece, visible) in enumerate(zip(pieces, shown, strict=True)):
        if broken and seen >= min(after, total) and (visible or index > last):
            fault = answer.body_fault or cut
            assert fault is not None
            meta.events_sent = index
            ending = _break(fault, piece, answer, endpoint, meta)
            if ending is not None:
                return steps + ending
            if isinstance(fault, StreamStalled):
                silence += round((fault.seconds or 0) * 1e9)
            else:
                piece = endpoint.framing.cut_short(piece)  # noqa: PLW2901 - it takes the place of the event
            broken = False
        due = spent
        if visible:
            silence += answer.slow_ns if seen == 0 else 0
            due = answer.body_ns * seen // total
            seen += 1
        elif index == last + 1:
            due = answer.body_ns
        silence += due - spent
        spent = due
        if silence:
            steps.append(Wait(silence))
            silence = 0
        steps.append(Chunk(piece))
    return steps


def _goes_on(fault: Fault) -> bool:
    """Tell whether a malformed event is not the last one."""
    return isinstance(fault, StreamMalformed) and fault.continues


def _break(fault: Fault, piece: bytes, answer: Answer, endpoint: Endpoint, meta: ResponseMeta) -> list[Step] | None:
    """Return how the stream ends here; None where it goes on afterwards."""
    if _goes_on(fault):
        return None
    if isinstance(fault, StreamStalled):
        return None if fault.seconds is not None else [Failure("read_timeout")]
    if isinstance(fault, StreamDropped):
        return [Failure("incomplete")]
    if fault.name == "stream_truncated":
        return []
    if isinstance(fault, StreamError):
        assert answer.told_error is not None
        return [Chunk(endpoint.encode_stream_error(answer.told_error, meta))]
    return [Chunk(endpoint.framing.cut_short(piece))]
