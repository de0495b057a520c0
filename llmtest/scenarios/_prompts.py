"""What is said in a simulated call: texts whose only property is their length in tokens."""

from __future__ import annotations

from contextvars import ContextVar
from functools import lru_cache

from llmtest.costs import estimate_request_tokens
from llmtest.scenarios._spec import Scenario
from llmtest.simulation import Reply
from llmtest.types import ChatMessage, CompletionRequest, Usage

__all__ = ["answer_direct", "answer_size", "answer_target", "answers_of", "prompt_text", "request_of"]

MESSAGE_TOKENS = 4
"""What the estimate adds for a message's role and framing."""
CHARS_PER_TOKEN = 4
DEFAULT_ANSWER_TOKENS = 150
SHORT_ANSWER = "It works."

_WORDS = "the quick brown fox jumps over a lazy dog while many tokens flow through the model and back again "
_text = _WORDS * 400

answer_size: ContextVar[int] = ContextVar("llmtest_answer_size", default=DEFAULT_ANSWER_TOKENS)
"""Tokens of the answer to the call that the running code belongs to."""


def _filler(tokens: int) -> str:
    global _text  # noqa: PLW0603 - one text for all calls, grown to the longest that was needed
    length = tokens * CHARS_PER_TOKEN
    while len(_text) < length:
        _text += _text
    return _text[:length]


def prompt_text(tokens: int) -> str:
    """Return a prompt of so many tokens; 5 at least, as its framing counts too."""
    return _filler(max(1, tokens - MESSAGE_TOKENS))


@lru_cache(maxsize=256)
def request_of(input_tokens: int, output_tokens: int) -> CompletionRequest:
    """Return a request of so many tokens, which allows the answer exactly its own."""
    message = ChatMessage("user", prompt_text(input_tokens))
    return CompletionRequest(messages=(message,), max_tokens=max(1, output_tokens))


def answer_direct(request: CompletionRequest) -> Reply:
    """Answer a request of `request_of`: a few words that bill the tokens which were asked for."""
    return _billed(estimate_request_tokens(request), request.max_tokens or 1)


@lru_cache(maxsize=4096)
def _billed(input_tokens: int, output_tokens: int) -> Reply:
    return Reply(SHORT_ANSWER, usage=Usage(input_tokens, output_tokens))


def answers_of(scenario: Scenario) -> dict[str, frozenset[str]]:
    """Return what each provider of a chain says when it is well; what those say that play a session is told later."""
    said = {spec.name: SHORT_ANSWER if spec.answer is None else spec.answer for spec in scenario.providers}
    return {name: frozenset([text]) for name, text in said.items()}


def answer_target(_: CompletionRequest) -> Reply:
    """Answer a request of somebody's own app, in full length, because its client reads every byte."""
    return Reply(_filler(answer_size.get()))
