"""Errors as facts: what of an error outlives the process in which it was raised."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ErrorFacts", "RecordedError", "error_facts"]


class ErrorFacts(NamedTuple):
    """The class, the text and the HTTP status of an error; the status is None where no answer came."""

    class_name: str
    message: str
    status: int | None


class RecordedError(Exception):
    """An error that an event file tells of: equal to every error of the same class, text and status.

    Args:
        class_name: The class that was raised, `RateLimitedError`.
        message: Its text.
        status: Its HTTP status; None where no answer came.
    """

    def __init__(self, class_name: str, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.class_name = class_name
        self.status = status

    def __eq__(self, other: object) -> bool:
        return error_facts(self) == error_facts(other) if isinstance(other, BaseException) else NotImplemented

    def __hash__(self) -> int:
        return hash(error_facts(self))

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.class_name, str(self), self.status)


def error_facts(error: BaseException) -> ErrorFacts:
    """Return what is kept of an error."""
    name = error.class_name if isinstance(error, RecordedError) else type(error).__name__
    status = getattr(error, "status", None)
    return ErrorFacts(name, str(error), status if type(status) is int else None)
