"""Bedrock and Vertex AI, simulated: the clients of Anthropic's SDK for them ask, stream, call tools and fail."""

import base64
import json
import os

import anthropic
import httpx2
import pytest

from llmtest import Reply, Simulation, faults
from llmtest.cassettes import use_cassette
from llmtest.errors import HarnessError, StreamInterruptedError, UnscriptedRequestError
from llmtest.providers import provider_class
from llmtest.types import CompletionRequest, ToolCall
from llmtest.wire import dialects
from tests.simulation.hosted_claude import (
    ASKED,
    AWS,
    BEDROCK_MODEL,
    CLOUDS,
    GOOGLE,
    VERTEX_MODEL,
    ask,
    made_async,
    streamed,
)
from tests.simulation.hosted_claude import made as made_blocking

BOTH = pytest.mark.parametrize("cloud", list(CLOUDS))
TOOL = {"name": "weather", "description": "Tells it.", "input_schema": {"type": "object", "properties": {}}}


@pytest.fixture
def llm():
    """A simulation."""
    with Simulation() as llm_sim:
        yield llm_sim


@BOTH
def test_an_answer_has_the_ids_and_the_model_of_its_cloud(llm, cloud):
    """The model is asked for by the URL, and answers under Anthropic's own name."""
    llm.provider(cloud).replies("Paris")
    message = ask(cloud)
    assert message.content[0].text == "Paris"
    assert message.model == "claude-sonnet-4-5-20250929"
    assert message.id.startswith({"bedrock": "msg_bdrk_01", "vertex": "msg_vrtx_01"}[cloud])
    (seen,) = llm.provider(cloud).requests
    assert seen.model == CLOUDS[cloud][3]
    assert set(seen.json) >= {"anthropic_version", "max_tokens", "messages"}
    assert "model" not in seen.json


@BOTH
def test_p13_hosted_claude_is_asked_asynchronously(llm, cloud):
    """The asynchronous clients get the same, streamed and not, in virtual time."""

    async def run():
        client, model = made_async(cloud)
        async with client:
            first = await client.messages.create(model=model, max_tokens=64, messages=ASKED)
            async with client.messages.stream(model=model, max_tokens=64, messages=ASKED) as stream:
                return first.content[0].text, [text async for text in stream.text_stream]

    llm.provider(cloud).replies("Paris", Reply("It is Paris.", latency=30))
    assert llm.run(run()) == ("Paris", ["It", " is", " Paris."])
    assert llm.clock.elapsed() == 30.0


@BOTH
@pytest.mark.parametrize("mode", ["events", "random", 1])
def test_a_stream_arrives_in_any_pieces(llm, cloud, mode):
    """Amazon's messages and server-sent events alike may be cut anywhere."""
    llm.provider(cloud).fragmentation(mode).replies("Grüße aus 東京 🗼.")
    pieces, message = streamed(cloud)
    assert "".join(pieces) == message.content[0].text == "Grüße aus 東京 🗼."
    assert message.usage.output_tokens > 0
    assert message.stop_reason == "end_turn"


@BOTH
def test_tools_are_called_whole_and_streamed(llm, cloud):
    """A call has the id of its cloud, and its result is read when it comes back."""
    llm.provider(cloud).calls_tool("weather", {"city": "Rome"}, times=2).replies("Warm.")
    whole = ask(cloud, tools=[TOOL])
    _, message = streamed(cloud, tools=[TOOL])
    (call,) = whole.content
    assert (call.name, call.input, whole.stop_reason) == ("weather", {"city": "Rome"}, "tool_use")
    assert message.content[0].input == {"city": "Rome"}
    assert call.id.startswith({"bedrock": "toolu_bdrk_01", "vertex": "toolu_vrtx_01"}[cloud])
    client, model = made_blocking(cloud)
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "22"}
    talk = [*ASKED, {"role": "assistant", "content": whole.content}, {"role": "user", "content": [result]}]
    assert client.messages.create(model=model, max_tokens=64, messages=talk, tools=[TOOL]).content[0].text == "Warm."


@BOTH
def test_beta_messages_stop_words_and_betas_are_as_at_home(llm, cloud):
    """`client.beta.messages` sends its betas in the body or the header; a stop sequence is told."""
    llm.provider(cloud).replies("one two three")
    client, model = made_blocking(cloud)
    message = client.beta.messages.create(
        model=model, max_tokens=64, messages=ASKED, stop_sequences=[" three"], betas=["some-beta-2026-01-01"]
    )
    assert (message.content[0].text, message.stop_reason, message.stop_sequence) == (
        "one two",
        "stop_sequence",
        " three",
    )


REFUSALS = [
    (faults.RateLimited(retry_after=7), "RateLimitError", 429, 429),
    (faults.QuotaExceeded(), "", 400, 403),
    (faults.AuthenticationFailed(), "", 403, 401),
    (faults.PermissionDenied(), "PermissionDeniedError", 403, 403),
    (faults.ModelNotFound(), "", 400, 404),
    (faults.InvalidRequest(), "BadRequestError", 400, 400),
    (faults.ContextLengthExceeded(), "BadRequestError", 400, 400),
    (faults.ContentFiltered(), "BadRequestError", 400, 400),
    (faults.RequestTooLarge(), "ContentTooLargeError", 413, 413),
    (faults.ServerError(), "InternalServerError", 500, 500),
    (faults.ServerError(502), "InternalServerError", 502, 502),
    (faults.ServerError(503), "ServiceUnavailableError", 503, 503),
    (faults.Overloaded(), "", 503, 529),
]


@BOTH
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("fault", "kind", "at_amazon", "at_google"), REFUSALS, ids=str)
def test_a_refusal_has_the_status_of_its_cloud(llm, cloud, stream, fault, kind, at_amazon, at_google):
    """The SDK raises what it raises for the real cloud, before a stream begins too."""
    llm.provider(cloud).fails(fault)
    with pytest.raises(anthropic.APIStatusError) as caught:
        streamed(cloud) if stream else ask(cloud)
    assert caught.value.status_code == (at_amazon if cloud == "bedrock" else at_google)
    assert type(caught.value).__name__ == kind or not kind
    assert str(caught.value)


BREAKS = [
    (faults.Timeout(), anthropic.APITimeoutError),
    (faults.ConnectionRefused(), anthropic.APIConnectionError),
    (faults.ConnectionReset(), anthropic.APIConnectionError),
    (faults.StreamDropped(1), httpx2.HTTPError),
    (faults.StreamError(1), anthropic.APIStatusError),
    (faults.StreamMalformed(1), ValueError),
    (faults.StreamStalled(1), httpx2.HTTPError),
]


@BOTH
@pytest.mark.parametrize(("fault", "kind"), BREAKS, ids=str)
def test_a_stream_breaks_as_the_real_one(llm, cloud, fault, kind):
    """Failures of the way, and failures inside the stream."""
    handle = llm.provider(cloud)
    if fault.stage == "stream":
        handle.replies(Reply("one two three four", fault=fault))
    else:
        handle.fails(fault)
    with pytest.raises(kind):
        streamed(cloud)


def test_amazon_tells_an_error_inside_a_stream_by_a_message_of_its_own(llm):
    """What throttles in the middle has Amazon's name, which the SDK shows."""
    fault = faults.StreamError(1, error=faults.RateLimited())
    llm.bedrock.replies(Reply("one two three", fault=fault))
    with pytest.raises(anthropic.APIStatusError, match="throttlingException"):
        streamed("bedrock")


def test_retries_wait_as_at_home(llm):
    """The SDK's retries see Amazon's errors as its own, and the wait that they name."""
    llm.bedrock.fails(faults.RateLimited(retry_after=30), times=2).replies("Paris")
    assert ask("bedrock", max_retries=2).content[0].text == "Paris"
    llm.assert_sequence("bedrock:429", "bedrock:429", "bedrock:200")
    assert llm.clock.elapsed() >= 60.0


def raw(url, body, **headers):
    """Send a body and return the answer."""
    return httpx2.post(url, json=body, headers=headers)


BEDROCK_URL = "https://bedrock-runtime.us-west-2.amazonaws.com/model/anthropic.claude-3-haiku-20240307-v1:0/invoke"
VERTEX_URL = (
    "https://aiplatform.googleapis.com/v1/projects/p/locations/global/publishers/anthropic/models/claude-opus-4-1"
    ":rawPredict"
)
BODY = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": ASKED}


def test_amazon_s_errors_have_its_header_and_body(llm):
    """Names stand in `x-amzn-errortype`, words in `message`, and nothing else in the body."""
    llm.bedrock.fails(faults.RateLimited()).fails(faults.Overloaded())
    first, second = raw(BEDROCK_URL, BODY), raw(BEDROCK_URL, BODY)
    assert first.status_code == 429
    assert first.headers["x-amzn-errortype"].startswith("ThrottlingException:")
    assert first.json() == {"message": "Too many requests, please wait before trying again."}
    assert len(first.headers["x-amzn-requestid"]) == 36
    assert second.status_code == 503
    assert second.headers["x-amzn-errortype"].startswith("ServiceUnavailableException:")


def test_google_s_errors_are_its_own_before_the_model_and_anthropic_s_after(llm):
    """A quota is Google's; what the model refuses is Anthropic's."""
    llm.vertex.fails(faults.RateLimited()).fails(faults.Overloaded())
    quota, busy = raw(VERTEX_URL, BODY), raw(VERTEX_URL, BODY)
    assert quota.json()["error"]["status"] == "RESOURCE_EXHAUSTED"
    assert "anthropic-claude-opus-4-1" in quota.json()["error"]["message"]
    assert (busy.status_code, busy.json()["error"]["type"]) == (529, "overloaded_error")
    assert busy.json()["request_id"].startswith("req_vrtx_")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"anthropic_version": None}, "anthropic_version: Field required"),
        ({"anthropic_version": 3}, "anthropic_version: Input should be a valid string"),
        ({"model": "claude-3"}, "model: Extra inputs are not permitted"),
        ({"anthropic_beta": "x"}, "anthropic_beta: Input should be a valid list"),
        ({"max_tokens": None}, "max_tokens: Field required"),
        ({"nonsense": 1}, "nonsense: Extra inputs are not permitted"),
    ],
)
def test_a_body_that_the_model_would_refuse_is_refused(llm, changed, told):
    """The version is required, the model belongs into the URL, and the rest is as at home."""
    del llm
    body = {name: value for name, value in {**BODY, **changed}.items() if value is not None}
    at_amazon, at_google = raw(BEDROCK_URL, body), raw(VERTEX_URL, body)
    assert (at_amazon.status_code, at_google.status_code) == (400, 400)
    assert at_amazon.json()["message"] == at_google.json()["error"]["message"] == told
    assert at_amazon.headers["x-amzn-errortype"].startswith("ValidationException:")


def test_betas_in_the_body_allow_their_fields(llm):
    """`anthropic_beta` in the body counts as the header does at home."""
    llm.bedrock.replies("Yes")
    answer = raw(BEDROCK_URL, {**BODY, "anthropic_beta": ["context-management-2025-06-27"], "context_management": {}})
    assert answer.json()["content"][0]["text"] == "Yes"


def test_a_beta_that_is_no_name_of_one_is_refused_in_the_words_of_the_cloud(llm):
    """Amazon says as little as it does; Google passes on what Anthropic says."""
    del llm
    body = {**BODY, "anthropic_beta": ["string"]}
    assert raw(BEDROCK_URL, body).json() == {"message": "invalid beta flag"}
    assert raw(VERTEX_URL, body).json()["error"]["message"].startswith("Unexpected value(s) `string`")


def test_vertex_counts_tokens(llm):
    """The path says what is asked, and the body which model."""
    client, model = made_blocking("vertex")
    assert client.messages.count_tokens(model=model, messages=ASKED).input_tokens > 0
    (seen,) = llm.vertex.requests
    assert (seen.operation, seen.model) == ("count_tokens", model)


def test_mantle_speaks_as_at_home(llm):
    """Amazon's other address has Anthropic's own paths and errors, under Amazon's name."""
    llm.bedrock.replies("Paris").fails(faults.Overloaded())
    client = anthropic.AnthropicBedrockMantle(api_key="k", aws_region="us-east-1", max_retries=0)
    asked = {"model": "anthropic.claude-opus-5-5", "max_tokens": 9, "messages": ASKED}
    assert client.messages.create(**asked).content[0].text == "Paris"
    with pytest.raises(anthropic.OverloadedError):
        client.messages.create(**asked)
    llm.assert_sequence("bedrock:200", "bedrock:529")


def test_claude_on_aws_is_anthropic_s_own(llm):
    """The address that Anthropic itself keeps at Amazon is one of its own."""
    llm.anthropic.replies("Paris")
    client = anthropic.AnthropicAWS(api_key="k", aws_region="us-east-1", workspace_id="w")
    message = client.messages.create(model="claude-opus-5-5", max_tokens=9, messages=ASKED)
    assert message.content[0].text == "Paris"


def test_the_calls_of_other_apis_there_say_what_to_do(llm):
    """A count of tokens by Amazon's own API is none that is served; the text says so."""
    with pytest.raises(HarnessError, match="count-tokens"):
        raw("https://bedrock-runtime.us-east-1.amazonaws.com/model/m/count-tokens", {})
    llm.world.harness_errors.clear()


def test_without_credentials_dummies_sign(monkeypatch):
    """A client that finds no credentials of Amazon's gets dummies, both halves, and asks nobody for others."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_BEARER_TOKEN_BEDROCK"):
        monkeypatch.delenv(name, raising=False)
    with Simulation() as llm:
        llm.bedrock.replies("Paris")
        client = anthropic.AnthropicBedrock(aws_region="us-east-1")
        assert client.messages.create(model=BEDROCK_MODEL, max_tokens=9, messages=ASKED).content[0].text == "Paris"
        (seen,) = llm.bedrock.requests
        assert "Credential=llmtest-dummy-key/" in seen.headers["authorization"]


@pytest.mark.parametrize("name", ["AWS_PROFILE", "AWS_BEARER_TOKEN_BEDROCK"])
def test_who_has_credentials_of_another_kind_gets_no_dummy(monkeypatch, name):
    """A profile, or a bearer token, is not stood before by a dummy."""
    for other in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_BEARER_TOKEN_BEDROCK"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, "mine")
    with Simulation():
        assert "AWS_ACCESS_KEY_ID" not in os.environ


@BOTH
def test_hosted_models_cost_what_the_price_list_says(llm, cloud):
    """Region, version and snapshot in the name of a model lead to its price."""
    llm.provider(cloud).replies("Paris")
    ask(cloud)
    assert llm.costs.total_usd > 0


@BOTH
def test_our_own_layer_asks_the_same_address(llm, cloud):
    """A provider made of the record completes and streams, and reads a break inside a stream."""
    handle = llm.provider(cloud)
    handle.replies("Paris", "It is Paris.", Reply("one two three", fault=faults.StreamError(1)))
    provider = own_provider(cloud)
    request = CompletionRequest.ask("Capital?").with_model(CLOUDS[cloud][3])
    assert provider.complete(request).content == "Paris"
    assert "".join(event.text for event in provider.stream(request) if event.kind == "text") == "It is Paris."
    with pytest.raises(StreamInterruptedError) as caught:
        list(provider.stream(request))
    assert (caught.value.kind, caught.value.partial_text) == ("error", "one")


def own_provider(cloud):
    """Return a provider of our own layer for a cloud."""
    place = "https://us-east5-aiplatform.googleapis.com/v1/projects/p/locations/us-east5"
    return provider_class(dialects()[cloud])(api_key="token", base_url=place if cloud == "vertex" else None)


@BOTH
def test_the_model_that_nobody_named_is_one_that_is_sold(llm, cloud):
    """It is the one that is asked for at home, under the cloud's name for it, and it has a price."""
    llm.provider(cloud).replies("Paris")
    answer = own_provider(cloud).complete(CompletionRequest.ask("Capital?"))
    assert answer.model == dialects()["anthropic"].default_model
    assert llm.provider(cloud).requests[0].model.removeprefix("us.anthropic.") == answer.model
    assert llm.costs.total_usd > 0


@BOTH
def test_edits_reach_into_the_events(llm, cloud):
    """A field of an event is changed whatever wraps it, and the SDK still reads the stream."""
    edit = faults.WireEdit(set={"delta.stop_reason": "pause_turn"})
    llm.provider(cloud).replies(Reply("Paris", edit=edit))
    assert streamed(cloud)[1].stop_reason == "pause_turn"


def test_exact_events_are_wrapped(llm):
    """Events that a test writes itself are put into Amazon's messages."""
    start = {"id": "m", "type": "message", "role": "assistant", "model": "c", "content": [], "stop_reason": None}
    start |= {"stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1}}
    events = [{"type": "message_start", "message": start}, {"type": "message_stop"}]
    llm.bedrock.replies(Reply(events=events))
    assert streamed("bedrock")[1].id == "m"


@BOTH
def test_a_recorded_stream_replays(tmp_path, cloud):
    """What came over the wire, binary too, is kept in a cassette and given again."""
    path = tmp_path / "a.yaml"
    with Simulation() as llm:
        llm.provider(cloud).replies("Grüße, 東京", "second")
        bodies = [recorded(cloud, stream) for stream in (True, False)]
    interactions = [interaction for interaction, _ in bodies]
    path.write_text(json.dumps({"version": 1, "interactions": interactions}))
    with use_cassette(path):
        assert streamed(cloud)[1].content[0].text == "Grüße, 東京"
        assert ask(cloud).content[0].text == "second"


def recorded(cloud, stream):
    """Return an exchange as a file of vcrpy has it, and its body."""
    sent = []
    hooked = anthropic.DefaultHttpxClient(event_hooks={"request": [sent.append]})
    client, model = made_blocking(cloud, http_client=hooked)
    fields = {"stream": True} if stream else {}
    answer = client.messages.with_raw_response.create(model=model, max_tokens=64, messages=ASKED, **fields)
    body = answer.http_response.read()
    (request,) = sent
    interaction = {
        "request": {"method": "POST", "uri": str(request.url), "body": request.content.decode(), "headers": {}},
        "response": {
            "status": {"code": 200, "message": "OK"},
            "headers": {"content-type": [answer.headers["content-type"]]},
            "body": {"base64_string": base64.b64encode(body).decode()},
        },
    }
    return interaction, body


@pytest.mark.parametrize(
    ("model", "plain"),
    [
        (BEDROCK_MODEL, "claude-sonnet-4-5-20250929"),
        ("anthropic.claude-3-5-sonnet-20241022-v2:0", "claude-3-5-sonnet-20241022"),
        ("global.anthropic.claude-opus-5-5", "claude-opus-5-5"),
        ("arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-opus-4-6-v1:0", "claude-opus-4-6"),
        (VERTEX_MODEL, "claude-sonnet-4-5-20250929"),
        ("claude-3-5-sonnet-v2@20241022", "claude-3-5-sonnet-20241022"),
    ],
)
def test_a_hosted_model_has_a_plain_name(llm, model, plain):
    """Region, vendor, version and the path of an ARN are the cloud's, and not in the answer."""
    llm.bedrock.replies("Paris")
    client, _ = made_blocking("bedrock")
    assert client.messages.create(model=model, max_tokens=9, messages=ASKED).model == plain


def test_an_unscripted_request_names_the_call(llm):
    """The text names the method and the path, as for every other API."""
    with pytest.raises(UnscriptedRequestError, match="invoke"):
        ask("bedrock")
    llm.world.harness_errors.clear()


def test_a_call_of_the_same_tool_is_said_with_given_ids(llm):
    """Ids that a script gives go out as they are."""
    llm.bedrock.calls_tools(ToolCall("toolu_mine", "weather", "{}"))
    assert ask("bedrock", tools=[TOOL]).content[0].id == "toolu_mine"


def test_the_servers_of_both_are_told_by_their_paths(llm_server):
    """One port serves both: the variables of the SDKs lead there, and the paths say who is asked."""
    llm_server.bedrock.replies("Amazon's")
    llm_server.vertex.replies("Google's")
    url = llm_server.base_url
    amazon = anthropic.AnthropicBedrock(**AWS, base_url=url)
    google = anthropic.AnthropicVertex(**GOOGLE, base_url=f"{url}/v1")
    told = amazon.messages.stream(model=BEDROCK_MODEL, max_tokens=9, messages=ASKED)
    with told as stream:
        assert stream.get_final_text() == "Amazon's"
    assert google.messages.create(model=VERTEX_MODEL, max_tokens=9, messages=ASKED).content[0].text == "Google's"
    environment = llm_server.environment
    assert environment["ANTHROPIC_BEDROCK_BASE_URL"] == url
    assert environment["ANTHROPIC_VERTEX_BASE_URL"] == f"{url}/v1"


ELSEWHERE = {
    "foundry": (
        anthropic.AnthropicFoundry,
        anthropic.AsyncAnthropicFoundry,
        {"resource": "mine", "api_key": "key-1"},
        "azure",
    ),
    "google-cloud": (
        anthropic.AnthropicGoogleCloud,
        anthropic.AsyncAnthropicGoogleCloud,
        {"project": "p", "location": "us-central1", "workspace_id": "w", "token_provider": lambda: "ya29.token"},
        "anthropic",
    ),
    "aws": (
        anthropic.AnthropicAWS,
        anthropic.AsyncAnthropicAWS,
        {"aws_region": "us-east-1", "workspace_id": "w", "aws_access_key": "AKIDEXAMPLE", "aws_secret_key": "secret"},
        "anthropic",
    ),
}
"""Clients that speak Anthropic's own API at a cloud's address, and whose handle answers them."""
WORKSPACE = "https://claude.googleapis.com/v1/projects/p/locations/us-central1/workspaces/w/invoke"


@pytest.mark.parametrize("cloud", list(ELSEWHERE))
def test_p13_anthropic_s_own_api_at_a_cloud_s_address(llm, cloud):
    """Foundry, Google Cloud and AWS: answers, streams, tokens and errors as at home, asked blocking and not."""
    blocking, asynchronous, credentials, handle = ELSEWHERE[cloud]
    asked = {"model": "claude-opus-5", "max_tokens": 64, "messages": ASKED}
    llm.anthropic.at(WORKSPACE)  # whose it is, no address of Google's tells
    llm.provider(handle).replies("Paris", "It is Paris.").fails(faults.RateLimited(retry_after=7)).replies("Rome")
    client = blocking(**credentials, max_retries=0)
    assert client.messages.create(**asked).content[0].text == "Paris"
    with client.messages.stream(**asked) as stream:
        assert "".join(stream.text_stream) == "It is Paris."
    with pytest.raises(anthropic.RateLimitError):
        client.messages.create(**asked)

    async def story():
        async with asynchronous(**credentials, max_retries=0) as other:
            return (await other.messages.create(**asked)).content[0].text

    assert llm.run(story()) == "Rome"
    assert client.messages.count_tokens(model=asked["model"], messages=ASKED).input_tokens > 0
    assert {seen.model for seen in llm.provider(handle).requests} == {asked["model"]}
