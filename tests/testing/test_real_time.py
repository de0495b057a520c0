"""Clocks that are not virtual: what rests on them is undecided, and a library that reads one is told of."""

import sys
import types

import openai
import pytest

from llmtest import Simulation, events, faults


def impatient(sim):
    """Ask again too early, three times."""
    sim.openai.fails(faults.RateLimited(retry_after=30), times=3).replies("Paris.")
    client = openai.OpenAI(max_retries=0)
    with sim.call("impatient"):
        for _ in range(4):
            try:
                return client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hi"}])
            except openai.RateLimitError:
                continue
    return None


def test_a_short_wait_is_undecided_where_real_time_has_passed():
    """Who waited by another clock may have waited long enough; without such a wait the same is a finding."""
    with Simulation() as sim:
        impatient(sim)
        with pytest.raises(AssertionError, match="retry_after_ignored"):
            sim.assert_resilient()
        sim.trace.append(events.RealTimePassed(0, 0, "native_wait", 4.0, where="app.py:7"))
        verdict = sim.assert_resilient()
    assert "retry_after_ignored" not in verdict.findings
    assert verdict.undecided["retry_after_ignored"].evidence[-1] == (
        "app.py:7: 4.0 s of real time passed in a wait that is not virtual"
    )


def test_t15_a_store_in_native_code_is_told_of(monkeypatch):
    """Making what keeps its cooldowns by the machine's clock is an event that names it, once; it accuses nobody."""
    module = types.ModuleType("litellm.router_rust.core")
    module.RustCore = type("RustCore", (), {"__init__": lambda self, size: setattr(self, "size", size)})
    before = module.RustCore.__init__
    monkeypatch.setitem(sys.modules, module.__name__, module)
    with Simulation() as sim:
        assert [module.RustCore(number).size for number in range(3)] == [0, 1, 2]
        impatient(sim)
        told = [event for event in sim.trace if isinstance(event, events.RealTimePassed)]
        assert [(event.cause, event.library) for event in told] == [("foreign_clock", "litellm's Router")]
        with pytest.raises(AssertionError, match="retry_after_ignored"):
            sim.assert_resilient()
    assert module.RustCore.__init__ is before


def test_t15_a_store_that_is_imported_inside_is_told_of_at_the_end(monkeypatch):
    """Whoever imports it makes one, and the import may be the first thing that happens."""
    monkeypatch.delitem(sys.modules, "litellm.router_rust.core", raising=False)
    with Simulation() as sim:
        monkeypatch.setitem(sys.modules, "litellm.router_rust.core", types.ModuleType("litellm.router_rust.core"))
    assert [event.library for event in sim.trace if isinstance(event, events.RealTimePassed)] == ["litellm's Router"]
