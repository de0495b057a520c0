"""The fixture's objects: `Simulation`, its assertions, and the test cases for unittest."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmtest.testing._check_dialect import DialectCase as DialectCase
    from llmtest.testing._check_dialect import check_dialect as check_dialect
    from llmtest.testing._per_example import simulation_per_example as simulation_per_example
    from llmtest.testing._simulation import Simulation as Simulation
    from llmtest.testing._step import unordered as unordered
    from llmtest.testing._unittest import AsyncSimulationTestCase as AsyncSimulationTestCase
    from llmtest.testing._unittest import SimulationTestCase as SimulationTestCase

_HOMES = {
    "AsyncSimulationTestCase": "llmtest.testing._unittest",
    "DialectCase": "llmtest.testing._check_dialect",
    "Simulation": "llmtest.testing._simulation",
    "SimulationTestCase": "llmtest.testing._unittest",
    "check_dialect": "llmtest.testing._check_dialect",
    "simulation_per_example": "llmtest.testing._per_example",
    "unordered": "llmtest.testing._step",
}

__all__ = sorted(_HOMES)  # noqa: PLE0605 - sorted, and tested to be complete


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value
