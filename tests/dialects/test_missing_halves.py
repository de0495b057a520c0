"""A dialect need not have every half: what lacks one is one clear error of the test, never swallowed."""

import json
from contextlib import contextmanager

import httpx
import pytest

from llmtest import Reply, Simulation, build_chain, faults, use_cassette, wire
from llmtest.cli._app import run
from llmtest.errors import ConfigurationError, SimulationStateError
from llmtest.testing import check_dialect
from llmtest.types import CompletionRequest
from tests.dialects.toy import STATUS, TALK

URL = "https://mute.test/talk"
ASKED = {"model": "m-1", "talk": [{"who": "user", "say": "hi"}], "most": 9}
HALVES = ("encode_call", "decode_answer", "encode_stream", "stream_decoder")
CANNOT = {
    "encode_call": "write a request",
    "decode_answer": "read an answer",
    "encode_stream": "write a streamed answer",
    "stream_decoder": "read a streamed answer",
}


def mute(*missing):
    """Return a dialect that lacks some halves."""
    names = ("decode_call", "encode_answer", *(half for half in HALVES if half not in missing))
    given = {name: getattr(TALK, name) for name in names}
    talk = wire.Endpoint("chat", "POST", "/talk", gives="completion", framing=TALK.framing, **given)
    base = "https://mute.test"
    return wire.Dialect("mute", base_url=base, hosts=(base,), endpoints=(talk,), default_model="m-1", needs_key=False)


@contextmanager
def lacking(*missing):
    """Return a simulation in which a provider speaks a dialect without some halves."""
    with wire.registered(mute(*missing)), Simulation(strict=False) as sim:
        yield sim
        sim.world.harness_errors.clear()


def text_without(half):
    """Return what is said of a half that is not there."""
    return (
        f"the dialect `mute` cannot {CANNOT[half]} at POST /talk: its endpoint has no `{half}`.\n\n"
        f"To fix: Endpoint('chat', 'POST', '/talk', {half}=...)"
    )


def over_http(sim, stream):
    """Ask as code under test does, which swallows whatever is an Exception."""
    try:
        httpx.post(URL, json={**ASKED, "stream": stream})
    except Exception as swallowed:
        raise AssertionError("the code under test could swallow it") from swallowed


def directly(sim, stream):
    """Ask without HTTP; an answer that is odd is written and read by the dialect."""
    provider = sim.mute.as_provider("m-1")
    list(provider.stream(CompletionRequest.ask("hi"))) if stream else provider.complete(CompletionRequest.ask("hi"))


def by_chain(sim, stream):
    """Ask by our own layer over HTTP."""
    chain = build_chain({"retry": {"max_attempts": 3}, "providers": [{"provider": "mute"}]})
    list(chain.stream(CompletionRequest.ask("hi"))) if stream else chain.complete(CompletionRequest.ask("hi"))


USES = [
    ("encode_stream", over_http, True),
    ("stream_decoder", over_http, True),
    ("decode_answer", directly, False),
    ("encode_stream", directly, True),
    ("stream_decoder", directly, True),
    ("encode_call", by_chain, False),
    ("encode_call", by_chain, True),
    ("decode_answer", by_chain, False),
    ("stream_decoder", by_chain, True),
]


@pytest.mark.parametrize(("half", "ask", "stream"), USES, ids=[f"{row[0]}-{row[1].__name__}" for row in USES])
def test_each_use_of_a_half_that_is_missing_is_one_harness_error(half, ask, stream):
    """The text names dialect, endpoint and half, and how to give it; a retry loop asks no second time."""
    with lacking(half) as sim:
        # A stream that breaks is read by whoever breaks it; an answer that is odd, by the direct path.
        fault = faults.StreamTruncated(1) if stream and ask is not by_chain else None
        edit = faults.WireEdit(before=b"\n") if ask is directly and not stream else None
        sim.mute.replies(Reply("one two three", fault=fault, edit=edit), times=None)
        with pytest.raises(SimulationStateError) as caught:
            ask(sim, stream)
        assert str(caught.value) == text_without(half)
        assert sim.world.harness_errors == ([] if ask is by_chain else [caught.value])
        assert sim.mute.received == (0 if half == "encode_call" else 1)


def test_a_stream_that_nobody_can_read_is_billed_as_far_as_that_is_known():
    """A client that leaves early leaves no second error behind."""
    with lacking("stream_decoder") as sim:
        sim.mute.replies("one two three")
        with httpx.stream("POST", URL, json={**ASKED, "stream": True}) as answer:
            next(answer.iter_lines())
        assert sim.mute.requests[0].outcome == "abandoned"
        assert sim.world.harness_errors == []


def test_a_session_that_nobody_can_read_is_inspected(tmp_path, llm_server, capsys):
    """What was recorded of such a dialect is shown as its JSON, without a word of Python."""
    path = tmp_path / "mute.yaml"
    with wire.registered(mute("decode_answer", "stream_decoder")):
        llm_server.mute.replies("Paris", times=2)
        with use_cassette(path, "once"):
            for stream in (False, True):
                httpx.post(f"{llm_server.base_url}/mute/talk", json={**ASKED, "stream": stream})
        with pytest.raises(SystemExit):
            run(["cassette", "inspect", "--json", str(path)])
    told = json.loads(capsys.readouterr().out)
    assert [(each["dialect"], each["prompt"]) for each in told["interactions"]] == [("mute", "hi")] * 2


@pytest.mark.parametrize(
    ("missing", "text"),
    [
        (("encode_call",), "it has no `encode_call`, so that no client of ours can use it"),
        (("decode_answer",), "it has no `decode_answer`, so that no client of ours can use it"),
        (("encode_stream",), "it has one half of its streams, and no `encode_stream`"),
        (("stream_decoder",), "it has one half of its streams, and no `stream_decoder`"),
    ],
)
def test_the_conformance_check_names_what_is_missing(missing, text):
    """A half that is missing is a failure of the check, as every other break of the contract."""
    with pytest.raises(AssertionError) as caught:
        check_dialect(mute(*missing))
    assert str(caught.value).startswith(f"<endpoint POST /talk: chat>: {text}")


def test_a_dialect_that_does_not_stream_conforms():
    """Streams are no duty, where neither half pretends to them."""
    check_dialect(mute("encode_stream", "stream_decoder"))


def test_a_dialect_that_completes_nothing_makes_no_provider():
    """Asking it for completions is a mistake of the configuration, with the endpoint that it lacks."""
    status = wire.Dialect("status", base_url="https://status.test", endpoints=(STATUS,), needs_key=False)
    text = (
        "the dialect `status` completes no conversation: no endpoint of it gives completions.\n\n"
        'To fix: Dialect(endpoints=(Endpoint("chat", "POST", "/chat", gives="completion", ...),))'
    )
    with wire.registered(status), Simulation(strict=False) as sim:
        for make in (
            sim.status.as_provider,
            lambda: build_chain({"providers": [{"provider": "status", "model": "m"}]}),
        ):
            with pytest.raises(ConfigurationError) as caught:
                make()
            assert text in str(caught.value)


def test_a_key_that_no_variable_holds_is_passed():
    """A dialect that needs a key and names no variable says so, and where the key goes."""
    dialect = wire.Dialect("keyed", base_url="https://keyed.test", endpoints=(TALK,), default_model="m-1")
    with wire.registered(dialect):
        with pytest.raises(ConfigurationError) as caught:
            build_chain({"providers": [{"provider": "keyed"}]})
        text = "`keyed` needs an API key, and no variable holds it.\nTo fix: pass `api_key`"
        assert str(caught.value) == f"`providers[0]`: {text}"
        assert build_chain({"providers": [{"provider": "keyed", "api_key": "k"}]})


READ = (
    "the dialect `mute` could not read a request at POST /talk: JSONDecodeError: Expecting property name enclosed in "
    "double quotes: line 1 column 2 (char 1)\n\n"
    "To fix: let `decode_call` raise WireFormatError for what the API refuses, and read all else"
)
WRITE = (
    "the dialect `mute` could not write this answer at POST /talk: KeyError: <FinishReason.TOOL_USE: 'tool_use'>\n\n"
    "To fix: script an answer that the API can give, or let `encode_answer` write this one"
)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("body", "text"), [(b"{", READ), (None, WRITE)], ids=["request", "answer"])
def test_a_dialect_that_fails_is_a_harness_error(body, text, stream):
    """What its functions raise never reaches the code under test as its own KeyError; the request is noted."""
    with lacking() as sim:
        sim.mute.calls_tool("look")
        with pytest.raises(SimulationStateError) as caught:
            httpx.post(URL, content=body or json.dumps({**ASKED, "stream": stream}).encode())
        assert str(caught.value) == text
        assert sim.world.harness_errors == [caught.value]
        assert [record.outcome for record in sim.mute.requests] == ["harness_error"]


def test_a_dialect_that_fails_on_a_port_is_one_too(llm_server):
    """There it is a 500 with the same words, and fails the test at its end."""
    with wire.registered(mute()):
        llm_server.mute.calls_tool("look")
        answers = [httpx.post(f"{llm_server.base_url}/mute/talk", content=body) for body in (b"{", json.dumps(ASKED))]
    assert [answer.status_code for answer in answers] == [500, 500]
    errors = llm_server.world.harness_errors
    assert [str(error) for error in errors] == [READ, WRITE]
    errors.clear()
