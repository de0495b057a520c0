"""Cohere, simulated: its own client reads, streams, calls and fails as it does with the real thing."""

from dataclasses import replace

import cohere
import pytest

from llmtest import OpenAICompatibleProvider, Reply, Simulation, faults
from llmtest.errors import (
    AuthenticationError,
    ContextLengthExceededError,
    ModelNotFoundError,
    NotSupportedError,
    OverloadedError,
    RateLimitedError,
    ServerError,
    SimulationStateError,
)
from llmtest.types import (
    ChatMessage,
    CompletionRequest,
    EmbeddingRequest,
    FinishReason,
    ResponseFormat,
    ToolCall,
    ToolDefinition,
    Usage,
)
from llmtest.wire import dialect
from tests.whole_sdks import load

load("cohere")

ASKED = [{"role": "user", "content": "Capital of France?"}]
WEATHER = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}
SEARCH = ToolDefinition("search", "Searches.", {"type": "object", "properties": {"q": {"type": "string"}}})
MODEL = "command-a-03-2025"


@pytest.fixture
def llm():
    """A simulation whose Cohere is asked."""
    with Simulation() as llm_sim:
        yield llm_sim


@pytest.fixture
def client(llm):
    """Cohere's client."""
    del llm
    return cohere.ClientV2(api_key="k")


def test_an_answer_has_what_cohere_s_has(llm, client):
    """Text, thoughts, reason and usage are read by the client."""
    llm.cohere.replies(Reply("Paris.", thinking="Hm.", usage=Usage(7, 3)))
    told = client.chat(model=MODEL, messages=ASKED)
    assert [block.type for block in told.message.content] == ["thinking", "text"]
    assert (told.message.content[1].text, told.finish_reason) == ("Paris.", "COMPLETE")
    assert (told.usage.billed_units.input_tokens, told.usage.tokens.output_tokens) == (7, 3)


def test_a_stream_is_typed_events(llm, client):
    """Every block begins and ends, and usage comes with the end."""
    llm.cohere.replies("Paris it is.")
    events = list(client.chat_stream(model=MODEL, messages=ASKED))
    assert [event.type for event in events][:2] == ["message-start", "content-start"]
    assert [event.type for event in events][-2:] == ["content-end", "message-end"]
    pieces = [event.delta.message.content.text for event in events if event.type == "content-delta"]
    assert pieces == ["Paris", " it", " is."]
    assert events[-1].delta.usage.billed_units.output_tokens > 0


def test_tools_are_called_whole_and_streamed(llm, client):
    """A plan stands before the calls, and arguments arrive in pieces."""
    call = ToolCall("tool_1", "weather", '{"city": "Paris"}')
    llm.cohere.replies(Reply("I will look.", tool_calls=[call]), times=2)
    told = client.chat(model=MODEL, messages=ASKED, tools=[WEATHER])
    assert (told.message.tool_plan, told.finish_reason) == ("I will look.", "TOOL_CALL")
    assert told.message.tool_calls[0].function.arguments == '{"city": "Paris"}'
    events = list(client.chat_stream(model=MODEL, messages=ASKED, tools=[WEATHER]))
    plans = [event.delta.message.tool_plan for event in events if event.type == "tool-plan-delta"]
    assert "".join(plans) == "I will look."
    deltas = [event for event in events if event.type == "tool-call-delta"]
    assert "".join(each.delta.message.tool_calls.function.arguments for each in deltas) == '{"city": "Paris"}'


def test_the_asynchronous_client_reads_the_same(llm):
    """Whole and streamed, on an event loop."""
    llm.cohere.replies("Paris.", "Rome.")

    async def run():
        asked = cohere.AsyncClientV2(api_key="k")
        told = await asked.chat(model=MODEL, messages=ASKED)
        stream = asked.chat_stream(model=MODEL, messages=ASKED)
        pieces = [event.delta.message.content.text async for event in stream if event.type == "content-delta"]
        return told.message.content[0].text, "".join(pieces)

    assert llm.run(run()) == ("Paris.", "Rome.")


def test_embeddings_ranks_and_models_answer_by_themselves(llm, client):
    """Vectors are numbers, the document with the query's words is first, and models are listed by name."""
    told = client.embed(model="embed-v4.0", texts=["a", "b"], input_type="search_query", embedding_types=["float"])
    assert [len(vector) for vector in told.embeddings.float_] == [1536, 1536]
    documents = ["Rome is old.", "Paris is the capital of France.", "France"]
    ranked = client.rerank(model="rerank-v3.5", query="capital of France", documents=documents, top_n=2)
    assert [(each.index, each.relevance_score) for each in ranked.results] == [(1, 1.0), (2, 0.3333333)]
    assert MODEL in [card.name for card in cohere.Client(api_key="k").models.list().models]
    assert [each.operation for each in llm.cohere.requests] == ["embeddings", "rerank", "models"]


FAULTS = [
    (faults.RateLimited(retry_after=2), cohere.TooManyRequestsError, RateLimitedError, "Trial key"),
    (faults.AuthenticationFailed(), cohere.UnauthorizedError, AuthenticationError, "invalid api token"),
    (faults.ModelNotFound(), cohere.NotFoundError, ModelNotFoundError, f"model '{MODEL}' not found"),
    (faults.ContextLengthExceeded(), cohere.BadRequestError, ContextLengthExceededError, "too many tokens"),
    (faults.ServerError(500), cohere.InternalServerError, ServerError, "internal server error"),
    (faults.Overloaded(), cohere.ServiceUnavailableError, OverloadedError, "service unavailable"),
]


@pytest.mark.parametrize(("fault", "theirs", "ours", "words"), FAULTS, ids=[row[2].__name__ for row in FAULTS])
def test_each_fault_is_raised_as_what_it_is(llm, client, fault, theirs, ours, words):
    """By Cohere's client and by our own provider."""
    llm.cohere.fails(fault, times=2)
    with pytest.raises(theirs) as caught:
        client.chat(model=MODEL, messages=ASKED, request_options={"max_retries": 0})
    assert words in caught.value.body["message"]
    with pytest.raises(ours) as raised:
        OpenAICompatibleProvider.preset("cohere", "k").complete(CompletionRequest.ask("hi"))
    assert (type(raised.value), raised.value.provider) == (ours, "cohere")


def test_our_provider_says_what_it_means_in_cohere_s_words(llm):
    """Limits, forms and choices have other names there, and are read back the same."""
    llm.cohere.generates()
    asked = CompletionRequest(
        (
            ChatMessage.system("Be brief."),
            ChatMessage.user("Find x"),
            ChatMessage.assistant_with_tool_calls("Looking.", (ToolCall("call_1", "search", '{"q":"x"}'),)),
            ChatMessage.tool_result("call_1", "found"),
        ),
        model=MODEL,
        max_tokens=64,
        temperature=0.5,
        top_p=0.5,
        top_k=3,
        seed=7,
        stop_sequences=("END",),
        tools=(SEARCH,),
        tool_choice="required",
        response_format=ResponseFormat.json_schema({"type": "object", "properties": {}}),
        extra={"cohere": {"safety_mode": "OFF"}},
    )
    OpenAICompatibleProvider.preset("cohere", "k").complete(asked)
    assert llm.cohere.requests[0].request == asked
    body = dialect("cohere").chat.encode_call(asked, stream=False).body
    for words in (
        b'"p":0.5',
        b'"k":3',
        b'"stop_sequences":["END"]',
        b'"tool_choice":"REQUIRED"',
        b'"safety_mode":"OFF"',
    ):
        assert words in body


def test_a_named_tool_is_the_only_one_that_is_sent():
    """Cohere has no word for one tool of several."""
    other = ToolDefinition("other", "Others.", {"type": "object", "properties": {}})
    asked = CompletionRequest(
        CompletionRequest.ask("hi").messages, model="m", tools=(SEARCH, other), tool_choice="search"
    )
    call = dialect("cohere").chat
    read = call.read({}, call.encode_call(asked, stream=False).body, {}).request
    assert ([tool.name for tool in read.tools], read.tool_choice) == (["search"], "required")


def test_what_cohere_cannot_say_is_refused_before_it_is_sent(llm):
    """Several answers at once are not there."""
    with pytest.raises(NotSupportedError, match="one answer is given at a time"):
        OpenAICompatibleProvider.preset("cohere", "k").complete(
            CompletionRequest(CompletionRequest.ask("a").messages, n=2)
        )
    assert not llm.cohere.requests


def test_our_provider_reads_streams_and_ends(llm):
    """Thoughts, text, reason and usage, and an answer that was cut short."""
    llm.cohere.replies(Reply("Paris.", thinking="Hm.", usage=Usage(7, 3))).replies("one two three")
    ours = OpenAICompatibleProvider.preset("cohere", "k")
    *_, end = ours.stream(CompletionRequest.ask("Capital?"))
    answer = end.response
    assert (answer.content, answer.thinking, answer.finish_reason) == ("Paris.", "Hm.", FinishReason.STOP)
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (7, 3)
    short = ours.complete(CompletionRequest.ask("Count").with_max_tokens(1))
    assert (short.finish_reason, short.raw_finish_reason) == (FinishReason.LENGTH, "MAX_TOKENS")
    written = dialect("cohere").endpoint("embeddings").encode_call(EmbeddingRequest(("a",), "embed-v4.0", dimensions=4))
    assert b'"output_dimension":4' in written.body


def test_an_error_inside_a_stream_is_an_event_of_it(llm, client):
    """The last event says what went wrong."""
    llm.cohere.fails(faults.StreamError(after_chunks=3))
    *_, last = client.chat_stream(model=MODEL, messages=ASKED)
    assert (last.type, last.delta.finish_reason) == ("message-end", "ERROR")
    assert last.delta.error


def test_the_first_version_says_what_to_call_instead(llm):
    """What of it is not simulated, such as its generations, is an error whose text names the second one."""
    llm.cohere.echoes()
    with pytest.raises(SimulationStateError, match="have the code call the second version: POST /v2/chat"):
        cohere.Client(api_key="k").generate(prompt="hi")
    llm.world.harness_errors.clear()


@pytest.mark.parametrize("script", [lambda handle: handle.replies("One two three four.", times=None), None])
def test_e27_a_stop_sequence_is_the_reason_that_is_told(llm, client, script):
    """The text ends before the word, whole or streamed, scripted or generated, and the reason is Cohere's own."""
    (script or type(llm.cohere).generates)(llm.cohere)
    whole = client.chat(model=MODEL, messages=ASKED).message.content[0].text
    stop = whole.split()[2]
    told = client.chat(model=MODEL, messages=ASKED, stop_sequences=[stop])
    *_, last = client.chat_stream(model=MODEL, messages=ASKED, stop_sequences=[stop])
    assert (told.finish_reason, last.delta.finish_reason) == ("STOP_SEQUENCE", "STOP_SEQUENCE")
    assert told.message.content[0].text == whole[: whole.index(stop)]


def test_e27_log_probabilities_are_told_where_they_are_asked_for(llm, client):
    """Each piece has its tokens and how likely they were, whole and streamed; without the option there are none."""
    llm.cohere.replies("Paris it is.", times=None)
    assert client.chat(model=MODEL, messages=ASKED).logprobs is None
    told = client.chat(model=MODEL, messages=ASKED, logprobs=True).logprobs
    assert [item.text for item in told] == ["Paris", " it", " is."]
    assert all(len(item.token_ids) == len(item.logprobs) == 1 and item.logprobs[0] <= 0 for item in told)
    events = client.chat_stream(model=MODEL, messages=ASKED, logprobs=True)
    streamed = [event.logprobs for event in events if event.type == "content-delta"]
    assert [(item.text, item.token_ids, item.logprobs) for item in streamed] == [
        (item.text, item.token_ids, item.logprobs) for item in told
    ]


def test_e27_our_own_layer_reads_log_probabilities(llm):
    """Whole, streamed and without HTTP, an answer's text has the tokens that it is made of."""
    llm.cohere.replies("Paris it is.", times=None)
    request = replace(CompletionRequest.ask("hi"), model=MODEL, logprobs=True)
    wired = OpenAICompatibleProvider.preset("cohere", "k")
    answers = [wired.complete(request), llm.cohere.as_provider(MODEL).complete(request)]
    for told in answers:
        (part,) = told.parts
        assert [token.token for token in part.logprobs] == ["Paris", " it", " is."]
