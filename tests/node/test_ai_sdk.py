"""Vercel's AI SDK, which does without the official SDKs: it checks what it gets, so our answers must be complete."""

import pytest

from tests.node.node_process import require

require("openai", "@anthropic-ai/sdk", "ai", "@ai-sdk/openai", "@ai-sdk/anthropic")
pytestmark = pytest.mark.slow

PROVIDERS = ["openai", "anthropic"]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_text(served, node, provider):
    """Text, reason and usage."""
    served.script(**{provider: [{"replies": {"text": "Paris", "usage": {"input_tokens": 11, "output_tokens": 7}}}]})
    answer = node.value("aiText", provider=provider)
    assert answer == {"text": "Paris", "finishReason": "stop", "inputTokens": 11, "outputTokens": 7}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_stream(served, node, provider):
    """Pieces in order, then reason and usage."""
    reply = {"chunks": ["Par", "is"], "text": "Paris", "usage": {"input_tokens": 11, "output_tokens": 7}}
    served.script(**{provider: [{"replies": reply}]})
    told = node.call("aiStream", provider=provider)
    assert (told["error"], told["chunks"]) == (None, ["Par", "is"])
    assert told["value"] == {"finishReason": "stop", "outputTokens": 7}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_tool_loop(served, node, provider):
    """The tool runs, its result comes back to us, and the next answer ends the loop."""
    steps = [
        {"calls_tool": {"name": "weather", "arguments": {"city": "Paris"}}},
        {"replies": "Sunny.", "when": {"tool_result_contains": "Paris: 18 degrees"}},
    ]
    served.script(**{provider: steps})
    assert node.value("aiTools", provider=provider) == {"text": "Sunny.", "steps": 2}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_rate_limit_is_outlived(served, node, provider):
    """It comes back when it was told to."""
    served.script(**{provider: [{"fails": {"rate_limited": {"retry_after": 0.02}}}, {"replies": "Paris"}]})
    told = node.call("aiText", provider=provider)
    assert (told["error"], told["value"]["text"]) == (None, "Paris")
    assert served.outcomes(provider) == ["429", "200"]
    assert told["took"] < 1500


@pytest.mark.parametrize(
    ("provider", "message"), [("openai", "That model is currently overloaded"), ("anthropic", "Overloaded")]
)
def test_an_error_within_a_stream(served, node, provider, message):
    """What came before it has arrived; then there is the provider's own word."""
    served.script(**{provider: [{"fails": {"stream_error": {"after_chunks": 1}}}]})
    told = node.call("aiStream", provider=provider)
    assert len(told["chunks"]) == 1
    assert told["value"]["errors"][0].startswith(message)


def test_thinking(served, node):
    """Thoughts are apart from the text."""
    served.script(anthropic=[{"replies": {"text": "Paris", "thinking": "Hm."}}])
    answer = node.value("aiText", provider="anthropic")
    assert (answer["text"], answer["reasoningText"]) == ("Paris", "Hm.")


def test_an_embedding(served, node):
    """It asks for numbers, not for base64."""
    assert node.value("aiEmbed") == 1536
