"""Providers that speak like OpenAI, simulated: their own clients read them, and what differs is as it really is."""

import json
from dataclasses import replace

import groq
import httpx
import openai
import pytest
from mistralai.client import Mistral
from mistralai.client.errors import SDKError

from llmtest import OpenAICompatibleProvider, Reply, Simulation, build_chain, faults
from llmtest.errors import (
    AuthenticationError,
    ConfigurationError,
    ContextLengthExceededError,
    ModelNotFoundError,
    OverloadedError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitedError,
    ServerError,
)
from llmtest.types import (
    Citation,
    CompletionRequest,
    CompletionResponse,
    FinishReason,
    TextPart,
    ThinkingPart,
    ToolDefinition,
    Usage,
)
from llmtest.wire import ResponseMeta, dialect
from tests.whole_sdks import load

load("mistralai")

ASKED = [{"role": "user", "content": "Capital of France?"}]
WEATHER = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}
ADDRESSES = {
    "deepseek": "https://api.deepseek.com",
    "groq": "https://api.groq.com/openai/v1",
    "huggingface": "https://router.huggingface.co/v1",
    "mistral": "https://api.mistral.ai/v1",
    "near_ai": "https://cloud-api.near.ai/v1",
    "perplexity": "https://api.perplexity.ai",
    "tinfoil": "https://inference.tinfoil.sh/v1",
    "together_ai": "https://api.together.xyz/v1",
    "xai": "https://api.x.ai/v1",
}
EVERYONE = pytest.mark.parametrize("name", sorted(ADDRESSES))


@pytest.fixture
def llm():
    """A simulation that everybody asks."""
    with Simulation() as llm_sim:
        yield llm_sim


def client_of(name):
    """Return OpenAI's client at a provider's address, as most of them document it."""
    return openai.OpenAI(base_url=ADDRESSES[name], api_key="k", max_retries=0)


def ask(client, **settings):
    """Ask for a capital."""
    return client.chat.completions.create(model="m-1", messages=ASKED, **settings)


@EVERYONE
def test_openai_s_client_reads_them_at_their_addresses(llm, name):
    """Answers, streams, calls of tools and lists of models."""
    llm.provider(name).replies("Paris.", "Rome it is.").calls_tool("weather", {"city": "Paris"}, times=2)
    client = client_of(name)
    assert ask(client).choices[0].message.content == "Paris."
    chunks = list(ask(client, stream=True))
    assert "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices) == "Rome it is."
    called = ask(client, tools=[WEATHER]).choices[0]
    assert (called.finish_reason, called.message.tool_calls[0].function.arguments) == (
        "tool_calls",
        '{"city": "Paris"}',
    )
    pieces = [
        call.function.arguments
        for chunk in ask(client, tools=[WEATHER], stream=True)
        for choice in chunk.choices
        for call in choice.delta.tool_calls or ()
    ]
    assert "".join(pieces) == '{"city": "Paris"}'
    assert [card.id for card in client.models.list()][-1] == "m-1"
    assert len(client.embeddings.create(model="e", input="hi").data[0].embedding) == 1536


FAULTS = [
    (faults.RateLimited(retry_after=2), RateLimitedError),
    (faults.AuthenticationFailed(), AuthenticationError),
    (faults.PermissionDenied(), PermissionDeniedError),
    (faults.ModelNotFound(), ModelNotFoundError),
    (faults.QuotaExceeded(), QuotaExceededError),
    (faults.ContextLengthExceeded(), ContextLengthExceededError),
    (faults.ServerError(500), ServerError),
    (faults.Overloaded(), OverloadedError),
]


@EVERYONE
def test_f009_a_preset_asks_a_provider_by_its_name(llm, name):
    """Address, key and ways are known; answers and streams are read, thoughts and usage among them."""
    told = CompletionResponse(
        parts=(ThinkingPart("Hm."), TextPart("Paris.")), finish_reason=FinishReason.STOP, usage=Usage(20, 9, 5, 0, 4)
    )
    llm.provider(name).replies(Reply("Paris.", thinking="Hm.", usage=told.usage), times=2)
    ours = OpenAICompatibleProvider.preset(name, "k", model="m-1")
    request = CompletionRequest.ask("Capital of France?")
    *_, end = ours.stream(request)
    for answer in (ours.complete(request), end.response):
        assert (answer.content, answer.thinking, answer.provider) == ("Paris.", "Hm.", name)
        assert (answer.usage.input_tokens, answer.usage.output_tokens) == (20, 9)
    assert ours.base_url == dialect(name).base_url


@EVERYONE
@pytest.mark.parametrize(("fault", "kind"), FAULTS, ids=[row[1].__name__ for row in FAULTS])
def test_each_fault_is_raised_as_what_it_is(llm, name, fault, kind):
    """However a provider words a failure, and whatever status it gives it."""
    llm.provider(name).fails(fault)
    with pytest.raises(kind) as caught:
        OpenAICompatibleProvider.preset(name, "k", model="m-1").complete(CompletionRequest.ask("hi"))
    assert (type(caught.value), caught.value.provider) == (kind, name)


def test_a_preset_that_nobody_has_names_the_nearest():
    """The error has the known names, and what to write for an address of one's own."""
    with pytest.raises(ConfigurationError) as caught:
        OpenAICompatibleProvider.preset("grok")
    first, second, *_, last = str(caught.value).splitlines()
    assert first == "no preset is called `grok`. Did you mean `groq`?"
    assert second.startswith("Presets: anthropic, azure, ")
    assert last == "To fix: write one of these, or give the address: OpenAICompatibleProvider('grok', base_url=...)"


def test_groq_s_client_reads_usage_that_is_told_aside(llm):
    """A stream tells its usage under `x_groq`, asked for or not, and thoughts are in `reasoning`."""
    llm.groq.replies("Paris.").replies(Reply("Paris.", thinking="Hm."), times=2)
    client = groq.Groq(api_key="k", max_retries=0)
    *_, last = client.chat.completions.create(model="llama", messages=ASKED, stream=True)
    assert last.x_groq.usage.total_tokens > 0
    assert last.x_groq.usage.total_time > 0
    told = client.chat.completions.create(model="llama", messages=ASKED)
    assert (told.choices[0].message.reasoning, told.usage.queue_time) == ("Hm.", 0.01)
    chunks = list(client.chat.completions.create(model="llama", messages=ASKED, stream=True))
    assert "".join(chunk.choices[0].delta.reasoning or "" for chunk in chunks) == "Hm."
    assert chunks[0].x_groq.id.startswith("req_")


def test_groq_s_asynchronous_client_and_its_errors(llm):
    """Waits are in Groq's words and headers, errors have no `param`."""
    llm.groq.replies("Paris.")
    llm.groq.fails(faults.RateLimited(retry_after=7.66)).fails(faults.AuthenticationFailed())

    async def run():
        client = groq.AsyncGroq(api_key="k", max_retries=0)
        told = await client.chat.completions.create(model="llama", messages=ASKED)
        with pytest.raises(groq.RateLimitError) as slow:
            await client.chat.completions.create(model="llama", messages=ASKED)
        with pytest.raises(groq.AuthenticationError) as wrong:
            await client.chat.completions.create(model="llama", messages=ASKED)
        return told.choices[0].message.content, slow.value, wrong.value

    content, slow, wrong = llm.run(run())
    assert content == "Paris."
    assert "service tier `on_demand`" in slow.body["error"]["message"]
    assert "Please try again in 7.66s." in slow.body["error"]["message"]
    expected = {"message": "Invalid API Key", "type": "invalid_request_error", "code": "invalid_api_key"}
    assert wrong.body == {"error": expected}


def test_mistral_s_client_reads_answers_streams_and_whole_calls(llm):
    """Usage comes with the reason of the end, and each call of a tool in one piece."""
    llm.mistral.replies("Paris.", "Rome it is.").calls_tool("weather", {"city": "Paris"}, times=2)
    with Mistral(api_key="k") as client:
        told = client.chat.complete(model="mistral-small-latest", messages=ASKED)
        assert told.choices[0].message.content == "Paris."
        chunks = [event.data for event in client.chat.stream(model="mistral-small-latest", messages=ASKED)]
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Rome it is."
        assert (chunks[-1].choices[0].finish_reason, chunks[-1].usage.total_tokens > 0) == ("stop", True)
        told = client.chat.complete(model="mistral-small-latest", messages=ASKED, tools=[WEATHER])
        assert told.choices[0].message.tool_calls[0].function.arguments == '{"city": "Paris"}'
        events = list(client.chat.stream(model="mistral-small-latest", messages=ASKED, tools=[WEATHER]))
        calls = [call for event in events for call in event.data.choices[0].delta.tool_calls or ()]
        assert [call.function.arguments for call in calls] == ['{"city": "Paris"}']
        assert len(calls[0].id) == 9


def test_e29_mistral_s_client_reads_embeddings_and_models(llm):
    """An answer has the id that the client insists on, and a card what the model can do."""
    llm.mistral.echoes()
    with Mistral(api_key="k") as client:
        told = client.embeddings.create(model="mistral-embed", inputs=["a", "b"])
        assert (len(told.data), bool(told.id)) == (2, True)
        (card,) = client.models.list().data
        assert (card.id, card.capabilities.function_calling) == ("mistral-small-latest", True)


def test_mistral_s_asynchronous_client_and_its_seed(llm):
    """`random_seed` is the seed, both ways; a model that is not there is a 400 with Mistral's code."""
    llm.mistral.replies("Paris.").fails(faults.ModelNotFound())

    async def run():
        async with Mistral(api_key="k") as client:
            told = await client.chat.complete_async(
                model="mistral-small-latest", messages=ASKED, random_seed=7, safe_prompt=True
            )
            with pytest.raises(SDKError) as missing:
                await client.chat.complete_async(model="mistral-none", messages=ASKED)
            return told.choices[0].message.content, missing.value

    content, missing = llm.run(run())
    assert content == "Paris."
    assert (missing.status_code, json.loads(missing.body)["code"]) == (400, "1500")
    request = llm.mistral.requests[0].request
    assert (request.seed, request.extra_for("openai")) == (7, {"safe_prompt": True})
    written = json.loads(dialect("mistral").chat.encode_call(request, stream=True).body)
    assert (written["random_seed"], written["safe_prompt"]) == (7, True)
    assert not {"seed", "stream_options"} & written.keys()


def test_a_window_that_is_full_is_an_end_by_length():
    """Mistral tells a full window apart from a limit that the request set."""
    body = {"id": "1", "model": "m", "choices": [{"index": 0, "message": {"content": "a"}}], "usage": None}
    body["choices"][0]["finish_reason"] = "model_length"
    answer = dialect("mistral").chat.decode_answer(json.dumps(body).encode(), {})
    assert (answer.finish_reason, answer.raw_finish_reason) == (FinishReason.LENGTH, "model_length")


def test_deepseek_tells_what_its_cache_knew(llm):
    """Usage has hits and misses; thoughts are in `reasoning_content`; `/v1` and `/beta` lead there, too."""
    llm.deepseek.replies(Reply("Paris.", thinking="Hm.", usage=Usage(20, 9, 5, 0, 4)), times=4)
    told = ask(client_of("deepseek"))
    assert told.choices[0].message.reasoning_content == "Hm."
    usage = told.usage
    assert (usage.prompt_cache_hit_tokens, usage.prompt_cache_miss_tokens) == (5, 15)
    *_, last = ask(client_of("deepseek"), stream=True)
    assert (last.choices[0].finish_reason, last.usage.prompt_cache_hit_tokens) == ("stop", 5)
    for root in ("/v1", "/beta"):
        assert ask(openai.OpenAI(base_url=f"https://api.deepseek.com{root}", api_key="k")).usage == usage


def test_deepseek_has_no_credit_by_its_own_status(llm):
    """An empty account is a 402."""
    llm.deepseek.fails(faults.QuotaExceeded())
    with pytest.raises(openai.APIStatusError) as caught:
        ask(client_of("deepseek"))
    assert (caught.value.status_code, caught.value.body["message"]) == (402, "Insufficient Balance")


def test_perplexity_ends_a_stream_without_a_word(llm):
    """No `[DONE]` follows the reason of the end, with which usage and sources come."""
    llm.perplexity.replies("Paris.")
    asked = {"model": "sonar", "messages": ASKED, "stream": True}
    stream = httpx.post("https://api.perplexity.ai/chat/completions", json=asked).text
    assert "[DONE]" not in stream
    last = json.loads(stream.rstrip().rpartition("data: ")[2])
    assert (last["choices"][0]["finish_reason"], last["citations"], last["search_results"]) == ("stop", [], [])
    assert last["usage"]["search_context_size"] == "low"


def test_perplexity_tells_its_sources():
    """What an answer cites is listed beside it, each source once."""
    source = Citation(url="https://example.org/paris", title="Paris")
    chat = dialect("perplexity").chat
    call = chat.read({}, json.dumps({"model": "sonar", "messages": ASKED}).encode(), {})
    answer = CompletionResponse(
        parts=(TextPart("Paris.", (source, source)),), finish_reason=FinishReason.STOP, usage=Usage(3, 2), model="sonar"
    )
    body = json.loads(chat.encode_answer(answer, call, ResponseMeta(id="1")))
    assert body["citations"] == ["https://example.org/paris"]
    assert body["search_results"] == [{"title": "Paris", "url": "https://example.org/paris", "date": None}]


def test_xai_says_what_is_wrong_in_a_code_and_a_text(llm):
    """A wrong key is a 400, and thoughts are counted beside the answer."""
    llm.xai.fails(faults.AuthenticationFailed()).replies(Reply("Paris.", thinking="Hm.", usage=Usage(20, 9, 0, 0, 4)))
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client_of("xai"))
    assert caught.value.response.json() == {
        "code": "Client specified an invalid argument",
        "error": "Incorrect API key provided: k***k. You can obtain an API key from https://console.x.ai.",
    }
    usage = ask(client_of("xai")).usage
    assert (usage.completion_tokens, usage.completion_tokens_details.reasoning_tokens) == (5, 4)
    assert usage.total_tokens == 29


def test_together_words_a_prompt_that_is_too_long_as_its_servers_do(llm):
    """It is a 422, which no client takes for a full window by its status."""
    llm.together_ai.fails(faults.ContextLengthExceeded())
    with pytest.raises(openai.UnprocessableEntityError, match=r"`inputs` tokens \+ `max_new_tokens` must be <="):
        ask(client_of("together_ai"))


def test_a_chain_file_may_name_them(llm):
    """Presets are providers like any other, with tools and structured answers."""
    tool = ToolDefinition("weather", "Tells.", {"type": "object", "properties": {"city": {"type": "string"}}})
    llm.groq.fails(faults.Overloaded(), times=3)
    llm.mistral.calls_tool("weather", {"city": "Paris"})
    chain = build_chain(
        {"providers": [{"provider": "groq", "model": "llama"}, {"provider": "mistral", "trigger": "any_error"}]}
    )
    told = chain.complete(CompletionRequest(CompletionRequest.ask("Weather?").messages, tools=(tool,)))
    assert (told.provider, told.tool_calls[0].parsed_arguments()) == ("mistral", {"city": "Paris"})


def test_mistral_s_thoughts_are_parts_of_its_content(llm):
    """Whole and streamed its client reads them as chunks of their own; so does our own layer, in one part."""
    thought = Reply("Paris.", thinking="France it is.")
    llm.mistral.replies(thought, times=4)
    with Mistral(api_key="k") as client:
        told = client.chat.complete(model="magistral-medium-latest", messages=ASKED).choices[0].message.content
        assert [(part.type, part.thinking[0].text if part.type == "thinking" else part.text) for part in told] == [
            ("thinking", "France it is."),
            ("text", "Paris."),
        ]
        deltas = [event.data.choices[0].delta.content for event in client.chat.stream(model="m", messages=ASKED)]
    pieces = [part.thinking[0].text for content in deltas if isinstance(content, list) for part in content]
    assert "".join(pieces) == "France it is."
    assert "".join(content for content in deltas if isinstance(content, str)) == "Paris."
    provider = OpenAICompatibleProvider.preset("mistral", api_key="k", model="magistral-medium-latest")
    whole = provider.complete(CompletionRequest.ask("Capital?"))
    assert whole.parts == (ThinkingPart("France it is."), TextPart("Paris."))
    events = list(provider.stream(CompletionRequest.ask("Capital?")))
    assert "".join(event.text for event in events if event.kind == "thinking") == "France it is."
    assert events[-1].response.parts == whole.parts


def test_parts_of_a_content_are_read_as_they_continue_each_other():
    """Text in parts is told as text, and one part goes on where the one before it ended; others stay as they are."""
    decoder = dialect("mistral").chat.stream_decoder({})

    def fed(content, **more):
        choice = {"index": 0, "delta": {"content": content}, "finish_reason": None, **more}
        return decoder.feed(b"data: " + json.dumps({"id": "1", "model": "m", "choices": [choice]}).encode() + b"\n\n")

    events = [
        *fed([{"type": "thinking", "thinking": [{"type": "text", "text": "Fra"}]}]),
        *fed([{"type": "thinking", "thinking": [{"type": "text", "text": "nce"}], "closed": True}]),
        *fed([{"type": "text", "text": "Pa"}]),
        *fed("ris"),
        *fed([{"type": "text", "text": "."}, {"type": "reference", "reference_ids": [1]}], finish_reason="stop"),
        *decoder.feed(b"data: [DONE]\n\n"),
        *decoder.close(),
    ]
    assert [event.text for event in events if event.kind == "thinking"] == ["Fra", "nce"]
    assert [event.text for event in events if event.kind == "text"] == ["Pa", "ris", "."]
    thought, text, reference = events[-1].response.parts
    assert (thought.text, text.text, reference.data["reference_ids"]) == ("France", "Paris.", [1])


def refused(llm, name, **asked):
    """Ask a provider by OpenAI's client; return the refusal."""
    getattr(llm, name).replies("Paris.", optional=True)
    client = openai.OpenAI(base_url=ADDRESSES[name], api_key="k", max_retries=0)
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(**{"model": "m", "messages": ASKED, **asked})
    return caught.value


def test_e26_mistral_refuses_every_field_that_it_does_not_know(llm):
    """A 422 that lists each with its place, in the request and in its messages."""
    thought = {"role": "assistant", "content": "Hm.", "reasoning_content": "?"}
    error = refused(llm, "mistral", messages=[thought, *ASKED], max_completion_tokens=9, extra_body={"flurb": 1})
    assert error.status_code == 422
    told = error.body["message"]["detail"]
    assert [(each["type"], each["loc"], each["input"]) for each in told] == [
        ("extra_forbidden", ["body", "max_completion_tokens"], 9),
        ("extra_forbidden", ["body", "flurb"], 1),
        ("extra_forbidden", ["body", "messages", 0, "assistant", "reasoning_content"], "?"),
    ]
    assert {each["msg"] for each in told} == {"Extra inputs are not permitted"}


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        pytest.param({"extra_body": {"reasoning": {}}}, "property 'reasoning' is unsupported", id="far"),
        pytest.param(
            {"extra_body": {"stopp": "x"}}, "property 'stopp' is unsupported, did you mean 'stop'?", id="near"
        ),
        pytest.param(
            {"messages": [{"role": "assistant", "content": "a", "reasoning_content": "b"}, *ASKED]},
            "'messages.0' : for 'role:assistant' the following must be satisfied"
            "[('messages.0' : property 'reasoning_content' is unsupported)]",
            id="thoughts",
        ),
        pytest.param(
            {"messages": [{"role": "assistant", "content": "a", "status": "b"}, *ASKED]},
            "'messages.0' : for 'role:assistant' the following must be satisfied"
            "[('messages.0' : property 'status' is unsupported, did you mean 'name'?)]",
            id="message",
        ),
    ],
)
def test_e26_groq_refuses_the_first_field_that_it_does_not_know(llm, asked, message):
    """A 400 in its words, with the name that is near, if one is."""
    error = refused(llm, "groq", **asked)
    assert (error.status_code, error.body) == (400, {"message": message, "type": "invalid_request_error"})


@pytest.mark.parametrize("name", ["groq", "mistral"])
def test_e26_our_own_layer_sends_nothing_that_is_refused(llm, name):
    """What a request of ours says is either known there or not sent."""
    getattr(llm, name).replies("Paris.")
    request = CompletionRequest.ask("hi").with_model("m").with_max_tokens(9).with_temperature(0.5)
    said = replace(request, seed=7, stop_sequences=("x",), metadata={"team": "a"})
    assert OpenAICompatibleProvider.preset(name, "k").complete(said).content == "Paris."
