"""What was charged in a run, read from its event file line by line: only lines that tell of money are decoded."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, NamedTuple

from llmtest.errors import ConfigurationError
from llmtest.events import FactsError, event_of
from llmtest.reporting._event_reading import check_header
from llmtest.types import UNKNOWN_USAGE, Usage

__all__ = ["EventBill", "event_bills"]

STEP = 4096
"""Lines between two words about how far the reading is."""

KIND = b'{"kind": "'
ASKED = (b'{"kind": "request"', b'{"kind": "attempt"')
TOLD = b'{"kind": "answer"'
"""How the lines begin that are needed, as an `EventFile` writes them; lines of another hand are decoded to see."""

PROVIDER = re.compile(rb'"provider": "([^"\\]*)"')


class EventBill(NamedTuple):
    """What one request was charged for."""

    provider: str
    model: str | None
    usage: Usage
    cost_usd: Decimal | None
    at_ns: int
    service_tier: str | None
    metadata: Mapping[str, str]


def event_bills(path: Path, on_progress: Callable[[float | None, int], None] | None = None) -> Iterator[EventBill]:
    """Yield what was charged in the run of an event file.

    What simulated providers charged is told by them; what real ones did, by the attempts of our layer.

    Args:
        path: The file.
        on_progress: Is told the share that is read, and the calls so far.

    Raises:
        ConfigurationError: It cannot be read or a line is broken; file and line are named.
    """
    try:
        with path.open("rb") as file:
            yield from _bills(path, file, os.fstat(file.fileno()).st_size or 1, on_progress)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}.") from None


def _bills(
    path: Path, file: Any, size: int, on_progress: Callable[[float | None, int], None] | None
) -> Iterator[EventBill]:
    check_header(str(path), file.readline())
    simulated: set[bytes] = set()
    done = count = 0
    for number, line in enumerate(file, 2):
        done += len(line)
        if on_progress is not None and not number % STEP:
            on_progress(done / size, count)
        if line.startswith(KIND) and not line.startswith(TOLD) and not _is_needed(line, simulated):
            continue
        record = _record(path, number, line)
        try:
            bill = _bill_of(record, simulated)
        except (KeyError, TypeError, ValueError, AttributeError, InvalidOperation) as error:
            raise _broken(path, number, record, error) from None
        if bill is not None:
            count += 1
            yield bill


def _is_needed(line: bytes, simulated: set[bytes]) -> bool:
    """Tell whether a line has to be decoded, and note who is simulated, who tells of charges in answers."""
    if not line.startswith(ASKED):
        return False
    found = PROVIDER.search(line)
    if found is None or found[1] in simulated:
        return found is None
    if line.startswith(ASKED[0]):
        simulated.add(found[1])
        return False
    return True


def _bill_of(record: dict[str, Any], simulated: set[bytes]) -> EventBill | None:
    kind = record.get("kind")
    if kind in {"request", "answer"}:
        simulated.add(record["provider"].encode())
        return _bill(record, record) if kind == "answer" and record["billed"] else None
    if kind == "attempt":
        attempt = record["attempt"]
        is_told = attempt["provider"].encode() in simulated
        return _bill(attempt, record) if attempt["billed"] and not is_told else None
    return None


def _bill(facts: dict[str, Any], record: dict[str, Any]) -> EventBill:
    cost = facts["cost_usd"]
    return EventBill(
        facts["provider"],
        facts["model"],
        _usage(facts["usage"]),
        None if cost is None else Decimal(cost),
        record["at_ns"],
        facts.get("service_tier"),
        facts.get("metadata") or {},
    )


def _usage(told: dict[str, Any] | None) -> Usage:
    if told is None:
        return UNKNOWN_USAGE
    if type(told["input_tokens"]) is not int or type(told["output_tokens"]) is not int:
        raise ValueError("tokens are whole numbers")
    tools, cost = told.get("server_tools"), told.get("cost_usd")
    if tools or cost is not None:
        told = {
            **told,
            "server_tools": tuple(sorted((tools or {}).items())),
            "cost_usd": None if cost is None else Decimal(cost),
        }
    else:
        told["server_tools"] = ()
    return Usage(**told)


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
