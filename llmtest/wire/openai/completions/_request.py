"""Legacy completions: the request, between JSON and types."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from llmtest.errors import NotSupportedError
from llmtest.types import ChatMessage, CompletionRequest
from llmtest.wire._answer_bodies import own_fields
from llmtest.wire.openai._checks import refuse, wrong_type
from llmtest.wire.openai._services import missing

__all__ = ["MOST_BY_DEFAULT", "check", "check_strictly", "prompts_of", "read", "refuse_unsayable", "write"]

MOST_BY_DEFAULT = 16
"""Tokens of an answer to a request that does not say: `max_tokens` of the API's reference."""
DIALECT = "openai"
NOTHING = "<|endoftext|>"
"""What stands for a prompt that is missing: the model begins as if from a new document."""
_MODELLED = frozenset({"prompt", "model", "stream", "max_tokens", "temperature", "top_p", "stop", "seed"}) | (
    frozenset({"n", "stream_options"})
)
_CHATS = re.compile(r"(?:o\d|chatgpt-|gpt-(?:4|5|6|3\.5-turbo(?!-instruct)))")
"""Models that only chat."""


def _is_count(value: object, least: int) -> bool:
    return type(value) is int and value >= least


def _is_stop(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(each, str) for each in value))


_CHECKS: Mapping[str, tuple[str, Callable[[object], bool]]] = {
    "n": ("an integer of 1 or more", lambda value: _is_count(value, 1)),
    "best_of": ("an integer of 0 or more", lambda value: _is_count(value, 0)),
    "max_tokens": ("an integer of 0 or more", lambda value: _is_count(value, 0)),
    "logprobs": ("an integer of 0 or more", lambda value: _is_count(value, 0)),
    "echo": ("a boolean", lambda value: isinstance(value, bool)),
    "stream": ("a boolean", lambda value: isinstance(value, bool)),
    "suffix": ("a string", lambda value: isinstance(value, str)),
    "temperature": ("a decimal", lambda value: type(value) in {int, float}),
    "top_p": ("a decimal", lambda value: type(value) in {int, float}),
    "seed": ("an integer", lambda value: type(value) is int),
    "stop": ("a string or an array of strings", _is_stop),
}


def check(body: Mapping[str, Any]) -> None:
    """Check the body of a request.

    Raises:
        WireFormatError: OpenAI would refuse it.
    """
    model = body.get("model")
    if model is None or model == "":
        raise refuse("you must provide a model parameter")
    if not isinstance(model, str):
        raise wrong_type("model", "a string", model)
    if not _is_prompt(body.get("prompt")):
        raise refuse(
            "Invalid type for 'prompt': expected one of a string, array of strings, array of integers, or array of "
            "integer arrays.",
            "prompt",
            "invalid_type",
        )
    for name, (expected, fits) in _CHECKS.items():
        value = body.get(name)
        if value is not None and not fits(value):
            raise wrong_type(name, expected, value)
    if body.get("best_of") and (body.get("n") or 1) > body["best_of"]:
        raise refuse(
            "You requested that the server return more choices than it will generate (HINT: you must set 'n' "
            f"(currently {body.get('n') or 1}) to be at most 'best_of' (currently {body['best_of']}), or omit either "
            "parameter if you don't specifically want to use them.)"
        )


def _is_prompt(value: object) -> bool:
    if value is None or isinstance(value, str):
        return True
    if not isinstance(value, list) or not value:
        return False
    if all(type(each) is int for each in value):
        return True
    return all(
        isinstance(each, str) or (isinstance(each, list) and each and all(type(token) is int for token in each))
        for each in value
    )


def check_strictly(body: Mapping[str, Any]) -> None:
    """Check what OpenAI itself checks: models that only chat, and how many probabilities it tells.

    Raises:
        WireFormatError: OpenAI would refuse it.
    """
    if _CHATS.match(body["model"]):
        raise missing(
            "This is a chat model and not supported in the v1/completions endpoint. Did you mean to use "
            "v1/chat/completions?",
            "model",
        )
    if (body.get("logprobs") or 0) > 5:
        raise refuse(
            f"Invalid value for 'logprobs': must be less than or equal to 5, but got {body['logprobs']} instead.",
            "logprobs",
        )
    if body.get("stream") is True and (body.get("best_of") or 1) > (body.get("n") or 1):
        raise refuse("Cannot stream results when 'best_of' is greater than 'n'.", "best_of")


def prompts_of(body: Mapping[str, Any]) -> list[str]:
    """Return the prompts; each token that is given by its number stands as a word of one token."""
    value = body.get("prompt")
    if value is None:
        return [NOTHING]
    if isinstance(value, str):
        return [value]
    if type(value[0]) is int:
        return [" the" * len(value)]
    return [each if isinstance(each, str) else " the" * len(each) for each in value]


def read(body: Mapping[str, Any]) -> CompletionRequest:
    """Read a body that has been checked; each prompt is a message of the user."""
    stop = body.get("stop")
    most = body.get("max_tokens")
    return CompletionRequest(
        messages=tuple(map(ChatMessage.user, prompts_of(body))),
        model=body["model"],
        max_tokens=MOST_BY_DEFAULT if most is None else most,
        temperature=body.get("temperature"),
        top_p=body.get("top_p"),
        stop_sequences=() if not stop else (stop,) if isinstance(stop, str) else tuple(stop),
        stream=body.get("stream") is True,
        seed=body.get("seed"),
        n=body.get("n"),
        extra=own_fields(DIALECT, {name: each for name, each in body.items() if each is not None}, _MODELLED),
    )


def refuse_unsayable(request: CompletionRequest) -> None:
    """Refuse what a prompt has no word for.

    Raises:
        NotSupportedError: The request is more than prompts of the user and limits of the answer.
    """
    if not all(message.role == "user" and isinstance(message.content, str) for message in request.messages):
        raise NotSupportedError("openai: a legacy completion takes prompts of the user, and no conversation")
    for name in ("tools", "tool_choice", "response_format", "reasoning_effort", "top_k", "service_tier"):
        if getattr(request, name):
            raise NotSupportedError(f"openai: a legacy completion has no `{name}`")


def write(request: CompletionRequest, *, stream: bool) -> dict[str, Any]:
    """Write the body of a request.

    Raises:
        NotSupportedError: Something of it cannot be said here.
    """
    refuse_unsayable(request)
    prompts = [message.text for message in request.messages]
    body: dict[str, Any] = {"model": request.model, "prompt": prompts[0] if len(prompts) == 1 else prompts}
    said = {
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "stop": list(request.stop_sequences) or None,
        "seed": request.seed,
        "n": request.n,
    }
    body.update((name, value) for name, value in said.items() if value is not None)
    if stream:
        body.update(stream=True, stream_options={"include_usage": True})
    return {**body, **request.extra_for(DIALECT)}
