"""What simulated providers charged on a port, read from what `llmtest serve` tells of it.

| form | where it comes from |
|---|---|
| `{"requests": [...]}`, or its entries one a line | `GET /_llmtest/requests` |
| `{"events": [...], "text": ...}` | `GET /_llmtest/trace` |
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from llmtest.errors import ConfigurationError
from llmtest.reporting._billed_call import NO_LABELS, BilledCall, checked, priced_at
from llmtest.reporting._event_bills import Charges, usage_of

__all__ = ["is_served_file", "served_bills"]

STARTS = (b'{"requests":[]', b'{"requests":[{"provider":"', b'{"events":[]', b'{"events":[{"at_s":')


def is_served_file(start: bytes) -> bool:
    """Tell from the beginning of a file, without spaces, whether a server's control plane has told it."""
    is_entry = start.startswith((b'{"provider":"', b'[{"provider":"')) and b'"at_s":' in start
    return start.startswith(STARTS) or is_entry


def served_bills(path: Path) -> Iterator[BilledCall]:
    """Yield what was charged, as a server's control plane tells it.

    Args:
        path: The file.

    Raises:
        ConfigurationError: It cannot be read, or an entry is broken; file and line or entry are named.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path}: this is not text in UTF-8.\n{_again('requests')}") from None
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}.") from None
    source = str(path)
    entries, is_trace = _entries(path, text)
    charges = Charges(source)
    for number, entry in enumerate(entries, 1):
        try:
            bill = charges.in_record(entry["facts"]) if is_trace else _bill(entry, source)
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
            words = "event" if is_trace else "request"
            what = f"lacks {error}" if isinstance(error, KeyError) else str(error) or type(error).__name__
            raise ConfigurationError(
                f"{path}: {words} {number}: {what}.\n{_again('trace' if is_trace else 'requests')}"
            ) from None
        if bill is not None:
            yield bill


def _entries(path: Path, text: str) -> tuple[list[Any], bool]:
    """Return what a file has one after the other, and whether they are events."""
    decoder = json.JSONDecoder()
    found: list[Any] = []
    is_trace = False
    place = _past_space(text, 0)
    while place < len(text):
        try:
            value, place = decoder.raw_decode(text, place)
        except json.JSONDecodeError as error:
            cut = "; the file ends within it" if error.pos >= len(text.rstrip()) else ""
            raise ConfigurationError(
                f"{path}:{error.lineno}: this is not JSON: {error.msg}{cut}.\n{_again('requests')}"
            ) from None
        except RecursionError:
            raise ConfigurationError(f"{path}: this is nested too deeply.\n{_again('requests')}") from None
        if isinstance(value, dict) and "events" in value:
            found, is_trace = [*found, *value["events"]], True
        elif isinstance(value, dict) and "requests" in value:
            found += value["requests"]
        else:
            found += value if isinstance(value, list) else [value]
        place = _past_space(text, place)
    return found, is_trace


def _past_space(text: str, place: int) -> int:
    while place < len(text) and text[place].isspace():
        place += 1
    return place


def _bill(entry: Mapping[str, Any], source: str) -> BilledCall | None:
    usage = entry["usage"]
    if usage is None:
        return None
    counts = usage_of(usage, server_tools=usage.get("server_tools"), source=usage.get("source", "exact"))
    return checked(
        BilledCall(
            entry["provider"],
            entry["model"],
            counts,
            priced_at(entry["cost_usd"]),
            at_ns=round(entry["at_s"] * 1e9),
            service_tier=entry.get("service_tier"),
            metadata=entry.get("metadata") or NO_LABELS,
            test=source,
            source=source,
        )
    )


def _again(what: str) -> str:
    return f"To fix: ask the server again: `curl http://127.0.0.1:4010/_llmtest/{what} > FILE`."
