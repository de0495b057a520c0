"""DSPy's models, on its own transport; without its store of answers, in which the second question would end."""

import asyncio

import dspy
from dspy.streaming import StreamListener, StreamResponse

from tests.frameworks._client import Client, weather


def fields(**values):
    """Return what a model writes that `dspy.ChatAdapter` reads."""
    return "\n\n".join(f"[[ ## {name} ## ]]\n{value}" for name, value in {**values, "completed": ""}.items())


def signature_of(form):
    """Return a signature whose answer is an object."""

    class Answer(dspy.Signature):
        """Answer."""

        question: str = dspy.InputField()
        found: form = dspy.OutputField()

    return Answer


class DSPy(Client):
    """`dspy.LM`, and `dspy.Predict`, `dspy.ReAct` and `dspy.streamify` around it."""

    library = "dspy"
    name = "openai/gpt-4o"

    def model(self, **settings):
        """Make the model."""
        return dspy.LM(self.name, cache=False, **settings)

    def text_of(self, found):
        """Return the text of what a model gives."""
        return found[0]

    def ask(self, question):
        return self.text_of(self.model()(question))

    def streamed(self, text):
        return fields(answer=text)

    def stream(self, question):
        async def main():
            listeners = [StreamListener(signature_field_name="answer")]
            predict = dspy.streamify(dspy.Predict("question -> answer"), stream_listeners=listeners)
            return [each.chunk async for each in predict(question=question) if isinstance(each, StreamResponse)]

        with dspy.context(lm=self.model()):
            return "".join(asyncio.run(main()))

    def script_tool(self, handle):
        handle.replies(fields(next_thought="Ask.", next_tool_name="weather", next_tool_args='{"city": "Paris"}'))
        handle.replies(fields(next_thought="I know.", next_tool_name="finish", next_tool_args="{}"))
        handle.replies(fields(reasoning="It is sunny.", answer="Take no umbrella."))

    def use_tool(self, question):
        with dspy.context(lm=self.model()):
            return dspy.ReAct("question -> answer", tools=[weather])(question=question).answer

    def fill(self, question, form):
        with dspy.context(lm=self.model(), adapter=dspy.JSONAdapter()):
            return dspy.Predict(signature_of(form))(question=question).found


class DSPyAsync(DSPy):
    """`dspy.LM().acall`, and the `acall` of `dspy.Predict` and `dspy.ReAct` around it."""

    def ask(self, question):
        return self.text_of(asyncio.run(self.model().acall(question)))

    def use_tool(self, question):
        with dspy.context(lm=self.model()):
            agent = dspy.ReAct("question -> answer", tools=[weather])
            return asyncio.run(agent.acall(question=question)).answer

    def fill(self, question, form):
        with dspy.context(lm=self.model(), adapter=dspy.JSONAdapter()):
            return asyncio.run(dspy.Predict(signature_of(form)).acall(question=question)).found


class _CallingTools(DSPy):
    """`dspy.Predict` whose adapter has the API call tools, not `dspy.ReAct`, which asks for them in words."""

    def script_tool(self, handle):
        handle.calls_tool("weather", {"city": "Paris"}).replies(fields(answer="Take no umbrella."))

    def use_tool(self, question):
        class Call(dspy.Signature):
            """Call tools."""

            question: str = dspy.InputField()
            tools: list[dspy.Tool] = dspy.InputField()
            calls: dspy.ToolCalls = dspy.OutputField()

        tool = dspy.Tool(weather)
        with dspy.context(lm=self.model(), adapter=dspy.ChatAdapter(use_native_function_calling=True)):
            calls = dspy.Predict(Call)(question=question, tools=[tool]).calls.tool_calls
            found = [call.execute(functions=[tool]) for call in calls]
            return dspy.Predict("question, found -> answer")(question=question, found=found).answer


class DSPyResponses(_CallingTools):
    """`dspy.LM(model_type="responses")`, with tools that the API calls."""

    def model(self):
        return super().model(model_type="responses")

    def text_of(self, found):
        return found[0]["text"]


class DSPyAnthropic(_CallingTools):
    """`dspy.LM("anthropic/...")`, with tools that the API calls."""

    provider = "anthropic"
    name = "anthropic/claude-sonnet-4-6"


class DSPyGemini(_CallingTools):
    """`dspy.LM("gemini/...")`, with tools that the API calls."""

    provider = "gemini"
    name = "gemini/gemini-2.5-flash"


class DSPyLiteLLM(DSPy):
    """`dspy.LM(engine="litellm")`."""

    def model(self):
        return super().model(engine="litellm")
