"""The vocabulary: what messages, requests, answers and usage say of themselves."""

import pytest

from llmtest.errors import ConfigurationError, InvalidResponseError
from llmtest.types import (
    Attempt,
    ChatMessage,
    CompletionRequest,
    CompletionResponse,
    ImagePart,
    RefusalPart,
    TextPart,
    ToolCall,
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
        ({"max_tokens": 0}, "max_tokens must be 1 or more, got 0"),
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
