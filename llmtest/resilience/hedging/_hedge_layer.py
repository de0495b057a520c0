"""The race around a call of a chain: the first request, those that are sent beside it, and who wins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from llmtest.errors import ConfigurationError, LLMTestError
from llmtest.events import HedgeDecided, HedgeSent, publish
from llmtest.resilience.hedging._branch import Branch
from llmtest.resilience.hedging._hedging import NS, HedgingConfig, Latencies
from llmtest.resilience.hedging._lanes import Lane, Lanes, lanes_for
from llmtest.resilience.pipeline._layers import AskCall, Result, Selection
from llmtest.resilience.pipeline._open_stream import OpenStream
from llmtest.types import CompletionRequest

if TYPE_CHECKING:
    from llmtest.resilience.pipeline._pipeline import Pipeline
    from llmtest.resilience.pipeline._running_call import RunningCall
    from llmtest.resilience.pipeline._running_slot import RunningSlot

__all__ = ["HedgeLayer", "in_branches", "with_hedging"]


def with_hedging(
    pipeline: Pipeline, config: HedgingConfig | None, chain: str, places: Sequence[RunningSlot]
) -> Pipeline:
    """Return what stands around the calls of a chain, with hedging innermost of what stands around a whole call.

    Raises:
        ConfigurationError: A second request would go to nobody else.
    """
    if config is None:
        return pipeline
    if not isinstance(config, HedgingConfig):
        raise ConfigurationError(
            f"chain `{chain}`: `hedging` is a `HedgingConfig`, not {config!r}.\n"
            "To fix: hedging=HedgingConfig(delay=2.0)"
        )
    if config.to == "next" and len(places) < 2:
        raise ConfigurationError(
            f"chain `{chain}` has one provider, and hedging is to ask the `next` one.\n"
            'To fix: add a provider, or say HedgingConfig(to="same")'
        )
    return replace(pipeline, call_layers=(*pipeline.call_layers, HedgeLayer(chain, config)))


def in_branches(selection: Selection, config: HedgingConfig | None) -> Selection:
    """Return the selection of a chain as the requests of a call that run side by side go by it."""
    return selection if config is None else BranchOrder(selection, config.to == "next")


class HedgeLayer:
    """Sends a call once more while it is not answered.

    Args:
        chain: Name of the chain.
        config: When.
    """

    def __init__(self, chain: str, config: HedgingConfig) -> None:
        self.chain = chain
        self.config = config
        self.latencies = Latencies(config.samples)
        self._fixed_ns = None if config.delay is None else round(config.delay * NS)

    def delay_ns(self) -> int | None:
        """Return after how long a second request is sent; None while that is not known."""
        if self._fixed_ns is not None:
            return self._fixed_ns
        percentile = self.config.percentile
        if percentile is None or len(self.latencies) < self.config.min_samples:
            return None
        return max(self.latencies.percentile(percentile), 1)

    def around(self, further: AskCall) -> AskCall:
        """Put the race around what answers a call."""

        async def ask(call: RunningCall) -> Result:
            if not self.config.allow_tools and may_have_effects(call.request):
                return await further(call)
            delay_ns = self.delay_ns()
            if delay_ns is None:
                result = await further(call)
                self.note(result, call)
                return result
            return await _Race(self, call, further, delay_ns).run()

        return ask

    def note(self, result: Result, call: RunningCall) -> None:
        """Remember how long an answer took: a whole one, or the first piece of a stream."""
        if self._fixed_ns is not None:
            return
        if not isinstance(result, OpenStream):
            if result.attempts:
                self.latencies.add(result.attempts[-1].end_ns - result.attempts[-1].start_ns)
        elif result.attempt is not None:
            self.latencies.add(call.clock.now_ns() - result.attempt.start_ns)


def may_have_effects(request: CompletionRequest) -> bool:
    """Tell whether answering a request twice may do something twice: it declares tools, or brings their results."""
    return bool(request.tools) or any(message.role == "tool" or message.tool_calls for message in request.messages)


class _Race:
    """One call, and the requests that run side by side for it.

    Args:
        layer: Whose it is.
        call: The call.
        further: What answers it.
        delay_ns: After how long another request is sent.
    """

    def __init__(self, layer: HedgeLayer, call: RunningCall, further: AskCall, delay_ns: int) -> None:
        self._layer = layer
        self._call = call
        self._further = further
        self._delay_ns = delay_ns
        self._lanes: Lanes = lanes_for(call.parts, call.clock)
        self._branches: list[Branch] = []
        self._running: list[Lane] = []
        self._start_ns = call.clock.now_ns()

    async def run(self) -> Result:
        """Return the first answer.

        Raises:
            LLMTestError: No request was answered; it is the error of the first one.
        """
        self._start()
        failed: list[Lane] = []
        try:
            while True:
                lane = await self._lanes.first(self._running, self._left_ns())
                if lane is None:
                    if self._left_ns() == 0:
                        self._send_beside()
                    continue
                self._running.remove(lane)
                if lane.error is None:
                    break
                failed.append(lane)
                if not isinstance(lane.error, Exception):
                    raise lane.error
                if not self._running:
                    raise self._lost(failed)
        finally:
            given_up, self._running = self._running, []
            await self._lanes.give_up(given_up)
        return self._won(lane, len(given_up))

    def _start(self) -> None:
        number = len(self._branches)
        branch = Branch(self._call, number, self._lanes.parts(), tuple(self._branches))
        self._branches.append(branch)
        lane = Lane(number)
        self._running.append(lane)
        self._lanes.start(lane, self._ask(branch))

    async def _ask(self, branch: Branch) -> Result:
        return await self._further(branch)

    def _left_ns(self) -> int | None:
        """Return how long until another request is sent; None if none is any more."""
        sent = len(self._branches)
        call = self._call
        if sent > self._layer.config.max_hedges or call.is_spent:
            return None
        due_ns = self._start_ns + sent * self._delay_ns
        if call.deadline_ns is not None and due_ns >= call.deadline_ns:
            return None
        return max(0, due_ns - call.clock.now_ns())

    def _send_beside(self) -> None:
        call = self._call
        waited = (call.clock.now_ns() - self._start_ns) / NS
        publish(HedgeSent(call.clock.now_ns(), call.id, self._layer.chain, len(self._branches), waited))
        self._start()

    def _lost(self, failed: Sequence[Lane]) -> BaseException:
        """Return the error of the first request, with every attempt."""
        lane = min(failed, key=lambda lane: lane.number)
        self._branches[lane.number].closes(self._branches)
        assert lane.error is not None
        if isinstance(lane.error, LLMTestError):
            lane.error.attempts = tuple(self._call.attempts)
        return lane.error

    def _won(self, lane: Lane, given_up: int) -> Result:
        call, layer, branch = self._call, self._layer, self._branches[lane.number]
        branch.closes(self._branches)
        result = lane.result
        assert result is not None
        if not isinstance(result, OpenStream):
            result = replace(result, attempts=tuple(branch.attempts))
        if len(self._branches) > 1:
            now_ns, at = call.clock.now_ns(), branch.at
            name, model = (None, None) if at is None else (at.name, at.provider.model)
            publish(HedgeDecided(now_ns, call.id, layer.chain, lane.number, name, model, given_up))
            if lane.number and layer.config.percentile is not None:
                # The first would have taken longer still: without it, what is slow would be forgotten.
                layer.latencies.add(now_ns - self._start_ns)
        if not lane.number:
            layer.note(result, call)
        return result


class BranchOrder:
    """The selection of a chain, for the requests of a call that run side by side.

    Args:
        inner: The selection.
        elsewhere: Whether a request beside the first goes to another place, where there is one.
    """

    __slots__ = ("_elsewhere", "_inner")

    def __init__(self, inner: Selection, elsewhere: bool) -> None:
        self._inner = inner
        self._elsewhere = elsewhere

    def order(self, places: Sequence[RunningSlot], call: RunningCall) -> Sequence[RunningSlot]:
        """Return the places in the order of the selection, those first that a request beside others is meant for."""
        found = self._inner.order(places, call)
        if isinstance(call, Branch):
            if call.siblings:
                asked = {branch.at.index for branch in call.siblings if branch.at is not None}
                found = sorted(found, key=lambda place: (place.index in asked) is self._elsewhere)
            call.at = found[0] if found else None
        return found

    def after(
        self, place: RunningSlot, error: Exception, call: RunningCall, left: Sequence[RunningSlot]
    ) -> RunningSlot | None:
        """Return who is asked next, as the selection says."""
        following = self._inner.after(place, error, call, left)
        if isinstance(call, Branch) and following is not None:
            call.at = following
        return following
