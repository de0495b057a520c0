"""Calls of a chain, on the direct path: no HTTP between chain and simulated providers."""

from __future__ import annotations

from collections.abc import Iterator

from llmtest.config import ChainSection, Location, SlotSection, build_chain
from llmtest.errors import LLMTestError
from llmtest.resilience import CircuitBreakerConfig
from llmtest.scenarios._arrivals import Arrival
from llmtest.scenarios._prompts import answer_direct, request_of
from llmtest.scenarios._spec import Scenario
from llmtest.simulation import World

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


class ChainCalls:
    """Makes the calls of a run.

    Args:
        scenario: A scenario with a chain.
        world: Its providers and faults.
    """

    def __init__(self, scenario: Scenario, world: World) -> None:
        assert scenario.chain is not None
        models = {spec.name: spec.model for spec in scenario.providers}
        for spec in scenario.providers:
            world.provider(spec.name).replies(answer_direct, times=None)
        providers = {
            f"{slot.provider}/{slot.model}" if slot.model else slot.provider: world.provider(slot.provider).as_provider(
                slot.model or models[slot.provider]
            )
            for _, slot in asked_slots(scenario.chain)
        }
        self._chain = build_chain(
            scenario.chain, providers, budget=scenario.budget, prices=world.prices, seed=world.seed
        )
        self.call = self._stream if scenario.load.stream else self._complete

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
