"""`half_open_herd`: everybody at once through a circuit that was to be tried."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from llmtest.conduct._evidence import RunEvidence
from llmtest.conduct._kind import FindingKind, Limits, Suspicion, Threshold
from llmtest.conduct._outcomes import is_circuit_error
from llmtest.events import (
    BreakerChanged,
    BreakerWatched,
    CallEnded,
    Event,
    RequestAnswered,
    RequestReceived,
)

__all__ = ["KIND", "HalfOpenProbes"]


class HalfOpenProbes:
    """Counts the calls under way at a provider while its circuit is half open, where our own circuit tells its states.

    Args:
        most: Calls that it is to let through at a time; None: unknown, nothing is judged.
        caller: Who makes the calls.
    """

    def __init__(self, most: int | None, caller: str) -> None:
        self._most = most
        self._caller = caller
        self.open: dict[str, set[int]] = {}
        """Requests under way by half-open circuit; empty nearly always."""
        self._told: set[str] = set()

    def changed(self, event: BreakerChanged) -> None:
        """Watch half-open circuits."""
        self._told.discard(event.provider)
        if event.to_state == "half_open":
            self.open[event.provider] = set()
        else:
            self.open.pop(event.provider, None)

    def asked(self, event: RequestReceived) -> Suspicion | None:
        """Count the first request of a call to a provider whose circuit is half open."""
        under_way = self.open[event.provider]
        under_way.add(event.exchange)
        most = self._most
        if most is None or len(under_way) <= most or event.provider in self._told:
            return None
        self._told.add(event.provider)
        text = f"the half-open circuit `{event.provider}` let more than {most} calls through at {event.at:.3f} s."
        return Suspicion(text, self._caller)

    def answered(self, event: RequestAnswered) -> None:
        """Note that a request is over."""
        self.open[event.provider].discard(event.exchange)


@dataclass(slots=True)
class _Circuit:
    """A circuit of somebody else, as far as it is known.

    Args:
        library: The library that tells of it; empty where the log alone does.
        is_half_open: Whether calls are let through to try.
        under_way: Calls that were let through and are not over.
        let_through: Their first requests, in order.
        has_failed: Whether its provider has failed since its last answer.
    """

    library: str = ""
    is_half_open: bool = False
    under_way: set[int] = field(default_factory=set)
    let_through: list[RequestReceived] = field(default_factory=list)
    has_failed: bool = False
    is_told: bool = False

    def end_trial(self) -> None:
        """Forget a trial."""
        self.is_half_open = self.is_told = False
        self.under_way.clear()
        self.let_through.clear()


def judge(run: RunEvidence, limits: Limits) -> Iterator[Suspicion]:
    """Look at circuits that are watched, and at the log of the only provider that marked calls ask.

    A circuit that turned calls away, as their errors say, and has seen no answer since, is half open when it lets the
    next ones through.
    """
    most = int(limits["calls"])
    watched: dict[str, _Circuit] = {}
    unwatched = _Circuit()
    only = _only_provider(run.events)
    senders = {event.call for event in run.events if isinstance(event, RequestReceived)}
    for event in run.events:
        if isinstance(event, BreakerWatched):
            watched[event.provider] = _Circuit(event.library, event.state == "half_open")
        elif isinstance(event, BreakerChanged) and event.provider in watched:
            watched[event.provider].end_trial()
            watched[event.provider].is_half_open = event.to_state == "half_open"
        elif isinstance(event, RequestReceived):
            for circuit, name in _of(watched, unwatched, only, event):
                yield from _asked(circuit, name, event, most, run)
        elif isinstance(event, RequestAnswered):
            for circuit, _ in _of(watched, unwatched, only, event):
                circuit.under_way.discard(event.exchange)
                circuit.has_failed = event.outcome != "200"
                if not circuit.library and not circuit.has_failed:
                    circuit.end_trial()
        elif isinstance(event, CallEnded) and unwatched.has_failed and _is_refused(event, senders):
            unwatched.end_trial()
            unwatched.is_half_open = True


def _of(
    watched: dict[str, _Circuit], unwatched: _Circuit, only: str | None, event: RequestReceived | RequestAnswered
) -> Iterator[tuple[_Circuit, str]]:
    """Return the circuits that a request has to pass."""
    names = [event.provider, f"{event.provider}/{event.model}"]
    found = [(watched[name], name) for name in names if name in watched]
    if not found and event.provider == only and event.call > 0 and not watched:
        found = [(unwatched, event.provider)]
    yield from found


def _asked(circuit: _Circuit, name: str, event: RequestReceived, most: int, run: RunEvidence) -> Iterator[Suspicion]:
    if not circuit.is_half_open or any(event.call == other.call != 0 for other in circuit.let_through):
        return
    if not circuit.library and circuit.let_through and not circuit.under_way:
        circuit.end_trial()  # The trial is over: a failed one has opened the circuit again, and more is not known.
        return
    circuit.under_way.add(event.exchange)
    circuit.let_through.append(event)
    if len(circuit.under_way) <= most or circuit.is_told:
        return
    circuit.is_told = True
    library = f" of {circuit.library}" if circuit.library else ""
    yield Suspicion(
        f"the half-open circuit `{name}`{library} let {len(circuit.under_way)} calls through at a time, at "
        f"{event.at:.3f} s, and {most} are enough to try.",
        circuit.library or run.caller,
        _lines(circuit.let_through, circuit.library),
    )


def _lines(let_through: Sequence[RequestReceived], library: str) -> tuple[str, ...]:
    source = f"{library} tells the state" if library else "calls were turned away before, and none has succeeded since"
    shown = [f"#{event.exchange} {event.provider} asked at {event.at:.3f} s" for event in let_through[:3]]
    more = [f"... and {len(let_through) - 3} more"] if len(let_through) > 3 else []
    return (source, *shown, *more)


def _only_provider(events: Sequence[Event]) -> str | None:
    """Return the provider that every request went to, none of them through our own layer; else None."""
    names = {event.provider for event in events if isinstance(event, RequestReceived)}
    return next(iter(names)) if len(names) == 1 else None


def _is_refused(event: CallEnded, senders: set[int]) -> bool:
    """Tell whether a marked call sent nothing, because its circuit was open: its error is that of one."""
    return event.call not in senders and is_circuit_error(event.outcome)


KIND = FindingKind(
    name="half_open_herd",
    rule="a half-open circuit let more than `calls` calls through at a time; our own layer's, more than it is set to",
    fix="let a half-open circuit try with one call at a time, and refuse the others until that one is answered",
    blames="the breaker's library, or the app",
    thresholds=(Threshold("calls", 5, "calls at a time that a half-open circuit of somebody else may let through", 1),),
    judge_run=judge,
)
