"""`watch_breaker` on what tenacity and stamina retry: each retry is an event, with its wait and its cause."""

import asyncio

import openai
import pytest
import stamina
import stamina.instrumentation
import tenacity

from llmtest import Simulation, faults
from llmtest.events import RetryScheduled

MESSAGES = [{"role": "user", "content": "Hi"}]


def ask():
    """Ask openai's SDK once, without its own retries."""
    return openai.OpenAI(max_retries=0).chat.completions.create(model="gpt-4o", messages=MESSAGES)


async def ask_async():
    """Ask openai's asynchronous SDK once, without its own retries."""
    return await openai.AsyncOpenAI(max_retries=0).chat.completions.create(model="gpt-4o", messages=MESSAGES)


OPTIONS = {"wait": tenacity.wait_fixed(2), "stop": tenacity.stop_after_attempt(3), "reraise": True}
STAMINA = {"on": openai.APIError, "wait_initial": 2, "wait_max": 2, "wait_jitter": 0}


def of_tenacity():
    """Return a function that tenacity decorates, as what is watched and what is called."""
    call = tenacity.retry(**OPTIONS)(ask)
    return call, call


def of_tenacity_async():
    """Return the same of a coroutine function."""
    call = tenacity.retry(**OPTIONS)(ask_async)
    return call, lambda: asyncio.run(call())


def of_retrying():
    """Return tenacity's own object."""
    retrying = tenacity.Retrying(**OPTIONS)
    return retrying, lambda: retrying(ask)


def of_stamina():
    """Return a function that stamina decorates."""
    call = stamina.retry(**STAMINA)(ask)
    return call, call


def of_stamina_async():
    """Return the same of a coroutine function."""
    call = stamina.retry(**STAMINA)(ask_async)
    return call, lambda: asyncio.run(call())


def of_retrying_caller():
    """Return a retrying caller of stamina."""
    caller = stamina.RetryingCaller(**{name: value for name, value in STAMINA.items() if name != "on"})
    return caller, lambda: caller(openai.APIError, ask)


RETRIERS = [of_tenacity, of_tenacity_async, of_retrying, of_stamina, of_stamina_async, of_retrying_caller]


@pytest.mark.parametrize("made", RETRIERS)
def test_retries_are_told(llm_sim, made):
    """What is retried, when, for how long and why."""
    llm_sim.openai.fails(faults.ServerError(503)).fails(faults.RateLimited()).replies("Hi")
    watched, call = made()
    llm_sim.watch_breaker(watched)
    with llm_sim.call("ask"):
        call()
    assert [
        (event.at, event.call, event.provider, event.model, event.number, event.delay, event.cause, event.error_class)
        for event in llm_sim.trace.of(RetryScheduled)
    ] == [
        (0.0, 1, "openai", "gpt-4o", 1, 2.0, "503", "InternalServerError"),
        (2.0, 1, "openai", "gpt-4o", 2, 2.0, "429", "RateLimitError"),
    ]
    assert llm_sim.clock.elapsed() == 4.0
    llm_sim.assert_retries(exactly=2)


@pytest.mark.parametrize("made", RETRIERS)
def test_nothing_of_ours_stays(made):
    """After the simulation its retries are no longer told."""
    watched, call = made()
    hooks = stamina.instrumentation.get_on_retry_hooks()
    with Simulation() as sim:
        sim.watch_breaker(watched)
    assert stamina.instrumentation.get_on_retry_hooks() == hooks
    with Simulation() as sim:
        sim.openai.fails(faults.ServerError(503)).replies("Hi")
        call()
        assert sim.trace.of(RetryScheduled) == []


def test_the_user_s_own_hook_is_called_as_before(llm_sim):
    """A `before_sleep` of the app, plain or a coroutine function, runs beside ours."""
    seen = []

    async def note(state):
        seen.append(("async", state.attempt_number))

    llm_sim.openai.fails(faults.ServerError(503)).replies("Hi").fails(faults.ServerError(503)).replies("Hi")
    plain = tenacity.retry(**OPTIONS, before_sleep=lambda state: seen.append(("plain", state.attempt_number)))(ask)
    awaited = tenacity.retry(**OPTIONS, before_sleep=note)(ask_async)
    for call in (plain, awaited):
        llm_sim.watch_breaker(call)
    plain()
    asyncio.run(awaited())
    assert seen == [("plain", 1), ("async", 1)]
    assert len(llm_sim.trace.of(RetryScheduled)) == 2


def test_a_retry_because_of_a_result(llm_sim):
    """Without an error there is none to tell; who was asked is the only provider there is."""
    answers = iter(["", "", "Paris"])
    options = {**OPTIONS, "retry": tenacity.retry_if_result(lambda result: not result)}
    call = tenacity.retry(**options)(lambda: next(answers))
    assert llm_sim.openai.name == "openai"
    llm_sim.watch_breaker(call)
    assert call() == "Paris"
    assert [(event.provider, event.cause) for event in llm_sim.trace.of(RetryScheduled)] == [("openai", "error")] * 2


def test_an_iterator_of_attempts(llm_sim):
    """`for attempt in Retrying(...)` is told as well, by the provider that is named."""
    llm_sim.openai.fails(faults.ServerError(503)).replies("Hi")
    retrying = tenacity.Retrying(**OPTIONS)
    llm_sim.watch_breaker(retrying, provider="openai")
    for attempt in retrying:
        with attempt:
            ask()
    (event,) = llm_sim.trace.of(RetryScheduled)
    assert (event.provider, event.number, event.delay) == ("openai", 1, 2.0)
