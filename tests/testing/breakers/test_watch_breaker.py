"""`watch_breaker`: the circuits of other libraries tell of themselves, in virtual time."""

import asyncio
import functools
import time
import warnings
from datetime import timedelta

import aiobreaker
import circuitbreaker
import openai
import purgatory
import pybreaker
import pytest
from purgatory.domain.model import OpenedState

from llmtest import FallbackChain, OpenAIProvider, Simulation, faults
from llmtest.errors import ConfigurationError, SimulationStateError
from llmtest.events import BreakerChanged, BreakerWatched

MESSAGES = [{"role": "user", "content": "Hi"}]
WHOLE = ("closed", "open", "half_open", "open", "half_open", "closed")

pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")


def ask(text="Hi"):
    """Ask openai's SDK once, without its own retries."""
    messages = [{"role": "user", "content": text}]
    return openai.OpenAI(max_retries=0).chat.completions.create(model="gpt-4o", messages=messages)


async def ask_async(text="Hi"):
    """Ask openai's asynchronous SDK once, without its own retries."""
    messages = [{"role": "user", "content": text}]
    return await openai.AsyncOpenAI(max_retries=0).chat.completions.create(model="gpt-4o", messages=messages)


def tell_the_whole_story(llm_sim, call, refusal):
    """Let a circuit of 2 failures and 30 s open, fail its first probe, and close at its second."""
    llm_sim.openai.fails(faults.ServerError(503), times=3).replies("Hi", times=2)
    for _ in range(2):
        with pytest.raises(Exception):  # noqa: B017, PT011 - some libraries raise their own at the last failure
            call()
    for pause in (0, 29):
        time.sleep(pause)
        with pytest.raises(refusal):
            call()
    time.sleep(2)
    with pytest.raises(Exception):  # noqa: B017, PT011 - as above
        call()
    time.sleep(31)
    call()
    call()


def pybreaker_circuit():
    """Return pybreaker's circuit, what asks through it, and its refusal."""
    breaker = pybreaker.CircuitBreaker(fail_max=2, reset_timeout=30, name="llm")
    return breaker, functools.partial(breaker.call, ask), pybreaker.CircuitBreakerError


def aiobreaker_circuit():
    """Return the same of aiobreaker."""
    breaker = aiobreaker.CircuitBreaker(fail_max=2, timeout_duration=timedelta(seconds=30))
    return breaker, lambda: asyncio.run(breaker.call_async(ask_async)), aiobreaker.CircuitBreakerError


def circuitbreaker_circuit():
    """Return the same of circuitbreaker."""
    breaker = circuitbreaker.CircuitBreaker(failure_threshold=2, recovery_timeout=30, name="llm")
    return breaker, breaker.decorate(ask), circuitbreaker.CircuitBreakerError


def purgatory_circuit():
    """Return the same of purgatory, for synchronous code."""
    factory = purgatory.SyncCircuitBreakerFactory(default_threshold=2, default_ttl=30)
    return factory, factory("llm")(ask), OpenedState


def purgatory_async_circuit():
    """Return the same of purgatory, for asynchronous code."""
    factory = purgatory.AsyncCircuitBreakerFactory(default_threshold=2, default_ttl=30)
    guarded = factory("openai")(ask_async)
    return factory, lambda: asyncio.run(guarded()), OpenedState


CIRCUITS = [
    pytest.param(pybreaker_circuit, "pybreaker", id="pybreaker"),
    pytest.param(aiobreaker_circuit, "aiobreaker", id="aiobreaker"),
    pytest.param(circuitbreaker_circuit, "circuitbreaker", id="circuitbreaker"),
    pytest.param(purgatory_circuit, "purgatory", id="purgatory"),
    pytest.param(purgatory_async_circuit, "purgatory", id="purgatory-async"),
]


@pytest.mark.parametrize(("made", "library"), CIRCUITS)
def test_a_watched_circuit_tells_its_whole_story(llm_sim, made, library):
    """Every change is an event at the virtual time at which it happened, whatever the library."""
    breaker, call, refusal = made()
    llm_sim.watch_breaker(breaker, provider="openai")
    tell_the_whole_story(llm_sim, call, refusal)
    llm_sim.assert_breaker("openai", *WHOLE)
    assert [event.library for event in llm_sim.trace.of(BreakerWatched)] == [library]
    changes = llm_sim.trace.of(BreakerChanged)
    assert [(change.at, change.to_state, change.cause) for change in changes] == [
        (0.0, "open", "failures"),
        (31.0, "half_open", "recovery_timeout"),
        (31.0, "open", "probe_failed"),
        (62.0, "half_open", "recovery_timeout"),
        (62.0, "closed", "probes_succeeded"),
    ]
    opened, _, reopened, _, closed = changes
    assert (opened.count, opened.outcome, opened.error_class) == (2, "503", "InternalServerError")
    assert (opened.open_for, reopened.open_for, closed.open_for) == (30.0, 30.0, None)
    assert (reopened.count, reopened.outcome, closed.count) == (None, "503", 1)


@pytest.mark.parametrize(("made", "library"), CIRCUITS)
def test_a_breaker_is_left_as_it_was_found(made, library):
    """After the simulation nothing of ours is in the library's object."""
    breaker, call, refusal = made()
    kind, before = type(breaker), dict(vars(breaker))
    listeners = getattr(breaker, "listeners", ())
    with Simulation() as sim:
        sim.watch_breaker(breaker, provider="openai")
        sim.openai.replies("Hi")
        call()
    assert type(breaker) is kind
    assert set(vars(breaker)) == set(before)
    assert getattr(breaker, "listeners", ()) == listeners
    with Simulation() as sim:
        tell_the_whole_story(sim, call, refusal)
        assert sim.trace.of(BreakerChanged) == []
    assert library


def decorated_by_pybreaker():
    """Return a function that pybreaker decorates, and its refusal."""
    return pybreaker.CircuitBreaker(fail_max=2, reset_timeout=30)(ask), pybreaker.CircuitBreakerError


def decorated_by_aiobreaker():
    """Return a function that aiobreaker decorates."""
    return aiobreaker.CircuitBreaker(2, timedelta(seconds=30))(ask), aiobreaker.CircuitBreakerError


def decorated_by_circuitbreaker():
    """Return a function that circuitbreaker decorates."""
    return circuitbreaker.circuit(failure_threshold=2, recovery_timeout=30)(ask), circuitbreaker.CircuitBreakerError


def decorated_by_purgatory():
    """Return a function that purgatory decorates."""
    return purgatory.SyncCircuitBreakerFactory(2, 30)("llm")(ask), OpenedState


@pytest.mark.parametrize(
    "decorated", [decorated_by_pybreaker, decorated_by_aiobreaker, decorated_by_circuitbreaker, decorated_by_purgatory]
)
def test_a_decorated_function_is_watched(llm_sim, decorated):
    """The breaker is found in what its decorator returns; the only provider there is is the one."""
    assert llm_sim.openai.name == "openai"
    call, refusal = decorated()
    llm_sim.watch_breaker(call)
    tell_the_whole_story(llm_sim, call, refusal)
    llm_sim.assert_breaker("openai", *WHOLE)


def test_a_breaker_of_purgatory_that_is_held_already(llm_sim):
    """What `get_breaker` returns is watched as well, by its circuit's name."""
    assert {llm_sim.openai.name, llm_sim.anthropic.name} == {"openai", "anthropic"}
    breaker = purgatory.SyncCircuitBreakerFactory(2, 30).get_breaker("openai")

    def call():
        with breaker:
            return ask()

    llm_sim.watch_breaker(breaker)
    tell_the_whole_story(llm_sim, call, OpenedState)
    llm_sim.assert_breaker("openai", *WHOLE)


def test_the_circuits_of_a_factory_are_told_apart(llm_sim):
    """A circuit that is named after a provider is that provider's, and any other is told by its own name."""
    llm_sim.openai.fails(faults.ServerError(503), times=None)
    assert llm_sim.anthropic.name == "anthropic"
    factory = purgatory.SyncCircuitBreakerFactory(default_threshold=1)
    llm_sim.watch_breaker(factory)
    for circuit in ("openai", "spare"):
        with pytest.raises(openai.InternalServerError):
            factory(circuit)(ask)()
    llm_sim.assert_breaker("openai", "closed", "open")
    llm_sim.assert_breaker("spare", "closed", "open")
    factory.get_breaker("anthropic")
    llm_sim.assert_breaker("anthropic", "closed")


def test_a_circuit_that_was_open_before(llm_sim):
    """The story begins with the state in which the circuit was found."""
    breaker = pybreaker.CircuitBreaker(fail_max=1)
    breaker.open()
    llm_sim.watch_breaker(breaker, provider="openai")
    llm_sim.assert_breaker("openai", "open")
    breaker.close()
    llm_sim.assert_breaker("openai", "open", "closed")
    assert "open -> closed: reset" in llm_sim.trace.render()


def test_each_model_has_its_own_circuit(llm_sim):
    """Two breakers of one provider are told apart by model."""
    large, small = pybreaker.CircuitBreaker(fail_max=1), pybreaker.CircuitBreaker(fail_max=1)
    llm_sim.watch_breaker(large, provider="openai/gpt-4o")
    llm_sim.watch_breaker(large, provider="openai/gpt-4o")  # Once is enough.
    llm_sim.watch_breaker(small, provider="openai/gpt-4o-mini")
    large.open()
    llm_sim.assert_breaker("openai/gpt-4o", "closed", "open")
    llm_sim.assert_breaker("openai/gpt-4o-mini", "closed")


def test_two_breakers_cannot_be_one_circuit(llm_sim):
    """Their stories would be mixed, so the second is refused, with the way out."""
    llm_sim.watch_breaker(pybreaker.CircuitBreaker(), provider="openai")
    with pytest.raises(ConfigurationError) as caught:
        llm_sim.watch_breaker(pybreaker.CircuitBreaker(), provider="openai")
    assert str(caught.value) == (
        "watch_breaker: the circuit of `openai` is told by another breaker already.\n"
        "To fix: say whose circuit each of them is, with the model where each model has its own:\n"
        '  llm_sim.watch_breaker(breaker, provider="openai/the-model")'
    )
    llm_sim.watch_breaker(pybreaker.CircuitBreaker(), provider="openai/the-model")


def test_whose_circuit_it_is_has_to_be_known(llm_sim):
    """With several providers and a name that is none of theirs, the provider has to be named."""
    assert {llm_sim.openai.name, llm_sim.anthropic.name} == {"openai", "anthropic"}
    with pytest.raises(ConfigurationError) as caught:
        llm_sim.watch_breaker(pybreaker.CircuitBreaker(name="llm"))
    assert str(caught.value) == (
        "watch_breaker cannot tell whose circuit this pybreaker breaker is, which is called `llm`.\n"
        "To fix: name the provider, or `provider/model`:\n"
        '  llm_sim.watch_breaker(breaker, provider="...")'
    )


def test_an_unknown_object_is_refused(llm_sim):
    """One clear error names what can be watched."""
    with pytest.raises(ConfigurationError) as caught:
        llm_sim.watch_breaker(ask)
    assert str(caught.value) == (
        f"watch_breaker cannot read this function `ask` of `{__name__}`.\n"
        "\n"
        "What can be watched:\n"
        "  pybreaker       CircuitBreaker\n"
        "  aiobreaker      CircuitBreaker\n"
        "  circuitbreaker  CircuitBreaker\n"
        "  purgatory       SyncCircuitBreakerFactory, AsyncCircuitBreakerFactory, what their get_breaker(...) returns\n"
        "  tenacity        Retrying, AsyncRetrying\n"
        "  stamina         RetryingCaller, AsyncRetryingCaller\n"
        "  and any function that one of them decorates\n"
        "\n"
        "To fix: hand over the breaker itself, or mark each call with `llm_sim.call(...)`, so that `assert_breaker` "
        "can infer its states from calls that were made and calls that were not."
    )
    with pytest.raises(ConfigurationError, match=r"^watch_breaker cannot read this `object` of `builtins`"):
        llm_sim.watch_breaker(object())


def test_our_own_layer_needs_no_watching(llm_sim):
    """A chain of ours tells by itself, and the error says so."""
    chain = FallbackChain([OpenAIProvider(model="gpt-4o")])
    with pytest.raises(ConfigurationError) as caught:
        llm_sim.watch_breaker(chain)
    assert str(caught.value) == (
        "watch_breaker: a `FallbackChain` of llmtest tells of its circuits by itself.\n"
        "To fix: leave this line out; `assert_breaker` knows their states."
    )


def test_nothing_is_watched_outside_a_simulation():
    """A simulation that does not run has no clock to tell by."""
    with pytest.raises(SimulationStateError) as caught:
        Simulation().watch_breaker(pybreaker.CircuitBreaker())
    assert str(caught.value) == (
        "`Simulation` is not running, so no breaker can be watched.\n"
        "To fix: call `sim.watch_breaker(...)` inside `with Simulation() as sim:`."
    )


def test_a_reset_begins_the_story_anew(llm_sim):
    """The new trace begins with the state of the moment."""
    breaker = pybreaker.CircuitBreaker(fail_max=1)
    llm_sim.watch_breaker(breaker, provider="openai")
    breaker.open()
    llm_sim.reset()
    breaker.half_open()
    llm_sim.assert_breaker("openai", "open", "half_open")


def test_the_changes_of_a_marked_call_are_that_call_s(llm_sim):
    """A change belongs to the call that caused it, and the table says what it was."""
    llm_sim.openai.fails(faults.ServerError(503))
    breaker = pybreaker.CircuitBreaker(fail_max=1, name="llm")
    llm_sim.watch_breaker(breaker, provider="openai")
    with pytest.raises(pybreaker.CircuitBreakerError), llm_sim.call("ask"):
        breaker.call(ask)
    (change,) = llm_sim.trace.of(BreakerChanged)
    assert change.call == 1
    text = llm_sim.trace.render()
    assert "breaker_watched  openai         closed: a circuit `llm` of pybreaker" in text
    assert "breaker          openai         closed -> open: 1 consecutive failures, the last: 503" in text


def test_the_same_run_twice_tells_the_same():
    """Watching adds nothing that differs from run to run."""

    def run():
        with Simulation() as sim:
            breaker, call, refusal = purgatory_async_circuit()
            sim.watch_breaker(breaker, provider="openai")
            tell_the_whole_story(sim, call, refusal)
            return sim.trace.digest()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert run() == run()
