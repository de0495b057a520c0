"""openai-agents' runs."""

import asyncio

import openai
from agents import Agent, OpenAIChatCompletionsModel, Runner, function_tool, set_tracing_disabled

from tests.frameworks._client import Client, weather

set_tracing_disabled(disabled=True)


class OpenAIAgents(Client):
    """`Runner.run_sync`, on Responses by default."""

    library = "openai-agents"

    def model(self):
        """Return what the agent asks."""
        return "gpt-4o"

    def ask(self, question):
        return Runner.run_sync(Agent("clerk", model=self.model()), question).final_output

    def stream(self, question):
        async def main():
            run = Runner.run_streamed(Agent("clerk", model=self.model()), question)
            raw = [event.data async for event in run.stream_events() if event.type == "raw_response_event"]
            return "".join(event.delta for event in raw if event.type == "response.output_text.delta")

        return asyncio.run(main())

    def use_tool(self, question):
        agent = Agent("clerk", model=self.model(), tools=[function_tool(weather)])
        return Runner.run_sync(agent, question).final_output

    def fill(self, question, form):
        return Runner.run_sync(Agent("clerk", model=self.model(), output_type=form), question).final_output


class OpenAIAgentsChat(OpenAIAgents):
    """`OpenAIChatCompletionsModel`."""

    def model(self):
        return OpenAIChatCompletionsModel("gpt-4o", openai.AsyncOpenAI())
