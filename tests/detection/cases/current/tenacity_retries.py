"""Faults of tenacity."""

import asyncio
import functools

import openai
import tenacity

from llmtest import faults
from tests.detection._case import Case

HELLO = [{"role": "user", "content": "Tell me of Paris"}]
QUESTION = {"model": "gpt-4o", "messages": HELLO}
THRICE = {"stop": tenacity.stop_after_attempt(3), "wait": tenacity.wait_fixed(3)}


def client():
    """Return a client that leaves retrying to others."""
    return openai.OpenAI(max_retries=0)


def ask(client):
    """Ask for one whole answer."""
    return client.chat.completions.create(**QUESTION).choices[0].message.content


async def ask_async(question="Tell me of Paris"):
    """Ask for one whole answer."""
    messages = [{"role": "user", "content": question}]
    async with openai.AsyncOpenAI(max_retries=0) as client:
        answer = await client.chat.completions.create(model="gpt-4o", messages=messages)
        return answer.choices[0].message.content


class OneFailure(Case):
    """An app that should get over one failure."""

    findings = ("gave_up",)
    raises = "InternalServerError"

    def script(self, sim):
        sim.openai.fails(faults.ServerError(503)).replies("Paris it is", optional=True)

    def catch(self, sim, answer):
        sim.assert_attempts("openai", at_least=2)


class Generator(OneFailure):
    """`@retry` around a generator function retries nothing: calling it only makes the generator."""

    library = "tenacity"
    thread = "jd/tenacity#138"

    def app(self, sim):
        @tenacity.retry(**THRICE)
        def pieces():
            for chunk in client().chat.completions.create(**QUESTION, stream=True):
                yield chunk.choices[0].delta.content or ""

        return "".join(pieces())

    def cure(self, sim):
        @tenacity.retry(**THRICE)
        def opened():
            return client().chat.completions.create(**QUESTION, stream=True)

        return "".join(chunk.choices[0].delta.content or "" for chunk in opened())


class AsyncGenerator(OneFailure):
    """`@retry` around an asynchronous generator is done before the generator asks for anything."""

    library = "tenacity"
    thread = "jd/tenacity#63"

    def app(self, sim):
        @tenacity.retry(**THRICE)
        async def pieces():
            stream = await openai.AsyncOpenAI(max_retries=0).chat.completions.create(**QUESTION, stream=True)
            async for chunk in stream:
                yield chunk.choices[0].delta.content or ""

        async def main():
            return "".join([piece async for piece in pieces()])

        return asyncio.run(main())

    def cure(self, sim):
        @tenacity.retry(**THRICE)
        async def opened():
            return await openai.AsyncOpenAI(max_retries=0).chat.completions.create(**QUESTION, stream=True)

        async def main():
            return "".join([chunk.choices[0].delta.content or "" async for chunk in await opened()])

        return asyncio.run(main())


class FunctionOfCoroutine(OneFailure):
    """`@retry` around a plain function that returns a coroutine has its success before the request is sent."""

    library = "tenacity"
    thread = "jd/tenacity#132"

    def app(self, sim):
        @tenacity.retry(**THRICE)
        def answered(question):
            return ask_async(question)

        return asyncio.run(answered("Tell me of Paris"))

    def cure(self, sim):
        @tenacity.retry(**THRICE)
        async def answered(question):
            return await ask_async(question)

        return asyncio.run(answered("Tell me of Paris"))


class PartialOfObject(OneFailure):
    """A `partial` of an object whose `__call__` is asynchronous is taken for a plain function."""

    library = "tenacity"
    thread = "jd/tenacity#657"

    def app(self, sim):
        return self.ask(functools.partial(Asker(), "Tell me of Paris"))

    def ask(self, function):
        async def main():
            return await tenacity.retry(**THRICE)(function)()

        return asyncio.run(main())

    def cure(self, sim):
        return self.ask(functools.partial(Asker().__call__, "Tell me of Paris"))


class Asker:
    """An app that is an object."""

    async def __call__(self, question):
        """Ask for one whole answer."""
        return await ask_async(question)


class SingleDispatch(OneFailure):
    """An asynchronous function under `singledispatch` is taken for a plain one, and never retried."""

    library = "tenacity"
    thread = "jd/tenacity#430"

    def app(self, sim):
        @tenacity.retry(**THRICE)
        @functools.singledispatch
        async def answered(question):
            return await ask_async(question)

        return asyncio.run(answered("Tell me of Paris"))

    def cure(self, sim):
        @functools.singledispatch
        @tenacity.retry(**THRICE)
        async def answered(question):
            return await ask_async(question)

        return asyncio.run(answered("Tell me of Paris"))


class DelayOverrun(Case):
    """`stop_after_delay(5)` goes on for 7 s: it looks at the clock before the last wait, not after it."""

    library = "tenacity"
    thread = "jd/tenacity#423"
    untold = "limits"
    raises = "InternalServerError"
    cure_raises = "InternalServerError"

    def script(self, sim):
        sim.openai.fails(faults.ServerError(503), times=None)

    def ask(self, stop):
        return tenacity.Retrying(stop=stop, wait=tenacity.wait_exponential(), reraise=True)(ask, client())

    def app(self, sim):
        return self.ask(tenacity.stop_after_delay(5))

    def catch(self, sim, answer):
        sim.assert_waited(at_most=5)

    def cure(self, sim):
        return self.ask(tenacity.stop_before_delay(5))


class QuotaRetried(Case):
    """`@retry` without a condition asks an account without credit six times, and hides why it failed."""

    library = "tenacity"
    thread = "koa-fin/sep#2"
    findings = ("retried_non_retryable",)
    raises = "RetryError"
    cure_raises = "RateLimitError"

    def script(self, sim):
        sim.openai.fails(faults.QuotaExceeded(), times=None)

    def ask(self, **more):
        wait = tenacity.wait_random_exponential(min=1, max=60)
        return tenacity.Retrying(stop=tenacity.stop_after_attempt(6), wait=wait, **more)(ask, client())

    def app(self, sim):
        return self.ask()

    def catch(self, sim, answer):
        sim.assert_attempts("openai", 1)

    def cure(self, sim):
        def passes(error):
            return getattr(error, "code", None) != "insufficient_quota"

        return self.ask(retry=tenacity.retry_if_exception(passes), reraise=True)


class CancelledAndAskedAgain(Case):
    """`retry_if_not_exception_type` retries a cancelled call too: it goes on after its caller has left."""

    library = "tenacity"
    thread = "jd/tenacity#505"
    findings = ("retried_non_retryable",)
    cure_raises = "TimeoutError"

    def script(self, sim):
        sim.openai.fails(faults.SlowFirstToken(20), times=None)

    def ask(self, retry):
        retrying = tenacity.AsyncRetrying(**THRICE, retry=retry, reraise=True)

        async def main():
            async with asyncio.timeout(5):
                return await retrying(ask_async)

        return asyncio.run(main())

    def app(self, sim):
        return self.ask(tenacity.retry_if_not_exception_type(openai.BadRequestError))

    def catch(self, sim, answer):
        sim.assert_attempts("openai", 1)

    def cure(self, sim):
        return self.ask(tenacity.retry_if_exception_type(openai.APIError))
