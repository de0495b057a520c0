"""What tests cost now against what they cost before: a gate for a pipeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Context, Decimal, Inexact
from pathlib import Path
from typing import Any, Literal

from llmtest.costs import Spend
from llmtest.reporting._spend_report import SpendReport

__all__ = ["ComparedSpend", "SpendComparison", "compare_spending"]

EXACT = Context(prec=500, traps=[Inexact])
ROUGH = Context(prec=30)
"""For shares, which are shown and never summed."""
CENT = Decimal("0.01")
MOST_SHOWN = 20

Verdict = Literal["ok", "dearer", "unknown", "new", "gone"]


@dataclass(frozen=True, slots=True)
class ComparedSpend:
    """What one test cost before and costs now.

    Args:
        name: The test: what its file is called below the folder that was named.
        before: Its cost before; None where there was no such test.
        after: Its cost now; None where there is none any more.
        verdict: `ok`; `dearer`, above what is allowed; `unknown`, where a price or tokens are; `new`; `gone`.
    """

    name: str
    before: Spend | None
    after: Spend | None
    verdict: Verdict

    @property
    def percent(self) -> Decimal | None:
        """How much more it costs, in percent; None where it cannot be said, as of a test that cost nothing before."""
        before, after = _usd(self.before), _usd(self.after)
        if before is None or after is None:
            return None
        if not before:
            return None if after else Decimal(0)
        return ROUGH.multiply(ROUGH.divide(EXACT.subtract(after, before), before), Decimal(100))


@dataclass(frozen=True, slots=True)
class SpendComparison:
    """What tests cost against before.

    Args:
        tests: Every test of either side, in the order of the new side, then what is gone.
        limit: Percent more that each may cost; None: whatever.
        before: The sum before.
        after: The sum now.
        notes: A sentence for each model whose cost is unknown, on either side.
    """

    tests: tuple[ComparedSpend, ...]
    limit: Decimal | None
    before: Spend
    after: Spend
    notes: tuple[str, ...] = ()

    @property
    def failed(self) -> tuple[ComparedSpend, ...]:
        """The tests that cost more than is allowed, or nobody knows; none where there is no limit."""
        bad = () if self.limit is None else ("dearer", "unknown")
        return tuple(test for test in self.tests if test.verdict in bad)

    def as_json(self) -> dict[str, Any]:
        """Return the comparison as JSON has it; money is text, and null where it is unknown or there is no test."""
        return {
            "by": "test",
            "limit_percent": None if self.limit is None else f"{self.limit:f}",
            "tests": [
                {
                    "name": test.name,
                    "before_usd": _text(test.before),
                    "after_usd": _text(test.after),
                    "change": change(test),
                    "verdict": test.verdict,
                }
                for test in self.tests
            ],
            "total": {"before_usd": _text(self.before), "after_usd": _text(self.after)},
            "failed": [test.name for test in self.failed],
        }

    def failure(self, old: str) -> str:
        """Return what is said where tests have failed.

        Args:
            old: What the costs are compared with.
        """
        failed = self.failed
        dearer = sum(test.verdict == "dearer" for test in failed)
        said = []
        if dearer:
            verb = "costs" if dearer == 1 else "cost"
            said.append(f"{dearer} of {len(self.tests)} tests {verb} more than {self.limit:f}% above what `{old}` says")
        if unknown := len(failed) - dearer:
            said.append(f"what {unknown} of {len(self.tests)} tests cost is unknown, not zero")
        lines = [f"{'; '.join(said)}.", ""]
        width = max(len(test.name) for test in failed[:MOST_SHOWN])
        lines += [
            f"  {test.name:{width}}   {_shown(test.before)} -> {_shown(test.after)}   {change(test) or 'unknown'}"
            for test in failed[:MOST_SHOWN]
        ]
        if len(failed) > MOST_SHOWN:
            lines.append(f"  and {len(failed) - MOST_SHOWN} more")
        return "\n".join([*lines, "", "To fix, one of:", *self._advice(old)])

    def _advice(self, old: str) -> list[str]:
        changes = [test.percent for test in self.failed]
        most = max((percent for percent in changes if percent is not None), default=None)
        advice = ["make fewer calls, shorter ones, or cheaper ones"]
        if any(test.verdict == "unknown" for test in self.failed):
            advice.append("give what is unknown a price, in the file that `LLMTEST_PRICES` names")
        elif most is not None and None not in changes:
            advice.append(f"allow it: `--fail-above {most.quantize(Decimal(1), ROUND_CEILING, ROUGH):f}%`")
        advice.append(f"take what they cost now for what they may cost: put the new files in the place of `{old}`")
        return [f"  {number}. {line}" for number, line in enumerate(advice, 1)]


def compare_spending(
    old: SpendReport,
    new: SpendReport,
    *,
    old_paths: Sequence[Path] = (),
    new_paths: Sequence[Path] = (),
    limit: Decimal | None = None,
) -> SpendComparison:
    """Compare what each test cost.

    Tests are the same where their files are called the same below the folders that were named, or where each side has
    only one.

    Args:
        old: What they cost before, by `test`.
        new: What they cost now.
        old_paths: What was named of the old side.
        new_paths: What was named of the new side.
        limit: Percent more that each may cost; None: whatever.
    """
    before, after = _named(old.groups, old_paths), _named(new.groups, new_paths)
    if len(before) == len(after) == 1:
        before = dict(zip(after, before.values(), strict=True))
    names = [*after, *(name for name in before if name not in after)]
    tests = tuple(
        ComparedSpend(name, before.get(name), after.get(name), _verdict(before.get(name), after.get(name), limit))
        for name in names
    )
    notes = dict.fromkeys([*old.unknown_lines(), *new.unknown_lines()])
    return SpendComparison(tests, limit, old.total, new.total, tuple(notes))


def _named(groups: Mapping[str, Spend], paths: Sequence[Path]) -> dict[str, Spend]:
    """Return sums by the names of tests below the folders that were named; of files that were, by their names."""
    found: dict[str, Spend] = {}
    for group, spend in groups.items():
        name = group
        for path in paths:
            file = Path(group)
            if file == path:
                name = path.name
            elif file.is_relative_to(path):
                name = file.relative_to(path).as_posix()
        found[name] = spend if name not in found else _both(found[name], spend)
    return found


def _both(one: Spend, other: Spend) -> Spend:
    return Spend(
        one.calls + other.calls,
        one.input_tokens + other.input_tokens,
        one.output_tokens + other.output_tokens,
        EXACT.add(one.known_usd, other.known_usd),
        one.unknown + other.unknown,
        one.estimated + other.estimated,
    )


def _verdict(before: Spend | None, after: Spend | None, limit: Decimal | None) -> Verdict:
    if before is None or after is None:
        return "new" if before is None else "gone"
    if before.usd is None or after.usd is None:
        return "unknown"
    if limit is None:
        return "ok"
    most = EXACT.multiply(before.usd, EXACT.add(Decimal(1), EXACT.scaleb(limit, -2)))
    return "dearer" if after.usd > most else "ok"


def _usd(spend: Spend | None) -> Decimal | None:
    return None if spend is None else spend.usd


def _text(spend: Spend | None) -> str | None:
    usd = _usd(spend)
    return None if usd is None else f"{usd:f}"


def _shown(spend: Spend | None) -> str:
    usd = _usd(spend)
    return "unknown" if usd is None else shown_usd(usd)


def shown_usd(amount: Decimal) -> str:
    """Return an amount as it is read: `$0.0035`."""
    text = f"{amount:f}"
    return f"${text.rstrip('0').rstrip('.') if '.' in text else text}"


def change(test: ComparedSpend) -> str | None:
    """Return how much more a test costs, as it is read: `+12.5%`; None where it cannot be said."""
    percent = test.percent
    if percent is None:
        return "from nothing" if _usd(test.before) is not None and _usd(test.after) is not None else None
    shown = percent.quantize(CENT, ROUND_HALF_EVEN, ROUGH).normalize()
    return f"{shown:+f}%" if shown else "0%"
