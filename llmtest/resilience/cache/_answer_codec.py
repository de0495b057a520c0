"""A kept answer as JSON, and back: for stores outside the process.

Records are written as `["ClassName", {field: value}]` without the fields that say nothing, sequences as
`["", [...]]`, and objects that only one API has a word for verbatim. Nothing but the records of `llmtest.types` is ever
made of what is read, whoever may have written it.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from decimal import Decimal
from functools import cache
from typing import Any

from llmtest.resilience.cache._cached_answer import CachedAnswer
from llmtest.types import (
    AudioPart,
    Citation,
    CompletionResponse,
    FilePart,
    FinishReason,
    ImagePart,
    OpaquePart,
    RefusalPart,
    StreamEvent,
    TextPart,
    ThinkingPart,
    TokenLogprob,
    ToolCall,
    Usage,
)

__all__ = ["decode_answer", "encode_answer"]

RECORDS: dict[str, type[Any]] = {
    each.__name__: each
    for each in (
        AudioPart,
        CachedAnswer,
        Citation,
        CompletionResponse,
        FilePart,
        ImagePart,
        OpaquePart,
        RefusalPart,
        StreamEvent,
        TextPart,
        ThinkingPart,
        TokenLogprob,
        ToolCall,
        Usage,
    )
}


def encode_answer(answer: CachedAnswer) -> bytes:
    """Return an answer as JSON.

    Raises:
        TypeError: It holds something that JSON has no word for.
    """
    return json.dumps(_plain(answer), separators=(",", ":"), allow_nan=False).encode()


def decode_answer(data: bytes) -> CachedAnswer:
    """Return the answer that was written.

    Raises:
        ValueError: This is no such answer: damaged, or of another version.
    """
    try:
        answer = _made(json.loads(data))
    except (AttributeError, KeyError, TypeError, ArithmeticError) as error:
        raise ValueError(f"no kept answer: {error}") from error
    if not isinstance(answer, CachedAnswer):
        raise ValueError("no kept answer")  # noqa: TRY004 - what is read has the wrong value
    return answer


def _plain(value: Any) -> Any:  # noqa: PLR0911 - one for each kind of value
    kind = type(value)
    if RECORDS.get(kind.__name__) is kind:
        said = {}
        for field in _fields(kind.__name__):
            held = getattr(value, field.name)
            if held != _default(field):
                said[field.name] = _plain(held)
        return [kind.__name__, said]
    if isinstance(value, FinishReason):
        return ["finish", value.value]
    if isinstance(value, tuple | list):
        return ["", [_plain(item) for item in value]]
    if isinstance(value, Mapping):
        return ["{}", dict(value)]
    if isinstance(value, bytes):
        return ["bytes", b64encode(value).decode()]
    if isinstance(value, Decimal):
        return ["decimal", str(value)]
    return value


def _made(value: Any) -> Any:  # noqa: PLR0911 - likewise
    if not isinstance(value, list):
        return value
    kind, held = value
    if kind == "":
        return tuple([_made(item) for item in held])
    if kind == "{}":
        return held
    if kind == "finish":
        return FinishReason(held)
    if kind == "bytes":
        return b64decode(held)
    if kind == "decimal":
        return Decimal(held)
    return RECORDS[kind](**{name: _made(item) for name, item in held.items()})


@cache
def _fields(kind: str) -> tuple[Field[Any], ...]:
    return fields(RECORDS[kind])


def _default(field: Field[Any]) -> Any:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return field.default
