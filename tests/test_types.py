"""The vocabulary: what messages, requests, answers and usage say of themselves."""

import inspect
import pickle
from copy import copy
from dataclasses import FrozenInstanceError, dataclass, replace
from decimal import Decimal

import pytest

from llmtest.errors import ConfigurationError, InvalidResponseError
from llmtest.types import (
    Attempt,
    ChatMessage,
    CompletionRequest,
    CompletionResponse,
    EmbeddingRequest,
    ImagePart,
    ModelCard,
    RefusalPart,
    ResponseFormat,
    TextPart,
    ThinkingPart,
    ToolCall,
    ToolDefinition,
    Usage,
)


@pytest.mark.parametrize(
    ("text", "found"),
    [("", {}), ("{}", {}), ('{"city": "Paris"}', {"city": "Paris"})],
)
def test_arguments_are_parsed_when_asked_for(text, found):
    """A model's argument text stays as it was written, and is read on demand; none at all are none."""
    call = ToolCall("t", "weather", text)
    assert (call.arguments, call.parsed_arguments()) == (text, found)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"city": ', "tool `weather`: arguments are not JSON: Expecting value: line 1 column 10 (char 9)"),
        ('["Paris"]', 'tool `weather`: arguments are not a JSON object: ["Paris"]'),
    ],
    ids=["cut", "list"],
)
def test_malformed_arguments_are_the_model_s_error(text, message):
    """What a model wrote wrongly is an invalid response, which names the tool."""
    with pytest.raises(InvalidResponseError) as caught:
        ToolCall("t", "weather", text).parsed_arguments()
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, ""),
        ("Hi", "Hi"),
        ((TextPart("a"), ImagePart(url="https://example.org/x.png"), TextPart("b")), "ab"),
    ],
    ids=["none", "text", "parts"],
)
def test_the_text_of_a_message(content, text):
    """Parts that are no text are left out."""
    assert ChatMessage("user", content).text == text


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_tokens": -1}, "max_tokens must be 0 or more, got -1"),
        ({"temperature": 2.5}, "temperature must be from 0.0 to 2.0, got 2.5"),
        ({"temperature": float("nan")}, "temperature must be from 0.0 to 2.0, got nan"),
        ({"top_p": -0.1}, "top_p must be from 0.0 to 1.0, got -0.1"),
        ({"messages": ()}, "messages must hold at least one message"),
    ],
    ids=["max-tokens", "temperature", "nan", "top-p", "no-messages"],
)
def test_a_request_out_of_range_is_refused(settings, message):
    """A value that no provider takes is refused where it is written."""
    with pytest.raises(ConfigurationError) as caught:
        CompletionRequest(**{"messages": (ChatMessage("user", "Hi"),), **settings})
    assert str(caught.value) == message


def test_a_request_is_changed_by_making_another():
    """The `with_` methods leave the request as it was; a list of messages becomes a tuple."""
    request = CompletionRequest(messages=[ChatMessage("user", "Hi")])
    changed = request.with_model("m").with_max_tokens(5).with_temperature(0.5)
    assert (changed.model, changed.max_tokens, changed.temperature) == ("m", 5, 0.5)
    assert (request.model, request.max_tokens, request.temperature) == (None, None, None)
    assert request.messages == (ChatMessage("user", "Hi"),)


def test_a_prompt_with_a_system_prompt():
    """`ask` puts the system prompt first."""
    request = CompletionRequest.ask("Hi", system="Be brief.", model="m")
    assert [(message.role, message.text) for message in request.messages] == [("system", "Be brief."), ("user", "Hi")]


@pytest.mark.parametrize(
    ("sources", "source"),
    [(("exact", "exact"), "exact"), (("exact", "estimated"), "estimated"), (("unknown", "estimated"), "unknown")],
)
def test_usage_adds_up_and_is_as_sure_as_its_parts(sources, source):
    """A sum is as uncertain as the more uncertain of the two."""
    first, second = (Usage(10, 2, source=each) for each in sources)
    total = first + second
    assert (total.input_tokens, total.output_tokens, total.total_tokens, total.source) == (20, 4, 24, source)


def test_what_an_answer_says_of_itself():
    """Text, calls and tokens of an answer are read from its parts and its usage."""
    call = ToolCall("t", "f", "{}")
    answer = CompletionResponse(parts=(TextPart("a"), RefusalPart("no"), call, TextPart("b")), usage=Usage(5, 7))
    assert (answer.content, answer.tool_calls) == ("ab", (call,))
    assert (answer.input_tokens, answer.output_tokens) == (5, 7)


def test_how_long_an_attempt_took():
    """An attempt lasts from its start to its end."""
    attempt = Attempt(provider="openai", model="m", start_ns=500_000_000, end_ns=2_000_000_000, outcome="200")
    assert attempt.duration == 1.5


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n": 0}, "n must be 1 or more, got 0"),
        ({"top_k": -1}, "top_k must be 0 or more, got -1"),
        ({"top_logprobs": 21}, "top_logprobs must be from 0 to 20, got 21"),
    ],
    ids=["n", "top-k", "top-logprobs"],
)
def test_an_option_out_of_range_is_refused(settings, message):
    """The numbers that only some providers know have ranges as well."""
    with pytest.raises(ConfigurationError) as caught:
        CompletionRequest([ChatMessage.user("Hi")], **settings)
    assert str(caught.value) == message


def _advice(error):
    """Return the lines of code that an error gives."""
    return [line.strip() for line in str(error.value).partition("To fix:")[2].splitlines() if line.strip()]


def test_e32_extra_without_a_dialect_is_refused_and_the_form_shown():
    """Fields that do not say whose they are could be sent to anybody; the advice is code that works."""
    with pytest.raises(ConfigurationError) as caught:
        CompletionRequest([ChatMessage.user("Hi")], extra={"seed": 3, "user": "u-1", "logit_bias": {"5": 1}})
    assert str(caught.value) == (
        "CompletionRequest: `extra` is kept by dialect, {dialect: {field: value}}, so that no field of one API is sent "
        "to another; `seed` is a field, not a dialect: 3\n\n"
        "To fix:\n"
        "  CompletionRequest(..., seed=3)\n"
        "  CompletionRequest(..., extra={\"openai\": {'user': 'u-1', 'logit_bias': {'5': 1}}})   "
        "# or the dialect whose fields they are"
    )
    own, extra = (eval(line.replace("...", "[ChatMessage.user('Hi')]")) for line in _advice(caught))
    assert own.seed == 3
    assert extra.extra_for("openai") == {"user": "u-1", "logit_bias": {"5": 1}}
    assert extra.extra_for("anthropic") == {}


@pytest.mark.parametrize(
    "make",
    [
        lambda extra: CompletionRequest([ChatMessage.user("Hi")], extra=extra),
        lambda extra: CompletionResponse(extra=extra),
        lambda extra: ToolDefinition("weather", extra=extra),
        lambda extra: EmbeddingRequest(("Hi",), extra=extra),
        lambda extra: ModelCard("m", extra=extra),
    ],
    ids=["request", "response", "tool", "embedding", "model"],
)
@pytest.mark.parametrize("field", [{"user": "u"}, {"response_format": {"type": "json_object"}}], ids=["text", "object"])
def test_e32_every_extra_is_kept_by_dialect(make, field):
    """Whatever has an `extra` has it by dialect; a field that holds an object is no dialect either."""
    with pytest.raises(ConfigurationError, match="is a field, not a dialect"):
        make(field)
    assert make({"openai": field}).extra_for("openai") == field


@pytest.mark.parametrize(
    ("messages", "advice"),
    [
        ("Hi", "CompletionRequest.ask('Hi')"),
        ([{"role": "user", "content": "Hi"}], "ChatMessage.user('Hi')"),
        (ChatMessage.user("Hi"), "CompletionRequest([ChatMessage.system(...), ChatMessage.user(...)])"),
        (7, "CompletionRequest([ChatMessage.system(...), ChatMessage.user(...)])"),
    ],
    ids=["text", "mapping", "message", "number"],
)
def test_p12_what_is_no_list_of_messages_is_told_the_form(messages, advice):
    """Messages may be given by position; what is none is refused with the form that works."""
    with pytest.raises(ConfigurationError) as caught:
        CompletionRequest(messages)
    assert f"To fix: {advice}" in str(caught.value)


def test_p12_a_result_with_the_name_second_is_told_the_form():
    """Other libraries have the name of the tool second; here it goes by name, and the advice works."""
    with pytest.raises(ConfigurationError) as caught:
        ChatMessage.tool_result("call_1", "weather", "sun")
    advice = str(caught.value).partition("To fix: ")[2]
    assert eval(advice) == ChatMessage.tool_result("call_1", "sun", name="weather")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ResponseFormat("json"), "unknown type 'json'"),
        (lambda: ResponseFormat("json_schema"), "`json_schema` with schema None"),
        (lambda: ResponseFormat("text", {"type": "object"}), "`text` with schema {'type': 'object'}"),
        (lambda: ResponseFormat.json_schema("object"), "`json_schema` with schema 'object'"),
    ],
    ids=["type", "no-schema", "schema-of-text", "no-mapping"],
)
def test_a_format_that_says_nothing_is_refused(make, message):
    """A schema belongs to `json_schema` and to nothing else."""
    with pytest.raises(ConfigurationError, match="To fix") as caught:
        make()
    assert message in str(caught.value)


def test_usage_adds_up_in_every_detail():
    """Sound, cache writes of an hour and server tools are added; a stated cost is only the sum where both state one."""
    one = Usage(9, 5, cache_write_tokens=4, cache_write_1h_tokens=3, input_audio_tokens=2, output_audio_tokens=1)
    one = replace(one, server_tools=(("web_search", 2),), cost_usd=Decimal("0.01"))
    other = replace(one, server_tools=(("code", 1), ("web_search", 1)), cost_usd=Decimal("0.02"))
    total = one + other
    assert (total.cache_write_1h_tokens, total.input_audio_tokens, total.output_audio_tokens) == (6, 4, 2)
    assert total.server_tools == (("code", 1), ("web_search", 3))
    assert (total.cost_usd, (one + Usage(1, 1)).cost_usd) == (Decimal("0.03"), None)
    assert (one + Usage()) == (Usage() + one) == one


def test_an_answer_s_server_tools_wait_for_nobody():
    """A tool that the provider ran itself is a part of the answer, and no call to be answered."""
    ran, waits = ToolCall("s", "web_search", server=True), ToolCall("t", "weather")
    answer = CompletionResponse(parts=(ran, TextPart("Sunny"), waits))
    assert (answer.tool_calls, answer.parts[0]) == ((waits,), ran)


def test_the_thinking_of_an_answer_may_be_a_summary():
    """Where a provider keeps its thoughts to itself, what it tells of them is the thinking."""
    parts = (ThinkingPart("", id="rs_1", summary=("First.", "Then."), encrypted="gAAA"),)
    assert CompletionResponse(parts=parts).thinking == "First.\n\nThen."


def test_records_of_the_hot_path_are_dataclasses_like_any_other():
    """They take the same arguments, are frozen, copied with changes, and share no default with each other."""
    one, other = CompletionRequest([ChatMessage.user("Hi")]), CompletionRequest([ChatMessage.user("Hi")])
    assert one == other
    assert one.metadata is not other.metadata
    assert replace(one, n=2).n == 2
    assert repr(Usage(1, output_tokens=2)).startswith("Usage(input_tokens=1, output_tokens=2, ")
    assert list(inspect.signature(CompletionRequest).parameters)[:2] == ["messages", "model"]
    with pytest.raises(FrozenInstanceError):
        one.n = 3
    with pytest.raises(TypeError, match="unexpected keyword argument 'temprature'"):
        CompletionRequest([ChatMessage.user("Hi")], temprature=1)


@dataclass(frozen=True, slots=True)
class CountedUsage(Usage):
    """A record of the user's own, with one more field."""

    images: int = 0


@pytest.mark.parametrize("made", [Usage(1, 2), CountedUsage(1, 2, images=3)], ids=lambda made: type(made).__name__)
def test_records_of_the_hot_path_are_what_they_are_called(made):
    """They are of their own class once they are made, as are those of a class made of it, and stay frozen."""
    assert type(made) in {Usage, CountedUsage}
    assert (made.input_tokens, made.output_tokens, getattr(made, "images", 3)) == (1, 2, 3)
    assert pickle.loads(pickle.dumps(made)) == copy(made) == made
    with pytest.raises(FrozenInstanceError):
        made.output_tokens = 3
    with pytest.raises(FrozenInstanceError):
        del made.output_tokens
