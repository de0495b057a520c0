"""The marker `vcr` by one setting: suites of pytest-recording run without a changed line, with it or without it."""

import gzip
import json
import socket
import time
from importlib.util import find_spec

import pytest
import yaml

from tests.cassettes.live_provider import live_provider
from tests.plugin.vcr_suites import CLIENTS, CONFIG, CONFTEST, FROZEN, MARKER, PERSISTER, URL, exchange, write

OURS = "llmtest_vcr_marker = true"
WAYS = {
    "theirs": ("", ("-p", "pytest_recording.plugin")),
    "ours": (OURS, ()),
    "both": (OURS, ("-p", "pytest_recording.plugin")),
}


def needs_pytest_recording():
    """Skip where it is not installed; it is not imported here, where its wish to rewrite vcrpy would come too late."""
    if find_spec("pytest_recording") is None:
        pytest.skip("pytest-recording is not installed")


@pytest.fixture(params=WAYS)
def way(request, run_tests, preloaded_vcr):
    """Run a suite with pytest-recording, with us in its place, or with both."""
    ini, plugins = WAYS[request.param]
    if plugins:
        needs_pytest_recording()

    def run(code, *arguments, **options):
        return run_tests(code, *plugins, *arguments, ini=ini, **options)

    run.name = request.param
    yield run
    for name in (
        "connect",
        "connect_ex",
    ):  # pytest-recording puts the machine's own back on the class that inherits them
        if name in socket.socket.__dict__:
            delattr(socket.socket, name)


@pytest.fixture
def ours(run_tests, preloaded_vcr):
    """Run a suite with us in the place of pytest-recording."""
    return lambda code, *arguments, ini="", **options: run_tests(code, *arguments, ini=f"{OURS}\n{ini}", **options)


@pytest.fixture(scope="session")
def preloaded_vcr():
    """Load vcrpy once: pytester forgets what a small run imports, and vcrpy would find its own stand-ins."""
    import aiohttp  # noqa: F401
    import botocore.session  # noqa: F401
    import requests  # noqa: F401

    import llmtest.cassettes.vcr
    import llmtest.testing._plugin_vcr_tests  # noqa: F401


@pytest.fixture
def folder(pytester):
    """Where the cassettes of `test_it.py` lie."""
    return pytester.path / "cassettes" / "test_it"


def test_k01_k04_the_marker_means_what_it_means_there(way, folder):
    """Bodies are not compared unless asked for; files, markers, fixtures and the object are as they were."""
    for name in ("test_another_body[httpx]", "test_another_body[httpx2]"):
        write(folder / f"{name}.yaml", exchange())
    write(folder / "test_the_body_is_compared_where_it_is_asked_for.yaml", exchange())
    write(folder / "test_several_files.yaml", exchange(answer={"from": "own"}, url=f"{URL}/own"))
    for name in ("first", "second", "third"):
        write(folder / f"{name}.yaml", exchange(answer={"from": name}, url=f"{URL}/{name}"))
    write(folder / "shared.yaml", exchange(answer={"from": "shared"}))
    result = way(MARKER)
    result.assert_outcomes(passed=11)
    assert len(list(folder.iterdir())) == 8


def test_k02_k03_fixtures_and_the_hook_are_read(way, pytester):
    """What `vcr_config`, `vcr_cassette_dir` and the hook say holds: filters, matchers, serializers, answers."""
    recorded = exchange({"a": 5}, url=URL)
    (pytester.path / "elsewhere").mkdir()
    (pytester.path / "elsewhere/one_for_all.plain").write_text(
        "# plain\n" + json.dumps({"version": 1, "interactions": [recorded]})
    )
    write(pytester.path / "elsewhere/one_for_all.json", exchange(answer={"from": "json"}))
    way(CONFIG, conftest=CONFTEST).assert_outcomes(passed=2)


def test_k03_a_persister_of_the_suite_is_used(way, folder):
    """A persister that the hook registers loads and saves."""
    write(folder / "test_it.yaml.kept", exchange())
    code = "import pytest, httpx2\n@pytest.mark.vcr\ndef test_it():\n"
    code += f"    assert httpx2.post({URL!r}, json=1).json() == {{'ok': True}}\n"
    way(code, conftest=PERSISTER).assert_outcomes(passed=1)


def test_k04_flags(way, folder):
    """`--disable-recording`, `--block-network` and `--allowed-hosts` are known and have their effect."""
    code = """
        import pytest, socket

        @pytest.mark.vcr
        def test_it(vcr, allowed_hosts):
            assert vcr is None
            assert allowed_hosts == ["localhost", "10.*"]
            with pytest.raises(RuntimeError, match="Network is disabled for host '127.0.0.1'"):
                with socket.socket() as connection:
                    connection.connect(("127.0.0.1", 1))
    """
    way(code, "--disable-recording", "--block-network", "--allowed-hosts=localhost,10.*").assert_outcomes(passed=1)


@pytest.mark.parametrize("arguments", [("http://x",), ()])
def test_k04_wrong_arguments_of_block_network_are_an_error(ours, arguments):
    """The marker takes its one keyword alone."""
    code = f"""
        import pytest

        @pytest.mark.block_network(*{arguments!r}, **{{"hosts": 1}})
        def test_it():
            pass
    """
    result = ours(code)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*Invalid arguments to `block_network`. It accepts only *: `allowed_hosts`. Got *"])


def test_k06_every_client_is_recorded_and_replayed(way, pytester, folder, monkeypatch):
    """Nine ways to send are recorded in one run, and played in the next, when nobody listens any more."""
    with live_provider() as provider:
        monkeypatch.setenv("LIVE_URL", provider.base_url)
        way(CLIENTS, "--record-mode=once").assert_outcomes(passed=9)
        assert len(provider.bodies) == 9
    assert len(list(folder.iterdir())) == 9
    result = way(CLIENTS, "--block-network")
    result.assert_outcomes(passed=9)
    result.stdout.no_fnmatch_line("llmtest: vcr:*")


def test_what_each_way_records_the_other_plays(run_tests, preloaded_vcr, pytester, folder, monkeypatch):
    """The files are the same: what we record pytest-recording plays, and would have recorded alike."""
    needs_pytest_recording()
    with live_provider() as provider:
        monkeypatch.setenv("LIVE_URL", provider.base_url)
        run_tests(CLIENTS, "--record-mode=once", "-k", "httpx2", ini=OURS).assert_outcomes(passed=2, deselected=7)
        ours = {path.name: yaml.safe_load(path.read_text()) for path in folder.iterdir()}
        run_tests(CLIENTS, "-p", "pytest_recording.plugin", "-k", "httpx2").assert_outcomes(passed=2, deselected=7)
        plugin = ("-p", "pytest_recording.plugin")
        run_tests(CLIENTS, *plugin, "--record-mode=rewrite", "-k", "httpx2").assert_outcomes(passed=2, deselected=7)
    theirs = {path.name: yaml.safe_load(path.read_text()) for path in folder.iterdir()}
    for data in (*ours.values(), *theirs.values()):
        del data["interactions"][0]["response"]["headers"]["date"]
    assert ours == theirs


def test_unused_answers_are_dropped_where_the_suite_says_so(way, folder):
    """`drop_unused_requests` and `rewrite` write what vcrpy writes."""
    write(folder / "test_it.yaml", exchange({"a": 1}, url=f"{URL}/1"), exchange({"a": 2}, url=f"{URL}/2"))
    code = f"""
        import httpx2, pytest

        @pytest.mark.vcr(drop_unused_requests=True, record_mode="new_episodes")
        def test_it():
            assert httpx2.post("{URL}/2").json() == {{"ok": True}}
    """
    way(code).assert_outcomes(passed=1)
    assert [
        each["request"]["uri"] for each in yaml.safe_load((folder / "test_it.yaml").read_text())["interactions"]
    ] == [f"{URL}/2"]


RETRIES = f"""
import time, httpx2, pytest

def ask():
    while (answer := httpx2.post("{URL}")).status_code == 429:
        time.sleep(float(answer.headers["retry-after"]))
    return answer.json()

@pytest.mark.vcr
def test_it():
    began = time.monotonic(), time.time()
    assert ask() == {{"ok": True}}
    assert 600 <= time.monotonic() - began[0] < 605 and 600 <= time.time() - began[1] < 605
    began = time.perf_counter()
    assert time.perf_counter() > began
"""


@pytest.mark.parametrize("way", ["ours", "both"], indirect=True)
def test_waits_of_a_played_session_cost_nothing_and_nothing_takes_no_time(way, folder):
    """A recorded `Retry-After` of ten minutes passes at once, on a clock whose readings still differ."""
    write(folder / "test_it.yaml", exchange(status=429, headers={"retry-after": ["600"]}), exchange())
    began = time.monotonic()
    way(RETRIES).assert_outcomes(passed=1)
    assert time.monotonic() - began < 60


def test_dates_that_a_suite_freezes_stand(way):
    """Around a test, in a fixture and around a class: with freezegun the date is exactly what it says."""
    way(FROZEN).assert_outcomes(passed=3)


ANYIO = f"""
import anyio, httpx2, pytest

@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.fixture
async def client():
    async with httpx2.AsyncClient() as client:
        yield client
    print("the client's fixture has ended")

@pytest.mark.anyio
@pytest.mark.vcr
async def test_it(client):
    await anyio.sleep(60)
    await client.post("{URL}/other")
"""


def test_t27_a_miss_with_an_asynchronous_fixture_is_one_failure(way, folder):
    """The test fails once, with vcrpy's own error, and its fixtures end in good order."""
    write(folder / "test_it.yaml", exchange())
    code = ANYIO if way.name != "theirs" else ANYIO.replace("sleep(60)", "sleep(0)")
    result = way(code, "-s")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*the client's fixture has ended", "E *CannotOverwriteExistingCassetteException: *"])


def test_wider_loops_keep_real_time(ours, folder):
    """A loop that outlives its test cannot be virtual, which is no reason to fail a suite that had it before."""
    write(folder / "test_it.yaml", exchange())
    code = f"""
        import asyncio, httpx2, pytest

        @pytest.mark.vcr
        @pytest.mark.asyncio(loop_scope="module")
        async def test_it():
            async with httpx2.AsyncClient() as client:
                assert (await client.post("{URL}")).json() == {{"ok": True}}
            began = asyncio.get_running_loop().time()
            await asyncio.sleep(0.01)
            assert asyncio.get_running_loop().time() - began < 5

        @pytest.mark.asyncio(loop_scope="module")
        async def test_after():
            await asyncio.sleep(0)
    """
    ours(code).assert_outcomes(passed=2)


SWALLOWS = f"""
import httpx2, pytest

def ask(url):
    try:
        return httpx2.post(url, json={{"a": 2}}).json()
    except Exception:
        return None

@pytest.mark.vcr
def test_it():
    assert ask("{URL}") == {{"ok": True}}
    assert ask("{URL}/other") is None

@pytest.mark.vcr
@pytest.mark.default_cassette("test_it")
def test_fails():
    assert ask("{URL}/other") == {{"ok": True}}
"""


@pytest.mark.parametrize("way", ["ours", "both"], indirect=True)
def test_what_vcrpy_does_not_tell_is_told_in_one_line(way, folder):
    """Bodies that differ but were not compared are counted, so are misses that were caught; a failure names them."""
    write(folder / "test_it.yaml", exchange())
    result = way(SWALLOWS)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*- llmtest -*",
            "The cassette has no answer for:",
            f"  POST {URL}/other",
            (
                "llmtest: vcr: 1 of 1 answers were played to another body than the recorded one (`match_on` compares "
                "no body); 1 request had no recorded answer, in tests that passed"
            ),
        ]
    )


BESIDE = """
import httpx2, pytest, socket

def unresolved(*arguments, **options):
    raise socket.gaierror("no network here")

socket.getaddrinfo = unresolved

@pytest.fixture(scope="session")
def vcr_config():
    return {"ignore_hosts": ["telemetry.example.com"]}

@pytest.mark.vcr
def test_it():
    with pytest.raises(httpx2.ConnectError):
        httpx2.post("https://telemetry.example.com/")
"""


def test_k06_what_leaves_beside_a_cassette_is_told(ours, folder, monkeypatch):
    """A host that the suite ignores is connected to, as with vcrpy, and named."""
    monkeypatch.setattr(socket, "getaddrinfo", socket.getaddrinfo)
    result = ours(BESIDE)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["llmtest: vcr: connected to beside the cassettes: telemetry.example.com"])


def test_a_blocked_network_lets_cassettes_play(ours, folder):
    """With `llmtest_block_network` every client is played to, and what the cassette leaves out is refused."""
    write(folder / "test_it.yaml", exchange(), exchange())
    code = f"""
        import httpx2, pytest, requests
        from llmtest.errors import NetworkBlockedError

        @pytest.mark.vcr(ignore_hosts=["other.example.com"])
        def test_it():
            assert httpx2.post("{URL}").json() == requests.post("{URL}").json() == {{"ok": True}}
            with pytest.raises(NetworkBlockedError):
                httpx2.post("https://other.example.com")
    """
    result = ours(code, ini="llmtest_block_network = true")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["E *NetworkBlockedError: blocked a live request to other.example.com*"])


def test_vcrpy_in_code_plays_inside_and_beside_our_own(ours, pytester):
    """`vcr.VCR(...)` and `vcr.use_cassette` work in a test without a marker, and beside one of `llm_cassette`."""
    write(pytester.path / "one.yaml", exchange())
    code = f"""
        import httpx, httpx2, vcr
        from llmtest import use_cassette

        def test_it():
            with vcr.VCR(record_mode="none").use_cassette("one.yaml") as cassette:
                assert httpx2.post("{URL}").json() == {{"ok": True}}
                assert cassette.all_played

        def test_nested(llm_cassette):
            with vcr.use_cassette("one.yaml", record_mode="none"):
                assert httpx.post("{URL}").json() == {{"ok": True}}

        def test_inside(llm_sim):
            llm_sim.openai.replies("Paris")
            with vcr.use_cassette("one.yaml", record_mode="none"):
                assert httpx2.post("{URL}").json() == {{"ok": True}}
            assert httpx2.post("https://api.openai.com/v1/chat/completions", json={{"model": "gpt-4o", "messages": [
                {{"role": "user", "content": "Hi"}}]}}).status_code == 200

        def test_ours_inside_theirs():
            with vcr.use_cassette("one.yaml", record_mode="none"), use_cassette("one.yaml") as cassette:
                assert httpx2.post("{URL}", json={{"a": 1}}).json() == {{"ok": True}}
                assert cassette.played == 1
    """
    ours(code).assert_outcomes(passed=4)


def test_vcrpy_in_code_is_counted_as_the_marker_is(ours, pytester, monkeypatch):
    """Bodies that were not compared, misses that were swallowed, live requests: by `use_cassette`, `VCR`, decorator."""
    write(pytester.path / "one.yaml", exchange({"a": 1}), exchange({"a": 1}))
    monkeypatch.setattr(socket, "getaddrinfo", socket.getaddrinfo)
    code = f"""
        import httpx, pytest, requests, socket, vcr

        def unresolved(*arguments, **options):
            raise socket.gaierror("no network here")

        socket.getaddrinfo = unresolved

        def test_by_a_context():
            with vcr.use_cassette("one.yaml", record_mode="none"):
                httpx.post("{URL}", json={{"a": 2}})
                requests.post("{URL}", json={{"a": 1}})

        @vcr.VCR(record_mode="none").use_cassette("one.yaml")
        def test_by_a_decorator():
            requests.post("{URL}", json={{"a": 3}})
            with pytest.raises(Exception):
                httpx.post("https://other.example.com/", json={{}})

        @pytest.mark.vcr
        @pytest.mark.default_cassette("none.yaml")
        def test_inside_the_marker(vcr):
            import vcr as library
            with library.use_cassette("one.yaml", record_mode="none"):
                httpx.post("{URL}", json={{"a": 1}})

        def test_beside():
            with vcr.use_cassette("one.yaml", ignore_hosts=["telemetry.example.com"]):
                with pytest.raises(httpx.ConnectError):
                    httpx.post("https://telemetry.example.com/")
    """
    result = ours(code)
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(
        "llmtest: vcr: 2 of 4 answers were played to another body than the recorded one (`match_on` compares no body); "
        "1 request had no recorded answer, in tests that passed; connected to beside the cassettes: "
        "telemetry.example.com"
    )


def test_vcrpy_in_code_tells_a_failed_test_what_it_had_no_answer_for(ours, pytester):
    """Where the client has put an error of its own in the place of vcrpy's."""
    write(pytester.path / "one.yaml", exchange())
    result = ours(
        """
        import httpx, vcr

        def test_it():
            with vcr.use_cassette("one.yaml", record_mode="none"):
                try:
                    httpx.post("https://other.example.com/ask", json={})
                except Exception:
                    raise ValueError("no answer") from None

        def test_the_next():
            raise ValueError("its own")
        """
    )
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["The cassette has no answer for:", "  POST https://other.example.com/ask"])
    assert str(result.stdout).count("The cassette has no answer for:") == 1


def test_vcrpy_in_code_beside_a_simulation_is_in_its_trace_and_account(ours, pytester):
    """An answer of a provider that vcrpy hands over is an attempt with a cost, without any marker."""
    url = "https://api.openai.com/v1/chat/completions"
    asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}
    message = {"role": "assistant", "content": "Hello"}
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    answer = {"model": "gpt-4o", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage}
    write(pytester.path / "one.yaml", exchange(asked, answer, url=url))
    code = f"""
        import httpx, vcr

        def test_beside(llm_sim):
            with vcr.use_cassette("one.yaml", record_mode="none"):
                httpx.post("{url}", json={asked})
            llm_sim.assert_sequence("openai:200")
            assert str(llm_sim.costs.summary.known_usd.normalize()) == "0.000075"
    """
    ours(code).assert_outcomes(passed=1)


def test_k14_what_the_marker_plays_beside_a_simulation_is_in_its_trace_and_account(ours, pytester):
    """Vcrpy hands the answer over, compressed as it was; the simulation has its attempt and its cost."""
    url = "https://api.openai.com/v1/chat/completions"
    asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}
    answer = {
        "model": "gpt-4o",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    }
    packed = exchange(asked, answer, url=url, headers={"content-encoding": ["gzip"]})
    packed["response"]["body"]["string"] = gzip.compress(packed["response"]["body"]["string"].encode())
    path = pytester.path / "cassettes/test_it/test_beside.yaml"
    path.parent.mkdir(parents=True)
    plain, other = exchange(asked, answer, url=url), exchange(url="https://example.com/")
    path.write_text(yaml.safe_dump({"version": 1, "interactions": [packed, packed, plain, other]}))
    code = f"""
        import httpx, httpx2, pytest, requests

        @pytest.mark.vcr
        def test_beside(llm_sim):
            for send in (httpx.post, httpx2.post, requests.post):
                assert send("{url}", json={asked}).json()["usage"]["total_tokens"] == 15
            httpx2.post("https://example.com/", json={{}})  # no provider's
            llm_sim.assert_sequence(*["openai:200"] * 3)
            assert [entry.usage.output_tokens for entry in llm_sim.costs.entries] == [5, 5, 5]
            assert llm_sim.openai.requests[0].request.messages[0].text == "Hi"
    """
    ours(code).assert_outcomes(passed=1)


def test_a_vcrpy_that_does_not_know_httpx2_is_taught(monkeypatch, pytester):
    """Cassettes of earlier versions play and record httpx2, with status, headers and repeated headers as they were."""
    import httpx2
    import vcr
    from vcr.patch import CassettePatcherBuilder

    from llmtest.cassettes.vcr import prepare_vcrpy

    assert hasattr(CassettePatcherBuilder, "_httpx2")
    monkeypatch.setattr(CassettePatcherBuilder, "build", CassettePatcherBuilder.build)
    monkeypatch.delattr(CassettePatcherBuilder, "_httpx2")
    monkeypatch.setattr(
        CassettePatcherBuilder,
        "build",
        lambda self: self._build_patchers_from_mock_triples(self._cassette.custom_patches),
    )
    prepare_vcrpy()
    with live_provider() as provider, vcr.use_cassette("one.yaml", match_on=["method", "body"]) as cassette:
        body = {"messages": [{"content": "Hi"}]}
        live = httpx2.post(f"{provider.base_url}/ask", json=body)
        assert cassette.dirty
    with vcr.use_cassette("one.yaml", record_mode="none", match_on=["method", "body"]) as cassette:
        played = httpx2.post("http://nowhere.example.com/ask", json=body)
        with pytest.raises(vcr.errors.CannotOverwriteExistingCassetteException):
            httpx2.post("http://nowhere.example.com/ask", json={})
    assert (played.status_code, played.reason_phrase, played.content) == (200, "OK", live.content)
    assert played.headers == live.headers


def test_pytest_vcr_beside_us_is_refused(run_tests):
    """The other plugin for vcrpy has the same marker and fixture: two of them would play one test."""
    result = run_tests("", ini=OURS, conftest=PYTEST_VCR)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*llmtest_vcr_marker = true: pytest-vcr is there too, *", "To fix: * `-p no:vcr`."])


PYTEST_VCR = """
'''Stands for pytest-vcr.'''

def pytest_addoption(parser, pluginmanager):
    pluginmanager.register(object(), "vcr")
"""
