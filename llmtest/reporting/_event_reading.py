"""Reading an event file: the trace and the numbers of a run that is over, from its file alone."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmtest.errors import ConfigurationError
from llmtest.events import Event, FactsError, Trace, event_of
from llmtest.reporting._event_file import EVENT_SCHEMA, RunHeader
from llmtest.scenarios import RunResult, retold

__all__ = ["RecordedRun", "check_header", "read_events"]


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """What an event file tells.

    Args:
        header: What ran.
        trace: Every event: `trace.render()` is the table, `trace.digest()` the hash that the run itself had.
        elapsed_ns: When the run ended, counted from the clock's start in nanoseconds; None where the file tells no
            end, because the run broke.
    """

    header: RunHeader
    trace: Trace
    elapsed_ns: int | None

    def __iter__(self) -> Iterator[Event]:
        """Iterate over the events."""
        return iter(self.trace)

    def result(self) -> RunResult:
        """Return the numbers of the run, as its own `RunResult` has them.

        Three things are not in a file: how long the run really took (0 here), the expectations and the verdict.
        """
        header = self.header
        return retold(
            self.trace,
            scenario=header.scenario or "",
            path=header.file,
            seed=header.seed or 0,
            providers=header.providers,
            circuits=header.circuits,
            faults=header.faults,
            inferred=header.inferred,
            elapsed_ns=self.elapsed_ns,
        )


def read_events(path: str | Path) -> RecordedRun:
    """Read an event file.

    Args:
        path: A file that `llmtest simulate --events FILE`, or an `EventFile`, has written.

    Raises:
        ConfigurationError: It cannot be read, is of a newer schema, or a line is broken; file and line are named.
    """
    try:
        with Path(path).open("rb") as file:
            return _Reading(str(path)).run(enumerate(file, 1))
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}.") from None


def check_header(path: str, line: bytes) -> RunHeader:
    """Return what the first line of an event file says ran.

    Args:
        path: The file, as errors name it.
        line: Its first line.

    Raises:
        ConfigurationError: It is no header, or of another schema.
    """
    return _Reading(path).header(line)


class _Reading:
    """One file that is read: what it says goes with what an error has to say."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._header: dict[str, Any] = {}

    def run(self, lines: Iterator[tuple[int, bytes]]) -> RecordedRun:
        _, first = next(lines, (1, b""))
        header = self.header(first)
        trace = Trace()
        elapsed_ns: int | None = None
        for number, line in lines:
            record = self._record(number, line)
            if elapsed_ns is not None:
                raise self._broken(number, "nothing follows the end of a run")
            if record.get("kind") == "end":
                elapsed_ns = self._end(number, record)
                continue
            try:
                trace.append(event_of(record))
            except FactsError as error:
                raise self._broken(number, str(error)) from None
        return RecordedRun(header, trace, elapsed_ns)

    def header(self, line: bytes) -> RunHeader:
        try:
            record = _parsed(line)
        except ValueError:
            record = None
        if not isinstance(record, dict) or record.get("kind") != "header" or type(record.get("schema")) is not int:
            wanted = f'{{"kind": "header", "schema": {EVENT_SCHEMA}, ...}}'
            raise self._broken(1, f"this is no event file: its first line has to be {wanted}")
        self._header = record
        if record["schema"] != EVENT_SCHEMA:
            newer = record["schema"] > EVENT_SCHEMA
            raise ConfigurationError(
                f"{self._path}:1: the file is of schema {record['schema']}, this llmtest reads schema {EVENT_SCHEMA}.\n"
                f"To fix: {'update llmtest, or ' if newer else ''}write the file again with this one: {self._again()}."
            )
        return self._checked(record)

    def _checked(self, record: dict[str, Any]) -> RunHeader:
        facts = {name: value for name, value in record.items() if name not in {"kind", "schema"}}
        for name, value in facts.items():
            if name not in _HEADER:
                raise self._broken(1, f"`header` has no field `{name}`")
            words, fits = _HEADER[name]
            if not fits(value):
                raise self._broken(1, f"`{name}` of `header` is {words}, got {value!r}")
            if isinstance(value, list):
                facts[name] = tuple(value)
        return RunHeader(**facts)

    def _end(self, number: int, record: dict[str, Any]) -> int:
        at_ns = record.get("at_ns")
        if type(at_ns) is not int or set(record) != {"kind", "at_ns"}:
            raise self._broken(number, '`end` is {"kind": "end", "at_ns": NANOSECONDS}')
        return at_ns

    def _record(self, number: int, line: bytes) -> dict[str, Any]:
        try:
            record = _parsed(line)
        except ValueError as error:
            cut = "" if line.endswith(b"\n") else "; the file ends within this line"
            raise self._broken(number, f"{error}{cut}") from None
        if not isinstance(record, dict):
            raise self._broken(number, "a line is a JSON object")
        return record

    def _broken(self, number: int, what: str) -> ConfigurationError:
        return ConfigurationError(f"{self._path}:{number}: {what}.\nTo fix: write the file again: {self._again()}.")

    def _again(self) -> str:
        """Return the command that writes the file, as far as its header tells."""
        file, seed = self._header.get("file"), self._header.get("seed")
        command = ["llmtest", "simulate", file if isinstance(file, str) else "SCENARIO"]
        if type(seed) is int:
            command += ["--seed", str(seed)]
        return f"`{shlex.join([*command, '--events', self._path])}`"


def _parsed(line: bytes) -> Any:
    """Return what a line says.

    Raises:
        ValueError: It is not JSON; the text says why.
    """
    try:
        return _DECODER.decode(line.decode())
    except UnicodeDecodeError:
        raise ValueError("the line is not text in UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"the line is not JSON: {error.msg} (column {error.colno})") from None
    except RecursionError:
        raise ValueError("the line is nested too deeply") from None


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number in JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_number)


def _is_text(value: object) -> bool:
    return value is None or isinstance(value, str)


def _is_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


_HEADER = {
    "scenario": ("a text", _is_text),
    "seed": ("a whole number", lambda value: value is None or type(value) is int),
    "file": ("a text", _is_text),
    "providers": ("a list of names", _is_names),
    "circuits": ("true or false", lambda value: isinstance(value, bool)),
    "faults": ("a list of names", _is_names),
    "inferred": ("true or false", lambda value: isinstance(value, bool)),
}
