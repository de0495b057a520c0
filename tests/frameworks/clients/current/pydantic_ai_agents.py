"""pydantic-ai's agents."""

import asyncio

from pydantic_ai import Agent

from tests.frameworks._client import Client, weather


class _Agent(Client):
    """An agent with any of its models."""

    library = "pydantic-ai-slim"
    model: str

    def ask(self, question):
        return Agent(self.model).run_sync(question).output

    def stream(self, question):
        async def main():
            async with Agent(self.model).run_stream(question) as result:
                return "".join([text async for text in result.stream_text(delta=True)])

        return asyncio.run(main())

    def use_tool(self, question):
        return Agent(self.model, tools=[weather]).run_sync(question).output

    def fill(self, question, form):
        return Agent(self.model, output_type=form).run_sync(question).output


class PydanticAIChat(_Agent):
    """`Agent("openai-chat:...")`."""

    model = "openai-chat:gpt-4o"


class PydanticAIResponses(_Agent):
    """`Agent("openai:...")`."""

    model = "openai:gpt-4o"


class PydanticAIAnthropic(_Agent):
    """`Agent("anthropic:...")`."""

    provider = "anthropic"
    model = "anthropic:claude-haiku-4-5"


class PydanticAIGoogle(_Agent):
    """`Agent("google:...")`."""

    provider = "gemini"
    model = "google:gemini-2.5-flash"
