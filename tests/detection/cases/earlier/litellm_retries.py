"""Faults that litellm had: retries."""

import contextlib
import time

import litellm
from litellm.router import RetryPolicy

from llmtest import faults
from tests.detection._case import Case
from tests.detection.cases.litellm._router import HELLO, MAIN, SPARE, ask, read, router


def complete(**more):
    """Ask OpenAI without a Router."""
    return litellm.completion("openai/gpt-4o", HELLO, api_key="k", **more).choices[0].message.content


class StaleRetryAfter(Case):
    """Every wait follows the first error: 1, 5 and 20 s are asked for, and about 1 s is waited each time."""

    library = "litellm"
    thread = "BerriAI/litellm#20722"
    findings = ("retry_after_ignored",)

    def script(self, sim):
        for seconds in (1, 5, 20):
            sim.openai.fails(faults.RateLimited(retry_after=seconds))
        sim.openai.replies("Paris")

    def app(self, sim):
        return ask(router(MAIN, num_retries=3, disable_cooldowns=True))

    def catch(self, sim, answer):
        sim.assert_waited(at_least=26)


class OneRetryIsThree(Case):
    """`num_retries=1` sends three requests and more: the SDK's own retries come on top."""

    library = "litellm"
    thread = "BerriAI/litellm#12358"
    findings = ("no_backoff", "retries_multiplied")
    raises = "InternalServerError"
    cure_raises = "InternalServerError"

    def script(self, sim):
        sim.openai.fails(faults.ServerError(503), times=None)

    def app(self, sim):
        return complete(num_retries=2)

    def catch(self, sim, answer):
        sim.assert_attempts("openai", at_most=3)

    def cure(self, sim):
        return ask(router(MAIN, num_retries=2, disable_cooldowns=True))


class PolicyPlusThree(Case):
    """A policy of two retries makes five requests: it is added to the SDK's own."""

    library = "litellm"
    thread = "BerriAI/litellm#7262"
    findings = ("retries_multiplied",)
    raises = "RateLimitError"
    cure_raises = "RateLimitError"

    def script(self, sim):
        sim.openai.fails(faults.RateLimited(), times=None)

    def ask(self, **more):
        policy = RetryPolicy(RateLimitErrorRetries=2)
        return complete(retry_policy=policy, retry_strategy="exponential_backoff_retry", **more)

    def app(self, sim):
        return self.ask()

    def catch(self, sim, answer):
        sim.assert_attempts("openai", at_most=3)

    def cure(self, sim):
        return self.ask(max_retries=0)


class AskedAgain(Case):
    """An app that asks again what can only be refused again."""

    findings = ("retried_non_retryable",)

    def script(self, sim):
        sim.openai.fails(self.fault, times=None)

    def app(self, sim):
        return complete(num_retries=2)

    def catch(self, sim, answer):
        sim.assert_attempts("openai", 1)

    def cure(self, sim):
        return ask(router(MAIN, num_retries=2))


class RefusedKeyRetried(AskedAgain):
    """A refused key is asked with again, three times in all."""

    library = "litellm"
    thread = "BerriAI/litellm#18395"
    raises = "AuthenticationError"
    cure_raises = "AuthenticationError"
    fault = faults.AuthenticationFailed()


class UnknownModelRetried(AskedAgain):
    """A model that does not exist is asked for three times."""

    library = "litellm"
    thread = "BerriAI/litellm#1418"
    raises = "NotFoundError"
    cure_raises = "NotFoundError"
    fault = faults.ModelNotFound()


class RetriesNotInStream(Case):
    """`num_retries` is not used for an overload that is told inside a stream."""

    library = "litellm"
    thread = "BerriAI/litellm#29808"
    untold = "left-open"
    raises = "MidStreamFallbackError"

    def script(self, sim):
        sim.anthropic.fails(faults.StreamError(0)).replies("Paris", optional=True)

    def app(self, sim):
        return read(router(SPARE, num_retries=3), "spare")

    def catch(self, sim, answer):
        sim.assert_attempts("anthropic", at_least=2)

    def cure(self, sim):
        routes = router(SPARE)
        for attempt in range(4):
            with contextlib.suppress(litellm.exceptions.MidStreamFallbackError):
                return read(routes, "spare")
            time.sleep(2**attempt)
        raise TimeoutError
