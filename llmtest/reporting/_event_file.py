"""The events of a run as a file: one JSON object a line, in the order in which things happened.

| line | `kind` | what it holds |
|---|---|---|
| first | `header` | `schema`, the version of what follows; what ran: scenario, seed, file, and who took part |
| others | the event's | every field of the event, as `llmtest.events.facts_of` writes it |
| last | `end` | when the run's clock stood still; missing where the run broke |

`events.schema.json` beside this file describes every line. Equal runs write equal files. Everything that a report tells
of a run can be had from its file alone, by `read_events`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from llmtest.errors import ConfigurationError
from llmtest.events import Event, facts_of
from llmtest.scenarios import Scenario, has_breakers

__all__ = ["EVENT_SCHEMA", "EventFile", "RunHeader"]

EVENT_SCHEMA = 1
"""Version of the file's schema: raised whenever a kind of line, a field or its meaning changes."""


@dataclass(frozen=True, slots=True)
class RunHeader:
    """What ran: the first line of an event file.

    Args:
        scenario: Name of the scenario; None where the events are those of something else, such as a test.
        seed: Seed of the run; None where nobody knows.
        file: The scenario's file, as it was named.
        providers: Names of the providers that took part, whether or not anybody asked them.
        circuits: Whether they had circuit breakers.
        faults: Names of the fault rules, whether or not they struck.
        inferred: Whether retries and fallbacks are inferred from requests, because foreign code took them.
    """

    scenario: str | None = None
    seed: int | None = None
    file: str | None = None
    providers: tuple[str, ...] = ()
    circuits: bool = False
    faults: tuple[str, ...] = ()
    inferred: bool = False

    @classmethod
    def of(cls, scenario: Scenario, seed: int | None = None) -> Self:
        """Return the header of a scenario's run.

        Args:
            scenario: The scenario.
            seed: The seed it runs with; None takes the scenario's.
        """
        return cls(
            scenario.name,
            scenario.seed if seed is None else seed,
            scenario.path,
            tuple(spec.name for spec in scenario.providers),
            has_breakers(scenario.chain),
            tuple(fault.name for fault in scenario.faults),
            scenario.target is not None,
        )


class EventFile:
    """Writes events as they happen; `with EventFile(path) as file: run_scenario(..., on_event=file.write)`.

    Args:
        path: The file; replaced where it exists.
        header: What runs; a header that names nothing by default.

    Raises:
        ConfigurationError: It cannot be written.

    Example:
        >>> with EventFile("run.jsonl", RunHeader.of(scenario)) as file:  # doctest: +SKIP
        ...     file.end(run_scenario(scenario, on_event=file.write).virtual_seconds)
    """

    def __init__(self, path: str | Path, header: RunHeader | None = None) -> None:
        try:
            # Half a pair of characters has no encoding; what `backslashreplace` writes for it is JSON's own escape.
            self._file = Path(path).open("w", encoding="utf-8", errors="backslashreplace", newline="\n")  # noqa: SIM115 - closed by __exit__
        except OSError as error:
            raise ConfigurationError(f"{path}: cannot be written: {error.strerror}.") from None
        self._encode = json.JSONEncoder(ensure_ascii=False).encode
        self._line({"kind": "header", "schema": EVENT_SCHEMA, **asdict(header or RunHeader())})

    def _line(self, record: dict[str, Any]) -> None:
        self._file.write(self._encode(record) + "\n")

    def write(self, event: Event) -> None:
        """Write one event."""
        self._file.write(self._encode(facts_of(event)) + "\n")

    def end(self, elapsed: float) -> None:
        """Say that the run is over.

        Args:
            elapsed: Seconds that passed on its clock.
        """
        self._line({"kind": "end", "at_ns": round(elapsed * 1e9)})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
