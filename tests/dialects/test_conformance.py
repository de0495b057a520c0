"""Every built-in dialect keeps what everything relies on, and the check sees one that does not."""

import pytest

from llmtest.testing import DialectCase, check_dialect
from llmtest.types import (
    ChatMessage,
    CompletionRequest,
    CompletionResponse,
    FinishReason,
    TextPart,
    ThinkingPart,
    ToolCall,
    ToolDefinition,
    Usage,
)
from llmtest.wire import Dialect, Endpoint, dialects
from tests.dialects.toy import STATUS, TALK, TOY

CALL = ToolCall("call_1", "search", '{"q":"x"}')
TALKED = (
    ChatMessage.user("Find x"),
    ChatMessage.assistant_with_tool_calls(None, (CALL,)),
    ChatMessage.tool_result("call_1", "found"),
)
TOOL = ToolDefinition("search", "Searches.", {"type": "object", "properties": {"q": {"type": "string"}}})


def asking(**fields):
    """Return a request."""
    return CompletionRequest(messages=TALKED, model="m-1", max_tokens=64, tools=(TOOL,), **fields)


def saying(*parts, reason=FinishReason.STOP):
    """Return an answer."""
    return CompletionResponse(parts=parts, finish_reason=reason, usage=Usage(12, 3), model="m-1", id="id-1")


SHARED = (
    DialectCase("tools", asking(tool_choice="required")),
    DialectCase("one tool", asking(tool_choice="search")),
    DialectCase("a tool call", response=saying(CALL, reason=FinishReason.TOOL_USE)),
    DialectCase("text beside a call", response=saying(TextPart("Looking."), CALL, reason=FinishReason.TOOL_USE)),
)
CLAUDE = (
    *SHARED,
    DialectCase("thinking", response=saying(ThinkingPart("Hm.", signature="c2ln"), TextPart("Yes."))),
    DialectCase("top_k", asking(top_k=5)),
)
COHERE = (
    # Cohere names no tool: the one that is wanted is the only one that is sent.
    *(case for case in SHARED if case.name != "one tool"),
    DialectCase("thinking", response=saying(ThinkingPart("Hm."), TextPart("Yes."))),
    DialectCase("other names", asking(top_k=5, top_p=0.5, stop_sequences=("END",))),
)
CASES = {"anthropic": CLAUDE, "bedrock": CLAUDE, "cohere": COHERE, "vertex": CLAUDE}
"""What each dialect can say beyond plain text, a row each; what is not here has the rows that all share."""


@pytest.mark.parametrize("name", list(dialects()))
def test_a_built_in_dialect_conforms(name):
    """The public check passes, with the rows of that dialect."""
    check_dialect(dialects()[name], CASES.get(name, SHARED))


def changed(**fields):
    """Return the toy with something else."""
    given = {"endpoints": (TALK, STATUS), "base_url": TOY.base_url, "root": TOY.root}
    return Dialect("toy", **{**given, **fields})


def talking(**fields):
    """Return the toy with another way to talk."""
    names = ("decode_call", "encode_answer", "encode_call", "decode_answer", "encode_stream", "stream_decoder")
    given = {name: getattr(TALK, name) for name in names}
    return changed(
        endpoints=(Endpoint("chat", "POST", "/talk", gives="completion", framing=TALK.framing, **{**given, **fields}),)
    )


@pytest.mark.parametrize(
    ("dialect", "text"),
    [
        (changed(hosts=("api.toy.test",)), "`api.toy.test` is no URL"),
        (changed(endpoints=()), "it has no endpoint, neither its own nor mounted ones"),
        (changed(read_key=lambda headers: None), "a key does not come back from its headers"),
        (changed(response_id=lambda number: "same"), "different numbers give equal ids: ['same', 'same', 'same']"),
        (talking(encode_answer=lambda answer, call, meta: b"{}"), ""),
        (
            talking(encode_stream=lambda *given: TALK.encode_stream(*given)[:-1]),
            "a whole stream has no last event",
        ),
        (
            talking(encode_stream=lambda *given: [*TALK.encode_stream(*given), b"\n"]),
            "a stream without its last event passes for whole",
        ),
    ],
    ids=["host", "nothing", "key", "ids", "answer", "no-end", "more-after-the-end"],
)
def test_the_check_sees_what_is_wrong(dialect, text):
    """Each break of the contract fails, and the text names whom and what."""
    with pytest.raises((AssertionError, KeyError)) as caught:
        check_dialect(dialect)
    assert text in str(caught.value)
