"""Which tool has recorded a file, and what it holds, as the plain values that vcrpy would have written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtest.cassettes.foreign import _aimock, _go_vcr, _ruby_vcr
from llmtest.errors import CassetteFileError


class ForeignFileError(CassetteFileError):
    """A file is valid and something else than a cassette."""


class NoHttpError(ForeignFileError):
    """A file holds recordings, and nothing of HTTP: frames of a web socket, calls of gRPC."""

    is_passed_over = False
    """Whether it was come across in a folder, where it is told of and is no fault."""


def entries_of(loaded: Any, path: str) -> tuple[str, list[Any]]:
    """Return which tool has written a file, empty for vcrpy and its like, and its interactions as plain values.

    Args:
        loaded: What YAML or JSON made of its text.
        path: Its name, for errors.

    Raises:
        ForeignFileError: It is no recording that is read here.
        NoHttpError: It is one, of something else than HTTP.
    """
    given = loaded if isinstance(loaded, Mapping) else {}
    if _aimock.is_fixture_file(given):
        fixtures = given["fixtures"]
        return "aimock", [_aimock.vcrpy_entry(fixture, number) for number, fixture in enumerate(fixtures, 1)]
    entries: Any = given.get("interactions", given.get("http_interactions"))
    if entries is None and ("interactions" in given or "http_interactions" in given):
        return "", []  # a key with nothing behind it: what vcrpy's hooks have left of a session
    if not isinstance(entries, list):
        raise ForeignFileError(
            f"{path}: this is no cassette: a cassette is a mapping with a list `interactions`, "
            "`http_interactions` (Ruby's VCR, betamax) or `fixtures` (aimock). Name another file; what other tools "
            "have recorded has to be recorded again."
        )
    if entries and not any(_is_http(entry) for entry in entries if entry):
        _refuse(entries, path)
    if "http_interactions" in given:
        return "Ruby's VCR", [_ruby_vcr.vcrpy_entry(entry) for entry in entries]
    if entries and _go_vcr.is_go_vcr(entries[0]):
        return "go-vcr", [_go_vcr.vcrpy_entry(entry) for entry in entries]
    return "", entries


def _is_http(entry: Any) -> bool:
    """Tell whether an entry is meant to be an exchange over HTTP, whole or broken."""
    if not isinstance(entry, Mapping):
        return True
    request = entry.get("request")
    return ("request" in entry and not isinstance(request, Mapping)) or (
        isinstance(request, Mapping) and (not request or bool({"uri", "url", "method"} & {*request}))
    )


def _refuse(entries: list[Any], path: str) -> None:
    """Say in one line what a file holds instead of HTTP.

    Raises:
        NoHttpError: Always, but where what is there is nothing at all.
    """
    names = list(dict.fromkeys(str(key) for entry in entries if isinstance(entry, Mapping) for key in entry))
    if names:
        shown = ", ".join(f"`{name}`" for name in names[:4]) + (", ..." if len(names) > 4 else "")
        count = f"its {len(entries):,} entries have" if len(entries) > 1 else "its one entry has"
        raise NoHttpError(
            f"{path}: this file holds no HTTP: {count} {shown}, and none has a `request` with a `uri`. "
            "It is played by the tool that has recorded it."
        )
