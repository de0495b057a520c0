"""Faults of circuit breakers: pybreaker, circuitbreaker, aiobreaker, purgatory."""

import asyncio
import contextlib
import datetime as dt
import threading

import aiobreaker
import anthropic
import circuitbreaker
import openai
import pybreaker

from llmtest import faults
from tests.detection._case import Case

HELLO = [{"role": "user", "content": "Tell me of Paris"}]
MINUTE = dt.timedelta(seconds=60)


def ask():
    """Ask the primary."""
    with openai.OpenAI(max_retries=0, timeout=5) as client:
        return client.chat.completions.create(model="gpt-4o", messages=HELLO).choices[0].message.content


async def ask_async():
    """Ask the primary."""
    async with openai.AsyncOpenAI(max_retries=0, timeout=5) as client:
        answer = await client.chat.completions.create(model="gpt-4o", messages=HELLO)
        return answer.choices[0].message.content


async def ask_patiently():
    """Ask the primary, twice if need be."""
    async with openai.AsyncOpenAI(max_retries=1, timeout=5) as client:
        await client.chat.completions.create(model="gpt-4o", messages=HELLO)


async def ask_other():
    """Ask the fallback."""
    async with anthropic.AsyncAnthropic(max_retries=0) as client:
        answer = await client.messages.create(model="claude-opus-5", max_tokens=99, messages=HELLO)
        return answer.content[0].text


def question(sim, number, guarded):
    """Ask the primary through a breaker, then the fallback; one call."""

    async def one():
        with sim.call(f"question {number}"):
            try:
                return await guarded(ask_async)
            except Exception:  # noqa: BLE001 - whatever the breaker makes of it
                return await ask_other()

    return one()


class DeadPrimary(Case):
    """An app that should leave a dead primary alone."""

    marks_its_calls = True
    findings = ("dead_provider_walked",)

    def script(self, sim):
        sim.openai.fails(faults.Timeout(), times=None)
        sim.anthropic.echoes()

    def ask(self, sim, guarded):
        async def main():
            return [await question(sim, number, guarded) for number in range(12)][-1]

        return asyncio.run(main())


class Coroutine(DeadPrimary):
    """A coroutine passes the breaker untouched: it returns before it fails, so that no failure is counted."""

    library = "pybreaker"
    thread = "danielfm/pybreaker#7"

    def app(self, sim):
        breaker = pybreaker.CircuitBreaker(fail_max=3, reset_timeout=60)

        async def guarded(function):
            return await breaker.call(function)

        return self.ask(sim, guarded)

    def catch(self, sim, answer):
        sim.assert_attempts("openai", at_most=3)

    def cure(self, sim):
        return self.ask(sim, aiobreaker.CircuitBreaker(fail_max=3, timeout_duration=MINUTE).call_async)


class LockHeld(Case):
    """The breaker keeps its lock while it asks: six threads whose answers take 5 s wait for half a minute."""

    library = "pybreaker"
    thread = "danielfm/pybreaker#3"
    untold = "one-at-a-time"
    marks_its_calls = True

    def script(self, sim):
        sim.openai.echoes().latency(ttft=4)

    def ask(self, sim, guarded):
        def one(number):
            with sim.call(f"question {number}"):
                guarded(ask)

        threads = [threading.Thread(target=one, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def app(self, sim):
        return self.ask(sim, pybreaker.CircuitBreaker(fail_max=3).call)

    def catch(self, sim, answer):
        sim.assert_waited(at_most=10)

    def cure(self, sim):
        breaker = circuitbreaker.CircuitBreaker(failure_threshold=3)
        return self.ask(sim, lambda function: breaker(function)())


class Herd(Case):
    """An app whose breaker should let one call find out whether its provider is back."""

    marks_its_calls = True
    findings = ("half_open_herd",)

    def script(self, sim):
        sim.openai.fails(faults.Timeout(), times=None)

    def catch(self, sim, answer):
        sim.assert_max_in_flight("openai", 1)

    async def crowd(self, sim, guarded):
        async def one(number):
            errors = (openai.APIError, circuitbreaker.CircuitBreakerError)
            with contextlib.suppress(*errors), sim.call(f"question {number}"):
                await guarded()

        for number in range(5):
            await one(number)
        await asyncio.sleep(61)
        await asyncio.gather(*(one(number) for number in range(10, 30)))


class NoLock(Herd):
    """Nothing is locked: a half-open circuit lets all of twenty calls through as its one trial."""

    library = "circuitbreaker"
    thread = "fabfuel/circuitbreaker#61"

    def app(self, sim):
        breaker = circuitbreaker.CircuitBreaker(failure_threshold=3, recovery_timeout=60)
        asyncio.run(self.crowd(sim, breaker(ask_patiently)))

    def cure(self, sim):
        breaker = circuitbreaker.CircuitBreaker(failure_threshold=3, recovery_timeout=60)
        trial = asyncio.Lock()

        async def one_at_a_time():
            if breaker.state == "half_open" and trial.locked():
                raise circuitbreaker.CircuitBreakerError(breaker)
            async with trial if breaker.state == "half_open" else contextlib.nullcontext():
                return await breaker(ask_patiently)()

        asyncio.run(self.crowd(sim, one_at_a_time))


class ErrorReplaced(Case):
    """`fail_max=2` shows one failure: the second is replaced by the breaker's own error, which nobody falls back on."""

    library = "aiobreaker"
    thread = "arlyon/aiobreaker#13"
    findings = ("no_fallback_after_break",)
    marks_its_calls = True
    raises = "CircuitBreakerError"

    def script(self, sim):
        sim.openai.fails(faults.ServerError(503), times=None)
        sim.anthropic.echoes()

    def ask(self, sim, *errors):
        breaker = aiobreaker.CircuitBreaker(fail_max=2, timeout_duration=MINUTE)

        async def main():
            for number in range(2):
                with sim.call(f"question {number}"):
                    try:
                        await breaker.call_async(ask_async)
                    except errors:
                        await ask_other()

        return asyncio.run(main())

    def app(self, sim):
        return self.ask(sim, openai.APIError)

    def catch(self, sim, answer):
        sim.assert_attempts("anthropic", 2)

    def cure(self, sim):
        return self.ask(sim, openai.APIError, aiobreaker.CircuitBreakerError)
