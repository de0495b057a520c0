"""A provider that plays a script, and one way to ask a chain in each of its four modes."""

import asyncio

from llmtest.clock import VirtualClock, active_clock, iterate_blocking, run_blocking, run_virtual
from llmtest.errors import (
    AuthenticationError,
    ProviderTimeoutError,
    RateLimitedError,
    ServerError,
    StreamInterruptedError,
)
from llmtest.events import Trace, subscribed
from llmtest.types import (
    NO_TIMEOUTS,
    Capabilities,
    CompletionRequest,
    CompletionResponse,
    StreamEvent,
    TextPart,
    Usage,
)

MODES = ("complete", "complete_async", "stream", "stream_async")
REQUEST = CompletionRequest.ask("Capital of France?")


def down(status=503):
    """Return a server error."""
    return ServerError("down", status=status)


def limited(retry_after=None):
    """Return a 429."""
    return RateLimitedError("slow down", status=429, retry_after=retry_after)


def refused_key():
    """Return a 401."""
    return AuthenticationError("bad key", status=401)


class Slow:
    """A step that takes `seconds` before it does `then`."""

    def __init__(self, seconds, then="ok"):
        self.seconds = seconds
        self.then = then


class Cut:
    """A stream that shows `text` word by word and then breaks; without an error it just stops."""

    def __init__(self, text, error=None):
        self.text = text
        self.error = error


class ScriptedProvider:
    """Plays its steps in order, the last one for ever: a text, an error, `Slow` or `Cut`.

    It keeps the `total` limit, as a provider has promised to.
    """

    def __init__(self, name, *steps, model="m", credential=None, capabilities=None):
        self.name = name
        self.model = model
        self.credential = credential
        self.capabilities = capabilities or Capabilities()
        self.steps = list(steps) or ["ok"]
        self.requests = []
        self.starts = []
        self.limits = []
        self.in_flight = 0
        self.most_in_flight = 0

    async def _play(self, request, timeouts, sleep):
        self.requests.append(request)
        self.limits.append(timeouts)
        self.starts.append(active_clock().elapsed())
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if isinstance(step, Slow):
                limit = timeouts.total
                if limit is not None and limit < step.seconds:
                    await sleep(limit)
                    error = ProviderTimeoutError("too slow")
                    error.phase = "total"
                    raise error
                await sleep(step.seconds)
                step = step.then
            if isinstance(step, BaseException):
                raise step
            return step
        finally:
            self.in_flight -= 1

    def _response(self, text):
        return CompletionResponse(parts=(TextPart(text),), usage=Usage(10, 2), model=self.model)

    @staticmethod
    async def _sleep_blocking(seconds):
        active_clock().sleep(seconds)

    @staticmethod
    async def _sleep_async(seconds):
        await active_clock().sleep_async(seconds)

    def complete(self, request, timeouts=NO_TIMEOUTS):
        return run_blocking(self._complete(request, timeouts, self._sleep_blocking))

    async def complete_async(self, request, timeouts=NO_TIMEOUTS):
        return await self._complete(request, timeouts, self._sleep_async)

    async def _complete(self, request, timeouts, sleep):
        step = await self._play(request, timeouts, sleep)
        if isinstance(step, Cut):
            raise step.error or StreamInterruptedError("cut")
        return self._response(step)

    def stream(self, request, timeouts=NO_TIMEOUTS):
        return iterate_blocking(self._stream(request, timeouts, self._sleep_blocking))

    def stream_async(self, request, timeouts=NO_TIMEOUTS):
        return self._stream(request, timeouts, self._sleep_async)

    async def _stream(self, request, timeouts, sleep):
        step = await self._play(request, timeouts, sleep)
        yield StreamEvent("start", model=self.model)
        text = step.text if isinstance(step, Cut) else step
        for word in text.split():
            yield StreamEvent("text", word + " ")
        if isinstance(step, Cut):
            if step.error is not None:
                raise step.error
            return
        yield StreamEvent("usage", usage=Usage(10, 2))
        yield StreamEvent("finish")
        yield StreamEvent("end", response=self._response(step))


class World:
    """A virtual clock and a trace; runs coroutines in them."""

    def __init__(self):
        self.clock = VirtualClock()
        self.trace = Trace()

    def run(self, coroutine):
        with subscribed(self.trace.append, number_call=self.trace.next_call):
            return run_virtual(coroutine, self.clock)

    def ask(self, provider, mode="complete", request=REQUEST):
        """Ask once, in any of the four modes, and return the response."""
        return self.run(ask(provider, mode, request))

    def fail(self, provider, mode="complete", request=REQUEST):
        """Ask once and return the error."""
        try:
            self.ask(provider, mode, request)
        except Exception as error:  # noqa: BLE001 - the error is what the test looks at
            return error
        raise AssertionError("the call succeeded")

    def sees_healthy(self, chain):
        """Return whether a chain is healthy at this world's time."""

        async def look():
            return chain.is_healthy

        return self.run(look())

    def events(self, kind):
        return self.trace.of(kind)


async def ask(provider, mode="complete_async", request=REQUEST):
    """Ask in one of the four modes; streams are read to their end."""
    if mode == "complete":
        return provider.complete(request)
    if mode == "complete_async":
        return await provider.complete_async(request)
    if mode == "stream":
        return list(provider.stream(request))[-1].response
    return [event async for event in provider.stream_async(request)][-1].response


async def outcomes(provider, count, mode="complete_async"):
    """Ask `count` times at once; return the answers and errors."""
    return await asyncio.gather(*(ask(provider, mode) for _ in range(count)), return_exceptions=True)
