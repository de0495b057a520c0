"""LlamaIndex's models."""

import asyncio

from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.llms import ChatMessage
from llama_index.llms.openai import OpenAI, OpenAIResponses

from tests.frameworks._client import Client, weather


class LlamaIndex(Client):
    """`OpenAI`, and `FunctionAgent` around it."""

    library = "llama-index-llms-openai"

    def model(self):
        """Make the model."""
        return OpenAI("gpt-4o")

    def ask(self, question):
        return self.model().chat([ChatMessage(role="user", content=question)]).message.content

    def stream(self, question):
        chunks = self.model().stream_chat([ChatMessage(role="user", content=question)])
        return "".join(chunk.delta or "" for chunk in chunks)

    def use_tool(self, question):
        async def main():
            return str(await FunctionAgent(tools=[weather], llm=self.model()).run(question))

        return asyncio.run(main())

    def fill(self, question, form):
        return self.model().as_structured_llm(form).chat([ChatMessage(role="user", content=question)]).raw


class LlamaIndexResponses(LlamaIndex):
    """`OpenAIResponses`, and `FunctionAgent` around it."""

    def model(self):
        return OpenAIResponses("gpt-4o")
