"""A recorded session answers as a simulated provider: with faults, in the trace, in the account, at its pace."""

import json
from urllib.parse import urlsplit

import anthropic
import httpx2
import openai
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from llmtest import Simulation, faults
from llmtest.errors import CassetteFileError, ConfigurationError, UnscriptedRequestError, UnusedStepsError
from tests.simulation.recorded_sessions import (
    URL,
    WORDS,
    asked,
    hear,
    interaction,
    say,
    streamed,
    streaming,
    whole,
    write_session,
)
from tests.wire.wire_recordings import RECORDINGS, body_of, interactions, needs_recordings


@pytest.fixture
def record(tmp_path):
    """Write a cassette of interactions, and return its path."""

    def write(*found):
        return write_session(tmp_path / "session.yaml", *found)

    return write


@pytest.fixture
def three(record):
    """A cassette of three whole answers."""
    return record(*(interaction(asked(str(number)), whole(f"answer {number}")) for number in (1, 2, 3)))


@pytest.fixture
def stream(record):
    """A cassette of one streamed answer."""
    return record(streaming())


def test_recorded_answers_are_in_the_trace_and_in_the_account(three):
    """A recorded answer is a request of the trace and costs what its own usage says."""
    with Simulation() as sim:
        sim.openai.plays(three)
        assert [say(str(number)) for number in (1, 2, 3)] == ["answer 1", "answer 2", "answer 3"]
    assert [(entry.usage.input_tokens, entry.usage.output_tokens) for entry in sim.costs.entries] == [(10, 5)] * 3
    assert sim.costs.total_usd == sim.world.prices.cost("openai", "gpt-4o", sim.costs.entries[0].usage) * 3
    sim.assert_sequence("openai:200", "openai:200", "openai:200")
    assert [record.response.content for record in sim.openai.requests] == ["answer 1", "answer 2", "answer 3"]


def test_a_recorded_answer_is_sent_byte_for_byte_with_its_own_headers(three):
    """Body and headers are the recorded ones, and none of ours comes beside them."""
    with Simulation() as sim:
        sim.openai.plays(three, optional=True)
        answer = httpx2.post(URL, json=asked("1"), headers={"authorization": "Bearer k"})
    assert answer.text == whole("answer 1")
    assert dict(answer.headers) == {"content-type": "application/json", "x-request-id": "req_recorded"}


def test_the_third_answer_is_a_429_and_the_recorded_one_comes_at_the_retry(three):
    """A fault that comes instead of an answer leaves the answer to the next request."""
    with Simulation() as sim:
        sim.openai.plays(three, faults={3: faults.RateLimited(retry_after=7)})
        assert [say(str(number), max_retries=1) for number in (1, 2, 3)] == ["answer 1", "answer 2", "answer 3"]
        assert sim.clock.elapsed() >= 7
    assert [record.outcome for record in sim.openai.requests] == ["200", "200", "429", "200"]
    assert len(sim.costs.entries) == 3


def test_a_recorded_stream_drops_at_a_piece(stream):
    """A fault of a stream breaks the recorded one where it says, and what was handed over is billed."""
    with Simulation() as sim:
        sim.openai.plays(stream, faults={1: faults.StreamDropped(after_chunks=2)})
        heard, error = hear()
    assert heard == ["one", " two"]
    assert error is not None
    (record,) = sim.openai.requests
    assert record.outcome == "dropped"
    assert 0 < record.usage.output_tokens < 5


@settings(max_examples=20)
@given(after=st.integers(0, 6), cut=st.sampled_from([faults.StreamDropped, faults.StreamTruncated]))
def test_a_fault_over_a_recording_leaves_a_beginning_of_it(after, cut, tmp_path_factory):
    """Wherever a stream breaks, the client has heard exactly the pieces before it."""
    path = tmp_path_factory.mktemp("stream") / "session.yaml"
    one = interaction(asked("count", stream=True), "".join(streamed()), kind="text/event-stream")
    path.write_text(yaml.safe_dump({"interactions": [one]}))
    with Simulation() as sim:
        sim.openai.plays(path, faults={1: cut(after_chunks=after)})
        heard, _ = hear()
    assert heard == list(WORDS[:after])
    assert sim.openai.requests[0].outcome == cut(after_chunks=after).name.removeprefix("stream_")


def test_steps_go_before_the_recording_and_echoes_after_it(three):
    """Steps answer first, then the recording, and what echoes or generates answers what is not recorded."""
    with Simulation() as sim:
        sim.openai.plays(three).replies("scripted").echoes()
        sim.openai.when(prompt_contains="2").echoes()
        assert [say("1"), say("1"), say("3"), say("other")] == ["scripted", "answer 1", "answer 3", "other"]
        assert say("2") == "2"
        sim.strict = False


def test_a_step_that_breaks_an_answer_breaks_the_recorded_one(stream):
    """`fails` of a stream's fault strikes the recording; one that refuses comes before it."""
    with Simulation() as sim:
        sim.openai.plays(stream).fails(faults.ServerError()).fails(faults.StreamDropped(after_chunks=1))
        assert hear()[0] == []
        assert hear()[0] == ["one"]
    assert [record.outcome for record in sim.openai.requests] == ["500", "dropped"]


def test_a_request_that_is_not_recorded_is_an_error_of_the_test(three):
    """It is what a script that has no step is, and says which recorded one is closest and what differs."""
    with Simulation(strict=False) as sim:
        sim.openai.plays(three)
        with pytest.raises(UnscriptedRequestError) as missed:
            say("4")
        (recorded,) = sim.world.harness_errors
        sim.world.harness_errors.clear()
    assert recorded is missed.value
    text = str(missed.value)
    assert "its recording have no answer for" in text
    assert "body.messages[0].content" in text
    assert f'llm_sim.openai.plays("{three}", match_on={{"body": {{"ignore": ["messages[0].content"]}}}})' in text


def test_match_on_says_what_is_the_same_request(three):
    """What `plays` is told to leave out is not compared."""
    with Simulation(strict=False) as sim:
        sim.openai.plays(three, match_on={"body": {"ignore": ["messages[0].content"]}})
        assert say("whatever") == "answer 1"


def test_answers_that_were_never_played_are_told_as_steps_are(three):
    """A strict simulation names what was left, and where it was written; an optional recording may be left."""
    with Simulation(strict=False) as sim:
        sim.openai.plays(three, faults={9: faults.ServerError()})
        say("2")
        (unused,) = sim.world.unused_steps()
    assert isinstance(unused, UnusedStepsError)
    text = str(unused)
    assert "still had 3 of 3 scripted steps" in text
    assert "step 1: plays(" in text
    assert "interaction 3: POST /v1/chat/completions" in text
    assert "plays(faults={9: ServerError" in text
    assert "test_plays.py:" in text
    with Simulation() as sim:
        sim.openai.plays(three, optional=True)
        say("2")


def test_a_recorded_refusal_is_one(record):
    """A recorded 429 raises what the SDK raises, bills nothing, and its wait is in the trace."""
    body = json.dumps({"error": {"message": "slow down", "type": "requests", "code": "rate_limit_exceeded"}})
    path = record(interaction(asked("1"), body, status=429, headers={"retry-after": ["3"]}))
    with Simulation() as sim:
        sim.openai.plays(path)
        with pytest.raises(openai.RateLimitError):
            say("1")
    assert sim.costs.entries == ()
    assert sim.openai.requests[0].error.retry_after == 3
    sim.assert_sequence("openai:429")


@pytest.mark.parametrize(("speed", "seconds"), [(1.0, 0.75), (2, 0.375), (None, 0.0)])
def test_recorded_pauses_pass_in_virtual_time(record, speed, seconds):
    """Pauses are those of the recording, faster or none."""
    events = streamed()
    chunks = [[150 * number, len(event)] for number, event in enumerate(events)]
    one = interaction(asked("count", stream=True), "".join(events), kind="text/event-stream")
    path = record({**one, "llmtest": {"chunks": chunks}})
    with Simulation() as sim:
        sim.openai.plays(path, speed=speed)
        assert hear() == (list(WORDS), None)
        assert sim.clock.elapsed() == seconds


def test_each_provider_of_a_session_plays_its_own_part(record):
    """What another provider answered is neither played nor missed."""
    claude = {"model": "claude-opus-5", "max_tokens": 9, "messages": [{"role": "user", "content": "1"}]}
    body = {
        "id": "msg_recorded",
        "type": "message",
        "role": "assistant",
        "model": "claude-opus-5",
        "content": [{"type": "text", "text": "bonjour"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 3, "output_tokens": 2},
    }
    path = record(
        interaction(asked("1"), whole("answer 1")),
        interaction(claude, json.dumps(body), uri="https://api.anthropic.com/v1/messages"),
    )
    with Simulation() as sim:
        sim.openai.plays(path)
        sim.anthropic.plays(path)
        assert say("1") == "answer 1"
        said = anthropic.Anthropic(api_key="k", max_retries=0).messages.create(**claude)
    assert said.content[0].text == "bonjour"
    assert [entry.provider for entry in sim.costs.entries] == ["openai", "anthropic"]


def test_what_plays_cannot_be_told_is_refused_at_once(tmp_path, three):
    """A file that is not there, a speed of nothing, and faults that are none."""
    with Simulation(strict=False) as sim:
        with pytest.raises(CassetteFileError, match="there is no such cassette"):
            sim.openai.plays(tmp_path / "none.yaml")
        with pytest.raises(ConfigurationError, match="speed must be above 0"):
            sim.openai.plays(three, speed=0)
        with pytest.raises(ConfigurationError, match="numbered from 1"):
            sim.openai.plays(three, faults={0: faults.ServerError()})
        with pytest.raises(ConfigurationError, match="is no fault"):
            sim.openai.plays(three, faults={1: "429"})


@needs_recordings
@pytest.mark.parametrize(
    "one",
    interactions()[::15] if RECORDINGS.is_dir() else (),
    ids=str,
)
def test_real_recordings_play_as_they_replay(one):
    """The bytes are those of the file, whoever recorded it."""
    file = RECORDINGS / one.file
    found = yaml.load(file.read_text(), yaml.CSafeLoader)["interactions"]
    with Simulation(strict=False) as sim:
        host = found[one.number]["request"]["uri"].partition(one.path)[0]
        name = sim.world.provider_at(urlsplit(host).hostname)
        own = {"dialect": "openai_compatible", "base_url": host}
        handle = sim.provider(name) if name else sim.provider("other", **own)
        handle.plays(file, speed=None)
        for each in found[: one.number + 1]:
            request = each["request"]
            if not request["uri"].startswith(host):
                continue
            answer = httpx2.request(request["method"], request["uri"], content=body_of(request))
            assert answer.status_code == each["response"]["status"]["code"]
    assert answer.content == one.body


def test_a_recorded_stream_that_counts_no_tokens_is_billed_an_estimate(stream):
    """Few clients ask a stream for its usage; its provider bills it all the same, and so does the account."""
    with Simulation() as sim:
        sim.openai.plays(stream)
        hear()
    (entry,) = sim.costs.entries
    assert (entry.usage.output_tokens, entry.usage.source) == (5, "estimated")
    assert sim.costs.total_usd > 0
