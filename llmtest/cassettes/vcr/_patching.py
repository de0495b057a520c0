"""How vcrpy puts its stand-ins in place: in less time, for httpx2 too where it does not know it, and not unheard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from itertools import chain
from typing import Any

from vcr.cassette import CassetteContextDecorator
from vcr.patch import CassettePatcherBuilder

__all__ = ["forget_uses", "prepare_vcrpy", "tell_uses"]


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


Use = Callable[[Any], AbstractContextManager[object]]
"""Makes of a cassette what is open for as long as it is in use."""

_told: list[Use] = []
"""Who wants to know; of a run within a run the inner one alone."""


def tell_uses(use: Use) -> None:
    """Tell of every cassette that is put into use from now on, until `forget_uses`."""
    if not _told:
        CassetteContextDecorator._patch_generator = _patch_generator  # noqa: SLF001 - vcrpy has no public name for it
    _told.append(use)


def forget_uses(use: Use) -> None:
    """Tell no more."""
    if use in _told:
        _told.remove(use)
    if not _told:
        CassetteContextDecorator._patch_generator = _vcrpys  # noqa: SLF001 - see above


_vcrpys = CassetteContextDecorator._patch_generator  # noqa: SLF001 - see above


def _patch_generator(self: Any, cassette: Any) -> Iterator[Any]:
    with _told[-1](cassette):
        yield from _vcrpys(self, cassette)
