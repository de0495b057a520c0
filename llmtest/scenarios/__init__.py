"""The experiment: load, faults, expectations in one file, and the runner that judges them in virtual time."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmtest.scenarios._chain_calls import has_breakers
    from llmtest.scenarios._judge_test import judge_history
    from llmtest.scenarios._loading import load_scenario
    from llmtest.scenarios._profiles import PROFILES, Profile
    from llmtest.scenarios._result import Check, RunResult, Transition
    from llmtest.scenarios._retelling import retold
    from llmtest.scenarios._runner import run_scenario, with_trace
    from llmtest.scenarios._schema import scenario_schema
    from llmtest.scenarios._spec import FaultSpec, Load, ProviderSpec, Scenario, Stage
    from llmtest.scenarios._trace_file import TraceFile, TraceRow
    from llmtest.scenarios._world_setup import furnish, prices_of

__all__ = [
    "PROFILES",
    "Check",
    "FaultSpec",
    "Load",
    "Profile",
    "ProviderSpec",
    "RunResult",
    "Scenario",
    "Stage",
    "TraceFile",
    "TraceRow",
    "Transition",
    "furnish",
    "has_breakers",
    "judge_history",
    "load_scenario",
    "prices_of",
    "retold",
    "run_scenario",
    "scenario_schema",
    "with_trace",
]

_HOMES = {
    name: home
    for home, names in {
        "_chain_calls": ("has_breakers",),
        "_world_setup": ("furnish", "prices_of"),
        "_loading": ("load_scenario",),
        "_profiles": ("PROFILES", "Profile"),
        "_result": ("Check", "RunResult", "Transition"),
        "_retelling": ("retold",),
        "_runner": ("run_scenario", "with_trace"),
        "_schema": ("scenario_schema",),
        "_spec": ("FaultSpec", "Load", "ProviderSpec", "Scenario", "Stage"),
        "_trace_file": ("TraceFile", "TraceRow"),
        "_judge_test": ("judge_history",),
    }.items()
    for name in names
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"llmtest.scenarios.{_HOMES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return __all__
