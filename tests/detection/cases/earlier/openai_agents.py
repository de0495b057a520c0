"""Faults that openai-agents had."""

import asyncio

import openai
from agents import Agent, OpenAIChatCompletionsModel, Runner, set_tracing_disabled

from llmtest import faults
from tests.detection._case import Case

set_tracing_disabled(disabled=True)


def streamed(agent):
    """Run an agent as a stream; return its text, and how many requests it counted."""

    async def main():
        result = Runner.run_streamed(agent, "Tell me of Paris")
        try:
            async for _ in result.stream_events():
                pass
        except openai.APIError:
            pass
        return result.final_output, result.context_wrapper.usage.requests

    return asyncio.run(main())


class UsageLost(Case):
    """The requests of a run whose stream failed are not counted."""

    library = "openai-agents"
    thread = "openai/openai-agents-python#1973"
    untold = "number"

    def script(self, sim):
        sim.openai.fails(faults.StreamError(2))

    def app(self, sim):
        return streamed(Agent("a", model=OpenAIChatCompletionsModel("gpt-4o", openai.AsyncOpenAI())))[1]

    def catch(self, sim, answer):
        assert answer == 1
