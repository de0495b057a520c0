"""Gemini, simulated: Google's own SDK reads, streams, calls and fails as it does with the real thing."""

import json
from dataclasses import replace

import httpx2
import pydantic
import pytest
from google import genai
from google.genai import errors, types

from llmtest import CompletionRequest, FallbackChain, GeminiProvider, LLMClient, Reply, Simulation, faults
from llmtest.types import ChatMessage, ToolCall


class City(pydantic.BaseModel):
    """What a structured answer is parsed into."""

    name: str
    people: int


WEATHER = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(
            name="weather",
            description="Tells the weather.",
            parameters_json_schema={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        )
    ]
)


@pytest.fixture
def llm():
    """A simulation whose Gemini is asked by Google's SDK."""
    with Simulation() as llm_sim:
        yield llm_sim


@pytest.fixture(params=["v1beta", "v1"])
def client(request, llm):
    """Google's SDK, by both versions of the API."""
    del llm
    return genai.Client(api_key="k", http_options=types.HttpOptions(api_version=request.param))


def ask(client, contents="Capital of France?", **config):
    """Ask Gemini."""
    settings = types.GenerateContentConfig(**config) if config else None
    return client.models.generate_content(model="gemini-2.5-flash", contents=contents, config=settings)


def test_an_answer_has_what_gemini_s_has(llm, client):
    """Text, reason, usage, model and id are read by the SDK."""
    llm.gemini.replies("Paris.")
    told = ask(client)
    assert told.text == "Paris."
    assert told.candidates[0].finish_reason is types.FinishReason.STOP
    assert (told.model_version, bool(told.response_id)) == ("gemini-2.5-flash", True)
    usage = told.usage_metadata
    assert usage.total_token_count == usage.prompt_token_count + usage.candidates_token_count > 0


def test_a_stream_is_whole_responses_one_after_the_other(llm, client):
    """Every event has its piece and the usage; the last one says why it ended."""
    llm.gemini.replies("Paris it is.")
    events = list(client.models.generate_content_stream(model="gemini-2.5-flash", contents="Capital?"))
    assert [event.text for event in events] == ["Paris", " it", " is."]
    assert [event.candidates[0].finish_reason for event in events] == [None, None, types.FinishReason.STOP]


def test_the_script_sees_a_conversation(llm, client):
    """Contents are messages: the instruction, calls without ids, and what answers them."""
    llm.gemini.replies("Warm.")
    talk = [
        types.Content(role="user", parts=[types.Part(text="Weather?")]),
        types.Content(role="model", parts=[types.Part.from_function_call(name="weather", args={"city": "Paris"})]),
        types.Content(
            role="user", parts=[types.Part.from_function_response(name="weather", response={"result": "22"})]
        ),
    ]
    ask(client, talk, system_instruction="Be brief.", tools=[WEATHER])
    system, user, called, result = llm.gemini.requests[0].request.messages
    assert (system, user) == (ChatMessage.system("Be brief."), ChatMessage.user("Weather?"))
    (call,) = called.tool_calls
    assert (call.name, json.loads(call.arguments)) == ("weather", {"city": "Paris"})
    assert (result.tool_call_id, result.text) == (call.id, "22")


def test_functions_are_called_with_signed_thoughts(llm, client):
    """A scripted call arrives as an object, with the signature that Gemini wants back; a required one is generated."""
    llm.gemini.replies(Reply(tool_calls=[ToolCall("", "weather", '{"city":"Paris"}', signature="c2ln")])).generates()
    part = ask(client, tools=[WEATHER]).candidates[0].content.parts[0]
    assert (part.function_call.name, part.function_call.args) == ("weather", {"city": "Paris"})
    assert part.thought_signature == b"sig"
    calling = types.ToolConfig(function_calling_config=types.FunctionCallingConfig(mode="ANY"))
    (call,) = ask(client, tools=[WEATHER], tool_config=calling).function_calls
    assert isinstance(call.args["city"], str)


def test_structured_output_is_valid_on_generated_answers(llm, client):
    """A schema gets a value that fits it."""
    llm.gemini.generates()
    told = ask(client, response_mime_type="application/json", response_schema=City)
    assert isinstance(told.parsed, City)


def test_a_limit_cuts_the_answer(llm, client):
    """`max_output_tokens` is honoured, and the reason says so."""
    llm.gemini.replies("word " * 50)
    told = ask(client, max_output_tokens=5)
    assert told.candidates[0].finish_reason is types.FinishReason.MAX_TOKENS
    assert told.usage_metadata.candidates_token_count == 5


def test_candidates_thoughts_and_stop_words(llm, client):
    """Several answers, thoughts apart from the text, and a word that ends it."""
    llm.gemini.replies(Reply("Yes. END no.", thinking="Hm.")).generates()
    told = ask(client, stop_sequences=["END"])
    parts = told.candidates[0].content.parts
    assert [(part.text, part.thought) for part in parts] == [("Hm.", True), ("Yes. ", None)]
    assert len(ask(client, candidate_count=2).candidates) == 2


@pytest.mark.parametrize(
    ("fault", "kind", "code", "status"),
    [
        (faults.RateLimited(retry_after=26), errors.ClientError, 429, "RESOURCE_EXHAUSTED"),
        (faults.QuotaExceeded(), errors.ClientError, 429, "RESOURCE_EXHAUSTED"),
        (faults.AuthenticationFailed(), errors.ClientError, 400, "INVALID_ARGUMENT"),
        (faults.PermissionDenied(), errors.ClientError, 403, "PERMISSION_DENIED"),
        (faults.ModelNotFound(), errors.ClientError, 404, "NOT_FOUND"),
        (faults.ContextLengthExceeded(), errors.ClientError, 400, "INVALID_ARGUMENT"),
        (faults.ServerError(), errors.ServerError, 500, "INTERNAL"),
        (faults.Overloaded(), errors.ServerError, 503, "UNAVAILABLE"),
    ],
    ids=str,
)
def test_an_error_has_google_s_words(llm, client, fault, kind, code, status):
    """Status and words are Google's; the SDK does not ask again."""
    llm.gemini.fails(fault)
    with pytest.raises(kind) as caught:
        ask(client)
    assert (caught.value.code, caught.value.status) == (code, status)
    assert len(llm.gemini.requests) == 1


def test_a_rate_limit_tells_when_to_come_back(llm, client):
    """The wait is in the details, as `RetryInfo`, and in no header."""
    llm.gemini.fails(faults.RateLimited(retry_after=26))
    with pytest.raises(errors.ClientError) as caught:
        ask(client)
    details = caught.value.details["error"]["details"]
    assert details[-1] == {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "26s"}
    assert "retry-after" not in caught.value.response.headers


def test_a_blocked_prompt_is_an_answer_without_candidates(llm, client):
    """Refused content is no error status at Gemini."""
    llm.gemini.fails(faults.ContentFiltered())
    told = ask(client)
    assert told.candidates is None
    assert told.prompt_feedback.block_reason is types.BlockedReason.PROHIBITED_CONTENT


def test_a_stream_breaks_in_all_the_ways(llm, client):
    """An error inside it is raised by its code; one that ends too early is not noticed by the SDK."""
    llm.gemini.fails(faults.StreamError(after_chunks=1)).fails(faults.StreamTruncated(after_chunks=1))
    with pytest.raises(errors.ServerError) as caught:
        list(client.models.generate_content_stream(model="gemini-2.5-flash", contents="x"))
    assert caught.value.code == 503
    events = list(client.models.generate_content_stream(model="gemini-2.5-flash", contents="x"))
    assert all(event.candidates[0].finish_reason is None for event in events)


def test_tokens_embeddings_and_models(llm, client):
    """What is no conversation answers without a script, numbered like everything else."""
    assert client.models.count_tokens(model="gemini-2.5-flash", contents="Hello there").total_tokens > 0
    found = client.models.embed_content(model="gemini-embedding-001", contents=["a", "b"])
    assert [len(each.values) for each in found.embeddings] == [1536, 1536]
    assert client.models.get(model="gemini-2.5-flash").name == "models/gemini-2.5-flash"
    assert "models/gemini-2.5-pro" in [model.name for model in client.models.list()]
    operations = [seen.operation for seen in llm.gemini.requests]
    assert operations == ["count_tokens", "embeddings", "model", "models"]


@pytest.mark.parametrize("fragmentation", ["events", "random", "whole", "bytes=3"])
def test_the_sdk_reads_the_same_however_the_stream_is_cut(llm, fragmentation):
    """Network pieces are no events."""
    llm.gemini.fragmentation(fragmentation).replies("Żółć, 東京, and so on.")
    client = genai.Client(api_key="k")
    events = client.models.generate_content_stream(model="gemini-2.5-flash", contents="x")
    assert "".join(event.text for event in events) == "Żółć, 東京, and so on."


def post(path, body, **headers):
    """Post to Gemini by hand."""
    url = f"https://generativelanguage.googleapis.com{path}"
    with httpx2.Client() as http:
        return http.post(url, json=body, headers={"x-goog-api-key": "k", **headers})


CONTENTS = [{"role": "user", "parts": [{"text": "x"}]}]


def test_a_stream_without_alt_sse_is_an_array(llm):
    """The elements of one JSON array are the events."""
    llm.gemini.replies("Paris it is.")
    answer = post("/v1beta/models/gemini-2.5-flash:streamGenerateContent", {"contents": CONTENTS})
    assert answer.headers["content-type"] == "application/json; charset=UTF-8"
    texts = [each["candidates"][0]["content"]["parts"][0]["text"] for each in answer.json()]
    assert "".join(texts) == "Paris it is."


def test_fields_may_have_underscores_and_the_key_may_be_in_the_query(llm):
    """Google's JSON takes both spellings, and its API two places for a key."""
    llm.gemini.when(api_key="in-query").replies("Paris.")
    body = {"contents": CONTENTS, "system_instruction": {"parts": [{"text": "s"}]}}
    url = "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:generateContent?key=in-query"
    with httpx2.Client() as http:
        assert http.post(url, json=body).status_code == 200
    assert llm.gemini.requests[0].request.messages[0] == ChatMessage.system("s")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frobnicate": 1}, 'Invalid JSON payload received. Unknown name "frobnicate": Cannot find field.'),
        (
            {"generationConfig": {"temprature": 1}},
            "Invalid JSON payload received. Unknown name \"temprature\" at 'generation_config': Cannot find field.",
        ),
        ({"contents": []}, "* GenerateContentRequest.contents: contents is not specified\n"),
        ({"contents": [{"role": "robot", "parts": [{"text": "x"}]}]}, "Please use a valid role: user, model."),
        (
            {
                "contents": [
                    {"role": "model", "parts": [{"functionCall": {"name": "f"}}, {"functionCall": {"name": "g"}}]},
                    {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}]},
                ]
            },
            (
                "Please ensure that the number of function response parts is equal to the number of function call "
                "parts of the function call turn."
            ),
        ),
    ],
)
def test_gemini_refuses_what_the_real_one_refuses(llm, change, message):
    """A wrong request gets a 400 in Google's words, before any step is played."""
    llm.gemini.echoes()
    answer = post("/v1beta/models/gemini-2.5-flash:generateContent", {"contents": CONTENTS, **change})
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, message)
    assert answer.json()["error"]["status"] == "INVALID_ARGUMENT"


def test_a_missing_key_is_a_403(llm):
    """Without any key Google says who may call."""
    llm.gemini.fails(faults.AuthenticationFailed())
    with httpx2.Client() as http:
        url = "https://generativelanguage.googleapis.com/v1beta/models/m:generateContent"
        answer = http.post(url, json={"contents": CONTENTS})
    assert answer.status_code == 403
    assert answer.json()["error"]["message"].startswith("Method doesn't allow unregistered callers")


def test_e27_log_probabilities_are_told_where_they_are_asked_for(llm, client):
    """Every token and the likeliest beside it, whole and streamed; without the option there are none."""
    llm.gemini.replies("Paris it is.", times=None)
    assert ask(client).candidates[0].logprobs_result is None
    (told,) = ask(client, response_logprobs=True, logprobs=2).candidates
    chosen = told.logprobs_result.chosen_candidates
    assert [token.token for token in chosen] == ["Paris", " it", " is."]
    assert [len(each.candidates) for each in told.logprobs_result.top_candidates] == [2, 2, 2]
    assert told.avg_logprobs == sum(token.log_probability for token in chosen) / 3
    pieces = client.models.generate_content_stream(
        model="gemini-2.5-flash",
        contents="hi",
        config=types.GenerateContentConfig(response_logprobs=True, logprobs=2),
    )
    streamed = [(each.text, each.candidates[0].logprobs_result.chosen_candidates) for each in pieces]
    assert [(text, [token.token for token in tokens]) for text, tokens in streamed] == [
        ("Paris", ["Paris"]),
        (" it", [" it"]),
        (" is.", [" is."]),
    ]


def test_e27_our_own_layer_reads_log_probabilities(llm):
    """Whole, streamed and without HTTP, an answer's text has the tokens that it is made of."""
    llm.gemini.replies("Paris it is.", times=None)
    request = replace(CompletionRequest.ask("hi"), model="gemini-2.5-flash", logprobs=True, top_logprobs=2)
    wired = GeminiProvider(api_key="k")
    with LLMClient(FallbackChain([wired])).stream(request) as stream:
        list(stream)
    answers = [wired.complete(request), stream.response, llm.gemini.as_provider("gemini-2.5-flash").complete(request)]
    for told in answers:
        (part,) = told.parts
        assert [(token.token, len(token.top)) for token in part.logprobs] == [("Paris", 2), (" it", 2), (" is.", 2)]


@pytest.mark.parametrize(
    ("asked", "tokens"),
    [
        pytest.param({"thinking_budget": 0}, 0, id="none"),
        pytest.param({"thinking_budget": 200}, 16, id="small"),
        pytest.param({"thinking_budget": 1024}, 64, id="budget"),
        pytest.param({"thinking_budget": -1}, 256, id="dynamic"),
        pytest.param({"thinking_level": "HIGH"}, 1024, id="level"),
    ],
)
def test_thought_that_is_asked_for_is_counted(llm, client, asked, tokens):
    """A budget or a level is thought for, beside the answer; models that do not think are billed for none."""
    llm.gemini.replies("Paris.", times=None)
    usage = ask(client, thinking_config=types.ThinkingConfig(**asked)).usage_metadata
    assert (usage.thoughts_token_count or 0, usage.candidates_token_count) == (tokens, 2)
    settings = types.GenerateContentConfig(thinking_config=types.ThinkingConfig(**asked))
    old = client.models.generate_content(model="gemini-2.0-flash", contents="hi", config=settings)
    assert old.usage_metadata.thoughts_token_count is None


def test_e05_one_of_the_functions_that_are_named_is_called(llm, client):
    """Of three, two are allowed and one has to be called."""
    llm.gemini.generates()
    declared = [{"name": name, "parameters_json_schema": {"type": "object"}} for name in "abc"]
    mode = types.FunctionCallingConfig(mode="ANY", allowed_function_names=["b", "c"])
    asked = {
        "tools": [types.Tool(function_declarations=declared)],
        "tool_config": types.ToolConfig(function_calling_config=mode),
        "automatic_function_calling": types.AutomaticFunctionCallingConfig(disable=True),
    }
    called = {ask(client, f"question {number}", **asked).function_calls[0].name for number in range(12)}
    assert called == {"b", "c"}


def test_options_may_be_written_with_underscores_at_every_depth(llm):
    """A function that is named in `function_calling_config` is the one that is called."""
    llm.gemini.generates()
    declared = [{"name": name, "parameters": {"type": "object", "properties": {}}} for name in ("first", "second")]
    told = httpx2.post(
        "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:generateContent",
        headers={"x-goog-api-key": "k"},
        json={
            "contents": [{"parts": [{"text": "hi"}]}],
            "tools": [{"function_declarations": declared}],
            "tool_config": {"function_calling_config": {"mode": "ANY", "allowed_function_names": ["second"]}},
        },
    ).json()
    assert told["candidates"][0]["content"]["parts"][0]["functionCall"]["name"] == "second"
