"""urllib3, and with it requests: answered, failed, limited, redirected and refused like a client of httpx2."""

import json
import logging
import re

import pytest
import requests
import urllib3
from requests.adapters import HTTPAdapter

from llmtest import Raw, Reply, Simulation, faults
from llmtest.errors import NetworkBlockedError, UnscriptedRequestError, VirtualTimeStalledError
from llmtest.events import TelemetryKept

URL = "https://api.openai.com/v1/chat/completions"
QUESTION = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
STREAM = {**QUESTION, "stream": True}


def text_of(answer):
    """Return what the assistant says."""
    return answer["choices"][0]["message"]["content"]


def test_p13_requests_is_answered(llm_sim):
    """An answer is read as from the network: status, headers, JSON, and a time that is the simulation's."""
    llm_sim.openai.replies(Reply("Paris", latency=2.5))
    answer = requests.post(URL, json=QUESTION, timeout=10)
    assert (answer.status_code, answer.reason, text_of(answer.json())) == (200, "OK", "Paris")
    assert answer.headers["x-request-id"].startswith("req_")
    assert answer.elapsed.total_seconds() == 2.5
    assert llm_sim.openai.requests[0].headers["user-agent"].startswith("python-requests/")
    assert json.loads(llm_sim.openai.requests[0].body) == QUESTION


def test_a_session_from_before_is_answered(llm_sim):
    """Whenever a session or a pool was made, and however often it is used."""
    llm_sim.openai.replies("one", "two", "three")
    with requests.Session() as session:
        assert [text_of(session.post(URL, json=QUESTION).json()) for _ in range(2)] == ["one", "two"]
    with urllib3.PoolManager() as pool:
        assert text_of(pool.request("POST", URL, json=QUESTION).json()) == "three"


def test_a_stream_comes_piece_by_piece(llm_sim):
    """Each piece is there at its virtual time, and none sooner."""
    llm_sim.openai.latency(ttft=1.0, tokens_per_second=2)
    llm_sim.openai.replies("one two three four")
    seen = []
    with requests.post(URL, json=STREAM, stream=True) as answer:
        for line in answer.iter_lines():
            text = re.search(rb'"content":"([^"]*)"', line)
            if text:
                seen.append((text[1].decode(), llm_sim.clock.elapsed()))
    times = [time for text, time in seen if text]
    assert "".join(text for text, _ in seen) == "one two three four"
    assert times == sorted(set(times))
    assert times[0] >= 1.0
    llm_sim.assert_sequence("openai:200")


def test_a_stream_that_is_closed_early_is_abandoned(llm_sim):
    """The provider learns that its client went away."""
    llm_sim.openai.replies("one two three four five six")
    with requests.post(URL, json=STREAM, stream=True) as answer:
        next(answer.iter_lines())
    assert llm_sim.openai.requests[0].outcome == "abandoned"


FAILURES = [
    (faults.ConnectionRefused(), requests.ConnectionError, "Connection refused", 0.0, "refused"),
    (
        faults.ConnectionReset(),
        requests.ConnectionError,
        "ConnectionResetError(104, 'Connection reset by peer')",
        0,
        "reset",
    ),
    (
        faults.ConnectionClosed(),
        requests.ConnectionError,
        "RemoteDisconnected('Remote end closed connection",
        0,
        "reset",
    ),
    (faults.Timeout(), requests.exceptions.ReadTimeout, "Read timed out. (read timeout=7)", 7.0, "timeout"),
    (faults.Timeout(phase="connect"), requests.exceptions.ConnectTimeout, "(connect timeout=3", 3.0, "timeout"),
]


@pytest.mark.parametrize(
    ("fault", "error", "text", "seconds", "outcome"), FAILURES, ids=lambda each: getattr(each, "id", "")
)
def test_a_connection_fails_as_requests_tells_it(llm_sim, fault, error, text, seconds, outcome):
    """The class, the text and the moment are those of the real library."""
    llm_sim.openai.fails(fault)
    with pytest.raises(error) as caught:
        requests.post(URL, json=QUESTION, timeout=(3, 7))
    assert type(caught.value) is error
    assert text in str(caught.value)
    assert llm_sim.clock.elapsed() == seconds
    llm_sim.assert_sequence(f"openai:{outcome}")


@pytest.mark.parametrize(
    ("fault", "error", "seconds", "outcome"),
    [
        (faults.StreamDropped(2), requests.exceptions.ChunkedEncodingError, 0.0, "dropped"),
        (faults.StreamStalled(2), requests.ConnectionError, 7.0, "stalled"),
    ],
    ids=["dropped", "stalled"],
)
def test_a_stream_breaks_as_requests_tells_it(llm_sim, fault, error, seconds, outcome):
    """What came before the break was read."""
    llm_sim.openai.fails(fault)
    lines = []
    with requests.post(URL, json=STREAM, stream=True, timeout=7) as answer, pytest.raises(error):
        lines.extend(answer.iter_lines())
    assert sum(b'"content":"' in line for line in lines) == 3  # the first has no text yet
    assert llm_sim.clock.elapsed() == seconds
    llm_sim.assert_sequence(f"openai:{outcome}")


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (faults.StreamTruncated(2), "truncated"),
        (faults.StreamError(2), "error"),
        (faults.StreamMalformed(2), "malformed"),
    ],
    ids=["truncated", "error", "malformed"],
)
def test_a_stream_may_end_without_an_error_of_the_connection(llm_sim, fault, outcome):
    """What is wrong with its content is for its reader to see."""
    llm_sim.openai.fails(fault)
    with requests.post(URL, json=STREAM, stream=True) as answer:
        assert b"[DONE]" not in b"".join(answer.iter_lines())
    llm_sim.assert_sequence(f"openai:{outcome}")


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (faults.RateLimited(retry_after=30), 429),
        (faults.QuotaExceeded(), 429),
        (faults.AuthenticationFailed(), 401),
        (faults.PermissionDenied(), 403),
        (faults.ModelNotFound(), 404),
        (faults.ContextLengthExceeded(), 400),
        (faults.RequestTooLarge(), 413),
        (faults.ServerError(503), 503),
        (faults.MalformedBody(), 200),
        (faults.WrongContentType(), 200),
        (faults.EmptyResponse(), 200),
    ],
    ids=lambda each: getattr(each, "id", None) or str(each),
)
def test_a_refusal_is_an_answer(llm_sim, fault, status):
    """Refusals and broken bodies arrive with their status."""
    llm_sim.openai.fails(fault)
    answer = requests.post(URL, json=QUESTION)
    assert answer.status_code == status
    if isinstance(fault, faults.RateLimited):
        assert answer.headers["retry-after"] == "30"


def test_urllib3_retries_in_virtual_time(llm_sim):
    """Its own retries obey Retry-After and back off, and nobody waits for them."""
    llm_sim.openai.fails(faults.RateLimited(retry_after=30)).fails(faults.ServerError(503), times=2).replies("Paris")
    retry = urllib3.Retry(total=3, backoff_factor=2, status_forcelist=[429, 503], allowed_methods=None)
    with requests.Session() as session:
        session.mount("https://", HTTPAdapter(max_retries=retry))
        assert text_of(session.post(URL, json=QUESTION).json()) == "Paris"
    assert llm_sim.clock.elapsed() == 30.0 + 4.0 + 8.0
    llm_sim.assert_sequence("openai:429", "openai:503", "openai:503", "openai:200")


def test_urllib3_retries_a_refused_connection(llm_sim, caplog):
    """A connection that did not come about is retried as such."""
    llm_sim.openai.fails(faults.ConnectionRefused()).replies("Paris")
    with caplog.at_level(logging.WARNING, "urllib3"), urllib3.PoolManager(retries=urllib3.Retry(connect=1)) as pool:
        assert text_of(pool.request("POST", URL, json=QUESTION).json()) == "Paris"
    assert "NewConnectionError" in caplog.text


def test_a_total_limit_of_urllib3_covers_connecting_and_reading(llm_sim):
    """`Timeout(total=)` is one limit for both."""
    llm_sim.openai.fails(faults.Timeout())
    with urllib3.PoolManager() as pool, pytest.raises(urllib3.exceptions.ReadTimeoutError):
        pool.request("POST", URL, json=QUESTION, timeout=urllib3.Timeout(total=9), retries=False)
    assert llm_sim.clock.elapsed() == 9.0


def test_a_call_that_would_hang_is_an_error_of_the_test():
    """The library has no limit of its own, so the test fails at once and says why."""
    simulation = Simulation()
    simulation.openai.fails(faults.Timeout())
    with pytest.raises(VirtualTimeStalledError, match="the client has no read timeout"), simulation:
        requests.post(URL, json=QUESTION)


def test_a_redirect_is_followed(llm_sim):
    """The library follows it itself, to whoever answers there."""
    llm_sim.openai.on("GET", "/v1/old").replies(Raw(307, {"location": "https://api.openai.com/v1/new"}, b""))
    llm_sim.openai.on("GET", "/v1/new").replies(Raw(200, {"content-type": "text/plain"}, b"here"))
    answer = requests.get("https://api.openai.com/v1/old")
    assert (answer.text, answer.url) == ("here", "https://api.openai.com/v1/new")
    assert [each.status_code for each in answer.history] == [307]


@pytest.mark.parametrize("body", [iter([b"one", b"two"]), [b"one", b"two"]], ids=["generator", "list"])
def test_a_body_in_pieces_arrives_whole(llm_sim, body):
    """A body of unknown length goes in chunks, which the provider does not see."""
    llm_sim.openai.on("POST", "/v1/notes").replies(Raw(201, {}, b""))
    with urllib3.PoolManager() as pool:
        assert pool.request("POST", "https://api.openai.com/v1/notes", body=body).status == 201
    (request,) = llm_sim.openai.requests
    assert request.body == b"onetwo"
    assert "transfer-encoding" not in request.headers


def test_a_file_is_uploaded(llm_sim):
    """A multipart form arrives whole."""
    llm_sim.openai.on("POST", "/v1/notes").replies(Raw(200, {}, b"{}"))
    requests.post("https://api.openai.com/v1/notes", files={"file": ("a.txt", b"x" * 100_000)})
    assert b"x" * 100_000 in llm_sim.openai.requests[0].body


def test_a_head_has_no_body(llm_sim):
    """What it says of a body is not waited for, and the next answer is read from its beginning."""
    llm_sim.openai.on("HEAD", "/v1/file").replies(Raw(200, {"x-size": "5"}, b"12345"))
    llm_sim.openai.replies("Paris")
    with requests.Session() as session:
        answer = session.head("https://api.openai.com/v1/file")
        assert (answer.headers["x-size"], answer.content) == ("5", b"")
        assert text_of(session.post(URL, json=QUESTION).json()) == "Paris"


def blocked(send):
    """Return the text of a refused request, without the line of this file that it names."""
    simulation = Simulation(strict=False)
    with pytest.raises(NetworkBlockedError) as caught, simulation:
        send()
    return re.sub(r"from \S+ in `[^`]+`", "from HERE", str(caught.value))


def test_an_unknown_host_is_refused_in_the_same_words():
    """A request says more than a bare connection does, and can be answered."""
    assert blocked(lambda: requests.get("https://example.com/x?y=1")) == (
        "blocked a live request to example.com.\n\n"
        "  GET /x   from HERE\n\n"
        "To fix, one of:\n"
        '  1. let a simulated provider answer it: llm_sim.provider("name", base_url="https://example.com")\n'
        '  2. let it pass in this test: llm_sim.allow("example.com")\n'
        '  3. let it pass everywhere: llmtest_allowed_hosts = ["example.com"] in pyproject.toml, '
        "llmtest_allowed_hosts = example.com in pytest.ini"
    )


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("proxy", ["http://127.0.0.1:9", "http://proxy.example.com:3128"])
def test_a_proxy_is_never_reached_for_a_simulated_provider(llm_sim, scheme, proxy):
    """Who answers is told by the URL, tunnel or not, and a failure is not the proxy's."""
    llm_sim.provider("mine", base_url=f"{scheme}://llm.example.org/v1").replies("Paris").fails(
        faults.ConnectionRefused()
    )
    url = f"{scheme}://llm.example.org/v1/chat/completions"
    proxies = {"http": proxy, "https": proxy}
    assert text_of(requests.post(url, json=QUESTION, proxies=proxies).json()) == "Paris"
    with pytest.raises(requests.ConnectionError, match="Connection refused") as caught:
        requests.post(url, json=QUESTION, proxies=proxies)
    assert type(caught.value) is requests.ConnectionError


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:9", "http://proxy.example.com:3128"])
def test_a_proxy_is_no_way_out(proxy):
    """The host that is asked for decides."""
    proxies = {"http": proxy, "https": proxy}
    for scheme in ("http", "https"):
        text = blocked(lambda scheme=scheme: requests.get(f"{scheme}://example.com/x", proxies=proxies))
        assert text.startswith("blocked a live request to example.com.\n\n  GET /x   from HERE")


def test_an_unscripted_request_names_the_line_that_made_it():
    """No retry of the library swallows it, and its text leads to the test."""
    with pytest.raises(UnscriptedRequestError, match=r"test_urllib3\.py:\d+ in `test_an_unscripted"), Simulation():
        requests.post(URL, json=QUESTION)


def test_an_allowed_host_passes(llm_sim, monkeypatch):
    """What is allowed reaches the network, and the trace says so once."""
    llm_sim.allow("models.example.org")
    monkeypatch.setattr(urllib3.util.connection, "create_connection", refuse)
    with pytest.raises(requests.ConnectionError, match="the network itself"):
        requests.get("http://models.example.org/x")
    (live,) = [line.split() for line in llm_sim.trace.render().splitlines()[1:]]
    assert live == ["0.000", "-", "live", "models.example.org", "GET"]


def refuse(*_, **__):
    """Stand for the network."""
    raise ConnectionRefusedError(111, "the network itself")


def test_a_report_of_a_library_is_answered_and_noted():
    """An exporter on requests hears that its report has arrived."""
    with Simulation() as sim:
        assert requests.post("https://us.i.posthog.com/batch/", json={}).json() == {}
        (event,) = sim.trace
    assert event == TelemetryKept(0, 0, "posthog", "us.i.posthog.com", "POST", "/batch/")


def test_nothing_is_left_in_a_pool():
    """After the simulation a session is as it was, and so are the methods of its pools."""
    before = urllib3.HTTPConnectionPool._make_request, urllib3.HTTPSConnectionPool._prepare_proxy
    with requests.Session() as session:
        with Simulation() as sim:
            assert urllib3.HTTPConnectionPool._make_request is not before[0]
            sim.openai.replies("Paris", times=2)
            session.post(URL, json=QUESTION)
            kept = session.post(URL, json=STREAM, stream=True)  # still open when the simulation ends
        assert (urllib3.HTTPConnectionPool._make_request, urllib3.HTTPSConnectionPool._prepare_proxy) == before
        kept.close()
        pool = session.get_adapter(URL).poolmanager.connection_from_url(URL)
        assert [each.sock for each in pool.pool.queue if each is not None and each.sock is not None] == []


@pytest.mark.filterwarnings("default::urllib3.exceptions.InsecureRequestWarning")
def test_whoever_verifies_nothing_is_warned_as_ever(llm_sim):
    """The warning of urllib3 is a fact about the code under test."""
    llm_sim.openai.replies("Paris")
    with pytest.warns(urllib3.exceptions.InsecureRequestWarning):
        requests.post(URL, json=QUESTION, verify=False)
