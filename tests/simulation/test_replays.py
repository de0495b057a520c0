"""What cassettes play beside `llm_sim` is in its trace and in its account (K14), and no part of any script."""

import asyncio
import json

import anthropic
import httpx
import httpx2
import openai
import pytest
import requests

from llmtest import Simulation, use_cassette
from llmtest.errors import CassetteMismatchError
from tests.simulation.recorded_sessions import (
    URL,
    WORDS,
    asked,
    hear,
    interaction,
    say,
    streaming,
    whole,
    write_session,
)


@pytest.fixture
def session(tmp_path):
    """A cassette of two whole answers and a streamed one."""
    answers = (interaction(asked(str(number)), whole(f"answer {number}")) for number in (1, 2))
    return write_session(tmp_path / "session.yaml", *answers, streaming())


def test_k14_replays_inside_a_simulation_are_in_the_trace_and_in_the_account(session):
    """Each is a request and an answer of its provider, at the price of its own tokens, once."""
    with Simulation() as sim:
        with use_cassette(session):
            assert [say("1"), say("2")] == ["answer 1", "answer 2"]
        sim.assert_sequence("openai:200", "openai:200")
        sim.assert_attempts("openai", 2)
        sim.assert_spend(at_most="0.00015", at_least="0.00015")
    assert [(entry.usage.input_tokens, entry.usage.output_tokens) for entry in sim.costs.entries] == [(10, 5)] * 2
    assert [record.response.content for record in sim.openai.requests] == ["answer 1", "answer 2"]
    assert [event.kind for event in sim.trace] == ["request", "answer"] * 2


def test_k14_a_replayed_stream_is_billed_as_far_as_it_was_heard(session):
    """Heard whole it is a 200; where the client lets go it is abandoned, and billed what was handed over."""
    with Simulation() as sim:
        with use_cassette(session):
            assert hear() == (list(WORDS), None)
        with use_cassette(session), httpx2.stream("POST", URL, json=asked("count", stream=True)):
            pass
    assert [record.outcome for record in sim.openai.requests] == ["200", "abandoned"]
    assert sim.openai.requests[0].response.content == "one two three four"
    assert sim.openai.requests[0].usage.output_tokens > sim.openai.requests[1].usage.output_tokens == 0


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_k14_a_stream_that_broke_while_it_was_recorded_is_dropped(tmp_path, library):
    """The client gets the recorded error, and the trace has the outcome that a simulated one has."""
    one = streaming()
    one["response"]["body"]["string"] = one["response"]["body"]["string"][:400]
    path = write_session(
        tmp_path / "broken.yaml", {**one, "llmtest": {"error": "ReadError: broken", "complete": False}}
    )
    with Simulation() as sim:
        with use_cassette(path), pytest.raises(library.ReadError, match="broken"):
            library.post(URL, json=asked("count", stream=True))
        sim.assert_sequence("openai:dropped")
    assert 0 < sim.openai.requests[0].usage.output_tokens < 9


def test_k14_a_recorded_refusal_and_the_retry_after_it_are_attempts_of_one_call(tmp_path):
    """The 429 costs nothing, its wait passes in virtual time, and both are attempts."""
    body = json.dumps({"error": {"message": "slow down", "type": "requests", "code": "rate_limit_exceeded"}})
    refusal = interaction(asked("1"), body, status=429, headers={"retry-after": ["3"]})
    path = write_session(tmp_path / "refused.yaml", refusal, interaction(asked("1"), whole("Paris")))
    with Simulation() as sim:
        with use_cassette(path):
            assert say("1", max_retries=1) == "Paris"
        sim.assert_sequence("openai:429", "openai:200")
        sim.assert_retries(at_most=1)
        sim.assert_resilient()
        assert sim.clock.elapsed() >= 3
    assert [record.cost_usd is None for record in sim.openai.requests] == [True, False]
    assert sim.openai.requests[0].error.retry_after == 3


def test_k14_scripts_and_replays_go_side_by_side(session):
    """A replay takes no step, and a step that is left is told as before."""
    with Simulation(strict=False) as sim:
        sim.openai.replies("scripted", "never")
        assert say("anything") == "scripted"
        with use_cassette(session):
            assert say("1") == "answer 1"
        (unused,) = sim.world.unused_steps()
    assert "1 of 2 scripted steps" in str(unused)
    assert [record.response.content for record in sim.openai.requests] == ["scripted", "answer 1"]


def test_k14_a_miss_is_no_request_of_a_provider(session):
    """What no recording answers is an error of the test, and nothing in the account."""
    with Simulation() as sim:
        with pytest.raises(CassetteMismatchError), use_cassette(session):
            say("3")
        assert len(sim.trace) == 0


def test_k14_every_client_and_every_api_counts(tmp_path):
    """`requests`, an asynchronous SDK, Claude and a gateway of nobody's: each its own provider."""
    claude = {"model": "claude-opus-5", "max_tokens": 9, "messages": [{"role": "user", "content": "1"}]}
    said = {
        "id": "msg_recorded",
        "type": "message",
        "role": "assistant",
        "model": "claude-opus-5",
        "content": [{"type": "text", "text": "bonjour"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 3, "output_tokens": 2},
    }
    path = write_session(
        tmp_path / "session.yaml",
        interaction(asked("1"), whole("one")),
        interaction(asked("2"), whole("two"), uri="http://gateway.example.com/v1/chat/completions"),
        interaction(claude, json.dumps(said), uri="https://api.anthropic.com/v1/messages"),
        interaction({"q": "rain"}, "{}", uri="https://weather.example.com/now"),
    )

    async def ask():
        async with openai.AsyncOpenAI(api_key="k", base_url="http://gateway.example.com/v1") as other:
            await other.chat.completions.create(**asked("2"))

    with Simulation() as sim, use_cassette(path) as cassette:
        requests.post(URL, json=asked("1"), timeout=5)
        sim.run(ask())
        anthropic.Anthropic(api_key="k").messages.create(**claude)
        httpx.post("https://weather.example.com/now", json={"q": "rain"})
    assert cassette.played == 4
    assert [entry.provider for entry in sim.costs.entries] == ["openai", "gateway.example.com", "anthropic"]
    sim.assert_sequence("openai:200", "gateway.example.com:200", "anthropic:200")


def test_k14_a_marked_call_has_its_replays(session):
    """A replay belongs to the logical call that is marked around it."""
    with Simulation() as sim:
        with use_cassette(session), sim.call("first"):
            say("1")
        assert sim.costs.entries[0].label == "first"


def test_k14_foreign_files_count_too(tmp_path):
    """What aimock has recorded is read, and billed by what it says."""
    fixtures = {"fixtures": [{"match": {"userMessage": "Hi"}, "response": {"content": "Hello"}}]}
    path = tmp_path / "fixtures.json"
    path.write_text(json.dumps(fixtures))
    with Simulation() as sim, use_cassette(path):
        assert say("Hi") == "Hello"
        sim.assert_sequence("openai:200")
    assert len(sim.costs.entries) == 1


def test_k14_after_a_simulation_nobody_keeps_account(session):
    """A replay outside any simulation is played as it is."""
    with Simulation() as sim:
        pass
    with use_cassette(session):
        assert say("1") == "answer 1"
    assert sim.costs.entries == ()


def test_k14_a_wait_that_is_given_up_is_an_abandoned_request(tmp_path):
    """A client that stops waiting for the head of a recorded answer leaves an attempt that was abandoned."""
    path = write_session(
        tmp_path / "slow.yaml", {**interaction(asked("1"), whole("late")), "llmtest": {"head_ms": 9000}}
    )

    async def ask():
        async with openai.AsyncOpenAI(api_key="k", max_retries=0) as patient:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(patient.chat.completions.create(**asked("1")), 2)

    with Simulation() as sim, use_cassette(path):
        sim.run(ask())
        sim.assert_sequence("openai:abandoned")
