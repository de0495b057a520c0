"""One request for many equal calls, of threads and tasks: whoever asks may fail, be cancelled or leave (K04)."""

import asyncio
import gc
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from llmtest import CompletionRequest, FallbackChain, ResponseCache, ResponseCacheConfig, Simulation, TimeoutConfig
from llmtest.clock import Signal
from llmtest.errors import DeadlineExceededError, ServerError
from llmtest.resilience.cache._flights import Flights
from llmtest.types import Timeouts
from tests.resilience.cache.test_cache import NOT_KEPT, Answering, cached
from tests.resilience.scripted_provider import REQUEST, ScriptedProvider, Slow, ask, down, outcomes


@pytest.mark.parametrize("mode", ["complete_async", "stream_async"])
def test_k04_fifty_equal_tasks_make_one_request(world, mode, make_cache):
    """One asks, the others get its answer at the same moment; each of them is a hit that costs nothing."""
    provider = ScriptedProvider("a", Slow(2, "Paris is nice"))
    chain = cached(provider, cache=make_cache())
    answers = world.run(outcomes(chain, 50, mode))
    assert {answer.content for answer in answers} == {"Paris is nice"}
    assert len(provider.requests) == 1
    assert sorted(answer.attempts[-1].outcome for answer in answers) == ["200", *["cache_hit"] * 49]
    stats = chain.cache.stats()
    assert (stats.misses, stats.hits, stats.joined, stats.stores) == (1, 49, 49, 1)
    assert world.clock.elapsed() == 2.0
    assert len(chain.cache.flights) == 0


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
def test_k04_fifty_equal_threads_make_one_request(streams):
    """The same for blocking calls, in a simulation's threads."""
    with Simulation() as sim:
        sim.openai.latency(2.0).replies("Paris", times=None)
        chain = FallbackChain([sim.openai.as_provider("gpt-4o")], cache=ResponseCacheConfig())

        def work(_):
            return list(chain.stream(REQUEST))[-1].response if streams else chain.complete(REQUEST)

        with ThreadPoolExecutor(50) as pool:
            answers = list(pool.map(work, range(50)))
        assert {answer.content for answer in answers} == {"Paris"}
        assert len(sim.openai.requests) == 1
        assert chain.cache.stats().hits == 49


def test_k04_threads_and_tasks_wait_for_each_other():
    """A thread takes the answer that a task of another thread asked for, on the machine's own clock."""
    asked, go_on = threading.Event(), threading.Event()

    class Gated(ScriptedProvider):
        def complete(self, request, timeouts=None):
            asked.set()
            assert go_on.wait(10)
            return super().complete(request)

    provider = Gated("a", "Paris")
    chain = cached(provider)
    with ThreadPoolExecutor(3) as pool:
        leader = pool.submit(chain.complete, REQUEST)
        assert asked.wait(10)
        thread = pool.submit(chain.complete, REQUEST)
        task = pool.submit(asyncio.run, ask(chain, "complete_async"))
        flight = next(iter(chain.cache.flights._flights.values()))
        while len(flight.waiting) < 2:
            assert not thread.done()
        go_on.set()
        answers = [future.result(10) for future in (leader, thread, task)]
    assert [answer.content for answer in answers] == ["Paris"] * 3
    assert len(provider.requests) == 1


def test_k04_a_cancelled_leader_hands_over(world):
    """Another of the equal calls asks in its place, once; nobody else notices."""
    provider = ScriptedProvider("a", Slow(10, "never read"), Slow(10, "Paris"))
    chain = cached(provider)

    async def story():
        tasks = [asyncio.create_task(ask(chain)) for _ in range(5)]
        await asyncio.sleep(4)
        tasks[0].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    first, *others = world.run(story())
    assert isinstance(first, asyncio.CancelledError)
    assert {answer.content for answer in others} == {"Paris"}
    assert provider.starts == [0.0, 4.0]


def test_k04_a_follower_that_is_cancelled_takes_nobody_along(world):
    """Neither while it waits, nor at the moment at which it was to take the leader's place."""
    provider = ScriptedProvider("a", Slow(10, "never read"), Slow(10, "Paris"))
    chain = cached(provider)

    async def story():
        tasks = [asyncio.create_task(ask(chain)) for _ in range(4)]
        await asyncio.sleep(1)
        tasks[1].cancel()
        await asyncio.sleep(1)
        tasks[0].cancel()
        tasks[2].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    *cancelled, last = world.run(story())
    assert [type(each) for each in cancelled] == [asyncio.CancelledError] * 3
    assert last.content == "Paris"
    assert provider.starts == [0.0, 2.0]
    assert len(chain.cache.flights) == 0


@pytest.mark.parametrize("mode", ["complete_async", "stream_async"])
def test_k04_a_failure_is_nobody_else_s(world, mode):
    """Its own caller gets it; one of the others asks then, and all get that answer."""
    provider = ScriptedProvider("a", Slow(1, down()), Slow(1, "Paris"))
    chain = cached(provider)
    answers = world.run(outcomes(chain, 10, mode))
    assert [type(answer) for answer in answers if isinstance(answer, Exception)] == [ServerError]
    assert [answer.content for answer in answers if not isinstance(answer, Exception)] == ["Paris"] * 9
    assert provider.starts == [0.0, 1.0]


def test_k04_while_a_provider_is_down_twice_as_many_ask_each_time(world):
    """So fifty callers neither ask all at once, nor one after the other; each gets an error of its own."""
    provider = ScriptedProvider("a", *(Slow(1, down()) for _ in range(50)))
    chain = cached(provider)
    errors = world.run(outcomes(chain, 50))
    assert [type(error) for error in errors] == [ServerError] * 50
    assert len({id(error) for error in errors}) == 50
    per_second = [provider.starts.count(second) for second in map(float, range(7))]
    assert per_second == [1, 1, 2, 4, 8, 16, 18]
    assert len(chain.cache.flights) == 0


def test_k04_what_may_not_be_kept_is_nobody_else_s(world):
    """A tool call has effects: the others ask for themselves, at once."""
    provider = Answering("a", *[Slow(1, NOT_KEPT["tool-calls"])] * 5)
    chain = cached(provider)
    answers = world.run(outcomes(chain, 5))
    assert len({id(answer) for answer in answers}) == 5
    assert provider.starts == [0.0, 1.0, 1.0, 1.0, 1.0]


def test_k04_an_abandoned_stream_hands_over(world):
    """Its reader leaves, or the garbage collector closes it: one who waits asks then."""
    for leave in ("close", "forget"):
        provider = ScriptedProvider("a", "Paris is nice", Slow(1, "Rome is too"))
        chain = cached(provider)

        async def story(chain=chain, leave=leave):
            stream = chain.stream_async(REQUEST)
            await anext(stream)
            await anext(stream)
            others = [asyncio.create_task(ask(chain, "stream_async")) for _ in range(3)]
            await asyncio.sleep(1)
            if leave == "close":
                await stream.aclose()
            del stream
            gc.collect()
            return await asyncio.gather(*others)

        assert {answer.content for answer in world.run(story())} == {"Rome is too"}
        assert len(provider.requests) == 2


def test_k04_a_slow_reader_holds_nobody_up_for_ever(world):
    """Who has waited `max_wait` seconds for a stream that its reader does not read asks for himself."""
    provider = ScriptedProvider("a", "Paris is nice")
    chain = cached(provider, cache=ResponseCacheConfig(max_wait=5))

    async def story():
        stream = chain.stream_async(REQUEST)
        await anext(stream)
        other = await asyncio.create_task(ask(chain, "stream_async"))
        waited = world.clock.elapsed()
        return waited, other.content, [event async for event in stream][-1].response.content

    assert world.run(story()) == (5.0, "Paris is nice", "Paris is nice")
    assert len(provider.requests) == 2


def test_k04_a_wait_ends_with_the_caller_s_own_deadline(world):
    """A follower that may take 3 s fails after 3 s, while the leader goes on."""
    provider = ScriptedProvider("a", Slow(10, "Paris"))
    chain = cached(provider)

    async def story():
        leader = asyncio.create_task(ask(chain))
        await asyncio.sleep(1)
        with pytest.raises(DeadlineExceededError):
            await chain.complete_async(REQUEST, Timeouts(total=3))
        return world.clock.elapsed(), (await leader).content

    assert world.run(story()) == (4.0, "Paris")


def test_k04_a_deadline_of_the_chain_covers_the_wait(world):
    """Waiting for another call's answer is part of a call's time."""
    provider = ScriptedProvider("a", Slow(4, down()), Slow(4, "Paris"))
    chain = cached(provider, timeouts=TimeoutConfig(deadline=5))
    first, second, third = world.run(outcomes(chain, 3))
    assert isinstance(first, ServerError)
    assert isinstance(second, DeadlineExceededError)
    assert isinstance(third, DeadlineExceededError)
    assert world.clock.elapsed() == 5.0


def test_k04_nobody_waits_for_himself(world):
    """A second equal call within the first, in the same task or thread, asks for itself: it could wait for ever."""

    class Curious(ScriptedProvider):
        def __init__(self):
            super().__init__("a")
            self.depth = 0

        def complete(self, request, timeouts=None):
            self.depth += 1
            if self.depth < 3:
                chain.complete(REQUEST)
            return super().complete(request)

        async def complete_async(self, request, timeouts=None):
            self.depth += 1
            if self.depth < 3:
                await chain.complete_async(REQUEST)
            return await super().complete_async(request)

    for mode in ("complete", "complete_async"):
        provider = Curious()
        chain = cached(provider)
        assert world.ask(chain, mode).content == "ok"
        assert len(provider.requests) == 3
    assert world.clock.elapsed() == 0.0


def test_k04_a_blocking_call_does_not_wait_for_a_task_of_its_own_loop(world):
    """The task could not go on while its thread is blocked, so the call asks for itself."""
    provider = ScriptedProvider("a", Slow(10, "Paris"))
    chain = cached(provider)

    async def story():
        leader = asyncio.create_task(ask(chain))
        await asyncio.sleep(1)
        answer = chain.complete(REQUEST)
        return answer.content, (await leader).content

    assert world.run(story()) == ("Paris", "Paris")
    assert len(provider.requests) == 2


def test_k04_two_streams_in_one_thread_do_not_wait_for_each_other():
    """Both are read in turns, as one may."""
    chain = cached(ScriptedProvider("a", "Paris is nice"))
    one, other = chain.stream(REQUEST), chain.stream(REQUEST)
    assert [next(one).kind, next(other).kind] == ["start", "start"]
    assert list(one)[-1].response.content == list(other)[-1].response.content == "Paris is nice"


def test_single_flight_can_be_off(world):
    """Then all ask, and the last answer stays."""
    provider = ScriptedProvider("a", Slow(1, "Paris"))
    chain = cached(provider, cache=ResponseCacheConfig(single_flight=False))
    world.run(outcomes(chain, 5))
    assert len(provider.requests) == 5


def test_another_request_does_not_wait(world):
    """Only equal calls are one; and a stream does not wait for a whole answer, which has no pieces."""
    provider = ScriptedProvider("a", Slow(1, "Paris"))
    chain = cached(provider)

    async def story():
        other = ask(chain, "complete_async", CompletionRequest.ask("Capital of Italy?"))
        await asyncio.gather(ask(chain), other, ask(chain, "stream_async"))

    world.run(story())
    assert provider.starts == [0.0, 0.0, 0.0]


def test_who_looks_at_the_wrong_moment_looks_again():
    """A call that missed, and begins to ask after another one has been answered, finds that answer first."""
    cache = ResponseCache()
    provider = ScriptedProvider("a", "Paris")
    chain = cached(provider, cache=cache)
    find, first = cache.store.find, []

    def slow_find(*arguments):
        found = find(*arguments)
        if not first:
            first.append(True)
            chain.complete(REQUEST)
        return found

    cache.store.find = slow_find
    answer = chain.complete(REQUEST)
    assert (answer.attempts[-1].outcome, len(provider.requests)) == ("cache_hit", 1)


def test_the_garbage_collector_may_interrupt_it():
    """A stream that is closed in the middle of another operation leaves at its end, and wakes who waits."""
    flights = Flights()
    leader = flights.take_seat(("k", True), is_blocking=False)
    leader.owner = (0, None)
    follower = flights.take_seat(("k", True), is_blocking=True)
    with flights._turn:
        flights.left(leader, has_failed=False)
        assert follower.role == "waits"
    assert follower.role == "leads"
    assert follower.signal.wait_blocking(0)


def test_a_call_in_trio_waits_too():
    """Where no loop of asyncio runs."""
    trio = pytest.importorskip("trio")
    asked = []

    class Sleepy(ScriptedProvider):
        async def complete_async(self, request, timeouts=None):
            asked.append(request)
            await trio.sleep(0.01)
            return self._response("Paris")

    chain = cached(Sleepy("a"))
    answers = []

    async def one():
        answers.append((await chain.complete_async(REQUEST)).content)

    async def story():
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(one)

    trio.run(story)
    assert answers == ["Paris"] * 5
    assert len(asked) == 1


def test_a_signal_that_was_given_is_not_waited_for():
    """Blocking or not, a limit or none."""
    signal = Signal()
    assert not signal.wait_blocking(1)
    signal.set()
    signal.set()
    assert signal.is_set
    assert signal.wait_blocking(None)
    assert asyncio.run(signal.wait_async(None))
