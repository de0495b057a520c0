"""What a provider keeps between requests: files, batches, answers that may be asked for again."""

from __future__ import annotations

from typing import Any

from llmtest.wire._batches import BatchWork

__all__ = ["MODELS_KEPT", "Store"]

MODELS_KEPT = "models"
"""The table of models that came or went while a provider was asked: True for one that is there, False for one that is
not. Lists of models follow it."""

BATCH_SECONDS = 6.0


class Store:
    """What one simulated provider keeps, a table for each kind of thing, in the order in which it was made.

    Endpoints get it as an argument and change it; it lives as long as the simulation that owns it.

    Attributes:
        under_way: Batches whose lines have not all been answered; whoever owns the store answers what is due.
        batch_seconds: Seconds in which the lines of a new batch are worked off.

    Example:
        >>> store = Store()
        >>> store.table("files")["file-1"] = {"id": "file-1"}
        >>> list(store.table("files"))
        ['file-1']
    """

    def __init__(self) -> None:
        self._tables: dict[str, dict[str, Any]] = {}
        self.under_way: list[BatchWork] = []
        self.batch_seconds = BATCH_SECONDS

    def table(self, name: str) -> dict[str, Any]:
        """Return the things of a kind by their ids, empty at first."""
        return self._tables.setdefault(name, {})

    def begin(self, job: BatchWork) -> None:
        """Take on a batch: it is in the table `batches` from now on, and its lines are answered when they are due."""
        self.table("batches")[job.id] = job
        self.under_way.append(job)

    def clear(self) -> None:
        """Forget everything."""
        self._tables.clear()
        self.under_way.clear()
