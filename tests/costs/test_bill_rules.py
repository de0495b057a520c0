"""What is billed for each way in which a call can end, by the simulated provider and in the client's account."""

import asyncio
from contextlib import suppress

import pytest

from llmtest import (
    AnthropicProvider,
    AsyncLLMClient,
    CompletionRequest,
    FallbackChain,
    LLMClient,
    OpenAIProvider,
    Reply,
    Simulation,
    TimeoutConfig,
    ToolCall,
    Usage,
    faults,
)
from llmtest.costs import Budget, BudgetConfig, CostLedger, partial_usage
from llmtest.errors import LLMTestError
from llmtest.types import CompletionResponse, StreamEvent

REQUEST = CompletionRequest.ask("Capital of France?").with_max_tokens(50)
PROMPT = 9
NOTHING = None
CUT = Usage(PROMPT, 0, source="estimated")
TWO_WORDS = Usage(PROMPT, 3, source="estimated")
WHOLE = Usage(PROMPT, 5)

RULES = [
    (faults.RateLimited(), NOTHING, NOTHING),
    (faults.ServerError(), NOTHING, NOTHING),
    (faults.ServerError(status=504), NOTHING, NOTHING),
    (faults.InvalidRequest(), NOTHING, NOTHING),
    (faults.ConnectionRefused(), NOTHING, NOTHING),
    (faults.ConnectionReset(), NOTHING, NOTHING),
    (faults.ConnectionClosed(), NOTHING, NOTHING),
    (faults.Timeout(phase="connect"), NOTHING, NOTHING),
    (faults.Timeout(phase="read"), CUT, CUT),
    (faults.Timeout(phase="first_token"), CUT, CUT),
    (faults.WrongContentType(), NOTHING, NOTHING),
    (faults.EmptyResponse(), NOTHING, NOTHING),
    (faults.MalformedBody(), CUT, CUT),
    (faults.SlowFirstToken(99), CUT, CUT),
    (faults.SlowFirstToken(2), WHOLE, WHOLE),
    (faults.StreamDropped(2), CUT, TWO_WORDS),
    (faults.StreamTruncated(2), CUT, TWO_WORDS),
    (faults.StreamStalled(2), CUT, TWO_WORDS),
    (faults.StreamStalled(2, seconds=3), WHOLE, WHOLE),
    (faults.StreamError(2), NOTHING, TWO_WORDS),
    (faults.StreamMalformed(2), CUT, TWO_WORDS),
    (faults.StreamDropped(0), CUT, CUT),
    (faults.StreamError(0), NOTHING, CUT),
]
"""A fault, what is billed for a whole answer that it hits, and for a stream."""

WAYS = ["openai-direct", "anthropic-direct", "openai-http", "anthropic-http"]


class House:
    """A provider, a client of it, and the two accounts."""

    def __init__(self, sim, way, *, timeouts=None):
        name, _, way = way.partition("-")
        self.sim = sim
        self.handle = sim.provider(name)
        model = {"openai": "gpt-4o", "anthropic": "claude-sonnet-4-5"}[name]
        maker = {"openai": OpenAIProvider, "anthropic": AnthropicProvider}[name]
        provider = self.handle.as_provider(model) if way == "direct" else maker("key", model=model)
        self.ledger = CostLedger()
        self.budget = Budget(BudgetConfig(max_cost_per_day=1), ledger=self.ledger)
        limits = timeouts or TimeoutConfig(connect=5, first_token=10, read=20, total=60)
        self.chain = FallbackChain([provider], retry=None, circuit_breaker=None, timeouts=limits, budget=self.budget)

    def agreed(self):
        """Return what was billed once both accounts and the budget say the same; None where nothing was."""
        entries, bill = self.ledger.entries, self.sim.costs.entries
        assert [(entry.usage, entry.cost_usd) for entry in entries] == [(entry.usage, entry.cost_usd) for entry in bill]
        balance = self.budget.balance("day")
        assert balance.spent_usd == self.sim.costs.total_usd
        assert (balance.reserved_usd, balance.reserved_tokens) == (0, 0)
        assert len(entries) <= 1
        return entries[0].usage if entries else None


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize(("fault", "whole", "stream"), RULES, ids=str)
def test_u04_a_failed_call_is_billed_by_one_rule_on_both_sides(fault, whole, stream, is_async, streams, way):
    """Refused calls cost nothing; what was taken on costs its prompt and what was handed over, whoever counts."""
    with Simulation() as sim:
        house = House(sim, way)
        house.handle.fails(fault).echoes()

        async def ask():
            client = AsyncLLMClient(house.chain)
            with suppress(LLMTestError):
                if streams:
                    async for _ in client.stream(REQUEST):
                        pass
                else:
                    await client.complete(REQUEST)

        if is_async:
            sim.run(ask())
        else:
            client = LLMClient(house.chain)
            with suppress(LLMTestError):
                if streams:
                    list(client.stream(REQUEST))
                else:
                    client.complete(REQUEST)
        assert house.agreed() == (stream if streams else whole)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
def test_u05_a_call_cancelled_at_any_time_is_billed_by_the_same_rule(streams, way):
    """Whoever cancels pays the prompt and what came, never nothing; before the connection stood, nothing."""
    usages = []
    for seconds in (0.5, 2.5, 4.5, 9.5):
        with Simulation() as sim:
            house = House(sim, way)
            house.handle.latency(ttft=2, tokens_per_second=1).replies("one two three four")

            async def ask(client, seconds):
                async with asyncio.timeout(seconds):
                    if streams:
                        async for _ in client.stream(REQUEST):
                            pass
                    else:
                        await client.complete(REQUEST)

            with suppress(TimeoutError):
                sim.run(ask(AsyncLLMClient(house.chain), seconds))
            usages.append(house.agreed())
    assert usages[0] == CUT
    assert usages[-1] == WHOLE
    assert all(usage == CUT or (streams and CUT.total_tokens < usage.total_tokens) for usage in usages[1:-1])
    with Simulation() as sim:
        house = House(sim, way)
        house.handle.fails(faults.Timeout(phase="connect"))
        with suppress(TimeoutError):
            sim.run(ask(AsyncLLMClient(house.chain), 1))
        assert house.agreed() is NOTHING


LAST_COUNT = {"openai-direct": "usage", "anthropic-direct": "usage", "openai-http": "usage", "anthropic-http": "finish"}
"""The event with which a stream has told its usage; Anthropic's finish comes with it, in one event of the wire."""


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("usage", [Usage(7, 3, cache_read_tokens=2), Usage(7, 0)], ids=["counted", "zero"])
def test_u05_what_the_provider_told_of_its_usage_is_kept(usage, way):
    """A stream that is left after the provider has counted is billed as counted, an explicit zero included."""
    with Simulation() as sim:
        house = House(sim, way)
        house.handle.replies(Reply("one two three four", usage=usage))
        with LLMClient(house.chain).stream(REQUEST) as events:
            begun = False
            for event in events:
                begun = begun or event.visible
                if begun and event.kind == LAST_COUNT[way]:
                    break
        assert house.agreed() == usage


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("stop", range(1, 9))
def test_u04_a_tool_call_that_is_left_is_counted_by_name_and_arguments(stop, way):
    """Thoughts, refusals, names and arguments of tools are output like any text, wherever the caller leaves."""
    with Simulation() as sim:
        house = House(sim, way)
        call = ToolCall("", "weather", '{"city": "Oslo", "day": "today"}')
        house.handle.replies(Reply("Let me look", thinking="what do they want", tool_calls=[call]))
        with LLMClient(house.chain).stream(REQUEST) as events:
            seen = 0
            for event in events:
                seen += event.visible
                if seen == stop:
                    break
        billed = house.agreed()
        assert PROMPT < billed.total_tokens <= PROMPT + 5 + 3 + 3 + 2 + 8


@pytest.mark.parametrize("way", WAYS)
def test_u01_no_bill_is_longer_than_the_request_allows(way):
    """An answer scripted longer than `max_tokens` is billed as long as that, whole or left: the reservation holds."""
    for stop in (None, 3, 30):
        with Simulation() as sim:
            house = House(sim, way)
            house.handle.replies("word " * 200)
            request = REQUEST.with_max_tokens(20)
            reserved = house.budget.estimate(request, house.handle.name, house.chain.places[0].provider.model).usd
            with LLMClient(house.chain).stream(request) as events:
                for number, _ in enumerate(events):
                    if number == stop:
                        break
            assert house.agreed().output_tokens <= 20
            assert house.budget.balance("day").spent_usd <= reserved


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
def test_u04_what_came_too_late_is_billed_though_nobody_got_it(streams):
    """Blocking code learns of a passed limit when the rest arrives: it pays for what arrived, as the provider bills."""
    with Simulation() as sim:
        house = House(sim, "openai-http", timeouts=TimeoutConfig(read=30, total=5))
        house.handle.fails(faults.StreamStalled(1, seconds=4)).latency(2).echoes()
        client = LLMClient(house.chain)
        with pytest.raises(LLMTestError):
            list(client.stream(REQUEST)) if streams else client.complete(REQUEST)
        billed = house.agreed()
        assert billed.total_tokens > PROMPT


def told(*events):
    """Return the usage of an answer that told these events."""
    return partial_usage(PROMPT, events)


TEXT = StreamEvent("text", "one two three")
FINISH = StreamEvent("finish")


def usage_event(*counts):
    """Return an event that tells a usage."""
    return StreamEvent("usage", usage=Usage(*counts))


@pytest.mark.parametrize(
    ("events", "usage"),
    [
        pytest.param([], CUT, id="nothing"),
        pytest.param([StreamEvent("start")], CUT, id="opened"),
        pytest.param([TEXT, TEXT], Usage(PROMPT, 7, source="estimated"), id="text"),
        pytest.param([usage_event(30, 1)], Usage(30, 0, source="estimated"), id="prompt-told"),
        pytest.param([usage_event(30, 1, 20), TEXT], Usage(30, 4, 20, source="estimated"), id="prompt-told-then-text"),
        pytest.param([TEXT, usage_event(30, 9)], Usage(30, 9), id="counted-on-the-way"),
        pytest.param([TEXT, usage_event(30, 9), TEXT], Usage(30, 13, source="estimated"), id="text-since-counted"),
        pytest.param(
            [TEXT, usage_event(30, 9), TEXT, StreamEvent("opaque"), FINISH],
            Usage(30, 13, source="estimated"),
            id="opaque",
        ),
        pytest.param([TEXT, usage_event(30, 0)], Usage(30, 4, source="estimated"), id="zero-on-the-way"),
        pytest.param([TEXT, FINISH, usage_event(30, 0)], Usage(30, 0), id="zero-at-the-end"),
        pytest.param([TEXT, usage_event(30, 0), FINISH], Usage(30, 0), id="zero-with-the-end"),
        pytest.param([usage_event(30, 1), usage_event(30, 0), FINISH], Usage(30, 0, source="estimated"), id="empty"),
        pytest.param(
            [TEXT, StreamEvent("usage", usage=Usage(source="unknown"))],
            Usage(PROMPT, 4, source="estimated"),
            id="unknown",
        ),
        pytest.param(
            [TEXT, StreamEvent("end", response=CompletionResponse(parts=(), usage=Usage(30, 0)))],
            Usage(30, 0),
            id="end",
        ),
        pytest.param(
            [StreamEvent("thinking", "hm, well"), TEXT],
            Usage(PROMPT, 6, reasoning_tokens=2, source="estimated"),
            id="thoughts",
        ),
        pytest.param(
            [StreamEvent("tool_call", name="weather"), StreamEvent("tool_arguments", "{}")],
            Usage(PROMPT, 3 + 2 + 1, source="estimated"),
            id="tools",
        ),
    ],
)
def test_a_partial_usage_is_what_was_told_and_an_estimate_of_the_rest(events, usage):
    """Counts of the provider are kept, the rest is estimated by its length, and the result says which it is."""
    assert told(*events) == usage


def test_a_partial_usage_never_passes_what_the_request_allowed():
    """The limit of the request bounds the estimate, and not what the provider counted itself."""
    assert partial_usage(9, [TEXT], most=2).output_tokens == 2
    assert partial_usage(9, [TEXT, usage_event(9, 9), TEXT], most=11).output_tokens == 11
    assert partial_usage(9, [TEXT, usage_event(9, 9), TEXT], most=5).output_tokens == 9
