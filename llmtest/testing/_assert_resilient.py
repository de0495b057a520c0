"""`assert_resilient`: the verdict on how the code under test treated its providers."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from llmtest.errors import ConfigurationError
from llmtest.events import Trace
from llmtest.testing._failure import did_you_mean, failure
from llmtest.testing._unmarked import with_marks

if TYPE_CHECKING:
    from llmtest.simulation import World

__all__ = ["check_resilient"]


def check_resilient(trace: Trace, world: World, ignore: Collection[str]) -> None:
    """Raise AssertionError if the verdict on the trace has a finding that is not ignored.

    Raises:
        AmbiguousCallError: Unmarked calls overlap, so that a repeat cannot be told from another call's request.
        ConfigurationError: `ignore` names no finding.
    """
    __tracebackhide__ = True
    from llmtest.conduct import FINDINGS, judge_conduct

    for name in [ignore] if isinstance(ignore, str) else ignore:
        if name not in FINDINGS:
            raise ConfigurationError(
                f"assert_resilient: there is no finding `{name}` to ignore.{did_you_mean(name, FINDINGS)}\n"
                f"Findings: {', '.join(FINDINGS)}."
            )
    ignored = [ignore] if isinstance(ignore, str) else ignore
    left = judge_conduct(with_marks(trace, "assert_resilient"), world, ignore=ignored).findings
    if not left:
        return
    width = max(map(len, left))
    noun = "finding" if len(left) == 1 else "findings"
    raise failure(
        f"assert_resilient: {len(left)} {noun}.",
        trace,
        facts=[f"{name:<{width}}  {left[name]}" for name in FINDINGS if name in left],
        fix=f'what is found, or accept it: llm_sim.assert_resilient(ignore=["{next(iter(left))}"])',
    )
