"""What each kind of failure means: how often it is retried, who is asked instead, and whether a circuit counts it."""

import asyncio
from contextlib import suppress
from decimal import Decimal

import pytest

from llmtest.errors import (
    AllProvidersFailedError,
    BudgetExceededError,
    CircuitOpenError,
    ConfigurationError,
    ContentFilteredError,
    ContextLengthExceededError,
    DeadlineExceededError,
    EmptyResponseError,
    InvalidRequestError,
    InvalidResponseError,
    LLMTestError,
    ModelNotFoundError,
    NotSupportedError,
    OverloadedError,
    PermissionDeniedError,
    ProviderConnectionError,
    ProviderError,
    ProviderTimeoutError,
    QuotaExceededError,
    RequestTooLargeError,
    ServerError,
    SessionExpiredError,
    SessionRenewalFailedError,
    StreamInterruptedError,
)
from llmtest.events import AttemptEnded
from llmtest.resilience import FallbackChain, FallbackSlot, FallbackTrigger, RetryConfig
from llmtest.types import Capabilities
from tests.resilience.scripted_provider import ScriptedProvider, down, limited, refused_key


def shown():
    """Return the error of a stream that broke after its reader had seen some of it."""
    error = StreamInterruptedError("cut")
    error.visible = True
    return error


def no_money():
    """Return a budget's refusal."""
    zero = Decimal(0)
    return BudgetExceededError(scope="day", unit="usd", limit=zero, spent=zero, reserved=zero, requested=Decimal(1))


TABLE = [
    # error, requests to the provider of at most four, who may be asked instead, failures that its circuit counts
    (limited(), 4, "any", 0),
    (OverloadedError("busy", status=529), 4, "any", 1),
    (down(500), 4, "any", 1),
    (down(502), 4, "any", 1),
    (ProviderConnectionError("reset"), 4, "any", 1),
    (ProviderTimeoutError("late"), 2, "any", 1),
    (StreamInterruptedError("cut before the first word"), 4, "any", 1),
    (shown(), 1, "nobody", 1),
    (InvalidResponseError("?"), 1, "any", 0),
    (EmptyResponseError("nothing"), 1, "any", 0),
    (refused_key(), 1, "other key", 0),
    (SessionExpiredError("over", status=401), 1, "other key", 1),
    (SessionRenewalFailedError("not now"), 4, "any", 1),
    (PermissionDeniedError("no", status=403), 1, "other key", 0),
    (QuotaExceededError("no credit", status=402), 1, "other key", 0),
    (ContextLengthExceededError("long", status=400), 1, "larger window", 0),
    (ContentFilteredError("no", status=400), 1, "nobody", 0),
    (InvalidRequestError("no", status=400), 1, "nobody", 0),
    (InvalidRequestError("no", status=422), 1, "nobody", 0),
    (RequestTooLargeError("no", status=413), 1, "nobody", 0),
    (ModelNotFoundError("?", status=404), 1, "any", 0),
    (NotSupportedError("no"), 1, "any", 0),
    (CircuitOpenError("theirs", retry_after=9.0), 1, "any", 0),
    (no_money(), 1, "nobody", 0),
    (DeadlineExceededError(deadline=1.0, needed=2.0), 1, "nobody", 0),
    (ConfigurationError("wrong"), 1, "nobody", 0),
    (ProviderError("something new", status=418), 1, "any", 1),
    (AllProvidersFailedError("theirs", [("x", down()), ("y", refused_key())]), 4, "any", 1),
    (AllProvidersFailedError("theirs", [("x", InvalidRequestError("no")), ("y", refused_key())]), 1, "any", 0),
]
OTHERS = {
    "any": {"credential": "key-1", "capabilities": Capabilities(context_window=10)},
    "other key": {"credential": "key-2", "capabilities": Capabilities(context_window=10)},
    "larger window": {"credential": "key-1", "capabilities": Capabilities(context_window=200_000)},
}


@pytest.mark.parametrize(("error", "requests", "instead", "counted"), TABLE, ids=lambda value: type(value).__name__)
def test_the_table_of_conduct_is_kept(world, error, requests, instead, counted):
    """Retries, fallback and circuit are three questions, each answered as the table says."""
    helped = []
    for kind, settings in OTHERS.items():
        first = ScriptedProvider(
            "a", error, model="own", credential="key-1", capabilities=Capabilities(context_window=1_000)
        )
        # The last place is asked whatever an estimate says, so that the narrow window does not matter here.
        chain = FallbackChain(
            [first, ScriptedProvider("a", "from b", **settings)], retry=RetryConfig(max_attempts=4, base_delay=0)
        )
        with suppress(LLMTestError):
            assert world.ask(chain).content == "from b"
            helped.append(kind)
        assert len(first.requests) == requests
        assert (chain.breaker("a/own").failures, chain.breaker("a/own").state) == (counted, "closed")
    expected = {"any": list(OTHERS), "other key": ["other key"], "larger window": ["larger window"], "nobody": []}
    assert helped == expected[instead]


WORDS = [
    (limited(), "429"),
    (down(), "503"),
    (ServerError("inside an answer", status=200), "error"),
    (InvalidResponseError("?", status=502), "malformed"),
    (EmptyResponseError("nothing"), "malformed"),
    (StreamInterruptedError("cut", status=503), "dropped"),
    (ProviderTimeoutError("late"), "timeout"),
    (NotSupportedError("no"), "error"),
    (CircuitOpenError("theirs", retry_after=9.0), "circuit_open"),
    (ZeroDivisionError("bug"), "error"),
]


@pytest.mark.parametrize(("error", "word"), WORDS, ids=lambda value: type(value).__name__)
def test_a_trace_knows_each_failure_by_a_word(world, mode, error, word):
    """The status where the provider refused, else one word for what became of the attempt."""
    world.fail(FallbackChain([ScriptedProvider("a", error)], retry=None), mode)
    assert [event.attempt.outcome for event in world.events(AttemptEnded)] == [word]


@pytest.mark.parametrize(
    "error",
    [shown(), no_money(), DeadlineExceededError(deadline=1.0, needed=2.0), ConfigurationError("wrong")],
    ids=repr,
)
def test_four_things_fall_back_with_no_trigger(world, error):
    """A shown stream, a budget, a deadline and a wrong setting are the caller's, although the trigger is any error."""
    slot = FallbackSlot(provider=ScriptedProvider("a", error), trigger=FallbackTrigger.any_error())
    assert world.fail(FallbackChain([slot, ScriptedProvider("b")])) is error


@pytest.mark.parametrize(
    ("trigger", "error", "elsewhere"),
    [
        (FallbackTrigger.never(), down(), "no"),
        (FallbackTrigger.never(), CircuitOpenError("a", retry_after=1.0), "no"),
        (FallbackTrigger.on("timeout"), CircuitOpenError("a", retry_after=1.0), "yes"),
        (FallbackTrigger.on("timeout"), down(), "no"),
        (FallbackTrigger.on("timeout", "server_error"), down(), "yes"),
        (FallbackTrigger.on("timeout", "server_error"), ProviderTimeoutError("late"), "yes"),
        (FallbackTrigger.on("auth_error"), refused_key(), "yes"),
        (FallbackTrigger.any_error(), InvalidRequestError("no", status=400), "yes"),
        (FallbackTrigger.default(), refused_key(), "other_credential"),
    ],
)
def test_a_trigger_judges_one_failure(trigger, error, elsewhere):
    """Any of several conditions is enough, an open circuit is passed by, and `never` means never."""
    assert trigger.judge(error) == elsewhere


def test_a_cancelled_call_means_nothing():
    """No trigger takes a cancellation elsewhere."""
    for trigger in (FallbackTrigger.any_error(), FallbackTrigger.default()):
        assert trigger.judge(asyncio.CancelledError()) == "no"
