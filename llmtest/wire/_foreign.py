"""What one dialect cannot say for another: blocks in somebody else's JSON."""

from __future__ import annotations

from llmtest.errors import NotSupportedError
from llmtest.types import OpaquePart, Role

__all__ = ["can_say"]


def can_say(part: OpaquePart, dialect: str, role: Role) -> bool:
    """Whether an opaque block can be written in a dialect.

    What the model said earlier by other means (a search that a provider ran itself) is left out where nobody
    understands it; what it is asked may not be.

    Raises:
        NotSupportedError: It is part of what is asked, and is written in another dialect.
    """
    if part.dialect is None or part.dialect == dialect:
        return True
    if role == "assistant":
        return False
    kind = part.data.get("type")
    raise NotSupportedError(f"{dialect}: the prompt has a block `{kind}` that only {part.dialect} understands")
