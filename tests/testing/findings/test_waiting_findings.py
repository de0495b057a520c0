"""Waiting that nobody limits, and retries that multiply: with their words, and the thresholds that move them."""

import time
from contextlib import suppress

import openai
import pytest

from llmtest import faults
from llmtest.simulation import Reply

MESSAGES = [{"role": "user", "content": "Hi"}]


def told(sim, **options):
    """Return the findings of the failed assertion, a line each, without evidence and advice."""
    with pytest.raises(AssertionError) as caught:
        sim.assert_resilient(**options)
    text = str(caught.value).partition("\n\n")[2].partition("\n\nTo fix")[0]
    return [line.strip() for line in text.splitlines() if "  To mend it:" not in line and "  | " not in line]


def create(client, **options):
    """Ask once."""
    return client.chat.completions.create(model="gpt-4o", messages=MESSAGES, **options)


def layers(times, retries):
    """Retry in a loop of one's own what the SDK retries by itself."""
    client = openai.OpenAI(max_retries=retries)
    for _ in range(times):
        try:
            return client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
        except openai.APIError:
            time.sleep(1)
    return None


def test_t10_three_by_three_requests_of_two_layers(llm_sim):
    """Nine requests in three rounds of the SDK's are retries that multiply; the threshold is an argument."""
    llm_sim.openai.fails(faults.ServerError(503), times=9)
    assert layers(3, retries=2) is None
    (found,) = told(llm_sim)
    assert found == (
        "retries_multiplied  unmarked call 1 asked `openai` 9 times: 3 rounds of 3, 3, 3 requests, because two layers "
        "retry. To blame: the app, or a framework, which retries what the SDK retries by itself."
    )
    llm_sim.assert_resilient(thresholds={"retries_multiplied": 10})
    (found,) = told(llm_sim, thresholds={"retries_multiplied": 10, "retry_storm": 8})
    assert found.startswith("retry_storm  unmarked call 1 sent more than 8 requests without an answer.")


@pytest.mark.parametrize(("times", "retries"), [(1, 5), (5, 0), (2, 1)], ids=["the-sdk", "a-loop", "a-few"])
def test_t10_one_layer_or_a_few_requests_are_none(llm_sim, times, retries):
    """One layer of retries, and two of few requests, are in order."""
    llm_sim.openai.fails(faults.ServerError(503), times=times * (retries + 1))
    with suppress(openai.APIError):
        layers(times, retries)
    llm_sim.assert_resilient()


def test_t11_a_limit_of_30_s_that_took_91_s(llm_sim):
    """A limit for each attempt is none for the call: the SDK tries three times."""
    llm_sim.openai.fails(faults.Timeout(), times=3)
    with pytest.raises(openai.APITimeoutError), llm_sim.call("ask"):
        create(openai.OpenAI(timeout=30, max_retries=2))
    took = llm_sim.clock.elapsed()
    (found,) = told(llm_sim)
    assert found == (
        f"timeouts_multiplied  call 1 waited {took:.1f} s in 3 attempts, each of which was to take 30 s at most. "
        "To blame: the SDK, which retries by itself."
    )
    llm_sim.assert_resilient(thresholds={"timeouts_multiplied": 4})


def test_t11_an_hour_that_was_slept_in_full(llm_sim):
    """A wait of an hour that a provider asks for is none that a call serves; a minute is."""
    llm_sim.openai.fails(faults.RateLimited(retry_after=3600)).replies("Hi")
    client = openai.OpenAI(max_retries=0)
    with llm_sim.call("ask"):
        with suppress(openai.RateLimitError):
            create(client)
        time.sleep(3600)
        create(client)
    (found,) = told(llm_sim)
    assert found == (
        "retry_after_unbounded  call 1 slept 3600 s before it asked `openai` again, because it was told to. "
        "To blame: the app."
    )
    llm_sim.assert_resilient(thresholds={"retry_after_unbounded.wait": 3600})


def test_t11_a_drip_of_75_s_under_a_limit_of_1_s(llm_sim):
    """A timeout of the client holds for each piece; an answer may drip for ever under it."""
    llm_sim.openai.latency(ttft=0, tokens_per_second=2).replies(Reply("word " * 150))
    with llm_sim.call("read"):
        assert list(create(openai.OpenAI(timeout=1, max_retries=0), stream=True))
    took = llm_sim.clock.elapsed()
    (found,) = told(llm_sim)
    assert found == (
        f"slow_stream_unbounded  call 1 read an answer of `openai` for {took:.0f} s under a timeout of 1 s, which "
        "holds for each piece alone. To blame: the app, which sets no limit for the whole answer."
    )
    llm_sim.assert_resilient(thresholds={"slow_stream_unbounded": 100})


def test_a_long_answer_under_the_default_limit_is_none(llm_sim):
    """An answer of two minutes under the SDK's ten is in order."""
    llm_sim.openai.latency(ttft=0, tokens_per_second=1).replies(Reply("word " * 120))
    with llm_sim.call("read"):
        assert list(create(openai.OpenAI(), stream=True))
    llm_sim.assert_resilient()
