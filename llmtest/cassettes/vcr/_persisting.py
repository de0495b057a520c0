"""Several files behind one cassette: all are played, and the first is written."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from vcr.persisters.filesystem import CassetteNotFoundError, FilesystemPersister
from vcr.serialize import deserialize, serialize

__all__ = ["SharedPersister"]

_numbers = itertools.count()


class SharedPersister(FilesystemPersister):  # type: ignore[misc]  # vcrpy has no types
    """Loads a cassette from its own file and further ones, and saves it whole or not at all.

    Args:
        further: Further files that are played too; one that is not there holds nothing.
    """

    def __init__(self, further: Iterable[str]) -> None:
        self._further = tuple(further)

    def load_cassette(self, cassette_path: str | Path, serializer: Any) -> tuple[Any, ...]:
        """Return requests and answers of all files, and the metadata of the first that has any.

        Raises:
            CassetteNotFoundError: There is nothing in any of them.
        """
        requests: list[Any] = []
        responses: list[Any] = []
        metadata: list[Any] = []
        for path in dict.fromkeys((os.fspath(cassette_path), *self._further)):
            found = _load(path, serializer)
            requests += found[0]
            responses += found[1]
            metadata = metadata or list(found[2:])
        if not requests or not responses:
            raise CassetteNotFoundError("No cassettes found.")
        return (requests, responses, *metadata)

    def save_cassette(self, cassette_path: str | Path, cassette_dict: dict[str, Any], serializer: Any) -> None:
        """Write the file beside its place first, so that an end in the middle leaves the old one."""
        text = serialize(cassette_dict, serializer)
        path = Path(cassette_path)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{os.getpid()}-{next(_numbers)}.part")
        try:
            part.write_text(text, encoding="utf-8")
            part.replace(path)
        finally:
            with contextlib.suppress(OSError):
                part.unlink()


def _load(path: str, serializer: Any) -> tuple[Any, ...]:
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError:
        return [], []
    return deserialize(text, serializer) if text.strip() else ([], [])
