"""Faults of LangChain's runnables and models."""

import openai
from langchain.agents import create_agent
from langchain.agents.middleware import ModelRetryMiddleware
from langchain_anthropic import ChatAnthropic
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import get_usage_metadata_callback
from langchain_openai import ChatOpenAI

from llmtest import faults
from tests.detection._case import Case

QUESTION = "Tell me of Paris"
PASSING = (openai.RateLimitError, openai.InternalServerError, openai.APIConnectionError)


def gpt(**more):
    """Return the primary model, which leaves retrying to others."""
    return ChatOpenAI(**{"model": "gpt-4o", "max_retries": 0, **more})


def claude():
    """Return the fallback."""
    return ChatAnthropic(model="claude-opus-5", max_retries=0, max_tokens=99)


def read(model):
    """Ask for a stream, and return its text."""
    return "".join(piece.content for piece in model.stream(QUESTION))


class BreakWithoutFallback(Case):
    """`with_fallbacks` takes a stream for good at its first piece, which is empty: what breaks next is an error."""

    library = "langchain-core"
    thread = "langchain-ai/langchain#16055"
    findings = ("no_fallback_after_break",)
    marks_its_calls = True
    raises = "OpenAIConnectionError"

    def script(self, sim):
        sim.openai.fails(faults.ServerError(503)).fails(faults.StreamDropped(0))
        sim.anthropic.echoes()

    def ask(self, sim, ask_one):
        for number in range(2):
            with sim.call(f"question {number}") as call:
                call.returned(ask_one())

    def app(self, sim):
        return self.ask(sim, lambda: read(gpt().with_fallbacks([claude()])))

    def catch(self, sim, answer):
        sim.assert_attempts("anthropic", 2)

    def cure(self, sim):
        def whole():
            try:
                return read(gpt())
            except openai.APIError:
                return read(claude())

        return self.ask(sim, whole)


class RefusedContentAskedElsewhere(Case):
    """`with_fallbacks` takes every error for a reason: what one provider refuses as unsafe is asked of another."""

    library = "langchain-core"
    thread = "BerriAI/litellm#40406"
    untold = "wanted"
    cure_raises = "OpenAIInvalidRequestError"

    def script(self, sim):
        sim.openai.fails(faults.ContentFiltered())
        sim.anthropic.echoes()

    def app(self, sim):
        return gpt().with_fallbacks([claude()]).invoke(QUESTION).content

    def catch(self, sim, answer):
        sim.assert_no_fallback()

    def cure(self, sim):
        return gpt().with_fallbacks([claude()], exceptions_to_handle=PASSING).invoke(QUESTION).content


class RetryNotInStreams(Case):
    """`with_retry` has no effect on `stream`: only `invoke` and `batch` are retried."""

    library = "langchain-core"
    thread = "langchain-ai/langchain#11551"
    findings = ("gave_up",)
    raises = "OpenAIAPIError"

    def script(self, sim):
        sim.openai.fails(faults.ServerError(503)).replies("Paris it is", optional=True)

    def app(self, sim):
        return read(gpt().with_retry())

    def catch(self, sim, answer):
        sim.assert_attempts("openai", at_least=2)

    def cure(self, sim):
        return read(gpt(max_retries=2))


class StreamNotCached(Case):
    """`stream` neither asks the cache nor fills it: the same question is paid for twice."""

    library = "langchain-core"
    thread = "langchain-ai/langchain#23701"
    untold = "cache"

    def script(self, sim):
        sim.openai.replies("Paris it is", times=None)

    def app(self, sim):
        model = gpt(cache=InMemoryCache())
        return [read(model) for _ in range(2)][-1]

    def catch(self, sim, answer):
        sim.assert_attempts("openai", 1)

    def cure(self, sim):
        model = gpt(cache=InMemoryCache())
        return [model.invoke(QUESTION).content for _ in range(2)][-1]


class OutageAnswered(Case):
    """An outage is given out as what the model said: the error's text takes the place of the answer."""

    library = "langchain"
    thread = "langchain-ai/langchain#38960"
    findings = ("gave_up",)
    cure_raises = "OpenAIAPIError"

    def script(self, sim):
        sim.openai.fails(faults.ServerError(503), times=None)

    def ask(self, **more):
        agent = create_agent(gpt(), middleware=[ModelRetryMiddleware(**more)])
        return agent.invoke({"messages": [("user", QUESTION)]})["messages"][-1].content

    def app(self, sim):
        return self.ask()

    def catch(self, sim, answer):
        assert not answer

    def cure(self, sim):
        return self.ask(on_failure="error")


class StreamCostsNothing(Case):
    """A stream through a gateway is counted as no tokens: usage is asked for at OpenAI's own address only."""

    library = "langchain-openai"
    thread = "langchain-ai/langchain#30390"
    untold = "number"

    def script(self, sim):
        sim.provider("gateway", base_url="https://llm.example.org/v1").replies("Paris it is")

    def ask(self, **more):
        with get_usage_metadata_callback() as usage:
            read(gpt(base_url="https://llm.example.org/v1", api_key="k", **more))
        return sum(each["total_tokens"] for each in usage.usage_metadata.values())

    def app(self, sim):
        return self.ask()

    def catch(self, sim, answer):
        sim.assert_reported(tokens=answer)

    def cure(self, sim):
        return self.ask(stream_usage=True)
