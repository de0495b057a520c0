"""Findings on where calls go: each with a client that earns it, and the nearest ones that do not."""

import asyncio
import time
from datetime import timedelta

import aiobreaker
import anthropic
import openai
import purgatory
import pybreaker
import pytest
import tenacity
from purgatory.domain.model import OpenedState

from llmtest import CircuitBreakerConfig, FallbackChain, LLMClient, OpenAIProvider, RetryConfig, faults
from llmtest.conduct import FINDINGS, KINDS
from llmtest.errors import ProviderError
from llmtest.events import BreakerChanged, CallEnded, CallStarted
from llmtest.testing._assert_resilient import check_resilient
from tests.testing.handmade_traces import TraceBuilder

OPENAI = openai.OpenAI(api_key="sk-never-sent", max_retries=0)
ANTHROPIC = anthropic.Anthropic(api_key="sk-never-sent", max_retries=0)

pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")


def ask_openai(text="Hi", model="gpt-4o", **options):
    """Ask openai's SDK once."""
    return OPENAI.chat.completions.create(model=model, messages=[{"role": "user", "content": text}], **options)


def ask_anthropic(text="Hi"):
    """Ask anthropic's SDK once."""
    return ANTHROPIC.messages.create(
        model="claude-sonnet-4-6", max_tokens=50, messages=[{"role": "user", "content": text}]
    )


def complaint(sim, finding, thresholds=None):
    """Return the finding's line of the failed assertion, without its name; None where it is not found."""
    try:
        sim.assert_resilient(ignore=[name for name in FINDINGS if name != finding], thresholds=thresholds)
    except AssertionError as error:
        line = next(line for line in str(error).splitlines() if line.startswith(f"  {finding}  "))
        return line.removeprefix(f"  {finding}  ")
    return None


def refuse_then_ask_anthropic(text="Hi"):
    """Fall back whatever was wrong."""
    try:
        ask_openai(text)
    except openai.APIError:
        ask_anthropic(text)


def test_t11_a_fallback_on_a_client_error(llm_sim):
    """What one provider refuses as wrong is not asked of the next."""
    llm_sim.openai.fails(faults.InvalidRequest())
    llm_sim.anthropic.replies("Hi")
    with llm_sim.call("ask"):
        refuse_then_ask_anthropic()
    assert complaint(llm_sim, "fallback_on_client_error", {"fallback_on_client_error": 2}) is None
    assert complaint(llm_sim, "fallback_on_client_error") == (
        "call 1 asked `anthropic` at 0.000 s what `openai` had refused with 400, as a wrong request. To blame: the app."
    )


@pytest.mark.parametrize(
    "fault",
    [
        faults.ContextLengthExceeded(),
        faults.RequestTooLarge(),
        faults.ContentFiltered(),
        faults.AuthenticationFailed(),
        faults.PermissionDenied(),
        faults.ModelNotFound(),
        faults.QuotaExceeded(),
        faults.ServerError(),
    ],
    ids=str,
)
def test_a_fallback_that_may_help(llm_sim, fault):
    """Room, a key, a model, credit and health are what another may have; refused content may be meant."""
    llm_sim.openai.fails(fault)
    llm_sim.anthropic.replies("Hi")
    with llm_sim.call("ask"):
        refuse_then_ask_anthropic()
    assert complaint(llm_sim, "fallback_on_client_error") is None
    found = complaint(llm_sim, "fallback_on_client_error", {"fallback_on_client_error.refused_content": 1})
    assert (found is not None) == isinstance(fault, faults.ContentFiltered)


def test_a_request_that_was_mended_is_another(llm_sim):
    """A wrong parameter left out, or other words, are no fallback of the same."""
    llm_sim.openai.fails(faults.InvalidRequest(), times=2).replies("Hi")
    llm_sim.anthropic.replies("Hi")
    with llm_sim.call("ask"):
        with pytest.raises(openai.BadRequestError):
            ask_openai(temperature=1.5)
        with pytest.raises(openai.BadRequestError):
            ask_openai(model="gpt-4.1", temperature=1.0)
        ask_anthropic("Something else")
        ask_openai("Hi", model="gpt-4o-mini")
    assert complaint(llm_sim, "fallback_on_client_error") is None


def test_asking_both_is_no_fallback(llm_sim):
    """An app that asks the second whatever the first says does not fall back on it."""
    llm_sim.openai.replies("Hi").fails(faults.InvalidRequest())
    llm_sim.anthropic.replies("Hi", times=2)
    for number in range(2):
        with llm_sim.call(f"compare {number}"):
            refuse_then_ask_anthropic()
            if number == 0:
                ask_anthropic()
    assert complaint(llm_sim, "fallback_on_client_error") is None


def walk(sim, calls, pause=0.0):
    """Begin so many calls at a dead provider."""
    for number in range(calls):
        with sim.call(f"question {number}"):
            refuse_then_ask_anthropic()
        time.sleep(pause)


def test_t11_a_dead_primary_asked_first_in_15_calls(llm_sim):
    """Ten calls in a row are enough to know that a provider is dead."""
    llm_sim.openai.fails(faults.ServerError(503), times=15)
    llm_sim.anthropic.echoes()
    walk(llm_sim, 15, pause=1)
    assert complaint(llm_sim, "dead_provider_walked") == (
        "call 10 began at `openai` at 9.000 s, the last of 10 calls in a row that failed there and were answered "
        "elsewhere, since 0.000 s. To blame: the app."
    )


@pytest.mark.parametrize(
    ("calls", "pause", "fault"),
    [
        pytest.param(9, 1, faults.ServerError(503), id="few"),
        pytest.param(15, 6, faults.ServerError(503), id="now-and-then"),
        pytest.param(15, 1, faults.RateLimited(), id="a-full-quota"),
    ],
)
def test_a_provider_that_may_be_asked_first(llm_sim, calls, pause, fault):
    """A few calls, calls that leave it alone for a while, and calls that meet a limit."""
    llm_sim.openai.fails(fault, times=calls)
    llm_sim.anthropic.echoes()
    walk(llm_sim, calls, pause)
    assert complaint(llm_sim, "dead_provider_walked") is None
    limits = {"dead_provider_walked.calls": 9, "dead_provider_walked.pause": 10}
    assert (complaint(llm_sim, "dead_provider_walked", limits) is None) == (fault == faults.RateLimited())


def test_somebody_who_notices_now_and_then(llm_sim):
    """Calls that leave the dead provider out, and calls that it answers, begin the count anew."""
    llm_sim.openai.fails(faults.ServerError(503), times=9).replies("Hi").fails(faults.ServerError(503), times=18)
    llm_sim.anthropic.echoes()
    walk(llm_sim, 9)
    with llm_sim.call("well again"):
        refuse_then_ask_anthropic()
    walk(llm_sim, 9)
    with llm_sim.call("left out"):
        ask_anthropic()
    walk(llm_sim, 9)
    assert complaint(llm_sim, "dead_provider_walked") is None


def test_calls_at_a_time_know_nothing_of_each_other():
    """Twenty calls that were under way together are one failure, not twenty."""
    builder = TraceBuilder()
    for call in range(1, 21):
        builder.event(CallStarted, call, "ask").attempts("openai:503", call=call)
    for call in range(1, 21):
        builder.attempts("anthropic:200", call=call).event(CallEnded, call, "ask", "ok", None, None, 0)
    assert_no_finding(builder.trace, "dead_provider_walked")


class EmptyWorld:
    """A world that has kept nothing."""

    handles = ()


def assert_no_finding(trace, finding):
    """Judge a trace that was written by hand."""
    check_resilient(trace, EmptyWorld(), [name for name in FINDINGS if name != finding])


def break_off(sim, number, *, falls_back):
    """Read a stream that says nothing."""
    with sim.call(f"stream {number}"):
        try:
            for _ in ask_openai(stream=True):
                pass
        except openai.APIError:
            if not falls_back:
                raise
            ask_anthropic()


def test_no_fallback_after_a_break(llm_sim):
    """An app that falls back after a 503 and not after a stream that died at once."""
    llm_sim.openai.fails(faults.ServerError(503)).fails(faults.StreamDropped(after_chunks=0))
    llm_sim.anthropic.replies("Hi")
    break_off(llm_sim, 1, falls_back=True)
    with pytest.raises(openai.APIError):
        break_off(llm_sim, 2, falls_back=False)
    assert complaint(llm_sim, "no_fallback_after_break") == (
        "call 2 failed with a stream of `openai` that ended before it had said anything, at 0.000 s, and did not ask "
        "`anthropic`, as others do that fail there. To blame: the app."
    )


@pytest.mark.parametrize("words", [0, 3])
def test_a_break_that_may_end_a_call(llm_sim, words):
    """Words that were shown cannot be taken back, and a provider that the app may not know accuses nobody."""
    llm_sim.openai.fails(faults.StreamDropped(after_chunks=words))
    llm_sim.anthropic.echoes()
    if words:
        llm_sim.openai.fails(faults.ServerError(503))
    with pytest.raises(openai.APIError):
        break_off(llm_sim, 1, falls_back=False)
    if words:
        break_off(llm_sim, 2, falls_back=True)
    assert complaint(llm_sim, "no_fallback_after_break") is None


def herd(sim, calls, guarded, refusal):
    """Open a circuit, wait, and let many callers come at once."""
    sim.openai.fails(faults.ServerError(503), times=2).latency(1.0).replies("Hi", times=calls)
    asyncio.run(fail(guarded, 2))
    with pytest.raises(refusal):
        asyncio.run(fail(guarded, 1, raises=True))
    time.sleep(31)

    async def main():
        async def one(number):
            with sim.call(f"question {number}"):
                await guarded()

        await asyncio.gather(*(one(number) for number in range(calls)))

    asyncio.run(main())


async def fail(guarded, times, *, raises=False):
    """Call so often, whatever comes of it."""
    for _ in range(times):
        try:
            await guarded()
        except Exception:
            if raises:
                raise


async def ask_async():
    """Ask openai's asynchronous SDK once."""
    async with openai.AsyncOpenAI(api_key="sk-never-sent", max_retries=0) as client:
        return await client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hi"}])


def aiobreaker_circuit():
    """Return a circuit of aiobreaker, what asks through it, and its refusal."""
    breaker = aiobreaker.CircuitBreaker(fail_max=2, timeout_duration=timedelta(seconds=30))
    return breaker, lambda: breaker.call_async(ask_async), aiobreaker.CircuitBreakerError


def purgatory_circuit():
    """Return a circuit of purgatory."""
    factory = purgatory.AsyncCircuitBreakerFactory(default_threshold=2, default_ttl=30)
    return factory, factory("openai")(ask_async), OpenedState


@pytest.mark.parametrize(
    ("made", "library"), [(aiobreaker_circuit, "aiobreaker"), (purgatory_circuit, "purgatory")], ids=str
)
@pytest.mark.parametrize("calls", [20, 5])
def test_t03_a_herd_through_a_half_open_circuit(llm_sim, made, library, calls):
    """A circuit of another library that lets 20 of 20 through is found out, once it is watched; five are let pass."""
    breaker, guarded, refusal = made()
    llm_sim.watch_breaker(breaker, provider="openai")
    herd(llm_sim, calls, guarded, refusal)
    found = complaint(llm_sim, "half_open_herd")
    assert found == (
        None
        if calls == 5
        else f"the half-open circuit `openai` of {library} let 6 calls through at a time, at {found_at(llm_sim)} s, "
        f"and 5 are enough to try. To blame: {library}."
    )


def found_at(sim):
    """Return when the circuit turned half open."""
    return f"{next(e.at for e in sim.trace.of(BreakerChanged) if e.to_state == 'half_open'):.3f}"


def herd_unwatched(sim):
    """Let a herd through a circuit that nobody watches, after a marked call that was turned away."""
    _, guarded, refusal = aiobreaker_circuit()
    sim.openai.fails(faults.ServerError(503), times=2).latency(1.0).replies("Hi", times=20)

    async def one(number):
        with sim.call(f"question {number}"):
            await guarded()

    for number in range(3):
        with pytest.raises((openai.APIError, refusal)):
            asyncio.run(one(number))
    time.sleep(31)

    async def main():
        await asyncio.gather(*(one(number) for number in range(3, 23)))

    asyncio.run(main())


def test_t03_the_log_alone_shows_a_herd(llm_sim):
    """Calls that were turned away, no answer since, and then twenty at a time: that circuit was half open."""
    herd_unwatched(llm_sim)
    assert complaint(llm_sim, "half_open_herd").startswith(
        "the half-open circuit `openai` let 6 calls through at a time, at 31."
    )
    assert complaint(llm_sim, "half_open_herd", {"half_open_herd": 20}) is None


def test_many_calls_after_failures_are_no_herd(llm_sim):
    """Without a breaker nobody was turned away, and nothing was half open."""
    llm_sim.openai.fails(faults.ServerError(503), times=3).latency(1.0).replies("Hi", times=20)

    async def one(number):
        with llm_sim.call(f"question {number}"):
            await ask_async()

    async def main():
        for number in range(3):
            with pytest.raises(openai.InternalServerError):
                await one(number)
        await asyncio.gather(*(one(number) for number in range(3, 23)))

    asyncio.run(main())
    assert complaint(llm_sim, "half_open_herd") is None


def test_probes_one_after_the_other_are_no_herd(llm_sim):
    """Our own circuit that needs two successes takes them one at a time."""
    llm_sim.openai.fails(faults.ServerError(503)).replies("Hi", times=3)
    config = CircuitBreakerConfig(failure_threshold=1, recovery_timeout=5, half_open_successes=3)
    chain = FallbackChain([OpenAIProvider(model="gpt-4o")], circuit_breaker=config, retry=RetryConfig(max_attempts=1))
    client = LLMClient(chain)
    with pytest.raises(ProviderError):
        client.ask("Hi")
    time.sleep(6)
    for _ in range(3):
        client.ask("Hi")
    llm_sim.assert_breaker("openai", "closed", "open", "half_open", "closed")
    assert complaint(llm_sim, "half_open_herd") is None


def come_back(sim, pauses):
    """Fail together and ask again after these pauses."""
    sim.openai.fails(faults.ServerError(503), times=len(pauses)).echoes()

    async def ask(client, number, pause):
        with sim.call(f"question {number}"):
            for _ in range(2):
                try:
                    await client.chat.completions.create(
                        model="gpt-4o", messages=[{"role": "user", "content": f"Hi {number}"}]
                    )
                    break
                except openai.InternalServerError:
                    await asyncio.sleep(pause)

    async def main():
        async with openai.AsyncOpenAI(api_key="sk-never-sent", max_retries=0) as client:
            await asyncio.gather(*(ask(client, number, pause) for number, pause in enumerate(pauses)))

    asyncio.run(main())


def test_a_backoff_without_jitter(llm_sim):
    """Callers that failed together come back together."""
    come_back(llm_sim, [2.0] * 6)
    assert complaint(llm_sim, "backoff_synchronised") == (
        "6 of 6 calls that had failed at `openai` at 0.000 s asked again at 2.000 s, all at once. To blame: the app."
    )


@pytest.mark.parametrize(
    "pauses",
    [
        pytest.param([2.0] * 4, id="few"),
        pytest.param([1 + number / 7 for number in range(12)], id="spread"),
        pytest.param([2.0] * 5 + [2.5, 3.0, 3.5, 4.0], id="half-of-them"),
        pytest.param([0.0] * 8, id="no-backoff-at-all"),
    ],
)
def test_a_backoff_that_spreads(llm_sim, pauses):
    """A few, and callers that are spread over time, are no crowd; without a pause it is another finding."""
    come_back(llm_sim, pauses)
    assert complaint(llm_sim, "backoff_synchronised") is None
    limits = {"backoff_synchronised.callers": 2, "backoff_synchronised.share": 0.5}
    assert (complaint(llm_sim, "backoff_synchronised", limits) is not None) == (pauses.count(2.0) > 1)


def test_who_is_told_when_to_come_back_may_come_then(llm_sim):
    """A `Retry-After` brings everybody back at one moment, and that is the provider's doing."""
    llm_sim.openai.fails(faults.RateLimited(retry_after=3), times=8).echoes()

    async def main():
        async def ask(client, number):
            with llm_sim.call(f"question {number}"):
                await client.chat.completions.create(
                    model="gpt-4o", messages=[{"role": "user", "content": f"Hi {number}"}]
                )

        async with openai.AsyncOpenAI(api_key="sk-never-sent") as client:
            await asyncio.gather(*(ask(client, number) for number in range(8)))

    asyncio.run(main())
    assert complaint(llm_sim, "backoff_synchronised") is None


def test_a_circuit_in_the_way_is_no_giving_up(llm_sim):
    """A retry that an open circuit turns away has done what it could, whoever's circuit it is."""
    breaker = pybreaker.CircuitBreaker(fail_max=1, throw_new_error_on_trip=False)
    llm_sim.openai.fails(faults.ServerError(503))

    @tenacity.retry(stop=tenacity.stop_after_attempt(3), wait=tenacity.wait_fixed(1), reraise=True)
    def ask():
        return breaker.call(ask_openai)

    with pytest.raises(pybreaker.CircuitBreakerError), llm_sim.call("ask"):
        ask()
    assert complaint(llm_sim, "gave_up") is None


def test_each_finding_says_how_to_mend_it():
    """Each kind has its rule, its advice, whom it blames, and its thresholds in words."""
    for name in ("half_open_herd", "fallback_on_client_error", "no_fallback_after_break", "dead_provider_walked"):
        kind = KINDS[name]
        assert all((kind.rule, kind.fix, kind.blames))
        assert all(threshold.meaning for threshold in kind.thresholds)
