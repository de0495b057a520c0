"""How vcrpy puts its stand-ins in place: it is taught httpx2 where it does not know it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any
from unittest import mock

from vcr.patch import CassettePatcherBuilder

__all__ = ["prepare_vcrpy"]


def prepare_vcrpy() -> None:
    """Let every cassette of vcrpy reach httpx2, those of `vcr.use_cassette` in code too; vcrpy 9 does so by itself."""
    if not hasattr(CassettePatcherBuilder, "_httpx2"):
        teach_httpx2()


def teach_httpx2() -> None:
    """Add httpx2 to what cassettes of vcrpy reach."""
    build = CassettePatcherBuilder.build

    def _httpx2(self: Any) -> Iterator[Any]:
        from llmtest.cassettes.vcr._httpx2 import httpx2_stand_ins

        for owner, name, stand_in in httpx2_stand_ins(self._cassette):
            yield mock.patch.object(owner, name, stand_in)

    def build_with_httpx2(self: Any) -> Iterator[Any]:
        return chain(build(self), self._httpx2())

    CassettePatcherBuilder._httpx2 = _httpx2  # noqa: SLF001 - the name that vcrpy gives it
    CassettePatcherBuilder.build = build_with_httpx2
