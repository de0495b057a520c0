"""A recorded session answers: which request gets what, what of it is billed, and what is said where there is nothing.

Steps go first, then what `when` says by default, then the recording, then what the provider says by default.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from llmtest.costs import partial_usage
from llmtest.errors import HarnessError, ProviderError, UnscriptedRequestError
from llmtest.faults import Fault
from llmtest.simulation._fault_effects import lay_on
from llmtest.simulation._script_texts import unscripted
from llmtest.simulation._service_steps import send_raw
from llmtest.simulation.script._recording import Recorded
from llmtest.simulation.script._reply import lets_answer_begin
from llmtest.types import CompletionResponse, FinishReason
from llmtest.wire import WireFormatError

if TYPE_CHECKING:
    from llmtest.simulation._engine import Engine
    from llmtest.simulation.plan._answer import Answer
    from llmtest.simulation.plan._plan import Exchange
    from llmtest.simulation.script._script import Rule, Step
    from llmtest.simulation.script._service_answers import Raw
    from llmtest.wire import Endpoint, WireCall

__all__ = ["no_step", "plays", "read_recorded", "send_as_it_is"]

EVENT_ENDS = {"sse": re.compile(rb"(?<=\n\n)|(?<=\r\n\r\n)"), "ndjson": re.compile(rb"(?<=\n)")}
"""Where one event ends and the next begins, by framing; elsewhere a piece is what came in one."""


def plays(
    engine: Engine,
    rule: Rule | None,
    step: Step | None,
    call: WireCall,
    exchange: Exchange | None,
    answer: Answer,
    key: tuple[object, ...],
) -> bool:
    """Answer a request from a recording, if one has it and nothing goes before it; tell whether that is so.

    A fault among the steps that breaks an answer breaks the recorded one.
    """
    fault = None if step is None else step.content
    if exchange is None or (step is not None and not (isinstance(fault, Fault) and lets_answer_begin(fault))):
        return False
    if rule is not None and rule.default is not None and rule is not engine.script.base:
        return False
    if isinstance(fault, Fault):
        lay_on(fault, answer, engine)
    with engine.world.lock:
        for played in engine.script.recordings:
            struck = played.faults.get(played.asked + 1)
            if struck is not None and not lets_answer_begin(struck):
                played.asked += 1
                lay_on(struck, answer, engine)
                return True
            found = played.recording.play(exchange)
            if found is not None:
                played.asked += 1
                if struck is not None:
                    lay_on(struck, answer, engine)
                break
        else:
            return False
    _send(engine, found, call, answer, key)
    return True


def send_as_it_is(engine: Engine, raw: Raw, call: WireCall, answer: Answer, key: tuple[object, ...]) -> None:
    """Answer with bytes as they are; what was recorded is billed, and comes at its pace under the faults over it."""
    if isinstance(raw, Recorded):
        _send(engine, raw, call, answer, key)
    else:
        send_raw(engine, raw, answer, key)


def _send(engine: Engine, recorded: Recorded, call: WireCall, answer: Answer, key: tuple[object, ...]) -> None:
    if recorded.has_pace:
        answer.raw, answer.head_ns = recorded, recorded.head_ns
    else:
        send_raw(engine, recorded, answer, key)
    answer.headers = ()
    answer.is_flawed = answer.is_flawed or not recorded.is_complete
    is_stream, endpoint = answer.stream and recorded.status < 400, call.endpoint
    answer.stream = is_stream
    read_recorded(engine, recorded, endpoint, answer)
    pieces = recorded.pieces
    if not is_stream:
        answer.head_ns += pieces[-1][0] if pieces else 0
        return
    if answer.edits or answer.slow_ns or answer.stream_fault is not None or answer.body_fault is not None:
        pieces = _events(recorded, endpoint)
    answer.pieces = tuple(piece for _, piece in pieces)
    answer.due_ns = tuple(at_ns for at_ns, _ in pieces)


def read_recorded(engine: Engine, recorded: Recorded, endpoint: Endpoint, answer: Answer) -> None:
    """Note what a recorded answer says and bills; what cannot be read says nothing, and nobody knows what it bills."""
    try:
        _read(engine, recorded, endpoint, answer)
    except (ProviderError, WireFormatError):
        answer.response = None


def _read(engine: Engine, recorded: Recorded, endpoint: Endpoint, answer: Answer) -> None:
    headers, body = dict(recorded.lines), recorded.data
    response: Any = None
    if recorded.status >= 400:
        now = engine.world.clock.now()
        answer.recorded_error = endpoint.decode_error(recorded.status, headers, body, now=now)
    elif answer.stream and endpoint.has("stream_decoder"):
        decoder = endpoint.stream_decoder(headers)
        told = [*decoder.feed(body), *decoder.close()]
        response = next((event.response for event in told if event.response is not None), None)
        if isinstance(response, CompletionResponse) and response.usage.source == "unknown":
            # Few clients ask a stream for its usage; it was billed all the same, as one is that breaks.
            said = [event for event in told if event.response is None]
            usage = partial_usage(answer.prompt_tokens, said, most=answer.max_tokens)
            response = replace(response, usage=usage)
    elif not answer.stream and endpoint.has("decode_answer"):
        response = endpoint.decode_answer(body, headers)
    if isinstance(response, CompletionResponse):
        answer.response = replace(response, provider=engine.name)
    elif getattr(response, "usage", None) is not None:
        answer.response = CompletionResponse(
            finish_reason=FinishReason.STOP, usage=response.usage, model=answer.model, provider=engine.name
        )


def _events(recorded: Recorded, endpoint: Endpoint) -> tuple[tuple[int, bytes], ...]:
    """Return a recorded stream by its events, each when the last piece of it came."""
    ends = EVENT_ENDS.get(endpoint.framing.name)
    if ends is None:
        return recorded.pieces
    found: list[tuple[int, bytes]] = []
    come, until, sent = iter(recorded.pieces), 0, 0
    at_ns = 0
    for event in filter(None, ends.split(recorded.data)):
        sent += len(event)
        while until < sent:
            at_ns, piece = next(come)
            until += len(piece)
        found.append((at_ns, event))
    return tuple(found)


def no_step(engine: Engine, call: WireCall, exchange: Exchange | None, answer: Answer) -> HarnessError:
    """Note a request that neither the script nor a recording answers, and return the error of the test that it is."""
    engine.note(answer, "unscripted")
    recordings = engine.script.recordings
    if recordings and exchange is not None:
        missed = "\n\n".join(played.recording.missed for played in recordings)
        text = f"`{engine.name}` received a request that its script and its recording have no answer for.\n\n{missed}"
        return engine.world.record_harness_error(UnscriptedRequestError(text))
    error = unscripted(
        engine.script,
        provider=engine.name,
        method="direct" if exchange is None else exchange.method,
        path="call" if exchange is None else exchange.path,
        model=call.model,
        stream=call.stream,
        request_number=answer.number,
        fixture=engine.world.fixture,
        operation=None if answer.is_conversation else call.operation,
    )
    return engine.world.record_harness_error(error)
