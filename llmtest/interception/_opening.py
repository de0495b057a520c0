"""Open a gate: put it in charge, and patch the libraries while any gate is open."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from llmtest.interception._byte_libraries import patch_libraries
from llmtest.interception._clients import patch_clients
from llmtest.interception._gates import Gate, push_gate, remove_gate
from llmtest.interception._sockets import patch_sockets

_opening = threading.RLock()
_patches = ExitStack()


@contextmanager
def opened(gate: Gate, *, first: bool = False) -> Iterator[None]:
    """Let a gate decide about every request of the process while the context is open; the last one opened decides.

    Args:
        gate: The gate.
        first: Whether it decides before every other, also those that are opened later.
    """
    with _opening:
        if push_gate(gate, first=first):
            _patches.enter_context(patch_clients())
            _patches.enter_context(patch_libraries())
            _patches.enter_context(patch_sockets())
    try:
        yield
    finally:
        with _opening:
            if remove_gate(gate):
                _patches.close()
