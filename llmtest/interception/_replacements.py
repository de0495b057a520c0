"""Methods of other libraries that were replaced, and their way back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["Replacements"]


class Replacements:
    """Replaces methods, each once, and puts every one back."""

    def __init__(self) -> None:
        self._changed: list[tuple[Any, str, Any]] = []
        self._places: set[tuple[int, str]] = set()

    def replace(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        """Replace an attribute that `owner` itself has; one that was replaced already is left as it is.

        Args:
            owner: A class.
            name: Name of the attribute.
            make: Returns what takes the place of the original.
        """
        if (id(owner), name) in self._places:
            return
        original = owner.__dict__[name]
        self._places.add((id(owner), name))
        self._changed.append((owner, name, original))
        setattr(owner, name, make(original))

    def undo(self) -> None:
        """Put everything back."""
        while self._changed:
            owner, name, original = self._changed.pop()
            setattr(owner, name, original)
        self._places.clear()
