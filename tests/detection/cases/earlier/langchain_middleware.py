"""Faults that LangChain had."""

import openai
from langchain.agents import create_agent
from langchain.agents.middleware import ModelRetryMiddleware
from langchain_openai import ChatOpenAI

from llmtest import faults
from tests.detection._case import Case


class RefusedKeyAnswered(Case):
    """A refused key is retried twice, then its error is given out as what the model said."""

    library = "langchain"
    thread = "langchain-ai/langchain#38893"
    findings = ("retried_non_retryable", "gave_up")
    cure_raises = "AuthenticationError"

    def script(self, sim):
        sim.openai.fails(faults.AuthenticationFailed(), times=None)

    def ask(self, **more):
        agent = create_agent(ChatOpenAI(model="gpt-4o", max_retries=0), middleware=[ModelRetryMiddleware(**more)])
        return agent.invoke({"messages": [("user", "Tell me of Paris")]})["messages"][-1].content

    def app(self, sim):
        return self.ask()

    def catch(self, sim, answer):
        sim.assert_attempts("openai", 1)

    def cure(self, sim):
        return self.ask(retry_on=(openai.RateLimitError, openai.InternalServerError), on_failure="error")
