"""Other plugins' event loops: pytest-asyncio, the anyio plugin, and loops that live too long."""

import pytest

ASK = """
import openai
from llmtest import faults

async def ask():
    client = openai.AsyncOpenAI()
    answer = await client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hi"}])
    return answer.choices[0].message.content

async def story(llm_sim):
    llm_sim.openai.fails(faults.RateLimited(retry_after=30), times=2).replies("Paris")
    assert await ask() == "Paris"
    assert llm_sim.clock.elapsed() == 60.0
"""


def test_pytest_asyncio_strict_mode(run_tests):
    """A marked coroutine runs on a virtual loop."""
    result = run_tests(
        """
        import pytest
        from app import story

        @pytest.mark.asyncio
        async def test_it(llm_sim):
            await story(llm_sim)
        """,
        app=ASK,
    )
    result.assert_outcomes(passed=1)


def test_pytest_asyncio_auto_mode(run_tests):
    """In auto mode neither marker nor anything else is needed, and asynchronous fixtures share the virtual loop."""
    result = run_tests(
        """
        import asyncio, pytest
        from app import ask, story

        @pytest.fixture
        async def client(llm_sim):
            await asyncio.sleep(100)
            yield ask
            await asyncio.sleep(100)

        async def test_it(llm_sim):
            await story(llm_sim)

        async def test_fixture(client, llm_sim):
            assert llm_sim.clock.elapsed() == 100.0
            llm_sim.openai.replies("Paris")
            assert await client() == "Paris"

        async def test_without():
            pass
        """,
        ini="asyncio_mode = auto",
        app=ASK,
    )
    result.assert_outcomes(passed=3)


def test_the_anyio_plugin(run_tests):
    """A coroutine under the anyio plugin runs on a virtual loop, its fixtures too."""
    result = run_tests(
        """
        import anyio, pytest
        from app import ask, story

        pytestmark = pytest.mark.anyio

        @pytest.fixture
        def anyio_backend():
            return "asyncio"

        @pytest.fixture
        async def warm(llm_sim):
            await anyio.sleep(100)
            yield
            await anyio.sleep(100)

        async def test_it(llm_sim):
            await story(llm_sim)

        async def test_fixture(warm, llm_sim):
            assert llm_sim.clock.elapsed() == 100.0
        """,
        app=ASK,
    )
    result.assert_outcomes(passed=2)


def test_t13_the_trio_backend_of_anyio_s_plugin_is_virtual(run_tests):
    """Tests and asynchronous fixtures, worker threads, and a test in which nothing can happen any more."""
    result = run_tests(
        """
        import time
        import anyio, anyio.to_thread
        import pytest

        @pytest.fixture
        def anyio_backend():
            return "trio"

        @pytest.fixture
        async def slow_service():
            await anyio.sleep(5)
            yield
            await anyio.sleep(5)

        @pytest.mark.anyio
        async def test_waits(llm_sim, slow_service):
            await anyio.sleep(30)
            await anyio.to_thread.run_sync(time.sleep, 2)
            assert llm_sim.clock.elapsed() == 37.0

        @pytest.mark.anyio
        async def test_hangs(llm_sim):
            await anyio.Event().wait()

        @pytest.mark.anyio
        async def test_waits_again(llm_sim, slow_service):
            time.sleep(1)
            await anyio.sleep(3)
            assert llm_sim.clock.elapsed() == 9.0
        """
    )
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        [
            "E *VirtualTimeStalledError: every task is waiting, and none of them is waiting for time.",
            "E *  task `_run_tests_and_fixtures` awaits Event.wait()  test_it.py:*",
        ]
    )


@pytest.mark.parametrize(
    ("marker", "ini", "setting"),
    [
        pytest.param(
            '@pytest.mark.asyncio(loop_scope="module")', "", '@pytest.mark.asyncio(loop_scope="module")', id="marker"
        ),
        pytest.param(
            "@pytest.mark.asyncio",
            "asyncio_default_test_loop_scope = session",
            "asyncio_default_test_loop_scope = session",
            id="ini",
        ),
    ],
)
def test_a_loop_that_outlives_the_simulation_is_refused(run_tests, marker, ini, setting):
    """A test on a loop of wider scope is told which setting makes it so, and what would fit."""
    scope = "session" if "session" in setting else "module"
    result = run_tests(
        f"""
        import pytest

        {marker}
        async def test_it(llm_sim):
            pass
        """,
        ini=ini,
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            (f"E *: `test_it` runs on a loop of scope `{scope}`, which is made before `llm_sim` and keeps real time."),
            f"E *The scope comes from: {setting}",
            (
                "E *To fix: give it the scope `function`, or use `llm_sim_module` or `llm_sim_session` so that the "
                "simulation lives as long as the loop."
            ),
        ]
    )


def test_a_fixture_on_a_wider_loop_is_refused(run_tests):
    """An asynchronous fixture on a wider loop is named with its setting."""
    result = run_tests(
        """
        import pytest, pytest_asyncio

        @pytest_asyncio.fixture(loop_scope="module")
        async def client():
            return 1

        @pytest.mark.asyncio
        async def test_it(client, llm_sim):
            pass
        """
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "E *SimulationStateError: the fixture `client` runs on a loop of scope `module`, *",
            'E *The scope comes from: @pytest_asyncio.fixture(loop_scope="module")',
        ]
    )


def test_a_module_s_loop_suits_a_module_s_simulation(run_tests):
    """Where loop and simulation have one scope, tests share both."""
    result = run_tests(
        """
        import asyncio, pytest

        pytestmark = pytest.mark.asyncio(loop_scope="module")

        async def test_one(llm_sim_module):
            await asyncio.sleep(100)

        async def test_two(llm_sim_module):
            await asyncio.sleep(100)
            assert llm_sim_module.clock.elapsed() == 200.0
        """
    )
    result.assert_outcomes(passed=2)


def test_a_loop_that_was_there_before_is_refused(run_tests):
    """A module's simulation that comes after its module's loop cannot make that loop virtual, and says so."""
    result = run_tests(
        """
        import asyncio, pytest

        pytestmark = pytest.mark.asyncio(loop_scope="module")

        async def test_one():
            pass

        async def test_two(llm_sim_module):
            await asyncio.sleep(0)
        """
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["E *: `test_two` runs on a loop that was made before `llm_sim_module` and keeps real time."]
    )


def test_a_harness_error_under_the_anyio_plugin_is_told_once(run_tests):
    """Anyio's runner task ends with the error too; nobody hears that its exception "was never retrieved"."""
    result = run_tests(
        """
        import gc
        import sys
        import httpx2
        import pytest

        @pytest.fixture
        def anyio_backend():
            return "asyncio"

        @pytest.mark.anyio
        async def test_asks(llm_sim):
            body = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
            async with httpx2.AsyncClient() as client:
                await client.post("https://api.openai.com/v1/chat/completions", json=body)

        def test_after(caplog):
            sys.last_value = sys.last_exc = sys.last_traceback = None  # pytest keeps the last failure for debuggers
            gc.collect()
            assert caplog.text == ""
        """,
        subprocess=True,
    )
    result.assert_outcomes(failed=1, passed=1)
    assert "never retrieved" not in result.stdout.str() + result.stderr.str()
