"""llmkit, `failover`: its configuration, its provider, its presets, and its unit tests as acceptance examples."""

import pytest

from llmtest import (
    CompletionRequest,
    FallbackChain,
    FallbackTrigger,
    LLMClient,
    Simulation,
    build_chain,
    errors,
    faults,
)
from llmtest.resilience import FallbackCondition, FallbackSlot

HI = CompletionRequest.ask("hi")
OPENAI_TO_ANTHROPIC = {
    "gpt-4o": "claude-sonnet-4-20250514",
    "gpt-4o-mini": "claude-3-5-haiku-20241022",
    "gpt-4-turbo": "claude-sonnet-4-20250514",
    "o1": "claude-sonnet-4-20250514",
}


@pytest.mark.parametrize(
    ("condition", "error", "matches"),
    [
        pytest.param("rate_limited", errors.RateLimitedError("too many requests"), True, id="rate-limit"),
        pytest.param("rate_limited", errors.ServerError("overloaded", status=503), False, id="not-rate-limit"),
        pytest.param("server_error", errors.ServerError("overloaded", status=503), True, id="server-error"),
        pytest.param("server_error", errors.RateLimitedError("too many requests"), False, id="not-server-error"),
        pytest.param("timeout", errors.ProviderTimeoutError("late"), True, id="timeout"),
        pytest.param("auth_error", errors.AuthenticationError("invalid key"), True, id="auth"),
    ],
)
def test_failover_trigger_matches(condition, error, matches):
    """`test_failover_trigger_matches` of the document."""
    assert FallbackCondition(condition).matches(error) is matches


def test_any_error_matches_every_error():
    """`AnyError` hands a rate limit and a wrong key on."""
    for fault in (faults.RateLimited(), faults.AuthenticationFailed()):
        with Simulation() as sim:
            sim.openai.fails(fault)
            sim.anthropic.replies("Paris")
            slot = FallbackSlot(provider=sim.openai.as_provider("gpt-4o"), trigger=FallbackTrigger.any_error())
            chain = FallbackChain([slot, sim.anthropic.as_provider("claude-opus-5")], retry=None)
            assert LLMClient(chain).ask("hi") == "Paris"


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ("gpt-4o", "claude-sonnet-4-20250514"),
        ("gpt-4o-mini", "claude-3-5-haiku-20241022"),
        ("claude-opus-4-20250514", None),
    ],
)
def test_fallback_model_mapping(asked, sent):
    """A model is asked for by its equivalent; one without an equivalent is not sent where nobody knows it."""
    with Simulation(strict=False) as sim:
        sim.openai.fails(faults.ServerError(500), times=None)
        sim.anthropic.replies("Paris")
        chain = FallbackChain(
            [
                sim.openai.as_provider("gpt-4o"),
                FallbackSlot(provider=sim.anthropic.as_provider("m"), model_mapping=OPENAI_TO_ANTHROPIC),
            ],
            retry=None,
        )
        if sent is None:
            with pytest.raises(errors.LLMTestError):
                chain.complete(HI.with_model(asked))
            assert not sim.anthropic.requests
        else:
            chain.complete(HI.with_model(asked))
            assert sim.anthropic.requests[0].model == sent


@pytest.mark.parametrize("preset", ["openai_to_anthropic", "anthropic_to_openai", "simple_failover"])
def test_presets(preset):
    """The presets of the document as chain files: order, mappings, and the failures that move on."""
    first, second = ("anthropic", "openai") if preset == "anthropic_to_openai" else ("openai", "anthropic")
    mapping = {"openai_to_anthropic": OPENAI_TO_ANTHROPIC, "anthropic_to_openai": {"claude-opus-4-20250514": "gpt-4o"}}
    with Simulation(strict=False) as sim:
        handles = {"openai": sim.openai, "anthropic": sim.anthropic}
        for fault in (faults.RateLimited(), faults.ServerError(503), faults.Timeout(), faults.AuthenticationFailed()):
            handles[first].fails(fault)
        handles[second].replies("Paris", times=None)
        chain = build_chain(
            {
                "retry": None,
                "trigger": {"conditions": ["rate_limited", "server_error", "timeout"]},
                "providers": [
                    {"provider": first},
                    {"provider": second, "model_mapping": mapping.get(preset, {"*": "m"})},
                ],
            },
            {name: handle.as_provider("m-1") for name, handle in handles.items()},
        )
        asked = "claude-opus-4-20250514" if preset == "anthropic_to_openai" else "gpt-4o"
        for _ in range(3):
            assert chain.complete(HI.with_model(asked)).content == "Paris"
        with pytest.raises(errors.AuthenticationError):
            chain.complete(HI.with_model(asked))


def test_failover_config_builder():
    """`test_failover_config_builder`: two fallbacks, three triggers, one more attempt, two retries of the first."""
    with Simulation(strict=False) as sim:
        for name in ("primary", "fallback1", "fallback2"):
            sim.provider(name).fails(faults.RateLimited(), times=None)
        providers = {name: sim.provider(name).as_provider("m") for name in ("primary", "fallback1", "fallback2")}
        chain = build_chain(
            {
                "max_attempts": 4,
                "retry": None,
                "trigger": {"conditions": ["rate_limited", "server_error", "timeout"]},
                "providers": [
                    {"provider": "primary", "retry": {"max_retries": 2}},
                    {"provider": "fallback1"},
                    {"provider": "fallback2"},
                ],
            },
            providers,
        )
        assert [place.name for place in chain.places] == ["primary", "fallback1", "fallback2"]
        with pytest.raises(errors.LLMTestError) as caught:
            chain.complete(HI)
        asked = [attempt.provider for attempt in caught.value.attempts]
    assert asked == ["primary", "primary", "primary", "fallback1"]


@pytest.mark.parametrize("kind", [errors.InvalidRequestError, errors.AuthenticationError])
def test_an_error_that_triggers_nothing_ends_the_call(kind):
    """`should_failover` is false: the error of the primary is the error of the call."""
    fault = faults.InvalidRequest() if kind is errors.InvalidRequestError else faults.AuthenticationFailed()
    with Simulation(strict=False) as sim:
        sim.openai.fails(fault)
        sim.anthropic.replies("Paris")
        slot = FallbackSlot(
            provider=sim.openai.as_provider("gpt-4o"), trigger=FallbackTrigger.on("rate_limited", "server_error")
        )
        chain = FallbackChain([slot, sim.anthropic.as_provider("claude-opus-5")], retry=None)
        with pytest.raises(kind):
            chain.complete(HI)
        assert not sim.anthropic.requests


def test_streams_fail_over_before_their_first_piece():
    """`complete_stream` moves to the fallback when the stream cannot be opened."""
    with Simulation() as sim:
        sim.openai.fails(faults.ServerError(503))
        sim.anthropic.replies("Paris it is")
        chain = FallbackChain(
            [sim.openai.as_provider("gpt-4o"), sim.anthropic.as_provider("claude-opus-5")], retry=None
        )
        with LLMClient(chain).stream(HI) as stream:
            assert "".join(event.text for event in stream) == "Paris it is"
        assert stream.response.provider == "anthropic"


def test_all_providers_failed():
    """When the primary and all fallbacks fail, the error has every attempt."""
    with Simulation() as sim:
        for handle in (sim.openai, sim.anthropic):
            handle.fails(faults.ServerError(500))
        chain = FallbackChain(
            [sim.openai.as_provider("gpt-4o"), sim.anthropic.as_provider("claude-opus-5")], retry=None
        )
        with pytest.raises(errors.AllProvidersFailedError) as caught:
            chain.complete(HI)
    assert len(caught.value.attempts) == 2
