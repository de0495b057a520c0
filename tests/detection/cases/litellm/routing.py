"""Faults of litellm's Router: retries, limits, cooldowns."""

import asyncio
import contextlib
import time

import litellm

from llmtest import faults
from tests.detection._case import Case
from tests.detection.cases.litellm._router import HELLO, MAIN, SPARE, ask, deployment, router


class SharedQuota(Case):
    """With two deployments of one account a 429 is asked again at once, because a sibling counts as healthy."""

    library = "litellm"
    thread = "BerriAI/litellm#34399"
    findings = ("retry_after_ignored",)
    raises = "RateLimitError"

    def script(self, sim):
        sim.openai.fails(faults.RateLimited(retry_after=20), times=2).replies("Paris", optional=True)

    def app(self, sim):
        sibling = deployment("main", "openai/gpt-4o", api_base="https://api.openai.com/v1")
        return ask(router(MAIN, sibling, num_retries=3))

    def catch(self, sim, answer):
        sim.assert_waited(at_least=20)

    def cure(self, sim):
        return ask(router(MAIN, num_retries=3))


class RetriesAgainInFallback(Case):
    """The fallback begins with all retries anew: an outage of both takes eight requests instead of five."""

    library = "litellm"
    thread = "BerriAI/litellm#19985"
    untold = "limits"
    raises = "InternalServerError"
    cure_raises = "InternalServerError"

    def script(self, sim):
        sim.openai.fails(faults.ServerError(503), times=None)
        sim.anthropic.fails(faults.ServerError(503), times=None)

    def app(self, sim):
        return ask(router(num_retries=3, fallbacks=[{"main": ["spare"]}], disable_cooldowns=True))

    def catch(self, sim, answer):
        sim.assert_attempts("anthropic", at_most=1)

    def cure(self, sim):
        with contextlib.suppress(litellm.InternalServerError):
            return ask(router(MAIN, num_retries=3, disable_cooldowns=True))
        return ask(router(SPARE), "spare")


class TimeoutPerTry(Case):
    """`timeout=30` is of each try: with two retries a silent provider is waited for 94 s."""

    library = "litellm"
    thread = "BerriAI/litellm#7303"
    findings = ("timeouts_multiplied",)
    raises = "Timeout"

    def script(self, sim):
        sim.openai.fails(faults.Timeout(), times=None)
        sim.anthropic.echoes()

    def app(self, sim):
        return ask(router(MAIN, timeout=30, num_retries=2))

    def catch(self, sim, answer):
        sim.assert_waited(at_most=40)

    def cure(self, sim):
        return ask(router(timeout=30, fallbacks=[{"main": ["spare"]}]))


class MaxRetriesDropped(Case):
    """`max_retries=5` is dropped without a word for every provider but OpenAI."""

    library = "litellm"
    thread = "BerriAI/litellm#32895"
    findings = ("gave_up",)
    raises = "InternalServerError"

    def script(self, sim):
        sim.anthropic.fails(faults.ServerError(503)).replies("Paris", optional=True)

    def ask(self, **more):
        return asyncio.run(litellm.acompletion("anthropic/claude-opus-5", HELLO, api_key="k", **more)).choices

    def app(self, sim):
        return self.ask(max_retries=5)

    def catch(self, sim, answer):
        sim.assert_attempts("anthropic", at_least=2)

    def cure(self, sim):
        return ask(router(SPARE, num_retries=5), "spare")


class CallersTimeoutCools(Case):
    """A caller's own limit of 1 s takes healthy deployments away from everybody else for a minute."""

    library = "litellm"
    thread = "BerriAI/litellm#41223"
    untold = "circuit"
    marks_its_calls = True
    raises = "RouterRateLimitError"

    def script(self, sim):
        for provider in (sim.openai, sim.anthropic):
            provider.fails(faults.SlowFirstToken(5), times=None)

    def ask(self, sim, **options):
        sibling = deployment("main", "anthropic/claude-opus-5")
        routes = router(MAIN, sibling, allowed_fails=0, cooldown_time=60, **options)

        async def main():
            with sim.call("impatient"):
                for _ in range(2):
                    with contextlib.suppress(litellm.Timeout):
                        await routes.acompletion(model="main", messages=HELLO, timeout=1)
            with sim.call("patient"):
                return (await routes.acompletion(model="main", messages=HELLO)).choices[0].message.content

        return asyncio.run(main())

    def app(self, sim):
        return self.ask(sim)

    def catch(self, sim, answer):
        sim.assert_spend(at_least="0.0001")

    def cure(self, sim):
        return self.ask(sim, disable_cooldowns=True)


class EmptyAccountAskedFirst(Case):
    """A 400 that says that there is no credit left does not cool: every call begins at the dead account."""

    library = "litellm"
    thread = "BerriAI/litellm#16092"
    findings = ("fallback_on_client_error",)
    marks_its_calls = True

    def script(self, sim):
        sim.openai.fails(faults.InvalidRequest(message="Your credit balance is too low."), times=None)
        sim.anthropic.echoes()

    def app(self, sim):
        routes = router(fallbacks=[{"main": ["spare"]}])

        async def main():
            for number in range(12):
                with sim.call(f"question {number}"):
                    await routes.acompletion(model="main", messages=HELLO)

        asyncio.run(main())

    def catch(self, sim, answer):
        sim.assert_attempts("openai", at_most=3)


class OverloadIsNoRateLimit(Case):
    """Anthropic's overload is litellm's `InternalServerError`: who retries rate limits alone gives up on it."""

    library = "litellm"
    thread = "SWE-agent/mini-swe-agent#184"
    findings = ("gave_up",)
    raises = "InternalServerError"

    def script(self, sim):
        sim.anthropic.fails(faults.Overloaded()).replies("Paris", optional=True)

    def ask(self, *errors):
        for attempt in range(4):
            try:
                answer = litellm.completion("anthropic/claude-opus-5", HELLO, api_key="k")
                return answer.choices[0].message.content
            except errors:
                time.sleep(2**attempt)
        raise TimeoutError

    def app(self, sim):
        return self.ask(litellm.RateLimitError)

    def catch(self, sim, answer):
        sim.assert_attempts("anthropic", at_least=2)

    def cure(self, sim):
        return self.ask(litellm.RateLimitError, litellm.InternalServerError)
