"""The official SDKs."""

import asyncio
import json

import anthropic
import openai
from google import genai

from tests.frameworks._client import Client, weather

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


class OpenAIChat(Client):
    """`OpenAI().chat.completions`."""

    library = "openai"

    def ask(self, question):
        messages = [{"role": "user", "content": question}]
        return openai.OpenAI().chat.completions.create(model="gpt-4o", messages=messages).choices[0].message.content

    def stream(self, question):
        messages = [{"role": "user", "content": question}]
        with openai.OpenAI().chat.completions.create(model="gpt-4o", messages=messages, stream=True) as chunks:
            return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)

    def use_tool(self, question):
        messages = [{"role": "user", "content": question}]
        tools = [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}]
        while True:
            answer = openai.OpenAI().chat.completions.create(model="gpt-4o", messages=messages, tools=tools)
            said = answer.choices[0].message
            if not said.tool_calls:
                return said.content
            messages.append(said)
            for call in said.tool_calls:
                result = weather(**json.loads(call.function.arguments))
                messages.append({"role": "tool", "tool_call_id": call.id, "content": result})

    def fill(self, question, form):
        messages = [{"role": "user", "content": question}]
        answer = openai.OpenAI().chat.completions.parse(model="gpt-4o", messages=messages, response_format=form)
        return answer.choices[0].message.parsed


class AsyncOpenAIChat(Client):
    """`AsyncOpenAI().chat.completions`."""

    library = "openai"

    def ask(self, question):
        async def main():
            messages = [{"role": "user", "content": question}]
            answer = await openai.AsyncOpenAI().chat.completions.create(model="gpt-4o", messages=messages)
            return answer.choices[0].message.content

        return asyncio.run(main())

    def stream(self, question):
        async def main():
            messages = [{"role": "user", "content": question}]
            chunks = await openai.AsyncOpenAI().chat.completions.create(model="gpt-4o", messages=messages, stream=True)
            return "".join([chunk.choices[0].delta.content or "" async for chunk in chunks if chunk.choices])

        return asyncio.run(main())


class OpenAIResponses(Client):
    """`OpenAI().responses`."""

    library = "openai"

    def ask(self, question):
        return openai.OpenAI().responses.create(model="gpt-4o", input=question).output_text

    def stream(self, question):
        with openai.OpenAI().responses.create(model="gpt-4o", input=question, stream=True) as events:
            return "".join(event.delta for event in events if event.type == "response.output_text.delta")

    def use_tool(self, question):
        items = [{"role": "user", "content": question}]
        tools = [{"type": "function", "name": "weather", "parameters": SCHEMA, "strict": False}]
        while True:
            answer = openai.OpenAI().responses.create(model="gpt-4o", input=items, tools=tools)
            calls = [item for item in answer.output if item.type == "function_call"]
            if not calls:
                return answer.output_text
            items += answer.output
            for call in calls:
                result = weather(**json.loads(call.arguments))
                items.append({"type": "function_call_output", "call_id": call.call_id, "output": result})

    def fill(self, question, form):
        return openai.OpenAI().responses.parse(model="gpt-4o", input=question, text_format=form).output_parsed


class AsyncOpenAIResponses(Client):
    """`AsyncOpenAI().responses`."""

    library = "openai"

    def ask(self, question):
        async def main():
            return (await openai.AsyncOpenAI().responses.create(model="gpt-4o", input=question)).output_text

        return asyncio.run(main())

    def stream(self, question):
        async def main():
            async with openai.AsyncOpenAI().responses.stream(model="gpt-4o", input=question) as events:
                return "".join([event.delta async for event in events if event.type == "response.output_text.delta"])

        return asyncio.run(main())


class AnthropicMessages(Client):
    """`Anthropic().messages`."""

    library = "anthropic"
    provider = "anthropic"

    def ask(self, question):
        messages = [{"role": "user", "content": question}]
        answer = anthropic.Anthropic().messages.create(model="claude-haiku-4-5", max_tokens=1000, messages=messages)
        return answer.content[0].text

    def stream(self, question):
        messages = [{"role": "user", "content": question}]
        with anthropic.Anthropic().messages.stream(
            model="claude-haiku-4-5", max_tokens=1000, messages=messages
        ) as answer:
            return "".join(answer.text_stream)

    def use_tool(self, question):
        answer = anthropic.Anthropic().beta.messages.tool_runner(
            model="claude-haiku-4-5",
            max_tokens=1000,
            messages=[{"role": "user", "content": question}],
            tools=[anthropic.beta_tool(weather)],
        )
        return answer.until_done().content[-1].text

    def fill(self, question, form):
        messages = [{"role": "user", "content": question}]
        answer = anthropic.Anthropic().messages.parse(
            model="claude-haiku-4-5", max_tokens=1000, messages=messages, output_format=form
        )
        return answer.parsed_output


class AsyncAnthropicMessages(Client):
    """`AsyncAnthropic().messages`."""

    library = "anthropic"
    provider = "anthropic"

    def ask(self, question):
        async def main():
            messages = [{"role": "user", "content": question}]
            client = anthropic.AsyncAnthropic()
            answer = await client.messages.create(model="claude-haiku-4-5", max_tokens=1000, messages=messages)
            return answer.content[0].text

        return asyncio.run(main())

    def stream(self, question):
        async def main():
            messages = [{"role": "user", "content": question}]
            async with anthropic.AsyncAnthropic().messages.stream(
                model="claude-haiku-4-5", max_tokens=1000, messages=messages
            ) as answer:
                return "".join([text async for text in answer.text_stream])

        return asyncio.run(main())


class GoogleGenAI(Client):
    """`genai.Client().models`; a client without a name would be closed before it has asked."""

    library = "google-genai"
    provider = "gemini"

    def ask(self, question):
        client = genai.Client()
        return client.models.generate_content(model="gemini-2.5-flash", contents=question).text

    def stream(self, question):
        client = genai.Client()
        chunks = client.models.generate_content_stream(model="gemini-2.5-flash", contents=question)
        return "".join(chunk.text or "" for chunk in chunks)

    def use_tool(self, question):
        client = genai.Client()
        answer = client.models.generate_content(
            model="gemini-2.5-flash", contents=question, config={"tools": [weather]}
        )
        return answer.text

    def fill(self, question, form):
        config = {"response_mime_type": "application/json", "response_schema": form}
        client = genai.Client()
        answer = client.models.generate_content(model="gemini-2.5-flash", contents=question, config=config)
        return answer.parsed


class AsyncGoogleGenAI(Client):
    """`genai.Client().aio.models`."""

    library = "google-genai"
    provider = "gemini"

    def ask(self, question):
        async def main():
            client = genai.Client()
            return (await client.aio.models.generate_content(model="gemini-2.5-flash", contents=question)).text

        return asyncio.run(main())

    def stream(self, question):
        async def main():
            client = genai.Client()
            chunks = await client.aio.models.generate_content_stream(model="gemini-2.5-flash", contents=question)
            return "".join([chunk.text or "" async for chunk in chunks])

        return asyncio.run(main())
