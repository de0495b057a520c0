"""Made-up probabilities of the words of a simulated answer, the same every time."""

from __future__ import annotations

import zlib
from dataclasses import replace

from llmtest.types import CompletionResponse, TextPart, TokenLogprob
from llmtest.wire.framing._words import words

__all__ = ["with_logprobs"]

_OTHERS = [" the", " a", ".", ",", " and", " to", " of", " in", " is", " that", " it", " for", " on", " with", " as"]
_OTHERS += [" was", " be", " at", " by", " this", " an"]
"""What might have stood in a token's place: common ones."""


def with_logprobs(response: CompletionResponse, top: int) -> CompletionResponse:
    """Return an answer that tells how likely each of its words was, where it does not say so itself.

    Args:
        response: The answer, with its alternatives.
        top: How many likeliest words to tell of at each place, the one that stands there included.
    """
    parts = tuple(
        replace(part, logprobs=_made_up(part.text, top)) if isinstance(part, TextPart) and not part.logprobs else part
        for part in response.parts
    )
    return replace(
        response, parts=parts, alternatives=tuple(with_logprobs(each, top) for each in response.alternatives)
    )


def _made_up(text: str, top: int) -> tuple[TokenLogprob, ...]:
    return tuple(_make_up(word, place, top) for place, word in enumerate(words(text)))


def _make_up(word: str, place: int, top: int) -> TokenLogprob:
    said = TokenLogprob(word, -((zlib.crc32(word.encode(errors="replace")) + place) % 4000) / 10_000, _utf8(word))
    if not top:
        return said
    others = [other for other in _OTHERS if other != word][: top - 1]
    less_likely = (TokenLogprob(other, -2.0 - rank / 2, _utf8(other)) for rank, other in enumerate(others))
    return TokenLogprob(said.token, said.logprob, said.utf8, (said, *less_likely))


def _utf8(word: str) -> bytes | None:
    try:
        return word.encode()
    except UnicodeEncodeError:
        return None
