"""Faults of litellm's fallbacks."""

from llmtest import faults
from tests.detection._case import Case
from tests.detection.cases.litellm._router import ask, read, router


class BrokenStream(Case):
    """An app whose stream breaks while a fallback stands idle."""

    findings = ("no_fallback_after_break",)

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
    findings = ()
    raises = "APIConnectionError"

    def script(self, sim):
        sim.openai.fails(faults.StreamDropped(2))
        sim.anthropic.echoes()


class StalledStream(BrokenStream):
    """A stream that falls silent after its first pieces ends in a timeout, and no fallback is asked."""

    library = "litellm"
    thread = "BerriAI/litellm#40404"
    findings = ()
    raises = "Timeout"

    def script(self, sim):
        sim.openai.fails(faults.StreamStalled(2))
        sim.anthropic.echoes()


class MalformedStream(BrokenStream):
    """A stream with half an event in it is an error, and no fallback is asked."""

    library = "litellm"
    thread = "BerriAI/litellm#40404"
    findings = ()
    raises = "APIConnectionError"

    def script(self, sim):
        sim.openai.fails(faults.StreamMalformed(2))
        sim.anthropic.echoes()


class RefusedContentAskedElsewhere(Case):
    """What one provider refuses as unsafe is asked of the next: `fallbacks` are a way around a refusal."""

    library = "litellm"
    thread = "BerriAI/litellm#40406"
    cure_raises = "ContentPolicyViolationError"

    def script(self, sim):
        sim.openai.fails(faults.ContentFiltered())
        sim.anthropic.echoes()

    def app(self, sim):
        return ask(router(fallbacks=[{"main": ["spare"]}]))

    def catch(self, sim, answer):
        sim.assert_no_fallback()

    def cure(self, sim):
        return ask(router())


class FallbackOnEveryError(Case):
    """Which errors fall back cannot be said: a request that is wrong is sent to the next provider too."""

    library = "litellm"
    thread = "BerriAI/litellm#8789"
    findings = ("fallback_on_client_error",)
    cure_raises = "BadRequestError"

    def script(self, sim):
        sim.openai.fails(faults.InvalidRequest())
        sim.anthropic.echoes()

    def app(self, sim):
        return ask(router(fallbacks=[{"main": ["spare"]}]))

    def catch(self, sim, answer):
        sim.assert_no_fallback()

    def cure(self, sim):
        return ask(router())
