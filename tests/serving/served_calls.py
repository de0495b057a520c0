"""The same question to a server, through every way of calling the official SDKs."""

import asyncio

import anthropic
import openai

MESSAGES = [{"role": "user", "content": "Capital of France?"}]
MODELS = {"openai": "gpt-4o", "anthropic": "claude-sonnet-4-6"}


def openai_options(base_url, **options):
    """Return how openai's clients reach a server."""
    return {"base_url": f"{base_url}/v1", "api_key": "sk-test", "max_retries": 0, **options}


def anthropic_options(base_url, **options):
    """Return how anthropic's clients reach a server."""
    return {"base_url": base_url, "api_key": "sk-test", "max_retries": 0, **options}


def openai_sync(base_url, **options):
    """Ask openai's blocking client."""
    with openai.OpenAI(**openai_options(base_url, **options)) as client:
        return client.chat.completions.create(model="gpt-4o", messages=MESSAGES).choices[0].message.content


def openai_sync_stream(base_url, **options):
    """Ask openai's blocking client for a stream."""
    with openai.OpenAI(**openai_options(base_url, **options)) as client:
        stream = client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True)
        return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


def openai_async(base_url, **options):
    """Ask openai's asynchronous client."""

    async def ask():
        async with openai.AsyncOpenAI(**openai_options(base_url, **options)) as client:
            answer = await client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
            return answer.choices[0].message.content

    return asyncio.run(ask())


def openai_async_stream(base_url, **options):
    """Ask openai's asynchronous client for a stream."""

    async def ask():
        async with openai.AsyncOpenAI(**openai_options(base_url, **options)) as client:
            stream = await client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True)
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])

    return asyncio.run(ask())


def anthropic_sync(base_url, **options):
    """Ask anthropic's blocking client."""
    with anthropic.Anthropic(**anthropic_options(base_url, **options)) as client:
        answer = client.messages.create(model="claude-sonnet-4-6", max_tokens=50, messages=MESSAGES)
        return answer.content[0].text


def anthropic_sync_stream(base_url, **options):
    """Ask anthropic's blocking client for a stream."""
    with (
        anthropic.Anthropic(**anthropic_options(base_url, **options)) as client,
        client.messages.stream(model="claude-sonnet-4-6", max_tokens=50, messages=MESSAGES) as stream,
    ):
        return "".join(stream.text_stream)


def anthropic_async(base_url, **options):
    """Ask anthropic's asynchronous client."""

    async def ask():
        async with anthropic.AsyncAnthropic(**anthropic_options(base_url, **options)) as client:
            answer = await client.messages.create(model="claude-sonnet-4-6", max_tokens=50, messages=MESSAGES)
            return answer.content[0].text

    return asyncio.run(ask())


def anthropic_async_stream(base_url, **options):
    """Ask anthropic's asynchronous client for a stream."""

    async def ask():
        async with (
            anthropic.AsyncAnthropic(**anthropic_options(base_url, **options)) as client,
            client.messages.stream(model="claude-sonnet-4-6", max_tokens=50, messages=MESSAGES) as stream,
        ):
            return "".join([text async for text in stream.text_stream])

    return asyncio.run(ask())


WHOLE = {
    "openai-sync": ("openai", openai_sync),
    "openai-async": ("openai", openai_async),
    "anthropic-sync": ("anthropic", anthropic_sync),
    "anthropic-async": ("anthropic", anthropic_async),
}
STREAMED = {
    "openai-sync-stream": ("openai", openai_sync_stream),
    "openai-async-stream": ("openai", openai_async_stream),
    "anthropic-sync-stream": ("anthropic", anthropic_sync_stream),
    "anthropic-async-stream": ("anthropic", anthropic_async_stream),
}
EVERY = WHOLE | STREAMED
