"""Faults that litellm had: streams, caches, usage."""

import asyncio

import litellm

from llmtest import Reply, Usage, faults
from tests.detection._case import Case
from tests.detection.cases.litellm._router import HELLO, MAIN, read, router


class TruncatedStream(Case):
    """A stream that ends without a `finish_reason` is given out with one, as if it were complete."""

    library = "litellm"
    thread = "BerriAI/litellm#40260"
    findings = ("truncated_answer_accepted",)

    def script(self, sim):
        sim.openai.fails(faults.StreamTruncated(2)).replies("Paris it is", optional=True)

    def app(self, sim):
        return read(router(MAIN))

    def catch(self, sim, answer):
        sim.assert_attempts("openai", at_least=2)


class DisabledFallbackAsked(Case):
    """`disable_fallbacks=True` is not looked at once a stream has begun."""

    library = "litellm"
    thread = "BerriAI/litellm#19077"
    untold = "own-rule"

    def script(self, sim):
        sim.openai.fails(faults.StreamError(2))
        sim.anthropic.echoes()

    def app(self, sim):
        return read(router(fallbacks=[{"main": ["spare"]}]), disable_fallbacks=True)

    def catch(self, sim, answer):
        sim.assert_no_fallback()


class TwoAnswersGlued(Case):
    """The fallback of a stream that broke begins anew, behind the pieces that were given out already."""

    library = "litellm"
    thread = "BerriAI/litellm#32835"
    findings = ("answers_glued",)

    def script(self, sim):
        sim.openai.fails(faults.StreamDropped(2))
        sim.anthropic.replies("This is the capital of France.", optional=True)

    def app(self, sim):
        return read(router(fallbacks=[{"main": ["spare"]}]))

    def catch(self, sim, answer):
        sim.assert_no_fallback()


class ZeroIsEstimated(Case):
    """A usage of zero is replaced by an estimate, and billed."""

    library = "litellm"
    thread = "BerriAI/litellm#37992"
    findings = ("cost_misreported",)

    def script(self, sim):
        sim.openai.replies(Reply("Paris " * 20, usage=Usage(0, 0)))

    def app(self, sim):
        async def main():
            routes = router(MAIN)
            options = {"include_usage": True}
            stream = await routes.acompletion(model="main", messages=HELLO, stream=True, stream_options=options)
            chunks = [chunk async for chunk in stream]
            return litellm.stream_chunk_builder(chunks, messages=HELLO)

        return asyncio.run(main())

    def catch(self, sim, answer):
        sim.assert_reported(tokens=answer.usage)


class HitIsBilled(Case):
    """An answer out of the cache is reported at the price of one from the provider."""

    library = "litellm"
    thread = "BerriAI/litellm#14749"
    findings = ("cost_misreported",)
    marks_its_calls = True

    def script(self, sim):
        sim.openai.replies("Paris", times=None)

    def app(self, sim):
        litellm.cache = litellm.Cache()
        total = 0
        try:
            for number in range(2):
                with sim.call(f"question {number}") as call:
                    answer = litellm.completion("openai/gpt-4o", HELLO, api_key="k", caching=True)
                    cost = litellm.completion_cost(answer)
                    call.returned(answer, cost=str(cost))
                total += cost
        finally:
            litellm.cache = None
        return str(total)

    def catch(self, sim, answer):
        sim.assert_reported(cost=answer)
