"""Official clients that do not send by httpx: through aiohttp, urllib3 and requests to the same simulated providers."""

import asyncio
import importlib
import json

import anthropic
import openai
import pytest

from llmtest import Json, faults
from llmtest.events import LiveRequestPassed

MESSAGES = [{"role": "user", "content": "Capital of France?"}]


@pytest.mark.parametrize("sdk", ["openai", "anthropic"])
def test_p13_an_sdk_on_aiohttp_is_answered(llm_sim, sdk):
    """`DefaultAioHttpClient` of both SDKs: whole answers, streams, and retries in virtual time."""
    llm_sim.openai.fails(faults.RateLimited(retry_after=30), optional=True).replies("Paris", times=2, optional=True)
    llm_sim.anthropic.fails(faults.RateLimited(retry_after=30), optional=True).replies("Paris", times=2, optional=True)

    async def ask_openai():
        async with openai.AsyncOpenAI(http_client=openai.DefaultAioHttpClient()) as client:
            whole = await client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
            stream = await client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True)
            pieces = [chunk.choices[0].delta.content or "" async for chunk in stream]
            return whole.choices[0].message.content, "".join(pieces)

    async def ask_anthropic():
        options = {"model": "claude-opus-5", "max_tokens": 50, "messages": MESSAGES}
        async with anthropic.AsyncAnthropic(http_client=anthropic.DefaultAioHttpClient()) as client:
            whole = await client.messages.create(**options)
            async with client.messages.stream(**options) as stream:
                return whole.content[0].text, "".join([text async for text in stream.text_stream])

    assert asyncio.run(ask_openai() if sdk == "openai" else ask_anthropic()) == ("Paris", "Paris")
    assert llm_sim.clock.elapsed() == 30.0
    llm_sim.assert_sequence(f"{sdk}:429", f"{sdk}:200", f"{sdk}:200")


def test_what_passes_by_way_of_two_libraries_is_noted_once(llm_sim):
    """A client of httpx over aiohttp is asked about at the upper one."""
    httpx_aiohttp = importlib.import_module("httpx_aiohttp")
    llm_sim.allow("models.example.org")
    aiohttp = importlib.import_module("aiohttp")

    class Unconnected(aiohttp.TCPConnector):
        async def _create_connection(self, *_):
            raise aiohttp.ClientConnectionError("the network itself")

    async def main():
        session = aiohttp.ClientSession(connector=Unconnected())
        transport = httpx_aiohttp.AiohttpTransport(client=session)
        async with httpx_aiohttp.HttpxAiohttpClient(transport=transport) as client:
            await client.get("http://models.example.org/x")

    with pytest.raises(Exception, match="the network itself"):
        asyncio.run(main())
    assert [type(event) for event in llm_sim.trace] == [LiveRequestPassed]


of_google = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")
"""What aiohttp thinks of how google-genai uses it."""


@of_google
@pytest.mark.parametrize("library", ["aiohttp", "httpx2"])
def test_p13_google_genais_asynchronous_client_is_answered(llm_sim, library, monkeypatch):
    """It sends by aiohttp where that is installed, and by httpx where it is not."""
    genai = importlib.import_module("google.genai")
    api_client = importlib.import_module("google.genai._api_client")
    monkeypatch.setattr(api_client, "has_aiohttp", library == "aiohttp")
    llm_sim.gemini.replies("Paris", times=2)

    async def main():
        client = genai.Client(api_key="k").aio
        whole = await client.models.generate_content(model="gemini-2.5-flash", contents="Capital of France?")
        stream = await client.models.generate_content_stream(model="gemini-2.5-flash", contents="Capital of France?")
        pieces = [piece.text or "" async for piece in stream]
        await client.aclose()
        return whole.text, "".join(pieces)

    assert asyncio.run(main()) == ("Paris", "Paris")
    agents = [request.headers["user-agent"] for request in llm_sim.gemini.requests]
    assert all("google-genai-sdk" in agent for agent in agents)


@of_google
def test_p13_google_genai_over_aiohttp_meets_faults(llm_sim):
    """A status is its own error, and its limit for a request ends one that nobody answers."""
    genai = importlib.import_module("google.genai")
    llm_sim.gemini.fails(faults.ServerError(503)).fails(faults.Timeout())

    async def main():
        client = genai.Client(api_key="k", http_options=genai.types.HttpOptions(timeout=7_000)).aio
        with pytest.raises(genai.errors.ServerError, match="503"):
            await client.models.generate_content(model="gemini-2.5-flash", contents="hi")
        with pytest.raises(TimeoutError):
            await client.models.generate_content(model="gemini-2.5-flash", contents="hi")
        await client.aclose()

    asyncio.run(main())
    assert llm_sim.clock.elapsed() == 7.0
    llm_sim.assert_sequence("gemini:503", "gemini:timeout")


def bedrock():
    """Return botocore's client."""
    session = importlib.import_module("botocore.session").get_session()
    return session.create_client(
        "bedrock-runtime", region_name="us-east-1", aws_access_key_id="k", aws_secret_access_key="s"
    )


def test_p13_botocore_invokes_a_model(llm_sim):
    """Whole answers and Amazon's binary messages arrive by urllib3, and botocore's own retries pass in virtual time."""
    llm_sim.bedrock.fails(faults.ServerError(503)).replies("Paris", times=2)
    body = json.dumps({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 50, "messages": MESSAGES})
    client = bedrock()
    whole = json.load(client.invoke_model(modelId="anthropic.claude-opus-5", body=body)["body"])
    stream = client.invoke_model_with_response_stream(modelId="anthropic.claude-opus-5", body=body)
    events = [json.loads(event["chunk"]["bytes"]) for event in stream["body"]]
    assert whole["content"][0]["text"] == "Paris"
    assert (
        "".join(event["delta"].get("text", "") for event in events if event["type"] == "content_block_delta") == "Paris"
    )
    llm_sim.assert_sequence("bedrock:503", "bedrock:200", "bedrock:200")


def test_p13_botocore_is_answered_by_a_script(llm_sim):
    """What the simulation does not serve can be scripted."""
    llm_sim.bedrock.on("POST", "/model/m/count-tokens").fails(faults.ServerError(503)).replies(Json({"inputTokens": 7}))
    asked = {"converse": {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}}
    assert bedrock().count_tokens(modelId="m", input=asked)["inputTokens"] == 7
    llm_sim.assert_sequence("bedrock:503", "bedrock:200")


def test_p13_google_auth_refreshes_over_requests(llm_sim):
    """A token that has run out is fetched by requests, and the answer can be scripted."""
    credentials = importlib.import_module("google.oauth2.credentials")
    transport = importlib.import_module("google.auth.transport.requests")
    google = llm_sim.provider("google", base_url="https://oauth2.googleapis.com")
    google.on("POST", "/token").replies(Json({"access_token": "t", "expires_in": 60}))
    mine = credentials.Credentials(
        None, refresh_token="r", token_uri="https://oauth2.googleapis.com/token", client_id="c", client_secret="s"
    )
    mine.refresh(transport.Request())
    assert mine.token == "t"
