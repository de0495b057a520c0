"""LangChain's chat models, and LangGraph's agent around them."""

from langchain_anthropic import ChatAnthropic
from langchain_core.tools import tool
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_openai import ChatOpenAI
from langgraph.prebuilt import create_react_agent

from tests.frameworks._client import Client, weather


class _Model(Client):
    """Any of its chat models."""

    def model(self):
        """Make the model."""
        raise NotImplementedError

    def ask(self, question):
        return self.model().invoke(question).text

    def stream(self, question):
        return "".join(chunk.text for chunk in self.model().stream(question))

    def use_tool(self, question):
        agent = create_react_agent(self.model(), [tool(weather)])
        return agent.invoke({"messages": [("user", question)]})["messages"][-1].text

    def fill(self, question, form):
        return self.model().with_structured_output(form).invoke(question)


class LangChainOpenAI(_Model):
    """`ChatOpenAI`."""

    library = "langchain-openai"

    def model(self):
        return ChatOpenAI(model="gpt-4o")


class LangChainOpenAIResponses(_Model):
    """`ChatOpenAI(use_responses_api=True)`."""

    library = "langchain-openai"

    def model(self):
        return ChatOpenAI(model="gpt-4o", use_responses_api=True)


class LangChainAnthropic(_Model):
    """`ChatAnthropic`."""

    library = "langchain-anthropic"
    provider = "anthropic"

    def model(self):
        return ChatAnthropic(model="claude-haiku-4-5")


class LangChainGoogle(_Model):
    """`ChatGoogleGenerativeAI`."""

    library = "langchain-google-genai"
    provider = "gemini"

    def model(self):
        return ChatGoogleGenerativeAI(model="gemini-2.5-flash")
