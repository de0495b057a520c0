"""What a fault does to an answer: which of its stages it decides, and with which facts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmtest.events import FaultFired
from llmtest.faults import Fault, FaultRule, SlowFirstToken, StreamError, Timeout, WireEdit
from llmtest.simulation.plan._refusal import limits_of, refusal_of

if TYPE_CHECKING:
    from llmtest.simulation._engine import Engine
    from llmtest.simulation.plan._answer import Answer

__all__ = ["lay_on", "note_edits"]


def lay_on(fault: Fault, answer: Answer, engine: Engine, rule: FaultRule | None = None) -> None:
    """Let a fault strike an answer; in each stage the first one counts, and edits of the wire all do."""
    stage = fault.stage
    if isinstance(fault, WireEdit):
        answer.edits += ((fault, rule),)
        answer.is_flawed = True
    elif stage in {"body", "stream"}:
        if answer.body_fault is not None or answer.stream_fault is not None:
            return
        answer.is_flawed = True
        if stage == "body":
            answer.body_fault = fault
        else:
            answer.stream_fault = fault
            if isinstance(fault, StreamError):
                _refuse(fault, answer, engine)
    elif isinstance(fault, SlowFirstToken):
        if answer.slow_ns:
            return
        answer.slow_ns = round(fault.seconds * 1e9)
    elif isinstance(fault, Timeout) and fault.phase == "first_token" and answer.stream:
        answer.silent = answer.is_flawed = True
    else:
        _refuse(fault, answer, engine)
        answer.failure = fault.failure()
        answer.is_flawed = answer.is_flawed or answer.error is not None or answer.failure is not None
    answer.fault = fault.name if answer.fault is None else answer.fault
    answer.fault_headers += fault.header_changes(engine.world.clock.now())


def note_edits(answer: Answer, engine: Engine) -> None:
    """Count the rules whose edits were made when the answer was written; until then nobody knows."""
    trace, now = engine.world.trace, answer.start_ns
    for rule in answer.struck or ():
        rule.fired += 1
        trace.append(FaultFired(now, answer.call, rule.name, engine.name, answer.exchange))
    answer.struck = None


def _refuse(fault: Fault, answer: Answer, engine: Engine) -> None:
    """Answer with the error of a fault; of a `StreamError` note what it will tell, once the answer is written."""
    world, told = engine.world, fault
    now = world.clock.now()

    def window_of(model: str | None) -> int | None:
        return engine.window or world.prices.context_window(engine.name, model)

    if isinstance(fault, StreamError):
        told = fault.told
        error = answer.told_error = refusal_of(told, answer, now, window_of)
        if answer.stream:
            return
        answer.fault_headers += told.header_changes(now)
    else:
        error = answer.error = refusal_of(told, answer, now, window_of)
    if error is not None and answer.limits is None:
        answer.limits = limits_of(told, error, answer, now, engine.spoken)
