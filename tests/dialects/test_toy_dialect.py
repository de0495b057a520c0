"""A dialect that is added at run time is at home everywhere, without another line anywhere."""

import json
import os
from importlib.metadata import EntryPoint

import httpx
import httpx2
import openai
import pytest

from llmtest import Json, Reply, Simulation, build_chain, faults, load_scenario, run_scenario, use_cassette, wire
from llmtest.cli._app import run
from llmtest.errors import ConfigurationError, OverloadedError, SimulationStateError, StreamInterruptedError
from llmtest.events import RequestAnswered
from llmtest.faults import FaultRule
from llmtest.testing import check_dialect
from llmtest.types import CompletionRequest
from llmtest.wire import registered
from tests.dialects.toy import TALK, TOY

URL = "https://api.toy.test/v2/talk"
ASKED = {"model": "toy-1", "talk": [{"who": "user", "say": "hi"}], "most": 9}


@pytest.fixture(autouse=True)
def toy():
    """Know the toy for one test."""
    with registered(TOY):
        yield


def test_it_conforms():
    """The public check passes."""
    check_dialect(TOY)


@pytest.mark.parametrize("library", [httpx, httpx2], ids=["httpx", "httpx2"])
def test_it_is_intercepted_and_scripted(library):
    """Its host is known from the start; a handle of its name scripts it, by its prompt too."""
    with Simulation() as sim:
        sim.toy.replies("Paris").when(prompt_contains="hi").replies("Rome")
        answer = library.post(URL, json=ASKED).json()
        assert (answer["say"], answer["why"], answer["tokens"][1]) == ("Rome", "end", 1)
        assert library.post(URL, json={**ASKED, "talk": [{"who": "user", "say": "yo"}]}).json()["say"] == "Paris"
        assert library.get("https://api.toy.test/v2/status").json() == {"up": True}
        sim.assert_sequence("toy/toy-1:200", "toy/toy-1:200", "toy:200")


def test_its_stream_has_lines_and_no_terminator():
    """A streamed answer is cut as the dialect says, under its own content type."""
    with Simulation() as sim:
        sim.toy.replies("one two three")
        answer = httpx.post(URL, json={**ASKED, "stream": True})
        lines = [json.loads(line) for line in answer.text.splitlines()]
        assert answer.headers["content-type"] == "application/x-ndjson"
        assert "".join(line["piece"] for line in lines) == "one two three"
        assert lines[-1]["why"] == "end"


def test_its_mount_speaks_the_other_dialect():
    """Below a part of its address the official SDK of another vendor is answered, by the same handle."""
    with Simulation() as sim:
        sim.toy.replies("Paris")
        client = openai.OpenAI(api_key="k", base_url="https://api.toy.test/compat/v1")
        message = {"role": "user", "content": "hi"}
        answer = client.chat.completions.create(model="toy-1", messages=[message])
        assert answer.choices[0].message.content == "Paris"
        assert sim.toy.requests[0].path == "/compat/v1/chat/completions"


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (faults.StreamTruncated(99), "truncated"),
        (faults.StreamTruncated(1), "truncated"),
        (faults.StreamDropped(1), "dropped"),
        (faults.StreamMalformed(1), "malformed"),
        (faults.StreamError(1), "error"),
    ],
    ids=str,
)
def test_its_streams_break(fault, kind):
    """Every stream fault strikes, also where the last piece of text is the end: nobody gets a whole answer."""
    with Simulation(strict=False) as sim:
        sim.toy.fails(fault)
        provider = sim.toy.as_provider("toy-1")
        with pytest.raises(StreamInterruptedError) as caught:
            list(provider.stream(CompletionRequest.ask("hi")))
        assert caught.value.kind == kind
        assert sim.trace.of(RequestAnswered)[0].outcome == kind


def test_it_is_faulted_in_its_own_words():
    """A fault is answered as the dialect writes errors; what it refuses itself is its own 400."""
    with Simulation() as sim:
        sim.toy.fails(faults.RateLimited(retry_after=30)).when(operation="status").fails(faults.Overloaded())
        limited = httpx.post(URL, json=ASKED)
        assert (limited.status_code, limited.headers["retry-after"]) == (429, "30")
        assert limited.json()["error"]["code"] == "rate_limited"
        assert httpx.get("https://api.toy.test/v2/status").status_code == 503
        assert httpx.post(URL, json={**ASKED, "talk": []}).json()["error"]["message"] == "talk must not be empty"
        sim.toy.limits(rpm=1)
        sim.toy.echoes()
        assert [httpx.post(URL, json=ASKED).status_code for _ in range(2)] == [200, 429]


def test_what_it_does_not_serve_is_a_harness_error():
    """An unknown path names what there is, never a KeyError; a script can answer it."""
    with Simulation() as sim:
        with pytest.raises(SimulationStateError) as caught:
            httpx.post("https://api.toy.test/v2/sing", json={})
        assert "simulated: POST /v2/talk, GET /v2/status" in str(caught.value)
        assert 'llm_sim.toy.on("POST", "/v2/sing").replies(Json({}))' in str(caught.value)
        sim.toy.on("POST", "/v2/sing").replies(Json({"song": "la"}))
        assert httpx.post("https://api.toy.test/v2/sing", json={}).json() == {"song": "la"}
        sim.world.harness_errors.clear()


def test_its_variables_are_read(monkeypatch):
    """A dummy key is set for its SDK, and its variable of an address moves it."""
    monkeypatch.delenv("TOY_API_KEY", raising=False)
    monkeypatch.setenv("TOY_URL", "http://localhost:4711/v2")
    with Simulation() as sim:
        assert os.environ["TOY_API_KEY"]
        sim.toy.replies("moved")
        assert httpx.post("http://localhost:4711/v2/talk", json=ASKED).json()["say"] == "moved"


@pytest.mark.parametrize("asynchronous", [False, True], ids=["blocking", "async"])
def test_a_chain_uses_it(asynchronous):
    """A chain file names it, and falls back to it; both halves of the record meet."""
    with Simulation() as sim:
        sim.openai.fails(faults.ServerError(503), times=None)
        sim.toy.replies("from toy")
        chain = build_chain({"retry": {"max_attempts": 1}, "providers": [{"provider": "openai"}, {"provider": "toy"}]})
        request = CompletionRequest.ask("hi")
        answer = sim.run(chain.complete_async(request)) if asynchronous else chain.complete(request)
        assert (answer.content, answer.provider, answer.model) == ("from toy", "toy", "toy-1")
        sim.assert_fallback("openai", "toy")
        sim.toy.replies("in lines")
        assert "".join(event.text for event in chain.stream(request) if event.kind == "text") == "in lines"
        sim.toy.fails(faults.Overloaded())
        with pytest.raises(OverloadedError):
            build_chain({"retry": {"max_attempts": 1}, "providers": [{"provider": "toy"}]}).complete(request)


def test_a_scenario_names_it(tmp_path):
    """A scenario file has it as a provider, as a dialect, and in its chain."""
    path = tmp_path / "toy.yaml"
    path.write_text(
        "version: 1\nname: toy\nproviders:\n  toy: {model: toy-1, price: {input: 1, output: 2}}\n"
        "  mine: {model: m, dialect: toy, price: {input: 1, output: 2}}\n"
        "chain:\n  providers: [{provider: toy}, {provider: mine, trigger: any_error}]\n"
        "load: {rate: 1/s, duration: 10s}\nfaults:\n"
        "  - {name: out, where: {provider: toy}, what: {server_error: {status: 503}}}\n"
        'expect: {availability: "== 100%"}\n'
    )
    result = run_scenario(load_scenario(path))
    assert result.ok
    assert result.served_by == {"toy": 0, "mine": result.calls}


def test_it_is_served_recorded_and_replayed(tmp_path, llm_server, capsys):
    """On a port it is below its name; a cassette records it, is read back with its words, and plays without a port."""
    path = tmp_path / "toy.yaml"
    assert llm_server.environment["TOY_URL"] == f"{llm_server.base_url}/toy/v2"
    url = f"{llm_server.environment['TOY_URL']}/talk"
    llm_server.toy.replies("Paris", "one two three")
    with use_cassette(path, "once"):
        first = httpx.post(url, json=ASKED).json()
        with httpx.stream("POST", url, json={**ASKED, "stream": True}) as answer:
            lines = list(answer.iter_lines())
    with use_cassette(path, "none"):
        assert httpx.post(url, json=ASKED).json() == first
        assert httpx.post(url, json={**ASKED, "stream": True}).text.splitlines() == lines
    with pytest.raises(SystemExit):
        run(["cassette", "inspect", "--json", str(path)])
    told = json.loads(capsys.readouterr().out)
    found = [(each["dialect"], each["operation"], each["prompt"], each["answer"]) for each in told["interactions"]]
    assert found == [("toy", "chat", "hi", "Paris"), ("toy", "chat", "hi", "one two three")]


def test_a_package_announces_one(monkeypatch):
    """An entry point of the group `llmtest.dialects` makes it known; one that is no dialect is named."""
    wire.unregister("toy")
    point = EntryPoint("toy", "tests.dialects.toy:TOY", "llmtest.dialects")
    broken = EntryPoint("odd", "tests.dialects.toy:WHYS", "llmtest.dialects")
    monkeypatch.setattr("llmtest.wire._registry.entry_points", lambda group: [point] if group == point.group else [])
    monkeypatch.setattr("llmtest.wire._registry._loaded", [])
    assert wire.dialect("toy") is TOY
    monkeypatch.setattr("llmtest.wire._registry.entry_points", lambda group: [broken])
    monkeypatch.setattr("llmtest.wire._registry._loaded", [])
    with pytest.raises(ConfigurationError) as caught:
        wire.dialects()
    assert str(caught.value) == (
        "the entry point `odd` of `llmtest.dialects` is dict, not a Dialect.\n\n"
        "To fix: let `tests.dialects.toy:WHYS` name an object made by llmtest.wire.Dialect(...)"
    )


def test_a_name_is_taken_once():
    """A second dialect of a name is refused, with a name that is free."""
    with pytest.raises(ConfigurationError) as caught:
        wire.register(TOY)
    assert str(caught.value) == (
        "there is a dialect named `toy` already.\n\nTo fix: give yours another name, such as `my_toy`"
    )


LATE = faults.SlowFirstToken(1)
SILENT = (
    "this API has no sign of life, for a stream of ndjson has no comments.\n\n"
    "To fix: let the answer be late without one: Reply(text, fault=faults.SlowFirstToken(1))"
)
REFUSED_EDITS = [
    (
        Reply("Paris", edit=faults.WireEdit(comment="PROCESSING")),
        'a stream of ndjson has no comments.\n\nTo fix: WireEdit(before=b"\\n") writes any bytes',
        Reply("Paris", edit=faults.WireEdit(before=b"\n")),
    ),
    (
        Reply("Paris", fault=LATE, edit=faults.WireEdit(keep_alive=0.25, comment="PROCESSING")),
        SILENT,
        Reply("Paris", fault=faults.SlowFirstToken(1)),
    ),
    (
        Reply("Paris", fault=LATE, edit=faults.WireEdit(keep_alive=0.25)),
        SILENT,
        Reply("Paris", fault=faults.SlowFirstToken(1)),
    ),
]


@pytest.mark.parametrize(("reply", "text", "instead"), REFUSED_EDITS, ids=["comment", "spoken-sign", "sign-of-life"])
def test_lines_have_no_comments_and_no_signs_of_life(reply, text, instead):
    """What lines of JSON cannot say is an error of the test, recorded; what is advised instead is sent."""
    streamed = {**ASKED, "stream": True}
    with Simulation(strict=False) as sim:
        sim.toy.replies(reply)
        with pytest.raises(SimulationStateError) as caught:
            httpx.post(URL, json=streamed)
        assert str(caught.value) == f"`toy`: {reply.edit!r}: {text}"
        assert sim.world.harness_errors == [caught.value]
        sim.world.harness_errors.clear()
        sim.toy.replies(instead)
        assert json.loads(httpx.post(URL, json=streamed).text.splitlines()[-1])["why"] == "end"


def test_a_whole_answer_of_it_is_kept_alive():
    """Outside a stream a blank line is a sign of life for whoever reads JSON."""
    with Simulation() as sim:
        sim.toy.replies(Reply("Paris", fault=LATE, edit=faults.WireEdit(keep_alive=0.4)))
        assert httpx.post(URL, json=ASKED).text.startswith("\n\n{")


def test_a_sign_of_life_of_its_own_is_sent():
    """A dialect that says how it keeps a stream alive is kept alive so."""
    names = ("decode_call", "encode_answer", "encode_stream", "stream_decoder", "framing")
    given = {name: TALK.__dict__.get(name, TALK.__dict__.get(f"_{name}")) for name in names}
    talk = wire.Endpoint("chat", "POST", "/talk", gives="completion", keep_alive=b'{"piece": ""}\n', **given)
    with registered(wire.Dialect("alive", hosts=("https://alive.test",), endpoints=(talk,))), Simulation() as sim:
        sim.alive.replies(Reply("Paris", fault=LATE, edit=faults.WireEdit(keep_alive=0.4)))
        streamed = {**ASKED, "stream": True}
        lines = httpx.post("https://alive.test/talk", json=streamed).text.splitlines()
        assert lines[:2] == ['{"piece": ""}'] * 2
        assert json.loads(lines[-1])["why"] == "end"
        sim.alive.replies(Reply("Paris", fault=LATE, edit=faults.WireEdit(keep_alive=0.4, comment="hello")))
        with pytest.raises(SimulationStateError, match=r"has no comments\.\n\nTo fix: leave `comment` out$"):
            httpx.post("https://alive.test/talk", json=streamed)
        sim.world.harness_errors.clear()


def test_a_rule_whose_sign_of_life_cannot_be_said_does_not_strike():
    """A rule for every provider passes this one over, and the answer is late as it was to be."""
    with Simulation(strict=False) as sim:
        rule = FaultRule("signs", faults.WireEdit(keep_alive=0.25))
        sim.world.add_fault_rule(rule)
        sim.toy.replies(Reply("Paris", fault=LATE))
        text = httpx.post(URL, json={**ASKED, "stream": True}).text
        assert [json.loads(line) for line in text.splitlines()][-1]["why"] == "end"
        assert (rule.fired, sim.clock.elapsed()) == (0, 1.0)
