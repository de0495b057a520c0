"""Answers that are right and written oddly: a client with the bug fails, a right one passes, and no edit is silent."""

import json

import anthropic
import httpx2
import openai
import pytest

from llmtest import OpenAIProvider, Simulation, errors, faults
from llmtest.errors import ConfigurationError, SimulationStateError
from llmtest.faults import FaultRule, WireEdit
from llmtest.simulation import Reply
from llmtest.types import CompletionRequest, ToolCall, Usage
from tests.simulation.sim_calls import Answered, exchange, make_world, post, text_of, texts_of

URL = "https://api.openai.com/v1/chat/completions"
MESSAGES = [{"role": "user", "content": "Weather?"}]
PARIS = ToolCall("call_a", "weather", '{"city": "Paris"}')
ROME = ToolCall("call_b", "weather", '{"city": "Rome"}')
INDEX = "choices[0].delta.tool_calls[*].index"


def lines_of(url=URL):
    """Yield the lines of a stream, read in order and joined over pieces."""
    body = {"model": "gpt-4o", "messages": MESSAGES, "stream": True}
    with httpx2.stream("POST", url, json=body, timeout=60) as answer:
        yield from answer.iter_lines()


def chunks():
    """Yield the chunks of a stream, as a right reader of server-sent events finds them."""
    for line in lines_of():
        if line.startswith("data:") and line.removeprefix("data:").strip() != "[DONE]":
            yield json.loads(line.removeprefix("data:"))


def deltas():
    """Yield the pieces of tool calls."""
    for chunk in chunks():
        for choice in chunk.get("choices") or ():
            yield from choice["delta"].get("tool_calls") or ()


def calls_by_index(*, tolerant):
    """Put tool calls together as clients do: by index; a tolerant one starts a call at each new id."""
    calls = []
    by_index = {}
    for delta in deltas():
        function = delta["function"]
        if tolerant:
            if delta.get("id"):
                calls.append("")
            calls[-1] += function.get("arguments") or ""
        else:
            by_index[delta["index"]] = by_index.get(delta["index"], "") + function["arguments"]
    return calls if tolerant else [by_index[index] for index in range(len(by_index))]


def text_by(read):
    """Return the text of a stream."""
    return "".join(read(chunk) or "" for chunk in chunks())


def content(chunk):
    """Read a chunk as it ought to be read: a choice may be missing."""
    return chunk["choices"][0]["delta"].get("content") if chunk["choices"] else None


def hasty_content(chunk):
    """Read a chunk as if there were always a choice."""
    return chunk["choices"][0]["delta"].get("content")


def content_by_lines():
    """Read a stream as if every line that is not blank were data."""
    data = [json.loads(line.removeprefix("data: ")) for line in lines_of() if line.strip() and "[DONE]" not in line]
    return "".join(content(chunk) or "" for chunk in data)


def whole_answer(*, strips):
    """Return the text of a whole answer; one client looks at the first byte to tell JSON from a page."""
    body = httpx2.post(URL, json={"model": "gpt-4o", "messages": MESSAGES}, timeout=60).content
    if not strips and not body.startswith(b"{"):
        raise ValueError("no JSON")
    return json.loads(body)["choices"][0]["message"]["content"]


def total_tokens(*, adds):
    """Count the tokens of a stream: the last usage counts, and adding them up is the bug."""
    found = [chunk["usage"]["completion_tokens"] for chunk in chunks() if chunk.get("usage")]
    return sum(found) if adds else found[-1]


AZURE = {"id": "", "object": "", "created": 0, "model": "", "choices": [], "prompt_filter_results": []}
USAGE = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
BOTH = ['{"city": "Paris"}', '{"city": "Rome"}']
QUIRKS = [
    pytest.param(
        Reply(tool_calls=(PARIS,), edit=WireEdit(drop=INDEX)),
        lambda: calls_by_index(tolerant=False),
        lambda: calls_by_index(tolerant=True),
        BOTH[:1],
        id="deltas-without-index",
    ),
    pytest.param(
        Reply(tool_calls=(PARIS,), edit=WireEdit(set={INDEX: 1})),
        lambda: calls_by_index(tolerant=False),
        lambda: calls_by_index(tolerant=True),
        BOTH[:1],
        id="first-index-1",
    ),
    pytest.param(
        Reply(tool_calls=(PARIS, ROME), edit=WireEdit(set={INDEX: lambda index: index + 1})),
        lambda: calls_by_index(tolerant=False),
        lambda: calls_by_index(tolerant=True),
        BOTH,
        id="indexes-from-1",
    ),
    pytest.param(
        Reply(tool_calls=(PARIS, ROME), edit=WireEdit(set={INDEX: 0})),
        lambda: calls_by_index(tolerant=False),
        lambda: calls_by_index(tolerant=True),
        BOTH,
        id="two-calls-of-one-index",
    ),
    pytest.param(
        Reply(
            tool_calls=(PARIS,), edit=WireEdit(set={"choices[0].delta.tool_calls[0].function.arguments": None}, at=1)
        ),
        lambda: calls_by_index(tolerant=False),
        lambda: calls_by_index(tolerant=True),
        BOTH[:1],
        id="arguments-null",
    ),
    pytest.param(
        Reply("Paris", edit=WireEdit(comment="OPENROUTER PROCESSING")),
        content_by_lines,
        lambda: text_by(content),
        "Paris",
        id="comment-line",
    ),
    pytest.param(
        Reply("Paris", edit=WireEdit(keep_alive=5), fault=faults.SlowFirstToken(20)),
        content_by_lines,
        lambda: text_by(content),
        "Paris",
        id="keep-alives",
    ),
    pytest.param(
        Reply("Paris", edit=WireEdit(before=AZURE)),
        lambda: text_by(hasty_content),
        lambda: text_by(content),
        "Paris",
        id="first-chunk-without-choices",
    ),
    pytest.param(
        Reply("Paris", edit=WireEdit(before=b"\n\n\n")),
        lambda: whole_answer(strips=False),
        lambda: whole_answer(strips=True),
        "Paris",
        id="blank-lines-before-json",
    ),
    pytest.param(
        Reply("one two three", edit=WireEdit(set={"usage": USAGE})),
        lambda: total_tokens(adds=True),
        lambda: total_tokens(adds=False),
        3,
        id="usage-in-each-chunk",
    ),
]


@pytest.mark.parametrize(("reply", "buggy", "right", "expected"), QUIRKS)
def test_e08_a_client_with_the_bug_fails_and_a_right_one_passes(reply, buggy, right, expected):
    """Each quirk is one line of a test, and tells the two apart; without it nobody could."""
    plain = Reply(reply.text, tool_calls=reply.tool_calls)
    with Simulation() as sim:
        sim.openai.replies(reply, reply, *([] if expected == 3 else [plain, plain]))
        assert right() == expected
        try:
            read = buggy()
        except (KeyError, ValueError, TypeError, IndexError):
            read = None
        assert read != expected
        if expected != 3:
            assert (buggy(), right()) == (expected, expected)


@pytest.mark.parametrize(
    "edit",
    [
        WireEdit(drop=INDEX),
        WireEdit(set={INDEX: 0}),
        WireEdit(set={INDEX: 1}),
        WireEdit(set={INDEX: lambda index: index + 1}),
        WireEdit(set={INDEX: None}),
    ],
    ids=["none", "always-0", "always-1", "from-1", "null"],
)
def test_e08_our_own_layer_tells_calls_apart_however_they_are_numbered(edit):
    """Two calls are two calls, each with its own arguments, whole and as events of the stream."""
    with Simulation() as sim:
        sim.openai.replies(Reply(tool_calls=(PARIS, ROME), edit=edit))
        events = list(OpenAIProvider(model="gpt-4o").stream(CompletionRequest.ask("hi")))
    assert [call.arguments for call in events[-1].response.tool_calls] == BOTH
    begun = [event.index for event in events if event.kind == "tool_call"]
    told = dict.fromkeys(begun, "")
    for event in events:
        if event.kind == "tool_arguments":
            told[event.index] += event.text
    assert list(told.values()) == BOTH


def test_e08_openrouter_comments_while_the_first_token_is_awaited():
    """Five seconds apart, after a head that came at once; the official SDK passes over them."""
    with Simulation() as sim:
        edit = WireEdit(comment="OPENROUTER PROCESSING", keep_alive=5)
        sim.openrouter.replies(Reply("Paris", edit=edit, latency=18))
        client = openai.OpenAI(base_url="https://openrouter.ai/api/v1", timeout=6)
        stream = client.chat.completions.create(model="openai/gpt-4o", messages=MESSAGES, stream=True)
        assert sim.clock.elapsed() == 0
        assert "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices) == "Paris"
        assert sim.clock.elapsed() == 18
    handle = make_world().provider("openrouter").replies(Reply("Paris", edit=edit, latency=18))
    answered = Answered(handle._provider.receive(exchange("openai", stream=True)))
    assert answered.pieces[:3] == [b": OPENROUTER PROCESSING\n\n"] * 3
    assert answered.waits == [5, 5, 5, 3]


def test_e08_anthropic_pings_and_other_servers_send_blank_lines():
    """The sign of life is the API's own; before a whole answer it is a blank line, which JSON does not mind."""
    world = make_world()
    handle = world.provider("anthropic").replies(Reply("Paris", edit=WireEdit(keep_alive=10), latency=25), times=2)
    streamed = post(handle, stream=True)
    assert streamed.pieces[:2] == [b'event: ping\ndata: {"type": "ping"}\n\n'] * 2
    whole = post(handle)
    assert (whole.pieces[:2], whole.waits, text_of(whole, "anthropic")) == ([b"\n"] * 2, [10, 10, 5], "Paris")


def test_e08_signs_of_life_keep_a_client_waiting_that_has_no_other_limit():
    """A read timeout never strikes; an endless silence is kept alive for an hour, and then falls silent."""
    handle = make_world().provider("openai")
    handle.replies(Reply("a b c", edit=WireEdit(keep_alive=600), fault=faults.StreamStalled(1)))
    answered = post(handle, stream=True)
    assert answered.pieces.count(b": keep-alive\n\n") == 5
    assert (sum(answered.waits), answered.failure) == (3000, "read_timeout")


@pytest.mark.parametrize("mode", ["events", "random", "whole"])
def test_the_official_sdks_read_what_is_written_oddly_and_cut(mode):
    """Comments, pings, a chunk without choices and repeated usage change nothing for them."""
    edits = (WireEdit(comment="hello"), WireEdit(before=AZURE), WireEdit(set={"usage": USAGE}))
    with Simulation(fragmentation=mode) as sim:
        sim.openai.replies(Reply("Grüße 🗼", edit=edits))
        stream = openai.OpenAI().chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True)
        text = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
        sim.anthropic.replies(Reply("Grüße 🗼", edit=WireEdit(keep_alive=1), fault=faults.SlowFirstToken(5)))
        options = {"model": "claude-opus-5", "max_tokens": 50, "messages": MESSAGES}
        with anthropic.Anthropic().messages.stream(**options) as events:
            assert ("".join(events.text_stream), text) == ("Grüße 🗼", "Grüße 🗼")


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_events_are_dropped_and_sent_twice_by_number(dialect):
    """From 0, and from -1 backwards; both of one edit count the events as the codec wrote them."""
    handle = make_world().provider(dialect).replies("one two three", times=None)
    written = post(handle, stream=True).pieces
    handle._provider.reset()
    handle.replies(Reply("one two three", edit=WireEdit(repeat=1)), Reply("one two three", edit=WireEdit(drop=-1)))
    handle.replies(Reply("one two three", edit=WireEdit(repeat=0, drop=2)))
    sizes = [list(map(len, post(handle, stream=True).pieces)) for _ in range(3)]
    plain = list(map(len, written))
    assert sizes == [
        [*plain[:2], plain[1], *plain[2:]],
        plain[:-1],
        [plain[0], *plain[:2], *plain[3:]],
    ]


def test_fields_of_a_whole_answer_are_dropped_and_set():
    """The same edits, with the paths of the body."""
    handle = make_world().provider("openai")
    edit = WireEdit(drop="usage", set={"choices[0].message.content": None, "choices[*].finish_reason": "eos"})
    answered = post(handle.replies(Reply("Paris", edit=edit)))
    assert "usage" not in answered.json
    (choice,) = answered.json["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == (None, "eos")


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_the_direct_path_reads_edited_answers_too(dialect):
    """Its provider takes the long way through the bytes, and sees what the wire would show."""
    handle = make_world().provider(dialect)
    handle.replies(Reply("Paris", edit=WireEdit(comment="hello")), Reply("Paris", edit=WireEdit(before=b"\n")))
    provider = handle.as_provider("gpt-4o")
    assert [*provider.stream(CompletionRequest.ask("hi"))][-1].response.content == "Paris"
    assert provider.complete(CompletionRequest.ask("hi")).content == "Paris"
    with pytest.raises(errors.StreamInterruptedError, match="without its terminator"):
        list(handle.replies(Reply("Paris", edit=WireEdit(drop=-1))).as_provider().stream(CompletionRequest.ask("hi")))


def test_edits_come_before_the_break_of_a_stream():
    """Repeated events are sent before it, and what is counted is what the client gets to see."""
    handle = make_world().provider("openai")
    handle.replies(Reply("one two three", edit=WireEdit(repeat=1), fault=faults.StreamDropped(2)))
    answered = post(handle, stream=True)
    assert (texts_of(answered), answered.failure) == (["one", "one"], "incomplete")


def test_events_say_exactly_what_is_streamed():
    """Mappings are framed as the API does it, bytes go out as they are, and nothing is added."""
    raw = [b": hello\n\n", {"choices": [{"index": 0, "delta": {"content": "Paris"}}]}, b"data: [DONE]\n\n"]
    answered = post(make_world().provider("openai").replies(Reply(events=raw)), stream=True)
    framed = b'data: {"choices":[{"index":0,"delta":{"content":"Paris"}}]}\n\n'
    assert answered.pieces == [raw[0], framed, raw[2]]
    event = {"type": "message_stop"}
    answered = post(make_world().provider("anthropic").replies(Reply(events=[event])), stream=True)
    assert answered.pieces == [b'event: message_stop\ndata: {"type":"message_stop"}\n\n']


def test_events_are_billed_what_they_tell():
    """The usage of an event counts; without one what was said is estimated; a test's own number beats both."""
    text = {"choices": [{"index": 0, "delta": {"content": "The capital of"}, "finish_reason": "stop"}]}
    told = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 9, "total_tokens": 16}}
    handle = make_world().provider("openai")
    handle.replies(Reply(events=[text, told, b"data: [DONE]\n\n"]), Reply(events=[text, b"data: [DONE]\n\n"]))
    handle.replies(Reply(events=[text, b"data: [DONE]\n\n"], usage=Usage(1, 2)))
    for _ in range(3):
        post(handle, stream=True)
    told, estimated, own = (record.usage for record in handle.requests)
    assert (told.input_tokens, told.output_tokens) == (7, 9)
    assert (estimated.output_tokens, estimated.source) == (4, "estimated")
    assert own == Usage(1, 2)


def test_broken_events_reach_the_official_sdk():
    """What a provider never ought to send is sent, and the SDK's own words come back."""
    with Simulation() as sim:
        sim.openai.replies(Reply(events=[b'data: {"choices": \n\n', b"data: [DONE]\n\n"]))
        with pytest.raises(json.JSONDecodeError):
            list(openai.OpenAI().chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True))


def test_an_edit_that_finds_nothing_fails_the_test_and_names_what_there_is():
    """A misspelt path must not pass in silence."""
    world = make_world()
    handle = world.provider("openai").replies(Reply("Paris", edit=WireEdit(drop="choices[0].delta.contnt")))
    with pytest.raises(SimulationStateError) as caught:
        post(handle, stream=True)
    assert str(caught.value) == (
        "`openai`: WireEdit(drop='choices[0].delta.contnt'): no part of this answer has `choices[0].delta.contnt`. "
        "Did you mean `choices[0].delta.content`?\n\n"
        "  it has: choices[0].delta.content, choices[0].delta.refusal, choices[0].delta.role, "
        "choices[0].finish_reason, choices[0].index, choices[0].logprobs, created, id, model, obfuscation, object, "
        "service_tier, system_fingerprint.\n\n"
        "To fix: a path that the answer has"
    )
    assert world.harness_errors == [caught.value]
    assert handle.requests[0].outcome == "harness_error"


@pytest.mark.parametrize(
    ("edit", "stream", "text"),
    [
        (
            WireEdit(drop=99),
            True,
            (
                "there is no event 99: this answer has 4, from 0 to 3.\n\n"
                "To fix: the number of one of them; -1 is the last"
            ),
        ),
        (
            WireEdit(keep_alive=5),
            True,
            (
                "no silence of this answer is longer than 5 s.\n\n"
                "To fix: let it be late, as in Reply(text, fault=faults.SlowFirstToken(20))"
            ),
        ),
        (
            WireEdit(repeat=1),
            False,
            (
                "it is about events, and this request asked for a whole answer.\n\n"
                "To fix: edit the fields of the whole answer, or ask for a stream"
            ),
        ),
    ],
    ids=str,
)
def test_every_edit_that_changes_nothing_is_told(edit, stream, text):
    """An event that is not there, a silence that never comes, events of an answer without any."""
    handle = make_world().provider("openai").replies(Reply("Paris", edit=edit))
    with pytest.raises(SimulationStateError) as caught:
        post(handle, stream=stream)
    assert str(caught.value) == f"`openai`: {edit!r}: {text}"


@pytest.mark.parametrize("fault", [faults.WrongContentType(), faults.EmptyResponse(), faults.Timeout("first_token")])
def test_an_edit_of_an_answer_that_a_fault_takes_away_is_told(fault):
    """A page, an empty body and a silence hold nothing to edit; a sign of life in the silence does go out."""
    handle = make_world().provider("openai")
    handle.replies(Reply("Paris", edit=WireEdit(comment="hello"), fault=fault))
    with pytest.raises(SimulationStateError) as caught:
        post(handle, stream=True)
    assert str(caught.value) == (
        f"`openai`: WireEdit(comment='hello'): the fault `{fault.name}` leaves nothing of this answer to edit.\n\n"
        "To fix: leave one of the two out"
    )
    handle.replies(Reply("Paris", edit=WireEdit(keep_alive=900), fault=faults.Timeout("first_token")))
    assert post(handle, stream=True).pieces == [b": keep-alive\n\n"] * 3


def test_events_meet_a_request_without_a_stream():
    """They have no other form, so that the test is told."""
    handle = make_world().provider("openai").replies(Reply(events=[b"data: [DONE]\n\n"]))
    with pytest.raises(SimulationStateError) as caught:
        post(handle)
    assert str(caught.value) == (
        "`openai`: Reply(events=...) is a stream, and this request asked for a whole answer.\n\n"
        "To fix: Reply(text) for it, or ask for a stream"
    )


def test_an_edit_of_a_rule_fires_where_it_finds_something():
    """Over mixed traffic a rule passes by what it does not concern, and counts only what it changed."""
    world = make_world()
    handle = world.provider("openai").replies("no tools").calls_tool("weather", {"city": "Rome"})
    rule = world.add_fault_rule(FaultRule("no index", WireEdit(drop=INDEX)))
    world.add_fault_rule(FaultRule("comments", WireEdit(comment="hello")))
    texts = b"".join(post(handle, stream=True).pieces)
    assert (rule.fired, texts.startswith(b": hello\n\n")) == (0, True)
    assert b'"tool_calls":[{"index"' not in b"".join(post(handle, stream=True).pieces)
    assert world.fired() == {"no index": 1, "comments": 2}
    assert [event.rule for event in world.trace if hasattr(event, "rule")] == ["comments", "no index", "comments"]


def test_fails_may_edit_filler_text():
    """An edit lets an answer begin, and so breaks the default of its handle."""
    handle = make_world().provider("openai").fails(WireEdit(comment="hello")).echoes()
    answered = post(handle, "Paris", stream=True)
    assert (answered.pieces[0], texts_of(answered)) == (b": hello\n\n", ["Paris"])


def test_edits_are_values_like_other_faults():
    """Equal, hashable, printed as they are written."""
    edit = WireEdit(set={"usage": {"prompt_tokens": 1}}, at=-2)
    assert edit == WireEdit(set={"usage": {"prompt_tokens": 1}}, at=-2)
    assert len({edit, WireEdit(comment="a"), WireEdit(comment="a")}) == 2
    assert str(edit) == "wire_edit(set={'usage': {'prompt_tokens': 1}}, at=-2)"
    assert repr(edit) == "WireEdit(set={'usage': {'prompt_tokens': 1}}, at=-2)"


MISTAKES = [
    pytest.param(WireEdit, "it changes nothing", id="nothing"),
    pytest.param(lambda: WireEdit(set={}), "it changes nothing", id="nothing-set"),
    pytest.param(lambda: WireEdit(drop="choices[x]"), "'choices[x]' is no path", id="no-path"),
    pytest.param(lambda: WireEdit(set={"a..b": 1}), "'a..b' is no path", id="a-name-is-missing"),
    pytest.param(lambda: WireEdit(repeat=1.5), "repeat must be the number of an event, got 1.5", id="half-an-event"),
    pytest.param(lambda: WireEdit(drop=True), "drop must be the number of an event, got True", id="no-number"),
    pytest.param(
        lambda: WireEdit(repeat=1, at=2),
        "at says which event drop=path, set and comment look at, and there is none of these",
        id="at-of-nothing",
    ),
    pytest.param(lambda: WireEdit(comment="a\nb"), "comment must be a text on one line, got 'a\\nb'", id="two-lines"),
    pytest.param(lambda: WireEdit(keep_alive=0), "keep_alive must be 0.001 seconds or more, got 0", id="no-time"),
    pytest.param(lambda: WireEdit(before="\n"), "before must be bytes or a mapping, got '\\n'", id="text-before"),
    pytest.param(lambda: WireEdit(set={"usage": {1, 2}}), "JSON cannot hold {1, 2}", id="not-json"),
]


@pytest.mark.parametrize(("make", "text"), MISTAKES)
def test_an_edit_that_makes_no_sense_is_refused_where_it_is_written(make, text):
    """Each has one clear error."""
    with pytest.raises(ConfigurationError) as caught:
        make()
    assert str(caught.value).partition("\n\nTo fix: ")[0] == f"WireEdit: {text}."


@pytest.mark.parametrize(
    ("make", "text"),
    [
        pytest.param(
            lambda: Reply("Paris", events=[]),
            "Reply: events are all that is streamed, and `text` would never be said.\n\n"
            "To fix: leave `text` out, or change what the codec writes: Reply(text, edit=faults.WireEdit(...))",
            id="text-beside-events",
        ),
        pytest.param(
            lambda: Reply(events=["data: [DONE]\n\n"]),
            "Reply: an event is a mapping that JSON can hold, or bytes, got 'data: [DONE]\\n\\n'.\n\n"
            "To fix: b'data: [DONE]\\n\\n' goes out as it is",
            id="text-as-event",
        ),
        pytest.param(
            lambda: Reply(events=[{"a": {1}}]),
            "Reply: an event is a mapping that JSON can hold, or bytes, got {'a': {1}}.\n\n"
            'To fix: b"data: [DONE]\\n\\n"',
            id="not-json",
        ),
        pytest.param(
            lambda: Reply("Paris", edit="drop"),
            "Reply: edit must be a faults.WireEdit, or several, got 'drop'.\n\n"
            'To fix: Reply(text, edit=faults.WireEdit(comment="PROCESSING"))',
            id="no-edit",
        ),
    ],
)
def test_a_reply_that_makes_no_sense_is_refused_where_it_is_written(make, text):
    """Events replace everything, and edits are edits."""
    with pytest.raises(ConfigurationError) as caught:
        make()
    assert str(caught.value) == text
