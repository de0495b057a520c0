"""What calls cost by one thing: the sums, and by what calls can be summed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from llmtest.config import did_you_mean
from llmtest.costs import Spend
from llmtest.errors import ConfigurationError
from llmtest.reporting._billed_call import BilledCall

__all__ = ["SpendReport", "grouping"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOUR_NS = 3_600_000_000_000
TAG = "tag:"


@dataclass(slots=True)
class SpendReport:
    """What calls cost, by one thing.

    Args:
        by: By what: `provider`, `model`, `tag`, `tag:NAME`, `test` or `hour`.
        groups: The sums, in the order of their first calls; what a call does not say is under "".
        total: The sum of all.
        unknown: How many calls have an unknown cost, by provider, model, and what it lacks: the `price` or the
            `tokens`, which nobody counted.
    """

    by: str
    groups: dict[str, Spend]
    total: Spend
    unknown: dict[tuple[str, str | None, str], int]

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON has it; money is text, so that no digit is lost, and null where it is unknown."""
        return {
            "by": self.by,
            "groups": [{"name": name, **_facts(spend)} for name, spend in self.groups.items()],
            "total": _facts(self.total),
            "unknown": [
                {"provider": provider, "model": model, "lacks": lacks, "calls": calls}
                for (provider, model, lacks), calls in self.unknown.items()
            ],
        }

    def unknown_lines(self) -> list[str]:
        """Return a sentence for each of those whose cost is unknown."""
        lines = []
        for (provider, model, lacks), count in self.unknown.items():
            calls, their = ("1 call", "its") if count == 1 else (f"{count:,} calls", "their")
            why = f"nobody counted the tokens of {calls}" if lacks == "tokens" else f"{calls} without a known price"
            lines.append(f"{provider or '?'}:{model or '?'}: {why}; {their} cost is unknown, not zero.")
        return lines


def _facts(spend: Spend) -> dict[str, Any]:
    return {
        "calls": spend.calls,
        "input_tokens": spend.input_tokens,
        "output_tokens": spend.output_tokens,
        "usd": None if spend.usd is None else f"{spend.usd:f}",
        "known_usd": f"{spend.known_usd:f}",
        "unknown": spend.unknown,
        "estimated": spend.estimated,
    }


def _by_hour() -> Callable[[BilledCall], str]:
    """Return what gives the hour of a call in UTC, or of the run, where that has no dates; each is written once."""
    dated: dict[int, str] = {}
    undated: dict[int, str] = {}

    def hour_of(call: BilledCall) -> str:
        hours = dated if call.time_ns else undated
        hour = (call.time_ns or call.at_ns) // HOUR_NS
        name = hours.get(hour)
        if name is None:
            name = hours[hour] = f"{EPOCH + timedelta(hours=hour):%Y-%m-%dT%H}" if call.time_ns else f"+{hour}h"
        return name

    return hour_of


def _by_model() -> Callable[[BilledCall], str]:
    names: dict[tuple[str, str | None], str] = {}

    def model_of(call: BilledCall) -> str:
        who = (call.provider, call.model)
        name = names.get(who)
        if name is None:
            name = names[who] = f"{call.provider}:{call.model or '?'}"
        return name

    return model_of


def _by_tag() -> Callable[[BilledCall], str]:
    return lambda call: ", ".join(f"{name}={value}" for name, value in sorted(call.metadata.items()))


KEYS: Mapping[str, Callable[[], Callable[[BilledCall], str]]] = {
    "provider": lambda: lambda call: call.provider,
    "model": _by_model,
    "tag": _by_tag,
    "test": lambda: lambda call: call.test,
    "hour": _by_hour,
}
"""What a report can be by. A call with several labels is under all of them at once, so that nothing counts twice."""


def grouping(by: str) -> Callable[[BilledCall], str]:
    """Return what gives the group of a call.

    Raises:
        ConfigurationError: There is no such group.
    """
    if by.startswith(TAG):
        name = by.removeprefix(TAG)
        return lambda call: str(call.metadata.get(name, ""))
    if by not in KEYS:
        known = [*KEYS, f"{TAG}NAME"]
        raise ConfigurationError(
            f"costs cannot be summed by `{by}`.{did_you_mean(by, known)}\n"
            f"Known: {', '.join(known)}.\nTo fix: --by model"
        )
    return KEYS[by]()
