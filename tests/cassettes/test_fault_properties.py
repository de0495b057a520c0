"""What goes wrong over a recorded session goes wrong as at a scripted provider, and speed changes times alone."""

import json
from itertools import accumulate

import httpx2
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmtest import Simulation
from tests.simulation.recorded_sessions import URL, WORDS, asked, client, hear, interaction, streamed, write_session
from tests.simulation.test_conformance import FAULTS

PROMPTS = ("one two three four", "five six seven eight", "nine ten eleven twelve")
LIMITS = httpx2.Timeout(10, connect=3)
RAISED = (openai.APIError, httpx2.HTTPError, json.JSONDecodeError)


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """A session of three answers, each whole and streamed, in the bytes of a provider that echoes."""
    found = []
    with Simulation() as sim:
        sim.openai.echoes()
        for prompt in PROMPTS:
            for more in ({}, {"stream": True}):
                answer = httpx2.post(URL, json=asked(prompt, **more))
                found.append(interaction(asked(prompt, **more), answer.text, kind=answer.headers["content-type"]))
    return write_session(tmp_path_factory.mktemp("faults") / "session.yaml", *found)


def lives(sim, *, stream):
    """Ask all that was asked, and return what the SDK gave and raised, and what the provider and the clock noted."""
    seen = []
    for prompt in PROMPTS:
        heard, error = [], None
        try:
            answer = client(timeout=LIMITS).chat.completions.create(
                **asked(prompt, **({"stream": True} if stream else {}))
            )
            if stream:
                heard.extend(chunk.choices[0].delta.content for chunk in answer if chunk.choices)
            else:
                heard.append(
                    answer if isinstance(answer, str) else answer.choices and answer.choices[0].message.content
                )
        except RAISED as caught:
            error = (type(caught), getattr(caught, "status_code", None), getattr(caught, "code", None), str(caught))
        seen.append((heard, error))
    # Who asks for no count of a stream gets an estimate of it.
    records = [
        (each.outcome, each.usage and (each.usage.input_tokens, each.usage.output_tokens))
        for each in sim.openai.requests
    ]
    return seen, records, sim.clock.elapsed()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("number", range(len(FAULTS)), ids=lambda number: str(FAULTS[number]))
def test_a_fault_over_an_answer_raises_what_it_raises_at_a_scripted_provider(session, number, stream):
    """Class, status and text of the SDK's error, what came before it, and the answers around it; each place in turn."""
    fault, place = FAULTS[number], number % len(PROMPTS) + 1
    with Simulation() as scripted:
        if place > 1:
            scripted.openai.replies(*PROMPTS[: place - 1])
        scripted.openai.fails(fault).echoes()
        expected = lives(scripted, stream=stream)
    with Simulation() as recorded:
        recorded.openai.plays(session, faults={place: fault}, optional=True)
        assert lives(recorded, stream=stream) == expected


def story(path, speed):
    """Hear a session of one stream, and return all but the times, and the seconds it took."""
    with Simulation() as sim:
        sim.openai.plays(path, speed=speed)
        heard = hear()
        events = [(type(event), getattr(event, "outcome", None)) for event in sim.trace]
        (record,) = sim.openai.requests
        costs = [(entry.usage, entry.cost_usd) for entry in sim.costs.entries]
        return (heard, events, record.outcome, record.usage, costs), sim.clock.elapsed()


@settings(max_examples=5)
@given(
    speed=st.floats(0.01, 1000),
    pauses=st.lists(st.integers(0, 5000), min_size=6, max_size=6),
    head=st.integers(0, 5000),
)
def test_the_speed_changes_the_time_and_nothing_else(tmp_path_factory, speed, pauses, head):
    """Pieces, events, texts and costs are those of the recorded pace; the time is that, divided, or none."""
    pieces = streamed()
    times = list(accumulate(pauses))
    one = interaction(asked("count", stream=True), "".join(pieces), kind="text/event-stream")
    chunks = [[at, len(piece)] for at, piece in zip(times, pieces, strict=True)]
    path = tmp_path_factory.mktemp("speed") / "session.yaml"
    write_session(path, {**one, "llmtest": {"head_ms": head, "chunks": chunks}})
    told, seconds = story(path, 1.0)
    faster, shorter = story(path, speed)
    at_once, none = story(path, None)
    assert told == faster == at_once
    assert told[0] == (list(WORDS), None)
    assert told[4][0][1] > 0
    assert (seconds, none) == (pytest.approx((head + times[-1]) / 1000), 0.0)
    assert shorter == pytest.approx(seconds / speed, abs=1e-6)
