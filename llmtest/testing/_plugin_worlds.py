"""The worlds behind the plugin's fixtures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from llmtest.simulation import Fragmentation
    from llmtest.testing._simulation import Simulation

__all__ = ["make_world"]


def make_world(
    fixture: str, seed: int, time: Literal["virtual", "real"], fragmentation: Fragmentation, start: Any
) -> Simulation:
    """Make the world of a fixture."""
    if fixture == "llm_server":
        from llmtest.testing._plugin_server import ServedSimulation

        return ServedSimulation(seed=seed, fragmentation=fragmentation, name=fixture)
    from llmtest.testing._simulation import Simulation

    return Simulation(seed=seed, time=time, fragmentation=fragmentation, start=start, name=fixture)
