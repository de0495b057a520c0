"""A harness error fails the test, whoever swallows it on the way."""

import pytest

UNSCRIPTED = "*UnscriptedRequestError: `{}` received a request that its script has no step for."

ASK_OPENAI = 'openai.OpenAI().chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hi"}])'
ASK_ANTHROPIC = (
    'anthropic.Anthropic().messages.create(model="claude-sonnet-4-6", max_tokens=9, '
    'messages=[{"role": "user", "content": "Hi"}])'
)


@pytest.mark.parametrize(
    ("provider", "ask"),
    [pytest.param("openai", ASK_OPENAI, id="openai"), pytest.param("anthropic", ASK_ANTHROPIC, id="anthropic")],
)
def test_an_unscripted_call_fails_the_test_at_once(run_tests, provider, ask):
    """No retry and no `except Exception` of the SDK turns it into a connection error; the first call raises it."""
    result = run_tests(
        f"""
        import anthropic, openai

        def test_it(llm_sim):
            try:
                {ask}
            except Exception:
                pass
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([UNSCRIPTED.format(provider)])


def test_an_application_that_catches_everything_is_found_out_at_teardown(run_tests):
    """Even `except BaseException` does not make the test green: it fails again at teardown."""
    result = run_tests(
        f"""
        import openai

        def test_it(llm_sim):
            try:
                {ASK_OPENAI}
            except BaseException:
                pass
        """
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_it*", UNSCRIPTED.format("openai")])


def test_a_detached_task_is_found_out_at_teardown(run_tests):
    """A task nobody awaits holds its exception unseen; the record does not."""
    result = run_tests(
        """
        import asyncio, openai

        async def ask():
            client = openai.AsyncOpenAI()
            await client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hi"}])

        def test_it(llm_sim):
            async def main():
                task = asyncio.ensure_future(ask())
                await asyncio.wait([task])
                task.exception()
            asyncio.run(main())
        """
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines([UNSCRIPTED.format("openai")])


@pytest.mark.parametrize("group", ["asyncio.TaskGroup", "anyio.create_task_group"])
def test_an_exception_group_is_unwrapped(run_tests, group):
    """The failure shown is the harness error itself, not the group a task group wraps it in."""
    start = "create_task(ask())" if group.startswith("asyncio") else "start_soon(ask)"
    result = run_tests(
        f"""
        import anyio, asyncio, openai

        async def ask():
            client = openai.AsyncOpenAI()
            await client.chat.completions.create(model="gpt-4o", messages=[{{"role": "user", "content": "Hi"}}])

        def test_it(llm_sim):
            async def main():
                async with {group}() as group:
                    group.{start}
            asyncio.run(main())
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *" + UNSCRIPTED.format("openai")])
    result.stdout.no_fnmatch_line("*ExceptionGroup: unhandled errors in a TaskGroup*")


def test_a_live_request_to_an_unknown_host_fails_the_test(run_tests):
    """A request to a host that nobody simulates is refused before it leaves, with the way to allow it."""
    result = run_tests(
        """
        import httpx

        def test_it(llm_sim):
            httpx.get("https://weather.example.com/today")
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *NetworkBlockedError: *weather.example.com*"])


@pytest.mark.parametrize(
    "connect",
    [
        pytest.param("import socket; socket.create_connection(('93.184.216.34', 80), timeout=5)", id="socket"),
        pytest.param("import requests; requests.get('http://93.184.216.34/')", id="requests"),
        pytest.param(
            "import aiohttp, asyncio\n"
            "    async def main():\n"
            "        async with aiohttp.ClientSession() as session:\n"
            "            await session.get('http://93.184.216.34/')\n"
            "    asyncio.run(main())",
            id="aiohttp",
        ),
    ],
)
def test_every_other_library_is_refused(run_tests, connect):
    """A connection out of the process is refused whatever library opens it."""
    result = run_tests(f"def test_it(llm_sim):\n    {connect}\n")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*NetworkBlockedError: *93.184.216.34*"])


def test_a_client_with_its_own_network_transport_is_intercepted(run_tests):
    """A custom transport that leads to the network does not lead around the simulation."""
    result = run_tests(
        """
        import httpx2, openai

        class Logging(httpx2.BaseTransport):
            def __init__(self):
                self.inner = httpx2.HTTPTransport()

            def handle_request(self, request):
                return self.inner.handle_request(request)

        def test_it(llm_sim):
            llm_sim.openai.replies("Paris")
            client = openai.OpenAI(http_client=httpx2.Client(transport=Logging()))
            answer = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hi"}])
            assert answer.choices[0].message.content == "Paris"
        """
    )
    result.assert_outcomes(passed=1)


def test_a_deadlock_in_virtual_time_names_the_blocked_tasks(run_tests):
    """A test whose tasks all wait for each other fails at once, instead of hanging, and says who waits where."""
    result = run_tests(
        """
        import asyncio

        def test_it(llm_sim):
            async def main():
                await asyncio.Event().wait()
            asyncio.run(main())
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*VirtualTimeStalledError: every task is waiting, and none of them is waiting for time.",
            "*task `Task-1` awaits Event.wait()  test_it.py:5",
        ]
    )


def test_a_failure_shows_the_user_s_lines_alone(run_tests):
    """Between the call and the error lie forty lines of SDK; the report leaves them out, `--full-trace` does not."""
    code = f"""
        import openai

        def ask():
            return {ASK_OPENAI}

        def test_it(llm_sim):
            ask()
        """
    result = run_tests(code)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*>*ask()", "*>*openai.OpenAI().chat.completions.create*", "E *UnscriptedRequestError*"]
    )
    result.stdout.no_fnmatch_line("*_base_client.py*")
    run_tests(code, "--full-trace").stdout.fnmatch_lines(["*_base_client.py*"])
