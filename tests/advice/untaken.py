"""Advice with code in it that no case of Python code takes: where it is taken instead, or why it cannot be taken here.

A new advice with code is not in this table, so that the test of completeness fails until somebody writes a case for it.
What is said in words alone is for people to follow.
"""

# ruff: noqa: E501 - what is printed is kept as it is printed

PLUGIN = "taken in test_plugin_advice.py"

UNTAKEN = {
    "clock/_time_machine.py": [
        ('install time-machine 3, or set the date by `@pytest.mark.llm_time(start="2026-03-01")`.', PLUGIN),
    ],
    "clock/_datetime.py": [
        # Of the supported interpreters none needs it, so it is the suite on each of them that runs on those advised.
        ('run on CPython 3.11 to 3.13, or mark the test `@pytest.mark.llm_time("real")`.', PLUGIN),
    ],
    "testing/_plugin_budget.py": [
        ('@pytest.mark.llm_budget(usd="0.05")', PLUGIN),
    ],
    "testing/_plugin_cassette.py": [
        ('@pytest.mark.llm_cassette("cassettes/capital.yaml"), and `use_cassette` for a second one.', PLUGIN),
    ],
    "testing/_plugin_options.py": [
        ("llmtest_time = virtual, or real.", PLUGIN),
        ("llmtest_seed = 7", PLUGIN),
        ("llmtest_fragmentation = random", PLUGIN),
        ('@pytest.mark.llm_time("real"), or @pytest.mark.llm_time(start="2026-03-01T23:59").', PLUGIN),
    ],
    "testing/_plugin_hypothesis.py": [
        (
            ", one of:\\\n  1. give each example a world of its own, below `@given`:\\\n     @llmtest.testing.simulation_per_example\\\n  2. say that one world for all is meant:\\\n     @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])",
            "taken in tests/plugin/test_hypothesis.py",
        ),
    ],
    "testing/_plugin_prices.py": [
        ('@pytest.mark.llm_prices("prices.toml")', PLUGIN),
    ],
    "wire/_registry.py": [
        ("let `*` name an object made by llmtest.wire.Dialect(...)", PLUGIN),
    ],
}
"""By file: the advice, with `*` for what is filled in, and where it is taken."""
