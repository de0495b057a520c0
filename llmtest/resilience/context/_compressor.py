"""Make a request shorter: by a summary where one can be had, else by what is left out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from llmtest.events import ContextCompressed, SummaryFailed, publish
from llmtest.resilience.context._compression import cut_before_recent, latest, tokens_of, within
from llmtest.resilience.context._summary import as_message, request_for

if TYPE_CHECKING:
    from llmtest.clock import Clock
    from llmtest.events import CompressionWay, SummaryCause
    from llmtest.resilience.context._token_budget_config import TokenBudgetConfig
    from llmtest.types import CompletionRequest, CompletionResponse

__all__ = ["Compressor"]

AskSummary = Callable[["CompletionRequest"], Awaitable["CompletionResponse"]]
RECOVERY_SHARE = 0.5
"""What is left of the window after a provider has said that a prompt is too long: MoFA's half."""


class Compressor:
    """Makes the requests of one call fit.

    Args:
        config: How.
        window: The window that counts.
        clock: The time.
        call_id: Number of the call, for the trace; 0 where there is none.
    """

    def __init__(self, config: TokenBudgetConfig, window: int, clock: Clock, call_id: int) -> None:
        self._config = config
        self._window = window
        self._clock = clock
        self._call_id = call_id

    async def fit(self, request: CompletionRequest, ask: AskSummary) -> CompletionRequest:
        """Return the request, made shorter where its prompt takes too much of the window.

        Args:
            request: The request.
            ask: Asks for a summary. Whatever it raises, but for what ends the whole call, is told to the trace.
        """
        config = self._config
        room = config.room(self._window, request.max_tokens)
        if config.max_messages is not None:
            request = self._told(request, latest(request, config.max_messages), "sliding_window")
        before = tokens_of(request, request.messages)
        if before <= room:
            return request
        shorter = request
        way: CompressionWay = "sliding_window"
        if config.use_llm_summarize:
            summed_up = await self._summed_up(request, ask)
            if summed_up is not None:
                shorter, way = summed_up, "summary"
            elif config.on_failure == "original":
                return request
        return self._told(request, within(shorter, room, config.keep_recent_on_summarize), way, before)

    async def _summed_up(self, request: CompletionRequest, ask: AskSummary) -> CompletionRequest | None:
        config = self._config
        cut = cut_before_recent(request.messages, config.keep_recent_on_summarize)
        if not cut.old:
            return None
        most = min(config.summary_max_tokens, max(1, self._window // 4))
        asked = request_for(request, cut.old, max_tokens=most, model=config.summary_model, room=self._window)
        if asked is None:
            return self._no_summary("no_room")
        try:
            answer = await ask(asked)
        except Exception as error:  # noqa: BLE001 - a summary that fails never keeps the call from being made
            return self._no_summary("error", error)
        if not (answer.content or "").strip():
            return self._no_summary("empty")
        summary = as_message(answer.content or "")
        if tokens_of(request, [summary]) >= tokens_of(request, cut.old):
            return self._no_summary("too_long")
        return replace(request, messages=(*cut.system, summary, *cut.kept))

    def _no_summary(self, cause: SummaryCause, error: Exception | None = None) -> CompletionRequest | None:
        publish(SummaryFailed(self._clock.now_ns(), self._call_id, cause, error))
        return None

    def recover(self, request: CompletionRequest, known_window: int | None) -> CompletionRequest | None:
        """Return the request at half the window, after a provider has refused it as too long; None: it has no less.

        Args:
            request: The request that was refused.
            known_window: The window, where the provider said it.
        """
        before = tokens_of(request, request.messages)
        window = min(self._window, known_window or self._window)
        limit = max(1, int(window * RECOVERY_SHARE))
        if before <= limit:
            # The estimate was too low: what the provider counts is more.
            limit = before // 2
        shorter = within(request, limit, self._config.keep_recent_on_summarize)
        if shorter is request:
            return None
        return self._told(request, shorter, "recovery", before)

    def _told(
        self,
        request: CompletionRequest,
        shorter: CompletionRequest,
        way: CompressionWay,
        before: int | None = None,
    ) -> CompletionRequest:
        if shorter is not request:
            before = tokens_of(request, request.messages) if before is None else before
            after = tokens_of(shorter, shorter.messages)
            counts = len(request.messages), len(shorter.messages)
            publish(ContextCompressed(self._clock.now_ns(), self._call_id, way, *counts, before, after))
        return shorter
