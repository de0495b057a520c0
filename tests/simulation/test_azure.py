"""Azure OpenAI, simulated: the official clients read, stream, call and fail as they do with the real thing."""

import json

import httpx
import openai
import pydantic
import pytest

from llmtest import AzureOpenAIProvider, CompletionRequest, Reply, Simulation, faults
from llmtest.errors import ContentFilteredError
from llmtest.types import FinishReason

ENDPOINT = "https://my-resource.openai.azure.com"
ASKED = [{"role": "user", "content": "Capital of France?"}]
WEATHER = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


class City(pydantic.BaseModel):
    """What a structured answer is parsed into."""

    name: str
    people: int


@pytest.fixture
def llm():
    """A simulation whose Azure is asked by OpenAI's clients."""
    with Simulation() as llm_sim:
        yield llm_sim


def dated(kind=openai.AzureOpenAI, **settings):
    """Return the client whose URLs name deployment and version."""
    return kind(azure_endpoint=ENDPOINT, api_key="k", api_version="2024-10-21", **settings)


def of_v1(kind=openai.OpenAI, **settings):
    """Return the client that Azure's v1 is asked with."""
    return kind(base_url=f"{ENDPOINT}/openai/v1/", api_key="k", **settings)


CLIENTS = pytest.mark.parametrize("make", [dated, of_v1])


@CLIENTS
def test_f006_an_answer_tells_what_the_content_filter_found(llm, make):
    """Text, usage and both lists of the filter are read by the client, from either kind of URL."""
    llm.azure.replies("Paris.")
    told = make().chat.completions.create(model="my-gpt", messages=ASKED)
    assert (told.choices[0].message.content, told.choices[0].finish_reason) == ("Paris.", "stop")
    assert told.usage.total_tokens > 0
    (prompt,) = told.prompt_filter_results
    assert prompt["content_filter_results"]["jailbreak"] == {"filtered": False, "detected": False}
    assert told.choices[0].content_filter_results["violence"] == {"filtered": False, "severity": "safe"}
    assert [(each.operation, each.model) for each in llm.azure.requests] == [("chat", "my-gpt")]


@CLIENTS
def test_a_stream_begins_with_a_chunk_that_has_no_choices(llm, make):
    """Code that takes `choices[0]` of every chunk fails as it does at Azure; the rest are the pieces."""
    llm.azure.replies("Paris it is.")
    first, *chunks = make().chat.completions.create(model="my-gpt", messages=ASKED, stream=True)
    assert (first.choices, first.id, first.model, first.object, first.created) == ([], "", "", "", 0)
    assert first.prompt_filter_results[0]["prompt_index"] == 0
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Paris it is."
    judged = [chunk.choices[0].content_filter_results for chunk in chunks]
    assert (judged[0], judged[-1]) == ({}, {})
    assert all(each["hate"] == {"filtered": False, "severity": "safe"} for each in judged[1:-1])
    assert chunks[-1].choices[0].finish_reason == "stop"


@CLIENTS
def test_usage_comes_last_where_it_is_asked_for(llm, make):
    """`include_usage` works at Azure as at OpenAI."""
    llm.azure.replies("Paris.")
    asked = {"stream": True, "stream_options": {"include_usage": True}}
    *_, last = make().chat.completions.create(model="my-gpt", messages=ASKED, **asked)
    assert (last.choices, last.usage.total_tokens > 0) == ([], True)


@CLIENTS
def test_tools_and_structured_answers_are_read(llm, make):
    """A call of a tool arrives whole and streamed, and a schema is filled."""
    llm.azure.calls_tool("weather", {"city": "Paris"}, times=2).replies('{"name": "Paris", "people": 2}')
    client = make()
    told = client.chat.completions.create(model="my-gpt", messages=ASKED, tools=[WEATHER])
    assert told.choices[0].message.tool_calls[0].function.arguments == '{"city": "Paris"}'
    chunks = client.chat.completions.create(model="my-gpt", messages=ASKED, tools=[WEATHER], stream=True)
    calls = [call for chunk in chunks for choice in chunk.choices for call in choice.delta.tool_calls or ()]
    assert "".join(call.function.arguments for call in calls) == '{"city": "Paris"}'
    parsed = client.chat.completions.parse(model="my-gpt", messages=ASKED, response_format=City)
    assert parsed.choices[0].message.parsed == City(name="Paris", people=2)


@pytest.mark.parametrize("make", [lambda: dated(openai.AsyncAzureOpenAI), lambda: of_v1(openai.AsyncOpenAI)])
def test_the_asynchronous_clients_read_the_same(llm, make):
    """Whole and streamed, on an event loop."""
    llm.azure.replies("Paris.", "Rome.")

    async def ask():
        client = make()
        told = await client.chat.completions.create(model="my-gpt", messages=ASKED)
        stream = await client.chat.completions.create(model="my-gpt", messages=ASKED, stream=True)
        pieces = [choice.delta.content or "" async for chunk in stream for choice in chunk.choices]
        return told.choices[0].message.content, "".join(pieces)

    assert llm.run(ask()) == ("Paris.", "Rome.")


@CLIENTS
def test_responses_embeddings_and_models_are_at_azure_too(llm, make):
    """Responses are kept and go on, vectors and models are read."""
    llm.azure.replies("Paris.", "Rome.")
    client = make()
    first = client.responses.create(model="my-gpt", input="Capital of France?")
    second = client.responses.create(model="my-gpt", input="Of Italy?", previous_response_id=first.id)
    assert (first.output_text, second.output_text) == ("Paris.", "Rome.")
    assert client.responses.retrieve(first.id).output_text == "Paris."
    assert len(client.embeddings.create(model="vectors", input="hi").data[0].embedding) == 1536
    assert [card.id for card in client.models.list()] == ["my-gpt"]
    operations = [each.operation for each in llm.azure.requests]
    assert operations == ["responses", "responses", "responses.retrieve", "embeddings", "models"]


def test_a_streamed_response_is_read(llm):
    """Typed events arrive in order."""
    llm.azure.replies("Paris.")
    events = list(dated().responses.create(model="my-gpt", input="Capital?", stream=True))
    assert (events[0].type, events[-1].type) == ("response.created", "response.completed")
    assert events[-1].response.output_text == "Paris."


def test_tokens_of_entra_are_keys_too(llm):
    """A bearer token is seen where a key would be."""
    llm.azure.when(api_key="entra-1").replies("Paris.")
    client = openai.AzureOpenAI(
        azure_endpoint=ENDPOINT, azure_ad_token_provider=lambda: "entra-1", api_version="2024-10-21"
    )
    assert client.chat.completions.create(model="my-gpt", messages=ASKED).choices[0].message.content == "Paris."


def test_k12_the_deployment_is_the_model_whatever_the_body_says(llm):
    """A deployment's URL needs no `model` in the body, and a wrong one changes nothing."""
    llm.azure.replies("Paris.", times=2)
    url = f"{ENDPOINT}/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21"
    for body in ({"messages": ASKED}, {"messages": ASKED, "model": "something-else"}):
        told = httpx.post(url, json=body, headers={"api-key": "k"})
        assert (told.status_code, told.json()["model"]) == (200, "my-gpt")
    assert [each.model for each in llm.azure.requests] == ["my-gpt", "my-gpt"]


@pytest.mark.parametrize(
    ("path", "status", "code", "message"),
    [
        ("/openai/deployments/d/chat/completions", 404, "404", "Resource not found"),
        ("/openai/deployments/d/embeddings?api-version=latest", 404, "404", "Resource not found"),
        ("/openai/responses", 400, "BadRequest", "Missing required query parameter: api-version"),
        ("/openai/responses?api-version=yesterday", 400, "BadRequest", "API version not supported"),
        ("/openai/v1/responses?api-version=2024-10-21", 400, "BadRequest", "API version not supported"),
    ],
)
def test_a_wrong_version_is_refused_in_azure_s_words(llm, path, status, code, message):
    """Deployment URLs need a dated version, v1 takes none; no step is played."""
    llm.azure.echoes()
    told = httpx.post(ENDPOINT + path, json={"messages": ASKED, "input": "hi", "model": "m"})
    assert (told.status_code, told.json()) == (status, {"error": {"code": code, "message": message}})
    assert llm.azure.requests[0].outcome == str(status)


@CLIENTS
def test_a_blocked_prompt_is_a_400_that_says_why(llm, make):
    """The inner error names the policy and what was found; it is the same where a stream was asked for."""
    llm.azure.fails(faults.ContentFiltered(), times=2)
    for stream in (False, True):
        with pytest.raises(openai.BadRequestError) as caught:
            make().chat.completions.create(model="my-gpt", messages=ASKED, stream=stream)
        error = caught.value
        assert (error.code, error.param, error.body["status"]) == ("content_filter", "prompt", 400)
        inner = error.body["innererror"]
        assert inner["code"] == "ResponsibleAIPolicyViolation"
        assert inner["content_filter_result"]["violence"] == {"filtered": True, "severity": "medium"}
        assert "content management policy" in error.message


def test_an_answer_that_the_filter_stopped_has_no_message(llm):
    """The reason and what was found are told; whatever was said before stays."""
    stopped = {"finish_reason": FinishReason.CONTENT_FILTER}
    llm.azure.replies(Reply(None, **stopped), Reply("Take a", **stopped), Reply("Take a", **stopped))
    client = dated()
    empty = client.chat.completions.create(model="my-gpt", messages=ASKED).choices[0]
    assert (empty.finish_reason, empty.message) == ("content_filter", None)
    partial = client.chat.completions.create(model="my-gpt", messages=ASKED).choices[0]
    assert (partial.finish_reason, partial.message.content) == ("content_filter", "Take a")
    *_, last = client.chat.completions.create(model="my-gpt", messages=ASKED, stream=True)
    for choice in (empty, partial, last.choices[0]):
        assert choice.content_filter_results["violence"]["filtered"] is True


FAULTS = [
    (faults.RateLimited(retry_after=2), openai.RateLimitError, "429", "call rate limit"),
    (faults.ModelNotFound(), openai.NotFoundError, "DeploymentNotFound", "The API deployment for this resource"),
    (faults.AuthenticationFailed(), openai.AuthenticationError, "401", "Access denied due to invalid subscription key"),
    (faults.PermissionDenied(), openai.PermissionDeniedError, "403", "Virtual Network/Firewall rules"),
    (faults.ContextLengthExceeded(), openai.BadRequestError, "context_length_exceeded", "maximum context length"),
    (faults.ServerError(500), openai.InternalServerError, None, "through an Azure support request"),
    (faults.Overloaded(), openai.InternalServerError, None, "currently overloaded"),
    (faults.Timeout(), openai.APITimeoutError, None, "timed out"),
    (faults.ConnectionReset(), openai.APIConnectionError, None, "Connection error"),
]


@CLIENTS
@pytest.mark.parametrize(("fault", "kind", "code", "words"), FAULTS, ids=[type(row[0]).__name__ for row in FAULTS])
def test_every_fault_has_azure_s_words(llm, make, fault, kind, code, words):
    """Class, code and text are those of Azure, where Azure has its own."""
    llm.azure.fails(fault)
    with pytest.raises(kind) as caught:
        make(max_retries=0).chat.completions.create(model="my-gpt", messages=ASKED)
    assert (caught.value.code, words in str(caught.value)) == (code, True)


def test_a_missing_key_is_told_apart_from_a_wrong_one(llm):
    """Without any header of a key Azure speaks of a token."""
    llm.azure.fails(faults.AuthenticationFailed())
    told = httpx.post(f"{ENDPOINT}/openai/v1/chat/completions", json={"messages": ASKED, "model": "m"})
    assert told.json()["error"]["message"].startswith("Unauthorized. Access token is missing")


def test_a_stream_that_breaks_is_told_as_an_event(llm):
    """An error inside a stream reaches the client after the pieces before it."""
    llm.azure.fails(faults.StreamError(after_chunks=3, error=faults.ServerError()))
    with pytest.raises(openai.APIError) as caught:
        list(dated().chat.completions.create(model="my-gpt", messages=ASKED, stream=True))
    assert "through an Azure support request" in str(caught.value)


def test_headers_are_azure_s(llm):
    """Region, deployment and ids are told; rate limits reset in bare seconds, and a wait is told twice."""
    llm.azure.limits(rpm=1)
    llm.azure.echoes()
    client = dated(max_retries=0)
    told = client.chat.completions.with_raw_response.create(model="my-gpt", messages=ASKED).headers
    assert told["content-type"] == "application/json"
    assert (told["x-ms-region"], told["x-ms-deployment-name"]) == ("East US 2", "my-gpt")
    assert len(told["apim-request-id"]) == len(told["x-request-id"]) == 36
    assert (told["x-ratelimit-limit-requests"], told["x-ratelimit-remaining-requests"]) == ("1", "0")
    assert told["x-ratelimit-reset-requests"] == "60"
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model="my-gpt", messages=ASKED)
    assert caught.value.response.headers["retry-after"] == "60"
    assert caught.value.response.headers["retry-after-ms"] == "60000"
    assert "Please retry after 60 seconds." in caught.value.message


def test_a_stream_is_named_without_a_charset(llm):
    """Azure says `text/event-stream` and nothing more."""
    llm.azure.echoes()
    url = f"{ENDPOINT}/openai/v1/chat/completions"
    told = httpx.post(url, json={"messages": ASKED, "model": "m", "stream": True})
    assert told.headers["content-type"] == "text/event-stream"
    assert json.loads(told.text.partition("\n")[0][6:])["choices"] == []


def test_responses_tell_what_the_content_filter_found(llm):
    """Prompt and answer have a verdict each, whole and in the last event of a stream; a stopped answer is blocked."""
    llm.azure.replies("Paris", "Paris").replies(Reply("Par", finish_reason="content_filter"))
    client = of_v1()
    whole = client.responses.create(model="my-gpt", input="Capital of France?").content_filters
    assert [(each["source_type"], each["blocked"]) for each in whole] == [("prompt", False), ("completion", False)]
    assert whole[0]["content_filter_offsets"] == {"start_offset": 0, "end_offset": 18, "check_offset": 0}
    assert whole[1]["content_filter_results"]["hate"] == {"filtered": False, "severity": "safe"}
    events = list(client.responses.create(model="my-gpt", input="Capital of France?", stream=True))
    assert events[-1].type == "response.completed"
    assert events[-1].response.content_filters == whole
    stopped = client.responses.create(model="my-gpt", input="Capital?")
    assert [each["blocked"] for each in stopped.content_filters] == [False, True]
    assert stopped.incomplete_details.reason == "content_filter"


def test_responses_tell_of_a_blocked_prompt_without_a_frame(llm):
    """The verdict is in the error itself, and not below `innererror`; our own layer reads the same error."""
    llm.azure.fails(faults.ContentFiltered(), times=2)
    with pytest.raises(openai.BadRequestError) as error:
        of_v1(max_retries=0).responses.create(model="my-gpt", input="Capital of France?")
    assert error.value.code == "content_filter"
    (verdict,) = error.value.body["content_filters"]
    assert (verdict["blocked"], verdict["source_type"]) == (True, "prompt")
    assert "innererror" not in error.value.body
    provider = AzureOpenAIProvider("k", endpoint="https://mine.openai.azure.com", deployment="my-gpt", api="responses")
    with pytest.raises(ContentFilteredError):
        provider.complete(CompletionRequest.ask("Capital of France?"))


@CLIENTS
def test_e26_what_azure_does_not_know_is_refused_in_its_words(llm, make):
    """An unknown argument, a tool's message without a call: Azure's 400 as OpenAI's; its own fields are taken."""
    llm.azure.replies("Paris.", times=None)
    create = make().chat.completions.create
    with pytest.raises(openai.BadRequestError, match="Unrecognized request argument supplied: top_k"):
        create(model="my-gpt", messages=ASKED, extra_body={"top_k": 4})
    with pytest.raises(openai.BadRequestError, match="must be a response to a preceeding message with 'tool_calls'"):
        create(model="my-gpt", messages=[*ASKED, {"role": "tool", "tool_call_id": "x", "content": "y"}])
    with pytest.raises(openai.BadRequestError, match="Unknown parameter: 'top_k'"):
        make().responses.create(model="my-gpt", input="hi", extra_body={"top_k": 4})
    own = {"data_sources": [{"type": "azure_search", "parameters": {}}]}
    assert create(model="my-gpt", messages=ASKED, extra_body=own).choices[0].message.content == "Paris."
