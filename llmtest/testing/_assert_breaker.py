"""`assert_breaker`: the states a circuit went through, told by our layer or inferred from the provider's log."""

from __future__ import annotations

from collections.abc import Sequence

from llmtest.errors import AmbiguousCallError, ConfigurationError
from llmtest.events import AttemptEnded, BreakerChanged, Trace
from llmtest.testing._failure import did_you_mean, failure, side_by_side
from llmtest.testing._history import Seen, attempts_of, matches_target

__all__ = ["check_breaker", "states_of"]

STATES = ("closed", "open", "half_open")


def check_breaker(trace: Trace, provider: str, states: Sequence[str], *, exact: bool = True) -> None:
    """Raise AssertionError unless the circuit of `provider` went through `states`."""
    __tracebackhide__ = True
    for state in states:
        if state not in STATES:
            raise ConfigurationError(
                f"assert_breaker: a circuit has no state `{state}`.{did_you_mean(state, STATES)}\n"
                f"Its states are: {', '.join(STATES)}."
            )
    actual, source = states_of(trace, provider, "assert_breaker")
    if exact and list(states) == actual:
        return
    if not exact and _is_subsequence(states, actual):
        return
    wrong = next(
        (
            row
            for row in range(max(len(states), len(actual)))
            if row >= min(len(states), len(actual)) or states[row] != actual[row]
        ),
        None,
    )
    raise failure(
        f"assert_breaker: the circuit of `{provider}` went through {_arrows(actual)}, expected {_arrows(states)}.",
        trace,
        facts=[*side_by_side(list(states), actual, wrong if exact else None), f"({source})"],
    )


def states_of(trace: Trace, provider: str, assertion: str) -> tuple[list[str], str]:
    """Return the states a circuit went through, from `closed` on, and how they are known.

    Raises:
        AmbiguousCallError: The breaker is not ours and the calls are not marked, so nothing can be inferred.
    """
    __tracebackhide__ = True
    told = _told(trace, provider)
    if told is not None:
        return told, "told by the breaker's own events"
    return _inferred(trace, provider, assertion), "inferred from the provider's log"


def _told(trace: Trace, provider: str) -> list[str] | None:
    """Return the states from the events of our layer; None where the provider's calls are not our layer's."""
    changes = [change for change in trace.of(BreakerChanged) if change.provider == provider]
    if changes:
        return [changes[0].from_state, *(change.to_state for change in changes)]
    if any(ended.attempt.provider == provider for ended in trace.of(AttemptEnded)):
        return ["closed"]
    return None


def _inferred(trace: Trace, provider: str, assertion: str) -> list[str]:
    """Read a foreign breaker's states from who was asked in each marked call.

    A call that never asks the provider, after calls that did and failed, met an open circuit. The next call that asks
    it again is the probe of a half-open one; its outcome closes or opens the circuit.

    Raises:
        AmbiguousCallError: The calls are not marked, so that a call that skipped the provider cannot be seen.
    """
    __tracebackhide__ = True
    attempts = attempts_of(trace)
    if any(seen.call == 0 for seen in attempts) or len({seen.call for seen in attempts}) < 2:
        raise AmbiguousCallError(
            f"{assertion} cannot infer the circuit of `{provider}`: the code under test is not our own layer, and "
            "its calls are not marked.\n\n"
            "  An open circuit shows only as a call that does not ask the provider.\n\n"
            "To fix: mark each call of the code under test:\n"
            '  with llm_sim.call("summary"):\n'
            "      my_app.summarise(text)"
        )
    calls: dict[int, list[Seen]] = {}
    for seen in attempts:
        calls.setdefault(seen.call, []).append(seen)
    states, failed = ["closed"], False
    for members in calls.values():
        mine = [seen for seen in members if matches_target(seen, provider)]
        if not mine:
            if failed and states[-1] != "open":
                states.append("open")
            continue
        if states[-1] == "open":
            states.append("half_open")
        failed = not any(seen.answered for seen in mine)
        if states[-1] == "half_open" and not failed:
            states.append("closed")
    return states


def _is_subsequence(wanted: Sequence[str], actual: Sequence[str]) -> bool:
    rest = iter(actual)
    return all(state in rest for state in wanted)


def _arrows(states: Sequence[str]) -> str:
    return " -> ".join(states) or "nothing"
