"""`Simulation` without pytest's help: entering, running, marking calls, leaving."""

import asyncio
import datetime as dt
import itertools
import json
import os
import time

import httpx2
import openai
import pytest

import llmtest
from llmtest import CompletionRequest, Simulation, faults
from llmtest.clock._real import REAL
from llmtest.errors import (
    AmbiguousCallError,
    ConfigurationError,
    HarnessError,
    RateLimitedError,
    SimulationStateError,
    UnscriptedRequestError,
    UnusedStepsError,
)
from llmtest.testing._handles import Handles
from llmtest.wire import dialects

REQUEST = CompletionRequest.ask("Capital of France?")


def ask(sim, provider="openai"):
    """Ask a simulated provider directly, without HTTP."""
    return sim.provider(provider).as_provider("gpt-4o").complete(REQUEST)


def test_the_seven_providers_have_a_name():
    """Each known provider is an attribute, the same handle every time; any other is made by name."""
    sim = Simulation()
    for name in ("openai", "anthropic", "azure", "gemini", "ollama", "vllm", "openrouter"):
        assert getattr(sim, name) is sim.provider(name)
    assert sim.provider("mine", dialect="openai", base_url="http://localhost:9999").name == "mine"


def test_time_is_virtual_inside_and_real_outside():
    """Inside the context `time` reads the simulation's clock; afterwards everything is as before."""
    before = time.monotonic
    with Simulation() as sim:
        time.sleep(3600)
        assert sim.clock.elapsed() == 3600.0
        sim.assert_waited(at_least=3600, at_most=3600)
    assert time.monotonic is before


def test_run_and_asyncio_run_are_the_same():
    """Both run a coroutine on the virtual loop, and give its result."""

    async def main():
        await asyncio.sleep(10)
        return "done"

    with Simulation() as sim:
        assert sim.run(main()) == "done"
        assert asyncio.run(main()) == "done"
        assert sim.clock.elapsed() == 20.0


def test_run_needs_a_running_simulation():
    """A simulation that was not entered refuses to run anything, and says how to enter it."""

    async def main():
        """Do nothing."""

    with pytest.raises(SimulationStateError) as caught:
        Simulation().run(main())
    assert str(caught.value) == (
        "`Simulation` is not running, so nothing would answer this coroutine's requests.\n"
        "To fix: call `sim.run(...)` inside `with Simulation() as sim:`."
    )


def test_a_second_world_is_refused():
    """One world runs at a time; the refusal names both, and the first goes on."""
    with Simulation(name="outer") as outer:
        with pytest.raises(SimulationStateError) as caught, Simulation(name="inner"):
            pass
        assert str(caught.value) == (
            "`inner` cannot start inside `outer`: one simulated world runs at a time.\n"
            "To fix: use one of the two, or end the first before the second begins."
        )
        time.sleep(1)
        assert outer.clock.elapsed() == 1.0


def test_a_running_loop_cannot_become_virtual():
    """Entered inside a loop that keeps real time, a simulation says so, and nothing stays installed."""

    async def main():
        with Simulation():
            pass

    with pytest.raises(SimulationStateError) as caught:
        asyncio.run(main())
    assert str(caught.value) == (
        "`Simulation` cannot start inside a running event loop: that loop was made before it and keeps real time.\n"
        "To fix: enter it in synchronous code and run the coroutine with `sim.run(...)` or `asyncio.run(...)`, or use "
        'the fixture `llm_sim`; in a notebook, whose loop always runs, let time be real: `Simulation(time="real")`.'
    )
    with Simulation():
        pass


def test_a_notebook_simulates_in_real_time():
    """Inside a loop that is running already, a simulation in real time answers."""

    async def main():
        with Simulation(time="real") as sim:
            sim.openai.replies("Paris")
            async with httpx2.AsyncClient() as client:
                body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Capital?"}]}
                answer = await client.post(
                    "https://api.openai.com/v1/chat/completions", json=body, headers={"authorization": "Bearer k"}
                )
            return answer.json()["choices"][0]["message"]["content"]

    assert asyncio.run(main()) == "Paris"


def test_a_name_that_is_no_provider_says_how_one_is_made():
    """An unknown name on the simulation is mostly a provider that it does not know."""
    with Simulation(name="llm_sim") as sim, pytest.raises(AttributeError) as caught:
        sim.fireworks.replies("Paris")
    assert str(caught.value) == (
        '`llm_sim` has no attribute `fireworks`. A provider of that name: .provider("fireworks", base_url="https://...").'
    )
    assert not hasattr(Simulation(), "assert_sequense")


def test_a_name_that_a_handle_does_not_have_lists_those_it_has():
    """`reply` for `replies` is a slip of everybody's."""
    with Simulation() as sim, pytest.raises(AttributeError) as caught:
        sim.openai.when(model="gpt-4o").reply("Paris")
    assert str(caught.value) == (
        "a provider's handle has no `reply`. Did you mean `replies`? "
        "It has: calls_tool, calls_tools, echoes, fails, generates, on, replies, when."
    )
    with (
        Simulation() as sim,
        pytest.raises(AttributeError, match=r"It has: as_provider, at, batches, calls_tool, .*, replies"),
    ):
        sim.openai.answers("Paris")


@pytest.mark.parametrize(
    ("handle", "text"),
    [
        (lambda sim: sim.vllm, "llm_sim.vllm"),
        (lambda sim: sim.provider("fireworks"), 'llm_sim.provider("fireworks")'),
    ],
    ids=["vllm", "of-ones-own"],
)
def test_a_provider_without_a_url_is_told_from_one_that_was_not_asked(handle, text):
    """A script behind no URL can never be played, and says so."""
    sim = Simulation()
    with pytest.raises(UnusedStepsError) as caught, sim:
        handle(sim).replies("Paris")
    name = handle(sim).name
    assert str(caught.value).endswith(
        f"\n\nNo URL leads to `{name}`, so that the code under test cannot reach it.\n"
        f'To fix: {text}.at("http://localhost:8000"), with the base URL that the code calls.'
    )


def test_unused_steps_fail_at_the_end():
    """Leaving the context raises for steps that were never played, unless it is not strict."""
    with pytest.raises(UnusedStepsError), Simulation() as sim:
        sim.openai.replies("Paris")
    with Simulation(strict=False) as sim:
        sim.openai.replies("Paris")
    with Simulation() as sim:
        sim.strict = False
        sim.openai.replies("Paris")


def test_unused_steps_are_a_note_on_another_error():
    """An error that leaves steps unplayed keeps its class and gets a note."""
    with pytest.raises(ValueError, match="broken") as caught, Simulation() as sim:  # noqa: PT012 - the end of the context is the act
        sim.openai.replies("Paris")
        raise ValueError("broken")
    assert caught.value.__notes__[0].startswith("`openai` still had 1 of 1 scripted step to play")


def test_a_swallowed_harness_error_is_raised_at_the_end():
    """What the code under test swallowed comes out when the context is left, over any other error."""
    with pytest.raises(UnscriptedRequestError), Simulation() as sim:  # noqa: PT012 - the end of the context is the act
        with pytest.raises(HarnessError):
            ask(sim)
        raise ValueError("a consequence")


def test_several_harness_errors_are_told_together():
    """The first is raised, the others are its notes."""
    with pytest.raises(UnscriptedRequestError) as caught, Simulation() as sim:  # noqa: PT012 - the end of the context is the act
        for provider in ("openai", "anthropic"):
            with pytest.raises(HarnessError):
                ask(sim, provider)
    assert str(caught.value).startswith("`openai` received")
    assert caught.value.__notes__[0].startswith("\nAnd UnscriptedRequestError: `anthropic` received")


def test_a_harness_error_leaves_its_group():
    """A group that holds a harness error is left behind."""
    with pytest.raises(UnscriptedRequestError), Simulation() as sim:  # noqa: PT012 - the end of the context is the act
        try:
            ask(sim)
        except UnscriptedRequestError as error:
            raise BaseExceptionGroup("tasks", [ValueError("other"), error]) from None


def test_marked_calls_are_kept_apart():
    """Calls marked with a label may overlap, and each has its own retries and fallbacks."""
    with Simulation() as sim:
        sim.openai.fails(faults.RateLimited()).replies("two")
        sim.anthropic.replies("one")

        async def call(label, *providers):
            with sim.call(label):
                for name in providers:
                    try:
                        return await sim.provider(name).as_provider("m").complete_async(REQUEST)
                    except RateLimitedError:
                        await asyncio.sleep(1)
            return None

        async def main():
            await asyncio.gather(call("first", "openai", "anthropic"), call("second", "openai"))

        sim.run(main())
        sim.assert_fallback("openai", "anthropic", because=faults.RateLimited)
        sim.assert_retries(at_most=0)
        lines = sim.trace.render().splitlines()
    marks = [line.split()[2:] for line in lines if line.split()[2] == "call"]
    assert marks == [["call", "first"], ["call", "second"]]
    assert sum(" call_end " in line for line in lines) == 2


def test_an_unmarked_overlap_is_ambiguous():
    """Two calls at once that nobody marked cannot be told apart, and are not guessed."""
    with Simulation() as sim:
        sim.openai.latency(1.0).echoes()

        async def main():
            provider = sim.openai.as_provider("m")
            await asyncio.gather(provider.complete_async(REQUEST), provider.complete_async(REQUEST))

        sim.run(main())
        sim.assert_max_in_flight("openai", 2)
        with pytest.raises(AmbiguousCallError):
            sim.assert_retries(at_most=0)


def test_a_failed_call_says_so_in_the_trace():
    """The end of a marked call carries the class of the error that ended it."""
    with Simulation() as sim:
        with pytest.raises(ValueError, match="broken"), sim.call("broken"):
            raise ValueError("broken")
        assert sim.trace.render().splitlines()[-1].split()[2:] == ["call_end", "broken", "ValueError"]


def test_spend_is_asserted_in_dollars():
    """The ledger of the world is what `assert_spend` looks at."""
    with Simulation() as sim:
        sim.openai.replies(llmtest.Reply("Paris", usage=llmtest.Usage(10_000, 2_000)))
        ask(sim)
        sim.assert_spend(at_most="0.045", at_least="0.045")
        with pytest.raises(AssertionError, match=r"assert_spend: \$0\.045 was spent, expected at most \$0\.04\."):
            sim.assert_spend("0.04")


def test_keys_are_dummies_only_where_they_are_missing(monkeypatch):
    """A key the user has stays; a missing one is a dummy inside and missing again outside."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-mine")
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    monkeypatch.delenv("ANTHROPIC_AUTH_TOKEN", raising=False)
    with Simulation():
        assert os.environ["OPENAI_API_KEY"] == "sk-mine"
        assert os.environ["ANTHROPIC_API_KEY"] == "llmtest-dummy-key"
    assert "ANTHROPIC_API_KEY" not in os.environ


def test_real_time_takes_its_time():
    """With `time="real"` nothing about time is replaced, and the clock counts real seconds."""
    before = time.monotonic
    with Simulation(time="real") as sim:
        sim.openai.replies("Paris")
        assert time.monotonic is before
        assert ask(sim).content == "Paris"

        async def main():
            return "ran"

        assert sim.run(main()) == "ran"
        assert 0 < sim.clock.elapsed() < 60


def test_an_unknown_kind_of_time_is_corrected():
    """Time is virtual or real."""
    with pytest.raises(ConfigurationError) as caught:
        Simulation(time="vritual")
    assert str(caught.value) == "time=`vritual` is unknown. Did you mean `virtual`?\nTime is `virtual` or `real`."


def test_one_seed_gives_one_history():
    """Two runs of one seed have the same digest; another seed has another where chance takes part."""

    def digest(seed):
        with Simulation(seed=seed) as sim:
            sim.openai.latency(llmtest.Lognormal(median=0.4, p99=2.0)).echoes()
            ask(sim)
            return sim.trace.digest()

    assert digest(1) == digest(1)
    assert digest(1) != digest(2)


def test_t43_the_first_calls_of_a_new_client_come_in_one_order(monkeypatch):
    """The SDK looks its platform up in a worker thread for each of them, however long each look-up takes."""
    number = itertools.count()

    def get_platform():
        REAL.sleep(0.03 if next(number) % 3 == 0 else 0.0)
        return "Linux"

    monkeypatch.setattr(openai._base_client, "get_platform", get_platform)

    async def main():
        async with openai.AsyncOpenAI() as client:
            calls = [
                client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": f"question {n}"}])
                for n in range(12)
            ]
            await asyncio.gather(*calls)

    with Simulation() as sim:
        sim.openai.echoes()
        asyncio.run(main())
        asked = [json.loads(request.body)["messages"][0]["content"] for request in sim.openai.requests]
    assert asked == [f"question {n}" for n in range(12)]


@pytest.mark.parametrize(
    "start",
    [
        "2027-03-01T23:59",
        "2027-03-02T00:59+01:00",
        dt.datetime(2027, 3, 1, 23, 59),  # noqa: DTZ001 - without a zone it is UTC
        dt.datetime(2027, 3, 1, 23, 59, tzinfo=dt.UTC),
    ],
    ids=str,
)
def test_a_simulation_begins_on_its_date(start):
    """A budget's day, a certificate, a midnight: the first moment can be chosen."""
    with Simulation(start=start) as sim:
        assert dt.datetime.now(dt.UTC) == sim.clock.now() == dt.datetime(2027, 3, 1, 23, 59, tzinfo=dt.UTC)
        time.sleep(60)
        assert dt.datetime.now(dt.UTC).day == 2
        assert sim.clock.elapsed() == 60.0


def test_a_date_alone_is_its_midnight_and_now_is_the_machine_s():
    """Two more ways to say it."""
    with Simulation(start=dt.date(2027, 3, 1)) as sim:
        assert sim.clock.now() == dt.datetime(2027, 3, 1, tzinfo=dt.UTC)
    before = dt.datetime.now(dt.UTC)
    with Simulation(start="now") as sim:
        assert before <= sim.clock.now() <= before + dt.timedelta(minutes=5)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        pytest.param({"start": "soon"}, "start='soon' is no date", id="no-date"),
        pytest.param({"start": 7}, "start=7 is no date", id="no-text"),
        pytest.param({"start": "1969-12-31"}, "cannot begin before 1970", id="too-early"),
        pytest.param({"start": "2027-01-01", "time": "real"}, "the machine's clock has a date of its own", id="real"),
    ],
)
def test_a_start_that_cannot_be_is_refused(arguments, text):
    """Where the simulation is made, with what would do."""
    with pytest.raises(ConfigurationError, match=text) as caught:
        Simulation(**arguments)
    assert "To fix: " in str(caught.value)


def test_every_provider_of_the_registry_is_typed():
    """What editors complete is what there is, and a shell completes it too."""
    known = {each.name for each in dialects().values() if each.is_provider}
    assert set(Handles.__annotations__) == known
    with Simulation() as sim:
        assert known <= set(dir(sim))
        assert {name: getattr(sim, name).name for name in known} == {name: name for name in known}
