"""The parts that messages and answers are made of: text, images, files, sound, thinking, refusals, tool calls."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Literal

from llmtest.errors import InvalidResponseError
from llmtest.types._quick_init import quick_init

__all__ = [
    "AudioPart",
    "CacheTtl",
    "Citation",
    "ContentPart",
    "FilePart",
    "ImagePart",
    "OpaquePart",
    "RefusalPart",
    "ResponsePart",
    "TextPart",
    "ThinkingPart",
    "TokenLogprob",
    "ToolCall",
]


CacheTtl = Literal["5m", "1h"]


@dataclass(frozen=True, slots=True)
class Citation:
    """A source that a text leans on.

    Args:
        url: Address of the source.
        title: Its title.
        text: The words of the source.
        start: Where in the answer's text the cited passage starts, in characters, where the provider says so.
        end: Where it ends.
        document: Which of the prompt's documents it is, from 0.
        unit: What `source_start` and `source_end` count in the source.
        source_start: Where in the source the words start.
        source_end: Where they end.
        file_id: The provider's id of the source.
        proof: What the provider wants back, verbatim, when the text is said to it again.
    """

    url: str | None = None
    title: str | None = None
    text: str | None = None
    _: KW_ONLY
    start: int | None = None
    end: int | None = None
    document: int | None = None
    unit: Literal["char", "page", "block", "result"] | None = None
    source_start: int | None = None
    source_end: int | None = None
    file_id: str | None = None
    proof: str | None = None


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """One token of an answer and how likely it was.

    Args:
        token: Its text.
        logprob: Natural logarithm of its probability, 0 or less; -9999.0 where it was all but impossible.
        utf8: Its bytes, for a token may be a piece of a letter; None where the provider does not say.
        top: The likeliest tokens at this place, where they were asked for.
    """

    token: str
    logprob: float
    utf8: bytes | None = None
    top: tuple[TokenLogprob, ...] = ()


@quick_init
@dataclass(frozen=True, slots=True)
class TextPart:
    """Text of a message or an answer.

    Args:
        text: What it says.
        citations: Sources it leans on.
        logprobs: Its tokens, where they were asked for.
        cache_ttl: Ends a part of a prompt that the provider is to cache, for five minutes or an hour; a provider that
            caches by itself is not told.
    """

    text: str
    citations: tuple[Citation, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()
    cache_ttl: CacheTtl | None = field(default=None, kw_only=True)


@dataclass(frozen=True, slots=True)
class ImagePart:
    """An image in a prompt or an answer: a `url`, base64 `data` of its `media_type`, or a `file_id` at the provider."""

    url: str | None = None
    data: str | None = None
    media_type: str | None = None
    detail: str | None = None
    file_id: str | None = field(default=None, kw_only=True)
    cache_ttl: CacheTtl | None = field(default=None, kw_only=True)


@dataclass(frozen=True, slots=True)
class FilePart:
    """A document in a prompt or an answer: base64 `data`, plain `text`, a `url`, or a `file_id` at the provider.

    Args:
        data: The file in base64, of `media_type` (`application/pdf` by default).
        media_type: Its type.
        name: Its name, or its title.
        text: The file as plain text.
        url: Where the provider finds it.
        file_id: Its id at the provider.
        cache_ttl: Ends a part of a prompt that the provider is to cache; see `TextPart`.
    """

    data: str | None = None
    media_type: str | None = None
    name: str | None = None
    _: KW_ONLY
    text: str | None = None
    url: str | None = None
    file_id: str | None = None
    cache_ttl: CacheTtl | None = None


@dataclass(frozen=True, slots=True)
class AudioPart:
    """Sound in a prompt or an answer.

    Args:
        data: The sound in base64.
        media_type: Its type, `audio/wav` or `audio/mp3`.
        id: The provider's id of a sound it made, by which a later prompt says it again.
        transcript: What is said in it.
        expires_s: Epoch seconds until which the provider knows the id.
    """

    data: str | None = None
    media_type: str | None = None
    _: KW_ONLY
    id: str | None = None
    transcript: str | None = None
    expires_s: int | None = None


@dataclass(frozen=True, slots=True)
class ThinkingPart:
    """What the model thought before it answered.

    Args:
        text: The thoughts.
        signature: The provider's proof that the text is its own; a `redacted` part carries only opaque data there.
        redacted: Whether the provider keeps the text to itself.
        id: The provider's id of it.
        summary: What the provider tells of thoughts that it keeps to itself.
        encrypted: The thoughts as only the provider can read them, for a later prompt.
    """

    text: str
    signature: str | None = None
    redacted: bool = False
    _: KW_ONLY
    id: str | None = None
    summary: tuple[str, ...] = ()
    encrypted: str | None = None


@dataclass(frozen=True, slots=True)
class RefusalPart:
    """The model's own refusal to answer, which OpenAI keeps apart from the text."""

    text: str


@dataclass(frozen=True, slots=True)
class OpaquePart:
    """A content block this package does not model, kept verbatim in its dialect's JSON.

    Args:
        data: The block.
        dialect: Whose JSON it is, and to whom alone it is sent; None sends it to whoever is asked.
    """

    data: Mapping[str, Any]
    dialect: str | None = None


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a tool that the model asks for.

    Args:
        id: The provider's id of this call; the tool's result refers to it.
        name: Name of the tool.
        arguments: The arguments as JSON text, exactly as the model wrote them, malformed ones included.
        signature: The provider's proof of the thoughts behind the call, which it wants back (Gemini's does).
        item_id: A second id, of the call as a piece of the answer (OpenAI's Responses).
        server: Whether the provider runs the tool itself, so that nobody has to answer the call.
    """

    id: str
    name: str
    arguments: str = "{}"
    _: KW_ONLY
    signature: str | None = None
    item_id: str | None = None
    server: bool = False

    def parsed_arguments(self) -> dict[str, Any]:
        """Return the arguments as a mapping.

        Raises:
            InvalidResponseError: The model wrote something that is not a JSON object.
        """
        try:
            parsed = json.loads(self.arguments or "{}")
        except ValueError as error:
            raise InvalidResponseError(f"tool `{self.name}`: arguments are not JSON: {error}") from error
        if not isinstance(parsed, dict):
            raise InvalidResponseError(f"tool `{self.name}`: arguments are not a JSON object: {self.arguments[:80]}")
        return parsed


ContentPart = TextPart | ImagePart | FilePart | AudioPart | ThinkingPart | RefusalPart | ToolCall | OpaquePart
"""What a message is made of. An answer has the same parts, so that it can be said to the model again."""


ResponsePart = ContentPart
