"""Libraries that read bytes themselves: `http.client`, urllib3, aiohttp, lm15; each is patched if it is imported."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from llmtest.clock import LateImports
from llmtest.interception._clients import LIBRARY_NAMES
from llmtest.interception._replacements import Replacements

__all__ = ["ANSWERED_LIBRARIES", "patch_libraries"]


def _http_client(module: str, patches: Replacements) -> None:
    del module
    from llmtest.interception._http_client import patch_http_client

    patch_http_client(patches)


def _urllib3(module: str, patches: Replacements) -> None:
    del module
    from llmtest.interception._urllib3 import patch_urllib3

    patch_urllib3(patches)


def _aiohttp(module: str, patches: Replacements) -> None:
    del module
    from llmtest.interception._aiohttp import patch_aiohttp

    patch_aiohttp(patches)


def _lm15(module: str, patches: Replacements) -> None:
    from llmtest.interception._lm15 import patch_lm15

    patch_lm15(sys.modules[module], patches)


@dataclass(frozen=True)
class _Library:
    """A library that reads bytes itself.

    Args:
        names: What error texts call it, and what people know that sends by it.
        modules: What is patched when it is imported: the library, or each copy of it.
        patch: Patches one of them.
    """

    names: tuple[str, ...]
    modules: tuple[str, ...]
    patch: Callable[[str, Replacements], None]


_LIBRARIES = (
    _Library(("aiohttp",), ("aiohttp",), _aiohttp),
    _Library(("requests", "urllib3"), ("urllib3",), _urllib3),
    _Library(("http.client",), ("http.client",), _http_client),
    _Library(("lm15",), ("lm15.transports", "dspy._vendor.lm15.transports"), _lm15),
)


def _listed() -> str:
    *names, last = (*LIBRARY_NAMES, *(name for library in _LIBRARIES for name in library.names))
    return f"{', '.join(names)} and {last}"


ANSWERED_LIBRARIES = _listed()
"""Whose requests reach a gate, for error texts; of anything else only the bare connection is seen."""


@contextmanager
def patch_libraries() -> Iterator[None]:
    """Ask the current gate before one of them sends anything, while the context is open."""
    patches = Replacements()
    imports = LateImports()
    for library in _LIBRARIES:
        for module in library.modules:
            imports.when_imported(module, partial(library.patch, module, patches))
    with imports.listening():
        try:
            yield
        finally:
            patches.undo()
            _release()


def _release() -> None:
    from llmtest.interception._http_client import release_connections

    release_connections()
