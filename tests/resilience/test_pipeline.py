"""The seams of a chain: strategies of somebody else's are put in, each is called in its place, in all four modes."""

import asyncio
from dataclasses import fields

import pytest

from llmtest.clock import active_clock
from llmtest.errors import (
    AllProvidersFailedError,
    BudgetExceededError,
    CircuitOpenError,
    ConfigurationError,
    DeadlineExceededError,
    RateLimitedError,
    ServerError,
)
from llmtest.resilience import (
    BREAKER,
    RETRY,
    CircuitBreakerConfig,
    FallbackChain,
    FallbackSlot,
    ListedOrder,
    OpenStream,
    Pipeline,
    RetryConfig,
    TimeoutConfig,
)
from llmtest.types import CompletionResponse, FinishReason, StreamEvent, TextPart, Usage
from tests.resilience.scripted_provider import Cut, ScriptedProvider, Slow, down


class Log(list):
    """What was called, in order."""


class LoggedCall:
    """A layer around a call that notes when it is entered and left, and how a stream ended."""

    def __init__(self, log, name):
        self.log, self.name = log, name

    def around(self, further):
        async def ask_further(call):
            self.log.append(f"{self.name} in")
            result = await further(call)
            self.log.append(f"{self.name} out")
            if isinstance(result, OpenStream):
                result.at_end(lambda _, end: self.log.append(f"{self.name} end {type(end).__name__}"))
            return result

        return ask_further


class LoggedPlace(LoggedCall):
    """The same around each place."""

    def around(self, place, further):
        async def ask_further(visit):
            self.log.append(f"{self.name} {place.name}")
            return await further(visit)

        return ask_further


class Backwards:
    """A selection that asks the last place first."""

    def __init__(self, log):
        self.log = log

    def order(self, places, call):
        self.log.append(f"order of {len(places)} for call {call.id}")
        return places[::-1]

    def after(self, place, error, call, left):
        self.log.append(f"after {place.name}: {error} of {[each.name for each in left]}")
        return left[0]


class LoggedGuard:
    """A guard whose permits say how they ended; it may wait, or refuse."""

    def __init__(self, log, kind="logged", *, seconds=0, refusal=None):
        self.log, self.kind, self.seconds, self.refusal = log, kind, seconds, refusal

    async def before(self, attempt):
        call = attempt.call
        self.log.append(f"{self.kind} before {attempt.place.name}/{attempt.model}")
        if self.seconds:
            await call.parts.sleep_ns(call.clock, round(self.seconds * 1e9))
        if self.refusal is not None:
            raise self.refusal
        return LoggedPermit(self.log, self.kind)


class LoggedPermit:
    def __init__(self, log, kind):
        self.log, self.kind = log, kind

    def settle(self, usage=None, *, cost_usd=None, provider=None, model=None, service_tier=None):
        self.log.append(f"{self.kind} settled {provider}/{model} {usage.total_tokens} {cost_usd}")

    def release(self):
        self.log.append(f"{self.kind} released")


@pytest.fixture
def log():
    """Return an empty log."""
    return Log()


def test_hand_written_strategies_are_called_in_their_order(world, mode, log):
    """Layers, selection and guards of a test's own, around a failure and an answer, in every mode."""
    pipeline = Pipeline(
        call_layers=[LoggedCall(log, "outer"), LoggedCall(log, "inner")],
        selection=Backwards(log),
        place_layers=[LoggedPlace(log, "outside"), BREAKER, RETRY, LoggedPlace(log, "inside")],
        guards=[LoggedGuard(log)],
    )
    providers = [ScriptedProvider("ollama", "Paris"), ScriptedProvider("b", down())]
    chain = FallbackChain(providers, retry=RetryConfig(max_attempts=2, jitter=False), pipeline=pipeline)
    assert world.ask(chain, mode).provider == "ollama"
    ends = ["inner end CompletionResponse", "outer end CompletionResponse"] if "stream" in mode else []
    settled = ["logged settled ollama/m 12 0"]
    assert log == [
        "outer in",
        "inner in",
        "order of 2 for call 1",
        "outside b",
        *["inside b", "logged before b/m", "logged released"] * 2,
        "after b: down of ['ollama']",
        "outside ollama",
        "inside ollama",
        "logged before ollama/m",
        *([] if ends else settled),
        "inner out",
        "outer out",
        *([*settled, *ends] if ends else []),
    ]


@pytest.mark.parametrize("streaming", ["stream", "stream_async"])
def test_a_layer_learns_how_a_stream_broke(world, log, streaming):
    """Whoever stands around a stream is told what ended it, once."""
    provider = ScriptedProvider("a", Cut("The capital", ServerError("gone", status=500)))
    chain = FallbackChain([provider], pipeline=Pipeline(call_layers=[LoggedCall(log, "layer")]))
    world.fail(chain, streaming)
    assert log == ["layer in", "layer out", "layer end StreamInterruptedError"]


class Memory:
    """A layer that answers what it has answered before; a stream of it is one piece."""

    def __init__(self):
        self.known = {}

    def around(self, further):
        async def answer(call):
            response = self.known.get(call.request.messages)
            if response is None:
                result = await further(call)
                if isinstance(result, OpenStream):
                    result.at_end(lambda _, end: self.known.update({call.request.messages: end}))
                else:
                    self.known[call.request.messages] = result
                return result
            return OpenStream(self.retold(response)) if call.streaming else response

        return answer

    async def retold(self, response):
        yield StreamEvent("text", response.content)
        yield StreamEvent("end", response=response)


def test_a_layer_may_answer_without_any_provider(world, mode):
    """The second call is the layer's: no provider is asked, no attempt is counted, and streams are streams."""
    provider = ScriptedProvider("a", "Paris", down())
    chain = FallbackChain([provider], pipeline=Pipeline(call_layers=[Memory()]))
    first, second = world.ask(chain, mode), world.ask(chain, mode)
    assert first.content == second.content
    assert len(provider.requests) == 1
    assert chain.metrics().provider("a").successes == 1
    assert chain.metrics().requests_total == 2


def test_a_guard_may_let_an_attempt_wait(world, mode, log):
    """The attempt begins after the wait, and gets what the deadline leaves then; too long a wait is the deadline's."""
    provider = ScriptedProvider("a")
    pipeline = Pipeline(guards=[LoggedGuard(log, seconds=3)])
    chain = FallbackChain([provider], timeouts=TimeoutConfig(deadline=5), pipeline=pipeline)
    (attempt,) = world.ask(chain, mode).attempts
    assert (attempt.start_ns, provider.limits[0].total) == (3_000_000_000, 2.0)
    late = FallbackChain([provider], timeouts=TimeoutConfig(deadline=2), pipeline=pipeline)
    assert isinstance(world.fail(late, mode), DeadlineExceededError)
    assert len(provider.requests) == 1
    assert log[-2:] == ["logged before a/m", "logged released"]


def test_a_guard_that_refuses_gives_every_permit_back(world, mode, log):
    """Nothing is sent, and nothing is counted as the provider's failure."""
    refusal = RateLimitedError("our own limit", retry_after=60)
    pipeline = Pipeline(guards=[LoggedGuard(log, "first"), LoggedGuard(log, "second", refusal=refusal)])
    provider = ScriptedProvider("a")
    chain = FallbackChain([provider], retry=None, pipeline=pipeline)
    assert world.fail(chain, mode) is refusal
    assert log == ["first before a/m", "second before a/m", "first released"]
    assert (provider.requests, chain.metrics().provider("a").failures) == ([], 0)


def test_guards_stand_before_the_requests_of_a_chain_inside(world, mode, log):
    """A nested chain is no provider: the guard sees what that sends, unless that has a guard of the same kind."""
    inner = FallbackChain([ScriptedProvider("a", down()), ScriptedProvider("b")], retry=None, name="inner")
    world.ask(FallbackChain([inner], pipeline=Pipeline(guards=[LoggedGuard(log)])), mode)
    assert [line for line in log if "before" in line] == ["logged before a/m", "logged before b/m"]
    log.clear()
    own = Pipeline(guards=[LoggedGuard(log, "logged"), LoggedGuard(log, "other")])
    inner = FallbackChain([ScriptedProvider("a")], name="inner", pipeline=own)
    outer = Pipeline(guards=[LoggedGuard(log, "logged"), LoggedGuard(log, "third")])
    world.ask(FallbackChain([inner], pipeline=outer), mode)
    assert [line for line in log if "before" in line] == [f"{kind} before a/m" for kind in ("third", "logged", "other")]


class LastFirst(ListedOrder):
    """After a failure, the last one that is left."""

    def after(self, place, error, call, left):
        return left[-1]


def test_a_place_that_was_passed_over_is_offered_again(world, mode):
    """A selection may jump to the end; who is left is asked after all, each once."""
    providers = [*(ScriptedProvider(name, down()) for name in "abc"), ScriptedProvider("d", down())]
    chain = FallbackChain(providers, retry=None, pipeline=Pipeline(selection=LastFirst()))
    assert [attempt.provider for attempt in world.fail(chain, mode).attempts] == ["a", "d", "c", "b"]


class Nobody(ListedOrder):
    """A selection that finds nobody."""

    def order(self, places, call):
        return ()


class GivesUp(ListedOrder):
    """A selection that has no second choice."""

    def after(self, place, error, call, left):
        return None


def test_a_selection_may_end_a_call_but_not_begin_it_with_nobody(world, mode):
    """Without a next place the failure is the call's; without a first one the selection is at fault."""
    providers = [ScriptedProvider("a", down()), ScriptedProvider("b")]
    chain = FallbackChain(providers, retry=None, pipeline=Pipeline(selection=GivesUp()))
    assert isinstance(world.fail(chain, mode), ServerError)
    error = world.fail(FallbackChain(providers, pipeline=Pipeline(selection=Nobody())), mode)
    assert str(error).startswith("the selection of chain `fallback-chain` left no place to ask.\nTo fix: ")


class TwoAtOnce:
    """A layer that lets the chain answer twice at once and takes the first answer."""

    def around(self, further):
        async def hedge(call):
            first, second = (asyncio.ensure_future(further(call)) for _ in range(2))
            await asyncio.wait([first, second])
            return first.result() if first.exception() is None else second.result()

        return hedge


class Alternating(ListedOrder):
    """The first walk asks one place, the second the other one."""

    def __init__(self):
        self.turn = 0

    def order(self, places, call):
        self.turn += 1
        return places[:1] if self.turn % 2 else places[1:]


class Reluctant:
    """A layer that holds `a` back for a while and refuses `b` after a longer one."""

    def around(self, place, further):
        async def later(visit):
            await active_clock().sleep_async(1 if place.name == "a" else 2)
            if place.name == "b":
                raise CircuitOpenError("b", retry_after=9)
            return await further(visit)

        return later


def test_whether_a_place_was_asked_is_known_of_each_turn(world):
    """Two walks of one call at once: that the other one is being asked makes no failure of who never was."""
    providers = [ScriptedProvider("a", Slow(5)), ScriptedProvider("b")]
    pipeline = Pipeline(call_layers=[TwoAtOnce()], selection=Alternating(), place_layers=[Reluctant(), BREAKER, RETRY])
    chain = FallbackChain(providers, pipeline=pipeline)
    assert world.ask(chain, "complete_async").provider == "a"
    refused = chain.metrics().provider("b")
    assert (refused.failures, refused.circuit_breaker_skips) == (0, 1)


@pytest.mark.parametrize("inside", [False, True])
def test_the_order_of_breaker_and_retry_is_data(world, mode, inside):
    """The argument and the pipeline say the same: inside the retries a circuit counts attempts, outside calls."""
    layers = (RETRY, BREAKER) if inside else (BREAKER, RETRY)
    settings = {"retry": RetryConfig(max_attempts=3, jitter=False), "circuit_breaker": CircuitBreakerConfig()}
    said = FallbackChain([ScriptedProvider("a", down())], breaker_inside_retry=inside, **settings)
    given = FallbackChain([ScriptedProvider("a", down())], pipeline=Pipeline(place_layers=layers), **settings)
    for chain in (said, given):
        world.fail(chain, mode)
        assert chain.breaker("a").failures == (3 if inside else 1)


def test_a_policy_that_the_layers_leave_out_is_refused():
    """A circuit that nothing would ever tell anything is a mistake, and what the error advises mends it."""
    with pytest.raises(
        ConfigurationError, match=r"has a `circuit_breaker`.*\nTo fix: add `llmtest.resilience.BREAKER`"
    ):
        FallbackChain([ScriptedProvider("a")], pipeline=Pipeline(place_layers=[RETRY]))
    with pytest.raises(ConfigurationError, match=r"has a `retry`.*\nTo fix: .*, or say retry=None"):
        FallbackChain([ScriptedProvider("a")], pipeline=Pipeline(place_layers=[BREAKER]))
    for settings in ({"place_layers": [BREAKER, RETRY]}, {"place_layers": []}):
        off = {} if settings["place_layers"] else {"retry": None, "circuit_breaker": None}
        FallbackChain([ScriptedProvider("a")], pipeline=Pipeline(**settings), **off)
    with pytest.raises(ConfigurationError, match="leave the latter out"):
        FallbackChain(
            [ScriptedProvider("a")], breaker_inside_retry=True, pipeline=Pipeline(place_layers=[BREAKER, RETRY])
        )


class Recorder:
    """A foreign wrapper around any provider, with nothing but what the protocol asks for."""

    def __init__(self, provider):
        self._provider = provider
        self.name, self.model = f"recorded {provider.name}", provider.model
        self.asked = 0

    @property
    def capabilities(self):
        return self._provider.capabilities

    def complete(self, request, *timeouts):
        self.asked += 1
        return self._provider.complete(request, *timeouts)

    async def complete_async(self, request, *timeouts):
        self.asked += 1
        return await self._provider.complete_async(request, *timeouts)

    def stream(self, request, *timeouts):
        self.asked += 1
        return self._provider.stream(request, *timeouts)

    def stream_async(self, request, *timeouts):
        self.asked += 1
        return self._provider.stream_async(request, *timeouts)


def test_a_chain_is_known_through_a_wrapper(world, mode):
    """Whatever a chain is wrapped in: its policies are not doubled, and its attempts are the call's."""
    provider = ScriptedProvider("a", down())
    wrapped = Recorder(FallbackChain([provider], retry=RetryConfig(max_attempts=3, jitter=False), name="inner"))
    chain = FallbackChain([wrapped, ScriptedProvider("b")])
    response = world.ask(chain, mode)
    assert [attempt.provider for attempt in response.attempts] == ["a", "a", "a", "b"]
    assert (wrapped.asked, len(provider.requests)) == (1, 3)
    assert chain.metrics().providers[0].circuit is None
    names = [request.idempotency_key for request in provider.requests]
    assert len(set(names)) == 1


def test_r01_a_policy_for_nobody_is_refused():
    """Retries that only chains would get are said so, and the way out that is named works."""
    inner = FallbackChain([ScriptedProvider("a")], name="inner")
    for policy, config in (("retry", RetryConfig()),):
        for provider in (inner, Recorder(inner)):
            with pytest.raises(ConfigurationError) as refused:
                FallbackChain([provider], **{policy: config})
            first, way_out = str(refused.value).split("\n")
            assert first == (
                f"`{policy}` of chain `fallback-chain` would apply to nobody: `{provider.name}` is a chain and keeps "
                "policies of its own."
            )
            advice = way_out.rpartition(": ")[2]
            known = {"FallbackSlot": FallbackSlot, "inner": provider, type(config).__name__: type(config)}
            slot = eval(advice, known)
            assert FallbackChain([slot], **{policy: config}).places[0].config is slot
        FallbackChain([inner, ScriptedProvider("b")], **{policy: config})
        FallbackChain([inner], **{policy: None})


def test_r01_a_circuit_breaker_that_is_asked_for_guards_an_inner_chain_as_a_whole(world, mode):
    """The outer breaker opens on an inner chain that fails, however that is wrapped; the default one lets it be."""
    for wrap in (lambda chain: chain, Recorder):
        provider = ScriptedProvider("a", down())
        inner = wrap(FallbackChain([provider], name="inner", retry=None, circuit_breaker=None))
        outer = FallbackChain([inner], circuit_breaker=CircuitBreakerConfig(failure_threshold=2))
        for _ in range(2):
            assert isinstance(world.fail(outer, mode), ServerError)
        assert outer.places[0].breaker.state == "open"
        assert isinstance(world.fail(outer, mode), AllProvidersFailedError)
        assert len(provider.requests) == 2
        assert FallbackChain([inner]).places[0].breaker is None
        own = FallbackSlot(provider=inner, circuit_breaker=CircuitBreakerConfig(failure_threshold=7))
        outer = FallbackChain([own], circuit_breaker=CircuitBreakerConfig(failure_threshold=2))
        assert outer.places[0].breaker.config.failure_threshold == 7


def test_everything_that_a_provider_said_passes_through_a_chain(world):
    """A chain adds who served and what was tried; every other field of an answer is handed on as it came."""
    said = CompletionResponse(
        parts=(TextPart("Paris"),),
        finish_reason=FinishReason.LENGTH,
        raw_finish_reason="max_tokens",
        usage=Usage(3, 4),
        model="m-2",
        id="r1",
        request_id="req1",
        alternatives=(CompletionResponse(),),
        extra={"openai": {"system_fingerprint": "fp"}},
        service_tier="flex",
    )
    silent = CompletionResponse()
    handed = {each.name for each in fields(CompletionResponse)} - {"provider", "attempts"}
    assert all(getattr(said, name) != getattr(silent, name) for name in handed), "say something in every field"
    provider = ScriptedProvider("a")
    provider._response = lambda _: said
    response = world.ask(FallbackChain([provider]))
    assert {name: getattr(response, name) for name in handed} == {name: getattr(said, name) for name in handed}


def test_a_refusal_of_the_budget_comes_after_the_guards(world, log):
    """Nothing is set aside while a guard lets an attempt wait, and its permit comes back when the budget refuses."""

    class Empty:
        def reserve(self, estimate, *, provider=None, model=None):
            log.append("budget")
            raise BudgetExceededError(scope="day", unit="tokens", limit=1, spent=1, reserved=0, requested=1)

    chain = FallbackChain([ScriptedProvider("a")], budget=Empty(), pipeline=Pipeline(guards=[LoggedGuard(log)]))
    assert isinstance(world.fail(chain), BudgetExceededError)
    assert log == ["logged before a/m", "budget", "logged released"]
