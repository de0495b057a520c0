"""Documents with one odd value in one place: whatever it is, what comes out is an answer or one of our own errors."""

import json
from datetime import UTC, datetime

import pytest

from llmtest import Simulation
from llmtest.errors import InvalidResponseError, ProviderError
from llmtest.simulation import Exchange
from llmtest.wire import WireFormatError
from llmtest.wire import dialect as dialect_of
from tests.wire.odd_documents import (
    ANTHROPIC_ANSWER,
    ANTHROPIC_ERROR,
    ANTHROPIC_EVENTS,
    ANTHROPIC_MODELS,
    ANTHROPIC_REQUEST,
    COUNT_REQUEST,
    EMBEDDING_ANSWER,
    EMBEDDING_REQUEST,
    OPENAI_ANSWER,
    OPENAI_ERROR,
    OPENAI_EVENTS,
    OPENAI_MODELS,
    OPENAI_REQUEST,
    as_stream,
    odd_versions,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HEADERS = {
    "openai": {"authorization": "Bearer sk-test", "content-type": "application/json"},
    "anthropic": {"x-api-key": "sk-ant", "anthropic-version": "2023-06-01", "content-type": "application/json"},
}
HOSTS = {"openai": "api.openai.com", "anthropic": "api.anthropic.com"}


def read_stream(codec, body):
    """Read a whole stream."""
    decoder = codec.stream_decoder()
    decoder.feed(body)
    return decoder.close()


ANSWERS = [
    pytest.param("openai", OPENAI_ANSWER, "chat", id="openai"),
    pytest.param("anthropic", ANTHROPIC_ANSWER, "chat", id="anthropic"),
    pytest.param("openai", EMBEDDING_ANSWER, "embeddings", id="embeddings"),
    pytest.param("openai", OPENAI_MODELS, "models", id="openai-models"),
    pytest.param("anthropic", ANTHROPIC_MODELS, "models", id="anthropic-models"),
    pytest.param("anthropic", {"input_tokens": 5}, "count_tokens", id="count"),
]


@pytest.mark.parametrize(("dialect", "document", "operation"), ANSWERS)
def test_an_odd_answer_is_read_or_refused(dialect, document, operation):
    """No provider can make the decoder stumble: it reads what is there, or says that it cannot be read."""
    endpoint = dialect_of(dialect).endpoint(operation)
    for path, odd, version in odd_versions(document):
        try:
            endpoint.decode_answer(json.dumps(version).encode(), {})
        except InvalidResponseError:
            pass
        except Exception as error:  # noqa: BLE001 - the place belongs into the failure
            pytest.fail(f"{path} = {odd!r}: {type(error).__name__}: {error}")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dialect", "events"),
    [pytest.param("openai", OPENAI_EVENTS, id="openai"), pytest.param("anthropic", ANTHROPIC_EVENTS, id="anthropic")],
)
def test_an_odd_stream_is_read_or_breaks(dialect, events):
    """An odd event is read, or breaks the stream with an error that carries what had come."""
    codec = dialect_of(dialect).chat
    for path, odd, version in odd_versions(events):
        if isinstance(version, list):
            try:
                read_stream(codec, as_stream(version, dialect))
            except ProviderError:
                pass
            except Exception as error:  # noqa: BLE001 - the place belongs into the failure
                pytest.fail(f"{path} = {odd!r}: {type(error).__name__}: {error}")


@pytest.mark.parametrize(
    ("dialect", "document"),
    [pytest.param("openai", OPENAI_ERROR, id="openai"), pytest.param("anthropic", ANTHROPIC_ERROR, id="anthropic")],
)
@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
def test_an_odd_error_is_still_that_error(dialect, document, status):
    """Whatever a provider's error says, it is an error with its status and some text."""
    codec = dialect_of(dialect).chat
    for path, odd, version in odd_versions(document):
        error = codec.decode_error(status, {}, json.dumps(version).encode(), now=NOW)
        assert isinstance(error, ProviderError), (path, odd)
        assert error.status == status, (path, odd)
        assert error.message, (path, odd)


REQUESTS = [
    pytest.param("openai", "/v1/chat/completions", OPENAI_REQUEST, id="openai"),
    pytest.param("openai", "/v1/embeddings", EMBEDDING_REQUEST, id="embeddings"),
    pytest.param("anthropic", "/v1/messages", ANTHROPIC_REQUEST, id="anthropic"),
    pytest.param("anthropic", "/v1/messages/count_tokens", COUNT_REQUEST, id="count"),
]


@pytest.mark.parametrize(("dialect", "path", "document"), REQUESTS)
def test_an_odd_request_is_answered_or_refused(dialect, path, document):
    """A simulated provider answers a request, or refuses it with a 400 in its dialect; it never stumbles."""
    statuses = set()
    with Simulation() as sim:
        handle = sim.provider(dialect).echoes()
        for place, odd, version in odd_versions(document):
            body = json.dumps(version).encode()
            exchange = Exchange("POST", "https", HOSTS[dialect], 443, path, "", HEADERS[dialect], body)
            try:
                plan = handle._provider.receive(exchange)
            except Exception as error:  # noqa: BLE001 - the place belongs into the failure
                pytest.fail(f"{place} = {odd!r}: {type(error).__name__}: {error}")
            statuses.add(next(step.status for step in plan.steps if hasattr(step, "status")))
    assert statuses == {200, 400}


@pytest.mark.parametrize(
    ("dialect", "path", "change", "message"),
    [
        pytest.param(
            "anthropic",
            "/v1/messages",
            {"system": [{"type": "text", "text": 5}]},
            "system.0.text: Input should be a valid string",
            id="system-text",
        ),
        pytest.param(
            "anthropic",
            "/v1/messages",
            {"system": [{"type": "text"}]},
            "system.0.text: Field required",
            id="no-system-text",
        ),
        pytest.param(
            "anthropic",
            "/v1/messages",
            {"tools": [{"name": 5}]},
            "tools.0.custom.name: Input should be a valid string",
            id="tool-name",
        ),
        pytest.param(
            "anthropic",
            "/v1/messages",
            {"messages": [{"role": "user", "content": [{"type": "tool_result", "content": [[]]}]}]},
            "messages.0.content.0.tool_result.content.0: Input should be a valid dictionary or object to extract "
            "fields from",
            id="tool-result",
        ),
        pytest.param(
            "anthropic",
            "/v1/messages",
            {"messages": [{"role": "user", "content": [{"type": "tool_result", "content": 5}]}]},
            "messages.0.content.0.tool_result.content: Input should be a valid list",
            id="tool-result-number",
        ),
        pytest.param(
            "anthropic",
            "/v1/messages",
            {"messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": 5}]}]},
            "messages.0.content.0.tool_use.name: Input should be a valid string",
            id="tool-use-name",
        ),
        pytest.param(
            "openai",
            "/v1/chat/completions",
            {"tools": [{"type": "function", "function": {"name": 5}}]},
            "Invalid type for 'tools[0].function.name': expected a string, but got an integer instead.",
            id="function-name",
        ),
        pytest.param(
            "openai",
            "/v1/chat/completions",
            {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": ["f"]}}]}]},
            "Invalid type for 'messages[0].tool_calls[0].function.name': expected a string, but got an array instead.",
            id="call-name",
        ),
    ],
)
def test_a_refusal_names_the_place(dialect, path, change, message):
    """The refusal of a wrong value deep in a request says where it is, in the dialect's own way."""
    document = OPENAI_REQUEST if dialect == "openai" else ANTHROPIC_REQUEST
    with pytest.raises(WireFormatError) as caught:
        dialect_of(dialect).read("POST", path, "", HEADERS[dialect], json.dumps({**document, **change}).encode())
    assert caught.value.error.message == message


def test_embeddings_are_read_in_both_encodings_and_in_their_order():
    """Rows are sorted by their index; numbers and base64 give the same vectors."""
    shuffled = {**EMBEDDING_ANSWER, "data": EMBEDDING_ANSWER["data"][::-1]}
    found = dialect_of("openai").endpoint("embeddings").decode_answer(json.dumps(shuffled).encode(), {})
    assert found.vectors == ((0.5, 1.0), (0.5,))
    assert (found.model, found.usage.input_tokens) == ("e", 1)
