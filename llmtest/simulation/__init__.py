"""Who answers, in tests: simulated providers, and the interception that brings real clients to them.

A `World` holds the providers; `ProviderHandle` writes their scripts. Names are imported on first use, so that a program
that only needs the direct path loads no HTTP library.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmtest.simulation._call_site import user_traceback
    from llmtest.simulation._dummy_keys import DUMMY_KEY, missing_keys
    from llmtest.simulation._handle import ProviderHandle
    from llmtest.simulation._latency import Constant, Gamma, LatencyModel, Lognormal, Uniform, as_latency
    from llmtest.simulation._provider import SimulatedProvider
    from llmtest.simulation._rule_handle import RuleHandle
    from llmtest.simulation._unserved_text import served
    from llmtest.simulation._world import World
    from llmtest.simulation.direct._provider import DirectProvider
    from llmtest.simulation.http._gate import block_network, intercept
    from llmtest.simulation.http._late_gate import refuse_late_requests
    from llmtest.simulation.plan._answer import RequestRecord
    from llmtest.simulation.plan._fragmentation import Fragmentation, as_fragmentation
    from llmtest.simulation.plan._performance import Performance, TransportFault
    from llmtest.simulation.plan._plan import Chunk, Exchange, Failure, Head, Plan
    from llmtest.simulation.script._reply import Reply
    from llmtest.simulation.script._script import UnusedStep
    from llmtest.simulation.script._service_answers import Embedding, Json, Raw

__all__ = [
    "DUMMY_KEY",
    "Chunk",
    "Constant",
    "DirectProvider",
    "Embedding",
    "Exchange",
    "Failure",
    "Fragmentation",
    "Gamma",
    "Head",
    "Json",
    "LatencyModel",
    "Lognormal",
    "Performance",
    "Plan",
    "ProviderHandle",
    "Raw",
    "Reply",
    "RequestRecord",
    "RuleHandle",
    "SimulatedProvider",
    "TransportFault",
    "Uniform",
    "UnusedStep",
    "World",
    "as_fragmentation",
    "as_latency",
    "block_network",
    "intercept",
    "missing_keys",
    "refuse_late_requests",
    "served",
    "user_traceback",
]

_HOMES = {
    "Embedding": "script._service_answers",
    "Json": "script._service_answers",
    "Raw": "script._service_answers",
    "DUMMY_KEY": "_dummy_keys",
    "missing_keys": "_dummy_keys",
    "refuse_late_requests": "http._late_gate",
    "Chunk": "plan._plan",
    "Constant": "_latency",
    "DirectProvider": "direct._provider",
    "Exchange": "plan._plan",
    "Failure": "plan._plan",
    "Fragmentation": "plan._fragmentation",
    "Gamma": "_latency",
    "Head": "plan._plan",
    "LatencyModel": "_latency",
    "Lognormal": "_latency",
    "Performance": "plan._performance",
    "Plan": "plan._plan",
    "ProviderHandle": "_handle",
    "Reply": "script._reply",
    "RequestRecord": "plan._answer",
    "RuleHandle": "_rule_handle",
    "SimulatedProvider": "_provider",
    "TransportFault": "plan._performance",
    "Uniform": "_latency",
    "UnusedStep": "script._script",
    "World": "_world",
    "as_fragmentation": "plan._fragmentation",
    "as_latency": "_latency",
    "block_network": "http._gate",
    "intercept": "http._gate",
    "served": "_unserved_text",
    "user_traceback": "_call_site",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"llmtest.simulation.{_HOMES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return __all__
