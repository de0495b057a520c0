"""Answers of a script file that are no conversation: vectors, JSON, and bytes as they go out."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from llmtest.config import Section, did_you_mean, known
from llmtest.errors import ConfigurationError
from llmtest.simulation import Embedding, Json, Raw
from llmtest.types import Usage, is_whole

__all__ = ["SERVICE_KEYS", "Headers", "ServiceAnswer", "Tokens", "check_keys", "service_answer"]

ServiceAnswer = Embedding | Json | Raw


def _headers(value: Any) -> Any:
    """Read the headers of an answer.

    Raises:
        ValueError: They are no mapping of names to texts, or none that can be sent.
    """
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise ValueError("must be a mapping of names to texts; put numbers in quotes")
    for name, text in value.items():
        if not name.isascii() or not name.replace("-", "").isalnum() or not text.isprintable():
            raise ValueError(f"`{name}: {text}` is not a header")
    return value


def _tokens(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"`{value}` is not a whole number")  # noqa: TRY004 - pydantic collects ValueErrors
    if value < 0:
        raise ValueError(f"`{value}` is below 0")
    return value


def _status(value: Any) -> int:
    if not is_whole(value, 100) or value > 599:
        raise ValueError(f"`{value}` is no status from 100 to 599")
    return int(value)


def _body(value: Any) -> Any:
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and list(value) == ["base64"] and isinstance(value["base64"], str):
        try:
            return base64.b64decode(value["base64"], validate=True)
        except binascii.Error:
            raise ValueError("`base64` cannot be decoded") from None
    raise ValueError("must be a text, or `{base64: iVBORw0KGgo=}` for other bytes; JSON is `json: {...}`")


Tokens = Annotated[int, BeforeValidator(_tokens)]
Status = Annotated[int, BeforeValidator(_status)]
Headers = Annotated[Any, BeforeValidator(_headers)]


class PromptUsageSection(Section):
    """What vectors bill: a prompt."""

    input_tokens: Tokens
    """Tokens of the inputs."""


class EmbeddingSection(Section):
    """The answer to a request for embeddings."""

    embedding: Any
    """The vector of every input, a list of one for each, or `null` for vectors that are made."""
    usage: PromptUsageSection | None = None
    """What it bills; counted by default."""

    def answer(self) -> Embedding:
        """Return the answer."""
        return Embedding(self.embedding, None if self.usage is None else Usage(self.usage.input_tokens, 0))


class JsonSection(Section):
    """An answer in JSON, to any request."""

    data: Any = Field(alias="json")
    """What it says."""
    status: Status = 200
    """Its status."""
    headers: Headers = None
    """Headers on top of the provider's own."""

    def answer(self) -> Json:
        """Return the answer."""
        return Json(self.data, self.status, self.headers)


class RawSection(Section):
    """An answer as it goes out, byte by byte, to any request."""

    raw: Annotated[Any, BeforeValidator(_body)]
    """Its body: a text, or `{base64: ...}`."""
    status: Status = 200
    """Its status."""
    headers: Headers = None
    """Headers on top of the provider's own; a content type of yours takes the place of its."""

    def answer(self) -> Raw:
        """Return the answer."""
        return Raw(self.status, self.headers, self.raw)


_KINDS: dict[str, type[EmbeddingSection | JsonSection | RawSection]] = {
    "embedding": EmbeddingSection,
    "json": JsonSection,
    "raw": RawSection,
}

SERVICE_KEYS = tuple(_KINDS)
"""Keys by which such an answer is known."""


def service_answer(value: dict[str, Any]) -> ServiceAnswer:
    """Return the answer that a mapping of a file stands for.

    Raises:
        ValueError: It stands for none, or for several.
    """
    kinds = [key for key in _KINDS if key in value]
    if len(kinds) > 1:
        raise ValueError(f"`{kinds[0]}` and `{kinds[1]}` are two answers; give a list of them, one for each request")
    section = _KINDS[kinds[0]]
    check_keys(section, value, f" beside `{kinds[0]}`")
    try:
        return section.model_validate(value).answer()
    except ConfigurationError as error:
        raise ValueError(str(error).partition("\n")[0].rstrip(".")) from None


def check_keys(section: type[Section], value: dict[str, Any], where: str = "", more: tuple[str, ...] = ()) -> None:
    """Refuse a key that an answer does not have.

    Raises:
        ValueError: There is one.
    """
    keys = [*section.keys(), *more]
    unknown = next((key for key in value if key not in keys), None)
    if unknown is not None:
        raise ValueError(f"unknown key `{unknown}`{where}.{did_you_mean(unknown, keys)}{known('keys', keys)}")
