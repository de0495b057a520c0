"""Run by `test_litellm.py` in litellm's own environment: litellm, imported for the first time inside a test."""

import sys

from llmtest.events import TelemetryKept


def test_its_own_prices_are_read(llm_sim, monkeypatch):
    """Its price map is asked for and is not there: so the answer has a price from its own copy."""
    monkeypatch.delenv("LITELLM_LOCAL_MODEL_COST_MAP", raising=False)
    assert "litellm" not in sys.modules
    import litellm

    llm_sim.openai.replies("Paris")
    answer = litellm.completion("openai/gpt-4o", [{"role": "user", "content": "Capital of France?"}], api_key="k")
    assert answer.choices[0].message.content == "Paris"
    assert litellm.completion_cost(answer) > 0
    llm_sim.assert_attempts("openai", 1)
    assert "raw.githubusercontent.com" in {e.host for e in llm_sim.trace if isinstance(e, TelemetryKept)}
