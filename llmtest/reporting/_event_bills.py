"""What was charged in a run, read from its event file line by line: only lines that tell of money are decoded.

A line as an `EventFile` writes it is taken apart without decoding all of it: what it says of who answered, and of rare
kinds of tokens, is said by thousands of lines in the same bytes, and is decoded once. A line of another hand, and one
that is broken, is decoded as a whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, TypeVar

from llmtest.errors import ConfigurationError
from llmtest.events import FactsError, event_of
from llmtest.reporting._billed_call import NO_LABELS, BilledCall, OnBytes, checked, counted, priced_at
from llmtest.reporting._event_reading import check_header
from llmtest.types import UNKNOWN_USAGE, Usage

__all__ = ["Charges", "event_bills", "usage_of"]

Known = TypeVar("Known")

STEP = 4096
"""Lines between two words about how far the reading is."""

KIND = b'{"kind": "'
ASKED = (b'{"kind": "request"', b'{"kind": "attempt"')
TOLD = b'{"kind": "answer"'
"""How the lines begin that are needed, as an `EventFile` writes them; lines of another hand are decoded to see."""

PROVIDER = re.compile(rb'"provider": "([^"\\]*)"')
USAGE = (
    rb'"usage": \{"input_tokens": (\d+), "output_tokens": (\d+), ([^}]*\}[^}]*)\}, "billed": true, '
    rb'"cost_usd": (null|"[0-9.]{1,60}"), '
)
ANSWER = re.compile(
    rb'\{"kind": "answer", "at_ns": (\d+), "call": \d+, "exchange": \d+, ("provider": .*?), "start_ns": \d+, '
    + USAGE
    + rb"(.*\})\n"
)
ATTEMPT = re.compile(
    rb'\{"kind": "attempt", "at_ns": (\d+), "call": \d+, "attempt": \{("provider": .*?), "start_ns": \d+, '
    rb'"end_ns": \d+, "outcome": "[0-9a-z_]*", ' + USAGE + rb"(.*\})\}\n"
)
MOST_PIECES = 4096
"""Pieces of lines that are remembered at most: who answers, and what is said beside counts, hardly varies."""


class Charges:
    """Finds what was charged in the events of one run, in their order.

    What simulated providers charged is told by them; what real ones did, by the attempts of our layer.

    Args:
        source: The file, as calls name it.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._simulated: set[bytes] = set()
        self._who: dict[bytes, tuple[str, str | None]] = {}
        self._ends: dict[bytes, tuple[str | None, Mapping[str, str]]] = {}
        self._kinds: dict[bytes, tuple[Any, ...]] = {}

    def is_needed(self, line: bytes) -> bool:
        """Tell whether a line, other than of an answer, has to be decoded, and note who tells of charges in answers."""
        if not line.startswith(ASKED):
            return not line.startswith(KIND)
        found = PROVIDER.search(line)
        if found is None or found[1] in self._simulated:
            return found is None
        if line.startswith(ASKED[0]):
            self._simulated.add(found[1])
            return False
        return True

    def in_line(self, line: bytes) -> BilledCall | None:
        """Return what a needed line charges, where it is as an `EventFile` writes it; None where it has to be decoded.

        Raises:
            ValueError: A piece of it is not JSON.
            KeyError: It lacks a field.
        """
        is_answer = line.startswith(TOLD)
        found = (ANSWER if is_answer else ATTEMPT).fullmatch(line)
        if found is None:
            return None
        at_ns, who, asked, said, rest, cost, last = found.groups()
        provider, model = self._who.get(who) or self._learn_who(who, is_answer=is_answer)
        tier, labels = self._ends.get(last) or self._learn_end(last)
        kinds = self._kinds.get(rest) or self._learn_kinds(rest)
        source = self._source
        amount = None if cost == b"null" else Decimal(cost[1:-1].decode())
        usage = Usage(int(asked), int(said), *kinds)
        return BilledCall(provider, model, usage, amount, 0, int(at_ns), tier, labels, source, source)

    def _learn_who(self, text: bytes, *, is_answer: bool) -> tuple[str, str | None]:
        facts = json.loads(b"{%b}" % text)
        checked(BilledCall(facts["provider"], facts["model"], UNKNOWN_USAGE))
        if is_answer:
            self._simulated.add(facts["provider"].encode())
        return _kept(self._who, text, (facts["provider"], facts["model"]))

    def _learn_end(self, text: bytes) -> tuple[str | None, Mapping[str, str]]:
        facts = json.loads(b"{%b" % text)
        tier, labels = facts.get("service_tier"), facts.get("metadata") or NO_LABELS
        checked(BilledCall("", None, UNKNOWN_USAGE, service_tier=tier, metadata=labels))
        return _kept(self._ends, text, (tier, labels))

    def _learn_kinds(self, text: bytes) -> tuple[Any, ...]:
        """Return what follows the two counts of a usage, in the order in which one is made."""
        usage = _usage({"input_tokens": 0, "output_tokens": 0, **json.loads(b"{%b}" % text)})
        return _kept(self._kinds, text, tuple(getattr(usage, name) for name in RARE))

    def in_record(self, record: dict[str, Any]) -> BilledCall | None:
        """Return what an event charges, if anything.

        Args:
            record: The event, as `llmtest.events.facts_of` writes it.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: It is no such event.
        """
        kind = record.get("kind")
        if kind in {"request", "answer"}:
            self._simulated.add(record["provider"].encode())
            return self._bill(record, record) if kind == "answer" and record["billed"] else None
        if kind == "attempt":
            attempt = record["attempt"]
            is_told = attempt["provider"].encode() in self._simulated
            return self._bill(attempt, record) if attempt["billed"] and not is_told else None
        return None

    def _bill(self, facts: dict[str, Any], record: dict[str, Any]) -> BilledCall:
        return checked(
            BilledCall(
                facts["provider"],
                facts["model"],
                UNKNOWN_USAGE if facts["usage"] is None else _usage(facts["usage"]),
                priced_at(facts["cost_usd"]),
                at_ns=record["at_ns"],
                service_tier=facts.get("service_tier"),
                metadata=facts.get("metadata") or NO_LABELS,
                test=self._source,
                source=self._source,
            )
        )


def _kept(known: dict[bytes, Known], text: bytes, meaning: Known) -> Known:
    if len(known) >= MOST_PIECES:
        known.clear()
    known[text] = meaning
    return meaning


RARE = tuple(Usage.__dataclass_fields__)[2:]
COUNTS = frozenset(Usage.__dataclass_fields__) - {"source", "server_tools", "cost_usd"}
SOURCES = ("exact", "estimated", "unknown")


def event_bills(path: Path, on_bytes: OnBytes | None = None) -> Iterator[BilledCall]:
    """Yield what was charged in the run of an event file.

    Args:
        path: The file.
        on_bytes: Is told what is read.

    Raises:
        ConfigurationError: It cannot be read or a line is broken; file and line are named.
    """
    try:
        with path.open("rb") as file:
            yield from _bills(path, file, on_bytes)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}.") from None


def _bills(path: Path, file: Any, on_bytes: OnBytes | None) -> Iterator[BilledCall]:
    check_header(str(path), file.readline())
    charges = Charges(str(path))
    is_needed, in_line = charges.is_needed, charges.in_line
    done = count = 0
    for number, line in enumerate(file, 2):
        done += len(line)
        if on_bytes is not None and not number % STEP:
            on_bytes(done, count)
        if not line.startswith(TOLD) and not is_needed(line):
            continue
        try:
            bill = in_line(line)
        except (ValueError, KeyError, TypeError, AttributeError, InvalidOperation):
            bill = None  # Whatever is wrong with it is said below.
        if bill is None:
            record = _record(path, number, line)
            try:
                bill = charges.in_record(record)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise _broken(path, number, record, error) from None
        if bill is not None:
            count += 1
            yield bill
    if on_bytes is not None:
        on_bytes(done, count)


def _usage(told: dict[str, Any]) -> Usage:
    return usage_of(told, **{name: value for name, value in told.items() if name not in COUNTS})


def usage_of(counts: Mapping[str, Any], **more: Any) -> Usage:
    """Return tokens as a file has them.

    Args:
        counts: Numbers of tokens by the fields of `Usage`; prompt and answer have to be there.
        more: Fields of `Usage` that are none: `source`, `server_tools` (uses by name), `cost_usd` (as text).

    Raises:
        KeyError: Prompt or answer is missing.
        TypeError: There is no such field.
        ValueError: One is of another kind.
    """
    told = {name: count for name, count in counts.items() if name in COUNTS}
    counted({"input_tokens": counts["input_tokens"], "output_tokens": counts["output_tokens"], **told}, COUNTS)
    tools = more.get("server_tools") or {}
    counted(tools, tools)
    if more.get("source", "exact") not in SOURCES:
        raise ValueError(f"`source` is one of {', '.join(SOURCES)}, got {more['source']!r:.80}")
    more |= {"server_tools": tuple(sorted(tools.items())), "cost_usd": priced_at(more.get("cost_usd"))}
    return Usage(**told, **more)


def _record(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        cut = "" if line.endswith(b"\n") else "; the file ends within this line"
        raise ConfigurationError(f"{path}:{number}: the line is not JSON{cut}.\n{_again(path)}") from None
    if not isinstance(record, dict):
        raise ConfigurationError(f"{path}:{number}: a line is a JSON object.\n{_again(path)}")
    return record


def _broken(path: Path, number: int, record: dict[str, Any], error: Exception) -> ConfigurationError:
    try:
        event_of(record)
    except FactsError as found:
        what = str(found)
    else:
        what = str(error) or type(error).__name__
    return ConfigurationError(f"{path}:{number}: {what}.\n{_again(path)}")


def _again(path: Path) -> str:
    return f"To fix: write the file again: `llmtest simulate SCENARIO --events {path}`."
