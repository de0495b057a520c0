"""The window around the calls of a chain: shorter prompts before it is full, and one more try where it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from llmtest.errors import AllProvidersFailedError, ConfigurationError, ContextLengthExceededError
from llmtest.resilience.context._compressor import Compressor
from llmtest.resilience.context._token_budget_config import TokenBudgetConfig
from llmtest.resilience.hedging._branch import Branch
from llmtest.types import CompletionRequest, CompletionResponse

if TYPE_CHECKING:
    from llmtest.resilience.pipeline._layers import AskCall, Result
    from llmtest.resilience.pipeline._pipeline import Pipeline
    from llmtest.resilience.pipeline._running_call import RunningCall
    from llmtest.resilience.pipeline._running_slot import RunningSlot

__all__ = ["ContextLayer", "too_long", "with_context"]

PURPOSE = "summary"


def with_context(
    pipeline: Pipeline, config: TokenBudgetConfig | None, chain: str, places: Sequence[RunningSlot]
) -> Pipeline:
    """Return what stands around the calls of a chain, with shorter prompts outermost.

    Raises:
        ConfigurationError: `context` is no `TokenBudgetConfig`, or has limits, which are the chain's to set.
    """
    if config is None:
        return pipeline
    if not isinstance(config, TokenBudgetConfig):
        raise ConfigurationError(
            f"chain `{chain}`: `context` is a `TokenBudgetConfig`, not {config!r}.\n"
            "To fix: context=TokenBudgetConfig(context_window_tokens=16_000)"
        )
    if config.budget is not None:
        raise ConfigurationError(
            f"chain `{chain}`: the limits of `context` would not apply; those of a chain are its own.\n"
            "To fix: FallbackChain(..., budget=BudgetConfig(...)), and leave `budget` out of `context`"
        )
    return replace(pipeline, call_layers=(ContextLayer(config, places), *pipeline.call_layers))


def too_long(error: BaseException) -> ContextLengthExceededError | None:
    """Return what says that a prompt was too long: an error, or the first of several; None: it is something else."""
    if isinstance(error, ContextLengthExceededError):
        return error
    if isinstance(error, AllProvidersFailedError):
        return next((each for _, each in error.errors if isinstance(each, ContextLengthExceededError)), None)
    return None


class ContextLayer:
    """Makes prompts shorter before they are sent, and once more when a provider refuses one as too long.

    Args:
        config: When, and how.
        places: Every place of the chain, whose windows count where the configuration names none.
    """

    def __init__(self, config: TokenBudgetConfig, places: Sequence[RunningSlot]) -> None:
        self._config = config
        self._places = places

    def around(self, further: AskCall) -> AskCall:
        """Put it around what answers calls."""

        async def ask(call: RunningCall) -> Result:
            compressor = Compressor(self._config, self._config.window(self._published(call)), call.clock, call.id)

            async def sum_up(request: CompletionRequest) -> CompletionResponse:
                return await _ask_beside(call, request, further)

            request = await compressor.fit(call.request, sum_up)
            if request is not call.request:
                _change(call, request, "shorter")
            try:
                return await further(call)
            except (AllProvidersFailedError, ContextLengthExceededError) as error:
                refusal = too_long(error)
                again = None if refusal is None else compressor.recover(call.request, refusal.max_tokens)
                if again is None:
                    raise
            _change(call, again, "recovered")
            return await further(call)

        return ask

    def _published(self, call: RunningCall) -> int | None:
        windows = [place.window(call.request.model, call.prices) for place in self._places if not place.is_chain]
        return min((window for window in windows if window is not None), default=None)


def _change(call: RunningCall, request: CompletionRequest, why: str) -> None:
    """Let a call go on with another request, which providers must not take for the same one."""
    if request.idempotency_key is not None:
        request = replace(request, idempotency_key=f"{request.idempotency_key}-{why}")
    call.request = request
    call.forget_name()


async def _ask_beside(call: RunningCall, request: CompletionRequest, further: AskCall) -> CompletionResponse:
    """Ask for something else in the middle of a call: an attempt of it, with its own purpose."""
    beside = Branch(call, 0, call.parts, ())
    beside.request = request
    beside.purpose = PURPOSE
    beside.streaming = False
    beside.forget_name()
    try:
        answer = await further(beside)
    finally:
        call.attempts += beside.attempts
    assert isinstance(answer, CompletionResponse), "a call without a stream is answered with a response"
    return answer
