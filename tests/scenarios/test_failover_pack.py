"""The sixteen situations of Failover Bench: our chain passes all of them, and chains that do not care fail them."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from llmtest.clock import VirtualClock
from llmtest.config import build_chain
from llmtest.errors import InvalidRequestError
from llmtest.events import Trace
from llmtest.faults import FaultRule
from llmtest.scenarios import load_scenario, run_scenario
from llmtest.simulation import World
from llmtest.types import ChatMessage, CompletionRequest

ROOT = Path(__file__).parents[2]
PACK = sorted((ROOT / "scenarios" / "failover").glob("s*.yaml"))
CHAIN = re.compile(r"^chain:.*?(?=^load:)", re.DOTALL | re.MULTILINE)

LONE = "chain: {retry: null, circuit_breaker: {failure_threshold: 99}, providers: [{provider: openai}]}\n\n"
"""Nobody else to ask, nobody asked again."""
EAGER = """\
chain:
  retry: {max_attempts: 9, base_delay: 0, max_retry_after: 0}
  providers: [{provider: openai, trigger: any_error}, {provider: anthropic}]

"""
"""Asks again at once, goes to somebody else with everything, and hands over what comes."""
HASTY = """\
chain:
  stream_commit: end
  timeouts: {total: 900ms}
  providers: [{provider: openai}, {provider: anthropic}]

"""
"""Gives up before any answer can be whole."""
FAILED_BY = {
    "S01": [LONE, EAGER],
    "S02": [LONE, EAGER],
    "S03": [LONE],
    "S04": [LONE, EAGER],
    "S05": [LONE],
    "S06": [LONE, EAGER],
    "S07": [LONE, EAGER],
    "S08": [LONE, EAGER],
    "S09": [LONE, EAGER],
    "S10": [LONE, EAGER],
    "S11": [HASTY],
    "S12": [LONE, HASTY],
    "S13": [EAGER],
    "S14": [LONE, EAGER],
    "S15": [LONE, EAGER],
    "S16": [LONE, EAGER],
}


def id_of(path):
    """Return the number of a situation."""
    return path.name[:3].upper()


def broken(result):
    """Return what did not hold."""
    return {check.check: check.actual for check in result.expectations if not check.ok}


def test_r03_there_are_sixteen_and_their_chain_is_one():
    """The files are S01 to S16, and have the same chain to the letter."""
    assert [id_of(path) for path in PACK] == list(FAILED_BY)
    texts = [path.read_text(encoding="utf-8") for path in PACK]
    assert len({CHAIN.search(text)[0] for text in texts}) == 1
    assert all(f"simulate scenarios/failover/{path.name}" in text for path, text in zip(PACK, texts, strict=True))


@pytest.mark.parametrize("blocking", [False, True], ids=["async", "blocking"])
@pytest.mark.parametrize("path", PACK, ids=id_of)
def test_r03_our_chain_passes(path, blocking):
    """Every expectation on what the caller got and the providers saw holds, on an event loop and in blocking code."""
    scenario = load_scenario(path)
    result = run_scenario(replace(scenario, load=replace(scenario.load, blocking=blocking)))
    assert broken(result) == {}
    assert result.calls == result.succeeded + result.failed > 0


@pytest.mark.parametrize("blocking", [False, True], ids=["async", "blocking"])
@pytest.mark.parametrize("path", PACK, ids=id_of)
def test_r03_a_bad_chain_fails(path, blocking, tmp_path):
    """Each situation is failed by the chains of which it shows what they lack."""
    for bad in FAILED_BY[id_of(path)]:
        worse = tmp_path / path.name
        worse.write_text(CHAIN.sub(lambda _, bad=bad: bad, path.read_text(encoding="utf-8")), encoding="utf-8")
        scenario = load_scenario(worse)
        result = run_scenario(replace(scenario, load=replace(scenario.load, blocking=blocking)))
        assert broken(result), bad


@pytest.mark.parametrize("path", PACK, ids=id_of)
def test_r03_a_run_repeats(path):
    """The same situation, twice, to the last event."""
    scenario = load_scenario(path)
    assert run_scenario(scenario).digest == run_scenario(scenario).digest


def test_s14_the_fallback_would_refuse_a_prefill():
    """The rule of S14 strikes a request that ends with an answer that was begun, so that its zero means something."""
    world = World(VirtualClock(), Trace(), 0)
    world.provider("anthropic").replies("It works.", times=None)
    (spec,) = [fault for fault in load_scenario(PACK[13]).faults if fault.name == "prefill refused"]
    world.add_fault_rule(FaultRule(spec.name, **spec.arguments))
    chain = build_chain({"providers": [{"provider": world.provider("anthropic").as_provider("claude-opus-5")}]})
    plain = CompletionRequest.ask("Why?")
    assert chain.complete(plain).content == "It works."
    begun = CompletionRequest(messages=(*plain.messages, ChatMessage.assistant("It")))
    with pytest.raises(InvalidRequestError):
        chain.complete(begun)
