"""What a request asks of its answer, honoured by scripted and generated answers alike: decided without any wire."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from openai import OpenAI

from llmtest import Simulation
from llmtest.costs import count_tokens
from llmtest.errors import SimulationStateError
from llmtest.simulation import Reply
from llmtest.types import (
    ChatMessage,
    CompletionRequest,
    FinishReason,
    ResponseFormat,
    TextPart,
    ThinkingPart,
    ToolCall,
    ToolDefinition,
    Usage,
)
from tests.simulation.sim_calls import make_world

CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "population": {"type": "integer", "minimum": 1}},
    "required": ["city", "population"],
    "additionalProperties": False,
}
FIND = ToolDefinition("find", "Finds", CITY)
LOOK = ToolDefinition("look", "Looks", {"type": "object", "properties": {}})


def ask(handle, prompt="hi", model="gpt-4o", **options):
    """Ask a simulated provider directly, and return its response."""
    return handle.as_provider(model).complete(CompletionRequest((ChatMessage.user(prompt),), **options))


@pytest.fixture
def world():
    """Return a world of its own."""
    return make_world()


@pytest.fixture
def openai(world):
    """Return the handle of a simulated OpenAI."""
    return world.provider("openai")


def test_e04_a_text_longer_than_max_tokens_is_cut_and_billed_as_it_is_sent(openai):
    """Fifty words under a limit of five tokens are five tokens, `length`, and five on the bill."""
    response = ask(openai.replies("word " * 50), max_tokens=5)
    assert response.content == ("word " * 50)[:20]
    assert response.finish_reason is FinishReason.LENGTH
    assert response.usage.output_tokens == count_tokens(response.content) == 5


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(Reply("word " * 50, usage=Usage(9, 63)), id="usage"),
        pytest.param(Reply("word " * 50, finish_reason="stop"), id="finish-reason"),
    ],
)
def test_e04_a_step_that_says_usage_or_finish_reason_is_played_as_written(openai, reply):
    """The test's own word stands: the whole text, its own reason, and the usage of the whole text."""
    response = ask(openai.replies(reply), max_tokens=5, stop_sequences=("word",))
    assert response.content == "word " * 50
    assert response.finish_reason is FinishReason.STOP
    assert response.usage.output_tokens == 63


def test_e28_generated_text_is_cut_too(openai):
    """Three tokens of generated words, `length`, three on the bill; without a limit, all forty words."""
    response = ask(openai.generates(words=40), max_tokens=3)
    assert (count_tokens(response.content), response.usage.output_tokens) == (3, 3)
    assert response.finish_reason is FinishReason.LENGTH
    whole = ask(openai)
    assert len(whole.content.split()) == 40
    assert whole.content.startswith(response.content)


@given(
    st.text(max_size=60),
    st.text(max_size=60) | st.none(),
    st.text(max_size=30) | st.none(),
    st.integers(0, 50) | st.none(),
    st.lists(st.text(min_size=1, max_size=3), max_size=3),
)
def test_e04_whatever_is_cut_the_bill_is_what_was_sent(text, thinking, arguments, most, stop):
    """For any answer, limit and stop sequences: within the limit, a beginning of what was written, counted exactly."""
    calls = () if arguments is None else (ToolCall("c1", "find", arguments),)
    reply = Reply(text, thinking=thinking, tool_calls=calls)
    response = ask(make_world().provider("anthropic").replies(reply), max_tokens=most, stop_sequences=tuple(stop))
    sent = [part.text for part in response.parts if not isinstance(part, ToolCall)]
    tokens = sum(map(count_tokens, sent))
    tokens += sum(3 + count_tokens(call.name) + count_tokens(call.arguments) for call in response.tool_calls)
    assert response.usage.output_tokens == tokens
    assert most is None or tokens <= most
    assert text.startswith(response.content or "")
    assert all(word not in (response.content or "") for word in stop)
    whole = response.parts == reply.prepared.parts
    assert (response.finish_reason is FinishReason.LENGTH) == (
        not whole and response.raw_finish_reason is None and not _ended_by(response, text, stop)
    )


def _ended_by(response, text, stop):
    """Tell whether a stop sequence follows what was said."""
    said = response.content
    return said is not None and any(text[len(said) :].startswith(word) for word in stop)


@pytest.mark.parametrize(("stop", "text"), [(("END",), "one two "), (("three", "two"), "one "), (("xyz",), None)])
def test_e27_a_stop_sequence_ends_a_scripted_text(openai, stop, text):
    """The text ends before the first of them, without it; what comes after is neither sent nor billed."""
    whole = "one two END three"
    response = ask(openai.replies(whole), stop_sequences=stop)
    assert response.content == (whole if text is None else text)
    assert response.finish_reason is FinishReason.STOP
    assert response.usage.output_tokens == count_tokens(response.content)


def test_e27_a_stop_sequence_ends_generated_text(openai):
    """Generated words end where the request says."""
    whole = ask(openai.generates()).content
    word = whole.split()[5]
    assert ask(openai, stop_sequences=(f" {word}",)).content == whole[: whole.index(f" {word}")]


def test_e27_what_follows_a_stop_sequence_is_not_said_at_all(openai):
    """A tool call after a text that ended is not made."""
    reply = Reply("one END two", tool_calls=(ToolCall("c1", "find"),))
    response = ask(openai.replies(reply), stop_sequences=("END",))
    assert response.tool_calls == ()
    assert response.finish_reason is FinishReason.STOP


def test_e04_a_stream_ends_where_the_limit_is(openai):
    """A streamed answer is the same cut text, in pieces, its own pieces included."""
    openai.replies(Reply(chunks=["abcd", "efgh", "ijkl"]), "abcd efgh ijkl")

    request = CompletionRequest((ChatMessage.user("hi"),), max_tokens=2, stream=True)
    provider = openai.as_provider("gpt-4o")
    exact, words = list(provider.stream(request)), list(provider.stream(request))
    assert [event.text for event in exact if event.kind == "text"] == ["abcd", "efgh"]
    assert "".join(event.text for event in words if event.kind == "text") == "abcd efg"
    assert exact[-1].response.finish_reason is FinishReason.LENGTH
    assert exact[-1].response.usage.output_tokens == 2


def test_a_limit_of_no_tokens_says_nothing(world):
    """`max_tokens=0` warms Anthropic's cache: nothing is said, nothing of an answer is billed."""
    response = ask(world.provider("anthropic").replies("Paris"), max_tokens=0)
    assert (response.parts, response.usage.output_tokens, response.finish_reason) == ((), 0, FinishReason.LENGTH)


def test_arguments_are_cut_like_any_other_tokens(openai):
    """A call that does not fit is cut inside its arguments, which then are no JSON, as with the real ones."""
    openai.calls_tool("find", {"city": "Paris"}, times=2)
    cut = ask(openai, max_tokens=6)
    assert cut.tool_calls[0].arguments == '{"city":'
    assert cut.finish_reason is FinishReason.LENGTH
    assert ask(openai, max_tokens=4).tool_calls == ()


def test_e05_json_is_an_object_and_by_a_schema_it_is_valid(openai):
    """`json_object` gets an object, `json_schema` what a validator accepts, and the same every time."""
    openai.generates()
    assert isinstance(json.loads(ask(openai, response_format=ResponseFormat("json_object")).content), dict)
    form = ResponseFormat.json_schema(CITY, name="city")
    answers = [ask(openai, f"prompt {number}", response_format=form).content for number in range(10)]
    assert all(Draft202012Validator(CITY).is_valid(json.loads(answer)) for answer in answers)
    assert len(set(answers)) == 10
    assert answers[3] == ask(openai, "prompt 3", response_format=form).content
    assert ask(openai, response_format=ResponseFormat("text")).content == ask(openai).content


def test_e05_any_json_fits_the_schema_that_the_prompt_tells(openai):
    """Libraries that ask for any JSON write their schema into the prompt, and get what fits it."""
    told = f"Answer with JSON by this {{schema}}:\n```json\n{json.dumps(CITY, indent=2)}\n```"
    response = ask(openai.generates(), told, response_format=ResponseFormat("json_object"))
    assert Draft202012Validator(CITY).is_valid(json.loads(response.content))


def test_e05_json_that_is_cut_is_cut_like_the_real_thing(openai):
    """Structured output under a small limit is no JSON, and says `length`."""
    response = ask(openai.generates(), response_format=ResponseFormat.json_schema(CITY), max_tokens=3)
    with pytest.raises(ValueError, match=r"Unterminated string|Expecting"):
        json.loads(response.content)
    assert response.finish_reason is FinishReason.LENGTH


@pytest.mark.parametrize(("choice", "names"), [("required", {"find", "look"}), ("find", {"find"}), ("look", {"look"})])
def test_e05_a_required_tool_is_called_with_arguments_that_fit_it(openai, choice, names):
    """A tool that is required or named is called, with arguments that are valid against its schema."""
    openai.generates()
    called = set()
    for number in range(10):
        response = ask(openai, f"prompt {number}", tools=(FIND, LOOK), tool_choice=choice)
        (call,) = response.tool_calls
        schema = CITY if call.name == "find" else LOOK.parameters
        assert Draft202012Validator(schema).is_valid(call.parsed_arguments())
        # OpenAI says `stop` of a call of the one tool that was named.
        ends = FinishReason.TOOL_USE if choice == "required" else FinishReason.STOP
        assert (call.id != "", response.finish_reason) == (True, ends)
        called.add(call.name)
    assert called == names


@pytest.mark.parametrize("choice", [None, "none"])
def test_e05_no_tool_is_called_that_need_not_be(openai, choice):
    """Where no tool is asked for, generated answers are text; one that `auto` offers is in `test_told_schema.py`."""
    assert ask(openai.generates(), tools=(FIND,), tool_choice=choice).content


def test_e05_a_scripted_text_is_played_whatever_tool_is_required(openai):
    """What a test scripts is what comes back: it may want to see a model that does not obey."""
    openai.replies("I would rather not").calls_tools(ToolCall("a", "find"), ToolCall("b", "find"))
    assert ask(openai, tools=(FIND,), tool_choice="required").content == "I would rather not"
    assert len(ask(openai, tools=(FIND,), parallel_tool_calls=False).tool_calls) == 2


def test_e05_a_schema_without_a_value_fails_the_test_and_says_how_to_go_on(openai):
    """Nobody gets an invalid answer: the harness says which schema has none, and what to write instead."""
    form = ResponseFormat.json_schema({"$ref": "#/$defs/Gone"})
    with pytest.raises(SimulationStateError) as caught:
        ask(openai.generates(), response_format=form)
    assert str(caught.value) == (
        "`openai`: no answer can be generated for the schema of this request: `$ref` '#/$defs/Gone' points to nothing "
        "in the schema.\n\n"
        'To fix: mend the schema, or script the answer: replies(\'{"name": "Ada"}\'), or calls_tool("name", '
        '{"argument": "value"})'
    )
    openai.replies('{"name": "Ada"}')
    assert ask(openai, response_format=form).content == '{"name": "Ada"}'


def test_n_answers_differ_where_they_are_generated_and_are_alike_where_they_are_scripted(openai):
    """`n` gives so many answers; each is cut and billed, the prompt once."""
    openai.replies("Paris", optional=True)
    same = ask(openai, n=3)
    assert [same.content, *(other.content for other in same.alternatives)] == ["Paris"] * 3
    openai.generates()
    others = ask(openai, n=3, max_tokens=10)
    texts = [others.content, *(other.content for other in others.alternatives)]
    assert len(set(texts)) == 3
    assert {count_tokens(text) for text in texts} == {10}
    assert (others.usage.input_tokens, others.usage.output_tokens) == (same.usage.input_tokens, 30)
    assert ask(openai, n=2, max_tokens=10).alternatives[0].content == texts[1]


def test_n_tool_calls_have_ids_of_their_own(openai):
    """Each answer that calls a tool has an id for its call that no other has."""
    response = ask(openai.generates(), n=3, tools=(FIND,), tool_choice="required")
    calls = [response.tool_calls[0], *(other.tool_calls[0] for other in response.alternatives)]
    assert len({call.id for call in calls}) == 3


@pytest.mark.parametrize(
    ("model", "effort", "thought"),
    [
        ("gpt-5", "minimal", 16),
        ("gpt-5", "low", 64),
        ("o3", "medium", 256),
        ("openai/o4-mini", "high", 1024),
        ("gpt-oss:20b", "high", 1024),
        ("gpt-5", "none", 0),
        ("gpt-5", None, 0),
        ("gpt-4o", "high", 0),
        ("gpt-5-chat-latest", "high", 0),
    ],
)
def test_reasoning_effort_is_thought_and_billed_on_models_that_reason(openai, model, effort, thought):
    """Thoughts are not shown, are part of the output, and are counted apart."""
    usage = ask(openai.replies("Paris"), model=model, reasoning_effort=effort).usage
    assert (usage.output_tokens, usage.reasoning_tokens) == (2 + thought, thought)


def test_made_up_thoughts_leave_room_for_what_the_test_wrote(openai):
    """Under a limit, thoughts take what the answer leaves: the text is whole, and the bill within the limit."""
    response = ask(openai.replies("Paris"), model="gpt-5", reasoning_effort="high", max_tokens=50)
    assert response.content == "Paris"
    assert (response.usage.output_tokens, response.usage.reasoning_tokens) == (50, 48)


def test_thoughts_that_are_shown_come_before_a_generated_answer(world):
    """Anthropic shows thoughts where a request wants them; they are part of the output."""
    claude = world.provider("anthropic").generates()
    response = ask(claude, model="claude-opus-5", extra={"anthropic": {"thinking": {"type": "enabled"}}})
    assert [type(part) for part in response.parts] == [ThinkingPart, TextPart]
    assert response.usage.reasoning_tokens == count_tokens(response.thinking) > 0


def test_e13_a_tier_is_told_and_priced(world, openai):
    """The answer says which tier served it, and the account charges that tier's price."""
    openai.replies(Reply("x", usage=Usage(1_000_000, 0)), times=2)
    assert ask(openai, model="gpt-5", service_tier="flex").service_tier == "flex"
    assert ask(openai, model="gpt-5", service_tier="auto").service_tier is None
    assert [(entry.cost_usd, entry.service_tier) for entry in world.costs] == [
        (Decimal("0.625"), "flex"),
        (Decimal("1.25"), None),
    ]


def test_e13_a_tier_without_a_published_price_is_no_known_cost(world, openai):
    """Nobody is charged the standard price for what was no standard call."""
    ask(openai.replies("x"), model="gpt-4o", service_tier="flex")
    assert world.costs.entries[0].cost_usd is None


def test_e20_labels_of_a_request_are_in_the_ledger_and_in_the_trace(world, openai):
    """What the caller labels a request with is with its cost and its event."""
    ask(openai.replies("x"), metadata={"team": "search"})
    assert world.costs.entries[0].metadata == {"team": "search"}
    assert list(world.costs.by_metadata("team")) == ["search"]
    ask(openai.replies("x"), model="gpt-5", service_tier="flex")
    answered = [event for event in world.trace if event.kind == "answer"]
    assert [(event.metadata, event.service_tier) for event in answered] == [((("team", "search"),), None), ((), "flex")]


def cached(world, *parts, tools=(), **options):
    """Ask a simulated Anthropic about marked parts, and return the usage."""
    claude = world.provider("anthropic").replies("ok")
    return ask(claude, parts, model="claude-sonnet-4-6", tools=tools, **options).usage


LONG = "x" * 40_000


def test_e12_marked_prompts_are_written_to_the_cache_by_their_duration(world):
    """An hour and five minutes are counted apart; a second call reads what the first one wrote."""
    prompt = (TextPart(LONG, cache_ttl="1h"), TextPart(LONG, cache_ttl="5m"), TextPart("why?"))
    first, second = cached(world, *prompt), cached(world, *prompt)
    assert (first.cache_write_tokens, first.cache_write_1h_tokens, first.cache_read_tokens) == (20_004, 10_004, 0)
    assert (second.cache_write_tokens, second.cache_write_1h_tokens, second.cache_read_tokens) == (0, 0, 20_004)
    assert first.input_tokens == second.input_tokens
    assert world.costs.entries[0].cost_usd > world.costs.entries[1].cost_usd


@pytest.mark.parametrize(
    ("ttl", "seconds", "is_read"), [("5m", 299, True), ("5m", 301, False), ("1h", 3599, True), ("1h", 3601, False)]
)
def test_e12_what_is_cached_is_kept_as_long_as_the_mark_says(world, ttl, seconds, is_read):
    """Five minutes are five minutes and an hour is an hour, and reading keeps it for as long again."""
    prompt = (TextPart(LONG, cache_ttl=ttl),)
    cached(world, *prompt)
    for _ in range(2):
        world.clock.advance(seconds)
        assert (cached(world, *prompt).cache_read_tokens > 0) is is_read


def test_e12_a_longer_conversation_reads_what_it_has_in_common(world):
    """The mark moves on with the conversation; what stood before it is read, the rest is written."""
    claude = world.provider("anthropic").replies("ok", times=2)
    provider = claude.as_provider("claude-sonnet-4-6")
    first = ChatMessage.user((TextPart(LONG, cache_ttl="5m"),))
    provider.complete(CompletionRequest((first,)))
    later = (ChatMessage.user((TextPart(LONG),)), ChatMessage.assistant("ok"))
    usage = provider.complete(CompletionRequest((*later, ChatMessage.user((TextPart(LONG, cache_ttl="5m"),))))).usage
    assert usage.cache_read_tokens == 10_004
    assert usage.cache_write_tokens == 10_009


@pytest.mark.parametrize(
    "prompt",
    [
        pytest.param((TextPart("short", cache_ttl="1h"),), id="short"),
        pytest.param((TextPart(LONG),), id="unmarked"),
    ],
)
def test_e12_short_or_unmarked_prompts_are_not_cached(world, prompt):
    """Without a mark, or below what a provider keeps at all, nothing is read or written."""
    for _ in range(2):
        usage = cached(world, *prompt)
        assert (usage.cache_read_tokens, usage.cache_write_tokens) == (0, 0)


def test_e12_tools_and_whole_requests_can_be_marked(world):
    """A mark at a tool caches the tools; one for the request caches all of it."""
    tool = ToolDefinition("find", LONG, cache_ttl="1h")
    usage = cached(world, TextPart("hi"), tools=(tool,))
    assert usage.cache_write_1h_tokens == usage.cache_write_tokens > 10_000
    control = {"type": "ephemeral", "ttl": "1h"}
    usage = cached(world, TextPart(LONG), extra={"anthropic": {"cache_control": control}})
    assert usage.cache_write_1h_tokens == usage.input_tokens == 10_004


@pytest.mark.parametrize(
    ("ttl", "hour", "usd"), [("1h", 100_000, "0.6"), ("5m", 0, "0.375")], ids=["an-hour", "five-minutes"]
)
def test_e12_scripted_writes_are_of_the_duration_that_the_request_asks_for(world, ttl, hour, usd):
    """A `Reply` that says how much was written leaves it to the request for how long."""
    claude = world.provider("anthropic").replies(Reply("ok", usage=Usage(100_000, 0, cache_write_tokens=100_000)))
    usage = ask(claude, (TextPart("x", cache_ttl=ttl),), model="claude-sonnet-4-6").usage
    assert usage.cache_write_1h_tokens == hour
    assert world.costs.entries[0].cost_usd == Decimal(usd)


def test_e12_a_provider_that_caches_by_itself_reads_no_marks(openai):
    """OpenAI's gpt-4o has no price for a write, for it is not told what to write."""
    usage = ask(openai.replies("ok"), (TextPart(LONG, cache_ttl="1h"),)).usage
    assert usage.cache_write_tokens == 0


@pytest.mark.parametrize("spoken", ["chat", "responses"])
def test_e05_one_of_the_tools_that_are_allowed_is_called(spoken):
    """Of three tools two are allowed, and one has to be called; in the mode `auto` one of them may be."""
    with Simulation() as sim:
        sim.openai.generates()
        client = OpenAI(api_key="k")

        def call(number, mode):
            prompt, schema = f"question {number}", {"type": "object", "properties": {}}
            if spoken == "responses":
                named = [{"type": "function", "name": name} for name in "bc"]
                (item,) = client.responses.create(
                    model="gpt-4o",
                    input=prompt,
                    tools=[{"type": "function", "name": n, "parameters": schema, "strict": False} for n in "abc"],
                    tool_choice={"type": "allowed_tools", "mode": mode, "tools": named},
                ).output
                return item.name
            allowed = {"mode": mode, "tools": [{"type": "function", "function": {"name": name}} for name in "bc"]}
            answer = client.chat.completions.create(
                model="gpt-4o",
                messages=[{"role": "user", "content": prompt}],
                tools=[{"type": "function", "function": {"name": name, "parameters": schema}} for name in "abc"],
                tool_choice={"type": "allowed_tools", "allowed_tools": allowed},
            )
            return answer.choices[0].message.tool_calls[0].function.name

        assert {call(number, mode) for number in range(8) for mode in ("required", "auto")} == {"b", "c"}
