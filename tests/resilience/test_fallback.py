"""Fallback: one test for each classic bug (catalogue FB), and for what triggers promise."""

import asyncio

import pytest

from llmtest.costs import Budget, BudgetConfig, Estimate
from llmtest.errors import (
    AllProvidersFailedError,
    AuthenticationError,
    BudgetExceededError,
    CircuitOpenError,
    ConfigurationError,
    ContentFilteredError,
    ContextLengthExceededError,
    DeadlineExceededError,
    InvalidRequestError,
    InvalidResponseError,
    ModelNotFoundError,
    NotSupportedError,
    PermissionDeniedError,
    ProviderConnectionError,
    QuotaExceededError,
    ServerError,
    StreamInterruptedError,
)
from llmtest.events import AttemptEnded, CallEnded, CallStarted, CircuitSkipped, FallbackTaken, RetryScheduled
from llmtest.resilience import (
    AsyncLLMClient,
    CircuitBreakerConfig,
    FallbackChain,
    FallbackCondition,
    FallbackSlot,
    FallbackTrigger,
    LLMClient,
    RetryConfig,
    TimeoutConfig,
)
from llmtest.types import Capabilities, ChatMessage, CompletionRequest, ImagePart, TextPart, ToolDefinition
from tests.resilience.scripted_provider import (
    REQUEST,
    Cut,
    ScriptedProvider,
    Slow,
    World,
    ask,
    down,
    limited,
    refused_key,
)

SMALL, LARGE = Capabilities(context_window=1_000), Capabilities(context_window=100_000)


def chain_of(*providers, **settings):
    """Return a chain without retries and circuits."""
    return FallbackChain(providers, **{"retry": None, "circuit_breaker": None, **settings})


def too_long():
    """Return the error of a prompt that is too long."""
    return ContextLengthExceededError("too long", status=400)


def test_the_next_provider_answers(world, mode):
    """A failure of the first is answered by the second; the trace says so once."""
    chain = chain_of(ScriptedProvider("a", down()), ScriptedProvider("b", "from b"))
    response = world.ask(chain, mode)
    assert (response.content, response.provider) == ("from b", "b")
    assert [(attempt.provider, attempt.outcome) for attempt in response.attempts] == [("a", "503"), ("b", "200")]
    (moved,) = world.events(FallbackTaken)
    assert (moved.from_provider, moved.to_provider, moved.cause, moved.error_class) == ("a", "b", "503", "ServerError")


def test_every_event_of_a_call_has_its_number(world, mode):
    """Whole or streamed: start, retries, attempts, moves and end belong together, and the end knows the start."""
    providers = [ScriptedProvider(name, step) for name, step in (("a", down()), ("b", "from b"))]
    chain = chain_of(*providers, retry=RetryConfig(max_attempts=2, jitter=False), name="main")
    for number in (1, 2):
        world.clock.advance(5)
        began = world.clock.now_ns()
        world.ask(chain, mode)
        events = [event for event in world.trace if event.call == number]
        assert [type(event) for event in events] == [
            CallStarted,
            AttemptEnded,
            RetryScheduled,
            AttemptEnded,
            FallbackTaken,
            AttemptEnded,
            CallEnded,
        ]
        assert (events[0].at_ns, events[0].label, events[-1].start_ns) == (began, "main", began)
        assert (events[-1].at_ns, events[-1].label, events[-1].model) == (began + 1_000_000_000, "main", "m")
    assert len(world.trace) == 14


def test_fb01_a_smaller_window_is_passed_by_and_the_error_kept(world, mode):
    """A prompt that is too long does not go to a provider whose window is no larger."""
    error = too_long()
    small = ScriptedProvider("b", capabilities=SMALL)
    chain = chain_of(ScriptedProvider("a", error, capabilities=SMALL), small)
    assert world.fail(chain, mode) is error
    assert small.requests == []


def test_fb01_a_larger_window_is_found_behind_a_smaller_one(world, mode):
    """The chain looks for a window that is larger than the one that was too small."""
    small = ScriptedProvider("b", capabilities=SMALL)
    chain = chain_of(
        ScriptedProvider("a", too_long(), capabilities=SMALL), small, ScriptedProvider("c", capabilities=LARGE)
    )
    assert world.ask(chain, mode).provider == "c"
    assert small.requests == []


def test_fb01_what_the_provider_says_of_its_window_counts(world, mode):
    """Where the error names the window, a provider that holds more than that is asked, and no other."""
    error = too_long()
    error.max_tokens = 8_000
    equal = ScriptedProvider("b", capabilities=Capabilities(context_window=8_000))
    larger = ScriptedProvider("c", capabilities=Capabilities(context_window=8_001))
    assert world.ask(chain_of(ScriptedProvider("a", error), equal, larger), mode).provider == "c"
    assert equal.requests == []


def test_fb01_a_prompt_that_does_not_fit_may_fit_where_nothing_is_known(world, mode):
    """A provider that does not say how much it holds is asked where an estimate has ruled another one out."""
    request = CompletionRequest.ask("word " * 2_000)
    assert world.ask(chain_of(ScriptedProvider("a", capabilities=SMALL), ScriptedProvider("b")), mode, request)
    chain = chain_of(ScriptedProvider("a", capabilities=SMALL), ScriptedProvider("b"), ScriptedProvider("c"))
    assert world.ask(chain, mode, request).provider == "b"


def test_fb01_what_a_provider_declares_goes_before_the_list(world, mode):
    """The price list knows the window of a provider that declares none; what one declares of its own model counts."""
    error = too_long()
    error.max_tokens = 8_000
    listed = ScriptedProvider("openai", model="gpt-4.1")
    assert world.ask(chain_of(ScriptedProvider("a", error), listed), mode).provider == "openai"
    modest = ScriptedProvider("openai", model="gpt-4o", capabilities=SMALL)
    long = CompletionRequest.ask("word " * 2_000)
    assert world.ask(chain_of(modest, ScriptedProvider("b")), mode, long).provider == "b"


def test_fb01_the_answer_needs_room_too(world, mode):
    """What the request allows the answer to have counts; the error says what is needed, of which model, and what is."""
    small = ScriptedProvider("a", model="mini", capabilities=SMALL)
    chain = chain_of(small, ScriptedProvider("b", down()))
    error = world.fail(chain, mode, REQUEST.with_max_tokens(992))
    (_, cause), _ = error.errors
    assert str(cause) == "the request needs about 1001 tokens, `a` holds 1000"
    assert (cause.requested_tokens, cause.max_tokens, cause.model) == (1001, 1000, "mini")
    named = world.fail(chain, mode, REQUEST.with_max_tokens(992).with_model("mini-2"))
    assert named.errors[0][1].model == "mini-2"
    assert world.ask(chain, mode, REQUEST.with_max_tokens(991)).provider == "a"


def test_fb01_an_estimate_alone_leaves_nobody_unasked(world, mode):
    """The last provider is asked for a prompt that seems too long, and so is one that has declared no window."""
    longest = CompletionRequest.ask("word " * 20_000)
    assert world.ask(chain_of(ScriptedProvider("a", capabilities=SMALL)), mode, longest).provider == "a"
    silent = ScriptedProvider("openai", model="gpt-3.5-turbo")
    assert world.ask(chain_of(silent, ScriptedProvider("b")), mode, longest).provider == "openai"


def test_fb01_a_larger_window_is_found_inside_a_chain(world, mode):
    """A nested chain knows best which of its providers holds the prompt."""
    small, large = ScriptedProvider("b", capabilities=SMALL), ScriptedProvider("c", capabilities=LARGE)
    inner = chain_of(small, large, name="inner")
    chain = chain_of(ScriptedProvider("a", too_long(), capabilities=Capabilities(context_window=5_000)), inner)
    assert world.ask(chain, mode, CompletionRequest.ask("word " * 5_000)).provider == "c"
    assert small.requests == []


def test_fb01_a_prompt_that_cannot_fit_is_not_sent(world, mode):
    """A provider that says how much it holds is not asked for more."""
    small = ScriptedProvider("a", capabilities=SMALL)
    chain = chain_of(small, ScriptedProvider("b", capabilities=LARGE))
    assert world.ask(chain, mode, CompletionRequest.ask("word " * 2_000)).provider == "b"
    assert small.requests == []


def test_fb01_the_window_that_counts_is_that_of_the_model_that_is_asked(world, mode):
    """A slot whose own model is small serves a large model that the request names, or that its mapping names."""
    request = CompletionRequest.ask("word " * 20_000).with_model("gpt-4o")
    small = Capabilities(context_window=16_385)
    named = ScriptedProvider("openai", "from openai", model="gpt-3.5-turbo", capabilities=small)
    assert world.ask(chain_of(named, ScriptedProvider("b")), mode, request).provider == "openai"
    first = ScriptedProvider("a", too_long(), capabilities=Capabilities(context_window=20_000))
    mapped = FallbackSlot(provider=ScriptedProvider("openai", model="gpt-3.5-turbo", capabilities=small))
    assert isinstance(world.fail(chain_of(first, mapped), mode), ContextLengthExceededError)
    mapped = FallbackSlot(provider=mapped.provider, model_mapping={"gpt-4o": "gpt-4.1"})
    assert world.ask(chain_of(first, mapped), mode, request.with_model("gpt-4o")).provider == "openai"
    assert world.ask(chain_of(mapped, ScriptedProvider("b")), mode, request).provider == "openai"


def test_fb01_a_model_without_an_equivalent_has_no_larger_window(world, mode):
    """Where a prompt was too long, a slot that knows no such model is passed by, and the error kept."""
    error = too_long()
    mapped = FallbackSlot(provider=ScriptedProvider("b", capabilities=LARGE), model_mapping={"gpt-4o": "x"})
    chain = chain_of(ScriptedProvider("a", error, capabilities=SMALL), mapped)
    assert world.fail(chain, mode, REQUEST.with_model("gpt-9")) is error


def test_fb02_a_fallback_is_asked_for_its_own_model(world, mode):
    """A model's name never travels to another provider: the mapping, or that provider's default, is sent."""
    mapped, plain = ScriptedProvider("b", down(), model="m-b"), ScriptedProvider("c", model="m-c")
    slot = FallbackSlot(provider=mapped, model_mapping={"gpt-4o": "claude-sonnet-4-5"})
    first = ScriptedProvider("a", down(), model="m-a")
    response = world.ask(chain_of(first, slot, plain), mode, REQUEST.with_model("gpt-4o"))
    sent = [provider.requests[0].model for provider in (first, mapped, plain)]
    assert sent == ["gpt-4o", "claude-sonnet-4-5", None]
    assert [attempt.model for attempt in response.attempts] == ["gpt-4o", "claude-sonnet-4-5", "m-c"]


def test_fb02_an_unknown_model_is_refused_before_it_is_sent(world, mode):
    """A mapping that lacks the model passes the slot by."""
    mapped = ScriptedProvider("b")
    chain = chain_of(ScriptedProvider("a", down()), FallbackSlot(provider=mapped, model_mapping={"gpt-4o": "x"}))
    error = world.fail(chain, mode, REQUEST.with_model("gpt-9"))
    assert mapped.requests == []
    assert isinstance(error, AllProvidersFailedError)
    missing = error.errors[1][1]
    assert isinstance(missing, ModelNotFoundError)
    assert str(missing) == ("`b` has no equivalent of model `gpt-9`. To fix: add it to the slot's model_mapping")


def test_fb02_a_star_maps_every_other_model(world):
    """`*` stands for the models that are not named."""
    mapped = ScriptedProvider("b")
    chain = chain_of(ScriptedProvider("a", down()), FallbackSlot(provider=mapped, model_mapping={"*": "any"}))
    world.ask(chain, "complete", REQUEST.with_model("gpt-9"))
    world.ask(chain)
    assert [request.model for request in mapped.requests] == ["any", None]


def test_fb02_a_nested_chain_maps_the_model_itself(world, mode):
    """A chain as a fallback is handed the model that was asked for, because its slots know what it is to them."""
    mapped = ScriptedProvider("b")
    inner = chain_of(FallbackSlot(provider=mapped, model_mapping={"gpt-4o": "claude-sonnet-4-5"}), name="inner")
    world.ask(chain_of(ScriptedProvider("a", down()), inner), mode, REQUEST.with_model("gpt-4o"))
    assert mapped.requests[0].model == "claude-sonnet-4-5"


@pytest.mark.parametrize(
    ("lacking", "request_", "message"),
    [
        (
            Capabilities(tools=False, context_window=100_000),
            CompletionRequest(messages=REQUEST.messages, tools=(ToolDefinition("f"),)),
            "`b` cannot call tools",
        ),
        (
            Capabilities(vision=False, context_window=100_000),
            CompletionRequest(messages=(ChatMessage.user((ImagePart(url="https://x/y.png"),)),)),
            "`b` cannot see images",
        ),
    ],
    ids=["tools", "vision"],
)
def test_fb03_a_provider_without_the_capability_is_passed_by(world, mode, lacking, request_, message):
    """A slot that cannot serve the request is not asked, and not counted as failing."""
    unable = ScriptedProvider("b", capabilities=lacking)
    chain = chain_of(ScriptedProvider("a", down()), unable, ScriptedProvider("c"))
    assert world.ask(chain, mode, request_).provider == "c"
    assert unable.requests == []
    assert chain.metrics().provider("b").failures == 0
    alone = world.fail(chain_of(unable), mode, request_)
    assert isinstance(alone, NotSupportedError)
    assert str(alone) == message


def test_fb03_a_provider_is_asked_for_what_it_can_do(world):
    """Lacking tools, sight and streams does not matter to a request that needs none of them."""
    plain = ScriptedProvider("a", capabilities=Capabilities(tools=False, vision=False, streaming=False))
    parts = CompletionRequest(messages=(ChatMessage.user((TextPart("Capital of France?"),)),))
    for request in (REQUEST, parts):
        assert world.ask(chain_of(plain, ScriptedProvider("b")), "complete", request).provider == "a"


@pytest.mark.parametrize("mode", ["stream", "stream_async"])
def test_fb03_a_provider_that_cannot_stream_is_passed_by(world, mode):
    """A stream goes to a provider that streams."""
    chain = chain_of(ScriptedProvider("a", capabilities=Capabilities(streaming=False)), ScriptedProvider("b"))
    assert world.ask(chain, mode).provider == "b"


def test_fb04_every_cause_is_kept_the_first_one_first(world, mode):
    """The error of a chain has each provider's error; the last one does not hide the cause."""
    chain = chain_of(
        ScriptedProvider("a", down()), ScriptedProvider("b", InvalidRequestError("prefill", status=400)), name="main"
    )
    error = world.fail(chain, mode)
    assert isinstance(error, AllProvidersFailedError)
    assert [(name, type(cause)) for name, cause in error.errors] == [("a", ServerError), ("b", InvalidRequestError)]
    assert str(error) == "`main`: all providers failed\n  a: ServerError: down\n  b: InvalidRequestError: prefill"
    assert error.__cause__ is error.errors[1][1]
    assert [attempt.outcome for attempt in error.attempts] == ["503", "400"]


def test_fb04_a_failure_of_the_only_one_that_was_asked_is_not_wrapped(world, mode):
    """Who was passed by has not failed: what the caller did wrong comes to him as it is."""
    error = InvalidRequestError("no", status=400)
    request = CompletionRequest(messages=REQUEST.messages, tools=(ToolDefinition("f"),))
    unable = ScriptedProvider("a", capabilities=Capabilities(tools=False))
    assert world.fail(chain_of(unable, ScriptedProvider("b", error)), mode, request) is error
    assert error.__cause__ is None


def test_fb05_each_target_is_asked_once(world, mode):
    """A call passes each slot at most once, and one provider cannot be in a chain twice."""
    providers = [ScriptedProvider(name, down()) for name in "abc"]
    world.fail(chain_of(*providers), mode)
    assert [len(provider.requests) for provider in providers] == [1, 1, 1]
    with pytest.raises(ConfigurationError) as error:
        chain_of(providers[1], providers[0], providers[0])
    assert str(error.value) == (
        "chain `fallback-chain` has provider `a` twice; a call would ask it twice for the same failure. "
        "To fix: remove one, or retry with `RetryConfig`"
    )


def test_fb06_never_is_obeyed_in_every_mode(world, mode):
    """A slot that must not hand on does not, in streams neither."""
    error, other = down(), ScriptedProvider("b")
    chain = chain_of(FallbackSlot(provider=ScriptedProvider("a", error), trigger=FallbackTrigger.never()), other)
    assert world.fail(chain, mode) is error
    assert other.requests == []


def test_fb06_never_is_obeyed_when_nobody_can_be_asked(world, mode):
    """A slot that must not hand on does not either when its circuit is open, or when it lacks what is needed."""
    other, never = ScriptedProvider("b"), FallbackTrigger.never()
    slot = FallbackSlot(provider=ScriptedProvider("a", down()), trigger=never)
    chain = chain_of(slot, other, circuit_breaker=CircuitBreakerConfig(failure_threshold=1))
    world.fail(chain, mode)
    error = world.fail(chain, mode)
    assert isinstance(error, AllProvidersFailedError)
    assert [type(cause) for _, cause in error.errors] == [CircuitOpenError]
    request = CompletionRequest(messages=REQUEST.messages, tools=(ToolDefinition("f"),))
    unable = FallbackSlot(provider=ScriptedProvider("a", capabilities=Capabilities(tools=False)), trigger=never)
    assert isinstance(world.fail(chain_of(unable, other), mode, request), NotSupportedError)
    assert other.requests == []
    opened = FallbackSlot(provider=ScriptedProvider("a", limited(9)), trigger=FallbackTrigger.on("rate_limited"))
    chain = FallbackChain([opened, other], retry=None)
    assert [world.ask(chain, mode).provider for _ in range(2)] == ["b", "b"]


@pytest.mark.parametrize("mode", ["stream", "stream_async"])
def test_fb07_a_stream_that_fails_at_its_first_step_falls_back(world, mode):
    """A generator that was merely made is no success."""
    chain = chain_of(ScriptedProvider("a", down()), ScriptedProvider("b", "from b"))
    assert world.ask(chain, mode).provider == "b"
    assert chain.metrics().provider("a").successes == 0


@pytest.mark.parametrize("mode", ["stream", "stream_async"])
def test_fb08_a_truncated_stream_is_no_success(world, mode):
    """A stream that just stops is an error with the text so far, charged as an estimate."""
    chain = chain_of(ScriptedProvider("a", Cut("The capital of")))
    error = world.fail(chain, mode)
    assert isinstance(error, StreamInterruptedError)
    assert (error.kind, error.partial_text) == ("truncated", "The capital of ")
    (attempt,) = error.attempts
    assert (attempt.outcome, attempt.billed) == ("truncated", True)
    assert attempt.usage.source == "estimated"
    assert attempt.usage.output_tokens == 4
    assert chain.metrics().provider("a").successes == 0


def test_fb09_a_content_filter_is_not_routed_around(world, mode):
    """A refused prompt is not tried elsewhere, unless the trigger says so."""
    error = ContentFilteredError("no", status=400)
    other = ScriptedProvider("b", "from b")
    assert world.fail(chain_of(ScriptedProvider("a", error), other), mode) is error
    assert other.requests == []
    opted = FallbackSlot(provider=ScriptedProvider("a", error), trigger=FallbackTrigger.any_error())
    assert world.ask(chain_of(opted, other), mode).provider == "b"


def test_fb10_a_bad_key_is_not_tried_on_its_siblings_and_shows_in_the_metrics(world, mode):
    """Slots that share the refused key are passed by; the count of refused keys makes it visible."""
    sibling = ScriptedProvider("openai", credential="key-1", model="mini")
    other = ScriptedProvider("openai", "ok", credential="key-2", model="other")
    chain = chain_of(ScriptedProvider("openai", refused_key(), credential="key-1"), sibling, other)
    assert world.ask(chain, mode).attempts[-1].credential == "key-2"
    assert sibling.requests == []
    assert chain.metrics().providers[0].auth_failures == 1
    alone = chain_of(ScriptedProvider("openai", refused_key(), credential="key-1"), ScriptedProvider("openai"))
    assert isinstance(world.fail(alone, mode), AuthenticationError)


def test_fb10_without_a_label_the_provider_s_name_stands_for_the_key(world, mode):
    """Where one of two slots does not say which key it has, another provider is taken to have another one."""
    known = ScriptedProvider("openai", "from openai", credential="key-1")
    assert isinstance(world.fail(chain_of(ScriptedProvider("openai", refused_key()), known), mode), AuthenticationError)
    assert world.ask(chain_of(ScriptedProvider("azure", refused_key()), known), mode).content == "from openai"


def test_fb10_a_refused_key_stays_refused_for_the_rest_of_the_call(world, mode):
    """A slot behind the next one is passed by too if its key is the refused one, whatever failed in between."""
    again = ScriptedProvider("a", credential="key-1", model="mini")
    chain = chain_of(
        ScriptedProvider("a", refused_key(), credential="key-1"),
        ScriptedProvider("b", down(), credential="key-2"),
        again,
        ScriptedProvider("c", "from c"),
    )
    assert world.ask(chain, mode).provider == "c"
    assert again.requests == []
    anywhere = FallbackSlot(
        provider=ScriptedProvider("a", refused_key(), credential="key-1"), trigger=FallbackTrigger.any_error()
    )
    assert isinstance(world.fail(chain_of(anywhere, again), mode), AuthenticationError)


def test_fb11_a_fallback_does_not_reset_the_deadline(world, mode):
    """The deadline is the call's: what the first provider took is gone."""
    second = ScriptedProvider("b", Slow(600))
    chain = chain_of(ScriptedProvider("a", Slow(20, down())), second, timeouts=TimeoutConfig(deadline=30))
    assert isinstance(world.fail(chain, mode), DeadlineExceededError)
    assert world.clock.elapsed() == 30.0
    assert second.limits[0].total == 10.0


def test_fb11_a_fallback_does_not_reset_the_cap_on_attempts(world, mode):
    """The cap is the call's: what the first provider used up is gone."""
    single = ScriptedProvider("a", down())
    world.fail(chain_of(single, retry=RetryConfig(max_attempts=3), max_attempts=1), mode)
    assert len(single.requests) == 1
    providers = [ScriptedProvider(name, down()) for name in "abc"]
    chain = chain_of(*providers, retry=RetryConfig(max_attempts=3), max_attempts=4)
    error = world.fail(chain, mode)
    assert [len(provider.requests) for provider in providers] == [3, 1, 0]
    assert len(error.attempts) == 4


def test_fb12_the_primary_is_back_within_the_probe_interval(world, mode):
    """Once the first provider is well, it answers again when its circuit probes it."""
    primary = ScriptedProvider("a", down(), "ok")
    chain = chain_of(
        primary, ScriptedProvider("b"), circuit_breaker=CircuitBreakerConfig(failure_threshold=1, recovery_timeout=10)
    )
    served = []
    for _ in range(4):
        served.append(world.ask(chain, mode).provider)
        world.clock.advance(5)
    assert served == ["b", "b", "a", "a"]
    assert len(world.events(CircuitSkipped)) == 1
    assert [event.cause for event in world.events(FallbackTaken)] == ["503", "circuit_open"]


@pytest.mark.parametrize("mode", ["stream", "stream_async"])
def test_fb13_two_answers_are_never_glued(world, mode):
    """After the first visible word no other provider is asked."""
    other = ScriptedProvider("b", "Another answer")
    chain = chain_of(ScriptedProvider("a", Cut("The capital", ProviderConnectionError("gone"))), other)
    error = world.fail(chain, mode)
    assert isinstance(error, StreamInterruptedError)
    assert (error.kind, error.partial_text, error.visible) == ("dropped", "The capital ", True)
    assert other.requests == []
    for trigger in (FallbackTrigger.any_error(), FallbackTrigger.on("network_error"), FallbackTrigger.default()):
        assert trigger.judge(error) == "no"


def test_fb14_a_fallback_is_charged_and_refused_like_any_attempt(world, mode):
    """Each attempt reserves; a budget that refuses ends the call, without retry and without another provider."""
    budget = Budget(BudgetConfig(max_tokens_per_session=5_000))
    chain = chain_of(ScriptedProvider("a", down()), ScriptedProvider("b"), budget=budget)
    world.ask(chain, mode)
    assert budget.balance().spent_tokens == 12
    budget.reserve(Estimate(4_980, None)).settle()
    third = ScriptedProvider("c")
    error = world.fail(chain_of(third, ScriptedProvider("d"), budget=budget), mode)
    assert isinstance(error, BudgetExceededError)
    assert third.requests == []
    assert budget.balance().reserved_tokens == 0


@pytest.mark.parametrize("mode", ["complete_async", "stream_async"])
def test_u02_nothing_stays_reserved_after_a_cancelled_call(world, mode):
    """A cancelled attempt gives its reservation back, or charges it."""
    budget = Budget(BudgetConfig(max_tokens_per_session=50_000))
    chain = chain_of(ScriptedProvider("a", Slow(600)), budget=budget, timeouts=None)

    async def story():
        call = asyncio.create_task(ask(chain, mode))
        await asyncio.sleep(1)
        held = budget.balance().reserved_tokens
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        return held

    assert world.run(story()) > 0
    assert budget.balance().reserved_tokens == 0


def test_fb15_slots_of_one_quota_cool_down_together(world):
    """A 429 of one deployment is a 429 of its siblings."""
    sibling = ScriptedProvider("openai", model="mini")
    slots = [
        FallbackSlot(provider=ScriptedProvider("openai", limited(20)), quota_group="org"),
        FallbackSlot(provider=sibling, quota_group="org"),
    ]
    chain = FallbackChain([*slots, ScriptedProvider("c")], retry=None)
    assert world.ask(chain).provider == "c"
    assert sibling.requests == []


@pytest.mark.parametrize("mode", ["complete_async", "stream_async"])
def test_fb16_cancelling_does_not_fall_back(world, mode):
    """A call that its caller gave up is over."""
    other = ScriptedProvider("b")
    chain = chain_of(ScriptedProvider("a", Slow(600)), other, timeouts=None)

    async def story():
        call = asyncio.create_task(ask(chain, mode))
        await asyncio.sleep(1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    world.run(story())
    assert other.requests == []
    assert [event.outcome for event in world.events(CallEnded)] == ["cancelled"]
    (attempt,) = [event.attempt for event in world.events(AttemptEnded)]
    assert (attempt.outcome, attempt.error) == ("cancelled", None)


def test_fb17_the_response_names_who_served_it(world, mode):
    """Behind a chain, even a nested one, the response and the trace name the provider that answered."""
    inner = chain_of(ScriptedProvider("b", down()), ScriptedProvider("c", model="m-c"), name="inner")
    response = world.ask(chain_of(ScriptedProvider("a", down()), inner), mode)
    assert response.provider == "c"
    assert [attempt.provider for attempt in response.attempts] == ["a", "b", "c"]
    (ended,) = world.events(CallEnded)
    assert (ended.provider, ended.model, ended.outcome) == ("c", "m-c", "ok")


def test_h04_concurrent_calls_know_who_served_them(world):
    """Each of fifty concurrent answers names the provider that gave it."""
    # Answers of both come between those of the other, so that no name kept in a common place is right by chance.
    first = ScriptedProvider("a", *[step for i in range(25) for step in (Slow(1, down()), Slow(1 + i % 4, "from a"))])
    chain = chain_of(first, ScriptedProvider("b", *[Slow(1 + i % 3, "from b") for i in range(25)]))

    async def story():
        return await asyncio.gather(*(ask(chain) for _ in range(50)))

    answers = world.run(story())
    assert {(answer.content, answer.provider) for answer in answers} == {("from a", "a"), ("from b", "b")}
    assert all(answer.attempts[-1].provider == answer.provider for answer in answers)
    assert len({ended.call for ended in world.events(CallEnded)}) == 50


CASES = {
    FallbackCondition.RATE_LIMITED: limited(),
    FallbackCondition.QUOTA_EXCEEDED: QuotaExceededError("x"),
    FallbackCondition.NETWORK_ERROR: ProviderConnectionError("x"),
    FallbackCondition.AUTH_ERROR: refused_key(),
    FallbackCondition.PROVIDER_UNAVAILABLE: NotSupportedError("x"),
    FallbackCondition.CONTEXT_LENGTH_EXCEEDED: too_long(),
    FallbackCondition.MODEL_NOT_FOUND: ModelNotFoundError("x", status=404),
    FallbackCondition.SERVER_ERROR: down(),
}


@pytest.mark.parametrize("condition", CASES, ids=str)
def test_a_condition_hands_on_its_own_kind_of_failure_only(world, condition):
    """`on(condition)` falls back on that kind and on no other."""
    for kind, error in CASES.items():
        slot = FallbackSlot(provider=ScriptedProvider("a", error), trigger=FallbackTrigger.on(condition))
        chain = chain_of(slot, ScriptedProvider("b"))
        if kind == condition:
            assert world.ask(chain).provider == "b"
        else:
            assert world.fail(chain) is error


def test_mofa_s_trigger_knows_no_server_errors(world):
    """The source system's default hands a 503 to the caller."""
    slot = FallbackSlot(provider=ScriptedProvider("a", down()), trigger=FallbackTrigger.mofa())
    assert isinstance(world.fail(chain_of(slot, ScriptedProvider("b"))), ServerError)


def test_an_unknown_condition_is_refused():
    """A misspelt condition is named, with those that exist."""
    with pytest.raises(ConfigurationError) as error:
        FallbackTrigger.on("rate_limitted")
    assert str(error.value) == (
        "'rate_limitted' is not a valid FallbackCondition. Known conditions: rate_limited, quota_exceeded, "
        "network_error, timeout, auth_error, provider_unavailable, context_length_exceeded, model_not_found, "
        "server_error"
    )
    with pytest.raises(ConfigurationError, match="at least one condition"):
        FallbackTrigger.on()


def test_the_builder_makes_the_same_chain(world):
    """Chained calls set what the arguments set, and nothing follows the last provider."""
    builder = (
        FallbackChain.builder()
        .name("main")
        .with_circuit_breaker(CircuitBreakerConfig(failure_threshold=1))
        .with_retry(None)
        .with_timeouts(None)
        .with_budget(Budget(BudgetConfig()))
        .add(ScriptedProvider("a", down()))
        .add_with_trigger(ScriptedProvider("b", InvalidRequestError("x", status=400)), FallbackTrigger.any_error())
        .add_last(ScriptedProvider("c", "from c"))
    )
    chain = builder.build()
    assert chain.name == "main"
    assert world.ask(chain).content == "from c"
    assert chain.breaker("a").state == "open"
    with pytest.raises(ConfigurationError) as error:
        builder.add(ScriptedProvider("d"))
    assert str(error.value) == (
        "`d` was added after `c`, which was added as the last one.\nTo fix: call `add_last` at the end"
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FallbackChain([]), "chain `fallback-chain` has no providers. To fix: add at least one"),
        (
            lambda: FallbackChain([ScriptedProvider("a")], on_all_open="wait"),
            "on_all_open is `fail` or `try_oldest`, got `wait`",
        ),
        (
            lambda: FallbackChain(["openai"]),
            (
                "'openai' is no provider: a provider has `name`, a text, and `complete(request)` at least.\n"
                "It may have `model`, `capabilities`, `complete_async`, `stream` and `stream_async` too; what it "
                "lacks is made of what it has"
            ),
        ),
    ],
)
def test_wrong_chains_are_refused(make, message):
    """Each mistake is named."""
    with pytest.raises(ConfigurationError) as error:
        make()
    assert str(error.value) == message


def test_metrics_count_what_happened(world, mode):
    """Requests, fallbacks, and what each provider did."""
    chain = FallbackChain(
        [ScriptedProvider("a", down()), ScriptedProvider("b")],
        retry=RetryConfig(max_attempts=2),
        circuit_breaker=CircuitBreakerConfig(failure_threshold=2),
    )
    for _ in range(3):
        world.ask(chain, mode)
    metrics = chain.metrics()
    assert (metrics.requests_total, metrics.failures_total, metrics.fallbacks_total) == (3, 0, 3)
    first, second = metrics.providers
    assert (first.successes, first.failures, first.fallback_failures, first.retries) == (0, 2, 2, 2)
    assert (first.circuit_breaker_skips, first.circuit) == (1, "open")
    assert (second.successes, second.circuit) == (3, "closed")
    with pytest.raises(KeyError, match="c"):
        metrics.provider("c")


def test_metrics_count_bad_keys_and_unreadable_answers_apart(world, mode):
    """Both are failures that no circuit counts, so that a count of their own has to show them."""
    steps = (refused_key(), PermissionDeniedError("no", status=403), InvalidResponseError("?"), down())
    chain = chain_of(ScriptedProvider("a", *steps), refused_key_interval=0)
    for _ in steps:
        world.fail(chain, mode)
    counts = chain.metrics().provider("a")
    assert (counts.failures, counts.auth_failures, counts.malformed) == (4, 2, 1)


def test_a_chain_can_do_what_all_its_providers_can():
    """Capabilities are the intersection."""
    chain = chain_of(
        ScriptedProvider("a", capabilities=Capabilities(tools=False, context_window=10)),
        ScriptedProvider("b", capabilities=Capabilities(vision=False, context_window=20)),
    )
    expected = Capabilities(tools=False, vision=False, streaming=True, context_window=10, is_chain=True)
    assert chain.capabilities == expected


def test_a_bare_provider_has_attempts_too(world):
    """A client of one provider records what it did, in answers and in errors."""
    client = LLMClient(ScriptedProvider("a", "Paris", down()))

    async def story():
        assert client.ask("Capital of France?") == "Paris"
        with pytest.raises(ServerError) as error:
            client.ask_with_system("Be brief.", "Capital of France?")
        return error.value

    error = world.run(story())
    assert [attempt.outcome for attempt in error.attempts] == ["503"]
    assert client.metrics().requests_total == 2
    assert client.count_tokens("Capital of France?") == 5
    assert [event.outcome for event in world.events(CallEnded)] == ["ok", "ServerError"]


def test_the_asynchronous_client_is_the_same(world):
    """The twin has the same names."""
    client = AsyncLLMClient(ScriptedProvider("a", "Paris"))

    async def story():
        assert await client.ask("x") == "Paris"
        assert await client.ask_with_system("x", "y") == "Paris"
        async with client.stream(REQUEST) as stream:
            text = "".join([event.text async for event in stream])
        assert stream.response.attempts[0].outcome == "200"
        with pytest.raises(NotSupportedError):
            await client.list_models()
        return text

    assert world.run(story()) == "Paris "
    assert client.metrics().provider("a").successes == 3


def test_a_stream_left_early_is_given_up(world):
    """Leaving the `with` ends the call: it is charged for what was read, and counts as nobody's failure."""
    budget = Budget(BudgetConfig(max_tokens_per_session=50_000))
    chain = FallbackChain([ScriptedProvider("a", "one two three four")], budget=budget)
    client = LLMClient(chain)

    async def story():
        with client.stream(REQUEST) as stream:
            for event in stream:
                if event.text:
                    break
            with pytest.raises(ConfigurationError) as error:
                _ = stream.response
            return str(error.value)

    assert world.run(story()) == (
        "the stream has not ended, so there is no whole response yet. To fix: read it to its end first"
    )
    assert budget.balance().reserved_tokens == 0
    assert budget.balance().spent_tokens == 10
    assert chain.breaker("a").failures == 0
    assert [event.outcome for event in world.events(CallEnded)] == ["cancelled"]


def test_equal_runs_leave_equal_traces():
    """The same story twice has the same digest."""

    def digest():
        world = World()
        chain = FallbackChain([ScriptedProvider("a", down(), limited(3), down()), ScriptedProvider("b")])
        for mode in ("complete", "stream_async"):
            world.ask(chain, mode)
        return world.trace.digest()

    assert digest() == digest()
