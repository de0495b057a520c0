"""Answers of what is no conversation: vectors, JSON, and whatever bytes a test wants to see sent."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from llmtest.errors import ConfigurationError
from llmtest.faults._headers import check_header
from llmtest.types import Usage, is_whole
from llmtest.types._spelling import words_tell_near_arguments

__all__ = ["Embedding", "Json", "Raw", "answers_to", "fits"]


@words_tell_near_arguments
@dataclass(frozen=True)
class Embedding:
    """The answer to a request for embeddings: `openai.replies(Embedding([0.1, 0.2]))`.

    Args:
        vector: The vector of every input, or a vector for each, in their order; None makes unit vectors that depend on
            model and input alone.
        usage: Tokens that are billed; by default the tokens of the inputs.

    Raises:
        ConfigurationError: It is no vector of finite numbers.
    """

    vector: Sequence[float] | Sequence[Sequence[float]] | None = None
    usage: Usage | None = None

    def __post_init__(self) -> None:
        vectors = self.vectors
        if vectors is not None and not (vectors and all(map(_is_vector, vectors))):
            raise ConfigurationError(
                f"Embedding: a vector is a list of finite numbers, got {self.vector!r}.\n\n"
                "To fix: Embedding([0.1, 0.2]), or Embedding([[0.1, 0.2], [0.3, 0.4]]) for two inputs"
            )

    @property
    def vectors(self) -> tuple[Sequence[float], ...] | None:
        """The vectors, one for all inputs or one for each; None: they are made."""
        given: Any = self.vector
        if given is None:
            return None
        if isinstance(given, Sequence) and given and isinstance(given[0], Sequence):
            return tuple(given)
        return (given,)


def _is_vector(value: Any) -> bool:
    if not isinstance(value, Sequence) or isinstance(value, str | bytes) or not value:
        return False
    return all(isinstance(each, int | float) and not isinstance(each, bool) and math.isfinite(each) for each in value)


@words_tell_near_arguments
@dataclass(frozen=True)
class Json:
    """An answer in JSON, to whatever is asked: `openai.on("POST", "/v1/moderations").replies(Json({...}))`.

    Args:
        data: What JSON can say.
        status: Status of the answer, 100 to 599.
        headers: Headers on top of the provider's own.

    Raises:
        ConfigurationError: JSON cannot say it, there is no such status, or a header cannot be sent.
    """

    data: Any
    status: int = 200
    headers: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        _check(self, self.status, self.headers)
        try:
            json.dumps(self.data, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ConfigurationError(
                f"Json: JSON cannot say this: {error}.\n\n"
                "To fix: give it dicts, lists, texts, finite numbers, booleans and None"
            ) from None

    @property
    def raw(self) -> Raw:
        """The same as bytes."""
        body = json.dumps(self.data, ensure_ascii=False, separators=(",", ":")).encode()
        return Raw(self.status, {"content-type": "application/json", **(self.headers or {})}, body)


@words_tell_near_arguments
@dataclass(frozen=True)
class Raw:
    """An answer as it goes out, byte by byte: what no type of ours can say.

    Args:
        status: Status of the answer, 100 to 599.
        headers: Headers on top of the provider's own; a content type of yours takes the place of its.
        body: The body; a text is sent in UTF-8.

    Raises:
        ConfigurationError: There is no such status, a header cannot be sent, or the body is neither bytes nor text.
    """

    status: int = 200
    headers: Mapping[str, str] | None = None
    body: bytes | str = b""

    is_billed: ClassVar[bool] = False
    """Whether what it says is read and billed."""

    def __post_init__(self) -> None:
        _check(self, self.status, self.headers)
        if not isinstance(self.body, bytes | str):
            raise ConfigurationError(
                f"Raw: the body must be bytes or text, got {self.body!r}.\n\nTo fix: Json({self.body!r})"
            )

    @property
    def data(self) -> bytes:
        """The body in bytes."""
        return self.body.encode() if isinstance(self.body, str) else self.body

    @property
    def raw(self) -> Raw:
        """Itself."""
        return self


def fits(result: object, gives: str) -> bool:
    """Tell whether what a step or a function says answers a request of a kind, beside texts and faults.

    Args:
        result: What is said.
        gives: What the endpoint answers with, as `Endpoint` says it.
    """
    return isinstance(result, Json | Raw) or (gives == "embeddings" and isinstance(result, Embedding))


def answers_to(gives: str) -> tuple[str, ...]:
    """Return what a request of a kind is answered by, as sentences list it."""
    own = {"completion": ("a str", "a Reply"), "embeddings": ("an Embedding",)}.get(gives, ())
    return (*own, "a Json", "a Raw")


def _check(answer: Json | Raw, status: int, headers: Mapping[str, str] | None) -> None:
    name = type(answer).__name__
    if not is_whole(status, 100) or status > 599:
        raise ConfigurationError(f"{name}: status must be from 100 to 599, got {status!r}.\n\nTo fix: status=200")
    for key, value in (headers or {}).items():
        check_header(name, 'headers={"x-note": "..."}', key, value)
