"""For each finding a client that behaves, and is not accused whatever goes wrong, and one that earns it."""

import time
from contextlib import suppress

import openai
import pytest

from llmtest import CircuitBreakerConfig, FallbackChain, LLMClient, OpenAIProvider, RetryConfig, faults
from llmtest.conduct import FINDINGS
from llmtest.errors import LLMTestError
from llmtest.simulation import Reply
from tests.testing.findings.fault_schedules import SCHEDULES, schedule

MESSAGES = [{"role": "user", "content": "Hi"}]
PASSING = (openai.APIConnectionError, openai.InternalServerError, openai.RateLimitError)


def client(retries=0, **options):
    """Return openai's client."""
    return openai.OpenAI(api_key="sk-never-sent", max_retries=retries, **options)


def create(asked, **options):
    """Ask once."""
    return asked.chat.completions.create(model="gpt-4o", messages=MESSAGES, **options)


def heard(asked):
    """Read a stream; return its text, and whether it told its end."""
    text, is_whole = "", False
    for chunk in create(asked, stream=True):
        for choice in chunk.choices:
            text += choice.delta.content or ""
            is_whole = is_whole or choice.finish_reason is not None
    return text, is_whole


def by_the_sdk(sim):
    """Leave retries to the SDK, and fail where it does."""
    with sim.call("ask") as call:
        call.returned(create(client(retries=2, timeout=30)))


def with_backoff(sim):
    """Retry what may pass, later each time, and no longer than a minute."""
    asked = client(timeout=20)
    with sim.call("ask") as call:
        for pause in (1, 2, 4, None):
            try:
                call.returned(create(asked))
            except PASSING as error:
                wait = getattr(getattr(error, "response", None), "headers", {}).get("retry-after")
                if pause is None or getattr(error, "code", None) == "insufficient_quota":
                    raise
                if isinstance(error, openai.APITimeoutError) and pause > 1:
                    raise
                time.sleep(max(pause, float(wait or 0)))
            else:
                return


def with_a_whole_stream(sim):
    """Take a stream for whole only if it told its end, and ask again once."""
    asked = client(retries=2, timeout=20)
    with sim.call("read") as call:
        for _ in range(2):
            text, is_whole = heard(asked)
            if is_whole:
                call.returned(text)
                return
            time.sleep(1)
        raise EOFError


def by_our_own_layer(sim):
    """Leave it all to a chain of our own, whose circuits tell their states."""
    chain = (
        FallbackChain.builder()
        .with_retry(RetryConfig(max_attempts=3))
        .with_circuit_breaker(CircuitBreakerConfig(failure_threshold=2, cooldown_secs=10))
        .add_last(OpenAIProvider(model="gpt-4o"))
        .build()
    )
    for _ in range(4):
        with suppress(LLMTestError):
            LLMClient(chain).ask("Hi")
        time.sleep(11)
    assert sim.openai.requests


def hasty(sim):
    """Ask again at once, ten times and more, and whatever the provider says."""
    asked = client()
    with sim.call("ask"):
        for _ in range(15):
            try:
                return create(asked)
            except openai.APIError:
                continue
    return None


def half(sim):
    """Return what was heard."""
    with sim.call("read") as call:
        call.returned(heard(client())[0])


def silent(sim):
    """Swallow the error."""
    with sim.call("ask") as call, suppress(openai.APIError):
        call.returned(create(client()))


def patient(sim):
    """Set no limit."""
    with sim.call("ask") as call:
        call.returned(create(client(retries=1)))


def limited(sim):
    """Set a limit for each attempt, which the SDK makes three times."""
    with sim.call("ask"), suppress(openai.APIError):
        create(client(retries=2, timeout=30))


def obedient(sim):
    """Sleep as long as one is told to."""
    asked = client()
    with sim.call("ask"):
        try:
            create(asked)
        except openai.RateLimitError as error:
            time.sleep(float(error.response.headers["retry-after"]))
            create(asked)


def layered(sim):
    """Retry three times what the SDK retries three times."""
    asked = client(retries=2)
    with sim.call("ask"):
        for pause in (1, 2, 0):
            with suppress(openai.APIError):
                return create(asked)
            time.sleep(pause)
    return None


def dripping(sim):
    """Read for as long as something comes within the limit."""
    sim.openai.latency(ttft=0, tokens_per_second=2)
    with sim.call("read") as call:
        call.returned(heard(client(timeout=1))[0])


def boasting(sim):
    """Tell a tenth of what was charged."""
    with sim.call("ask") as call:
        answer = create(client())
        call.returned(answer, cost=sim.costs.total_usd / 10)


def honest(sim):
    """Tell what was charged."""
    with sim.call("ask") as call:
        answer = create(client(retries=2, timeout=20))
        call.returned(answer, cost=sim.costs.total_usd)


PAIRS = {
    "retry_after_ignored": (with_backoff, hasty, (faults.RateLimited(retry_after=30), faults.ServerError())),
    "retry_storm": (by_the_sdk, hasty, (faults.ServerError(),) * 15),
    "no_backoff": (with_backoff, hasty, (faults.ServerError(),) * 2),
    "retried_non_retryable": (with_backoff, hasty, (faults.InvalidRequest(),)),
    "truncated_answer_accepted": (with_a_whole_stream, half, (faults.StreamTruncated(after_chunks=2),)),
    "gave_up": (with_backoff, silent, (faults.ServerError(503),)),
    "no_read_timeout": (with_backoff, patient, (faults.Timeout(),)),
    "timeouts_multiplied": (with_backoff, limited, (faults.Timeout(),) * 3),
    "retry_after_unbounded": (by_the_sdk, obedient, (faults.RateLimited(retry_after=3600),)),
    "retries_multiplied": (with_backoff, layered, (faults.ServerError(503),) * 9),
    "slow_stream_unbounded": (with_a_whole_stream, dripping, ()),
    "cost_misreported": (honest, boasting, ()),
}
"""By finding: who behaves, who earns it, and what the second one meets."""

ELSEWHERE = {
    "half_open_herd": "test_routing_findings",
    "fallback_on_client_error": "test_routing_findings",
    "no_fallback_after_break": "test_routing_findings",
    "dead_provider_walked": "test_routing_findings",
    "backoff_synchronised": "test_routing_findings",
    "request_mutated": "test_content_findings",
    "duplicate_effect": "test_content_findings",
    "answers_glued": "test_content_findings",
    "budget_overshoot": "test_spend_findings",
    "harness_error": "it is no finding about conduct",
}
"""Findings that have their pairs in another file."""


def findings(sim, name):
    """Return what is found of one kind, decided and undecided."""
    try:
        sim.assert_resilient(ignore=[each for each in FINDINGS if each != name])
    except AssertionError as error:
        return str(error).partition("\n\nTrace:")[0]
    return ""


def test_every_finding_has_its_pair():
    """No kind of finding is without somebody who earns it and somebody who does not."""
    assert {*PAIRS, *ELSEWHERE} >= {*FINDINGS}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("goes_wrong", SCHEDULES)
def test_who_behaves_is_not_accused(llm_sim, name, goes_wrong):
    """A small client that does what it should is not accused, whatever goes wrong."""
    schedule(llm_sim.openai, goes_wrong)
    with suppress(openai.APIError, EOFError, ValueError):
        PAIRS[name][0](llm_sim)
    assert findings(llm_sim, name) == ""


@pytest.mark.parametrize("name", PAIRS)
def test_who_does_not_is_found_out(llm_sim, name):
    """A small client that does what no caller should is found out."""
    _, misbehaves, meets = PAIRS[name]
    for fault in meets:
        llm_sim.openai.fails(fault, optional=True)
    llm_sim.openai.replies(Reply("word " * 150), optional=True)
    misbehaves(llm_sim)
    assert f"\n  {name}  call 1 " in findings(llm_sim, name)


def test_our_own_layer_is_accused_of_nothing(llm_sim):
    """The chain of our own behaves under every schedule, and not one rule says otherwise."""
    for goes_wrong in SCHEDULES:
        llm_sim.reset()
        schedule(llm_sim.openai, goes_wrong)
        by_our_own_layer(llm_sim)
        llm_sim.assert_resilient()
