"""What was charged, read from an account that was kept in a file (`SqliteLedgerStore`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from llmtest.costs import CostLedger, SqliteLedgerStore
from llmtest.reporting._billed_call import BilledCall

__all__ = ["account_bills", "is_account_file"]


def is_account_file(start: bytes) -> bool:
    """Tell from the beginning of a file, without spaces, whether it is a database of SQLite."""
    return start.startswith(b"SQLiteformat3\0")


def account_bills(path: Path) -> Iterator[BilledCall]:
    """Yield the entries of an account; what was not billed is left out.

    Args:
        path: The file.

    Raises:
        ConfigurationError: It is no account, damaged, or stays locked.
    """
    source = str(path)
    with SqliteLedgerStore(path) as store:
        for entry in CostLedger(store=store):
            if entry.billed:
                yield BilledCall(
                    entry.provider,
                    entry.model,
                    entry.usage,
                    entry.cost_usd,
                    time_ns=entry.time_ns,
                    at_ns=entry.at_ns,
                    service_tier=entry.service_tier,
                    metadata=entry.metadata,
                    test=entry.test or source,
                    source=source,
                )
