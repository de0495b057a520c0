"""The fixture `llm_server`: the handles of `llm_sim` behind a port, strict, in real time, one world to a test."""

import pytest

APP = """
import json
import urllib.error
import urllib.request

def ask(url, text="Hi"):
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": text}]}
    request = urllib.request.Request(url + "/v1/chat/completions", json.dumps(body).encode())
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.loads(answer.read())["choices"][0]["message"]["content"]
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["x-should-retry"], json.loads(error.read())["error"]["message"]
"""


def test_a_test_passes_with_a_server(run_tests):
    """Handles, assertions, costs and trace are those of `llm_sim`; time is real."""
    result = run_tests(
        """
        import app
        from llmtest import faults

        def test_it(llm_server):
            llm_server.openai.replies("Paris").fails(faults.ServerError(503))
            assert llm_server.base_url.startswith("http://127.0.0.1:")
            assert app.ask(llm_server.base_url) == "Paris"
            assert app.ask(llm_server.base_url)[0] == 503
            llm_server.assert_sequence("openai:200", "openai:503")
            llm_server.assert_attempts("openai", 2)
            llm_server.assert_spend(at_most="0.01", at_least="0.00001")
            assert llm_server.openai.requests[0].request.messages[0].text == "Hi"
            assert "openai/gpt-4o" in llm_server.trace.render()
        """,
        app=APP,
    )
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["llmtest: 2 calls, *"])


def test_steps_left_over_fail_the_test(run_tests):
    """A step that no client played fails the test at its end, as in `llm_sim`."""
    result = run_tests("def test_it(llm_server):\n    llm_server.openai.replies('Paris')\n")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["E *UnusedStepsError: `openai` still had 1 of 1 scripted step to play when the test ended."]
    )


def test_a_request_without_a_step_fails_the_test(run_tests):
    """On the wire it is a 500 that says why and is not worth a retry; the test fails at its end all the same."""
    result = run_tests(
        """
        import app

        def test_it(llm_server):
            status, retry, message = app.ask(llm_server.base_url)
            assert (status, retry) == (500, "false")
            text = "UnscriptedRequestError: `openai` received a request that its script has no step for."
            assert message.startswith(text)
        """,
        app=APP,
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["E *UnscriptedRequestError: `openai` received a request that its script has no step for."]
    )


@pytest.mark.parametrize(
    ("other", "names"),
    [("llm_sim", "`llm_sim` and `llm_server`"), ("llm_sim_module", "`llm_server` and `llm_sim_module`")],
)
def test_one_world_to_a_test(run_tests, other, names):
    """A test lives in one simulated world, so that both fixtures in one test are an error that names them."""
    result = run_tests(f"def test_it(llm_server, {other}):\n    pass\n")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"E *SimulationStateError: {names} cannot be used by one test*"])


def test_a_server_that_is_asked_for_late(run_tests):
    """`getfixturevalue` starts the server where it is asked for."""
    result = run_tests(
        """
        import app

        def test_it(request):
            server = request.getfixturevalue("llm_server")
            server.openai.echoes()
            assert app.ask(server.base_url, "late") == "late"
        """,
        app=APP,
    )
    result.assert_outcomes(passed=1)


def test_markers_hold_for_a_server(run_tests, pytester):
    """Budget and scenario of a test apply to what is served."""
    pytester.makefile(
        ".yaml",
        outage=(
            "version: 1\nname: outage\nproviders: {openai: {model: gpt-4o}}\ntarget: app:ask\n"
            "load: {rate: 1/s, duration: 1s}\n"
            "faults: [{when: {calls: {last: 1}}, what: {server_error: {status: 503}}}]\n"
        ),
    )
    result = run_tests(
        """
        import app
        import pytest

        @pytest.mark.llm_scenario("outage.yaml")
        def test_scenario(llm_server):
            assert app.ask(llm_server.base_url)[0] == 503
            assert len(app.ask(llm_server.base_url).split()) == 40

        @pytest.mark.llm_budget(usd="0.00001")
        def test_budget(llm_server):
            llm_server.openai.replies("word " * 100)
            app.ask(llm_server.base_url)
        """,
        app=APP,
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*this test spent $* of its $0.00001 budget*"])


def test_a_process_of_its_own_finds_the_server(run_tests):
    """The environment that the server gives sends the SDKs of another process to it."""
    result = run_tests(
        """
        import os, subprocess, sys

        CODE = '''
        import openai
        with openai.OpenAI() as client:
            answer = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hi"}])
        print(answer.choices[0].message.content)
        '''.replace("\\n        ", "\\n")

        def test_it(llm_server):
            llm_server.openai.replies("Paris")
            environment = {**os.environ, **llm_server.environment}
            done = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True, text=True)
            assert done.stdout == "Paris\\n", done.stderr
        """
    )
    result.assert_outcomes(passed=1)


def test_requests_belong_to_the_call_that_is_marked(run_tests):
    """`call` marks what comes over the socket while it is the only one."""
    result = run_tests(
        """
        import app
        from llmtest import faults

        def test_it(llm_server):
            llm_server.openai.fails(faults.ServerError()).replies("a")
            llm_server.anthropic.echoes()
            with llm_server.call("first"):
                app.ask(llm_server.base_url)
                app.ask(llm_server.base_url)
            llm_server.assert_retries(exactly=1)
            requests = [event.call for event in llm_server.trace if event.kind == "request"]
            assert requests == [1, 1]
        """,
        app=APP,
    )
    result.assert_outcomes(passed=1)


def test_a_reset_over_the_port_is_seen_by_the_test(run_tests):
    """A client that resets the server begins a new trace for the test too."""
    result = run_tests(
        """
        import app
        import urllib.request

        def test_it(llm_server):
            llm_server.openai.replies("a")
            app.ask(llm_server.base_url)
            urllib.request.urlopen(llm_server.base_url + "/_llmtest/reset", b"").close()
            assert len(llm_server.trace) == 0
            llm_server.openai.replies("b")
            assert app.ask(llm_server.base_url) == "b"
            llm_server.assert_sequence("openai:200")
        """,
        app=APP,
    )
    result.assert_outcomes(passed=1)


def test_nothing_leaves_the_machine_beside_a_server(run_tests):
    """Requests of the test's own process to a provider are answered by the same handles; others are refused."""
    result = run_tests(
        """
        import httpx2
        import openai

        def test_answered(llm_server):
            llm_server.openai.replies("Paris")
            with openai.OpenAI() as client:
                answer = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hi"}])
            assert answer.choices[0].message.content == "Paris"

        def test_refused(llm_server):
            httpx2.get("https://example.org")
        """
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*NetworkBlockedError: blocked a live request to example.org.*"])
