"""`assert_sequence`: which attempts were made, in which order, and how each ended."""

from __future__ import annotations

from collections.abc import Sequence

from llmtest.errors import ConfigurationError
from llmtest.events import Trace
from llmtest.testing._failure import did_you_mean, failure, side_by_side
from llmtest.testing._history import Seen, attempts_of
from llmtest.testing._step import Step, Unordered, parse_steps

__all__ = ["check_sequence"]


def check_sequence(trace: Trace, steps: Sequence[str | Unordered], *, exact: bool = True) -> None:
    """Raise AssertionError unless the attempts of the trace are the expected ones, in order."""
    __tracebackhide__ = True
    groups = parse_steps(steps)
    if not groups and not exact:
        raise ConfigurationError(
            "assert_sequence: without steps and with exact=False it would accept anything.\n"
            "To fix: assert_sequence(), which asserts that nothing was asked; or name the steps."
        )
    attempts = attempts_of(trace)
    if exact:
        _check_exact(trace, groups, attempts)
    else:
        _check_subsequence(trace, groups, attempts)


def _check_exact(trace: Trace, groups: list[list[Step]], attempts: list[Seen]) -> None:
    __tracebackhide__ = True
    position = 0
    for group in groups:
        window = attempts[position : position + len(group)]
        unmatched = _unmatched(group, window)
        if unmatched is not None:
            raise _differs(trace, groups, attempts, position + (0 if len(group) > 1 else unmatched))
        position += len(group)
    if position < len(attempts):
        raise _differs(trace, groups, attempts, position)


def _check_subsequence(trace: Trace, groups: list[list[Step]], attempts: list[Seen]) -> None:
    __tracebackhide__ = True
    position = 0
    for group in groups:
        ends = (end for end in range(position + len(group), len(attempts) + 1))
        end = next((end for end in ends if _unmatched(group, attempts[position:end]) is None), None)
        if end is None:
            wanted = ", ".join(f"`{step}`" for step in group)
            after = f" after attempt {position}" if position else ""
            raise failure(
                f"assert_sequence: no attempt{after} was {wanted}." + _hint(group, attempts),
                trace,
                facts=side_by_side(_expected_lines(groups), [attempt.step for attempt in attempts], None),
            )
        position = end


def _unmatched(group: list[Step], window: Sequence[Seen]) -> int | None:
    """Return the index of a step that no attempt of the window is left for; None where all found one (bipartite)."""
    taken: dict[int, int] = {}

    def place(step: int, tried: set[int]) -> bool:
        for index, attempt in enumerate(window):
            if index in tried or not group[step].matches(attempt):
                continue
            tried.add(index)
            if index not in taken or place(taken[index], tried):
                taken[index] = step
                return True
        return False

    return next((step for step in range(len(group)) if not place(step, set())), None)


def _differs(trace: Trace, groups: list[list[Step]], attempts: list[Seen], row: int) -> AssertionError:
    expected = _expected_lines(groups)
    wanted = expected[row] if row < len(expected) else None
    actual = attempts[row].step if row < len(attempts) else None
    if wanted is None:
        headline = f"assert_sequence: {_counts(expected, attempts)}; `{actual}` is one too many."
    elif actual is None:
        headline = f"assert_sequence: {_counts(expected, attempts)}; `{wanted}` is missing."
    else:
        headline = f"assert_sequence: attempt {row + 1} was `{actual}`, expected `{wanted}`."
    flat = [step for group in groups for step in group]
    return failure(
        headline + _hint(flat, attempts),
        trace,
        facts=side_by_side(expected, [attempt.step for attempt in attempts], row),
        fix=None if actual is None or wanted is None else "`exact=False` lets other attempts come between.",
    )


def _counts(expected: Sequence[str], attempts: Sequence[Seen]) -> str:
    wanted = "1 attempt was" if len(expected) == 1 else f"{len(expected)} attempts were"
    made = "1 was" if len(attempts) == 1 else f"{len(attempts)} were"
    return f"{wanted} expected and {made} made"


def _expected_lines(groups: list[list[Step]]) -> list[str]:
    return [f"{step} (any order)" if len(group) > 1 else str(step) for group in groups for step in group]


def _hint(steps: Sequence[Step], attempts: Sequence[Seen]) -> str:
    """Point at a provider or model that never occurred and is spelt like one that did."""
    known = {attempt.provider for attempt in attempts} | {attempt.target for attempt in attempts}
    for step in steps:
        if step.target not in known and (near := did_you_mean(step.target, known)):
            return f"{near}"
    return ""
