"""How it is told: tables for a terminal, JSON, and the events of a run as a file."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmtest.reporting._cassettes import print_cassette
    from llmtest.reporting._event_file import EVENT_SCHEMA, EventFile, RunHeader
    from llmtest.reporting._event_reading import RecordedRun, read_events
    from llmtest.reporting._event_schema import event_reference, event_schema
    from llmtest.reporting._terminal import print_results

_HOMES = {
    "EVENT_SCHEMA": "llmtest.reporting._event_file",
    "EventFile": "llmtest.reporting._event_file",
    "RecordedRun": "llmtest.reporting._event_reading",
    "RunHeader": "llmtest.reporting._event_file",
    "event_reference": "llmtest.reporting._event_schema",
    "event_schema": "llmtest.reporting._event_schema",
    "print_cassette": "llmtest.reporting._cassettes",
    "print_results": "llmtest.reporting._terminal",
    "read_events": "llmtest.reporting._event_reading",
}

__all__ = [
    "EVENT_SCHEMA",
    "EventFile",
    "RecordedRun",
    "RunHeader",
    "event_reference",
    "event_schema",
    "print_cassette",
    "print_results",
    "read_events",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value
