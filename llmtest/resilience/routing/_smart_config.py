"""What goes to the cheap provider, and when its answer does not do."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple, get_args

from llmtest.errors import ConfigurationError
from llmtest.resilience.routing._score import Tier, explain, prompt_of
from llmtest.types import CompletionRequest, CompletionResponse, RefusalPart, is_number
from llmtest.types._spelling import settings_tell_near_arguments

__all__ = ["UNCERTAIN", "Decision", "SmartRoutingConfig"]

Cascade = Literal["error", "uncertain"]
CASCADES: tuple[str, ...] = get_args(Cascade)
TARGETS = ("cheap", "primary")
HINT = re.compile(r"\s*\[tier:\s*(flash|standard|pro|frontier)\s*\]\s*", re.IGNORECASE)
LOOKED_AT = 300
"""Characters of an answer that are looked at for words of doubt: further on they are about a part of it."""

UNCERTAIN = (
    "i'm not sure",
    "i am not sure",
    "i'm not certain",
    "i am not certain",
    "i don't know",
    "i do not know",
    "i'm unsure",
    "i can't answer",
    "i cannot answer",
    "i can't determine",
    "i cannot determine",
    "i don't have enough information",
    "i do not have enough information",
    "i'm unable to answer",
    "i am unable to answer",
    "it's unclear",
    "it is unclear",
    "beyond my knowledge",
    "hard to say",
    "could you clarify",
)
"""Words by which an answer says that it is none."""


class Decision(NamedTuple):
    """Where a prompt goes, and why.

    Args:
        is_cheap: Whether the cheap provider is asked first.
        cause: `tools`, `hint`, `override`, `model` or `score`.
        tier: Its tier; None where nothing was scored.
        score: Its score; None where something else decided.
        request: The request as it is sent: without the hint.
    """

    is_cheap: bool
    cause: str
    tier: Tier | None
    score: float | None
    request: CompletionRequest


@settings_tell_near_arguments
@dataclass(frozen=True, slots=True, kw_only=True)
class SmartRoutingConfig:
    """Simple prompts go to a cheap provider, others to the primary one.

    Who gets a prompt is decided by the first of these that says something: tools (declared, called or answered: always
    the primary provider), a model that the request names, a hint in the prompt (`[tier:flash]`, `standard`: cheap;
    `pro`, `frontier`: primary; it is not sent), `overrides`, and the score (`explain`).

    Args:
        cascade_enabled: Whether the primary provider is asked where the cheap one does not do.
        complexity_threshold: Score from which on a prompt goes to the primary provider; from 0 to 1. At 0 all do.
        cascade_on: When the cheap one does not do: on an `error` that another provider can mend, or on an answer that
            is empty or `uncertain`; None: both. A stream is append-only, so an uncertain one stays.
        overrides: `cheap` or `primary` by a regular expression that is looked for in the prompt; the first one counts.
        uncertain_phrases: Words of an answer that tell of uncertainty, in its first 300 characters.

    Raises:
        ConfigurationError: A number outside its range, a word that is none, an expression that is none, or a cascade
            that is off and on.

    Example:
        >>> SmartRoutingConfig().complexity_threshold
        0.6
    """

    cascade_enabled: bool = True
    complexity_threshold: float = 0.6
    cascade_on: Collection[Cascade] | None = None
    overrides: Mapping[str, Literal["cheap", "primary"]] = field(default_factory=dict)
    uncertain_phrases: Collection[str] = UNCERTAIN

    def __post_init__(self) -> None:
        threshold = self.complexity_threshold
        if not is_number(threshold) or not 0 <= threshold <= 1:
            raise ConfigurationError(f"routing: complexity_threshold must be from 0 to 1, got {threshold!r}")
        if self.cascade_on is not None:
            self._check_cascade(self.cascade_on)
        for pattern, target in self.overrides.items():
            if target not in TARGETS:
                raise ConfigurationError(
                    f"routing: the override {pattern!r} leads to `cheap` or `primary`, got {target!r}"
                )
            try:
                re.compile(pattern)
            except re.error as error:
                raise ConfigurationError(
                    f"routing: the override {pattern!r} is no regular expression: {error}"
                ) from None

    def _check_cascade(self, given: Collection[str]) -> None:
        words = [given] if isinstance(given, str) else list(given)
        wrong = next((word for word in words if word not in CASCADES), None)
        if wrong is not None or isinstance(given, str):
            raise ConfigurationError(
                f"routing: cascade_on is a collection of `error` and `uncertain`, got {given!r}.\n"
                'To fix: cascade_on={"error"}'
            )
        if bool(words) is not self.cascade_enabled:
            state = "on" if self.cascade_enabled else "off"
            raise ConfigurationError(
                f"routing: cascade_on={given!r} and cascade_enabled={self.cascade_enabled}: the cascade is {state} and "
                "not.\nTo fix: leave one of them out"
            )

    def cascades_on(self, cause: Cascade) -> bool:
        """Tell whether the primary provider is asked for this reason."""
        return self.cascade_enabled and (self.cascade_on is None or cause in self.cascade_on)

    def decide(self, request: CompletionRequest, cheap_model: str | None = None) -> Decision:
        """Return where a request goes.

        Args:
            request: The request.
            cheap_model: The model of the cheap provider, for requests that name one.
        """
        if request.tools or any(message.role == "tool" or message.tool_calls for message in request.messages):
            return Decision(False, "tools", None, None, request)
        if request.model is not None:
            return Decision(request.model == cheap_model, "model", None, None, request)
        prompt = prompt_of(request)
        hint = HINT.search(prompt)
        if hint is not None:
            tier = Tier(hint[1].lower())
            without = _without_hint(request)
            return Decision(tier in {Tier.FLASH, Tier.STANDARD}, "hint", tier, None, without)
        for pattern, target in self.overrides.items():
            if re.search(pattern, prompt):
                return Decision(target == "cheap", "override", None, None, request)
        found = explain(prompt)
        is_cheap = found.score < self.complexity_threshold
        return Decision(is_cheap, "score", found.tier, found.score, request)

    def doubt_of(self, response: CompletionResponse) -> str | None:
        """Return what tells that an answer is none: `empty`, or its words; None where it is one."""
        if response.tool_calls or any(isinstance(part, RefusalPart) for part in response.parts):
            return None
        text = (response.content or "").strip()
        if not text:
            return "empty"
        said = text[:LOOKED_AT].lower().replace("\u2019", "'")
        return next((phrase for phrase in self.uncertain_phrases if phrase.lower() in said), None)


def _without_hint(request: CompletionRequest) -> CompletionRequest:
    """Return a request whose last prompt says nothing of tiers; the hint is for us alone."""
    messages = list(request.messages)
    at = max(index for index, message in enumerate(messages) if message.role == "user")
    content = messages[at].content
    if isinstance(content, str):
        messages[at] = replace(messages[at], content=HINT.sub(" ", content).strip())
    return replace(request, messages=tuple(messages))
