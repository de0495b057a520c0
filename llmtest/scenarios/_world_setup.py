"""A scenario's providers and faults in a world."""

from __future__ import annotations

from llmtest.costs import Prices, default_prices
from llmtest.faults import FaultRule
from llmtest.scenarios._spec import ProviderSpec, Scenario
from llmtest.simulation import World

__all__ = ["furnish", "prices_of"]


def prices_of(scenario: Scenario) -> Prices:
    """Return the published prices, with those that the scenario states itself on top."""
    own = [spec for spec in scenario.providers if spec.price is not None or spec.dialect not in (None, spec.name)]
    if not own:
        return default_prices()
    prices = default_prices().copy()
    for spec in own:
        if spec.dialect is not None and spec.dialect != spec.name:
            prices.alias(spec.name, of=spec.dialect)
        if spec.price is not None:
            prompt, answer = spec.price
            prices.add(f"{spec.name}:{spec.model}", input_usd_per_mtok=prompt, output_usd_per_mtok=answer)
    return prices


def furnish(world: World, scenario: Scenario, *, plays: bool = True) -> list[FaultRule]:
    """Give a world the scenario's providers, quotas, latencies, fragmentation and faults; return the fault rules.

    Scripts and default answers are left to the caller.

    Args:
        world: A world whose providers have no quotas and latencies yet.
        scenario: The scenario.
        plays: Whether recorded sessions answer what comes over HTTP; a chain is answered from them without it.
    """
    for spec in scenario.providers:
        _furnish_provider(world, spec, plays=plays)
    if scenario.fragmentation is not None:
        world.fragmentation = scenario.fragmentation
    rules = [fault.rule() for fault in scenario.faults]
    started_ns = world.clock.now_ns()
    for rule in rules:
        rule.at_ns += started_ns  # A world that several tests share, or one in real time, has a past already.
    return [world.add_fault_rule(rule) for rule in rules]


def _furnish_provider(world: World, spec: ProviderSpec, *, plays: bool) -> None:
    handle = world.provider(spec.name, dialect=spec.dialect, base_url=spec.base_url)
    if spec.limits:
        handle.limits(**spec.limits)
    if spec.latency is not None:
        handle.latency(spec.latency)
    if spec.plays is not None and plays:
        # A load asks again and again; the recorded pauses are the latency where the file gives no other.
        handle.plays(spec.plays, speed=1.0 if spec.latency is None else None, optional=True, repeat="last")
