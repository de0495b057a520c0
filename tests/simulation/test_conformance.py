"""Two fidelities, one provider: over HTTP through our own provider, and directly, every fault is the same error."""

import pytest

from llmtest import faults
from llmtest.errors import ProviderError
from llmtest.providers import AnthropicProvider, OpenAIProvider
from llmtest.testing import Simulation
from llmtest.types import CompletionRequest, Timeouts

FAULTS = [
    faults.RateLimited(retry_after=30),
    faults.QuotaExceeded(),
    faults.QuotaExceeded(status=402),
    faults.AuthenticationFailed(),
    faults.PermissionDenied(),
    faults.ModelNotFound(),
    faults.ContextLengthExceeded(),
    faults.InvalidRequest(),
    faults.InvalidRequest(status=409),
    faults.InvalidRequest(status=422),
    faults.ContentFiltered(),
    faults.RequestTooLarge(),
    faults.ServerError(status=502),
    faults.Overloaded(),
    faults.Timeout(),
    faults.Timeout(phase="connect"),
    faults.Timeout(phase="first_token"),
    faults.Timeout(phase="server"),
    faults.ConnectionRefused(),
    faults.ConnectionClosed(),
    faults.ConnectionReset(),
    faults.MalformedBody(),
    faults.WrongContentType(),
    faults.EmptyResponse(),
    faults.SlowFirstToken(3),
    faults.SlowFirstToken(30),
    faults.StreamDropped(0),
    faults.StreamDropped(2),
    faults.StreamTruncated(2),
    faults.StreamStalled(2),
    faults.StreamStalled(2, seconds=3),
    faults.StreamError(0),
    faults.StreamError(2),
    faults.StreamMalformed(2),
]
PROVIDERS = {"openai": OpenAIProvider, "anthropic": AnthropicProvider}
FACTS = ("status", "retry_after", "provider", "model", "kind", "phase", "timeout", "visible", "partial_text")
LIMITS = Timeouts(connect=3, first_token=5, read=10, total=60)


def experience(name, fault, *, stream, direct):
    """Return what a caller of our layer sees of a fault, and what the provider noted."""
    request = CompletionRequest.ask("one two three four")
    with Simulation(strict=False) as sim:
        handle = sim.provider(name).fails(fault).echoes()
        provider = handle.as_provider("m", tokens_per_event=1) if direct else PROVIDERS[name](model="m")
        texts, error = [], None
        try:
            if stream:
                texts.extend(event.text for event in provider.stream(request, LIMITS) if event.text)
            else:
                texts.append(provider.complete(request, LIMITS).content)
        except ProviderError as caught:
            error = (type(caught), *(getattr(caught, fact, None) for fact in FACTS))
        return texts, error, handle.requests[0].outcome


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("name", PROVIDERS)
@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_fault_is_the_same_on_both_paths(fault, name, stream):
    """Class, facts, partial text and outcome do not tell whether HTTP was between."""
    assert experience(name, fault, stream=stream, direct=True) == experience(name, fault, stream=stream, direct=False)
