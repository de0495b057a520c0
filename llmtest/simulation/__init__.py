"""Who answers, in tests: simulated providers, and the interception that brings real clients to them.

A `World` holds the providers; `ProviderHandle` writes their scripts. Names are imported on first use, so that a program
that only needs the direct path loads no HTTP library.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmtest.simulation import faults
    from llmtest.simulation._answer import RequestRecord
    from llmtest.simulation._callsite import user_traceback
    from llmtest.simulation._carriage import Performance, TransportFault
    from llmtest.simulation._direct import DirectProvider
    from llmtest.simulation._endpoints import ENDPOINTS, compatible_path, way_around
    from llmtest.simulation._fault_rules import FaultRule
    from llmtest.simulation._gate import block_network, intercept
    from llmtest.simulation._handle import ProviderHandle, RuleHandle
    from llmtest.simulation._latency import Constant, Gamma, LatencyModel, Lognormal, Uniform, as_latency
    from llmtest.simulation._plan import Chunk, Exchange, Failure, Head, Plan
    from llmtest.simulation._registry import BUILTIN, dialect_of
    from llmtest.simulation._reply import Reply
    from llmtest.simulation._script import UnusedStep
    from llmtest.simulation._world import World

__all__ = [
    "BUILTIN",
    "ENDPOINTS",
    "Chunk",
    "Constant",
    "DirectProvider",
    "Exchange",
    "Failure",
    "FaultRule",
    "Gamma",
    "Head",
    "LatencyModel",
    "Lognormal",
    "Performance",
    "Plan",
    "ProviderHandle",
    "Reply",
    "RequestRecord",
    "RuleHandle",
    "TransportFault",
    "Uniform",
    "UnusedStep",
    "World",
    "as_latency",
    "block_network",
    "compatible_path",
    "dialect_of",
    "faults",
    "intercept",
    "user_traceback",
    "way_around",
]

_HOMES = {
    "BUILTIN": "_registry",
    "Chunk": "_plan",
    "Constant": "_latency",
    "ENDPOINTS": "_endpoints",
    "DirectProvider": "_direct",
    "Exchange": "_plan",
    "Failure": "_plan",
    "FaultRule": "_fault_rules",
    "Gamma": "_latency",
    "Head": "_plan",
    "LatencyModel": "_latency",
    "Lognormal": "_latency",
    "Performance": "_carriage",
    "Plan": "_plan",
    "ProviderHandle": "_handle",
    "Reply": "_reply",
    "RequestRecord": "_answer",
    "RuleHandle": "_handle",
    "TransportFault": "_carriage",
    "Uniform": "_latency",
    "UnusedStep": "_script",
    "World": "_world",
    "as_latency": "_latency",
    "block_network": "_gate",
    "compatible_path": "_endpoints",
    "dialect_of": "_registry",
    "intercept": "_gate",
    "user_traceback": "_callsite",
    "way_around": "_endpoints",
}


def __getattr__(name: str) -> object:
    if name == "faults":
        return import_module("llmtest.simulation.faults")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"llmtest.simulation.{_HOMES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return __all__
