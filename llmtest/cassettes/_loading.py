"""The text of a cassette as plain values: YAML or JSON, with one clear error for whatever else it is."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from llmtest.cassettes._yaml import load_yaml
from llmtest.errors import CassetteFileError

LISTS = re.compile(r"^interactions:", re.MULTILINE)


class ForeignFileError(CassetteFileError):
    """A file is valid and something else than a cassette."""


def _load_json(text: str, path: str) -> Any:
    """Read what vcrpy's JSON serializer writes, whose pairs of surrogates no YAML reader knows."""
    try:
        return json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        if not path.endswith(".json"):
            return load_yaml(text, path)  # YAML may begin with a brace too
        line = getattr(error, "lineno", 1)
        problem = getattr(error, "msg", str(error))
        raise CassetteFileError(
            f"{path}:{line}: the cassette is not valid JSON: {problem}. Restore it, or re-record."
        ) from error


def load_whole(text: str, path: str) -> list[Any]:
    """Return the interactions of a whole file as plain values.

    Raises:
        CassetteFileError: It is neither YAML nor JSON, or no cassette.
    """
    loaded = _load_json(text, path) if text.lstrip("\ufeff \t\r\n").startswith("{") else load_yaml(text, path)
    if not isinstance(loaded, Mapping) or not isinstance(loaded.get("interactions"), list):
        raise ForeignFileError(
            f"{path}: this is no cassette: a cassette is a mapping with a list `interactions`. "
            "Name another file; what other tools have recorded has to be recorded again."
        )
    if len(LISTS.findall(text)) > 1:
        raise CassetteFileError(
            f"{path}: the cassette has several lists `interactions`, of which only the last would be read. "
            "Put them together, or re-record."
        )
    interactions: list[Any] = loaded["interactions"]
    return interactions
