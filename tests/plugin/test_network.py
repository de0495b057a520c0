"""`llmtest_block_network`, `llmtest_allowed_hosts` and `llmtest_dummy_keys`, for tests that use no simulation."""

import pytest


@pytest.mark.parametrize(
    ("ini", "arguments"),
    [
        pytest.param("llmtest_block_network = true", (), id="ini"),
        pytest.param("", ("--llmtest-block-network",), id="flag"),
    ],
)
def test_live_requests_are_refused_in_every_test(run_tests, ini, arguments):
    """A test without any fixture of ours cannot reach the network, and is told how to allow it."""
    result = run_tests(
        """
        import httpx

        def test_it():
            httpx.get("http://93.184.216.34/")
        """,
        *arguments,
        ini=ini,
        subprocess=True,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *NetworkBlockedError: *93.184.216.34*"])


def test_live_requests_at_import_are_refused(run_tests):
    """The network is blocked before any conftest or test module is imported."""
    result = run_tests(
        "import urllib.request\nurllib.request.urlopen('http://93.184.216.34/')\n\ndef test_it():\n    pass\n",
        ini="llmtest_block_network = true",
        subprocess=True,
    )
    assert result.ret != 0
    assert "NetworkBlockedError" in result.stdout.str() + result.stderr.str()


def test_a_swallowed_live_request_fails_its_test(run_tests):
    """An application that catches everything does not hide a refused connection."""
    result = run_tests(
        """
        import socket

        def test_it():
            try:
                socket.create_connection(("93.184.216.34", 80))
            except BaseException:
                pass
        """,
        ini="llmtest_block_network = true",
        subprocess=True,
    )
    result.assert_outcomes(passed=1, errors=1)


def test_loopback_and_allowed_hosts_stay_open(run_tests):
    """Loopback is never blocked, and an allowed host is not either."""
    result = run_tests(
        """
        import socket, threading
        import httpx, respx

        def test_loopback():
            with socket.create_server(("127.0.0.1", 0)) as server:
                socket.create_connection(server.getsockname()).close()

        @respx.mock
        def test_allowed(llm_sim):
            respx.get("https://weather.example.com/").respond(text="rain")
            assert httpx.get("https://weather.example.com/").text == "rain"
        """,
        ini="llmtest_block_network = true\nllmtest_allowed_hosts = weather.example.com",
        subprocess=True,
    )
    result.assert_outcomes(passed=2)


def test_dummy_keys_never_replace_a_real_one(run_tests, monkeypatch):
    """Only missing keys are set, before collection; what the user has stays."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-mine")
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    result = run_tests(
        """
        import os

        KEYS = os.environ["OPENAI_API_KEY"], os.environ["ANTHROPIC_API_KEY"]

        def test_it():
            assert KEYS == ("sk-mine", "llmtest-dummy-key")
        """,
        ini="llmtest_dummy_keys = true",
        subprocess=True,
    )
    result.assert_outcomes(passed=1)


def test_the_fixture_s_dummies_are_gone_afterwards(run_tests, monkeypatch):
    """Inside a simulation missing keys are dummies; outside they are missing again."""
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    result = run_tests(
        """
        import os

        def test_inside(llm_sim):
            assert os.environ["ANTHROPIC_API_KEY"] == "llmtest-dummy-key"

        def test_outside():
            assert "ANTHROPIC_API_KEY" not in os.environ
        """
    )
    result.assert_outcomes(passed=2)
