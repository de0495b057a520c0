"""How likely the tokens of Cohere's answer were, between JSON and types: one item for each piece of the text."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from llmtest.types import CompletionRequest, CompletionResponse, ResponsePart, TextPart, TokenLogprob
from llmtest.wire._logprobs import with_logprobs
from llmtest.wire._records import WireCall

__all__ = ["decode_likely", "encode_likely", "likely_as_asked"]

_VOCABULARY = 255_000
"""Tokens that there are, of which the numbers are made up."""


def likely_as_asked(response: CompletionResponse, call: WireCall) -> CompletionResponse:
    """Return an answer that tells how likely its tokens were, where the request asks for that."""
    request = call.request
    asks = isinstance(request, CompletionRequest) and request.logprobs
    return with_logprobs(response, 0) if asks else response


def encode_likely(parts: Sequence[ResponsePart]) -> list[dict[str, Any]]:
    """Write the field `logprobs`; empty where there is nothing to tell."""
    tokens = [token for part in parts if isinstance(part, TextPart) for token in part.logprobs]
    return [
        {
            "text": token.token,
            "token_ids": [zlib.crc32(token.token.encode(errors="replace")) % _VOCABULARY],
            "logprobs": [token.logprob],
        }
        for token in tokens
    ]


def decode_likely(raw: object, parts: tuple[ResponsePart, ...]) -> tuple[ResponsePart, ...]:
    """Return the parts with how likely their tokens were, as far as that can be told of the text."""
    items = raw if isinstance(raw, list) else []
    try:
        told = tuple(TokenLogprob(str(each["text"]), float(sum(each["logprobs"]))) for each in items)
    except (KeyError, TypeError, ValueError):
        return parts
    said = "".join(token.token for token in told)
    return tuple(
        replace(part, logprobs=told) if told and isinstance(part, TextPart) and part.text == said else part
        for part in parts
    )
