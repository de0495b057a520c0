"""How it is told: tables for a terminal, JSON, and the events of a run as a file."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmtest.reporting._cassettes import print_cassette
    from llmtest.reporting._event_file import EventFile
    from llmtest.reporting._terminal import print_results

_HOMES = {
    "EventFile": "llmtest.reporting._event_file",
    "print_cassette": "llmtest.reporting._cassettes",
    "print_results": "llmtest.reporting._terminal",
}

__all__ = ["EventFile", "print_cassette", "print_results"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value
