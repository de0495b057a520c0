"""Faults of backoff and stamina."""

import backoff
import openai
import stamina

from llmtest import faults
from tests.detection._case import Case


def ask(client):
    """Ask for one whole answer."""
    messages = [{"role": "user", "content": "Tell me of Paris"}]
    return client.chat.completions.create(model="gpt-4o", messages=messages).choices[0].message.content


class RetryAfterUnknown(Case):
    """`backoff.expo` cannot know `Retry-After`: a limit that is over in 20 s is run into again and again."""

    library = "backoff"
    thread = "litl/backoff#102"
    findings = ("retry_after_ignored",)

    def script(self, sim):
        sim.openai.fails(faults.RateLimited(retry_after=20), times=3).replies("Paris")

    def app(self, sim):
        patient = backoff.on_exception(backoff.expo, openai.RateLimitError, max_tries=6)
        return patient(ask)(openai.OpenAI(max_retries=0))

    def catch(self, sim, answer):
        sim.assert_waited(at_least=60)

    def cure(self, sim):
        def told(error):
            return float(error.response.headers["retry-after"])

        patient = backoff.on_exception(backoff.runtime, openai.RateLimitError, value=told, max_tries=6, jitter=None)
        return patient(ask)(openai.OpenAI(max_retries=0))


class MaxTimeOverrun(Case):
    """`max_time=20` lets another try begin before it is over, however long that takes."""

    library = "backoff"
    thread = "litl/backoff#186"
    findings = ("timeouts_multiplied",)
    raises = "APITimeoutError"
    cure_raises = "APITimeoutError"

    def script(self, sim):
        sim.openai.fails(faults.Timeout(), times=None)

    def app(self, sim):
        patient = backoff.on_exception(backoff.expo, openai.APITimeoutError, max_time=20)
        return patient(ask)(openai.OpenAI(timeout=15, max_retries=0))

    def catch(self, sim, answer):
        sim.assert_waited(at_most=25)

    def cure(self, sim):
        patient = backoff.on_exception(backoff.expo, openai.APITimeoutError, max_tries=2)
        return patient(ask)(openai.OpenAI(timeout=9, max_retries=0))


class JitterOverSoon(Case):
    """Full jitter makes waits as short as nothing: `max_tries=4` are over before an outage of five seconds is."""

    library = "backoff"
    thread = "litl/backoff#43"
    untold = "limits"
    raises = "InternalServerError"

    def script(self, sim):
        sim.openai.fails(faults.ServerError(503), for_="5s", optional=True).replies("Paris", optional=True)

    def ask(self, **more):
        patient = backoff.on_exception(backoff.expo, openai.InternalServerError, **more)
        return patient(ask)(openai.OpenAI(max_retries=0))

    def app(self, sim):
        return self.ask(max_tries=4)

    def catch(self, sim, answer):
        sim.assert_waited(at_least=5)

    def cure(self, sim):
        return self.ask(max_time=60)


class DeadlineUsedUp(Case):
    """stamina's deadline is of all tries: a single slow one uses it up, and five allowed tries are one."""

    library = "stamina"
    thread = "bcgov/bcdata_py#215"
    findings = ("gave_up",)
    raises = "APITimeoutError"

    def script(self, sim):
        sim.openai.fails(faults.Timeout()).replies("Paris", optional=True)

    def ask(self, timeout):
        patient = stamina.retry(on=openai.APITimeoutError, attempts=5, timeout=timeout)
        return patient(ask)(openai.OpenAI(timeout=60, max_retries=0))

    def app(self, sim):
        return self.ask(60)

    def catch(self, sim, answer):
        sim.assert_attempts("openai", at_least=2)

    def cure(self, sim):
        return self.ask(300)


class DeadlineByDefault(Case):
    """`attempts=10` gives up after six: there is a deadline of 45 s that nobody asked for."""

    library = "stamina"
    thread = "hynek/stamina#60"
    untold = "limits"
    raises = "InternalServerError"

    def script(self, sim):
        sim.openai.fails(faults.ServerError(503), times=7).replies("Paris", optional=True)

    def ask(self, **more):
        patient = stamina.retry(on=openai.InternalServerError, attempts=10, wait_initial=1, wait_max=20, **more)
        return patient(ask)(openai.OpenAI(max_retries=0))

    def app(self, sim):
        return self.ask()

    def catch(self, sim, answer):
        sim.assert_attempts("openai", 8)

    def cure(self, sim):
        return self.ask(timeout=None)
