"""Which dialects there are: one folder each beside this file, what others register, and what their packages announce.

A package announces its dialects by an entry point of the group `llmtest.dialects`, whose object is a `Dialect`.
"""

from __future__ import annotations

import pkgutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import entry_points

from llmtest.errors import ConfigurationError
from llmtest.wire import _vocabulary
from llmtest.wire._dialect import Dialect, Match

__all__ = [
    "common_dialect",
    "default_dialect",
    "dialect",
    "dialects",
    "marked_by",
    "match_bare",
    "register",
    "registered",
    "unregister",
]

GROUP = "llmtest.dialects"

_known: dict[str, Dialect] = {}
_loading = threading.RLock()
_loaded: list[bool] = []


def dialects() -> Mapping[str, Dialect]:
    """Return every dialect by its name, the default one first and the others by name."""
    if not _loaded:
        _load()
    return _known


def _load() -> None:
    with _loading:
        if _loaded:
            return
        package = import_module("llmtest.wire")
        folders = [module.name for module in pkgutil.iter_modules(package.__path__) if module.ispkg]
        for folder in folders:
            for each in getattr(import_module(f"llmtest.wire.{folder}"), "DIALECTS", ()):
                _add(each)
        _loaded.append(True)
        for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
            found = point.load()
            if not isinstance(found, Dialect):
                raise ConfigurationError(
                    f"the entry point `{point.name}` of `{GROUP}` is {type(found).__name__}, not a Dialect.\n\n"
                    f"To fix: let `{point.value}` name an object made by llmtest.wire.Dialect(...)"
                )
            register(found)


def _add(added: Dialect) -> None:
    _known[added.name] = added
    _vocabulary.learn(added.vocabulary)
    rest = sorted(_known.values(), key=lambda each: (not each.is_default, each.name))
    _known.clear()
    _known.update((each.name, each) for each in rest)


def register(added: Dialect) -> None:
    """Make a dialect known: worlds, clients and files made from now on know it.

    Raises:
        ConfigurationError: There is one of that name.
    """
    if added.name in dialects():
        raise ConfigurationError(
            f"there is a dialect named `{added.name}` already.\n\nTo fix: give yours another name, such as "
            f"`my_{added.name}`"
        )
    with _loading:
        _add(added)


def unregister(name: str) -> None:
    """Forget a dialect that was registered.

    Raises:
        ConfigurationError: There is none of that name.
    """
    _vocabulary.forget(dialect(name).vocabulary)
    with _loading:
        del _known[name]


@contextmanager
def registered(added: Dialect) -> Iterator[Dialect]:
    """Know a dialect while the context is open; for tests of dialects.

    Raises:
        ConfigurationError: There is one of that name.
    """
    register(added)
    try:
        yield added
    finally:
        unregister(added.name)


def dialect(name: str) -> Dialect:
    """Return a dialect by its name.

    Raises:
        ConfigurationError: There is none of that name.
    """
    found = dialects().get(name)
    if found is None:
        near = get_close_matches(name, dialects(), n=1)
        hint = f" Did you mean `{near[0]}`?" if near else ""
        raise ConfigurationError(f"unknown dialect `{name}`.{hint}\nKnown dialects: {', '.join(dialects())}.")
    return found


def default_dialect() -> Dialect:
    """Return the dialect of whatever says nothing else."""
    return next(iter(dialects().values()))


def common_dialect() -> Dialect:
    """Return the dialect that providers of names nobody knows are taken to speak."""
    return next((each for each in dialects().values() if each.is_common), default_dialect())


def marked_by(headers: Mapping[str, str]) -> Dialect:
    """Return the dialect whose clients send such headers; the default one where nothing tells."""
    marked = (each for each in dialects().values() if each.marks is not None and each.marks(headers))
    return next(marked, default_dialect())


def match_bare(method: str, path: str, headers: Mapping[str, str]) -> tuple[Dialect, Match]:
    """Find whose a path is that names no provider: that of whoever sends such headers, else the first that has it."""
    first = marked_by(headers)
    owners = [each for each in (first, *dialects().values()) if each.is_provider]
    found = [(each, each.match(method, path)) for each in owners]
    answering = (pair for pair in found if pair[1].endpoint is not None)
    knowing = (pair for pair in found if pair[1].allowed or pair[1].unserved is not None)
    return next(answering, None) or next(knowing, None) or (first, first.match(method, path))
