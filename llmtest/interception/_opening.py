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
_library_patches = ExitStack()
_of_libraries: list[Gate] = []
"""Open gates that decide about requests, not about connections alone."""


@contextmanager
def opened(gate: Gate, *, first: bool = False, libraries: bool = True) -> Iterator[None]:
    """Let a gate decide about every request of the process while the context is open; the last one opened decides.

    Args:
        gate: The gate.
        first: Whether it decides before every other, also those that are opened later.
        libraries: Whether it is asked where a library is about to send; else it is asked about connections alone,
            unless another gate is open that is asked about both.
    """
    with _opening:
        if push_gate(gate, first=first):
            _patches.enter_context(patch_sockets())
        if libraries:
            _of_libraries.append(gate)
            if len(_of_libraries) == 1:
                _library_patches.enter_context(patch_clients())
                _library_patches.enter_context(patch_libraries())
    try:
        yield
    finally:
        with _opening:
            if libraries:
                _of_libraries.remove(gate)
                if not _of_libraries:
                    _library_patches.close()
            if remove_gate(gate):
                _patches.close()
