"""Requests that are checked at once and read when somebody looks: what is known before is what reading shows."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtest.costs import estimate_prompt_tokens, estimate_request_tokens
from llmtest.types import ChatMessage, CompletionRequest
from llmtest.wire import WireCall
from llmtest.wire import dialect as dialect_of

PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant"]), "content": st.text(max_size=40).filter(str.strip)}
    ),
    min_size=1,
    max_size=5,
)


def read(dialect: str, **body: Any) -> WireCall:
    """Let a server read a request."""
    full = {"model": "m-1", "max_tokens": 50, "messages": [{"role": "user", "content": "Hi"}], **body}
    return dialect_of(dialect).read("POST", PATHS[dialect], "", {}, json.dumps(full).encode())


@pytest.mark.parametrize("dialect", PATHS)
@given(messages=MESSAGES, limit=st.integers(1, 9), stream=st.booleans(), system=st.none() | st.text(max_size=9))
def test_what_is_known_of_an_unread_request_is_what_it_says(
    dialect: str, messages: list[dict[str, str]], limit: int, stream: bool, system: str | None
) -> None:
    """Tokens, limit, model and stream of an unread request are those of the request that is read of it."""
    body: dict[str, Any] = {"messages": messages, "max_tokens": limit, "stream": stream}
    if dialect == "anthropic":
        body["system"] = system
    elif system is not None:
        body["messages"] = [{"role": "system", "content": system}, *messages]
    call = read(dialect, **body)
    assert call.unread is not None
    request = call.request
    assert isinstance(request, CompletionRequest)
    assert estimate_prompt_tokens(call.unread.texts) == estimate_request_tokens(request)
    assert (call.unread.max_tokens, call.model, call.stream) == (request.max_tokens, request.model, request.stream)
    assert sorted(call.unread.texts) == sorted(message.text for message in request.messages)


@pytest.mark.parametrize("dialect", PATHS)
def test_a_request_is_read_once(dialect: str) -> None:
    """Whoever looks first reads the request, and everybody else gets the same one."""
    call = read(dialect)
    assert call.request is call.request
    assert isinstance(call.request, CompletionRequest)
    assert call.request.messages == (ChatMessage.user("Hi"),)


@pytest.mark.parametrize("dialect", PATHS)
@pytest.mark.parametrize(
    "body",
    [
        {"tools": []},
        {"tools": [{"type": "custom", "name": "f", "custom": {"name": "f"}}], "tool_choice": {"type": "auto"}},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]},
    ],
)
def test_a_request_with_more_than_texts_is_read_at_once(dialect: str, body: dict[str, Any]) -> None:
    """Tools and content blocks have tokens of their own, which only reading them tells."""
    call = read(dialect, **body)
    assert call.unread is None
    assert isinstance(call.request, CompletionRequest)
