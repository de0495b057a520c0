"""Token counts: the estimate, requests, and exact counts on request."""

import sys

import pytest

from llmtest.costs import count_tokens, estimate_request_tokens
from llmtest.errors import ConfigurationError
from llmtest.types import (
    ChatMessage,
    CompletionRequest,
    ImagePart,
    OpaquePart,
    RefusalPart,
    TextPart,
    ThinkingPart,
    ToolCall,
    ToolDefinition,
)


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2), ("x" * 400, 100)])
def test_a_token_is_four_characters_rounded_up(text, tokens):
    """The estimate reads the text's length and nothing else."""
    assert count_tokens(text) == tokens


def test_the_estimate_is_the_same_for_every_model():
    """Naming a model changes no estimate, so that no result depends on what is installed."""
    assert count_tokens("Capital of France?", "gpt-4o") == count_tokens("Capital of France?") == 5


def test_each_message_counts_its_role_and_framing():
    """A message costs 1 for the role and 3 for the framing beside its text."""
    request = CompletionRequest.ask("Capital of France?", system="Be brief")
    assert estimate_request_tokens(request) == (4 + 2) + (4 + 5)


@pytest.mark.parametrize(
    ("part", "tokens"),
    [
        pytest.param(TextPart("abcd"), 1, id="text"),
        pytest.param(ThinkingPart("abcdefgh"), 2, id="thinking"),
        pytest.param(RefusalPart("abcd"), 1, id="refusal"),
        pytest.param(ImagePart(url="https://example.org/cat.png"), 85, id="image"),
        pytest.param(OpaquePart({"type": "image_file"}), 85, id="opaque-image"),
        pytest.param(OpaquePart({"type": "input_audio", "data": "x" * 9999}), 200, id="opaque-audio"),
        pytest.param(OpaquePart({"type": "video_url"}), 300, id="opaque-video"),
        pytest.param(OpaquePart({"type": "note"}), 4, id="opaque-json"),
    ],
)
def test_each_kind_of_content_has_its_size(part, tokens):
    """Images, audio and video have a fixed size; everything else counts its text."""
    request = CompletionRequest(messages=(ChatMessage.user((part,)),))
    assert estimate_request_tokens(request) == 4 + tokens


def test_tools_and_tool_calls_are_counted():
    """Definitions of tools are part of the prompt, and so are the calls the model made earlier."""
    call = ToolCall("call_1", "weather", '{"city":"Oslo"}')
    messages = (
        ChatMessage.user("Weather?", name="ann"),
        ChatMessage.assistant_with_tool_calls(None, (call,)),
        ChatMessage.tool_result("call_1", "rain"),
    )
    plain = CompletionRequest(messages=messages)
    assert estimate_request_tokens(plain) == (4 + 2) + (4 + 3 + 2 + 4) + (4 + 1)
    tool = ToolDefinition("weather", "Tells it", {"type": "object"})
    assert (
        estimate_request_tokens(CompletionRequest(messages=messages, tools=(tool,)))
        == estimate_request_tokens(plain) + 3 + 8
    )


@pytest.mark.slow
@pytest.mark.parametrize(("model", "tokens"), [(None, 2), ("gpt-4o", 2), ("cl100k_base", 2)])
def test_exact_counts_use_the_model_s_vocabulary(model, tokens):
    """With the extra `[tokens]`, exact counts are made when asked for."""
    pytest.importorskip("quicktok", reason="needs the extra [tokens]: quicktok-v1")
    assert count_tokens("hello world", model, exact=True) == tokens


def test_an_exact_count_without_a_public_vocabulary_says_so():
    """A model whose vocabulary is not public is an error, not an estimate in disguise."""
    pytest.importorskip("quicktok", reason="needs the extra [tokens]: quicktok-v1")
    with pytest.raises(ConfigurationError) as caught:
        count_tokens("hello", "claude-sonnet-4-5", exact=True)
    assert str(caught.value) == (
        "no public vocabulary is known for `claude-sonnet-4-5`, so its tokens cannot be counted exactly.\n"
        "Known encodings: cl100k_base, llama3, o200k_base, o200k_harmony, qwen3.\n\n"
        "To fix: name one of them as `model`, or use the estimate: count_tokens(text)"
    )


def test_an_exact_count_without_the_extra_says_what_to_install(monkeypatch):
    """Without the tokenizer, an exact count names the extra."""
    monkeypatch.setitem(sys.modules, "quicktok", None)
    with pytest.raises(ConfigurationError) as caught:
        count_tokens("hello", "a-model-nobody-asked-for-yet", exact=True)
    assert str(caught.value) == (
        "exact token counts need a tokenizer, which is not installed.\n\n"
        "To fix, one of:\n"
        "  1. install the extra `tokens`:    pip install -e '.[tokens]', in a checkout of llmtest\n"
        "  2. use the estimate:              count_tokens(text)"
    )
