"""Faults of pydantic-ai."""

import asyncio

import anthropic
import openai
from pydantic_ai import Agent, UsageLimits
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.messages import ModelResponse
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider

from llmtest import Reply, faults
from tests.detection._case import Case

QUESTION = "Tell me of Paris"


def gpt(**more):
    """Return the primary model, which leaves retrying to others."""
    client = openai.AsyncOpenAI(**{"max_retries": 0, **more})
    return OpenAIChatModel("gpt-4o", provider=OpenAIProvider(openai_client=client))


def claude():
    """Return the fallback."""
    client = anthropic.AsyncAnthropic(max_retries=0)
    return AnthropicModel("claude-opus-5", provider=AnthropicProvider(anthropic_client=client))


def run(agent, question=QUESTION, **more):
    """Ask an agent for one whole answer."""

    async def main():
        return (await agent.run(question, **more)).output

    return asyncio.run(main())


def read(agent):
    """Ask an agent for a stream, and return its text and why the provider ended it."""

    async def main():
        async with agent.run_stream(QUESTION) as result:
            text = "".join([piece async for piece in result.stream_text(delta=True)])
            return text, result.response.provider_details.get("finish_reason")

    return asyncio.run(main())


class TruncatedStream(Case):
    """A stream that ends without a `finish_reason` is given one, and given out as complete."""

    library = "pydantic-ai-slim"
    thread = "pydantic/pydantic-ai#6610"
    findings = ("truncated_answer_accepted",)

    def script(self, sim):
        sim.openai.fails(faults.StreamTruncated(2)).replies("Paris it is", optional=True)

    def app(self, sim):
        return read(Agent(gpt()))[0]

    def catch(self, sim, answer):
        sim.assert_attempts("openai", at_least=2)

    def cure(self, sim):
        for _ in range(3):
            text, reason = read(Agent(gpt()))
            if reason is not None:
                return text
        raise TimeoutError


class BreakWithoutFallback(Case):
    """`FallbackModel` falls back while a stream opens: one that breaks later is an error, and the fallback idle."""

    library = "pydantic-ai-slim"
    thread = "pydantic/pydantic-ai#4953"
    untold = "said"
    raises = "ModelConnectionError"

    def script(self, sim):
        sim.openai.fails(faults.StreamDropped(2))
        sim.anthropic.echoes()

    def app(self, sim):
        return read(Agent(FallbackModel(gpt(), claude())))[0]

    def catch(self, sim, answer):
        sim.assert_fallback("openai", "anthropic")

    def cure(self, sim):
        try:
            return read(Agent(gpt()))[0]
        except Exception:  # noqa: BLE001 - whatever broke it
            return read(Agent(claude()))[0]


class RetriesBeforeFallback(Case):
    """The SDK's retries come before the fallback: a 429 with 30 s delays the answer by a minute."""

    library = "pydantic-ai-slim"
    thread = "pydantic/pydantic-ai#3267"
    findings = ("retry_after_unbounded",)

    def script(self, sim):
        sim.openai.fails(faults.RateLimited(retry_after=30), times=None)
        sim.anthropic.echoes()

    def app(self, sim):
        return run(Agent(FallbackModel(gpt(max_retries=2), claude())))

    def catch(self, sim, answer):
        sim.assert_waited(at_most=5)

    def cure(self, sim):
        return run(Agent(FallbackModel(gpt(), claude())))


class FallbackOnWrongRequest(Case):
    """`FallbackModel` takes every status from 400 up for a reason: a request that is wrong is sent to everybody."""

    library = "pydantic-ai-slim"
    thread = "pydantic/pydantic-ai#894"
    findings = ("fallback_on_client_error",)
    cure_raises = "ModelRequestRejectedError"

    def script(self, sim):
        sim.openai.fails(faults.InvalidRequest())
        sim.anthropic.echoes()

    def app(self, sim):
        return run(Agent(FallbackModel(gpt(), claude())))

    def catch(self, sim, answer):
        sim.assert_no_fallback()

    def cure(self, sim):
        def passes(error: Exception) -> bool:
            return not isinstance(error, ModelHTTPError) or error.status_code == 429 or error.status_code >= 500

        return run(Agent(FallbackModel(gpt(), claude(), fallback_on=passes)))


class EmptyAnswerNotFallenBack(Case):
    """An answer that the agent itself refuses as empty never reaches `FallbackModel`, so the fallback stays idle."""

    library = "pydantic-ai-slim"
    thread = "pydantic/pydantic-ai#2837"
    untold = "content"
    raises = "UnexpectedModelBehavior"

    def script(self, sim):
        sim.openai.replies(Reply(""), times=None)
        sim.anthropic.echoes()

    def app(self, sim):
        return run(Agent(FallbackModel(gpt(), claude())))

    def catch(self, sim, answer):
        sim.assert_attempts("anthropic", at_least=1)

    def cure(self, sim):
        def is_empty(response: ModelResponse) -> bool:
            return not response.text

        return run(Agent(FallbackModel(gpt(), claude(), fallback_on=[is_empty])))


class LimitAfterTheFact(Case):
    """`input_tokens_limit` is looked at when the answer has come: a prompt that is far too long was paid for."""

    library = "pydantic-ai-slim"
    thread = "pydantic/pydantic-ai#1794"
    untold = "own-rule"
    raises = "UsageLimitExceeded"
    cure_raises = "UsageLimitExceeded"

    def script(self, sim):
        sim.anthropic.echoes()

    def ask(self, **more):
        limits = UsageLimits(input_tokens_limit=100, **more)
        return run(Agent(claude()), "word " * 5000, usage_limits=limits)

    def app(self, sim):
        return self.ask()

    def catch(self, sim, answer):
        sim.assert_spend(at_most="0.01")

    def cure(self, sim):
        return self.ask(count_tokens_before_request=True)


class RetriesAreOfOutputs(Case):
    """`retries=3` is of answers that do not fit, not of requests: a single 503 ends the run."""

    library = "pydantic-ai-slim"
    thread = "pydantic/pydantic-ai#1231"
    findings = ("gave_up",)
    raises = "ModelUnavailableError"

    def script(self, sim):
        sim.openai.fails(faults.ServerError(503)).replies("Paris", optional=True)

    def app(self, sim):
        return run(Agent(gpt(), retries=3))

    def catch(self, sim, answer):
        sim.assert_attempts("openai", at_least=2)

    def cure(self, sim):
        return run(Agent(gpt(max_retries=2)))


class HandlerNotInStreams(Case):
    """A handler that judges answers is not asked in streams: what it would refuse is given out."""

    library = "pydantic-ai-slim"
    thread = "pydantic/pydantic-ai#4140"
    untold = "content"

    def script(self, sim):
        sim.openai.replies("I cannot help with that", times=None)
        sim.anthropic.echoes()

    def model(self):
        def is_refusal(response: ModelResponse) -> bool:
            return "cannot" in (response.text or "")

        return FallbackModel(gpt(), claude(), fallback_on=[is_refusal])

    def app(self, sim):
        return read(Agent(self.model()))[0]

    def catch(self, sim, answer):
        sim.assert_attempts("anthropic", 1)

    def cure(self, sim):
        return run(Agent(self.model()))
