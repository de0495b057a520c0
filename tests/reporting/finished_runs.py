"""Results of runs, made by hand, so that every number in a report is known."""

from decimal import Decimal

from llmtest.scenarios import Check, RunResult, Transition

OUTAGE = {
    "scenario": "primary outage",
    "path": "scenarios/outage.yaml",
    "seed": 7,
    "digest": "0f" * 16,
    "calls": 1_200,
    "succeeded": 1_198,
    "failed": 2,
    "attempts": 1_500,
    "retries": 200,
    "fallbacks": 1_100,
    "rejected": 0,
    "served_by": {"openai": 98, "anthropic": 1_100, "ollama": 0},
    "breaker": {"openai": ["closed", "open", "half_open", "closed"], "anthropic": ["closed"]},
    "transitions": [
        Transition(603.0, "openai", "open"),
        Transition(633.9, "openai", "half_open"),
        Transition(3633.5, "openai", "closed"),
    ],
    "latency": {"p50": 0.41, "p95": 1.5, "p99": 12.25},
    "ttft": {"p50": None, "p95": None, "p99": None},
    "cost_usd": Decimal("12.34567"),
    "known_cost_usd": Decimal("12.34567"),
    "cost_by_provider": {"openai": Decimal("2.3"), "anthropic": Decimal("10.04567")},
    "virtual_seconds": 3725.0,
    "wall_seconds": 0.5,
    "faults_fired": {"outage": 1_234, "noise": 5},
    "errors": {"AllProvidersFailedError": 2},
    "expectations": [
        Check("availability", ">= 99.9%", "99.8333%", ok=False),
        Check("fallbacks", ">= 1", "1100", ok=True),
    ],
}


def finished_run(**changes):
    """Return the result of an outage that was survived but for two calls, with some of its facts changed."""
    return RunResult(**{**OUTAGE, **changes})
