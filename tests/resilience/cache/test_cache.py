"""The cache of a chain: what is a hit, what is kept, for how long, and what a hit costs. Bugs of caches by name."""

import dataclasses
from dataclasses import fields, replace
from decimal import Decimal

import pytest

from llmtest import (
    ChatMessage,
    CompletionRequest,
    CompletionResponse,
    FallbackChain,
    FinishReason,
    ImagePart,
    ResponseCache,
    ResponseCacheConfig,
    ResponseFormat,
    RetryConfig,
    TextPart,
    ToolCall,
    ToolDefinition,
    Usage,
)
from llmtest.costs import Budget, BudgetConfig
from llmtest.errors import CircuitOpenError, ConfigurationError, ProviderTimeoutError, ServerError
from llmtest.events import CacheHit
from llmtest.resilience import CircuitBreakerConfig
from llmtest.types import OpaquePart, RefusalPart, StreamEvent, ThinkingPart
from tests.resilience.scripted_provider import REQUEST, Cut, ScriptedProvider, Slow, World, ask, down

PARIS = CompletionResponse(parts=(TextPart("Paris"),), usage=Usage(10, 2), model="m")


class Answering(ScriptedProvider):
    """Plays whole answers; a stream of one has a piece for each part."""

    def _response(self, step):
        return step if isinstance(step, CompletionResponse) else super()._response(step)

    async def _stream(self, request, timeouts, sleep):
        step = await self._play(request, timeouts, sleep)
        response = self._response(step)
        yield StreamEvent("start", id=response.id, model=self.model)
        for index, part in enumerate(response.parts):
            if isinstance(part, TextPart):
                for letter in part.text:
                    yield StreamEvent("text", letter, index)
            elif isinstance(part, ToolCall):
                yield StreamEvent("tool_call", index=index, id=part.id, name=part.name)
                yield StreamEvent("tool_arguments", part.arguments, index)
            elif isinstance(part, ThinkingPart):
                yield StreamEvent("thinking", part.text, index)
            elif isinstance(part, RefusalPart):
                yield StreamEvent("refusal", part.text, index)
            elif isinstance(part, OpaquePart):
                yield StreamEvent("opaque", data=part.data)
        yield StreamEvent("usage", usage=response.usage)
        yield StreamEvent("finish", finish_reason=response.finish_reason)
        yield StreamEvent("end", response=response)


def cached(*providers, cache=None, **settings):
    """Return a chain without retry and circuits, behind a cache."""
    settings = {"retry": None, "circuit_breaker": None, "timeouts": None, **settings}
    return FallbackChain(providers, cache=ResponseCacheConfig() if cache is None else cache, **settings)


def test_f110_an_equal_request_is_answered_without_asking(world, mode, make_cache):
    """The second of two equal calls gets the first one's answer, in all four ways to ask, and says so."""
    provider = ScriptedProvider("a", "Paris", "Rome")
    chain = cached(provider, cache=make_cache())
    first, second = world.ask(chain, mode), world.ask(chain, mode)
    assert (first.content, second.content) == ("Paris", "Paris")
    assert len(provider.requests) == 1
    assert [attempt.outcome for attempt in (*first.attempts, *second.attempts)] == ["200", "cache_hit"]
    assert replace(first, attempts=()) == replace(second, attempts=())
    (hit,) = world.events(CacheHit)
    assert (hit.provider, hit.model, hit.call, hit.age, hit.similarity) == ("a", "m", 2, 0.0, None)


def test_f110_the_defaults_are_an_hour_and_a_thousand_answers():
    """Those of IronClaw; llmkit has ten thousand, of which a tenth goes at once."""
    config = ResponseCacheConfig()
    assert (config.ttl, config.max_entries, config.surplus) == (3600.0, 1000, 1)
    llmkit = ResponseCacheConfig.llmkit()
    assert (llmkit.max_entries, llmkit.surplus) == (10_000, 1000)
    assert not ResponseCacheConfig.ironclaw().cache_streaming


def test_a_hit_costs_nothing_and_says_so(world, mode):
    """No budget is asked, no price is charged; the tokens of the answer are told all the same, its cost is zero."""
    provider = Answering("openai", replace(PARIS, usage=Usage(10, 2, cost_usd=Decimal("0.5"))), model="gpt-4o")
    budget = Budget(BudgetConfig(max_tokens_per_session=5000))
    chain = cached(provider, budget=budget)
    first = world.ask(chain, mode)
    assert first.cost_usd == Decimal("0.5")
    spent = budget.balance()
    hits = [world.ask(chain, mode) for _ in range(20)]
    assert budget.balance() == spent
    for hit in hits:
        (attempt,) = hit.attempts
        assert (attempt.cost_usd, attempt.billed, attempt.usage, attempt.duration) == (0, False, Usage(), 0.0)
        assert (hit.cost_usd, hit.usage.cost_usd) == (0, 0)
        assert (hit.usage.input_tokens, hit.usage.output_tokens, hit.provider) == (10, 2, "openai")


def test_a_hit_passes_open_circuits_and_limits(world, mode):
    """The cache is outermost: what was answered before is answered while every circuit is open."""
    provider = ScriptedProvider("a", "Paris", down())
    chain = cached(provider, circuit_breaker=CircuitBreakerConfig(failure_threshold=1))
    world.ask(chain, mode)
    other = CompletionRequest.ask("Capital of Italy?")
    assert isinstance(world.fail(chain, mode, other), ServerError)
    assert isinstance(world.fail(chain, mode, other).errors[-1][1], CircuitOpenError)
    assert world.ask(chain, mode).content == "Paris"


NOT_KEPT = {
    "error": down(),
    "timeout": ProviderTimeoutError("slow"),
    "empty": replace(PARIS, parts=()),
    "blank": replace(PARIS, parts=(TextPart(" \n"),)),
    "truncated": replace(PARIS, finish_reason=FinishReason.LENGTH),
    "filtered": replace(PARIS, finish_reason=FinishReason.CONTENT_FILTER),
    "refusal": replace(PARIS, finish_reason=FinishReason.REFUSAL),
    "refusal-part": replace(PARIS, parts=(RefusalPart("I cannot"),)),
    "tool-calls": replace(PARIS, parts=(ToolCall("c1", "f"),), finish_reason=FinishReason.TOOL_USE),
    "tool-calls-with-stop": replace(PARIS, parts=(TextPart("so"), ToolCall("c1", "f"))),
    "unknown-end": replace(PARIS, finish_reason=FinishReason.UNKNOWN),
    "no-end": replace(PARIS, finish_reason=None),
    "one-of-several-truncated": replace(PARIS, alternatives=(replace(PARIS, finish_reason=FinishReason.LENGTH),)),
}


@pytest.mark.parametrize("step", NOT_KEPT.values(), ids=NOT_KEPT)
def test_k01_what_is_no_whole_answer_is_not_kept(world, mode, step, store):
    """After an error, an empty, cut off or refused answer, or a tool call, the next equal call reaches the provider."""
    provider = Answering("a", step, PARIS)
    cache = ResponseCache(store=store)
    chain = cached(provider, cache=cache)
    if isinstance(step, Exception):
        world.fail(chain, mode)
    else:
        world.ask(chain, mode)
    assert cache.is_empty
    assert world.ask(chain, mode).content == "Paris"
    assert len(provider.requests) == 2


def test_k01_a_stream_that_breaks_is_not_kept(world):
    """Neither one that drops, nor one that ends without its end, nor one that its reader leaves."""
    for step in (Cut("Par is", down()), Cut("Par is")):
        provider = ScriptedProvider("a", step, "Paris")
        chain = cached(provider)
        world.fail(chain, "stream")
        assert world.ask(chain, "stream").content == "Paris"
        assert len(provider.requests) == 2
    provider = ScriptedProvider("a", "Paris is nice", "Rome")
    chain = cached(provider)

    async def leave():
        with chain.stream(REQUEST) as stream:
            next(stream)
            next(stream)

    world.run(leave())
    assert chain.cache.is_empty
    assert world.ask(chain, "stream").content == "Rome"


@pytest.mark.parametrize(
    ("setting", "step"),
    [
        ("cache_truncated", NOT_KEPT["truncated"]),
        ("cache_refusals", NOT_KEPT["refusal"]),
        ("cache_refusals", NOT_KEPT["refusal-part"]),
        ("cache_tool_calls", NOT_KEPT["tool-calls"]),
    ],
)
def test_k01_it_is_kept_where_somebody_asks_for_it(world, mode, setting, step):
    """Each kind has a setting of its own."""
    provider = Answering("a", step, PARIS)
    chain = cached(provider, cache=ResponseCacheConfig(**{setting: True}))
    first, second = world.ask(chain, mode), world.ask(chain, mode)
    assert first.parts == second.parts == step.parts
    assert len(provider.requests) == 1


TOOL = ToolDefinition("f", "a tool", {"type": "object", "properties": {"a": {}, "b": {}}})
CHANGES = {
    "messages": (ChatMessage.user("Capital of Italy?"),),
    "model": "m-2",
    "max_tokens": 5,
    "temperature": 0.5,
    "top_p": 0.5,
    "stop_sequences": ("x",),
    "tools": (TOOL,),
    "tool_choice": "required",
    "seed": 7,
    "extra": {"openai": {"user": "u-1"}},
    "response_format": ResponseFormat.json_schema({"type": "object"}),
    "n": 2,
    "top_k": 4,
    "parallel_tool_calls": False,
    "reasoning_effort": "low",
    "logprobs": True,
    "top_logprobs": 2,
}
WITHOUT_EFFECT = {
    "metadata": {"request_id": "r-1"},
    "idempotency_key": "k-1",
    "service_tier": "flex",
}


def test_every_field_of_a_request_is_in_one_of_the_two_tables():
    """A field that is added to requests has to be decided about; unless it is, it makes a difference."""
    names = {field.name for field in fields(CompletionRequest)} - {"stream"}
    assert names == CHANGES.keys() | WITHOUT_EFFECT.keys()


@pytest.mark.parametrize("field", CHANGES)
def test_k02_a_request_that_differs_in_anything_is_another_one(world, field):
    """Any field that may change the answer makes a miss: the provider is asked."""
    provider = ScriptedProvider("a")
    chain = cached(provider)
    world.ask(chain)
    world.ask(chain, request=replace(REQUEST, **{field: CHANGES[field]}))
    assert len(provider.requests) == 2


SYSTEM = (ChatMessage.system("Be brief."), ChatMessage.user("Hi"))
PAIRS = {
    "system": (SYSTEM, (ChatMessage.system("Be long."), SYSTEM[1])),
    "no-system": (SYSTEM, SYSTEM[1:]),
    "order": (SYSTEM, SYSTEM[::-1]),
    "role": ((ChatMessage.user("Hi"),), (ChatMessage.assistant("Hi"),)),
    "name": ((ChatMessage.user("Hi"),), (ChatMessage.user("Hi", name="ann"),)),
    "image": (
        (ChatMessage.user((TextPart("?"), ImagePart(url="https://a/1"))),),
        (ChatMessage.user((TextPart("?"), ImagePart(url="https://a/2"))),),
    ),
    "image-detail": (
        (ChatMessage.user((ImagePart(url="https://a/1"),)),),
        (ChatMessage.user((ImagePart(url="https://a/1", detail="high"),)),),
    ),
    "call-arguments": (
        (ChatMessage.assistant_with_tool_calls(None, (ToolCall("1", "f", "{}"),)),),
        (ChatMessage.assistant_with_tool_calls(None, (ToolCall("1", "f", '{"a":1}'),)),),
    ),
    "failed-result": (
        (ChatMessage.tool_result("1", "no"),),
        (ChatMessage.tool_result("1", "no", is_error=True),),
    ),
    "two-parts": ((ChatMessage.user((TextPart("ab"),)),), (ChatMessage.user((TextPart("a"), TextPart("b"))),)),
}


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_k02_messages_that_differ_in_any_part_are_others(world, pair):
    """System prompt, order, roles, names, every part of a message, calls and results of tools."""
    provider = ScriptedProvider("a")
    chain = cached(provider)
    for messages in pair:
        world.ask(chain, request=CompletionRequest(messages))
    assert len(provider.requests) == 2


def test_k02_the_same_fields_at_another_depth_are_another_request(world):
    """A schema, a tool and the field of an API differ by every value in them; in a schema the order counts too."""
    requests = [
        replace(REQUEST, tools=(TOOL,)),
        replace(REQUEST, tools=(replace(TOOL, strict=True),)),
        replace(REQUEST, tools=(replace(TOOL, parameters={"type": "object", "properties": {"b": {}, "a": {}}}),)),
        replace(REQUEST, extra={"openai": {"user": "u-1"}}),
        replace(REQUEST, extra={"openai": {"user": "u-2"}}),
        replace(REQUEST, extra={"azure": {"user": "u-2"}}),
        replace(REQUEST, extra={"openai": {"store": 1}}),
        replace(REQUEST, extra={"openai": {"store": "1"}}),
    ]
    provider = ScriptedProvider("a")
    chain = cached(provider)
    for request in requests:
        world.ask(chain, request=request)
    assert len(provider.requests) == len(requests)


def test_k02_chains_that_ask_others_do_not_share_answers(world):
    """Two chains behind one cache get each other's answers only where they ask the same."""
    cache = ResponseCache()
    providers = [
        ScriptedProvider("a", "one"),
        ScriptedProvider("b", "two"),
        ScriptedProvider("a", "three", model="other"),
        ScriptedProvider("a", "four"),
    ]
    answers = [world.ask(cached(provider, cache=cache)).content for provider in providers]
    assert answers == ["one", "two", "three", "one"]


@pytest.mark.parametrize("field", WITHOUT_EFFECT)
def test_k03_labels_and_names_make_no_difference(world, field):
    """Metadata, the name of a request and its tier leave the answer as it is: a hit."""
    provider = ScriptedProvider("a")
    chain = cached(provider)
    world.ask(chain)
    world.ask(chain, request=replace(REQUEST, **{field: WITHOUT_EFFECT[field]}))
    assert len(provider.requests) == 1


def test_k03_what_is_written_in_another_way_is_the_same(world):
    """Numbers as whole numbers, a list for a tuple, the order of an API's fields."""
    provider = ScriptedProvider("a")
    chain = cached(provider)
    one = {"store": True, "user": "u-1", "stop": ("a",), "kinds": {"x", "y"}, "end": FinishReason.STOP}
    other = {"stop": ["a"], "user": "u-1", "store": True, "kinds": {"y", "x"}, "end": "stop"}
    world.ask(chain, request=replace(REQUEST, temperature=1, extra={"openai": one}))
    world.ask(chain, request=replace(REQUEST, temperature=1.0, extra={"openai": other}))
    assert len(provider.requests) == 1


def test_f112_excluded_fields_make_no_difference(world):
    """A field of the request, a field of an API wherever it is, and one of a single API."""
    provider = ScriptedProvider("a")
    chain = cached(provider, cache=ResponseCacheConfig(exclude_fields=["seed", "user", "extra.azure.tag"]))
    for request in (
        REQUEST,
        replace(REQUEST, seed=1),
        replace(REQUEST, seed=2, extra={"openai": {"user": "u-1"}}),
        replace(REQUEST, extra={"azure": {"user": "u-2", "tag": "t"}}),
    ):
        world.ask(chain, request=request)
    assert len(provider.requests) == 1
    world.ask(chain, request=replace(REQUEST, extra={"openai": {"tag": "t"}}))
    assert len(provider.requests) == 2


def test_f112_all_fields_but_one_may_make_no_difference(world):
    """The one that is left still does."""
    provider = ScriptedProvider("a")
    chain = cached(provider, cache=ResponseCacheConfig(exclude_fields=CHANGES.keys() - {"messages", "seed"}))
    for change in CHANGES.keys() - {"messages", "seed"}:
        world.ask(chain, request=replace(REQUEST, **{change: CHANGES[change]}))
    assert len(provider.requests) == 1
    world.ask(chain, request=replace(REQUEST, seed=7))
    assert len(provider.requests) == 2


def test_what_nobody_can_compare_passes_by(world):
    """An object in an API's field that is no data makes a request that is like no other."""
    provider = ScriptedProvider("a")
    chain = cached(provider)
    for _ in range(2):
        world.ask(chain, request=replace(REQUEST, extra={"openai": {"user": object()}}))
    assert len(provider.requests) == 2
    assert chain.cache.stats().misses == 0


def test_k05_the_time_to_live_counts_from_storing(world, mode, make_cache):
    """A call that takes 50 s leaves an answer that is used for the whole hour after that, and not at its end."""
    provider = ScriptedProvider("a", Slow(50, "Paris"), "Rome")
    chain = cached(provider, cache=make_cache())
    world.ask(chain, mode)
    world.clock.advance(3599.999)
    assert world.ask(chain, mode).content == "Paris"
    world.clock.advance(0.001)
    assert world.ask(chain, mode).content == "Rome"
    assert chain.cache.stats().expired == 1


def test_k05_a_use_does_not_lengthen_it(world):
    """An answer that is asked for again and again ends with its time all the same."""
    provider = ScriptedProvider("a", "Paris", "Rome")
    chain = cached(provider, cache=ResponseCacheConfig(ttl=10))
    answers = []
    for _ in range(5):
        answers.append(world.ask(chain).content)
        world.clock.advance(4)
    assert answers == ["Paris", "Paris", "Paris", "Rome", "Rome"]


def test_k06_a_fallback_s_answer_is_used_for_a_minute_only(world, mode, make_cache):
    """So the first provider is asked again soon after it is well; its own answer then stays for the whole time."""
    first, second = ScriptedProvider("a", down(), "from a"), ScriptedProvider("b", "from b")
    chain = cached(first, second, cache=make_cache())
    answers = []
    for pause in (0, 59, 1, 3599):
        world.clock.advance(pause)
        answers.append(world.ask(chain, mode))
    assert [answer.content for answer in answers] == ["from b", "from b", "from a", "from a"]
    assert [answer.provider for answer in answers] == ["b", "b", "a", "a"]
    assert [answer.attempts[-1].provider for answer in answers] == ["b", "b", "a", "a"]


def test_k06_a_fallback_s_answer_need_not_be_kept_at_all(world):
    """With `fallback_ttl=0` every call asks until the first provider answers."""
    first, second = ScriptedProvider("a", down()), ScriptedProvider("b", "from b")
    chain = cached(first, second, cache=ResponseCacheConfig(fallback_ttl=0))
    for _ in range(3):
        world.ask(chain)
    assert len(second.requests) == 3
    assert chain.cache.stats().rejected == 3


def test_k06_a_skipped_circuit_makes_a_fallback_too(world):
    """An answer by the second provider is a fallback's, also where the first one was not asked, or is in a chain."""
    for nested in (False, True):
        first = ScriptedProvider("a", down())
        second = ScriptedProvider("b", "from b")
        circuit = {"circuit_breaker": CircuitBreakerConfig(failure_threshold=1)}
        chain = FallbackChain([first, second], retry=None, timeouts=None, **circuit)
        chain = cached(chain) if nested else cached(first, second, **circuit)
        world.ask(chain, request=CompletionRequest.ask("something else"))
        world.ask(chain)
        assert len(first.requests) == 1
        world.clock.advance(60)
        world.ask(chain)
        assert len(second.requests) == 3


PIECES = {
    "text": PARIS,
    "tools": replace(
        PARIS, parts=(TextPart("ok"), ToolCall("c1", "f", '{"a": 1}'), ToolCall("c2", "g")), finish_reason="tool_use"
    ),
    "thinking": replace(PARIS, parts=(ThinkingPart("hm", "sig"), TextPart("Paris"))),
    "opaque": replace(PARIS, parts=(TextPart("x"), OpaquePart({"type": "own", "n": [1]}, "openai"))),
    "usage": replace(PARIS, usage=Usage(9, 4, 3, 1, 2, server_tools=(("web_search", 2),))),
}


@pytest.mark.parametrize("response", PIECES.values(), ids=PIECES)
def test_k07_a_stream_is_replayed_piece_by_piece(world, response, store):
    """Every event of a hit equals that of the first stream: text, thinking, tool calls, usage, and the whole answer."""
    response = replace(response, finish_reason=FinishReason(response.finish_reason))
    chain = cached(
        Answering("a", response), cache=ResponseCache(ResponseCacheConfig(cache_tool_calls=True), store=store)
    )

    async def events(mode):
        if mode == "stream":
            return list(chain.stream(REQUEST))
        return [event async for event in chain.stream_async(REQUEST)]

    first, second, third = (world.run(events(mode)) for mode in ("stream", "stream", "stream_async"))
    assert first[:-1] == second[:-1] == third[:-1]
    assert len(first) > 4
    whole = [replace(stream[-1].response, attempts=()) for stream in (first, second, third)]
    assert whole[0] == whole[1] == whole[2] == replace(response, provider="a")
    assert [stream[-1].response.attempts[-1].outcome for stream in (first, second, third)] == [
        "200",
        "cache_hit",
        "cache_hit",
    ]


def test_k07_a_whole_answer_and_a_stream_are_of_one_request(world):
    """A stream's answer serves a call for the whole; the other way round the provider is asked for the pieces."""
    provider = ScriptedProvider("a", "one", "two", "three")
    chain = cached(provider)
    answers = [world.ask(chain, mode).content for mode in ("complete", "stream", "stream", "complete")]
    assert answers == ["one", "two", "two", "two"]


def test_f112_streams_pass_by_where_they_are_not_kept(world):
    """With `cache_streaming=False` every stream asks, and leaves nothing behind."""
    provider = ScriptedProvider("a")
    chain = cached(provider, cache=ResponseCacheConfig(cache_streaming=False))
    for mode in ("stream", "stream_async", "stream"):
        world.ask(chain, mode)
    assert len(provider.requests) == 3
    assert chain.cache.is_empty


def test_k07_a_stream_that_is_left_early_on_a_hit_leaves_the_answer(world):
    """The reader of a hit may go; the next one gets all of it."""
    chain = cached(ScriptedProvider("a", "Paris is nice", "Rome"))
    world.ask(chain, "stream")

    async def leave():
        with chain.stream(REQUEST) as stream:
            next(stream)

    world.run(leave())
    assert world.ask(chain, "stream").content == "Paris is nice"


def test_k09_whoever_changes_an_answer_changes_his_own(world, mode, make_cache):
    """What only one API has a word for is a mutable object: each caller gets one of its own, the first one too."""
    response = replace(
        PARIS,
        parts=(TextPart("x"), OpaquePart({"list": [1]}, "openai")),
        extra={"openai": {"system_fingerprint": {"a": [1]}}},
        alternatives=(replace(PARIS, extra={"openai": {"b": [1]}}),),
    )
    chain = cached(Answering("a", response), cache=make_cache())
    for _ in range(3):
        found = world.ask(chain, mode)
        assert found.parts[1].data == {"list": [1]}
        assert found.extra == {"openai": {"system_fingerprint": {"a": [1]}}}
        assert found.alternatives[0].extra == {"openai": {"b": [1]}}
        found.parts[1].data["list"].append(2)
        found.extra["openai"]["system_fingerprint"]["a"].append(2)
        found.extra["openai"]["more"] = 1
        found.alternatives[0].extra["openai"]["b"].append(2)
        found.attempts[-1].outcome = "spoilt"


def test_k09_an_answer_cannot_be_changed_otherwise():
    """All else that an answer holds is frozen."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        PARIS.model = "x"


def test_tenants_are_kept_apart(world):
    """With a tenant label nobody gets what another one asked for; without it labels make no difference."""
    provider = ScriptedProvider("a", "one", "two", "three")
    chain = cached(provider, cache=ResponseCacheConfig(tenant="org"))
    requests = [replace(REQUEST, metadata=labels) for labels in ({"org": "x"}, {"org": "y"}, {}, {"org": "x"})]
    assert [world.ask(chain, request=request).content for request in requests] == ["one", "two", "three", "one"]
    assert chain.cache.invalidate(tenant="x") == 1
    assert len(chain.cache) == 2


def test_only_the_models_that_are_named_are_kept(world):
    """Others pass by: the model that is asked for counts, or that of the chain's providers."""
    provider = ScriptedProvider("a", model="m-1")
    chain = cached(provider, cache=ResponseCacheConfig(models=["m-1"]))
    for request in (REQUEST, REQUEST, REQUEST.with_model("m-1"), REQUEST.with_model("m-2"), REQUEST.with_model("m-2")):
        world.ask(chain, request=request)
    assert len(provider.requests) == 4


def test_f114_an_answer_goes_by_hand(world, make_cache):
    """By model, provider, age, labels, or anything else that is true of it; `clear` forgets all."""
    first = ScriptedProvider("a", model=None)
    cache = make_cache()
    chain = cached(first, cache=cache)

    def fill():
        cache.clear()
        for number, labels in enumerate([{"topic": "x"}, {"topic": "y"}, {"topic": "y", "lang": "de"}]):
            request = replace(CompletionRequest.ask(f"question {number}", model=f"m-{number}"), metadata=labels)
            world.ask(chain, request=request)
            world.clock.advance(10)

    async def invalidate(**which):
        return cache.invalidate(**which)

    for which, count in (
        ({"model": "m-1"}, 1),
        ({"model": "m-9"}, 0),
        ({"provider": "a"}, 3),
        ({"metadata": {"topic": "y"}}, 2),
        ({"metadata": {"topic": "y", "lang": "de"}}, 1),
        ({"older_than": 20}, 2),
        ({"older_than": 30.1}, 0),
        ({"model": "m-1", "metadata": {"topic": "x"}}, 0),
        ({"where": lambda answer: answer.labels["topic"] == "x"}, 1),
    ):
        fill()
        assert world.run(invalidate(**which)) == count, which
        assert len(cache) == 3 - count
    assert cache.clear() == 2
    assert cache.is_empty


def test_f114_another_configuration_begins_anew(world, store):
    """Settings that decide who gets which answer are part of every key; room and waiting are not."""
    provider = ScriptedProvider("a", *map(str, range(9)))

    def content(**settings):
        return world.ask(cached(provider, cache=ResponseCache(ResponseCacheConfig(**settings), store=store))).content

    assert content() == content(max_entries=5, eviction_share=0.5, max_wait=1) == "0"
    assert content(ttl=10) == "1"
    assert content(cache_refusals=True) == "2"
    assert content(exclude_fields=["seed"]) == "3"
    assert content(version="v2") == "4"
    assert content() == "0"


def test_the_counts_tell_what_happened(world):
    """Hits, misses, stores, evictions, expired answers; the chain's metrics have them, and a copy stays as it is."""
    chain = cached(ScriptedProvider("a"), cache=ResponseCacheConfig(max_entries=2, ttl=10))
    for text in ("1", "1", "2", "3"):
        world.ask(chain, request=CompletionRequest.ask(text))
    before = chain.cache.stats()
    assert (before.hits, before.misses, before.stores, before.evictions, before.expired) == (1, 3, 3, 1, 0)
    assert before.hit_rate == 0.25
    world.clock.advance(10)
    world.ask(chain, request=CompletionRequest.ask("3"))
    after = chain.metrics().cache
    assert (after.misses, after.expired, before.misses) == (4, 1, 3)
    assert (len(chain.cache), chain.cache.total_hits, chain.cache.is_empty) == (2, 1, False)
    assert (chain.metrics().requests_total, chain.metrics().provider("a").successes) == (5, 4)
    assert cached(ScriptedProvider("b"), cache=None).metrics().cache.hit_rate == 0
    assert FallbackChain([ScriptedProvider("b")]).metrics().cache is None


def test_f111_the_log_has_a_line_for_every_hundred_calls(world, caplog):
    """Off by default, as it is below WARNING."""
    chain = cached(ScriptedProvider("a"))
    with caplog.at_level("INFO", logger="llmtest.cache"):
        for _ in range(200):
            world.ask(chain)
    assert [record.getMessage() for record in caplog.records] == [
        "99 of 100 calls answered from the cache, 1 answers kept",
        "199 of 200 calls answered from the cache, 1 answers kept",
    ]


def test_a_chain_in_a_chain_keeps_its_answers(world, mode):
    """An inner cache serves the outer chain: no attempt of a provider, nothing for the outer budget."""
    provider = ScriptedProvider("a", "Paris", "Rome")
    inner = cached(provider, name="inner")
    budget = Budget(BudgetConfig(max_tokens_per_session=10_000))
    outer = FallbackChain([inner], budget=budget)
    world.ask(outer, mode)
    spent = budget.balance()
    response = world.ask(outer, mode)
    assert (response.content, response.provider, response.attempts[-1].outcome) == ("Paris", "a", "cache_hit")
    assert budget.balance() == spent
    assert len(provider.requests) == 1


def test_retries_inside_it_are_told_with_the_first_answer(world, mode):
    """The answer that is kept has none of the attempts it took."""
    chain = cached(ScriptedProvider("a", down(), "Paris"), retry=RetryConfig(jitter=False))
    assert [attempt.outcome for attempt in world.ask(chain, mode).attempts] == ["503", "200"]
    assert [attempt.outcome for attempt in world.ask(chain, mode).attempts] == ["cache_hit"]


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"ttl": 0}, "ttl must be more than 0 seconds, got 0"),
        ({"ttl": float("nan")}, "ttl must be more than 0 seconds, got nan"),
        ({"max_entries": 0}, "max_entries must be 1 or more, got 0"),
        ({"eviction_share": 1}, "eviction_share must be a share from 0 to below 1, such as 0.1, got 1"),
        ({"fallback_ttl": -1}, "fallback_ttl must be 0 or more seconds, got -1"),
        ({"max_wait": 0}, "max_wait must be more than 0 seconds, got 0"),
        ({"similarity_threshold": 1.5}, "similarity_threshold must be above 0 and up to 1, got 1.5"),
        ({"exclude_fields": "seed"}, "exclude_fields holds several names, got the text 'seed'.\nTo fix: ['seed']"),
        ({"exclude_fields": ["messages"]}, "exclude_fields may hold every field of a request but `messages`"),
        ({"exclude_fields": ["temprature"]}, "a request has no field `temprature`. Did you mean `temperature`?"),
        ({"embedder": 3}, "an `embedder` has `name`, `embed(request)` and `embed_async(request)`; 3 has not"),
    ],
)
def test_bad_settings_are_refused_when_they_are_made(settings, text):
    """The text names the setting, the value, and what is allowed."""
    with pytest.raises(ConfigurationError) as caught:
        ResponseCacheConfig(**settings)
    assert text in str(caught.value)


def test_what_is_no_cache_is_refused():
    """A chain takes settings or a cache; a cache takes settings and a store."""
    with pytest.raises(ConfigurationError, match=r"To fix: cache=ResponseCacheConfig\(ttl=3600\)"):
        FallbackChain([ScriptedProvider("a")], cache=True)
    with pytest.raises(ConfigurationError, match=r"To fix: ResponseCache\(ResponseCacheConfig\(ttl=3600\)\)"):
        ResponseCache({"ttl": 3})
    with pytest.raises(ConfigurationError, match=r"a cache keeps answers in a store, not in 'answers\.db'"):
        ResponseCache(store="answers.db")
    with pytest.raises(ConfigurationError, match=r"To fix: cache.clear\(\) forgets all of them"):
        ResponseCache().invalidate()
    with pytest.raises(ConfigurationError, match="older_than must be 0 or more seconds, got -1"):
        ResponseCache().invalidate(older_than=-1)


def test_the_builder_has_a_word_for_it(world):
    """`with_cache` takes what the argument takes."""
    provider = ScriptedProvider("a")
    chain = FallbackChain.builder().with_cache(ResponseCacheConfig(ttl=5)).add_last(provider).build()
    for _ in range(2):
        world.ask(chain)
    assert len(provider.requests) == 1


def test_a_run_is_repeatable():
    """Two runs of one story have the same history."""

    def story():
        world = World()
        chain = cached(ScriptedProvider("a", Slow(3, "Paris")))

        async def both():
            await ask(chain)
            await ask(chain)

        world.run(both())
        return world.trace.render()

    assert story() == story()
