"""What happens while a store cannot be asked: calls go on as if nothing were known, or are refused; a trace tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from llmtest.clock import active_clock
from llmtest.errors import ConfigurationError
from llmtest.events import StoreFailed, current_call, publish

if TYPE_CHECKING:
    from llmtest.events import StoreKind

__all__ = ["OnDown", "check_on_down", "tell_failure"]

OnDown = Literal["open", "closed"]
"""Whether calls pass while a store cannot be asked (`open`: as if it knew nothing), or are refused (`closed`)."""


def check_on_down(given: object) -> None:
    """Refuse a word that is none of the two.

    Raises:
        ConfigurationError: It is not.
    """
    if given not in get_args(OnDown):
        raise ConfigurationError(
            f"on_down is `open`, which lets calls pass while the server is away, or `closed`, which refuses them; got "
            f"{given!r}"
        )


def tell_failure(store: StoreKind, operation: str, error: Exception, *, refuses: bool = False) -> None:
    """Publish that a store could not be asked.

    Args:
        store: What it keeps.
        operation: What it was asked for.
        error: Why it did not answer.
        refuses: Whether the call is refused for it.
    """
    call = current_call.get()
    publish(StoreFailed(active_clock().now_ns(), 0 if call is None else call.id, store, operation, refuses, error))
