"""Which cassette a test asks for, in which mode, and where it lies."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import pytest

from llmtest.errors import ConfigurationError, HarnessError
from llmtest.testing._failure import did_you_mean
from llmtest.testing._plugin_options import ini_of, setting

if TYPE_CHECKING:
    from llmtest.cassettes import Cassette, Mode

__all__ = ["CassetteShelf"]

OnError = Callable[[HarnessError], object]

TOGETHER: dict[Mode, Mode] = {"once": "new_episodes", "rewrite": "all"}
"""How the second test of a run records into a file that the first has made: it loses nothing of it."""

OPTIONS = (
    "mode",
    "match_on",
    "keep_failures",
    "allowed_hosts",
    "keep",
    "form",
    "scrub",
    "match",
    "repeat",
    "before_record",
    "max_age",
    "when_old",
)
"""What the marker `llm_cassette` takes besides the path."""

FORBIDDEN = r"<>?%*:|\"'/"
NAME_MAX = 255
"""Longest file name that the file systems of today take, in bytes."""


class CassetteShelf:
    """The cassettes of one pytest run, and the one in use."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._recorded: dict[Path, Mode] = {}
        self._use = ExitStack()

    def cassette_of(self, item: pytest.Item) -> Cassette:
        """Return the cassette that a test asks for.

        Raises:
            CassetteFileError: Its file cannot be read.
            ConfigurationError: Its marker, its mode, or what it matches on is wrong.
        """
        from llmtest.cassettes import Cassette, MatchRule, Redactor, Staleness, masks_in

        marks = list(item.iter_markers("llm_cassette"))
        path, options = _marked_path(item, marks), _marked_options(marks)
        mode = setting(self._config, "record", marker=options.pop("mode", None), default="none")
        if mode == self._recorded.get(path):  # tests that share a file write it together
            mode = TOGETHER[mode]
        keep = [*options.pop("keep", ()), *ini_of(self._config, "llmtest_cassette_keep")]
        scrub = [*options.pop("scrub", ()), *ini_of(self._config, "llmtest_cassette_scrub")]
        for found in self._config.hook.pytest_llmtest_scrub(config=self._config):
            scrub += found or ()
        redactor = Redactor(os.environ, keep=keep, patterns=scrub) if keep or scrub else None
        for name in ("match_on", "before_record"):
            if name not in options and (found := ini_of(self._config, f"llmtest_cassette_{name}")):
                options[name] = found
        lines = ini_of(self._config, "llmtest_cassette_mask")
        if lines:
            options["match_on"] = MatchRule.of(options.get("match_on")).hiding(masks_in(lines))
        age = setting(self._config, "cassette_max_age", marker=options.pop("max_age", None))
        when_old = setting(self._config, "cassette_when_old", marker=options.pop("when_old", None), default="warn")
        return Cassette(
            path,
            mode,
            rerun=quote(item.nodeid),
            redactor=redactor,
            staleness=Staleness(age, when_old),
            **options,
        )

    def insert(self, cassette: Cassette, item: pytest.Item, report: OnError) -> None:
        """Play and record the requests of a test from now on; hosts that may pass everywhere pass by its cassette."""
        from llmtest.cassettes import inserted

        marked = [host for mark in item.iter_markers("llm_cassette") for host in mark.kwargs.get("allowed_hosts", ())]
        hosts = [*marked, *ini_of(self._config, "llmtest_allowed_hosts")]
        self._use.enter_context(inserted(cassette, on_error=report, allowed_hosts=hosts))

    def eject(self) -> None:
        """End the use of the cassette; nothing is written."""
        self._use.close()

    def save(self, cassette: Cassette) -> None:
        """Write what a test recorded that has passed.

        Raises:
            CassetteFileError: It cannot be written.
        """
        if cassette.save() and cassette.mode in TOGETHER:
            self._recorded[cassette.path] = cassette.mode


def _default_path(item: pytest.Item) -> Path:
    """Return `cassettes/<module>/<test>.yaml` beside the test; pytest-recording names them the same way."""
    owner = getattr(item, "cls", None)
    name = f"{owner.__name__}.{item.name}" if owner is not None else item.name
    for character in FORBIDDEN:
        name = name.replace(character, "-")
    if len(name.encode()) + len(".yaml") > NAME_MAX:
        digest = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
        name = f"{name[: NAME_MAX - len('.yaml') - len(digest) - 3]}...{digest}"
    return item.path.parent / "cassettes" / item.path.stem / f"{name}.yaml"


def _marked_path(item: pytest.Item, marks: Sequence[pytest.Mark]) -> Path:
    """Return the path of the closest marker that has one."""
    for mark in marks:
        if len(mark.args) > 1 or (mark.args and "path" in mark.kwargs):
            raise ConfigurationError(
                "`llm_cassette` takes one path.\n"
                'To fix: @pytest.mark.llm_cassette("cassettes/capital.yaml"), and `use_cassette` for a second one.'
            )
        path: str | Path | None = mark.args[0] if mark.args else mark.kwargs.get("path")
        if path is not None:
            return item.path.parent / path
    return _default_path(item)


def _marked_options(marks: Sequence[pytest.Mark]) -> dict[str, Any]:
    """Return the options of all markers of a test; those of the closest win."""
    given: dict[str, Any] = {}
    for mark in reversed(marks):
        given |= mark.kwargs
    unknown = [name for name in given if name not in {"path", *OPTIONS}]
    if unknown:
        told = [f"`llm_cassette` has no option `{name}`.{did_you_mean(name, OPTIONS)}" for name in unknown]
        raise ConfigurationError("\n".join([*told, f"It takes: path, {', '.join(OPTIONS)}."]))
    return {name: value for name, value in given.items() if name not in {"path", "allowed_hosts"}}
