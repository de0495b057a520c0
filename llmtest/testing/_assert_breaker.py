"""`assert_breaker`: the states a circuit went through, told by a breaker or inferred from marked calls."""

from __future__ import annotations

from collections.abc import Sequence

from llmtest.errors import AmbiguousCallError, ConfigurationError
from llmtest.events import AttemptEnded, BreakerChanged, BreakerWatched, Trace
from llmtest.testing._failure import did_you_mean, failure, side_by_side
from llmtest.testing._history import attempts_of
from llmtest.testing._inferred_circuit import Undecided, circuit_of, marked_calls

__all__ = ["check_breaker", "states_of"]

STATES = ("closed", "open", "half_open", "isolated")


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
        AmbiguousCallError: The breaker is not ours, and what the calls show does not decide.
    """
    __tracebackhide__ = True
    told = _told(trace, provider)
    if told is not None:
        return told, "told by the breaker's own events"
    return _inferred(trace, provider, assertion), "inferred from marked calls and the provider's log"


def _told(trace: Trace, provider: str) -> list[str] | None:
    """Return the states from the events of a breaker; None where none tells of this provider."""
    found = [event.state for event in trace.of(BreakerWatched) if event.provider == provider][:1]
    changes = [change for change in trace.of(BreakerChanged) if change.provider == provider]
    if found and changes and [found[0], *(each.to_state for each in changes[:-1])] != [c.from_state for c in changes]:
        raise AmbiguousCallError(
            f"assert_breaker: two circuits tell of themselves as `{provider}`, and their states are mixed.\n"
            "To fix: give the one that you watch a name of its own, and assert that:\n"
            f'  llm_sim.watch_breaker(breaker, provider="{provider}/mine")\n'
            f'  llm_sim.assert_breaker("{provider}/mine", ...)'
        )
    if changes:
        return [changes[0].from_state, *(change.to_state for change in changes)]
    if found:
        return [*found]
    if any(ended.attempt.provider == provider for ended in trace.of(AttemptEnded)):
        return ["closed"]
    return None


def _inferred(trace: Trace, provider: str, assertion: str) -> list[str]:
    """Read a foreign breaker's states from marked calls, with a request and without.

    Raises:
        AmbiguousCallError: The calls are not marked, or what happened has another explanation as well.
    """
    __tracebackhide__ = True
    attempts = attempts_of(trace)
    calls = marked_calls(trace, attempts)
    watch = f'llm_sim.watch_breaker(breaker, provider="{provider}")'
    if any(seen.call == 0 for seen in attempts) or len(calls) < 2:
        raise AmbiguousCallError(
            f"{assertion} cannot infer the circuit of `{provider}`: the code under test is not our own layer, and "
            "its calls are not marked.\n\n"
            "  An open circuit shows only as a call that does not ask the provider.\n\n"
            "To fix, one of:\n"
            f"  1. watch the breaker, where it is one of those that can be: {watch}\n"
            "  2. mark each call of the code under test, those that send nothing as well:\n"
            '     with llm_sim.call("summary"):\n'
            "         my_app.summarise(text)"
        )
    try:
        return circuit_of(calls, provider)
    except Undecided as undecided:
        raise AmbiguousCallError(
            f"{assertion} cannot tell what the circuit of `{provider}` did.\n\n"
            f"  {undecided}\n\n"
            f"To fix: watch the breaker itself: {watch}\n"
            "Where there is none that can be watched, assert what the provider saw, with `assert_sequence`."
        ) from None


def _is_subsequence(wanted: Sequence[str], actual: Sequence[str]) -> bool:
    rest = iter(actual)
    return all(state in rest for state in wanted)


def _arrows(states: Sequence[str]) -> str:
    return " -> ".join(states) or "nothing"
