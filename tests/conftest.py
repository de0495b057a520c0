"""Fixtures shared by the suite."""

import os
import shutil
import socket
import subprocess
from contextlib import suppress
from importlib import import_module
from importlib.metadata import version

import pytest

with suppress(ModuleNotFoundError):  # where litellm lives there is no Hypothesis, and no property test
    from hypothesis import settings

    settings.register_profile("llmtest", derandomize=True, deadline=None)
    # The same examples everywhere, and no limit by the clock: what fails here fails on every machine.
    settings.load_profile("llmtest")

pytest_plugins = ["pytester"]

LEFT_OUT = [
    part
    for name in ("cacheprovider", "hypothesispytest", "looptime_plugin", "recording")
    for part in ("-p", f"no:{name}")
]
"""Plugins the small runs do without: Hypothesis takes seconds to load, looptime brings loops of its own, and
pytest-recording plays what some of them want to be played by us."""


FOREIGN_STACKS = [
    "cassettes/test_clients.py",
    "cassettes/test_fault_properties.py",
    "integration/test_broken_answers.py",
    "integration/test_broken_streams.py",
    "integration/test_instructor.py",
    "integration/test_official_sdks.py",
    "integration/test_ollama_client.py",
    "integration/test_openrouter.py",
    "integration/test_options_of_sdks.py",
    "integration/test_surroundings.py",
    "integration/test_swallowed.py",
    "integration/test_vllm.py",
    "interception/test_google_credentials.py",
    "interception/test_litellm.py",
    "interception/test_lm15.py",
    "node",
    "plugin/test_vcr_marker.py",
    "serving/test_saving_along.py",
    "simulation/test_cohere.py",
    "simulation/test_cohere_first_version.py",
    "simulation/test_converse.py",
    "simulation/test_gemini.py",
    "simulation/test_gemini_batches.py",
    "simulation/test_openai_voices.py",
    "simulation/test_relatives.py",
    "stores",
]
"""What drives other people's clients and servers, and takes long for it."""

if os.environ.get("LLMTEST_FOREIGN_STACKS") == "no":  # one Python runs them: what they are about does not depend on it
    collect_ignore = FOREIGN_STACKS


UNGUARDED = ("interception", "plugin")
"""Rooms whose tests replace what the guard against late requests stands on, or look at a guard of their own."""


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Let such tests begin without the guard against threads that earlier tests left."""
    from llmtest.pytest_plugin import SESSION

    session = item.config.stash.get(SESSION, None)
    if session is not None and item.path.parent.name in UNGUARDED:
        session._late.close()


def pytest_report_header():
    """Name the versions of what the suite proves itself against."""
    names = ("openai", "anthropic", "httpx", "httpx2", "pytest-asyncio", "anyio")
    return "against " + ", ".join(f"{name} {version(name)}" for name in names)


PRELOADED = (
    "anthropic",
    "anyio",
    "httpcore",
    "httpcore2",
    "openai",
    "uvloop",
    "llmtest.cassettes._use",
    "llmtest.clock",
    "llmtest.serving._connection",
    "llmtest.serving._control",
    "llmtest.testing._plugin_session",
    "llmtest.testing._unittest",
)


@pytest.fixture(scope="session")
def preloaded():
    """Load once what the small runs import; pytester forgets new modules after each, and would load them again."""
    for name in PRELOADED:
        import_module(name)
    import_module("llmtest.costs").default_prices()


@pytest.fixture
def run_tests(pytester, preloaded):
    """Return a function that runs test code in a pytest of its own, without what this run has configured."""

    def run(code, *arguments, ini="", subprocess=False, **files):
        pytester.makeini(f"[pytest]\nasyncio_default_fixture_loop_scope = function\n{ini}")
        pytester.makepyfile(test_it=code, **files)
        runner = pytester.runpytest_subprocess if subprocess else pytester.runpytest_inprocess
        return runner(*LEFT_OUT, *arguments)

    return run


@pytest.fixture(scope="session")
def redis_url():
    """Start a real Redis on a free loopback port, for the session; each test clears what it finds there."""
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("needs the binary `redis-server`, which is not installed")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [binary, "--port", str(port), "--save", "", "--bind", "127.0.0.1"], stdout=subprocess.DEVNULL
    )
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except OSError:
            assert server.poll() is None, "redis-server ended before it listened"
    yield f"redis://127.0.0.1:{port}/0"
    server.terminate()
    server.wait()
