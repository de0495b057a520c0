"""The text of a cassette as plain values: YAML or JSON, with one clear error for whatever else it is."""

from __future__ import annotations

import json
import re
from typing import Any

from llmtest.cassettes._large_texts import put_back
from llmtest.cassettes._yaml import load_yaml
from llmtest.cassettes.foreign import entries_of
from llmtest.errors import CassetteFileError

LISTS = re.compile(r"^(?:http_)?interactions:", re.MULTILINE)


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


def load_whole(text: str, path: str) -> tuple[str, list[Any]]:
    """Return the tool that has written a file, empty for vcrpy and its like, and its interactions as plain values.

    Raises:
        CassetteFileError: It is neither YAML nor JSON, or no cassette.
    """
    loaded = _load_json(text, path) if text.lstrip("\ufeff \t\r\n").startswith("{") else load_yaml(text, path)
    found = entries_of(loaded, path)
    if isinstance(loaded, dict) and isinstance(loaded.get("large"), dict):
        put_back(found[1], loaded["large"])
    if len(LISTS.findall(text)) > 1:
        raise CassetteFileError(
            f"{path}: the cassette has several lists `interactions`, of which only the last would be read. "
            "Put them together, or re-record."
        )
    return found
