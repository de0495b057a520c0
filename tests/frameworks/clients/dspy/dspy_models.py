"""DSPy's models, on its own transport; without its store of answers, in which the second question would end."""

import asyncio

import dspy

from tests.frameworks._client import Client


class DSPy(Client):
    """`dspy.LM`, and `dspy.Predict` around it."""

    library = "dspy"

    def model(self):
        """Make the model."""
        return dspy.LM("openai/gpt-4o", cache=False)

    def ask(self, question):
        return self.model()(question)[0]

    def fill(self, question, form):
        class Answer(dspy.Signature):
            """Answer."""

            question: str = dspy.InputField()
            found: form = dspy.OutputField()

        with dspy.context(lm=self.model(), adapter=dspy.JSONAdapter()):
            return dspy.Predict(Answer)(question=question).found


class DSPyAsync(DSPy):
    """`dspy.LM().acall`, and `dspy.Predict().acall` around it."""

    def ask(self, question):
        return asyncio.run(self.model().acall(question))[0]

    def fill(self, question, form):
        class Answer(dspy.Signature):
            """Answer."""

            question: str = dspy.InputField()
            found: form = dspy.OutputField()

        async def main():
            with dspy.context(lm=self.model(), adapter=dspy.JSONAdapter()):
                return (await dspy.Predict(Answer).acall(question=question)).found

        return asyncio.run(main())


class DSPyLiteLLM(DSPy):
    """`dspy.LM(engine="litellm")`."""

    def model(self):
        return dspy.LM("openai/gpt-4o", cache=False, engine="litellm")
