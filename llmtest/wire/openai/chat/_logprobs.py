"""How likely the tokens of an answer were, between JSON and types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llmtest.types import TokenLogprob


def encode_logprobs(tokens: Sequence[TokenLogprob]) -> dict[str, Any] | None:
    """Write the field `logprobs` of a choice; None where there is nothing to tell."""
    if not tokens:
        return None
    return {"content": [_encode_token(token, [*map(_encode_other, token.top)]) for token in tokens], "refusal": None}


def _encode_token(token: TokenLogprob, top: list[dict[str, Any]]) -> dict[str, Any]:
    return {**_encode_other(token), "top_logprobs": top}


def _encode_other(token: TokenLogprob) -> dict[str, Any]:
    utf8 = None if token.utf8 is None else list(token.utf8)
    return {"token": token.token, "logprob": token.logprob, "bytes": utf8}


def decode_logprobs(raw: object) -> tuple[TokenLogprob, ...]:
    """Read the field `logprobs` of a choice; what is not of its form is nothing."""
    content = raw.get("content") if isinstance(raw, dict) else None
    if not isinstance(content, list):
        return ()
    try:
        return tuple(_decode_token(token) for token in content)
    except (KeyError, TypeError, ValueError, AttributeError):
        return ()


def _decode_token(raw: Mapping[str, Any]) -> TokenLogprob:
    utf8 = raw.get("bytes")
    top = tuple(_decode_token(other) for other in raw.get("top_logprobs") or ())
    return TokenLogprob(str(raw["token"]), float(raw["logprob"]), bytes(utf8) if isinstance(utf8, list) else None, top)


def by_piece(tokens: Sequence[Any], pieces: Sequence[str]) -> Iterator[list[Any]]:
    """Hand out the tokens of a text to the pieces in which it is streamed; the last piece gets what is left.

    Args:
        tokens: Tokens as JSON has them.
        pieces: The text, cut.
    """
    place = told = said = 0
    for number, piece in enumerate(pieces, 1):
        said += len(piece)
        start = place
        while place < len(tokens) and (told < said or number == len(pieces)):
            told += len(str(tokens[place].get("token")))
            place += 1
        yield list(tokens[start:place])
