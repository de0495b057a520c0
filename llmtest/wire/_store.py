"""What a provider keeps between requests: files, batches, answers that may be asked for again."""

from __future__ import annotations

from typing import Any

__all__ = ["Store"]


class Store:
    """What one simulated provider keeps, a table for each kind of thing, in the order in which it was made.

    Endpoints get it as an argument and change it; it lives as long as the simulation that owns it.

    Example:
        >>> store = Store()
        >>> store.table("files")["file-1"] = {"id": "file-1"}
        >>> list(store.table("files"))
        ['file-1']
    """

    def __init__(self) -> None:
        self._tables: dict[str, dict[str, Any]] = {}

    def table(self, name: str) -> dict[str, Any]:
        """Return the things of a kind by their ids, empty at first."""
        return self._tables.setdefault(name, {})

    def clear(self) -> None:
        """Forget everything."""
        self._tables.clear()
