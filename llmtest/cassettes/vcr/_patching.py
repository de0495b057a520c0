"""How vcrpy puts its stand-ins in place: in less time, and for httpx2 as well where it does not know it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from vcr.patch import CassettePatcherBuilder

__all__ = ["prepare_vcrpy"]


class StandIn:
    """Puts one thing in the place of another while it is entered, which `unittest.mock` takes ten times as long for.

    Args:
        owner: A module or a class.
        name: Name of what it has or inherits.
        replacement: What takes its place.
    """

    def __init__(self, owner: Any, name: str, replacement: Any) -> None:
        self._owner = owner
        self._name = name
        self._replacement = replacement
        self._before: Any = None
        self._is_own = False

    def __enter__(self) -> None:
        self._is_own = self._name in vars(self._owner)
        self._before = vars(self._owner).get(self._name)
        setattr(self._owner, self._name, self._replacement)

    def __exit__(self, *error: object) -> None:
        if self._is_own:
            setattr(self._owner, self._name, self._before)
        else:
            delattr(self._owner, self._name)


def prepare_vcrpy() -> None:
    """Let every cassette of vcrpy reach httpx2, those of `vcr.use_cassette` in code too; vcrpy 9 does so by itself."""
    CassettePatcherBuilder._build_patcher = _build_patcher  # noqa: SLF001 - vcrpy has no public name for it
    if not hasattr(CassettePatcherBuilder, "_httpx2"):
        teach_httpx2()


def _build_patcher(self: Any, owner: Any, name: str, replacement: Any) -> StandIn | None:
    """Do as the method of vcrpy does whose place this takes."""
    if not hasattr(owner, name):
        return None
    return StandIn(owner, name, self._recursively_apply_get_cassette_subclass(replacement))


def teach_httpx2() -> None:
    """Add httpx2 to what cassettes of vcrpy reach."""
    build = CassettePatcherBuilder.build

    def _httpx2(self: Any) -> Iterator[Any]:
        from llmtest.cassettes.vcr._httpx2 import httpx2_stand_ins

        for owner, name, stand_in in httpx2_stand_ins(self._cassette):
            yield StandIn(owner, name, stand_in)

    def build_with_httpx2(self: Any) -> Iterator[Any]:
        return chain(build(self), self._httpx2())

    CassettePatcherBuilder._httpx2 = _httpx2  # noqa: SLF001 - the name that vcrpy gives it
    CassettePatcherBuilder.build = build_with_httpx2
