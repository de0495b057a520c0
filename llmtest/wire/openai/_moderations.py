"""OpenAI's moderations: nothing is flagged where no script says it, and the scores depend on the input alone."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

from llmtest.wire import _ids
from llmtest.wire._json import dumps
from llmtest.wire._records import ResponseMeta, WireCall
from llmtest.wire._store import Store
from llmtest.wire.openai._checks import refuse, wrong_type
from llmtest.wire.openai._services import expected, service

__all__ = ["MODERATIONS"]

_DEFAULT_MODEL = "omni-moderation-latest"
_TEXT = ("text",)
_BOTH = ("text", "image")
_CATEGORIES = {
    "harassment": _TEXT,
    "harassment/threatening": _TEXT,
    "sexual": _BOTH,
    "hate": _TEXT,
    "hate/threatening": _TEXT,
    "illicit": _TEXT,
    "illicit/violent": _TEXT,
    "self-harm/intent": _BOTH,
    "self-harm/instructions": _BOTH,
    "self-harm": _BOTH,
    "sexual/minors": _TEXT,
    "violence": _BOTH,
    "violence/graphic": _BOTH,
}
"""What is looked for, and in what kinds of input: `types/moderation.py` of the official SDK."""
_KINDS = {"text": "text", "image_url": "image"}


def _moderate(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    del store
    expected(call.shaping, "input")
    given = call.shaping["input"]
    if isinstance(given, str):
        results = [_result(given, {"text"})]
    elif not isinstance(given, list):
        raise wrong_type("input", "one of a string or array of strings or objects", given)
    elif not given:
        raise refuse(
            "Invalid 'input': empty array. Expected an array with minimum length 1, but got an empty array instead.",
            "input",
            "empty_array",
        )
    elif all(isinstance(each, str) for each in given):
        results = [_result(each, {"text"}) for each in given]
    else:
        # Parts of one message are judged together.
        results = [_result(dumps(given).decode(), {_kind(part, place) for place, part in enumerate(given)})]
    return {
        "id": "modr-" + _ids.letters(meta.number or 0, 24),
        "model": call.model or _DEFAULT_MODEL,
        "results": results,
    }


def _kind(part: object, place: int) -> str:
    kind = part.get("type") if isinstance(part, Mapping) else None
    if kind not in _KINDS:
        raise refuse(f"Invalid value: '{kind}'. Supported values are: 'text' and 'image_url'.", f"input[{place}].type")
    return _KINDS[kind]


def _result(text: str, kinds: set[str]) -> dict[str, Any]:
    applied = {name: [kind for kind in known if kind in kinds] for name, known in _CATEGORIES.items()}
    return {
        "flagged": False,
        "categories": dict.fromkeys(_CATEGORIES, False),
        "category_scores": {name: _score(name, text) if applied[name] else 0.0 for name in _CATEGORIES},
        "category_applied_input_types": applied,
    }


def _score(name: str, text: str) -> float:
    """Return a score far below what is ever flagged, the same for equal inputs."""
    return (1 + zlib.crc32(f"{name} {text}".encode(errors="replace")) % 9_999) / 10_000_000


MODERATIONS = service("moderations", "POST", "/moderations", _moderate)
"""`POST /v1/moderations`, which OpenAI charges nothing for."""
