"""Harness errors where nobody looks any more: after the test, in finalisers, in forked processes, under `xfail`."""

import textwrap

import pytest

APP = """
import openai

def ask(text="Hi"):
    client = openai.OpenAI(api_key="any")
    answer = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": text}])
    return answer.choices[0].message.content

async def ask_async(text="Hi"):
    async with openai.AsyncOpenAI(api_key="any") as client:
        answer = await client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": text}])
    return answer.choices[0].message.content
"""


def test_t33_a_thread_that_outlives_its_test_is_refused(run_tests):
    """Its request does not leave, nor does the next test answer it, and the run fails for it at its end."""
    result = run_tests(
        """
        import threading
        import app

        go, done = threading.Event(), threading.Event()

        def poll():
            go.wait()
            try:
                app.ask()
            except BaseException:
                pass
            done.set()

        def test_one(llm_sim):
            llm_sim.openai.echoes()
            assert app.ask() == "Hi"
            threading.Thread(target=poll, name="poller", daemon=True).start()

        def test_two(llm_sim):
            llm_sim.openai.replies("Paris")
            go.set()
            done.wait()
            assert len(llm_sim.openai.requests) == 0
            assert app.ask() == "Paris"

        def test_three():
            pass
        """,
        app=APP,
    )
    result.assert_outcomes(passed=3)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "llmtest: 1 error came when no test was left to fail, so the run fails:",
            "  NetworkBlockedError: blocked a request to api.openai.com that came after its simulation had ended.",
            "    POST /v1/chat/completions   from app.py:5 in `ask`",
            "    sent by the thread `poller`, which was started there and has not ended",
            "  To fix, one of:",
            "    1. let the test end what it starts: join the thread, close the loop, close the client that polls",
            "    2. let the host pass: llmtest_allowed_hosts = *api.openai.com*",
        ]
    )


def test_t33_a_loop_that_outlives_its_test_is_refused(run_tests):
    """A virtual loop that is kept and used by a test without a simulation sends nothing."""
    result = run_tests(
        """
        import asyncio
        import app
        import pytest
        from llmtest.errors import NetworkBlockedError

        kept = []

        def test_one(llm_sim):
            llm_sim.openai.echoes()
            kept.append(asyncio.new_event_loop())
            assert kept[0].run_until_complete(app.ask_async()) == "Hi"

        def test_two():
            with pytest.raises(NetworkBlockedError):
                kept[0].run_until_complete(app.ask_async())
            kept[0].close()
        """,
        app=APP,
    )
    result.assert_outcomes(passed=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*sent by an event loop that was made there and has not been closed"])


def test_t33_a_pool_that_outlives_its_test_may_work_for_others(run_tests):
    """A worker thread is late as long as it does a job of the test that is over, and no longer."""
    result = run_tests(
        """
        import socket, threading
        from concurrent.futures import ThreadPoolExecutor
        import pytest
        from llmtest.errors import NetworkBlockedError

        pool = ThreadPoolExecutor(2)
        go = threading.Event()

        def reach():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.connect(("192.0.2.7", 53))

        def late():
            go.wait()
            reach()

        def test_one(llm_sim):
            global job
            job = pool.submit(late)
            llm_sim.clock.advance(1)

        def test_two():
            pool.submit(reach).result(10)
            go.set()
            with pytest.raises(NetworkBlockedError, match="a connection to port 53"):
                job.result(10)
            pool.submit(reach).result(10)
            pool.shutdown()
        """
    )
    result.assert_outcomes(passed=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_t33_a_late_request_to_an_allowed_host_passes(run_tests):
    """The advice of the message works."""
    result = run_tests(
        """
        import socket, threading

        go, done = threading.Event(), threading.Event()

        def poll():
            go.wait()
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.connect(("192.0.2.7", 53))
            done.set()

        def test_one(llm_sim):
            threading.Thread(target=poll, daemon=True).start()

        def test_two():
            go.set()
            assert done.wait(10)
        """,
        ini="llmtest_allowed_hosts = 192.0.2.7",
    )
    result.assert_outcomes(passed=2)
    assert result.ret == pytest.ExitCode.OK


def test_t33_what_ends_with_its_test_is_nobody_s_business(run_tests):
    """A run in which everything ends in time is as it was."""
    result = run_tests(
        """
        import asyncio, threading
        import app

        def test_one(llm_sim):
            llm_sim.openai.echoes()
            thread = threading.Thread(target=app.ask)
            thread.start()
            thread.join()
            assert asyncio.run(app.ask_async()) == "Hi"
        """,
        app=APP,
    )
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.OK
    assert "no test was left" not in result.stdout.str()


def test_t33_workers_of_xdist_tell_their_controller(run_tests):
    """A late error in a worker fails the whole run."""
    result = run_tests(
        """
        import threading
        import app

        go, done = threading.Event(), threading.Event()

        def poll():
            go.wait()
            try:
                app.ask()
            finally:
                done.set()

        def test_one(llm_sim):
            threading.Thread(target=poll, daemon=True).start()

        def test_two():
            go.set()
            done.wait()
        """,
        "-n1",
        "-p",
        "no:threadexception",
        app=APP,
        subprocess=True,
    )
    result.assert_outcomes(passed=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["llmtest: 1 error came when no test was left to fail, so the run fails:"])


@pytest.mark.parametrize("scope", ["module", "session"])
@pytest.mark.parametrize("last", ["", "def test_last():\n    pass\n"], ids=["last-with", "last-without"])
def test_t44_an_unscripted_call_in_a_wider_finaliser_fails_the_run(run_tests, scope, last):
    """Whichever test happens to be the last, a fixture of the module or the run is not torn down in silence."""
    code = f"""
        import app
        import pytest

        @pytest.fixture(scope="{scope}")
        def agent(llm_sim_{scope}):
            yield app
            try:
                app.ask("Bye")
            except BaseException:
                pass

        def test_first(agent, llm_sim_{scope}):
            llm_sim_{scope}.openai.replies("Paris")
            assert agent.ask() == "Paris"
        """
    result = run_tests(textwrap.dedent(code) + "\n" + last, app=APP)
    result.assert_outcomes(passed=2 if last else 1, errors=1)
    result.stdout.fnmatch_lines(["E *UnscriptedRequestError: *"])


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(
            "    pid = os.fork()\n    if not pid:\n        try:\n            app.ask()\n        finally:\n"
            "            os._exit(0)\n    os.waitpid(pid, 0)\n",
            id="fork",
        ),
        pytest.param(
            "    process = multiprocessing.get_context('fork').Process(target=app.ask)\n"
            "    process.start()\n    process.join()\n",
            id="multiprocessing",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_t44_an_unscripted_call_in_a_forked_process_fails_the_test(run_tests, start):
    """The child has a copy of the world, and what is recorded there comes back."""
    result = run_tests(
        f"import multiprocessing, os\nimport app\n\ndef test_it(llm_sim):\n{start}",
        app=APP,
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["E *UnscriptedRequestError: *", "E *It happened in a forked process (number *"],
    )


def test_t44_a_task_that_ends_late_fails_the_run(run_tests):
    """What a world records after its test is over is told at the end."""
    result = run_tests(
        """
        from llmtest.errors import UnscriptedRequestError

        worlds = []

        def test_one(llm_sim):
            worlds.append(llm_sim.world)

        def test_two():
            worlds[0].record_harness_error(UnscriptedRequestError("late"))
        """
    )
    result.assert_outcomes(passed=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["  UnscriptedRequestError: late"])


@pytest.mark.parametrize("body", ["app.ask()", "try:\n        app.ask()\n    except BaseException:\n        pass"])
def test_t47_a_harness_error_is_no_expected_failure(run_tests, body):
    """`xfail` around an unscripted call does not hide it, raised or swallowed."""
    result = run_tests(
        f"import app, pytest\n\n@pytest.mark.xfail(reason='flaky model')\ndef test_it(llm_sim):\n    {body}\n",
        app=APP,
    )
    outcomes = result.parseoutcomes()
    assert outcomes.get("failed", 0) + outcomes.get("errors", 0) == 1
    result.stdout.fnmatch_lines(
        [
            "E *UnscriptedRequestError: *",
            "The test is marked `xfail`, which expects the code under test to fail; this is an error of the test *",
            "To fix: *, or expect this very error: @pytest.mark.xfail(raises=llmtest.errors.UnscriptedRequestError)",
        ]
    )


def test_t47_a_harness_error_may_be_expected_by_its_name(run_tests):
    """The advice of the message works, and other expected failures stay expected."""
    result = run_tests(
        """
        import app, pytest
        import llmtest.errors

        @pytest.mark.xfail(raises=llmtest.errors.UnscriptedRequestError)
        def test_by_name(llm_sim):
            app.ask()

        @pytest.mark.xfail
        def test_plain(llm_sim):
            raise ValueError("as expected")
        """,
        app=APP,
    )
    result.assert_outcomes(xfailed=2)


def test_t47_a_budget_holds_in_a_test_without_the_fixture(run_tests):
    """The marker alone gives the test a world whose spend it limits."""
    result = run_tests(
        """
        import app, pytest

        @pytest.mark.llm_budget(usd="0.05")
        def test_it():
            app.ask()
        """,
        app=APP,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *UnscriptedRequestError: *"])
