"""Faults of litellm's fallbacks."""

from llmtest import faults
from tests.detection._case import Case
from tests.detection.cases.litellm._router import ask, read, router


class BrokenStream(Case):
    """An app whose stream breaks while a fallback stands idle."""

    def script(self, sim):
        sim.openai.fails(self.fault)
        sim.anthropic.echoes()

    def app(self, sim):
        return read(router(fallbacks=[{"main": ["spare"]}], timeout=20, stream_timeout=10))

    def catch(self, sim, answer):
        sim.assert_fallback("openai", "anthropic")

    def cure(self, sim):
        routes = router(timeout=20, stream_timeout=10)
        try:
            return read(routes)
        except Exception:  # noqa: BLE001 - whatever broke it
            return read(routes, "spare")


class CutStream(BrokenStream):
    """A stream that is cut after its first pieces is an error, and no fallback is asked."""

    library = "litellm"
    thread = "BerriAI/litellm#40404"
    untold = "said"
    raises = "APIConnectionError"
    fault = faults.StreamDropped(2)


class StalledStream(BrokenStream):
    """A stream that falls silent after its first pieces ends in a timeout, and no fallback is asked."""

    library = "litellm"
    thread = "BerriAI/litellm#40404"
    untold = "said"
    raises = "Timeout"
    fault = faults.StreamStalled(2)


class MalformedStream(BrokenStream):
    """A stream with half an event in it is an error, and no fallback is asked."""

    library = "litellm"
    thread = "BerriAI/litellm#40404"
    untold = "said"
    raises = "APIConnectionError"
    fault = faults.StreamMalformed(2)


class AskedElsewhere(Case):
    """An app whose fallback is asked what the first provider has refused."""

    def script(self, sim):
        sim.openai.fails(self.fault)
        sim.anthropic.echoes()

    def app(self, sim):
        return ask(router(fallbacks=[{"main": ["spare"]}]))

    def catch(self, sim, answer):
        sim.assert_no_fallback()

    def cure(self, sim):
        return ask(router())


class RefusedContentAskedElsewhere(AskedElsewhere):
    """What one provider refuses as unsafe is asked of the next: `fallbacks` are a way around a refusal."""

    library = "litellm"
    thread = "BerriAI/litellm#40406"
    untold = "wanted"
    cure_raises = "ContentPolicyViolationError"
    fault = faults.ContentFiltered()


class FallbackOnEveryError(AskedElsewhere):
    """Which errors fall back cannot be said: a request that is wrong is sent to the next provider too."""

    library = "litellm"
    thread = "BerriAI/litellm#8789"
    findings = ("fallback_on_client_error",)
    cure_raises = "BadRequestError"
    fault = faults.InvalidRequest()
