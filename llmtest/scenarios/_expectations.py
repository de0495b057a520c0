"""What must hold at the end of a run: read from a file here, judged against the run's numbers in `_judging`.

| check | value |
|---|---|
| `availability` | share of calls that were answered: `">= 99.9%"` |
| `calls`, `succeeded`, `failed`, `attempts`, `retries`, `fallbacks`, `rejected` | counts: `">= 1"`, `0` |
| `attempts.<provider>`, `faults_fired.<rule>` | counts |
| `served_by.<provider>` | a count, or a share of the answered calls: `"<= 10%"` |
| `spend`, `spend.<provider>` | USD: `"<= 25.00"` |
| `latency.p50`, `.p95`, `.p99`, `.max`; `ttft.` the same | durations: `"<= 2s"`, over the answered calls |
| `breaker.<provider>` | states visited in this order; `{exactly: [...]}` for the whole history |
| `verdict` | `clean`: no finding of `_verdict` |
| `errors.<class>` | a count of calls that ended in an error of that class: `errors.ContentFilteredError: 1` |
| `call_time.p50`, `.p95`, `.p99`, `.max` | durations: `"<= 15s"`, over all calls, answered or not |
| `retry_gap.<provider>` | a duration: the shortest time between two requests of one call to it |
| `burst.<provider>` | `"<= 4 in 3s"`: the most requests of one call to it within such a time |
| `recovery.<provider>` | a duration: from the end of the last fault at it until it has answered a later request |
| `whole_answers` | share of all calls whose caller got just what a provider says: `100%` |
| `broken_answers` | a count of answered calls whose caller got something else: a piece, two answers in one |
| `usage_reported` | share of the answered calls that tell their tokens |
| `reported_model.<model>` | a count of answered calls that say they are of that model |

A number alone means exactly that number. `breaker: {openai: [...]}` is the same as `breaker.openai: [...]`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from llmtest.config import did_you_mean, known, parse_count, parse_duration, parse_money, parse_share

__all__ = ["BREAKER_STATES", "Expectation", "flatten", "parse_expectation"]

Kind = Literal["share", "count", "count_or_share", "money", "duration", "states", "verdict", "burst"]
Operator = Literal[">=", "<=", ">", "<", "=="]

BREAKER_STATES = ("closed", "open", "half_open", "isolated")
PLAIN: dict[str, Kind] = {
    "availability": "share",
    "calls": "count",
    "succeeded": "count",
    "failed": "count",
    "attempts": "count",
    "retries": "count",
    "fallbacks": "count",
    "rejected": "count",
    "spend": "money",
    "verdict": "verdict",
    "whole_answers": "share",
    "broken_answers": "count",
    "usage_reported": "share",
}
MEASURES = ("p50", "p95", "p99", "max")
DOTTED: dict[str, Kind] = {
    "attempts": "count",
    "breaker": "states",
    "faults_fired": "count",
    "latency": "duration",
    "served_by": "count_or_share",
    "ttft": "duration",
    "burst": "burst",
    "call_time": "duration",
    "errors": "count",
    "recovery": "duration",
    "reported_model": "count",
    "retry_gap": "duration",
    "spend": "money",
}
TIMED = ("latency", "ttft", "call_time")
_COMPARISON = re.compile(r"\s*(>=|<=|==|=|>|<)?\s*(.+?)\s*")
_BURST = re.compile(r"(.+?)\s+in\s+(.+)")
_PARSERS: dict[Kind, Callable[[object], Any]] = {
    "share": parse_share,
    "count": parse_count,
    "money": parse_money,
    "duration": parse_duration,
}
_EXAMPLES: dict[Kind, str] = {
    "share": "`>= 99.9%`",
    "count": "`>= 1`",
    "count_or_share": "`>= 1` or `<= 10%`",
    "money": "`<= 25.00`",
    "duration": "`<= 2s`",
    "burst": "`<= 4 in 3s`",
}


@dataclass(frozen=True, slots=True)
class Expectation:
    """One check.

    Args:
        check: Its name: `availability`, `breaker.openai`.
        kind: What its value is.
        operator: How a number is compared.
        value: The number compared with; for states, the states.
        exactly: Whether the states are the whole history.
        shown: What was expected, as reports show it.
        window: Within how many seconds a burst is counted.
    """

    check: str
    kind: Kind
    operator: Operator = "=="
    value: Any = None
    exactly: bool = False
    shown: str = ""
    window: float = 0.0


def flatten(entries: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str, Any]]:
    """Yield `(location, check, value)`, with `latency: {p99: ...}` read as `latency.p99`."""
    for key, value in entries.items():
        if key in DOTTED and isinstance(value, dict):
            for inner, item in value.items():
                yield (key, inner), f"{key}.{inner}", item
        else:
            yield (key,), key, value


def parse_expectation(check: str, value: Any, *, providers: Sequence[str], rules: Sequence[str]) -> Expectation:
    """Read one check.

    Args:
        check: Its name.
        value: What the file says.
        providers: Names a check may end in.
        rules: Names of the fault rules.

    Raises:
        ValueError: Unknown check, provider, rule or state, or a value that cannot be compared.
    """
    kind = _kind(check, providers, rules)
    if kind == "verdict":
        if value != "clean":
            raise ValueError(f"unknown verdict `{value}`; the one verdict that can be asked for is `clean`")
        return Expectation(check, kind, value="clean", shown="clean")
    if kind == "states":
        return _states(check, value)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"must be a comparison such as {_EXAMPLES[kind]}")  # noqa: TRY004 - a mistake in a file
    match = _COMPARISON.fullmatch(str(value))
    if match is None:
        raise ValueError(f"must be a comparison such as {_EXAMPLES[kind]}")
    operator: Any = {None: "==", "=": "=="}.get(match[1], match[1])
    if kind == "burst":
        return _burst(check, operator, match[2])
    if kind == "count_or_share":
        kind = "share" if match[2].endswith("%") else "count"
    try:
        number = _PARSERS[kind](match[2])
    except ValueError as error:
        raise ValueError(f"{error}; a comparison looks like {_EXAMPLES[kind]}") from None
    return Expectation(check, kind, operator, number, shown=f"{operator} {match[2]}")


def _burst(check: str, operator: Operator, value: str) -> Expectation:
    parts = _BURST.fullmatch(value)
    if parts is None:
        raise ValueError(f"must be a number of requests in a time, such as {_EXAMPLES['burst']}")
    try:
        number, window = parse_count(parts[1]), parse_duration(parts[2])
    except ValueError as error:
        raise ValueError(f"{error}; a comparison looks like {_EXAMPLES['burst']}") from None
    if not window:
        raise ValueError(f"a burst needs a time above 0, such as {_EXAMPLES['burst']}")
    return Expectation(check, "burst", operator, number, shown=f"{operator} {value}", window=window)


def _kind(check: str, providers: Sequence[str], rules: Sequence[str]) -> Kind:
    if check in PLAIN:
        return PLAIN[check]
    head, dot, tail = check.partition(".")
    if not dot or head not in DOTTED:
        choices = [*PLAIN, *(f"{name}.<{_placeholder(name)}>" for name in DOTTED)]
        whole = [f"{name}.{measure}" for name in TIMED for measure in MEASURES]
        whole += [f"{name}.{each}" for name in DOTTED if _placeholder(name) == "provider" for each in providers]
        whole += [f"faults_fired.{each}" for each in rules]
        near = did_you_mean(check, [*PLAIN, *whole]) or did_you_mean(head, {**PLAIN, **DOTTED})
        raise ValueError(f"unknown check `{check}`.{near}{known('checks', choices)}")
    if head in {"errors", "reported_model"} and tail:
        return DOTTED[head]
    noun, names = {
        **dict.fromkeys(TIMED, ("measure", MEASURES)),
        "faults_fired": ("fault rule", rules),
        "errors": ("class of error", ("TimeoutError",)),
        "reported_model": ("model", ()),
    }.get(head, ("provider", providers))
    if tail not in names:
        raise ValueError(f"unknown {noun} `{tail}`.{did_you_mean(tail, names)}{known(noun + 's', names)}")
    return DOTTED[head]


def _placeholder(head: str) -> str:
    known_ones = {"faults_fired": "rule", "errors": "class", "reported_model": "model"}
    return "p99" if head in TIMED else known_ones.get(head, "provider")


def _states(check: str, value: Any) -> Expectation:
    exactly = isinstance(value, dict) and set(value) == {"exactly"}
    states = value["exactly"] if exactly else value
    if not isinstance(states, list) or not states:
        raise ValueError("must be a list of states such as `[closed, open, half_open, closed]`, or `{exactly: [...]}`")
    for state in states:
        if state not in BREAKER_STATES:
            hint = did_you_mean(str(state), BREAKER_STATES)
            raise ValueError(f"unknown state `{state}`.{hint}{known('states', BREAKER_STATES)}")
    shown = " -> ".join(states)
    return Expectation(check, "states", value=tuple(states), exactly=exactly, shown=f"{'exactly ' * exactly}{shown}")
