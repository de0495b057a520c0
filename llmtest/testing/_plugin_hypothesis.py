"""Hypothesis's `@given` beside the fixture `llm_sim`, which is made once for all examples."""

from __future__ import annotations

import sys

import pytest

from llmtest.errors import ConfigurationError

__all__ = ["refuse_one_world_for_all_examples"]


def refuse_one_world_for_all_examples(item: pytest.Item, fixture: str) -> None:
    """Stop a test whose examples would share a world that each of them takes for its own.

    Args:
        item: The test.
        fixture: The fixture that gives it a world.

    Raises:
        ConfigurationError: They would, and the test does not say that it is meant so.
    """
    test = getattr(item, "obj", None)
    if not getattr(test, "is_hypothesis_test", False) or fixture not in {"llm_sim", "llm_server"}:
        return
    hypothesis = sys.modules["hypothesis"]
    own = getattr(test, "_hypothesis_internal_use_settings", None) or hypothesis.settings.default
    if hypothesis.HealthCheck.function_scoped_fixture in own.suppress_health_check:
        return
    raise ConfigurationError(
        f"`@given` runs `{item.name}` many times, and `{fixture}` is one world for all of its examples: scripts, trace "
        "and time would go on from one to the next.\n\n"
        "To fix, one of:\n"
        "  1. give each example a world of its own, below `@given`:\n"
        "     @llmtest.testing.simulation_per_example\n"
        "  2. say that one world for all is meant:\n"
        "     @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])"
    )
