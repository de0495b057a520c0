"""The variables of the environment by which SDKs find a provider."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

__all__ = ["Variables"]


@dataclass(frozen=True, slots=True)
class Variables:
    """The variables of the environment that belong to a provider.

    Args:
        keys: Where its SDKs look for a key, in their order; a dummy goes into the first.
        base_urls: Where they look for its address, in their order.
        model: Where a provider of our own layer looks for the model to ask for.
        served: What sends the SDKs of a child process to a server: name to text, with `{url}` for the server's address.
        complete_url: Completes what a variable of an address may hold, such as `host:port`.
        dummies: What gets a dummy, all of them together, where that is not the first of `keys`.
        other_keys: Further variables by which its SDKs come to a key; where one is set, nothing gets a dummy.
    """

    keys: tuple[str, ...] = ()
    base_urls: tuple[str, ...] = ()
    model: str | None = None
    served: Mapping[str, str] = field(default_factory=dict)
    complete_url: Callable[[str], str] = str
    dummies: tuple[str, ...] = ()
    other_keys: tuple[str, ...] = ()

    @property
    def stand_ins(self) -> tuple[str, ...]:
        """The variables that get a dummy."""
        return self.dummies or self.keys[:1]
