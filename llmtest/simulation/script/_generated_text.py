"""Text that nobody wrote: seeded Faker words, and filler for faults that need something to break."""

from __future__ import annotations

from collections.abc import Callable

from llmtest.clock import draw_bits
from llmtest.errors import ConfigurationError
from llmtest.simulation.script._generated_words import Words
from llmtest.types import CompletionRequest

__all__ = ["echo", "filler", "generator", "last_user_text"]

FILLER = ("This", "is", "filler", "text", "of", "a", "simulated", "answer")


def last_user_text(request: CompletionRequest) -> str:
    """Return the text of the last user message, or of the last message of any kind."""
    for message in reversed(request.messages):
        if message.role == "user":
            return message.text
    return request.messages[-1].text


def echo(request: CompletionRequest) -> str:
    """Answer with the prompt."""
    return last_user_text(request)


def filler(pieces: int) -> str:
    """Return a text of at least so many words."""
    return " ".join(FILLER[index % len(FILLER)] for index in range(max(pieces, len(FILLER))))


def generator(seed: int, words: int) -> Callable[[CompletionRequest], str]:
    """Make a function that answers a prompt with generated text: the same prompt, the same text.

    Args:
        seed: Seed of the text.
        words: How many words; 1 or more.

    Raises:
        ConfigurationError: `words` is below 1.
    """
    if words < 1:
        raise ConfigurationError(f"generates: words must be 1 or more, got {words}.\n\nTo fix: generates(words=40)")

    def generate(request: CompletionRequest) -> str:
        found = Words(draw_bits(seed, last_user_text(request), len(request.messages))).words(words)
        found[0] = found[0].capitalize()
        return " ".join(found) + "."

    return generate
