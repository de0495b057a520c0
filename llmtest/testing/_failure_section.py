"""What a failed test says of its simulation, whatever failed it: the trace, findings on the code under test, steps."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from traceback import extract_tb
from typing import TYPE_CHECKING

from llmtest.errors import HarnessError
from llmtest.testing._failure import TRACE_NOTE, rendered

if TYPE_CHECKING:
    from llmtest.testing._simulation import Simulation

__all__ = ["failure_section", "note_section", "noted_sections", "shown"]

PLUGIN = "llmtest.pytest_plugin"
SECTION_NOTE = "__llmtest_section__"
"""Attribute of an error, with what a report shall say beside it."""
SECTION_LINES = 60
"""Lines of a trace beside a failure that is not about it; of a longer one its beginning and its end."""


def failure_section(simulation: Simulation, error: BaseException | None, *, unused: bool = True) -> str | None:
    """Return what a report says beside a failure; None where there is nothing that the failure does not say itself.

    Args:
        simulation: The world that the test lived in, as it was when the test failed.
        error: What the test failed with; an assertion of ours has the trace in its own text.
        unused: Whether steps that were never played are told as well.
    """
    parts = []
    if not any(getattr(each, TRACE_NOTE, False) for each in _shown_with(error)):
        if len(simulation.trace):
            parts.append("Trace:\n" + rendered(simulation.trace, SECTION_LINES))
        if not isinstance(error, HarnessError):
            parts.append(_findings(simulation))
    if unused:
        parts.append(simulation.unused_note() or "")
    return "\n\n".join(part for part in parts if part) or None


def note_section(simulation: Simulation, error: BaseException, *, unused: bool = True) -> None:
    """Let whoever prints an error tell of the world that it was raised in.

    pytest shows a section; there the error keeps its text, which `pytest.raises` may look at. Elsewhere it is a note of
    the error, which unittest and Python itself print.

    Args:
        simulation: The world in which it was raised.
        error: What was raised.
        unused: Whether steps that were never played are told as well.
    """
    if unused and (note := simulation.unused_note()):
        error.add_note(note)
    section = failure_section(simulation, error, unused=False)
    if section is None:
        return
    if PLUGIN in sys.modules:
        with suppress(AttributeError):  # an error may refuse it
            setattr(error, SECTION_NOTE, section)
    else:
        error.add_note(f"\n{section}")


def noted_sections(error: BaseException) -> Iterator[str]:
    """Yield the sections that errors have which stand in the report of one."""
    for each in _shown_with(error):
        section = getattr(each, SECTION_NOTE, None)
        if section is not None:
            yield section


def _findings(simulation: Simulation) -> str:
    """Return what `assert_resilient` would say; nothing where it would say nothing or could not tell."""
    from llmtest.testing._assert_resilient import check_resilient

    try:
        check_resilient(simulation.trace, simulation.world, ())
    except AssertionError as error:
        _, facts, *_ = str(error).split("\n\n")
        return f"Findings:\n{facts}"
    except (Exception, HarnessError):  # noqa: BLE001 - a report must not fail, and nobody asked for it
        return ""
    return ""


def _shown_with(error: BaseException | None) -> Iterator[BaseException]:
    """Yield every exception whose text stands in the report of one."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += (each.__cause__, None if each.__suppress_context__ else each.__context__)
        if isinstance(each, BaseExceptionGroup):
            waiting += each.exceptions


def shown(error: BaseException) -> str:
    """Return an error as pytest shows one, with the user's own lines and without ours."""
    from llmtest.simulation import user_traceback

    lines = [
        f"{frame.filename}:{frame.lineno}: in {frame.name}" for frame in extract_tb(user_traceback(error.__traceback__))
    ]
    text = f"{type(error).__module__}.{type(error).__qualname__}: {error}"
    notes = [line for note in getattr(error, "__notes__", ()) for line in note.splitlines()]
    return "\n".join([*lines, *(f"E   {line}".rstrip() for line in (*text.splitlines(), *notes))])
