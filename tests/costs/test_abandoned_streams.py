"""Streams that nobody holds any more: closed by the garbage collector, in the middle of anything."""

import asyncio
import gc
import os
import signal
import threading
from decimal import Decimal

import pytest

from llmtest import (
    AsyncLLMClient,
    CompletionRequest,
    FallbackChain,
    LLMClient,
    OpenAIProvider,
    Simulation,
    faults,
)
from llmtest.clock import Turn
from llmtest.costs import Budget, BudgetConfig, CostLedger, Estimate, Limit
from llmtest.events import AttemptEnded, CallEnded
from llmtest.resilience import CircuitBreakerConfig

REQUEST = CompletionRequest.ask("Capital of France?").with_max_tokens(20)


class Collecting(Decimal):
    """An amount that lets the garbage collector run whenever something is compared with it, or it is written."""

    def __lt__(self, other):
        gc.collect()
        return Decimal(self) < other

    def __format__(self, spec):
        gc.collect()
        return format(Decimal(self), spec)


class CollectingLimits:
    """A limit whose check lets the garbage collector run inside the store."""

    def limits(self):
        return [Limit("day", "usd", Collecting(1))]


@pytest.fixture
def collector():
    """Let the garbage collector run where the test says, and nowhere else."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def leave_a_stream_in_a_cycle(client):
    """Read a stream up to its first words, and leave it where only the collector finds it."""
    stream = client.stream(REQUEST)
    while not next(stream).visible:
        pass
    cycle = [stream]
    cycle.append(cycle)


def within(seconds, work):
    """Do something that might wait for ever, and return what it returns."""
    found = []
    thread = threading.Thread(target=lambda: found.append(work()), daemon=True)
    thread.start()
    thread.join(seconds)
    assert found, "it waits for ever"
    return found[0]


def test_u02_a_stream_collected_in_the_middle_of_a_reservation_is_settled_after_it(store, collector):
    """The collector closes it while the store adds up another call: nothing hangs, and nothing is lost."""
    ledger = CostLedger()
    budget = Budget(CollectingLimits(), store=store, ledger=ledger)

    def work():
        with Simulation() as sim:
            sim.openai.replies("one two three four")
            client = LLMClient(FallbackChain([sim.openai.as_provider("gpt-4o")], budget=budget))
            leave_a_stream_in_a_cycle(client)
            assert budget.balance("day").reserved_usd > 0
            other = budget.reserve(Estimate(5, Decimal("0.5")))
            balance = budget.balance("day")
            assert balance.spent_usd == ledger.total_usd == sim.costs.total_usd > 0
            assert (balance.reserved_usd, balance.reserved_tokens) == (Decimal("0.5"), 5)
            other.release()
            return budget.balance("day")

    balance = within(60, work)
    assert (balance.reserved_usd, balance.reserved_tokens) == (0, 0)


def test_u02_a_collected_stream_ends_its_call(collector):
    """Its attempt and its call end in the trace like those of a stream that was closed."""
    with Simulation() as sim:
        sim.openai.replies("one two three four")
        leave_a_stream_in_a_cycle(LLMClient(FallbackChain([sim.openai.as_provider("gpt-4o")])))
        gc.collect()
        assert [event.outcome for event in sim.trace if isinstance(event, CallEnded)] == ["cancelled"]
        assert [event.attempt.outcome for event in sim.trace if isinstance(event, AttemptEnded)] == ["cancelled"]


def test_u02_an_asynchronous_stream_that_nobody_holds_is_settled_and_ends_its_call():
    """The loop closes what was dropped: nothing stays reserved, and the trace has the end of the call."""
    ledger = CostLedger()
    budget = Budget(BudgetConfig(max_cost_per_day=1), ledger=ledger)
    with Simulation() as sim:
        sim.openai.replies("one two three four")

        async def main():
            client = AsyncLLMClient(FallbackChain([sim.openai.as_provider("gpt-4o")], budget=budget))
            async for event in client.stream(REQUEST):
                if event.visible:
                    break
            await asyncio.sleep(1)

        sim.run(main())
        balance = budget.balance("day")
        assert balance.spent_usd == ledger.total_usd == sim.costs.total_usd > 0
        assert (balance.reserved_usd, balance.reserved_tokens) == (0, 0)
        assert [event.outcome for event in sim.trace if isinstance(event, CallEnded)] == ["cancelled"]


@pytest.mark.parametrize("http", [False, True], ids=["direct", "http"])
def test_u02_an_asynchronous_stream_that_outlives_its_loop_is_settled(http, collector):
    """Where the loop was closed without its generators, the stream settles itself when it goes."""
    ledger = CostLedger()
    budget = Budget(BudgetConfig(max_cost_per_day=1), ledger=ledger)
    with Simulation() as sim:
        sim.openai.replies("one two three four")
        provider = OpenAIProvider("key", model="gpt-4o") if http else sim.openai.as_provider("gpt-4o")
        stream = AsyncLLMClient(FallbackChain([provider], budget=budget)).stream(REQUEST)

        async def begin(stream):
            async for event in stream:
                if event.visible:
                    break

        loop = asyncio.new_event_loop()
        loop.run_until_complete(begin(stream))
        loop.close()
        del stream
        gc.collect()
        balance = budget.balance("day")
        assert balance.spent_usd == ledger.total_usd == sim.costs.total_usd > 0
        assert (balance.reserved_usd, balance.reserved_tokens) == (0, 0)
        assert [event.outcome for event in sim.trace if isinstance(event, CallEnded)] == ["cancelled"]


def test_a_collected_probe_gives_its_permit_back(collector):
    """A half-open circuit whose probe was a stream that nobody holds lets the next one through."""
    with Simulation() as sim:
        sim.openai.fails(faults.ServerError()).replies("one two three", "four five six")
        config = CircuitBreakerConfig(failure_threshold=1, recovery_timeout=30)
        chain = FallbackChain([sim.openai.as_provider("gpt-4o")], retry=None, circuit_breaker=config)
        client = LLMClient(chain)
        with pytest.raises(Exception, match="had an error"):
            client.complete(REQUEST)
        sim.clock.advance(31)
        leave_a_stream_in_a_cycle(client)
        gc.collect()
        assert client.complete(REQUEST).content == "four five six"


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # The child only takes its turns.
def test_a_turn_of_another_thread_is_free_in_a_forked_process():
    """A child has none of its parent's other threads: what they held up would wait for them for ever."""
    held, own = Turn(), Turn()
    has_turn, may_end = threading.Event(), threading.Event()

    def hold():
        with held:
            has_turn.set()
            may_end.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    has_turn.wait()
    with own:
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            with held as is_free, own as is_own_free:
                os._exit(0 if is_free and not is_own_free else 3)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    may_end.set()
    thread.join()


def test_a_turn_does_what_interrupts_it_at_its_end():
    """An operation inside another waits until that is done, also one that comes up in the catching up."""
    turn, done = Turn(), []

    def interrupt(name, then=None):
        with turn as is_free:
            assert not is_free
            turn.later(lambda: (done.append(name), then and then()))

    with turn as is_free:
        assert is_free
        interrupt("second", lambda: interrupt("third"))
        done.append("first")
    assert done == ["first", "second", "third"]
    with turn as is_free:
        assert is_free
