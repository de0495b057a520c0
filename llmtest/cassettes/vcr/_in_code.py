"""Every use of a cassette of vcrpy is told, whether a fixture puts it into use or code, by `use_cassette` or `VCR`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

from vcr.cassette import CassetteContextDecorator

__all__ = ["forget_uses", "tell_uses"]

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
