"""What Azure OpenAI really sent: we read what the official client reads, and write it so that it reads it again."""

import json
from datetime import UTC, datetime
from functools import cache

import httpx2
import openai
import pytest

from llmtest import errors
from llmtest.wire import ResponseMeta
from llmtest.wire import dialect as dialect_of
from tests.wire.recorded_cases import cases, decode_at_random, decode_stream, kind_of
from tests.wire.wire_recordings import at_host, needs_recordings
from tests.wire.wire_sdk import sum_up

AZURE = dialect_of("azure")
META = ResponseMeta(id="unused", created_s=1, model="unused", number=1)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@cache
def recorded():
    """Return every recorded interaction with Azure."""
    return at_host(".openai.azure.com", "azure")


def chats():
    """Return those with a model that talks."""
    return [one for one in recorded() if one.path.endswith("/chat/completions")]


def vectors():
    """Return those with a model that embeds."""
    return [one for one in recorded() if one.path.endswith("/embeddings")]


def call_of(one):
    """Return the call that was recorded, read by the server half."""
    found = AZURE.match("POST", one.path)
    parameters = found.endpoint.with_query(found.parameters, one.query)
    return found.endpoint.read({"api-key": "k"}, json.dumps(one.request).encode(), parameters)


def client_of(status, headers, body):
    """Return Azure's official client in front of one prepared answer."""
    kept = [(name, value) for name, value in headers if name not in ("content-encoding", "content-length")]
    transport = httpx2.MockTransport(lambda request: httpx2.Response(status, headers=kept, content=body))
    return openai.AzureOpenAI(
        azure_endpoint="https://x.openai.azure.com",
        api_key="k",
        api_version="2024-10-21",
        max_retries=0,
        http_client=httpx2.Client(transport=transport),
    )


def read_by_sdk(status, headers, body, *, stream=False):
    """Return what the official client makes of an answer: a whole one, or the sum of its chunks and their verdicts."""
    client = client_of(status, headers, body)
    answer = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}], stream=stream)
    if not stream:
        return answer.to_dict(mode="json")
    chunks = list(answer)
    prompt = [chunk.prompt_filter_results for chunk in chunks if "prompt_filter_results" in (chunk.model_extra or {})]
    return {**sum_up(chunks), "prompt": prompt, "first": chunks[0].to_dict(mode="json")}


@needs_recordings
def test_every_recorded_answer_of_azure_is_covered():
    """The tests below see every interaction, with models that talk and with models that embed."""
    kinds = [kind_of(one) for one in recorded()]
    assert (len(chats()), len(vectors())) == (31, 12)
    assert (kinds.count("answer"), kinds.count("stream"), kinds.count("error")) == (22, 12, 9)


@needs_recordings
@pytest.mark.parametrize("one", cases(chats(), "answer"))
def test_an_answer_of_azure_is_read_and_written_again_in_full(one):
    """Text, verdicts of the filter and usage are read, and every field comes back; a stopped answer has no message."""
    codec = AZURE.chat
    read = read_by_sdk(one.status, one.headers.items(), one.body)
    response = codec.decode_answer(one.body, one.headers)
    (choice,) = read["choices"]
    message = choice.get("message") or {}
    assert (response.content or "") == (message.get("content") or "")
    assert (response.id, response.model, response.raw_finish_reason) == (
        read["id"],
        read["model"],
        choice["finish_reason"],
    )
    usage = read["usage"]
    assert (response.usage.input_tokens, response.usage.output_tokens) == (
        usage["prompt_tokens"],
        usage.get("completion_tokens", 0),
    )
    call = call_of(one)
    assert call.model == one.path.split("/")[3]
    again = codec.encode_answer(response, call, META)
    assert json.loads(again) == json.loads(one.body)
    assert codec.decode_answer(again, one.headers) == response


@needs_recordings
@pytest.mark.parametrize("one", cases(chats(), "stream"))
def test_a_stream_of_azure_is_read_and_written_again(one):
    """Every cut gives the same events, and the client reads the same of what we write: the first chunk, too."""
    codec = AZURE.chat
    read = read_by_sdk(one.status, one.headers.items(), one.body, stream=True)
    events = decode_stream(codec, one.body, len(one.body))
    assert decode_stream(codec, one.body, 7) == events
    assert decode_at_random(codec, one.body, str(one)) == events
    response = events[-1].response
    assert (response.content or "") == read["choices"][0]["content"]
    again = b"".join(codec.encode_stream(response, call_of(one), META))
    assert read_by_sdk(200, codec.response_headers(META, stream=True), again, stream=True) == read
    assert decode_stream(codec, again, 11)[-1].response == response


@needs_recordings
@pytest.mark.parametrize("one", cases(vectors(), "answer"))
def test_embeddings_of_azure_are_read_and_written_again(one):
    """Vectors that came in base64 are numbers, and go out again to the same client."""
    call = call_of(one)
    read = client_of(200, one.headers.items(), one.body).embeddings.create(model="m", input="x")
    response = call.endpoint.decode_answer(one.body, one.headers)
    assert [list(vector) for vector in response.vectors] == [row.embedding for row in read.data]
    assert (response.model, response.usage.input_tokens) == (read.model, read.usage.prompt_tokens)
    again = call.endpoint.encode_answer(response, call, META)
    assert json.loads(again) == json.loads(one.body)


@needs_recordings
@pytest.mark.parametrize("one", cases(recorded(), "error"))
def test_an_error_of_azure_has_its_class_and_its_words(one):
    """A wrong key and a deployment that is not there are told apart, and we say both as Azure does."""
    kind = errors.AuthenticationError if one.status == 401 else errors.ModelNotFoundError
    error = AZURE.errors.decode(one.status, one.headers, one.body, NOW)
    assert (type(error), error.request_id) == (kind, one.headers["apim-request-id"])
    status, _, said = AZURE.errors.encode(kind("", model="m"), ResponseMeta(api_key="k"), ())
    assert (status, json.loads(said)) == (one.status, json.loads(one.body))


@needs_recordings
@pytest.mark.parametrize("one", cases(recorded()))
def test_a_request_to_azure_is_read_and_written_again(one):
    """A recorded request is understood, and our own client sends it to the same path, but for the deployment's name."""
    call = call_of(one)
    written = call.endpoint.encode_call(call.request, stream=call.stream)
    assert AZURE.root + written.path.partition("?")[0] == one.path
    body = json.loads(written.body)
    body.pop("stream_options", None)
    asked = {**one.request, "model": call.model}
    if "input" in asked:
        asked["input"] = [asked["input"]]
    assert body == asked
