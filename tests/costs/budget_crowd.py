"""A crowd of calls through a chain with a budget, and whatever can become of a call among them.

Each call asks one of two simulated providers that fail in every way there is, and each caller may lose patience: by a
limit, by a cancellation at any moment, or by leaving a stream. What everybody does is drawn from the seed, so that a
crowd that breaks the account can be called together again.
"""

import asyncio
import contextlib
import gc
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

from llmtest import (
    AnthropicProvider,
    AsyncLLMClient,
    Budget,
    BudgetConfig,
    ChatMessage,
    CircuitBreakerConfig,
    CompletionRequest,
    CostLedger,
    FallbackChain,
    LLMClient,
    OpenAIProvider,
    Prices,
    Reply,
    RetryConfig,
    Simulation,
    TimeoutConfig,
    ToolCall,
    ToolDefinition,
    Uniform,
    Usage,
    faults,
)
from llmtest.clock import stream
from llmtest.errors import LLMTestError

MAX_TOKENS = 30
"""Less than some answers below are long, and more than any of them is scripted to bill."""

WEATHER = ToolDefinition("weather", "Tells the weather", {"type": "object", "properties": {"city": {"type": "string"}}})
CALL = ToolCall("call_1", "weather", '{"city": "Oslo"}')

REPLIES = (
    "Paris",
    "a rather short answer",
    "one two three four five six seven eight nine ten eleven twelve",
    Reply("", finish_reason="content_filter"),
    Reply("counted by the provider itself", usage=Usage(7, 5, cache_read_tokens=3, reasoning_tokens=2)),
    Reply("counted as nothing", usage=Usage(4, 0)),
    Reply(
        "the weather", thinking="what would it be like today", tool_calls=[ToolCall("", "weather", '{"city": "Oslo"}')]
    ),
    Reply(tool_calls=[ToolCall("", "weather", '{"city": "Oslo"}'), ToolCall("", "time", "{}")]),
    Reply(chunks=("uneven", " ", "pieces of text", "")),
    Reply("so slow that nobody waits for it", latency=70),
    "an answer that goes on and on, " * 8,
)
FAULTS = (
    faults.RateLimited(),
    faults.RateLimited(retry_after=3),
    faults.QuotaExceeded(),
    faults.InvalidRequest(),
    faults.ServerError(),
    faults.ServerError(status=504),
    faults.Overloaded(),
    faults.Timeout(),
    faults.Timeout(phase="connect"),
    faults.Timeout(phase="first_token"),
    faults.ConnectionRefused(),
    faults.ConnectionReset(),
    faults.ConnectionClosed(),
    faults.MalformedBody(),
    faults.WrongContentType(),
    faults.EmptyResponse(),
    faults.SlowFirstToken(9),
    faults.StreamDropped(0),
    faults.StreamDropped(2),
    faults.StreamTruncated(0),
    faults.StreamTruncated(2),
    faults.StreamStalled(1),
    faults.StreamStalled(1, seconds=6),
    faults.StreamStalled(2, seconds=14),
    faults.StreamError(0),
    faults.StreamError(2),
    faults.StreamMalformed(0),
    faults.StreamMalformed(2),
)
MANNERS = ("complete", "read", "leave", "close", "drop", "exit", "stop at the end")


class Crowd:
    """Two providers, a chain of them, a budget, and the calls.

    Args:
        seed: Decides everything.
        limit: USD in a day.
        http: Whether the providers are reached over HTTP, else directly.
        store: Where the budget keeps its balances; default: in memory.
        timeouts: Limits of an attempt.
        calls: How many calls are made.
        start: Seconds after midnight at which they begin.
        circuits: Whether providers that fail are left alone for a while.
        nested: Whether the second provider is a chain of its own, without a budget.
    """

    def __init__(
        self,
        *,
        seed=0,
        limit="0.004",
        http=False,
        store=None,
        timeouts=None,
        calls=500,
        start=0.0,
        circuits=False,
        nested=False,
    ):
        # The collector, which every crowd calls, is to look at what it leaves behind, not at all that is loaded.
        gc.collect()
        gc.freeze()
        self.seed = seed
        self.limit = Decimal(limit)
        self.calls = calls
        self.start = start
        self.prices = Prices()
        for model, scale in (("openai:big", "1.1"), ("anthropic:other", "0.7")):
            self.prices.add(
                model,
                input_usd_per_mtok=scale,
                output_usd_per_mtok=Decimal("3.3") * Decimal(scale),
                cache_read_usd_per_mtok="0.13",
                reasoning_usd_per_mtok="3.1",
            )
        self.sim = Simulation(seed=seed, prices=self.prices, strict=False)
        self.ledger = CostLedger()
        self.budget = Budget(
            BudgetConfig(max_cost_per_day=self.limit), prices=self.prices, store=store, ledger=self.ledger
        )
        self.http = http
        self.circuits = CircuitBreakerConfig(failure_threshold=3, recovery_timeout=8) if circuits else None
        self.nested = nested
        self.timeouts = timeouts or TimeoutConfig(connect=4, first_token=8, read=10, total=30)
        self.asked = {}
        self.days = set()
        self.highest = Decimal(0)
        self.ends = {}

    def make_chain(self):
        """Return the chain; inside the simulation."""
        sim = self.sim
        sim.openai.latency(ttft=Uniform(0, 4), tokens_per_second=5).replies(self.fate("openai"), times=None).echoes()
        sim.anthropic.latency(ttft=Uniform(0, 2)).replies(self.fate("anthropic"), times=None).echoes()
        if self.http:
            providers = [OpenAIProvider("key", model="big"), AnthropicProvider("key", model="other")]
        else:
            providers = [
                sim.openai.as_provider("big", tokens_per_event=2),
                sim.anthropic.as_provider("other", tokens_per_event=1),
            ]
        if self.nested:
            providers[1] = self.chain_of([providers[1]], name="inner", prices=self.prices)
        return self.chain_of(providers, budget=self.budget)

    def chain_of(self, providers, **settings):
        """Return a chain with the policies of this crowd."""
        return FallbackChain(
            providers,
            retry=RetryConfig(max_attempts=3),
            circuit_breaker=self.circuits,
            timeouts=self.timeouts,
            **settings,
        )

    def fate(self, provider):
        """Return what decides how a provider answers each request."""

        def answer(request):
            prompt = request.messages[-1].text
            asked = self.asked[provider, prompt] = self.asked.get((provider, prompt), 0) + 1
            dice = stream(self.seed, "fate", provider, prompt, asked)
            return dice.choice(REPLIES) if dice.random() < 0.4 else dice.choice(FAULTS)

        return answer

    def request(self, number):
        """Return the request of one call; some have a system prompt, some tools, some a call of one behind them."""
        messages = [
            ChatMessage.user(f"question number {number}" + "?" * (number % 7), name="ann" if number % 2 else None)
        ]
        if number % 3 == 0:
            messages.insert(0, ChatMessage.system("Be brief."))
        if number % 5 == 0:
            before = ChatMessage.user("What is the weather?"), ChatMessage.assistant_with_tool_calls(None, (CALL,))
            messages[-1:-1] = [*before, ChatMessage.tool_result("call_1", "rain", name="weather")]
        tools = (WEATHER,) if number % 5 in {0, 1} else ()
        return CompletionRequest(messages=tuple(messages), tools=tools, max_tokens=MAX_TOKENS)

    def look(self):
        """Check that the limit holds now."""
        self.days.add(self.sim.clock.now().date().isoformat())
        balance = self.budget.balance("day")
        self.highest = max(self.highest, balance.spent_usd + balance.reserved_usd)

    def count(self, end):
        """Count how a call ended."""
        self.ends[end] = self.ends.get(end, 0) + 1

    async def call_async(self, client, number):
        """Make one call in its own manner."""
        dice = stream(self.seed, "caller", number)
        manner, stop = dice.choice(MANNERS), dice.randrange(1, 6)
        request = self.request(number)
        await asyncio.sleep(dice.random() * 60)
        self.look()
        try:
            if manner == "complete":
                await client.complete(request)
            elif manner == "exit":
                async with client.stream(request) as events:
                    async for _ in events:
                        stop -= 1
                        if not stop:
                            break
            else:
                await self._read_async(client.stream(request), manner, stop)
        except LLMTestError as error:
            self.count(type(error).__name__)
        else:
            self.count("ok")
        self.look()

    async def _read_async(self, events, manner, stop):
        async for event in events:
            stop -= 1
            if (manner == "stop at the end" and event.kind == "end") or (manner in {"leave", "drop"} and not stop):
                break
            if manner == "close" and not stop:
                await events.aclose()
        if manner == "leave":
            await asyncio.sleep(1)
            await events.aclose()

    async def run_async(self):
        """Make all calls at once; cancel or limit a share of them at any moment."""
        client = AsyncLLMClient(self.make_chain())
        await asyncio.sleep(self.start)
        dice = stream(self.seed, "crowd")
        tasks = []
        for number in range(self.calls):
            task = asyncio.create_task(self.call_async(client, number))
            tasks.append(task)
            share = dice.random()
            if share < 0.25:
                asyncio.get_running_loop().call_later(dice.random() * 80, task.cancel)
            elif share < 0.35:
                tasks[-1] = asyncio.create_task(self._limited(task, dice.random() * 70))
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        for end in ends:
            if isinstance(end, asyncio.CancelledError):
                self.count("cancelled")
            elif end is not None:
                raise end
        gc.collect()
        await asyncio.sleep(0.001)

    async def _limited(self, task, seconds):
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(task, seconds)

    def call(self, client, number):
        """Make one blocking call in its own manner."""
        dice = stream(self.seed, "caller", number)
        manner, stop = dice.choice(MANNERS), dice.randrange(1, 6)
        request = self.request(number)
        time.sleep(dice.random() * 4)
        self.look()
        try:
            if manner == "complete":
                client.complete(request)
            elif manner == "exit":
                with client.stream(request) as events:
                    for _ in events:
                        stop -= 1
                        if not stop:
                            break
            else:
                self._read(client.stream(request), manner, stop)
        except LLMTestError as error:
            self.count(type(error).__name__)
        else:
            self.count("ok")
        self.look()

    def _read(self, events, manner, stop):
        for event in events:
            stop -= 1
            if (manner == "stop at the end" and event.kind == "end") or (manner in {"leave", "drop"} and not stop):
                break
            if manner == "close" and not stop:
                events.close()
        if manner == "leave":
            events.close()

    def run_threads(self, workers):
        """Make all calls from threads."""
        client = LLMClient(self.make_chain())
        self.sim.clock.advance(self.start)
        with ThreadPoolExecutor(workers) as pool:
            for done in [pool.submit(self.call, client, number) for number in range(self.calls)]:
                done.result()
        gc.collect()

    def check(self):
        """Check the account against the bill."""
        assert self.highest <= self.limit
        spent = Decimal(0)
        bill, account = self.sim.costs, self.ledger
        balances = [self.budget._store.balance(f"day:{day}") for day in sorted(self.days)]
        for balance in balances:
            spent += balance.spent_usd
            assert balance.spent_usd <= self.limit
            assert (balance.reserved_usd, balance.reserved_tokens) == (0, 0)
        session = self.budget.balance("session")
        assert (session.reserved_usd, session.reserved_tokens) == (0, 0)
        assert session.spent_usd == spent == account.total_usd == bill.total_usd
        assert sorted(map(facts, account.entries)) == sorted(map(facts, bill.entries))


def facts(entry):
    """Return what client and provider must agree on, call by call."""
    usage = entry.usage
    return (
        entry.call,
        entry.provider,
        entry.model,
        usage.input_tokens,
        usage.output_tokens,
        usage.source,
        entry.cost_usd,
    )
