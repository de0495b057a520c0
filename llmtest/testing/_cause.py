"""What `because=` may be: an outcome, a status, a fault class or a fault."""

from __future__ import annotations

import re
from typing import Any

from llmtest.faults import FAULTS
from llmtest.testing._failure import did_you_mean
from llmtest.testing._history import Seen
from llmtest.testing._step import OUTCOMES

__all__ = ["Cause", "cause_hint", "cause_name", "is_cause"]

Cause = str | int | type | Any
"""An outcome (`"429"`, `"timeout"`), a status (429), a class of `llmtest.faults`, or one of its objects."""


def cause_name(cause: Cause) -> str:
    """Return the cause as a trace writes it: an outcome as it is, a fault in snake case."""
    if isinstance(cause, str | int):
        return str(cause)
    name = cause.__name__ if isinstance(cause, type) else type(cause).__name__
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def cause_hint(cause: Cause) -> str:
    """Return the nearest cause there is, as a sentence, where nothing is called so; else nothing."""
    name = cause_name(cause)
    known = {*OUTCOMES, *FAULTS}
    return "" if name in known or name.isdigit() else did_you_mean(name, known)


def is_cause(attempt: Seen, cause: Cause) -> bool:
    """Tell whether an attempt ended as the cause says."""
    name = cause_name(cause)
    if attempt.outcome == name:
        return True
    return attempt.fault is not None and re.split(r"\W", attempt.fault, maxsplit=1)[0] == name
