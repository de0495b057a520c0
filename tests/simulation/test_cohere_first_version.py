"""Cohere's first version, by its own older client: whole and streamed, with tools, embeddings and ranks."""

import cohere
import httpx
import pytest

from llmtest import Reply, Simulation, faults
from llmtest.errors import NotSupportedError, SimulationStateError
from llmtest.types import ChatMessage, CompletionRequest, ResponseFormat, TextPart, ToolDefinition, Usage
from llmtest.wire import dialect
from tests.whole_sdks import load

load("cohere")

MODEL = "command-r-plus-08-2024"
WEATHER = cohere.Tool(
    name="weather",
    description="Tells the weather.",
    parameter_definitions={
        "city": cohere.ToolParameterDefinitionsValue(description="Where", type="str", required=True),
        "days": cohere.ToolParameterDefinitionsValue(type="List[int]"),
    },
)


@pytest.fixture
def llm():
    """A simulation whose Cohere is asked."""
    with Simulation() as llm_sim:
        yield llm_sim


@pytest.fixture
def client(llm):
    """Cohere's client of the first version."""
    del llm
    return cohere.Client(api_key="k")


def test_f001_a_message_and_what_was_said_before_it(llm, client):
    """Text, reason and usage are read by the client; the conversation arrives in its order."""
    llm.cohere.replies(Reply("Paris.", usage=Usage(7, 3)))
    told = client.chat(
        model=MODEL,
        preamble="Be brief.",
        chat_history=[{"role": "USER", "message": "Hi"}, {"role": "CHATBOT", "message": "Hello"}],
        message="Capital of France?",
        max_tokens=9,
        temperature=0.5,
        p=0.9,
        k=5,
        seed=7,
        stop_sequences=["END"],
    )
    assert (told.text, told.finish_reason, bool(told.generation_id)) == ("Paris.", "COMPLETE", True)
    assert (told.meta.billed_units.input_tokens, told.meta.tokens.output_tokens) == (7, 3)
    assert told.meta.api_version.version == "1"
    (seen,) = llm.cohere.requests
    asked = seen.request
    said = [(message.role, message.text) for message in asked.messages]
    assert said == [("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello"), ("user", "Capital of France?")]
    assert (asked.max_tokens, asked.temperature, asked.top_p, asked.top_k) == (9, 0.5, 0.9, 5)
    assert (asked.seed, asked.stop_sequences) == (7, ("END",))


def test_a_streamed_answer_comes_in_lines(llm, client):
    """A start, pieces of text, and an end that holds the whole answer."""
    llm.cohere.replies("Paris is it.")
    events = list(client.chat_stream(model=MODEL, message="Capital of France?"))
    assert [events[0].event_type, events[-1].event_type] == ["stream-start", "stream-end"]
    pieces = [event.text for event in events if event.event_type == "text-generation"]
    assert ("".join(pieces), len(pieces) > 1) == ("Paris is it.", True)
    assert (events[-1].finish_reason, events[-1].response.text) == ("COMPLETE", "Paris is it.")


def test_tools_are_called_and_answered(llm, client):
    """Calls have no ids; a result says which call it belongs to, in the history or beside an empty message."""
    llm.cohere.calls_tool("weather", {"city": "Rome"}).calls_tool("weather", {"city": "Oslo"}).replies("Sunny.")
    first = client.chat(model=MODEL, message="Weather in Rome?", tools=[WEATHER])
    (call,) = first.tool_calls
    assert (call.name, call.parameters, first.finish_reason) == ("weather", {"city": "Rome"}, "COMPLETE")
    events = list(client.chat_stream(model=MODEL, message="And in Oslo?", tools=[WEATHER]))
    (told,) = [event.tool_calls for event in events if event.event_type == "tool-calls-generation"]
    assert [(each.name, each.parameters) for each in told] == [("weather", {"city": "Oslo"})]
    answer = client.chat(
        model=MODEL,
        message="",
        chat_history=[
            {"role": "USER", "message": "Weather in Rome?"},
            {"role": "CHATBOT", "message": "", "tool_calls": [{"name": "weather", "parameters": {"city": "Rome"}}]},
        ],
        tools=[WEATHER],
        tool_results=[{"call": call, "outputs": [{"sky": "clear"}]}],
    )
    assert answer.text == "Sunny."
    asked = llm.cohere.requests[-1].request
    assert [message.role for message in asked.messages] == ["user", "assistant", "tool"]
    assert asked.messages[1].tool_calls[0].id == asked.messages[2].tool_call_id == "call_1"
    assert asked.messages[2].text == '[{"sky":"clear"}]'
    assert asked.tools[0].parameters == {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "Where"},
            "days": {"type": "array", "items": {"type": "integer"}},
        },
        "required": ["city"],
    }


def test_structured_output(llm, client):
    """A schema is read, and what it asks for is generated."""
    llm.cohere.generates()
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    told = client.chat(model=MODEL, message="How many?", response_format={"type": "json_object", "schema": schema})
    assert told.text.startswith('{"n"')
    assert llm.cohere.requests[0].request.response_format == ResponseFormat.json_schema(schema)


def test_embeddings_in_both_forms(llm, client):
    """Plain vectors, or by type where types are asked for."""
    plain = client.embed(texts=["a", "b"], model="embed-english-v3.0", input_type="search_document")
    by_type = client.embed(
        texts=["a"],
        model="embed-english-v3.0",
        input_type="search_document",
        embedding_types=["float"],
        batching=False,  # The merging of its batches reads what pydantic deprecates.
    )
    assert (plain.response_type, len(plain.embeddings)) == ("embeddings_floats", 2)
    assert by_type.response_type == "embeddings_by_type"
    assert by_type.embeddings.float_[0] == plain.embeddings[0]
    assert [seen.request.inputs for seen in llm.cohere.requests] == [("a", "b"), ("a",)]


def test_ranks_with_their_documents(llm, client):
    """The most alike first, with the documents where they are asked for."""
    told = client.rerank(
        model="rerank-english-v3.0",
        query="capital of France",
        documents=["Berlin is in Germany", {"text": "Paris is the capital of France"}],
        top_n=1,
        return_documents=True,
    )
    (best,) = told.results
    assert (best.index, best.document.text) == (1, "Paris is the capital of France")
    assert llm.cohere.requests[0].operation == "rerank"


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (faults.RateLimited(), cohere.TooManyRequestsError),
        (faults.ServerError(503), cohere.ServiceUnavailableError),
        (faults.AuthenticationFailed(), cohere.UnauthorizedError),
    ],
    ids=["429", "503", "key"],
)
def test_failures_are_those_of_the_client(llm, client, fault, error):
    """Each is the class that the client has for it."""
    llm.cohere.fails(fault, times=None)
    with pytest.raises(error):
        client.chat(model=MODEL, message="hi", request_options={"max_retries": 0})


def test_a_stream_that_fails_ends_with_an_error(llm, client):
    """Its last line says so."""
    llm.cohere.replies(Reply("Paris is it.", fault=faults.StreamError(after_chunks=2, error=faults.Overloaded())))
    last = list(client.chat_stream(model=MODEL, message="hi"))[-1]
    assert (last.event_type, last.finish_reason) == ("stream-end", "ERROR")


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"message": ""}, "message must be at least 1 token long or tool results must be specified"),
        ({"message": "hi", "temperature": 7}, "temperature must be between 0.0 and 2.0"),
        ({"message": "hi", "p": 2}, "p must be between 0.0 and 1.0"),
        ({"message": "hi", "tools": [{}]}, "all elements in tools must have a name"),
        ({"message": "hi", "chat_history": [{"role": "POET", "message": "x"}]}, "role of each message"),
    ],
)
def test_what_cohere_refuses_is_refused(llm, fields, text):
    """With a 400, before a model is asked."""
    answer = httpx.post("https://api.cohere.com/v1/chat", json={"model": MODEL, **fields})
    assert (answer.status_code, llm.costs.total_usd) == (400, 0)
    assert text in answer.json()["message"]


def endpoint():
    """Return the first version's chat."""
    return next(each for each in dialect("cohere").served if each.pattern == "/v1/chat")


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 2},
        {"max_tokens": 0},
        {"logprobs": True},
        {"reasoning_effort": "low"},
        {"tools": (ToolDefinition("t"),)},
        {"messages": (ChatMessage.assistant("hi"),)},
        {"messages": (ChatMessage.user((TextPart("hi"),)),)},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_what_the_first_version_has_no_word_for_is_refused(fields):
    """Nothing is left out in silence."""
    request = CompletionRequest(**{"messages": (ChatMessage.user("hi"),), "model": "m", **fields})
    with pytest.raises(NotSupportedError, match="cohere: "):
        endpoint().encode_call(request, stream=False)


def test_thoughts_cannot_be_said(llm, client):
    """A script that has them is a mistake of the test, and the text says which version has a word for them."""
    llm.cohere.replies(Reply("Paris.", thinking="Hm."))
    with pytest.raises(SimulationStateError, match="first version has no word for a ThinkingPart"):
        client.chat(model=MODEL, message="hi")
    llm.world.harness_errors.clear()
