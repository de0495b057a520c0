"""The end of a simulation: harness errors come out of whatever swallowed or wrapped them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from llmtest.errors import HarnessError

__all__ = ["combined", "harness_error_in", "is_reported"]


def harness_error_in(error: BaseException | None) -> HarnessError | None:
    """Return the harness error that an exception is, or holds in a group, or None."""
    return next(_harness_errors(error), None) if error is not None else None


def _harness_errors(error: BaseException) -> Iterator[HarnessError]:
    if isinstance(error, HarnessError):
        yield error
    elif isinstance(error, BaseExceptionGroup):
        for member in error.exceptions:
            yield from _harness_errors(member)


def is_reported(error: HarnessError, by: BaseException | None) -> bool:
    """Tell whether the exception a test failed with already shows this error."""
    return by is not None and any(error is shown for shown in _harness_errors(by))


def combined(errors: Sequence[HarnessError]) -> HarnessError:
    """Return the first error, with the others as notes, so that one failure tells all."""
    first, *others = errors
    for other in others:
        note = f"\nAnd {type(other).__name__}: {other}"
        if note not in getattr(first, "__notes__", ()):
            first.add_note(note)
    return first
