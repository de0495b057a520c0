"""Calls of a chain, on the direct path: no HTTP between chain and simulated providers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from llmtest.config import ChainSection, Location, SlotSection, build_chain
from llmtest.errors import LLMTestError
from llmtest.resilience import CircuitBreakerConfig
from llmtest.scenarios._arrivals import Arrival
from llmtest.scenarios._handed_answers import ask_async, ask_blocking
from llmtest.scenarios._observations import Observations
from llmtest.scenarios._prompts import answer_direct, request_of
from llmtest.scenarios._spec import ProviderSpec, Scenario
from llmtest.simulation import World
from llmtest.types import CompletionRequest

__all__ = ["ChainCalls", "asked_slots", "breaker_config", "has_breakers"]


def asked_slots(chain: ChainSection, at: Location = ("chain",)) -> Iterator[tuple[Location, SlotSection]]:
    """Yield the slots of a chain that ask a provider, those of chains inside it included, and where each stands.

    Args:
        chain: The chain.
        at: Where it stands in the file.
    """
    for index, slot in enumerate(chain.providers):
        place = (*at, "providers", index)
        if slot.chain is None:
            yield place, slot
        else:
            yield from asked_slots(slot.chain, (*place, "chain"))


def has_breakers(chain: ChainSection | None) -> bool:
    """Tell whether any slot of a chain has a circuit breaker; they are on unless the file says `null`."""
    if chain is None:
        return False
    is_off = "circuit_breaker" in chain.model_fields_set and chain.circuit_breaker is None
    return any(
        # A chain inside has circuits of its own, and one around it only where its slot says so.
        slot.circuit_breaker is not None or (not is_off if slot.chain is None else has_breakers(slot.chain))
        for slot in chain.providers
    )


def breaker_config(chain: ChainSection | None) -> CircuitBreakerConfig | None:
    """Return the settings that hold for every circuit of a chain; None where slots differ, or have none."""
    if chain is None or not has_breakers(chain):
        return None
    if any(slot.circuit_breaker is not None or slot.chain is not None for slot in chain.providers):
        return None
    return CircuitBreakerConfig() if chain.circuit_breaker is None else chain.circuit_breaker.config()


def _answer_of(
    spec: ProviderSpec, scenario: Scenario, world: World, observations: Observations | None
) -> str | Callable[[CompletionRequest], Any]:
    """Return what a provider of a chain says.

    Raises:
        ScenarioError: Its recorded session has nothing of it.
    """
    if spec.plays is None:
        return answer_direct if spec.answer is None else spec.answer
    from llmtest.scenarios._chain_recording import ChainRecording

    session = ChainRecording(spec, world, streams=scenario.load.stream, file=scenario.path)
    if observations is not None:
        observations.says(spec.name, session.texts)
    return session


class ChainCalls:
    """Makes the calls of a run.

    Args:
        scenario: A scenario with a chain.
        world: Its providers and faults.
        observations: Is told what callers are handed, where a check asks for that.

    Raises:
        ScenarioError: A recorded session has nothing that a provider of the chain could say.
    """

    def __init__(self, scenario: Scenario, world: World, observations: Observations | None = None) -> None:
        assert scenario.chain is not None
        models = {spec.name: spec.model for spec in scenario.providers}
        for spec in scenario.providers:
            world.provider(spec.name).replies(_answer_of(spec, scenario, world, observations), times=None)
        providers = {
            f"{slot.provider}/{slot.model}" if slot.model else slot.provider: world.provider(slot.provider).as_provider(
                slot.model or models[slot.provider]
            )
            for _, slot in asked_slots(scenario.chain)
        }
        self._chain = build_chain(
            scenario.chain, providers, budget=scenario.budget, prices=world.prices, seed=world.seed
        )
        self._streams, self._blocking = scenario.load.stream, scenario.load.blocking
        self._observations = observations
        self.call = self._stream if scenario.load.stream else self._complete
        if self._blocking or (observations is not None and observations.watches_answers):
            self.call = self._read

    async def _read(self, arrival: Arrival) -> None:
        """Ask as somebody who reads what comes, and tell what that was."""
        request = request_of(arrival.input_tokens, arrival.output_tokens)
        try:
            if self._blocking:
                response, text = ask_blocking(self._chain, request, stream=self._streams)
            else:
                response, text = await ask_async(self._chain, request, stream=self._streams)
        except LLMTestError:
            return  # The chain has told the trace, which counts it.
        if self._observations is not None:
            self._observations.handed(response, text)

    async def _complete(self, arrival: Arrival) -> None:
        try:  # noqa: SIM105 - `suppress` costs a microsecond on every call
            await self._chain.complete_async(request_of(arrival.input_tokens, arrival.output_tokens))
        except LLMTestError:
            pass  # The chain has told the trace, which counts it.

    async def _stream(self, arrival: Arrival) -> None:
        try:
            async with self._chain.stream_async(request_of(arrival.input_tokens, arrival.output_tokens)) as events:
                async for _ in events:
                    pass
        except LLMTestError:
            pass  # The chain has told the trace, which counts it.
