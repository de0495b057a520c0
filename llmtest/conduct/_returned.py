"""What a value that an app returned says of its answer: text, usage, model.

Nothing is imported to know the value: every SDK's answer is read by what it has.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from llmtest.events import Returned
from llmtest.types import Usage

__all__ = ["returned_by", "text_of", "usage_of"]

TEXTS = ("text", "output_text", "content", "delta", "message")
"""Where answers and pieces of streams keep their text, or what holds it."""
TOKENS = (("input_tokens", "output_tokens"), ("prompt_tokens", "completion_tokens"))
MOST_DEEP = 4


def returned_by(value: object, cost_usd: Decimal | None = None) -> Returned:
    """Return what is known of a returned value: of nothing (None, an empty text or list) the text is empty.

    Args:
        value: What the app returned: a text, an answer of an SDK or of our client, pieces of a stream, anything.
        cost_usd: The cost that the app told, in USD.
    """
    if value is None or value == "":
        return Returned("", cost_usd=cost_usd)
    model, usage = _part(value, "model"), usage_of(_part(value, "usage"))
    return Returned(text_of(value), usage, model if isinstance(model, str) else None, cost_usd)


def text_of(value: object) -> str | None:
    """Return the text in a value; None where none can be read."""
    return _text(value, 0)


def _text(value: object, depth: int) -> str | None:
    if isinstance(value, str):
        return value
    if depth > MOST_DEEP or value is None or isinstance(value, int | float):
        return None
    if isinstance(value, list | tuple):
        texts = [text for text in (_text(piece, depth + 1) for piece in value) if text is not None]
        return "".join(texts) if texts or not value else None
    choices = _part(value, "choices")
    if isinstance(choices, list | tuple):
        return _text(choices[0], depth + 1) if choices else None
    for name in TEXTS:
        text = _text(_part(value, name), depth + 1)
        if text is not None:
            return text
    return None


def usage_of(value: object) -> Usage | None:
    """Return the tokens that a usage tells, in any SDK's words; None where it tells none."""
    if value is None or isinstance(value, Usage):
        return value
    for names in TOKENS:
        counts = [_part(value, name) for name in names]
        if all(isinstance(count, int) and count >= 0 for count in counts):
            return Usage(*counts)
    return None


def _part(value: object, name: str) -> Any:
    """Return a field of an object or a mapping; None where there is none, or reading it fails."""
    if isinstance(value, Mapping):
        return value.get(name)
    try:
        part = getattr(value, name, None)
    except Exception:  # noqa: BLE001 - somebody's property, which is none of ours
        return None
    return None if callable(part) else part
