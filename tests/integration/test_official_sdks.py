"""The official SDKs, sync and async, streamed and not, against the simulated providers, in virtual time."""

import time

import anthropic
import openai
import pytest

from llmtest import Simulation, faults
from tests.integration.sdk_calls import ANTHROPIC_CALLS, CALLS, OPENAI_CALLS, openai_sync

every_call = pytest.mark.parametrize(("provider", "ask"), CALLS, ids=[call.__name__ for _, call in CALLS])


@every_call
def test_a_scripted_answer_arrives(llm_sim, provider, ask):
    """The text of a script is what the SDK hands to the application, and no time passes."""
    llm_sim.provider(provider).replies("Paris")
    assert ask() == "Paris"
    llm_sim.assert_sequence(f"{provider}:200")
    assert llm_sim.clock.elapsed() == 0.0


@every_call
def test_two_rate_limits_cost_exactly_their_retry_after(llm_sim, provider, ask):
    """Two 429 with Retry-After 30 and then an answer take 60 virtual seconds, and hardly any real ones."""
    llm_sim.provider(provider).fails(faults.RateLimited(retry_after=30), times=2).replies("Paris")
    started = time.process_time()
    assert ask() == "Paris"
    assert time.process_time() - started < 2.0  # CPU time, which no clock of the simulation replaces
    llm_sim.assert_sequence(f"{provider}:429", f"{provider}:429", f"{provider}:200")
    llm_sim.assert_retries(exactly=2)
    assert llm_sim.clock.elapsed() == 60.0


@every_call
def test_the_sdk_s_own_timeout_runs_in_virtual_time(llm_sim, provider, ask):
    """A provider that never answers is given up by the SDK's own limit, three times with its own pauses between."""
    llm_sim.provider(provider).fails(faults.Timeout(), times=3)
    module = {"openai": openai, "anthropic": anthropic}[provider]
    with pytest.raises(module.APITimeoutError):
        ask(timeout=20.0)
    llm_sim.assert_sequence(*[f"{provider}:timeout"] * 3)
    llm_sim.assert_waited(at_least=60.0, at_most=75.0)


@every_call
def test_the_sdk_s_own_backoff_runs_in_virtual_time(llm_sim, provider, ask):
    """Without a Retry-After the SDK backs off by its own formula, in virtual time."""
    llm_sim.provider(provider).fails(faults.ServerError(), times=2).replies("Paris")
    assert ask() == "Paris"
    llm_sim.assert_sequence(f"{provider}:500", f"{provider}:500", f"{provider}:200")
    llm_sim.assert_waited(at_least=0.5, at_most=10.0)


@every_call
def test_the_sdk_s_jitter_repeats(provider, ask):
    """The global `random` is seeded, so that the SDK's jittered pauses are the same in every run of one seed."""
    waits = []
    for seed in (1, 1, 2):
        with Simulation(seed=seed) as sim:
            sim.provider(provider).fails(faults.ServerError(), times=2).replies("Paris")
            ask()
            waits.append(sim.clock.elapsed())
    assert waits[0] == waits[1]
    assert waits[0] != waits[2]


ERRORS = [
    pytest.param(faults.InvalidRequest(), "BadRequestError", "BadRequestError", 1, 1, id="400"),
    pytest.param(faults.ContextLengthExceeded(), "BadRequestError", "BadRequestError", 1, 1, id="context-length"),
    pytest.param(faults.AuthenticationFailed(), "AuthenticationError", "AuthenticationError", 1, 1, id="401"),
    pytest.param(faults.PermissionDenied(), "PermissionDeniedError", "PermissionDeniedError", 1, 1, id="403"),
    pytest.param(faults.ModelNotFound(), "NotFoundError", "NotFoundError", 1, 1, id="404"),
    pytest.param(faults.QuotaExceeded(status=402), "APIStatusError", "PaymentRequiredError", 1, 1, id="402"),
    pytest.param(faults.Timeout(phase="server"), "APIStatusError", "RequestTimeoutError", 3, 3, id="408"),
    pytest.param(faults.InvalidRequest(status=409), "ConflictError", "ConflictError", 3, 3, id="409"),
    pytest.param(
        faults.InvalidRequest(status=422), "UnprocessableEntityError", "UnprocessableEntityError", 1, 1, id="422"
    ),
    pytest.param(faults.RequestTooLarge(), "APIStatusError", "ContentTooLargeError", 1, 1, id="413"),
    pytest.param(faults.RateLimited(), "RateLimitError", "RateLimitError", 3, 3, id="429"),
    pytest.param(faults.ServerError(), "InternalServerError", "InternalServerError", 3, 3, id="500"),
    pytest.param(faults.ServerError(status=502), "InternalServerError", "InternalServerError", 3, 3, id="502"),
    pytest.param(faults.ServerError(status=503), "InternalServerError", "ServiceUnavailableError", 3, 3, id="503"),
    pytest.param(faults.ServerError(status=504), "InternalServerError", "GatewayTimeoutError", 3, 3, id="504"),
    pytest.param(faults.ConnectionReset(), "APIConnectionError", "APIConnectionError", 3, 3, id="reset"),
    pytest.param(faults.ConnectionClosed(), "APIConnectionError", "APIConnectionError", 3, 3, id="closed"),
    pytest.param(faults.ConnectionRefused(), "APIConnectionError", "APIConnectionError", 3, 3, id="refused"),
    pytest.param(faults.Timeout(), "APITimeoutError", "APITimeoutError", 3, 3, id="read-timeout"),
    pytest.param(faults.Timeout(phase="connect"), "APITimeoutError", "APITimeoutError", 3, 3, id="connect-timeout"),
]


@pytest.mark.parametrize("ask", OPENAI_CALLS, ids=lambda call: call.__name__)
@pytest.mark.parametrize(("fault", "openai_class", "anthropic_class", "attempts", "anthropic_attempts"), ERRORS)
def test_openai_raises_its_own_class(llm_sim, ask, fault, openai_class, anthropic_class, attempts, anthropic_attempts):
    """Each fault reaches the application as the class openai's SDK raises for it, after as many attempts."""
    llm_sim.openai.fails(fault, times=None)
    with pytest.raises(openai.APIError) as caught:
        ask()
    assert type(caught.value).__name__ == openai_class
    llm_sim.assert_attempts("openai", attempts)


@pytest.mark.parametrize("ask", ANTHROPIC_CALLS, ids=lambda call: call.__name__)
@pytest.mark.parametrize(("fault", "openai_class", "anthropic_class", "openai_attempts", "attempts"), ERRORS)
def test_anthropic_raises_its_own_class(llm_sim, ask, fault, openai_class, anthropic_class, openai_attempts, attempts):
    """Each fault reaches the application as the class anthropic's SDK raises for it, after as many attempts."""
    llm_sim.anthropic.fails(fault, times=None)
    with pytest.raises(anthropic.APIError) as caught:
        ask()
    assert type(caught.value).__name__ == anthropic_class
    llm_sim.assert_attempts("anthropic", attempts)


def test_a_client_s_key_and_base_url_need_not_be_real(llm_sim):
    """A missing key is a dummy for the duration, and a base URL of the user's own can be registered."""
    llm_sim.provider("proxy", dialect="openai", base_url="https://llm.example.com/v1").replies("Paris")
    assert openai_sync(base_url="https://llm.example.com/v1") == "Paris"
    llm_sim.assert_sequence("proxy/gpt-4o:200")
