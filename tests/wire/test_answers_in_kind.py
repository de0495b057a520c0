"""Answers as the request wants them, written by us and read by the official SDKs and by ourselves."""

import json
from decimal import Decimal

import anthropic
import httpx2
import openai
import pytest

from llmtest import Reply, Simulation
from llmtest.errors import ConfigurationError
from llmtest.types import (
    AudioPart,
    Citation,
    CompletionResponse,
    FinishReason,
    ImagePart,
    RefusalPart,
    TextPart,
    ThinkingPart,
    TokenLogprob,
    ToolCall,
    Usage,
)
from llmtest.wire import ResponseMeta
from llmtest.wire import dialect as dialect_of

META = ResponseMeta(id="id-1", created_s=5, model="m", request_id="req_1")
OPENAI, ANTHROPIC = dialect_of("openai"), dialect_of("anthropic")
MESSAGES = [{"role": "user", "content": "Hi"}]


def openai_sdk(response, chunks=None):
    """Return OpenAI's SDK before a server that gives one answer, and what the server said."""
    said = []

    def answer(request):
        call = OPENAI.read("POST", request.url.path, "", request.headers, request.content)
        if call.stream:
            said.append(b"".join(OPENAI.chat.encode_stream(response, call, META, chunks)))
        else:
            said.append(OPENAI.chat.encode_answer(response, call, META))
        headers = list(OPENAI.chat.response_headers(META, stream=call.stream))
        return httpx2.Response(200, headers=headers, content=said[-1])

    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    return openai.OpenAI(api_key="k", http_client=http, max_retries=0), said


def anthropic_sdk(response):
    """Return Anthropic's SDK before a server that gives one answer, and what the server was asked and said."""
    said = []

    def answer(request):
        call = ANTHROPIC.read("POST", request.url.path, "", request.headers, request.content)
        if call.stream:
            body = b"".join(ANTHROPIC.chat.encode_stream(response, call, META))
        else:
            body = ANTHROPIC.chat.encode_answer(response, call, META)
        said.append((call.request, body))
        headers = list(ANTHROPIC.chat.response_headers(META, stream=call.stream))
        return httpx2.Response(200, headers=headers, content=body)

    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    return anthropic.Anthropic(api_key="k", http_client=http, max_retries=0), said


def stream_end(codec, body):
    """Return the response at the end of a stream."""
    decoder = codec.chat.stream_decoder()
    return [*decoder.feed(body), *decoder.close()][-1].response


ANSWER = CompletionResponse(parts=(TextPart("It is Paris."),), usage=Usage(5, 3))


def test_e27_log_probabilities_are_told_where_they_are_asked_for():
    """Each token of the text has its probability and its rivals, the same ones every time; nobody else gets any."""
    client, said = openai_sdk(ANSWER)
    found = [
        client.chat.completions.create(model="gpt-4o", messages=MESSAGES, logprobs=True, top_logprobs=2)
        for _ in range(2)
    ]
    tokens = found[0].choices[0].logprobs.content
    assert "".join(token.token for token in tokens) == "It is Paris."
    assert all(token.logprob <= 0 and bytes(token.bytes).decode() == token.token for token in tokens)
    assert [len(token.top_logprobs) for token in tokens] == [2, 2, 2]
    assert all(token.top_logprobs[0].logprob == token.logprob > token.top_logprobs[1].logprob for token in tokens)
    assert found[0].choices[0].logprobs == found[1].choices[0].logprobs
    assert client.chat.completions.create(model="gpt-4o", messages=MESSAGES).choices[0].logprobs is None
    read = OPENAI.chat.decode_answer(said[0], {})
    assert [token.token for token in read.parts[0].logprobs] == ["It", " is", " Paris."]


@pytest.mark.parametrize("chunks", [None, ["It is ", "Par", "is."], ["It is Paris."]], ids=["words", "cut", "whole"])
def test_e27_log_probabilities_come_with_the_piece_that_they_are_of(chunks):
    """In a stream every chunk tells of the tokens that it completes, and together they are those of the whole."""
    client, said = openai_sdk(ANSWER, chunks)
    events = client.chat.completions.create(
        model="gpt-4o", messages=MESSAGES, stream=True, logprobs=True, top_logprobs=1
    )
    told = [choice.logprobs for event in events for choice in event.choices if choice.delta.content]
    assert all(logprobs is not None for logprobs in told)
    tokens = [token for logprobs in told for token in logprobs.content]
    assert [token.token for token in tokens] == ["It", " is", " Paris."]
    if chunks is None:
        assert [len(logprobs.content) for logprobs in told] == [1, 1, 1]
    assert [token.logprob for token in stream_end(OPENAI, said[0]).parts[0].logprobs] == [t.logprob for t in tokens]


def test_e27_probabilities_that_a_test_gives_are_told_as_they_are():
    """An answer that brings its own probabilities keeps them."""
    own = (TokenLogprob("Par", -0.5, b"Par"), TokenLogprob("is", -9999.0, None, (TokenLogprob("is", -9999.0),)))
    client, _ = openai_sdk(CompletionResponse(parts=(TextPart("Paris", logprobs=own),), usage=Usage(1, 2)))
    answer = client.chat.completions.create(model="gpt-4o", messages=MESSAGES, logprobs=True)
    assert [(token.token, token.logprob) for token in answer.choices[0].logprobs.content] == [
        ("Par", -0.5),
        ("is", -9999.0),
    ]


@pytest.mark.parametrize(("asked", "told"), [("flex", "flex"), ("auto", "default"), ("fast", "priority")])
@pytest.mark.parametrize("stream", [False, True])
def test_e13_the_tier_that_was_asked_for_is_told(asked, told, stream):
    """OpenAI names the tier that answered; `auto` is the default one, and `fast` is another word for priority."""
    client, said = openai_sdk(ANSWER)
    answer = client.chat.completions.create(model="gpt-5", messages=MESSAGES, service_tier=asked, stream=stream)
    assert {each.service_tier for each in (answer if stream else [answer])} == {told}
    read = stream_end(OPENAI, said[0]) if stream else OPENAI.chat.decode_answer(said[0], {})
    assert read.service_tier == told


def test_a_tier_that_a_test_gives_is_told():
    """The response's own tier goes before the one that was asked for, in either dialect."""
    response = CompletionResponse(parts=(TextPart("Hi"),), usage=Usage(1, 1), service_tier="priority")
    client, _ = openai_sdk(response)
    answer = client.chat.completions.create(model="gpt-5", messages=MESSAGES, service_tier="flex")
    assert answer.service_tier == "priority"
    client, said = anthropic_sdk(response)
    message = client.messages.create(model="m", max_tokens=5, messages=MESSAGES)
    assert message.usage.service_tier == "priority"
    assert ANTHROPIC.chat.decode_answer(said[0][1], {}).service_tier == "priority"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", ["vllm", "ollama", "openrouter"])
def test_e14_a_compatible_server_says_nothing_that_only_openai_says(name, stream):
    """No tier, no fingerprint of OpenAI's, no padding: they are its own, as Ollama has a fingerprint of its own."""
    with Simulation() as sim:
        handle = sim.provider(name).at("http://compatible.test/v1").replies("Paris")
        client = openai.OpenAI(api_key="k", base_url="http://compatible.test/v1")
        answer = client.chat.completions.create(
            model="m", messages=MESSAGES, stream=stream, service_tier="auto", logprobs=True
        )
        told = [each.model_dump(exclude_unset=True) for each in (answer if stream else [answer])]
        assert handle.received == 1
    fingerprint = "fp_ollama" if name == "ollama" else None
    assert {each.pop("system_fingerprint", None) for each in told} == {fingerprint}
    assert not {"service_tier", "system_fingerprint", "obfuscation"} & {field for each in told for field in each}
    assert any(choice["logprobs"] for each in told for choice in each["choices"])


CALLS = CompletionResponse(
    parts=(ToolCall("c1", "weather", '{"city": "Paris"}'), ToolCall("c2", "time", "{}")),
    finish_reason=FinishReason.TOOL_USE,
    usage=Usage(5, 9),
)


@pytest.mark.parametrize("stream", [False, True])
def test_e19_functions_of_2023_are_answered_in_kind(stream):
    """Who sends `functions` gets `function_call`, one of it, and the finish reason that goes with it."""
    client, said = openai_sdk(CALLS)
    answer = client.chat.completions.create(
        model="gpt-4o",
        messages=MESSAGES,
        stream=stream,
        functions=[{"name": "weather", "parameters": {"type": "object", "properties": {}}}],
        function_call={"name": "weather"},
    )
    if stream:
        chunks = [chunk.choices[0] for chunk in answer]
        pieces = [chunk.delta.function_call for chunk in chunks if chunk.delta.function_call]
        assert pieces[0].name == "weather"
        assert "".join(piece.arguments for piece in pieces) == '{"city": "Paris"}'
        assert not any(chunk.delta.tool_calls for chunk in chunks)
        assert chunks[-1].finish_reason == "function_call"
        read = stream_end(OPENAI, said[0])
    else:
        choice = answer.choices[0]
        assert (choice.finish_reason, choice.message.tool_calls) == ("function_call", None)
        assert (choice.message.function_call.name, choice.message.function_call.arguments) == (
            "weather",
            '{"city": "Paris"}',
        )
        read = OPENAI.chat.decode_answer(said[0], {})
    assert read.tool_calls == (ToolCall("", "weather", '{"city": "Paris"}'),)
    assert read.finish_reason is FinishReason.TOOL_USE


def test_e19_functions_of_2023_are_tools():
    """What was declared as a function, and chosen, is a tool and a choice of the request, and goes back as it came."""
    body = {
        "model": "gpt-4o",
        "messages": MESSAGES,
        "functions": [{"name": "weather", "description": "Tells it.", "parameters": {"type": "object"}}],
        "function_call": {"name": "weather"},
    }
    call = OPENAI.read("POST", "/v1/chat/completions", "", {}, json.dumps(body).encode())
    assert [(tool.name, tool.description) for tool in call.request.tools] == [("weather", "Tells it.")]
    assert call.request.tool_choice == "weather"
    assert json.loads(OPENAI.chat.encode_call(call.request, stream=False).body) == body
    assert "functions" not in json.loads(ANTHROPIC.chat.encode_call(call.request, stream=False).body)


@pytest.mark.parametrize("stream", [False, True])
def test_e18_a_refusal_at_openai_is_kept_apart_from_the_text(stream):
    """The API says `stop` and puts the words into `refusal`; the same answer is read back as a refusal."""
    response = CompletionResponse(parts=(TextPart("I can't."),), finish_reason=FinishReason.REFUSAL, usage=Usage(1, 2))
    client, said = openai_sdk(response, ["I ", "can't."])
    answer = client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=stream)
    if stream:
        chunks = [chunk.choices[0] for chunk in answer]
        assert [chunk.delta.refusal for chunk in chunks if chunk.delta.refusal] == ["I ", "can't."]
        assert chunks[-1].finish_reason == "stop"
        read = stream_end(OPENAI, said[0])
    else:
        choice = answer.choices[0]
        assert (choice.finish_reason, choice.message.content, choice.message.refusal) == ("stop", None, "I can't.")
        read = OPENAI.chat.decode_answer(said[0], {})
    assert (read.parts, read.finish_reason) == ((RefusalPart("I can't."),), FinishReason.REFUSAL)


def test_e18_a_finish_reason_that_an_api_has_no_word_for_is_refused_where_it_is_written():
    """OpenAI has no word for `unknown`; Anthropic pauses a turn. The advice of the error works."""
    with Simulation() as sim:
        with pytest.raises(ConfigurationError) as caught:
            sim.openai.replies(Reply("Hm", finish_reason="unknown"))
        assert str(caught.value) == (
            "`openai` has no word for the finish reason `unknown`. It has one for: stop, length, tool_use, "
            'content_filter, refusal.\n\nTo fix: Reply(text, finish_reason="stop")'
        )
        sim.openai.replies(eval(str(caught.value).partition("To fix: ")[2], {"Reply": Reply, "text": "Hm"}))
        sim.anthropic.replies(Reply("Hm", finish_reason="unknown"))
        client = anthropic.Anthropic(api_key="k")
        assert client.messages.create(model="m", max_tokens=5, messages=MESSAGES).stop_reason == "pause_turn"
        openai.OpenAI(api_key="k").chat.completions.create(model="gpt-4o", messages=MESSAGES)


THOUGHT = CompletionResponse(parts=(ThinkingPart("Let me see."), TextPart("Paris")), usage=Usage(5, 9))


def test_e25_thinking_is_signed_and_accepted_again():
    """A thought has a proof, the same for the same thought, and what was answered can be sent back as it is."""
    client, said = anthropic_sdk(THOUGHT)
    first = client.messages.create(model="m", max_tokens=5, messages=MESSAGES)
    block = first.content[0]
    assert (block.type, block.thinking) == ("thinking", "Let me see.")
    assert len(block.signature) > 60
    turns = [*MESSAGES, {"role": "assistant", "content": first.content}, {"role": "user", "content": "Sure?"}]
    second = client.messages.create(model="m", max_tokens=5, messages=turns)
    assert second.content[0].signature == block.signature
    assert said[1][0].messages[1].content[0] == ThinkingPart("Let me see.", block.signature)


def test_e25_the_signature_of_a_streamed_thought_has_an_event_of_its_own():
    """The signature comes after the thought and before the text; both readers put it where it belongs."""
    client, said = anthropic_sdk(THOUGHT)
    with client.messages.stream(model="m", max_tokens=5, messages=MESSAGES) as events:
        kinds = [event.delta.type for event in events if event.type == "content_block_delta"]
        message = events.get_final_message()
    assert kinds.count("signature_delta") == 1
    assert kinds.index("signature_delta") == kinds.index("text_delta") - 1
    read = stream_end(ANTHROPIC, said[0][1])
    assert read.parts[0].signature == message.content[0].signature
    whole = ANTHROPIC.chat.decode_answer(ANTHROPIC.chat.encode_answer(THOUGHT, None, META), {})
    assert whole.parts == read.parts


def test_anthropic_s_usage_in_every_detail():
    """Cache writes by their time to live and tools that ran at the provider are told and read."""
    usage = Usage(1000, 20, 300, 500, cache_write_1h_tokens=200, server_tools=(("web_fetch", 1), ("web_search", 3)))
    client, said = anthropic_sdk(CompletionResponse(parts=(TextPart("Hi"),), usage=usage))
    told = client.messages.create(model="m", max_tokens=5, messages=MESSAGES).usage
    assert (told.input_tokens, told.cache_creation_input_tokens, told.cache_read_input_tokens) == (200, 500, 300)
    created = told.cache_creation
    assert (created.ephemeral_5m_input_tokens, created.ephemeral_1h_input_tokens) == (300, 200)
    assert (told.server_tool_use.web_search_requests, told.server_tool_use.web_fetch_requests) == (3, 1)
    assert ANTHROPIC.chat.decode_answer(said[0][1], {}).usage == usage
    with client.messages.stream(model="m", max_tokens=5, messages=MESSAGES) as events:
        assert events.get_final_message().usage.cache_creation.ephemeral_1h_input_tokens == 200
    assert stream_end(ANTHROPIC, said[1][1]).usage == usage


def test_openai_s_usage_in_every_detail():
    """Sound is told and read; OpenRouter states what an answer costs, to the last digit."""
    usage = Usage(100, 20, input_audio_tokens=60, output_audio_tokens=15, cost_usd=Decimal("0.00001234"))
    client, said = openai_sdk(CompletionResponse(parts=(TextPart("Hi"),), usage=usage))
    told = client.chat.completions.create(model="m", messages=MESSAGES).usage
    assert (told.prompt_tokens_details.audio_tokens, told.completion_tokens_details.audio_tokens) == (60, 15)
    assert told.cost == 0.00001234
    assert OPENAI.chat.decode_answer(said[0], {}).usage == usage


@pytest.mark.parametrize(
    ("cost", "found"),
    [(0.5, Decimal("0.5")), (0, Decimal(0)), ({"total_cost": 0.25}, Decimal("0.25")), ("0.5", None), (-1, None)],
)
def test_a_stated_cost_is_a_number(cost, found):
    """A number of US dollars, or Perplexity's object with a total; anything else states nothing."""
    body = json.loads(OPENAI.chat.encode_answer(ANSWER, OPENAI.read("GET", "/v1/models", "", {}, b""), META))
    body["usage"]["cost"] = cost
    assert OPENAI.chat.decode_answer(json.dumps(body).encode(), {}).usage.cost_usd == found


def test_openai_s_sources_images_and_sound():
    """Sources belong to the text, images and sound are parts; the official SDK reads what it knows of them."""
    parts = (
        TextPart("Sunny.", (Citation("https://x.test/", "X", start=0, end=6),)),
        ImagePart(data="iVBO", media_type="image/png"),
        AudioPart("UklG", id="audio_1", transcript="Sunny.", expires_s=99),
    )
    client, said = openai_sdk(CompletionResponse(parts=parts, usage=Usage(1, 1)))
    message = client.chat.completions.create(model="m", messages=MESSAGES).choices[0].message
    citation = message.annotations[0].url_citation
    assert (citation.url, citation.title, citation.start_index, citation.end_index) == ("https://x.test/", "X", 0, 6)
    assert (message.audio.id, message.audio.transcript, message.audio.expires_at) == ("audio_1", "Sunny.", 99)
    assert OPENAI.chat.decode_answer(said[0], {}).parts == parts
    list(client.chat.completions.create(model="m", messages=MESSAGES, stream=True))
    assert stream_end(OPENAI, said[1]).parts == parts


def test_anthropic_s_sources_and_server_tools():
    """Sources point into documents or to web pages; a search that Anthropic ran itself is nobody else's call."""
    parts = (
        ToolCall("srvtoolu_1", "web_search", '{"query":"weather"}', server=True),
        TextPart("Sunny.", (Citation("https://x.test/", "X", "It is sunny.", proof="e1"),)),
        TextPart("Warm.", (Citation(title="A", text="w", document=0, unit="page", source_start=1, source_end=2),)),
    )
    client, said = anthropic_sdk(CompletionResponse(parts=parts, usage=Usage(1, 1)))
    first, second, third = client.messages.create(model="m", max_tokens=5, messages=MESSAGES).content
    assert (first.type, first.input) == ("server_tool_use", {"query": "weather"})
    assert (second.citations[0].url, second.citations[0].encrypted_index) == ("https://x.test/", "e1")
    assert (third.citations[0].type, third.citations[0].start_page_number) == ("page_location", 1)
    read = ANTHROPIC.chat.decode_answer(said[0][1], {})
    assert (read.parts, read.tool_calls) == (parts, ())
    with client.messages.stream(model="m", max_tokens=5, messages=MESSAGES) as events:
        assert [block.type for block in events.get_final_message().content] == ["server_tool_use", "text", "text"]
    assert stream_end(ANTHROPIC, said[1][1]).parts == parts
