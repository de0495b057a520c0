"""CrewAI's models, and crews of one agent around them.

Without its telemetry, whose threads draw numbers of spans from the `random` that the SDKs draw their waits from.
"""

import asyncio
import os

os.environ["CREWAI_DISABLE_TELEMETRY"] = "true"  # before it is imported, which reads it

from crewai import LLM, Agent, Crew, Task
from crewai.tools import tool

from tests.frameworks._client import Client, weather


class CrewAI(Client):
    """`LLM(...)`; with tools and forms, `Crew(...).kickoff()` around it."""

    library = "crewai"
    model = "openai/gpt-4o"

    def ask(self, question):
        return LLM(model=self.model).call(question)

    def stream(self, question):
        return LLM(model=self.model, stream=True).call(question)

    def crew(self, question, *tools, **options):
        """Make a crew that has one question to answer."""
        llm = LLM(model=self.model)
        agent = Agent(role="clerk", goal="answer", backstory="A clerk.", llm=llm, tools=list(tools))
        return Crew(
            agents=[agent], tasks=[Task(description=question, expected_output="a sentence", agent=agent, **options)]
        )

    def run(self, crew):
        """Let it answer."""
        return crew.kickoff()

    def use_tool(self, question):
        return self.run(self.crew(question, tool("weather")(weather))).raw

    def fill(self, question, form):
        return self.run(self.crew(question, output_pydantic=form)).pydantic


class CrewAICrew(CrewAI):
    """`Crew(...).kickoff()` of an `Agent` and a `Task`."""

    def ask(self, question):
        return self.run(self.crew(question)).raw


class CrewAICrewAsync(CrewAICrew):
    """`Crew(...).kickoff_async()`."""

    def run(self, crew):
        return asyncio.run(crew.kickoff_async())


class CrewAICrewOfTasks(CrewAICrew):
    """`Crew(...).akickoff()`."""

    def run(self, crew):
        return asyncio.run(crew.akickoff())


class CrewAIAnthropic(CrewAICrew):
    """`Crew(...).kickoff()` with `LLM(model="anthropic/...")`."""

    provider = "anthropic"
    model = "anthropic/claude-sonnet-4-5"


class CrewAIAnthropicAsync(CrewAIAnthropic):
    """`Crew(...).kickoff_async()` with `LLM(model="anthropic/...")`."""

    def run(self, crew):
        return asyncio.run(crew.kickoff_async())
