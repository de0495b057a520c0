"""What every fault is: a value with a stage, a name, and what the provider answers instead."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from datetime import datetime
from typing import ClassVar, Literal

from llmtest import errors
from llmtest.faults._headers import check_header
from llmtest.types import is_number, is_whole
from llmtest.types._spelling import tells_near_arguments

__all__ = [
    "FAULTS",
    "FailureKind",
    "Fault",
    "HeaderChanges",
    "Stage",
    "check_count",
    "check_phase",
    "check_seconds",
    "check_status",
]

Stage = Literal["abort", "latency", "body", "wire", "stream"]
HeaderChanges = tuple[tuple[str, str | None], ...]
"""Headers by lower-case name that replace the provider's own; None takes one away."""
FailureKind = Literal[
    "connect_refused",
    "connect_timeout",
    "read_timeout",
    "reset",
    "closed",
    "incomplete",
]
"""How a connection fails.

`connect_refused`, `connect_timeout`: before anything was sent. `reset`: errno 104, before the head or inside the body.
`closed`: the server went away without a response. `incomplete`: the body stopped inside its chunked framing.
`read_timeout`: the provider will never send another byte; the client's own limit ends it, and where the client has no
limit it waits until something cancels it.
"""

FAULTS: dict[str, type[Fault]] = {}
"""Every fault by its name in scenario files: `rate_limited`, `server_error`, ..."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong with one answer; use its subclasses.

    Args:
        headers: Headers of the answer that it is, or breaks, on top of the provider's own; a value of None takes one
            of the provider's away. A connection that fails before any answer carries none.

    Raises:
        ConfigurationError: A header cannot be sent, or says how the body travels.
    """

    stage: ClassVar[Stage] = "abort"
    name: ClassVar[str] = "fault"
    """The class in snake case, as scenario files and traces write it."""

    headers: Mapping[str, str | None] | None = field(default=None, kw_only=True, repr=False, hash=False)

    def __post_init__(self) -> None:
        if self.headers is not None:
            self._check_headers()
        self._check()

    def _check_headers(self) -> None:
        kind = type(self).__qualname__
        example = 'headers={"x-note": "..."}'
        if not isinstance(self.headers, Mapping):
            raise errors.ConfigurationError(
                f"{kind}: headers must be a mapping of names to texts, got {self.headers!r}.\n\nTo fix: {example}"
            )
        for name, value in self.headers.items():
            check_header(kind, example, name, "" if value is None else value)
        object.__setattr__(self, "headers", dict(self.headers))

    def _check(self) -> None:
        """Refuse arguments that make no sense."""

    def __init_subclass__(cls) -> None:
        # A dataclass with slots is made twice; the second class is the one that stays, and has its `__init__` already.
        cls.name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__qualname__).lower()
        FAULTS[cls.name] = cls
        if "__init__" in vars(cls):
            cls.__init__ = tells_near_arguments(cls.__init__)  # type: ignore[method-assign]  # it takes what it took

    @property
    def __name__(self) -> str:
        """The fault as text, which pytest takes as the id of a parametrised case."""
        return str(self)

    def __str__(self) -> str:
        # What the fault is about comes before what every fault has.
        own = sorted(fields(self), key=lambda each: bool(each.kw_only))
        given = [
            f"{each.name}={getattr(self, each.name)!r}"
            for each in own
            if each.default is MISSING or getattr(self, each.name) != each.default
        ]
        return f"{self.name}({', '.join(given)})" if given else self.name

    def refusal(self, model: str | None) -> errors.ProviderError | None:  # noqa: ARG002 - subclasses name it
        """Return what the provider answers instead; None where this fault answers nothing."""
        return None

    def failure(self) -> FailureKind | None:
        """Return how the connection fails before any answer; None where it does not."""
        return None

    def wait(self, now: datetime) -> float | None:  # noqa: ARG002 - faults with a `Retry-After` that is a date need it
        """Return how many seconds the client is asked to wait; None where it is not, or cannot read it."""
        return None

    def header_changes(self, now: datetime) -> HeaderChanges:  # noqa: ARG002 - as in `wait`
        """Return what the fault says about the headers of the answer."""
        return _lowered(self.headers)


def _lowered(headers: Mapping[str, str | None] | None) -> HeaderChanges:
    return () if headers is None else tuple((name.lower(), value) for name, value in headers.items())


def check_seconds(fault: Fault, name: str, value: float | None, *, example: str) -> None:
    """Refuse what is no number of seconds.

    Raises:
        ConfigurationError: Negative, infinite, or no number.
    """
    if value is not None and not is_number(value):
        raise errors.ConfigurationError(
            f"{type(fault).__name__}: {name} must be seconds, 0 or more, got {value!r}.\n\nTo fix: {example}"
        )


def check_count(fault: Fault, name: str, value: int, *, least: int = 0) -> None:
    """Refuse what is no whole number, or too small.

    Raises:
        ConfigurationError: Below `least`, or no whole number.
    """
    if not is_whole(value, least):
        raise errors.ConfigurationError(
            f"{type(fault).__name__}: {name} must be a whole number, {least} or more, got {value!r}.\n\n"
            f"To fix: {type(fault).__name__}({name}=2)"
        )


def check_phase(fault: Fault, value: str, known: tuple[str, ...]) -> None:
    """Refuse a phase that does not exist.

    Raises:
        ConfigurationError: Another word.
    """
    if value not in known:
        kind = type(fault).__name__
        raise errors.ConfigurationError(
            f'{kind}: unknown phase {value!r}. Known phases: {", ".join(known)}.\n\nTo fix: {kind}(phase="read")'
        )


def check_status(fault: Fault, value: int | None, known: tuple[int | None, ...]) -> None:
    """Refuse a status that this fault does not have.

    Raises:
        ConfigurationError: Another status.
    """
    if value not in known or isinstance(value, bool | float):
        kind = type(fault).__name__
        *most, last = (str(status) for status in known if status is not None)
        raise errors.ConfigurationError(
            f"{kind}: status must be {', '.join(most)} or {last}, got {value!r}.\n\n"
            f"To fix: {kind}(status={last}), or the fault that has this status, such as ServerError(status=503)"
        )
