"""Options that the real providers refuse, in their words; servers that only speak like them take them (finding E26)."""

import json

import anthropic
import openai
import pytest

from llmtest import Simulation
from llmtest.wire import WireFormatError
from llmtest.wire import dialect as dialect_of
from tests.wire.lenient import lenient

SAY = [{"role": "user", "content": "Hi"}]
FIVE = ["a", "b", "c", "d", "e"]
TOO_LONG = (
    "Invalid 'stop': array too long. Expected an array with maximum length 4, but got an array with length 5 instead."
)
NOT_SUPPORTED = "Unsupported parameter: '{}' is not supported with this model."
ONE = "Unsupported value: 'temperature' does not support {} with this model. Only the default (1) value is supported."
EFFORT = "Unsupported value: 'reasoning_effort' does not support '{}' with this model. Supported values are: {}."
NO_TEXT = "messages: text content blocks must be non-empty"
BLANK = "messages: text content blocks must contain non-whitespace text"


def read(dialect, fields):
    """Read a request with the given fields."""
    is_anthropic = "anthropic" in dialect.name
    body = {"model": "claude-sonnet-4-5", "max_tokens": 5} if is_anthropic else {"model": "gpt-4o"}
    path = "/v1/messages" if is_anthropic else "/v1/chat/completions"
    return dialect.read("POST", path, "", {}, json.dumps({**body, "messages": SAY, **fields}).encode()).request


@pytest.mark.parametrize(
    ("fields", "message", "param", "code"),
    [
        (
            {"stop": FIVE},
            TOO_LONG,
            "stop",
            "array_above_max_length",
        ),
        (
            {"top_logprobs": 2},
            "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.",
            "top_logprobs",
            "invalid_request_error",
        ),
        (
            {"service_tier": "gold"},
            "Invalid value: 'gold'. Supported values are: 'auto', 'default', 'fast', 'flex', and 'priority'.",
            "service_tier",
            "invalid_value",
        ),
        ({"model": "o3", "temperature": 0.2}, ONE.format(0.2), "temperature", "unsupported_value"),
        ({"model": "gpt-5-mini", "temperature": 0}, ONE.format(0), "temperature", "unsupported_value"),
        (
            {"model": "gpt-5.2", "temperature": 0, "reasoning_effort": "low"},
            ONE.format(0),
            "temperature",
            "unsupported_value",
        ),
        (
            {"model": "o3-mini", "temperature": 0},
            NOT_SUPPORTED.format("temperature"),
            "temperature",
            "unsupported_parameter",
        ),
        ({"model": "o4-mini", "top_p": 0.5}, NOT_SUPPORTED.format("top_p"), "top_p", "unsupported_parameter"),
        (
            {"model": "gpt-5", "presence_penalty": 1},
            NOT_SUPPORTED.format("presence_penalty"),
            "presence_penalty",
            "unsupported_parameter",
        ),
        (
            {"model": "gpt-5", "frequency_penalty": -1},
            NOT_SUPPORTED.format("frequency_penalty"),
            "frequency_penalty",
            "unsupported_parameter",
        ),
        (
            {"model": "o3", "reasoning_effort": "minimal"},
            EFFORT.format("minimal", "'low', 'medium', and 'high'"),
            "reasoning_effort",
            "unsupported_value",
        ),
        (
            {"model": "gpt-5", "reasoning_effort": "none"},
            EFFORT.format("none", "'minimal', 'low', 'medium', and 'high'"),
            "reasoning_effort",
            "unsupported_value",
        ),
        (
            {"model": "gpt-5.2", "reasoning_effort": "lots"},
            EFFORT.format("lots", "'none', 'low', 'medium', 'high', and 'xhigh'"),
            "reasoning_effort",
            "unsupported_value",
        ),
    ],
)
def test_e26_options_that_openai_refuses(fields, message, param, code):
    """OpenAI itself refuses the option in these words; a compatible server reads it."""
    with pytest.raises(WireFormatError) as caught:
        read(dialect_of("openai"), fields)
    error = caught.value.error
    assert (error.message, error.param, error.code, error.status) == (message, param, code, 400)
    assert read(lenient("openai"), fields).model


@pytest.mark.parametrize(
    "fields",
    [
        {"stop": FIVE[:4]},
        {"stop": "abcde"},
        {"logprobs": True, "top_logprobs": 2},
        *({"service_tier": tier} for tier in ("auto", "default", "fast", "flex", "priority", "scale", None)),
        {"model": "o3", "temperature": 1, "top_p": 1.0, "presence_penalty": 0, "frequency_penalty": 0.0},
        {"model": "gpt-5.2", "temperature": 0, "top_p": 0.5},
        {"model": "gpt-5.2", "temperature": 0, "reasoning_effort": "none"},
        {"model": "gpt-5-chat-latest", "temperature": 0},
        {"model": "gpt-4o", "temperature": 0, "presence_penalty": 1},
        {"model": "o1-pro-2025-03-19", "reasoning_effort": "high"},
        {"model": "gpt-5-pro", "reasoning_effort": "high"},
        {"model": "gpt-5-nano-2025-08-07", "reasoning_effort": "minimal"},
        {"model": "gpt-5.1-codex-max", "reasoning_effort": "xhigh"},
    ],
)
def test_options_that_openai_takes(fields):
    """What the API takes, and what of a model is not known to be refused, is taken."""
    assert read(dialect_of("openai"), fields).model


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": ""}]}]}, NO_TEXT),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": " \n"}]}]}, BLANK),
        ({"messages": [{"role": "user", "content": " "}]}, BLANK),
        ({"messages": [{"role": "user", "content": ""}]}, "messages.0: user messages must have non-empty content"),
        (
            {"messages": [*SAY, {"role": "assistant", "content": []}, *SAY]},
            "messages.1: all messages must have non-empty content except for the optional final assistant message",
        ),
        ({"system": [{"type": "text", "text": ""}]}, "system: text content blocks must be non-empty"),
        ({"service_tier": "priority"}, "service_tier: Input should be 'auto' or 'standard_only'"),
    ],
)
def test_e26_empty_texts_and_tiers_that_anthropic_refuses(fields, message):
    """Anthropic refuses who says nothing in these words; a server that only speaks like it reads it."""
    with pytest.raises(WireFormatError) as caught:
        read(dialect_of("anthropic"), fields)
    error = caught.value.error
    assert (error.message, error.code, error.status) == (message, "invalid_request_error", 400)
    assert read(lenient("anthropic"), fields).model


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": [*SAY, {"role": "assistant", "content": ""}]},
        {"system": ""},
        {"service_tier": "standard_only"},
    ],
)
def test_what_anthropic_takes_that_is_empty(fields):
    """The beginning of the answer may be empty, and so may a system prompt that is no block."""
    assert read(dialect_of("anthropic"), fields).model


def test_e26_the_official_sdks_raise_for_refused_options():
    """Through a simulation the SDKs get the 400 with its parameter; vLLM takes the same option."""
    with Simulation() as sim:
        sim.vllm.at("http://localhost:8000/v1").replies("one")
        client = openai.OpenAI(api_key="k")
        with pytest.raises(openai.BadRequestError, match="array too long") as caught:
            client.chat.completions.create(model="gpt-4o", messages=SAY, stop=FIVE)
        assert (caught.value.param, caught.value.code) == ("stop", "array_above_max_length")
        with pytest.raises(openai.BadRequestError, match="Only the default") as caught:
            client.chat.completions.create(model="gpt-5", messages=SAY, temperature=0)
        assert (caught.value.param, caught.value.code) == ("temperature", "unsupported_value")
        with pytest.raises(openai.BadRequestError, match="only allowed when 'logprobs' is enabled") as caught:
            client.chat.completions.create(model="gpt-4o", messages=SAY, top_logprobs=2)
        assert (caught.value.param, caught.value.code) == ("top_logprobs", None)
        with pytest.raises(anthropic.BadRequestError, match=NO_TEXT):
            anthropic.Anthropic(api_key="k").messages.create(
                model="claude-opus-5",
                max_tokens=5,
                messages=[{"role": "user", "content": [{"type": "text", "text": ""}]}],
            )
        local = openai.OpenAI(api_key="k", base_url="http://localhost:8000/v1")
        assert local.chat.completions.create(model="llama-3", messages=SAY, stop=FIVE).choices
