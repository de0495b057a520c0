"""Libraries that read bytes themselves: `http.client`, urllib3, aiohttp, lm15; each is patched if it is imported."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from llmtest.clock import LateImports
from llmtest.interception._replacements import Replacements

__all__ = ["patch_libraries"]

_COPIES_OF_LM15 = ("lm15.transports", "dspy._vendor.lm15.transports")


@contextmanager
def patch_libraries() -> Iterator[None]:
    """Ask the current gate before one of them sends anything, while the context is open."""
    patches = Replacements()
    imports = LateImports()
    for library, patch in (("http.client", _http_client), ("urllib3", _urllib3), ("aiohttp", _aiohttp)):
        imports.when_imported(library, partial(patch, patches))
    for library in _COPIES_OF_LM15:
        imports.when_imported(library, partial(_lm15, library, patches))
    with imports.listening():
        try:
            yield
        finally:
            patches.undo()
            _release()


def _http_client(patches: Replacements) -> None:
    from llmtest.interception._http_client import patch_http_client

    patch_http_client(patches)


def _urllib3(patches: Replacements) -> None:
    from llmtest.interception._urllib3 import patch_urllib3

    patch_urllib3(patches)


def _aiohttp(patches: Replacements) -> None:
    from llmtest.interception._aiohttp import patch_aiohttp

    patch_aiohttp(patches)


def _lm15(library: str, patches: Replacements) -> None:
    from llmtest.interception._lm15 import patch_lm15

    patch_lm15(sys.modules[library], patches)


def _release() -> None:
    from llmtest.interception._http_client import release_connections

    release_connections()
