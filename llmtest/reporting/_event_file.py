"""The events of a run as a file: one JSON object a line, in the order in which things happened."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Self

from llmtest.errors import ConfigurationError
from llmtest.events import Event

__all__ = ["EventFile"]


class EventFile:
    """Writes events as they happen; `with EventFile(path) as file: run_scenario(..., on_event=file.write)`.

    Args:
        path: The file; replaced where it exists.

    Raises:
        ConfigurationError: It cannot be written.
    """

    def __init__(self, path: str | Path) -> None:
        try:
            self._file = Path(path).open("w", encoding="utf-8")  # noqa: SIM115 - closed by __exit__
        except OSError as error:
            raise ConfigurationError(f"{path}: cannot be written: {error.strerror}.") from None

    def write(self, event: Event) -> None:
        """Write one event."""
        entry = {
            "at_ns": event.at_ns,
            "call": event.call,
            "event": event.kind,
            "who": event.subject(),
            "what": event.detail(),
        }
        self._file.write(json.dumps(entry, ensure_ascii=False) + "\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
