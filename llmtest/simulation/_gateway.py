"""What a gateway does that stands before other providers: it asks the next model, and says what an answer costs."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from llmtest import errors
from llmtest.types import CompletionRequest, ModelCard
from llmtest.wire import WireCall

if TYPE_CHECKING:
    from llmtest.simulation._engine import Engine
    from llmtest.simulation.plan._answer import Answer
    from llmtest.simulation.plan._plan import Exchange

__all__ = ["ask_others", "priced", "state_cost"]

_PASSED_ON = (
    errors.RateLimitedError,
    errors.ServerError,
    errors.ContextLengthExceededError,
    errors.ContentFilteredError,
    errors.ModelNotFoundError,
    errors.ProviderTimeoutError,
)
"""Failures of a model after which the next one is asked; a wrong request or key is wrong at each."""
_PER_TOKEN = 1_000_000


def ask_others(engine: Engine, call: WireCall, exchange: Exchange, answer: Answer) -> tuple[WireCall, Answer]:
    """Let the further models answer that a request names, one after the other, while those before them fail.

    Args:
        engine: The provider.
        call: The request; `shaping["models"]` are the further models.
        exchange: How it came.
        answer: What the first model answered.

    Returns:
        The request as the model got it that answers, and its answer; those of the last one where all fail.
    """
    for model in call.shaping["models"]:
        if not isinstance(answer.error, _PASSED_ON):
            break
        call = _addressed(call, model)
        answer = engine.decide_again(call, exchange, answer)
    return call, answer


def _addressed(call: WireCall, model: str) -> WireCall:
    request = call.request
    found = copy(call)
    found.model = model
    if isinstance(request, CompletionRequest):
        found = found.with_request(request.with_model(model), found.recalled)
        found.model = model
    return found


def state_cost(engine: Engine, answer: Answer) -> None:
    """Let an answer say what it costs, where its price is known."""
    response = answer.response
    if response is None or response.usage.cost_usd is not None or response.usage.source == "unknown":
        return
    cost = engine.world.prices.cost(engine.name, response.model, response.usage, tier=response.service_tier)
    if cost is not None:
        answer.response = replace(response, usage=replace(response.usage, cost_usd=cost))


def priced(engine: Engine, card: ModelCard, owner: str) -> ModelCard:
    """Return an entry of a list of models with the model's window and its prices in USD for a token.

    Args:
        engine: The provider.
        card: The entry.
        owner: Under which name the entry keeps what only its dialect tells.
    """
    prices = engine.world.prices
    rates = prices.rates(engine.name, card.id)
    told: dict[str, Any] = {}
    if rates is not None:
        told = {"prompt": rates.input, "completion": rates.output, "input_cache_read": rates.cache_read}
        told |= {"input_cache_write": rates.cache_write}
    texts = {name: f"{rate / _PER_TOKEN:f}" for name, rate in told.items() if rate is not None}
    window = card.max_input_tokens or prices.context_window(engine.name, card.id)
    return replace(card, max_input_tokens=window, extra={owner: {"pricing": texts}, **card.extra})
