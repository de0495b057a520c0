"""A gate for whoever goes on after its simulation has ended: nothing that it sends leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from fnmatch import fnmatchcase
from typing import Any

from llmtest.clock import outlived
from llmtest.errors import HarnessError, NetworkBlockedError
from llmtest.interception import Onward, is_pattern, opened
from llmtest.simulation._call_site import call_site
from llmtest.simulation.http._blocked_text import everywhere

__all__ = ["refuse_late_requests"]


def refuse_late_requests(
    allowed_hosts: Iterable[str], on_block: Callable[[HarnessError], object]
) -> AbstractContextManager[None]:
    """Stop requests of threads and loops that have outlived their simulation; everybody else goes on as before.

    Args:
        allowed_hosts: Hosts that pass; `*` stands for any text.
        on_block: Called with each error, as the test that it belongs to is over.
    """
    return opened(_LateGate(tuple(host.lower() for host in allowed_hosts), on_block), first=True)


class _LateGate:
    """Decides about what comes too late."""

    def __init__(self, allowed_hosts: tuple[str, ...], on_block: Callable[[HarnessError], object]) -> None:
        self._allowed = allowed_hosts
        self._on_block = on_block

    def concerns_caller(self) -> bool:
        return True

    def governs(self) -> bool:
        return outlived() is not None

    def carrier(self, library: Any, scheme: str, host: str, port: int, path: str, onward: Onward) -> Any:  # noqa: ARG002 - nobody answers
        return None

    def is_allowed(self, host: str) -> bool:
        return any(fnmatchcase(host.lower(), pattern) for pattern in self._allowed)

    def allowed_names(self) -> Iterable[str]:
        return [name for name in self._allowed if not is_pattern(name)]

    def passed(self, method: str, host: str) -> None:
        """Nothing is kept: the trace is over."""

    def kept(self, library: str, host: str, method: str | None = None, path: str | None = None) -> None:
        """As little as of what passes."""

    def answers(self, host: str) -> bool:  # noqa: ARG002 - nobody answers
        return False

    def blocked(
        self,
        what: str,
        host: str,
        *,
        transport: str | None = None,  # noqa: ARG002 - what carries it makes no difference
        by_socket: bool = False,  # noqa: ARG002 - the same
    ) -> HarnessError:
        site = call_site()
        error = NetworkBlockedError(
            f"blocked a request to {host} that came after its simulation had ended.\n\n"
            f"  {what}{f'   from {site}' if site else ''}\n"
            f"  sent by {outlived() or 'a thread that is ending'}\n\n"
            "To fix, one of:\n"
            "  1. let the test end what it starts: join the thread, close the loop, close the client that polls\n"
            f"  2. let the host pass: {everywhere(host)}"
        )
        self._on_block(error)
        return error
