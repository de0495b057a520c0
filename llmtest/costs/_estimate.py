"""What a call may need at most, which nobody knows better before it is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from llmtest.costs._money import money
from llmtest.costs._most_tokens import most_request_tokens
from llmtest.errors import ConfigurationError
from llmtest.types import AudioPart, ImagePart
from llmtest.types._quick_init import quick_init

if TYPE_CHECKING:
    from llmtest.costs._prices import Prices
    from llmtest.costs._tokenizers import Tokenizer
    from llmtest.types import CompletionRequest

__all__ = ["Estimate", "estimate_of"]

PLAIN = 60
"""Power of ten up to which an amount needs no closer look."""


@quick_init
@dataclass(frozen=True, slots=True)
class Estimate:
    """The most that a call may need.

    Args:
        tokens: Prompt and answer tokens; 0 or more.
        usd: Price, 0 or more; None where it is unknown, which is not zero.
        provider: Who is going to be asked.
        model: The model that is going to be asked.
        service_tier: Service tier that is asked for; None: the standard one.
        metadata: The caller's own labels of the request, for the ledger.

    Raises:
        ConfigurationError: An amount is negative, infinite or no number.
    """

    tokens: int
    usd: Decimal | None
    provider: str | None = None
    model: str | None = None
    service_tier: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        tokens, usd = self.tokens, self.usd
        if type(tokens) is not int or tokens < 0:
            raise ConfigurationError(f"`tokens` must be a whole number of 0 or more, got {tokens!r}")
        if type(usd) is Decimal and not usd.is_signed() and usd.is_finite() and usd.adjusted() < PLAIN:
            return
        if usd is not None:
            object.__setattr__(self, "usd", money(usd, "usd"))


def estimate_of(
    request: CompletionRequest,
    provider: str,
    model: str | None,
    prices: Prices,
    most: int,
    at: datetime | None,
    tokenizer: Tokenizer | None = None,
) -> Estimate:
    """Return the most that a request may need at a provider.

    Args:
        request: The request.
        provider: Who is going to be asked.
        model: The model that is going to be asked.
        prices: What models cost.
        most: Tokens of an answer where the request sets no limit.
        at: When; None: now, on the active clock.
        tokenizer: What counts the prompt; None: `most_request_tokens`.
    """
    prompt = most_request_tokens(request, tokenizer)
    answer = (request.max_tokens or most) * (request.n or 1)
    tier = request.service_tier
    if tier is None and _is_all_text(request):
        usd = prices.upper_bound(provider, model, prompt, answer, at)
        return Estimate(prompt + answer, usd, provider, model, None, request.metadata)
    answer, choices = request.max_tokens or most, request.n or 1
    for fields in request.extra.values():
        answer = _number(fields.get("max_completion_tokens"), answer)
        choices = _number(fields.get("n"), choices)
    answer *= choices
    for_an_hour = asks_for_an_hour(request)
    if tier is not None and not prices.has_tier(provider, tier):
        tier = None
    media = _has_media(request)
    usd = prices.upper_bound(provider, model, prompt, answer, at, for_an_hour=for_an_hour, media=media)
    if usd is not None and tier is not None:
        # A provider may serve a call in a lesser tier than the one that was asked for, at that one's price.
        asked = prices.upper_bound(provider, model, prompt, answer, at, tier=tier, for_an_hour=for_an_hour, media=media)
        usd = None if asked is None else max(usd, asked)
    return Estimate(prompt + answer, usd, provider, model, tier, request.metadata)


def _is_all_text(request: CompletionRequest) -> bool:
    """Tell whether a request is nothing but texts, as most are, of whom this is asked before every call."""
    for message in request.messages:
        if message.content.__class__ is tuple:
            return False
    return not (request.extra or request.tools)


def _has_media(request: CompletionRequest) -> bool:
    """Tell whether prompt or answer may hold sound or pictures, whose tokens may cost more than others."""
    for message in request.messages:
        content = message.content
        if content.__class__ is tuple and any(isinstance(part, ImagePart | AudioPart) for part in content):
            return True
    return any(fields.get("modalities") for fields in request.extra.values())


def asks_for_an_hour(request: CompletionRequest) -> bool:
    """Tell whether a request asks the provider's cache to keep something for an hour."""
    for message in request.messages:
        content = message.content
        if content.__class__ is tuple and any(getattr(part, "cache_ttl", None) == "1h" for part in content):
            return True
    if not (request.extra or request.tools):
        return False  # as most, of whom this is asked before every call
    for fields in request.extra.values():
        control = fields.get("cache_control")
        if isinstance(control, dict) and control.get("ttl") == "1h":
            return True
    return any(tool.cache_ttl == "1h" for tool in request.tools)


def _number(value: object, default: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else default
