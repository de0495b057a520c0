"""Faults of openai-agents."""

import asyncio

import openai
import tenacity
from agents import (
    Agent,
    GuardrailFunctionOutput,
    InputGuardrail,
    OpenAIChatCompletionsModel,
    Runner,
    function_tool,
    set_tracing_disabled,
)

from llmtest import faults
from tests.detection._case import Case

set_tracing_disabled(disabled=True)
QUESTION = "Pay five euros"


def gpt(max_retries=0):
    """Return a model whose client leaves retrying to others, unless told otherwise."""
    return OpenAIChatCompletionsModel("gpt-4o", openai.AsyncOpenAI(max_retries=max_retries))


async def refuse(context, agent, text):
    """Refuse every question, after a second's thought."""
    await asyncio.sleep(1)
    return GuardrailFunctionOutput(None, tripwire_triggered=True)


class AskedBeforeRefused(Case):
    """The model is asked and paid for while the guardrail still thinks that refuses the question."""

    library = "openai-agents"
    thread = "openai/openai-agents-python#1985"
    untold = "own-rule"
    raises = "InputGuardrailTripwireTriggered"
    cure_raises = "InputGuardrailTripwireTriggered"

    def script(self, sim):
        sim.openai.echoes()

    def ask(self, **more):
        agent = Agent("clerk", model=gpt(), input_guardrails=[InputGuardrail(refuse, **more)])
        return asyncio.run(Runner.run(agent, QUESTION)).final_output

    def app(self, sim):
        return self.ask()

    def catch(self, sim, answer):
        sim.assert_spend(at_most="0")

    def cure(self, sim):
        return self.ask(run_in_parallel=False)


class ToolRunBeforeRefused(Case):
    """A tool has run, and a second request gone out, when the guardrail refuses the question."""

    library = "openai-agents"
    thread = "openai/openai-agents-python#991"
    untold = "own-rule"
    raises = "InputGuardrailTripwireTriggered"
    cure_raises = "InputGuardrailTripwireTriggered"

    def script(self, sim):
        sim.openai.latency(ttft=0.2).when(turn=1).calls_tool("pay", {"amount": 5}, times=None)
        sim.openai.when(turn=2).replies("Paid", times=None)

    def ask(self, **more):
        @function_tool
        def pay(amount: int) -> str:
            return f"paid {amount}"

        guards = [InputGuardrail(refuse, **more)]
        agent = Agent("clerk", model=gpt(), tools=[pay], input_guardrails=guards)
        return asyncio.run(Runner.run(agent, QUESTION)).final_output

    def app(self, sim):
        return self.ask()

    def catch(self, sim, answer):
        sim.assert_attempts("openai", 0)

    def cure(self, sim):
        return self.ask(run_in_parallel=False)


class WholeRunRetried(Case):
    """A retry around the whole run of an agent pays twice: the tool had run when the second request failed."""

    library = "tenacity"
    thread = "defog-ai/defog#240"
    findings = ("duplicate_effect",)

    def script(self, sim):
        sim.openai.when(turn=1).calls_tool("pay", {"amount": 5}, times=None)
        sim.openai.when(turn=2).fails(faults.ServerError(503)).replies("Paid", times=None)

    def ask(self, run, **more):
        @function_tool
        def pay(amount: int) -> str:
            return f"paid {amount}"

        agent = Agent("clerk", model=gpt(**more), tools=[pay])
        return asyncio.run(run(agent, QUESTION)).final_output

    def app(self, sim):
        patient = tenacity.retry(stop=tenacity.stop_after_attempt(3), wait=tenacity.wait_fixed(2))
        return self.ask(patient(Runner.run))

    def catch(self, sim, answer):
        sim.assert_attempts("openai", 3)

    def cure(self, sim):
        return self.ask(Runner.run, max_retries=2)
