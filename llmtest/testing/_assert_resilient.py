"""`assert_resilient`: the verdict on how the code under test treated its providers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from llmtest.conduct import FINDINGS, Finding, Verdict, as_thresholds, judge_conduct, request_log
from llmtest.errors import ConfigurationError
from llmtest.events import Trace
from llmtest.testing._assert_resources import usd
from llmtest.testing._failure import did_you_mean, failure
from llmtest.testing._unmarked import Grouping, ambiguous_call, group_unmarked, with_marks

if TYPE_CHECKING:
    from llmtest.simulation import World

__all__ = ["check_resilient"]

HOW_TO_TELL = (
    "Say what the caller got, and it is judged:",
    '  with llm_sim.call("summary") as call:',
    "      call.returned(my_app.summarise(text))",
)


def check_resilient(
    trace: Trace,
    world: World,
    ignore: Collection[str],
    *,
    budget: str | Decimal | None = None,
    thresholds: Mapping[str, float] | None = None,
) -> Verdict:
    """Raise AssertionError if the verdict on the trace has a finding that is not ignored; return the verdict.

    Raises:
        AmbiguousCallError: Which requests belong to one call cannot be told, and the verdict turns on it.
        ConfigurationError: `ignore` or `thresholds` name nothing, or a value makes no sense.
    """
    __tracebackhide__ = True
    ignored = [ignore] if isinstance(ignore, str) else list(ignore)
    for name in ignored:
        if name not in FINDINGS:
            raise ConfigurationError(
                f"assert_resilient: there is no finding `{name}` to ignore.{did_you_mean(name, FINDINGS)}\n"
                f"Findings: {', '.join(FINDINGS)}."
            )
    limits = as_thresholds(thresholds or {}, "assert_resilient")
    allowed = usd(budget, "budget")

    def judged(grouping: Grouping) -> Verdict:
        history = with_marks(events, grouping.groups)
        return judge_conduct(history, world, ignore=ignored, thresholds=limits, budget=allowed)

    events = list(trace)
    grouping = group_unmarked(events, request_log(events, world))
    verdict = judged(grouping)
    if grouping.doubts and judged(grouping.joined()).findings.keys() - verdict.findings.keys():
        raise ambiguous_call("assert_resilient", grouping.doubts[0])
    if verdict.findings:
        raise _failure(verdict, trace)
    return verdict


def _failure(verdict: Verdict, trace: Trace) -> AssertionError:
    found = verdict.findings
    noun = "finding" if len(found) == 1 else "findings"
    first = next(name for name in FINDINGS if name in found)
    return failure(
        f"assert_resilient: {len(found)} {noun}.",
        trace,
        facts=[*_told(found), *undecided_note(verdict)],
        fix=f'what is found, or accept it: llm_sim.assert_resilient(ignore=["{first}"])',
    )


def _told(found: Mapping[str, Finding]) -> list[str]:
    """Return the lines of findings: what was done and by whom, what it rests on, what to do."""
    width = max(map(len, found))
    lines = []
    for name in FINDINGS:
        if name in found:
            lines.append(f"{name:<{width}}  {found[name]}")
            lines += [f"{'':<{width}}  | {line}" for line in found[name].evidence]
            if found[name].fix:
                lines.append(f"{'':<{width}}  To mend it: {found[name].fix}.")
    return lines


def undecided_note(verdict: Verdict) -> list[str]:
    """Return the lines that tell what could not be decided; nobody is accused of it."""
    if not verdict.undecided:
        return []
    title = "Undecided, because what the caller got is not known; nobody is accused of it:"
    return ["", title, *_told(verdict.undecided), *HOW_TO_TELL]
