"""Every mistyped name has its nearest right one: attributes, faults, arguments, exceptions given as a fault."""

import anthropic
import httpx
import openai
import pytest

import llmtest
from llmtest import (
    BudgetConfig,
    CircuitBreakerConfig,
    Embedding,
    FallbackChain,
    FallbackTrigger,
    HedgingConfig,
    Json,
    RateLimitConfig,
    Raw,
    Reply,
    ResponseCacheConfig,
    RetryConfig,
    Simulation,
    TimeoutConfig,
    faults,
    use_cassette,
)
from llmtest.errors import ConfigurationError


@pytest.fixture
def sim():
    """A world that does not have to play its script."""
    with Simulation(strict=False) as simulation:
        yield simulation


@pytest.mark.parametrize(
    ("mistyped", "meant"),
    [
        ("opnai", "openai"),
        ("antropic", "anthropic"),
        ("assert_atempts", "assert_attempts"),
        ("provder", "provider"),
        ("clok", "clock"),
    ],
)
def test_t20_a_mistyped_word_of_a_simulation_has_its_nearest(sim, mistyped, meant):
    """Providers, assertions and members alike."""
    with pytest.raises(AttributeError, match=rf"has no attribute `{mistyped}`\. Did you mean `{meant}`\?"):
        getattr(sim, mistyped)


@pytest.mark.parametrize(
    ("mistyped", "meant"),
    [("RateLimit", "RateLimited"), ("Timeuot", "Timeout"), ("StreamDrop", "StreamDropped")],
)
def test_t20_a_mistyped_fault_has_its_nearest(mistyped, meant):
    """The text lists every fault too."""
    with pytest.raises(AttributeError) as caught:
        getattr(faults, mistyped)
    text = f"module 'llmtest.faults' has no attribute '{mistyped}'. Did you mean `{meant}`? Faults: AuthenticationFai"
    assert str(caught.value).startswith(text)


def test_t20_a_name_of_the_package_has_its_nearest():
    """`llmtest.Simulatoin`."""
    with pytest.raises(AttributeError, match=r"has no attribute 'Simulatoin'\. Did you mean `Simulation`\?"):
        llmtest.Simulatoin  # noqa: B018 - reading the attribute is the act


WRONG_ARGUMENTS = {
    "when": (lambda sim: sim.openai.when(prompt_contain="x"), "prompt_contain", "prompt_contains"),
    "replies": (lambda sim: sim.openai.replies("x", time=2), "time", "times"),
    "fails": (lambda sim: sim.openai.fails(faults.Timeout(), optinal=True), "optinal", "optional"),
    "calls_tool": (lambda sim: sim.openai.calls_tool("x", argument={}), "argument", "arguments"),
    "generates": (lambda sim: sim.openai.generates(word=3), "word", "words"),
    "limits": (lambda sim: sim.openai.limits(rpmm=3), "rpmm", "rpm"),
    "latency": (lambda sim: sim.openai.latency(tokens_per_secnd=3), "tokens_per_secnd", "tokens_per_second"),
    "provider": (lambda sim: sim.provider("x", dialekt="openai"), "dialekt", "dialect"),
    "assert_attempts": (lambda sim: sim.assert_attempts("openai", at_mots=3), "at_mots", "at_most"),
    "assert_fallback": (lambda sim: sim.assert_fallback("a", "b", becuase=429), "becuase", "because"),
    "assert_waited": (lambda sim: sim.assert_waited(atleast=3), "atleast", "at_least"),
    "Simulation": (lambda _: Simulation(sede=1), "sede", "seed"),
    "RateLimited": (lambda _: faults.RateLimited(retryafter=3), "retryafter", "retry_after"),
    "ServerError": (lambda _: faults.ServerError(stauts=503), "stauts", "status"),
    "StreamDropped": (lambda _: faults.StreamDropped(afterchunks=1), "afterchunks", "after_chunks"),
    "WireEdit": (lambda _: faults.WireEdit(coment="x"), "coment", "comment"),
    "Reply": (lambda _: Reply("x", finish_reson="stop"), "finish_reson", "finish_reason"),
    "Json": (lambda _: Json({}, sttus=200), "sttus", "status"),
    "Raw": (lambda _: Raw(boddy=b""), "boddy", "body"),
    "FallbackChain": (lambda _: FallbackChain([], retires=3), "retires", "retry"),
    "RetryConfig": (lambda _: RetryConfig(max_atempts=3), "max_atempts", "max_attempts"),
    "CircuitBreakerConfig": (lambda _: CircuitBreakerConfig(treshold=3), "treshold", "failure_threshold"),
    "FallbackTrigger": (lambda _: FallbackTrigger("any", condition=()), "condition", "conditions"),
    "TimeoutConfig": (lambda _: TimeoutConfig(totl=3), "totl", "total"),
    "BudgetConfig": (lambda _: BudgetConfig(max_cost_per_dya="1"), "max_cost_per_dya", "max_cost_per_day"),
    "HedgingConfig": (lambda _: HedgingConfig(dealy=1), "dealy", "delay"),
    "RateLimitConfig": (lambda _: RateLimitConfig(rmp=1), "rmp", "rpm"),
    "ResponseCacheConfig": (lambda _: ResponseCacheConfig(tttl=1), "tttl", "ttl"),
    "use_cassette": (lambda _: use_cassette("x.yaml", modes="once"), "modes", "mode"),
    "Embedding": (lambda _: Embedding(vektor=[1.0]), "vektor", "vector"),
}


@pytest.mark.parametrize(("act", "mistyped", "meant"), WRONG_ARGUMENTS.values(), ids=list(WRONG_ARGUMENTS))
def test_t20_a_mistyped_argument_has_its_nearest(sim, request, act, mistyped, meant):
    """A word's own name, the nearest argument, and all of them."""
    name = request.node.callspec.id
    with pytest.raises(TypeError) as caught:
        act(sim)
    assert str(caught.value).startswith(f"{name}() has no argument `{mistyped}`. Did you mean `{meant}`? Arguments: ")


def test_t20_a_type_error_from_inside_stays_as_it_is(sim):
    """Only what the word itself was called with is told again."""
    with pytest.raises(TypeError, match=r"missing 1 required positional argument"):
        sim.assert_attempts()

    def broken(request):
        raise TypeError("the function itself is wrong")

    with pytest.raises(TypeError, match=r"the function itself is wrong"), sim.call("x"):
        broken(None)


def status_error(library, name, status):
    """Return an SDK's exception as the SDK makes it."""
    response = httpx.Response(status, request=httpx.Request("POST", "https://api.openai.com"))
    return getattr(library, name)("told", response=response, body=None)


MEANT = [
    (openai.RateLimitError, "RateLimited()"),
    (anthropic.RateLimitError, "RateLimited()"),
    (openai.AuthenticationError, "AuthenticationFailed()"),
    (openai.PermissionDeniedError, "PermissionDenied()"),
    (openai.NotFoundError, "ModelNotFound()"),
    (openai.BadRequestError, "InvalidRequest()"),
    (openai.UnprocessableEntityError, "InvalidRequest(status=422)"),
    (openai.ConflictError, "InvalidRequest(status=409)"),
    (openai.InternalServerError, "ServerError(status=500)"),
    (openai.APITimeoutError, "Timeout()"),
    (openai.APIConnectionError, "ConnectionReset()"),
    (httpx.ReadTimeout, "Timeout()"),
    (httpx.ConnectTimeout, 'Timeout(phase="connect")'),
    (httpx.ConnectError, "ConnectionRefused()"),
    (TimeoutError, "Timeout()"),
    (TimeoutError("slow"), "Timeout()"),
    (ConnectionResetError, "ConnectionReset()"),
    (status_error(openai, "InternalServerError", 503), "ServerError(status=503)"),
    (status_error(openai, "RateLimitError", 429), "RateLimited()"),
    (status_error(anthropic, "InternalServerError", 529), "Overloaded()"),
    (faults.RateLimited, "RateLimited()"),
    (faults.StreamDropped, "StreamDropped(after_chunks=2)"),
    (faults.SlowFirstToken, "SlowFirstToken(seconds=20)"),
    (429, "RateLimited()"),
    (503, "ServerError(status=503)"),
    ("429", "RateLimited()"),
    ("rate_limit", "RateLimited()"),
    ("stream dropped", "StreamDropped(after_chunks=2)"),
    (ValueError("x"), "RateLimited(retry_after=30)"),
    (object(), "RateLimited(retry_after=30)"),
]


@pytest.mark.parametrize(("given", "meant"), MEANT)
def test_t20_what_is_given_as_a_fault_has_the_fault_that_was_meant(sim, given, meant):
    """An SDK's exception, its class, a status, a word, a class of a fault; the advice is taken as it stands."""
    with pytest.raises(ConfigurationError) as caught:
        sim.openai.fails(given)
    advice = f"fails(faults.{meant})"
    assert str(caught.value).endswith(f"\n\nTo fix: {advice}")
    eval(f"handle.{advice}", {"handle": sim.openai, "faults": faults})


def test_t20_an_exception_of_an_sdk_among_the_faults_has_what_it_means():
    """`faults.APITimeoutError` is a `Timeout()`."""
    with pytest.raises(AttributeError, match=r"Did you mean `Timeout\(\)`\?"):
        faults.APITimeoutError  # noqa: B018 - reading the attribute is the act


@pytest.mark.parametrize(
    ("given", "advice"),
    [
        ({"city": "Paris"}, 'replies(\'{"city": "Paris"}\')'),
        ({"choices": []}, "replies(Json({'choices': []}))"),
        (["Paris", "Rome"], "replies('Paris', 'Rome')"),
        ([1, 2], "replies('[1, 2]')"),
        (42, 'replies("42")'),
        (b"<html>", "replies(Raw(body=b'<html>'))"),
        (faults.Timeout(), "fails(faults.Timeout(phase='read'))"),
        (TimeoutError(), "fails(faults.Timeout())"),
        (None, 'replies("Paris")'),
    ],
)
def test_t19_what_is_no_reply_has_the_reply_that_was_meant(sim, given, advice):
    """The advice says what was given, in a form that is taken as it stands."""
    with pytest.raises(ConfigurationError) as caught:
        sim.openai.replies(given)
    assert str(caught.value).endswith(f"\n\nTo fix: {advice}")
    eval(f"handle.{advice}", {"handle": sim.openai, "faults": faults, "Json": Json, "Raw": Raw})
