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
    from llmtest.simulation._direct import DirectProvider
    from llmtest.simulation._fault_rules import FaultRule
    from llmtest.simulation._gate import block_network, intercept
    from llmtest.simulation._handle import ProviderHandle, RuleHandle
    from llmtest.simulation._latency import Constant, Gamma, LatencyModel, Lognormal, Uniform, as_latency
    from llmtest.simulation._plan import Exchange, Plan
    from llmtest.simulation._reply import Reply
    from llmtest.simulation._script import UnusedStep
    from llmtest.simulation._world import World

__all__ = [
    "Constant",
    "DirectProvider",
    "Exchange",
    "FaultRule",
    "Gamma",
    "LatencyModel",
    "Lognormal",
    "Plan",
    "ProviderHandle",
    "Reply",
    "RequestRecord",
    "RuleHandle",
    "Uniform",
    "UnusedStep",
    "World",
    "as_latency",
    "block_network",
    "faults",
    "intercept",
    "user_traceback",
]

_HOMES = {
    "Constant": "_latency",
    "DirectProvider": "_direct",
    "Exchange": "_plan",
    "FaultRule": "_fault_rules",
    "Gamma": "_latency",
    "LatencyModel": "_latency",
    "Lognormal": "_latency",
    "Plan": "_plan",
    "ProviderHandle": "_handle",
    "Reply": "_reply",
    "RequestRecord": "_answer",
    "RuleHandle": "_handle",
    "Uniform": "_latency",
    "UnusedStep": "_script",
    "World": "_world",
    "as_latency": "_latency",
    "block_network": "_gate",
    "intercept": "_gate",
    "user_traceback": "_callsite",
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
