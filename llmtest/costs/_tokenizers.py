"""What counts tokens: the estimate of this package, a vocabulary, or a counter of one's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import entry_points
from typing import Any, Protocol

from llmtest.errors import ConfigurationError
from llmtest.types._spelling import did_you_mean

__all__ = ["Tokenizer", "active", "find_tokenizer", "quick_tokenizer", "use_tokenizer"]

ENCODINGS = ("cl100k_base", "llama3", "o200k_base", "o200k_harmony", "qwen3")
"""Vocabularies that the tokenizer brings with it."""
ESTIMATE = "estimate"
BYTES = "bytes"
GROUP = "llmtest.tokenizers"
"""Entry points: each a tokenizer, or something that makes one when it is called."""


class Tokenizer(Protocol):
    """Whatever counts tokens. One that does not count exactly may have `most(text)` too, which budgets set aside."""

    def count(self, text: str) -> int:
        """Return how many tokens a text has."""


class _Active:
    """The counter in use, in the whole process; None is the estimate."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count: Callable[[str], int] | None = None


active = _Active()


class _Bytes:
    """A token for each byte in UTF-8: what no vocabulary of bytes can exceed."""

    def count(self, text: str) -> int:
        """Return the bytes of a text."""
        return len(text.encode("utf-8", "surrogatepass"))


@contextmanager
def use_tokenizer(tokenizer: str | Tokenizer) -> Iterator[None]:
    """Count tokens by something else than the estimate, inside the block, in the whole process.

    Whatever counts here follows: what simulated providers bill, what is estimated of an answer that was cut off, and
    what budgets set aside. A simulation and the code under test go by the same counter, so that bill and account agree.

    Args:
        tokenizer: The name of a vocabulary (`o200k_base`, `cl100k_base`, `llama3`, `qwen3`), which needs the extra
            `[tokens]`; `bytes`; `estimate`; the name of an entry point of the group `llmtest.tokenizers`; or an
            object with a method `count(text)`.

    Raises:
        ConfigurationError: There is no such counter, or it needs the extra.

    Example:
        >>> with use_tokenizer("bytes"):
        ...     count_tokens("Ünter")
        6
    """
    found = find_tokenizer(tokenizer)
    before, active.count = active.count, None if found is None else _counting(found)
    try:
        yield
    finally:
        active.count = before


def find_tokenizer(tokenizer: str | Tokenizer) -> Tokenizer | None:
    """Return a counter by its name, or as it is; None for the estimate.

    Raises:
        ConfigurationError: There is none of this name, it needs the extra, or it cannot count.
    """
    if not isinstance(tokenizer, str):
        if isinstance(tokenizer, type) or not callable(getattr(tokenizer, "count", None)):
            raise ConfigurationError(
                f"a tokenizer has a method `count(text)`, and {tokenizer!r} has none.\n"
                'To fix: tokenizer="o200k_base", or an object with such a method'
            )
        return tokenizer
    if tokenizer == ESTIMATE:
        return None
    if tokenizer == BYTES:
        return _Bytes()
    if tokenizer in ENCODINGS:
        return quick_tokenizer(tokenizer)
    announced = {each.name: each for each in entry_points(group=GROUP)}
    if tokenizer in announced:
        loaded: Any = announced[tokenizer].load()
        made = loaded() if isinstance(loaded, type) or not hasattr(loaded, "count") else loaded
        return find_tokenizer(made)
    known = [ESTIMATE, BYTES, *ENCODINGS, *announced]
    raise ConfigurationError(
        f"no tokenizer `{tokenizer}`.{did_you_mean(tokenizer, known)}\nKnown tokenizers: {', '.join(known)}.\n"
        f'To fix: tokenizer="o200k_base", or announce yours as an entry point of the group `{GROUP}`'
    )


def _counting(tokenizer: Tokenizer) -> Callable[[str], int]:
    """Return the method that counts, held to what a count is."""
    count = tokenizer.count

    def counted(text: str) -> int:
        number = count(text)
        if type(number) is not int or number < 0:
            raise ConfigurationError(
                f"{tokenizer!r} counted {number!r} tokens, which is no whole number of 0 or more.\n"
                "To fix: let its `count` return how many tokens the text has"
            )
        return number

    return counted


@cache
def quick_tokenizer(model: str) -> Tokenizer:
    """Return the vocabulary of a model, or one by its own name.

    Raises:
        ConfigurationError: The extra is not installed, or the vocabulary is not public.
    """
    try:
        import quicktok
    except ImportError:
        raise ConfigurationError(
            "exact token counts need a tokenizer, which is not installed.\n\n"
            "To fix, one of:\n"
            "  1. install the extra `tokens`:    pip install -e '.[tokens]', in a checkout of llmtest\n"
            "  2. use the estimate:              count_tokens(text)"
        ) from None
    try:
        find = quicktok.get_encoding if model in ENCODINGS else quicktok.encoding_for_model
        tokenizer: Tokenizer = find(model)
    except (KeyError, ValueError, RuntimeError):
        raise ConfigurationError(
            f"no public vocabulary is known for `{model}`, so its tokens cannot be counted exactly.\n"
            f"Known encodings: {', '.join(ENCODINGS)}.\n\n"
            "To fix: name one of them as `model`, or use the estimate: count_tokens(text)"
        ) from None
    return tokenizer
