"""How likely the tokens of Gemini's answer were, between JSON and types."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from llmtest.types import CompletionRequest, CompletionResponse, ResponsePart, TextPart, TokenLogprob
from llmtest.wire._logprobs import with_logprobs
from llmtest.wire._records import WireCall

__all__ = ["LIKELY", "cut_likely", "decode_likely", "encode_likely", "joined_likely", "likely_as_asked"]

LIKELY = "logprobsResult"
_CHOSEN, _TOP = "chosenCandidates", "topCandidates"
_VOCABULARY = 256_000
"""Tokens that there are, of which the numbers are made up."""


def likely_as_asked(response: CompletionResponse, call: WireCall) -> CompletionResponse:
    """Return an answer that tells how likely its tokens were, where the request asks for that."""
    request = call.request
    asks = isinstance(request, CompletionRequest) and request.logprobs
    return with_logprobs(response, request.top_logprobs or 0) if asks else response  # type: ignore[union-attr]


def encode_likely(parts: Sequence[ResponsePart]) -> dict[str, Any]:
    """Write the fields of a candidate; none where there is nothing to tell."""
    tokens = [token for part in parts if isinstance(part, TextPart) for token in part.logprobs]
    if not tokens:
        return {}
    found: dict[str, Any] = {}
    if any(token.top for token in tokens):
        found[_TOP] = [{"candidates": [_one(other) for other in token.top]} for token in tokens]
    found[_CHOSEN] = [_one(token) for token in tokens]
    mean = sum(token.logprob for token in tokens) / len(tokens)
    return {"avgLogprobs": mean, LIKELY: found}


def _one(token: TokenLogprob) -> dict[str, Any]:
    number = zlib.crc32(token.token.encode(errors="replace")) % _VOCABULARY
    return {"token": token.token, "tokenId": number, "logProbability": token.logprob}


def decode_likely(raw: object, parts: tuple[ResponsePart, ...]) -> tuple[ResponsePart, ...]:
    """Return the parts with how likely their tokens were, as far as that can be told of the text."""
    if not isinstance(raw, dict) or not isinstance(raw.get(_CHOSEN), list):
        return parts
    top = raw.get(_TOP) or [{}] * len(raw[_CHOSEN])
    try:
        told = tuple(
            replace(_read(each), top=tuple(map(_read, others.get("candidates") or ())))
            for each, others in zip(raw[_CHOSEN], top, strict=True)
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return parts
    said = "".join(token.token for token in told)
    return tuple(
        replace(part, logprobs=told) if isinstance(part, TextPart) and part.text == said else part for part in parts
    )


def _read(raw: Mapping[str, Any]) -> TokenLogprob:
    return TokenLogprob(str(raw["token"]), float(raw["logProbability"]))


def cut_likely(raw: Mapping[str, Any], pieces: Sequence[str]) -> list[dict[str, Any]]:
    """Hand out what is told of a text to the pieces in which it is streamed; the last piece gets what is left."""
    chosen, top = raw[_CHOSEN], raw.get(_TOP)
    found = []
    place = told = said = 0
    for number, piece in enumerate(pieces, 1):
        said, start = said + len(piece), place
        while place < len(chosen) and (told < said or number == len(pieces)):
            told += len(chosen[place]["token"])
            place += 1
        own = {} if top is None else {_TOP: top[start:place]}
        found.append({**own, _CHOSEN: chosen[start:place]})
    return found


def joined_likely(before: object, raw: object) -> object:
    """Return what two pieces of a stream tell together."""
    if not isinstance(before, dict) or not isinstance(raw, dict):
        return raw
    return {**before, **{name: [*(before.get(name) or ()), *(raw.get(name) or ())] for name in raw if name in _LISTS}}


_LISTS = frozenset({_CHOSEN, _TOP})
