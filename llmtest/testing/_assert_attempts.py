"""`assert_attempts`, `assert_retries`, `assert_max_in_flight`: how often, and how many at once."""

from __future__ import annotations

from collections.abc import Sequence

from llmtest.events import Trace
from llmtest.testing._argument_checks import check_counts, check_most
from llmtest.testing._failure import did_you_mean, failure
from llmtest.testing._history import Seen, answered_groups, attempts_of, calls_of, matches_target

__all__ = ["check_attempts", "check_max_in_flight", "check_retries", "retries_of"]


def check_attempts(
    trace: Trace,
    target: str,
    exactly: int | None = None,
    *,
    at_least: int | None = None,
    at_most: int | None = None,
) -> None:
    """Raise AssertionError unless `target` received the expected number of requests."""
    __tracebackhide__ = True
    check_counts("assert_attempts", exactly, at_least, at_most)
    attempts = attempts_of(trace)
    mine = [attempt for attempt in attempts if attempt.requested and matches_target(attempt, target)]
    if _within(len(mine), exactly, at_least, at_most):
        return
    known = {attempt.provider for attempt in attempts} | {attempt.target for attempt in attempts}
    hint = "" if mine else did_you_mean(target, known)
    expected = _bounds(exactly, at_least, at_most)
    raise failure(
        f"assert_attempts: `{target}` received {_requests(len(mine))}, expected {expected}.{hint}",
        trace,
        facts=[attempt.step for attempt in mine],
    )


def check_retries(
    trace: Trace,
    *,
    exactly: int | None = None,
    at_least: int | None = None,
    at_most: int | None = None,
) -> None:
    """Raise AssertionError unless each logical call (for `at_least`: some call) was retried as often as expected."""
    __tracebackhide__ = True
    check_counts("assert_retries", exactly, at_least, at_most)
    calls = calls_of(attempts_of(trace), "assert_retries")
    counts = [max(retries_of(group) for group in answered_groups(call)) for call in calls]
    highest = max(counts, default=0)
    wrong = next((index for index, count in enumerate(counts) if not _within(count, exactly, None, at_most)), None)
    if wrong is None and exactly is not None and not counts and exactly != 0:
        wrong = -1
    if wrong is None and (at_least is None or highest >= at_least):
        return
    if wrong is None or wrong == -1:
        wanted = at_least if exactly is None else exactly
        headline = f"assert_retries: no logical call was retried {_times(wanted or 0)}; the most was {highest}."
    else:
        first = calls[wrong][0]
        which = f"logical call {first.call}" if first.call else "the test's one implicit call"
        headline = (
            f"assert_retries: {which} was retried {_times(counts[wrong])}, "
            f"expected {_bounds(exactly, at_least, at_most)}."
        )
    facts = [
        f"{_times(count)}: " + " -> ".join(seen.step for seen in call)
        for count, call in zip(counts, calls, strict=True)
    ]
    raise failure(headline, trace, facts=facts)


def retries_of(group: Sequence[Seen]) -> int:
    """Return how many attempts went to a provider and model that had failed before in this group."""
    failed: set[tuple[str, str | None]] = set()
    retries = 0
    for attempt in group:
        key = (attempt.provider, attempt.model)
        if not attempt.requested:
            continue
        retries += key in failed
        if attempt.failed:
            failed.add(key)
    return retries


def check_max_in_flight(trace: Trace, provider: str, n: int) -> None:
    """Raise AssertionError if `provider` ever had more than `n` requests under way at once."""
    __tracebackhide__ = True
    check_most("assert_max_in_flight", n)
    mine = [attempt for attempt in attempts_of(trace) if attempt.requested and matches_target(attempt, provider)]
    changes = [(seen.began, 1, seen) for seen in mine]
    changes += [(seen.ended, -1, seen) for seen in mine if seen.ended is not None]
    under_way = most = 0
    peak: Seen | None = None
    for _, change, seen in sorted(changes, key=lambda entry: entry[0]):
        under_way += change
        if under_way > most:
            most, peak = under_way, seen
    if most > n and peak is not None:
        raise failure(
            f"assert_max_in_flight: `{provider}` had {most} requests under way at once, expected at most {n}.",
            trace,
            facts=[f"first at {peak.at_ns / 1e9:.3f} s"],
        )


def _within(count: int, exactly: int | None, at_least: int | None, at_most: int | None) -> bool:
    return (
        (exactly is None or count == exactly)
        and (at_least is None or count >= at_least)
        and (at_most is None or count <= at_most)
    )


def _bounds(exactly: int | None, at_least: int | None, at_most: int | None) -> str:
    words = [
        f"{word}{bound}"
        for word, bound in (("exactly ", exactly), ("at least ", at_least), ("at most ", at_most))
        if bound is not None
    ]
    return " and ".join(words)


def _requests(count: int) -> str:
    return f"{count} request" if count == 1 else f"{count} requests"


def _times(count: int) -> str:
    return f"{count} time" if count == 1 else f"{count} times"
