"""Faults that pydantic-ai had."""

import asyncio

import openai
from pydantic_ai import Agent
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from llmtest import faults
from tests.detection._case import Case


def model(name, **more):
    """Return a model behind a client that leaves retrying to others."""
    client = openai.AsyncOpenAI(max_retries=0, **more)
    return OpenAIChatModel(name, provider=OpenAIProvider(openai_client=client))


class RefusedConnection(Case):
    """A connection that is refused is no `ModelHTTPError`, so `FallbackModel` lets it through."""

    library = "pydantic-ai-slim"
    thread = "pydantic/pydantic-ai#3439"
    findings = ("gave_up",)
    raises = "APIConnectionError"

    def script(self, sim):
        sim.openai.fails(faults.ConnectionRefused())
        sim.provider("spare", base_url="https://spare.example/v1").echoes()

    def ask(self, **more):
        spare = model("m", base_url="https://spare.example/v1", api_key="k")
        agent = Agent(FallbackModel(model("gpt-4o"), spare, **more))
        return asyncio.run(agent.run("Tell me of Paris")).output

    def app(self, sim):
        return self.ask()

    def catch(self, sim, answer):
        sim.assert_fallback("openai", "spare")

    def cure(self, sim):
        return self.ask(fallback_on=(ModelHTTPError, openai.APIConnectionError))
