"""What a suite of pytest-recording asks vcrpy for: its markers, its `vcr_config` and its hook, in one cassette.

The order of precedence, the names of files and the mode `rewrite` are those of pytest-recording 0.14.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from copy import deepcopy
from pathlib import Path
from typing import Any, Protocol

from vcr import VCR

from llmtest.cassettes.vcr._persisting import SharedPersister

__all__ = ["Mark", "merged", "suite_cassette"]

NAME_MAX = 255
"""Longest file name where the file system does not say, in bytes."""


class Mark(Protocol):
    """A marker as pytest has it."""

    @property
    def args(self) -> tuple[Any, ...]:
        """Further cassettes to play."""
        ...

    @property
    def kwargs(self) -> Mapping[str, Any]:
        """Options of vcrpy."""
        ...


def merged(config: Mapping[str, Any], marks: Sequence[Mark]) -> dict[str, Any]:
    """Return the options of a test: those of its closest marker win, and the fixture's come last."""
    options: dict[str, Any] = deepcopy(dict(config))
    for mark in reversed(marks):
        options.update(mark.kwargs)
    return options


def suite_cassette(
    name: str,
    folder: str,
    mode: str,
    *,
    marks: Sequence[Mark],
    config: Mapping[str, Any],
    configure: Callable[[VCR], object],
) -> AbstractContextManager[Any]:
    """Return the cassette of a test, to be entered for as long as the test runs.

    Args:
        name: Name of the file, with or without its ending; one that is too long for the file system is cut and hashed.
        folder: Where the files of the test's module lie.
        mode: Mode of vcrpy or `rewrite`; `record_mode` of a marker or of `config` goes before it.
        marks: The test's markers `vcr`, the closest first.
        config: What the fixture `vcr_config` says.
        configure: Told of the `VCR` before the cassette is made, to register matchers, serializers and persisters.
    """
    options = merged(config, marks)
    suffix = options.get("serializer", ".yaml")
    name = _fitting(name, suffix)
    mode = options.get("record_mode", mode)
    transformer = VCR.ensure_suffix(f".{options['serializer']}" if "serializer" in options else ".yaml")
    if mode == "rewrite":
        with contextlib.suppress(OSError):
            Path(transformer(Path(folder, name))).unlink()
        mode = "new_episodes"
        if "record_mode" in options:
            options["record_mode"] = mode
    vcr = VCR(path_transformer=transformer, cassette_library_dir=folder, record_mode=mode)
    vcr.register_persister(SharedPersister(str(Path(folder, path)) for mark in marks for path in mark.args))
    configure(vcr)
    cassette: AbstractContextManager[Any] = vcr.use_cassette(name, **options)
    return cassette


def _fitting(name: str, suffix: str) -> str:
    longest = _longest_name()
    if len(name) + len(suffix) <= longest:
        return name
    digest = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
    return f"{name[: longest - len(suffix) - len(digest) - 3]}...{digest}"


def _longest_name() -> int:
    try:
        return os.pathconf(".", "PC_NAME_MAX")
    except (AttributeError, ValueError, OSError):
        return NAME_MAX
