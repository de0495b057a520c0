"""The same question through every way of calling the official SDKs."""

import asyncio

import anthropic
import openai

MESSAGES = [{"role": "user", "content": "Capital of France?"}]
OPENAI_MODEL = "gpt-4o"
ANTHROPIC_MODEL = "claude-sonnet-4-6"


def openai_sync(**options):
    """Ask openai's blocking client."""
    client = openai.OpenAI(**options)
    return client.chat.completions.create(model=OPENAI_MODEL, messages=MESSAGES).choices[0].message.content


def openai_sync_stream(**options):
    """Ask openai's blocking client for a stream."""
    client = openai.OpenAI(**options)
    stream = client.chat.completions.create(model=OPENAI_MODEL, messages=MESSAGES, stream=True)
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


def openai_async(**options):
    """Ask openai's asynchronous client."""

    async def ask():
        client = openai.AsyncOpenAI(**options)
        answer = await client.chat.completions.create(model=OPENAI_MODEL, messages=MESSAGES)
        return answer.choices[0].message.content

    return asyncio.run(ask())


def openai_async_stream(**options):
    """Ask openai's asynchronous client for a stream."""

    async def ask():
        client = openai.AsyncOpenAI(**options)
        stream = await client.chat.completions.create(model=OPENAI_MODEL, messages=MESSAGES, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])

    return asyncio.run(ask())


def anthropic_sync(**options):
    """Ask anthropic's blocking client."""
    client = anthropic.Anthropic(**options)
    return client.messages.create(model=ANTHROPIC_MODEL, max_tokens=50, messages=MESSAGES).content[0].text


def anthropic_sync_stream(**options):
    """Ask anthropic's blocking client for a stream."""
    client = anthropic.Anthropic(**options)
    with client.messages.stream(model=ANTHROPIC_MODEL, max_tokens=50, messages=MESSAGES) as stream:
        return "".join(stream.text_stream)


def anthropic_async(**options):
    """Ask anthropic's asynchronous client."""

    async def ask():
        client = anthropic.AsyncAnthropic(**options)
        answer = await client.messages.create(model=ANTHROPIC_MODEL, max_tokens=50, messages=MESSAGES)
        return answer.content[0].text

    return asyncio.run(ask())


def anthropic_async_stream(**options):
    """Ask anthropic's asynchronous client for a stream."""

    async def ask():
        client = anthropic.AsyncAnthropic(**options)
        async with client.messages.stream(model=ANTHROPIC_MODEL, max_tokens=50, messages=MESSAGES) as stream:
            return "".join([text async for text in stream.text_stream])

    return asyncio.run(ask())


OPENAI_CALLS = (openai_sync, openai_sync_stream, openai_async, openai_async_stream)
ANTHROPIC_CALLS = (anthropic_sync, anthropic_sync_stream, anthropic_async, anthropic_async_stream)
CALLS = [(call.__name__.partition("_")[0], call) for call in (*OPENAI_CALLS, *ANTHROPIC_CALLS)]
"""Every way, with the provider it reaches."""
