"""Frameworks on the OpenAI SDK."""

import asyncio

from autogen_agentchat.agents import AssistantAgent
from autogen_core.models import UserMessage
from autogen_ext.models.openai import OpenAIChatCompletionClient
from haystack.components.agents import Agent
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage
from haystack.tools import create_tool_from_function
from semantic_kernel import Kernel
from semantic_kernel.connectors.ai import FunctionChoiceBehavior
from semantic_kernel.connectors.ai.open_ai import OpenAIChatCompletion, OpenAIChatPromptExecutionSettings
from semantic_kernel.contents import ChatHistory
from semantic_kernel.functions import kernel_function
from smolagents import OpenAIModel

from tests.frameworks._client import Client, weather


class Haystack(Client):
    """`OpenAIChatGenerator`, and `Agent` around it."""

    library = "haystack-ai"

    def ask(self, question):
        return OpenAIChatGenerator(model="gpt-4o").run([ChatMessage.from_user(question)])["replies"][0].text

    def stream(self, question):
        pieces = []
        generator = OpenAIChatGenerator(model="gpt-4o", streaming_callback=lambda chunk: pieces.append(chunk.content))
        generator.run([ChatMessage.from_user(question)])
        return "".join(pieces)

    def use_tool(self, question):
        agent = Agent(chat_generator=OpenAIChatGenerator(model="gpt-4o"), tools=[create_tool_from_function(weather)])
        return agent.run([ChatMessage.from_user(question)])["messages"][-1].text


class SemanticKernel(Client):
    """`OpenAIChatCompletion`."""

    library = "semantic-kernel"

    def service(self):
        """Make the service, and what it is asked."""
        return OpenAIChatCompletion(ai_model_id="gpt-4o")

    def ask(self, question):
        history = ChatHistory()
        history.add_user_message(question)
        settings = OpenAIChatPromptExecutionSettings()
        return asyncio.run(self.service().get_chat_message_content(history, settings)).content

    def stream(self, question):
        async def main():
            history = ChatHistory()
            history.add_user_message(question)
            settings = OpenAIChatPromptExecutionSettings()
            chunks = self.service().get_streaming_chat_message_content(history, settings)
            return "".join([chunk.content async for chunk in chunks])

        return asyncio.run(main())

    def script_tool(self, handle):
        handle.calls_tool("station-weather", {"city": "Paris"}).replies("Take no umbrella.")

    def use_tool(self, question):
        class Station:
            """Tells the weather."""

            @kernel_function(name="weather")
            def weather(self, city: str) -> str:
                """Tell the weather of a city."""
                return weather(city)

        history = ChatHistory()
        history.add_user_message(question)
        kernel = Kernel()
        kernel.add_plugin(Station(), "station")
        settings = OpenAIChatPromptExecutionSettings(function_choice_behavior=FunctionChoiceBehavior.Auto())
        return asyncio.run(self.service().get_chat_message_content(history, settings, kernel=kernel)).content


class AutoGen(Client):
    """`OpenAIChatCompletionClient`, and `AssistantAgent` around it."""

    library = "autogen-ext"

    def ask(self, question):
        async def main():
            client = OpenAIChatCompletionClient(model="gpt-4o")
            return (await client.create([UserMessage(content=question, source="user")])).content

        return asyncio.run(main())

    def stream(self, question):
        async def main():
            client = OpenAIChatCompletionClient(model="gpt-4o")
            chunks = client.create_stream([UserMessage(content=question, source="user")])
            return "".join([chunk async for chunk in chunks if isinstance(chunk, str)])

        return asyncio.run(main())

    def use_tool(self, question):
        async def main():
            client = OpenAIChatCompletionClient(model="gpt-4o")
            agent = AssistantAgent("clerk", client, tools=[weather], reflect_on_tool_use=True)
            return (await agent.run(task=question)).messages[-1].content

        return asyncio.run(main())


class Smolagents(Client):
    """`OpenAIModel`."""

    library = "smolagents"

    def ask(self, question):
        messages = [{"role": "user", "content": [{"type": "text", "text": question}]}]
        return OpenAIModel("gpt-4o").generate(messages).content

    def stream(self, question):
        messages = [{"role": "user", "content": [{"type": "text", "text": question}]}]
        return "".join(chunk.content or "" for chunk in OpenAIModel("gpt-4o").generate_stream(messages))
