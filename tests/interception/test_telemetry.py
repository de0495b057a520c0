"""What libraries report about themselves is kept from leaving, answered and noted; it fails nobody's test."""

import asyncio
import socket
import urllib.error
import urllib.request

import aiohttp
import httpx
import httpx2
import pytest
import requests

from llmtest import Simulation, faults
from llmtest.cassettes import use_cassette
from llmtest.errors import HarnessError, NetworkBlockedError, SimulationStateError
from llmtest.events import TelemetryKept
from llmtest.simulation import block_network

REPORTS = {
    "openai-agents": ("POST", "https://api.openai.com/v1/traces/ingest"),
    "langsmith": ("POST", "https://api.smith.langchain.com/runs/multipart"),
    "langsmith-info": ("GET", "https://api.smith.langchain.com/info"),
    "langfuse": ("POST", "https://cloud.langfuse.com/api/public/otel/v1/traces"),
    "crewai": ("POST", "https://telemetry.crewai.com:4319/v1/traces"),
    "posthog": ("POST", "https://us.i.posthog.com/batch/"),
    "posthog-eu": ("POST", "https://eu.posthog.com/batch/"),
    "traceloop": ("POST", "https://api.traceloop.com/v1/traces"),
}


@pytest.mark.parametrize("library", [httpx, httpx2])
@pytest.mark.parametrize(("method", "url"), REPORTS.values(), ids=list(REPORTS))
def test_t30_a_report_is_answered_and_noted(request, library, method, url):
    """It arrives as far as its exporter can tell, stands in the trace, and is no request to any provider."""
    with Simulation() as sim, library.Client() as client:
        answer = client.request(method, url, json={"data": []})
        assert (answer.status_code, answer.json()) == (200, {})
        sim.assert_attempts("openai", 0)
        (event,) = sim.trace
    address = library.URL(url)
    assert event == TelemetryKept(0, 0, event.library, address.host, method, address.path)
    assert request.node.callspec.id.startswith(event.library)


@pytest.mark.anyio
async def test_t30_a_report_of_an_asynchronous_client_is_answered(anyio_backend):
    """Exporters of either kind."""
    with block_network():
        async with httpx2.AsyncClient() as client:
            answer = await client.post("https://us.i.posthog.com/batch/", json={})
    assert answer.status_code == 200


@pytest.fixture
def anyio_backend():
    """Run on asyncio."""
    return "asyncio"


@pytest.mark.parametrize(
    ("method", "url", "error"),
    [
        ("POST", "https://api.openai.com/v1/traces", SimulationStateError),
        ("GET", "https://api.openai.com/v1/traces/ingest", SimulationStateError),
        ("GET", "https://api.smith.langchain.com/commits/owner/prompt/latest", NetworkBlockedError),
        ("GET", "https://cloud.langfuse.com/api/public/v2/prompts/greeting", NetworkBlockedError),
        ("GET", "https://api.traceloop.com/v1/prompts", NetworkBlockedError),
        ("GET", "https://eu.posthog.com/api/projects", NetworkBlockedError),
        ("GET", "https://raw.githubusercontent.com/BerriAI/litellm/main/README.md", NetworkBlockedError),
        ("POST", "https://smith.langchain.com.evil.test/runs/batch", NetworkBlockedError),
    ],
)
def test_t30_what_is_asked_of_the_same_hosts_is_no_report(method, url, error):
    """A prompt that an app fetches is a live request, which the test has to know of."""
    with pytest.raises(error), Simulation(), httpx2.Client() as client:
        client.request(method, url)


def test_t30_a_connection_of_another_library_is_refused_and_noted():
    """A bare connection cannot be answered: its exporter meets a bad network, which it knows, and the test goes on."""
    with Simulation() as sim:
        with pytest.raises(ConnectionRefusedError, match=r"posthog reports about itself to us\.i\.posthog\.com"):
            socket.create_connection(("us.i.posthog.com", 443))
        assert list(sim.trace) == [TelemetryKept(0, 0, "posthog", "us.i.posthog.com")]


def test_t30_a_connection_to_a_host_that_does_more_is_no_report():
    """Whoever connects to OpenAI itself, past httpx, may ask for anything."""
    with pytest.raises(HarnessError), Simulation():
        socket.create_connection(("api.openai.com", 443))


def by_httpx2(method, url):
    """Send a request, and return the status."""
    return httpx2.request(method, url, json={}).status_code


def by_requests(method, url):
    """The same by requests."""
    return requests.request(method, url, json={}).status_code


def by_urllib(method, url):
    """The same by the standard library."""
    request = urllib.request.Request(url, b"{}", method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def by_aiohttp(method, url):
    """The same by aiohttp."""

    async def send():
        async with aiohttp.ClientSession() as session, session.request(method, url, json={}) as answer:
            return answer.status

    return asyncio.run(send())


every_library = pytest.mark.parametrize("send", [by_httpx2, by_requests, by_urllib, by_aiohttp])
PRICES = "/BerriAI/litellm/main/model_prices_and_context_window.json"


@every_library
@pytest.mark.parametrize(("method", "url"), REPORTS.values(), ids=list(REPORTS))
def test_t30_a_report_over_any_library_is_answered(send, method, url):
    """Exporters send by what they like."""
    with Simulation() as sim:
        assert send(method, url) == 200
        assert [type(event) for event in sim.trace] == [TelemetryKept]


@every_library
def test_t30_a_table_that_a_library_has_a_copy_of_is_not_found(send):
    """So litellm reads its own prices, and has nothing to try again."""
    with Simulation() as sim:
        assert send("GET", f"https://raw.githubusercontent.com{PRICES}") == 404
        assert list(sim.trace) == [TelemetryKept(0, 0, "litellm", "raw.githubusercontent.com", "GET", PRICES)]


def test_p14_a_library_that_asks_for_its_prices_where_a_test_imports_it_reads_its_own(run_tests):
    """As litellm does, which asks when it is imported and refuses what is no success: the test goes on, and passes."""
    result = run_tests(
        f"""
        import importlib, pathlib

        LIBRARY = '''
        import httpx
        try:
            answer = httpx.get("https://raw.githubusercontent.com{PRICES}", timeout=5)
            answer.raise_for_status()
            prices = answer.json()
        except Exception:
            prices = "its own"
        '''

        def test_it(llm_sim, tmp_path, monkeypatch):
            (tmp_path / "priced_library.py").write_text(LIBRARY)
            monkeypatch.syspath_prepend(tmp_path)
            assert importlib.import_module("priced_library").prices == "its own"
            assert [event.path for event in llm_sim.trace] == ["{PRICES}"]
        """
    )
    result.assert_outcomes(passed=1)


@every_library
def test_t30_neither_is_part_of_a_recorded_session(send, tmp_path):
    """A cassette neither misses nor records them."""
    path = tmp_path / "session.yaml"
    for mode in ("once", "none"):
        with use_cassette(path, mode, keep_failures=True) as cassette:
            assert send("GET", f"https://raw.githubusercontent.com{PRICES}") == 404
            assert send("POST", "https://us.i.posthog.com/batch/") == 200
        assert len(cassette.recorded) == 0


def test_t30_a_script_that_knows_the_path_is_asked_first():
    """A test that is about the exporter answers it itself."""
    with Simulation() as sim:
        sim.openai.on("POST", "/v1/traces/ingest").fails(faults.ServerError(503))
        assert httpx2.post("https://api.openai.com/v1/traces/ingest", json={}).status_code == 503
        sim.assert_attempts("openai", 1)


def test_t30_a_report_is_no_part_of_a_recorded_session(tmp_path):
    """A cassette neither misses it nor records it."""
    path = tmp_path / "session.yaml"
    with use_cassette(path, "once"):
        assert httpx2.post("https://api.openai.com/v1/traces/ingest", json={}).status_code == 200
    assert not path.exists() or "traces/ingest" not in path.read_text()


def test_t30_openai_agents_under_a_simulation_with_thirty_seconds_of_waiting(run_tests):
    """Its exporter wakes in virtual time and sends its traces: noted, and no error at the end of the test."""
    pytest.importorskip("agents", reason="openai-agents is not installed (pip install openai-agents)")
    result = run_tests(
        """
        import time
        import agents, openai
        from llmtest.events import TelemetryKept

        def test_it(llm_sim):
            llm_sim.openai.replies("Paris")
            model = agents.OpenAIChatCompletionsModel("gpt-4o", openai_client=openai.AsyncOpenAI())
            agent = agents.Agent(name="guide", instructions="Be brief.", model=model)
            result = llm_sim.run(agents.Runner.run(agent, "Capital of France?"))
            assert result.final_output == "Paris"
            time.sleep(30)
            llm_sim.assert_attempts("openai", 1)
            kept = [event.path for event in llm_sim.trace if isinstance(event, TelemetryKept)]
            assert kept and set(kept) == {"/v1/traces/ingest"}
        """,
        subprocess=True,
    )
    result.assert_outcomes(passed=1)
