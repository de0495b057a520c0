"""Scripts: which answer comes when, through the handle's public methods."""

import json
import threading

import pytest

from llmtest import faults
from llmtest.errors import ConfigurationError, SimulationStateError, UnscriptedRequestError
from llmtest.simulation import Reply
from llmtest.types import ChatMessage, CompletionRequest, FinishReason, ToolCall, Usage
from tests.simulation.sim_calls import exchange, make_world, post, text_of


@pytest.fixture
def openai():
    """Return the handle of a simulated OpenAI in a world of its own."""
    return make_world().provider("openai")


def answers(handle, count):
    """Return the texts of the next answers."""
    return [text_of(post(handle)) for _ in range(count)]


def test_replies_come_in_order(openai):
    """Each request gets the next reply."""
    openai.replies("one", "two").replies("three")
    assert answers(openai, 3) == ["one", "two", "three"]


def test_times_repeats_the_whole_row(openai):
    """`replies(a, b, times=2)` answers a b a b."""
    openai.replies("a", "b", times=2)
    assert answers(openai, 4) == ["a", "b", "a", "b"]
    with pytest.raises(UnscriptedRequestError):
        post(openai)


def test_times_none_repeats_the_last_reply(openai):
    """`replies(a, b, times=None)` answers a, then b for ever."""
    openai.replies("a", "b", times=None)
    assert answers(openai, 4) == ["a", "b", "b", "b"]


def test_one_reply_many_times(openai):
    """A single reply with `times` is one step played so often."""
    openai.replies("a", times=2).replies("b")
    assert answers(openai, 3) == ["a", "a", "b"]


def test_a_reply_may_be_a_function_of_the_request(openai):
    """A function gets the decoded request and returns a text, a Reply or a fault."""
    openai.replies(
        lambda request: request.messages[-1].text.upper(),
        lambda request: Reply("typed"),
        lambda request: faults.RateLimited(retry_after=7),
    )
    assert text_of(post(openai, "shout")) == "SHOUT"
    assert text_of(post(openai)) == "typed"
    assert post(openai).headers["retry-after"] == "7"


@pytest.mark.parametrize(
    ("function", "text"),
    [
        pytest.param(lambda request: 1 / 0, "ZeroDivisionError: division by zero", id="raises"),
        pytest.param(
            lambda request: 7,
            "TypeError: it returned int, not a str, a Reply, a Json, a Raw or a fault",
            id="returns-something-else",
        ),
    ],
)
def test_a_broken_reply_function_is_the_test_s_mistake(function, text):
    """A function that fails becomes a recorded harness error, which no retry can swallow."""
    world = make_world()
    handle = world.provider("openai").replies(function)
    with pytest.raises(SimulationStateError) as caught:
        post(handle)
    assert str(caught.value) == (
        f"`openai`: the test's own reply function failed: {text}\n\n"
        "To fix: make the function return a str, a Reply, a Json, a Raw or a fault for every request it may see."
    )
    assert world.harness_errors == [caught.value]
    assert handle.requests[0].outcome == "harness_error"


def test_an_async_reply_function_is_refused(openai):
    """A coroutine function cannot answer, and says so without a warning about an awaited coroutine."""

    async def answer(request):
        return "late"

    openai.replies(answer)
    with pytest.raises(SimulationStateError, match="it returned coroutine, not a str"):
        post(openai)


def test_everything_a_reply_can_say_reaches_the_wire(openai):
    """Text, usage, finish reason and headers of a `Reply` are what the client reads."""
    openai.replies(Reply("Par", usage=Usage(100, 7), finish_reason="length", headers={"X-Cache": "HIT"}))
    answered = post(openai)
    assert answered.json["choices"][0]["message"]["content"] == "Par"
    assert answered.json["choices"][0]["finish_reason"] == "length"
    assert (answered.json["usage"]["prompt_tokens"], answered.json["usage"]["completion_tokens"]) == (100, 7)
    assert answered.headers["x-cache"] == "HIT"


def test_a_header_of_a_reply_replaces_the_provider_s_own(openai):
    """Headers given by the test win over the ones the provider would send."""
    openai.replies(Reply("x", headers={"x-request-id": "req_mine"}))
    assert [value for name, value in post(openai).head.headers if name == "x-request-id"] == ["req_mine"]


def test_thinking_comes_before_the_text():
    """Thinking is a part of its own, counted as reasoning."""
    provider = make_world().provider("anthropic").replies(Reply("42", thinking="hmm, let me see")).as_provider("claude")
    response = provider.complete(CompletionRequest.ask("?"))
    assert (response.thinking, response.content) == ("hmm, let me see", "42")
    assert response.usage.reasoning_tokens == 4


def test_calls_tool_answers_with_one_tool_call(openai):
    """`calls_tool` gives the call an id and writes the arguments as JSON."""
    openai.calls_tool("search", {"q": "weather"})
    message = post(openai).json["choices"][0]
    call = message["message"]["tool_calls"][0]
    assert call["function"] == {"name": "search", "arguments": '{"q": "weather"}'}
    assert call["id"].startswith("call_")
    assert message["finish_reason"] == "tool_calls"


def test_calls_tool_repeats(openai):
    """`times` holds for tool calls too, and each gets an id of its own."""
    openai.calls_tool("search", times=2)
    first, second = (post(openai).json["choices"][0]["message"]["tool_calls"][0] for _ in range(2))
    assert first["function"] == second["function"] == {"name": "search", "arguments": "{}"}
    assert first["id"] != second["id"]


def test_calls_tools_keeps_ids_and_malformed_arguments(openai):
    """Several calls with text beside them; given ids and broken argument text go out as they are."""
    openai.calls_tools(ToolCall("call_1", "a", "{bro"), ToolCall("", "b", '{"x":1}'), text="let me look")
    message = post(openai).json["choices"][0]["message"]
    assert message["content"] == "let me look"
    assert message["tool_calls"][0] == {
        "id": "call_1",
        "type": "function",
        "function": {"name": "a", "arguments": "{bro"},
    }
    assert message["tool_calls"][1]["id"].startswith("call_")


def test_echoes_answers_with_the_last_user_message(openai):
    """The echo answers only when no step is left."""
    openai.echoes().replies("scripted")
    assert text_of(post(openai, "first")) == "scripted"
    assert text_of(post(openai, "second")) == "second"


def test_generated_text_is_seeded(openai):
    """The same prompt and seed give the same text, of exactly so many words; another seed another."""
    openai.generates(seed=3, words=12)
    first, again, other = (text_of(post(openai, prompt)) for prompt in ("a", "a", "b"))
    assert first == again
    assert first != other
    assert len(first.split()) == 12
    elsewhere = make_world(seed=99).provider("openai").generates(seed=3, words=12)
    assert text_of(post(elsewhere, "a")) == first
    openai.generates(seed=4, words=12)
    assert text_of(post(openai, "a")) != first


def test_the_world_s_seed_is_the_default_of_generated_text():
    """Without a seed of its own the text follows the seed of the world."""
    texts = {seed: text_of(post(make_world(seed=seed).provider("openai").generates())) for seed in (1, 2)}
    assert texts[1] != texts[2]
    assert text_of(post(make_world(seed=1).provider("openai").generates())) == texts[1]


def rules_of(openai):
    """Declare rules of rising specificity on a handle."""
    openai.replies("any", times=None)
    openai.when(prompt_contains="France").replies("France", times=None)
    openai.when(prompt_contains="France", model="gpt-4o").replies("France by gpt-4o")


def test_the_most_specific_rule_answers(openai):
    """More conditions win; a rule whose steps are used up leaves the request to the next."""
    rules_of(openai)
    prompts = ["Capital of France?", "Capital of France?", "Capital of Italy?"]
    assert [text_of(post(openai, prompt)) for prompt in prompts] == ["France by gpt-4o", "France", "any"]


def test_equally_specific_rules_answer_in_order_of_declaration(openai):
    """Of two equal rules the earlier answers until it has nothing left."""
    openai.when(prompt_contains="a").replies("first")
    openai.when(prompt_contains="b").replies("second")
    assert [text_of(post(openai, "ab")) for _ in range(2)] == ["first", "second"]


def test_a_default_of_a_specific_rule_beats_steps_of_a_general_one(openai):
    """A rule that echoes always has something left."""
    openai.replies("general")
    openai.when(model="gpt-4o").echoes()
    assert text_of(post(openai, "mine")) == "mine"
    assert text_of(post(openai, "x", model="other")) == "general"


def test_when_leaves_its_parent_unchanged_and_nests(openai):
    """`when` on a rule handle adds to its conditions; steps chain on the handle they were called on."""
    france = openai.when(prompt_contains="France")
    mini = france.when(model="gpt-4o-*")
    assert france is not mini
    assert mini.replies("mini").replies("mini again") is mini
    france.replies("big")
    assert text_of(post(openai, "France", model="gpt-4o-mini")) == "mini"
    assert text_of(post(openai, "France")) == "big"


CONVERSATION = [
    {"role": "user", "content": "look it up"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "rain in Paris"},
]


@pytest.mark.parametrize(
    ("conditions", "matches"),
    [
        ({"turn": 2}, True),
        ({"turn": 1}, False),
        ({"tool_result_contains": "rain"}, True),
        ({"tool_result_contains": "snow"}, False),
        ({"prompt_contains": "rain"}, False),
        ({"prompt_contains": "look"}, True),
        ({"api_key": "sk-test"}, True),
        ({"api_key": "sk-other"}, False),
        ({"model": "gpt-4*"}, True),
        ({"model": "o1"}, False),
        ({"predicate": lambda request: len(request.messages) == 3}, True),
        ({"predicate": lambda request: False}, False),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else str(value),
)
def test_every_condition_reads_the_request(openai, conditions, matches):
    """Each condition of `when` matches what it says and nothing else."""
    openai.replies("other")
    openai.when(**conditions).replies("matched", optional=True)
    assert text_of(post(openai, messages=CONVERSATION)) == ("matched" if matches else "other")


def test_a_broken_predicate_is_the_test_s_mistake():
    """A predicate that raises becomes a recorded harness error."""
    world = make_world()
    handle = world.provider("openai").replies("x")
    handle.when(predicate=lambda request: request.nonsense).replies("y")
    with pytest.raises(SimulationStateError) as caught:
        post(handle)
    assert str(caught.value).startswith("`openai`: the test's own predicate function failed: AttributeError: ")
    assert world.harness_errors == [caught.value]


def test_a_script_is_safe_in_threads():
    """Eight threads play two hundred steps, each exactly once."""
    openai = make_world().provider("openai").replies(*map(str, range(200)))
    provider, request = openai.as_provider("gpt-4o"), CompletionRequest.ask("hi")
    seen = []

    def work():
        seen.extend(provider.complete(request).content for _ in range(25))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(int, seen)) == list(range(200))
    assert len({record.number for record in openai.requests}) == 200


def test_requests_show_what_the_provider_saw(openai):
    """Each request is kept: decoded, raw, with headers, virtual time and outcome."""
    openai.fails(faults.Overloaded()).replies("Paris")
    clock = openai._engine.world.clock
    post(openai, "Capital of France?")
    clock.advance(1.5)
    post(openai, "Capital of France?", temperature=0.5)
    first, second = openai.requests
    assert (first.number, first.outcome, first.at, first.operation) == (1, "503", 0.0, "chat")
    assert (second.number, second.outcome, second.at, second.stream) == (2, "200", 1.5, False)
    assert second.request.messages == (ChatMessage.user("Capital of France?"),)
    assert second.request.temperature == 0.5
    assert second.json["temperature"] == 0.5
    assert second.headers["authorization"] == "Bearer sk-test"
    assert (second.method, second.path, second.model) == ("POST", "/v1/chat/completions", "gpt-4o")
    assert second.usage == Usage(9, 2)
    assert second.cost_usd is not None
    assert openai.received == 2


def test_a_reset_forgets_everything():
    """After a reset the handle has no script, no requests, no limits and no latency."""
    world = make_world()
    openai = world.provider("openai").limits(rpm=1).latency(5).echoes()
    openai.as_provider("gpt-4o").complete(CompletionRequest.ask("hi"))
    world.reset()
    assert (openai.requests, openai.received, len(world.costs)) == ((), 0, 0)
    openai.replies("again")
    before = world.clock.elapsed()
    openai.as_provider("gpt-4o").complete(CompletionRequest.ask("hi"))
    assert world.clock.elapsed() == before


@pytest.mark.parametrize(
    ("write", "text"),
    [
        pytest.param(
            lambda h: h.replies(), 'replies() needs at least one reply.\n\nTo fix: replies("Paris")', id="no-reply"
        ),
        pytest.param(
            lambda h: h.replies(7),
            (
                "replies() takes texts, Reply, Embedding, Json and Raw objects, and functions, got 7.\n\n"
                'To fix: replies("7")'
            ),
            id="not-a-reply",
        ),
        pytest.param(
            lambda h: h.replies(faults.RateLimited(30)),
            "replies() takes texts, Reply, Embedding, Json and Raw objects, and functions, got "
            "RateLimited(retry_after=30).\n\nTo fix: fails(faults.RateLimited(retry_after=30))",
            id="a-fault-as-reply",
        ),
        pytest.param(
            lambda h: h.fails(faults.RateLimited),
            "fails() takes a fault of llmtest.faults, got RateLimited.\n\nTo fix: fails(faults.RateLimited())",
            id="a-fault-class",
        ),
        pytest.param(
            lambda h: h.fails(429),
            "fails() takes a fault of llmtest.faults, got 429.\n\nTo fix: fails(faults.RateLimited())",
            id="not-a-fault",
        ),
        pytest.param(
            lambda h: h.replies("a", times=0),
            "times must be a whole number, 1 or more, or None for ever, got 0.\n\nTo fix: times=2",
            id="times-0",
        ),
        pytest.param(
            lambda h: h.calls_tools(),
            'calls_tools() needs at least one call.\n\nTo fix: calls_tools(ToolCall("", "search", \'{"q": "x"}\'))',
            id="no-call",
        ),
        pytest.param(
            lambda h: h.when(),
            "when() needs at least one condition: prompt_contains, model, turn, tool_result_contains, api_key, "
            'predicate or operation.\n\nTo fix: when(prompt_contains="France")',
            id="no-condition",
        ),
        pytest.param(
            lambda h: h.when(turn=0),
            "when: turn must be 1 or more, got 0.\n\nTo fix: the first turn is when(turn=1)",
            id="turn-0",
        ),
        pytest.param(
            lambda h: h.generates(words=0),
            "generates: words must be 1 or more, got 0.\n\nTo fix: generates(words=40)",
            id="no-words",
        ),
        pytest.param(
            lambda h: h.context_window(0),
            "context_window: tokens must be 1 or more, got 0.\n\nTo fix: context_window(128_000)",
            id="window-0",
        ),
        pytest.param(
            lambda h: h.at("localhost"),
            "`localhost` is no base URL: it needs a scheme and a host.\n\n"
            'To fix: write it in full, such as "http://localhost:8000"',
            id="no-url",
        ),
        pytest.param(
            lambda h: h.as_provider(tokens_per_event=0),
            "as_provider: tokens_per_event must be 1 or more, got 0.\n\n"
            "To fix: tokens_per_event=1, which delivers every token by itself",
            id="no-tokens-per-event",
        ),
        pytest.param(
            lambda h: Reply("ab", chunks=["a", "c"]),
            "Reply: chunks must add up to the text.\n\n  text:    'ab'\n  chunks:  'ac'\n\n"
            "To fix: leave `text` out; the chunks are the text",
            id="chunks-that-do-not-add-up",
        ),
        pytest.param(
            lambda h: Reply("a", finish_reason="done"),
            "Reply: unknown finish_reason 'done'. Known reasons: stop, length, tool_use, content_filter, refusal, "
            'unknown.\n\nTo fix: Reply(text, finish_reason="length")',
            id="unknown-finish-reason",
        ),
        pytest.param(
            lambda h: Reply("a", headers={"x-note": "caf\u00e9"}),
            "Reply: the header `x-note` cannot be 'caf\u00e9'.\n\nTo fix: a text of ASCII characters, on one line",
            id="header-beyond-ascii",
        ),
        pytest.param(
            lambda h: Reply("a", headers={"x-note": "one\r\nx-more: two"}),
            "Reply: the header `x-note` cannot be 'one\\r\\nx-more: two'.\n\n"
            "To fix: a text of ASCII characters, on one line",
            id="header-of-two-lines",
        ),
        pytest.param(
            lambda h: Reply("a", headers={"retry-after": 5}),
            "Reply: the header `retry-after` cannot be 5.\n\nTo fix: a text of ASCII characters, on one line",
            id="header-that-is-no-text",
        ),
        pytest.param(
            lambda h: Reply("a", headers={"x note": "one"}),
            "Reply: 'x note' is no name of a header.\n\n"
            'To fix: letters, digits and hyphens, as in Reply(text, headers={"x-note": "..."})',
            id="name-of-no-header",
        ),
    ],
)
def test_a_script_that_makes_no_sense_is_refused_where_it_is_written(openai, write, text):
    """Every wrong argument has one clear error, at the line that wrote it."""
    with pytest.raises(ConfigurationError) as caught:
        write(openai)
    assert str(caught.value) == text


def test_a_step_behind_an_endless_one_is_refused(openai):
    """What could never be played is an error, which names the step in front of it."""
    openai.replies("a", times=None)
    with pytest.raises(ConfigurationError) as caught:
        openai.replies("b")
    first, _, rest = str(caught.value).partition("\n\n")
    assert first == "this step is never reached: step 1 before it, replies('a'), repeats for ever."
    assert rest.startswith("  step 1: tests/simulation/test_script.py:")
    assert rest.endswith("To fix: give that step a number of `times`, or put the new step before it")


def test_finish_reasons_may_be_the_enum(openai):
    """A finish reason may be given as the enum's member."""
    openai.replies(Reply("x", finish_reason=FinishReason.CONTENT_FILTER))
    assert post(openai).json["choices"][0]["finish_reason"] == "content_filter"


def test_chunks_are_the_pieces_of_a_stream(openai):
    """A reply made of chunks streams in exactly these pieces."""
    from tests.simulation.sim_calls import Answered, texts_of

    openai.replies(Reply(chunks=["Pa", "ris", " is"]))
    answered = Answered(openai._provider.receive(exchange(stream=True)))
    assert texts_of(answered) == ["Pa", "ris", " is"]


def test_a_request_for_several_answers_gets_them():
    """`n` answers are `n` choices of one step, and are billed as what they are together; one stays one."""
    world = make_world()
    openai = world.provider("openai").replies("Paris", "Paris").calls_tool("f", {"a": 1})
    several, one, calls = post(openai, n=3), post(openai, n=None), post(openai, n=2)
    assert [(choice["index"], choice["message"]["content"]) for choice in several.json["choices"]] == [
        (0, "Paris"),
        (1, "Paris"),
        (2, "Paris"),
    ]
    assert len(one.json["choices"]) == 1
    assert [choice["finish_reason"] for choice in calls.json["choices"]] == ["tool_calls", "tool_calls"]
    assert several.json["usage"]["completion_tokens"] == 3 * one.json["usage"]["completion_tokens"]
    assert [entry.usage.output_tokens for entry in world.costs.entries][:2] == [
        several.json["usage"]["completion_tokens"],
        one.json["usage"]["completion_tokens"],
    ]


def test_a_stream_of_several_answers_tells_each():
    """Each choice of a stream has its own deltas and its own end, and the usage counts all."""
    openai = make_world().provider("openai").replies("Paris")
    answered = post(openai, stream=True, n=2, stream_options={"include_usage": True})
    events = [json.loads(piece.removeprefix(b"data: ")) for piece in answered.pieces if b"[DONE]" not in piece]
    said = {0: "", 1: ""}
    for event in events:
        for choice in event["choices"]:
            said[choice["index"]] += choice["delta"].get("content") or ""
    assert said == {0: "Paris", 1: "Paris"}
    assert [choice["index"] for event in events for choice in event["choices"] if choice["finish_reason"]] == [0, 1]
    assert (
        events[-1]["usage"]["completion_tokens"]
        == 2 * post(make_world().provider("openai").replies("Paris")).json["usage"]["completion_tokens"]
    )


def test_anthropic_knows_no_number_of_answers():
    """A field of that name is refused like any other that Anthropic does not know, and no step is played."""
    anthropic = make_world().provider("anthropic").replies("Paris")
    assert post(anthropic, n=2).json["error"]["message"] == "n: Extra inputs are not permitted"
    assert [block["text"] for block in post(anthropic).json["content"]] == ["Paris"]
