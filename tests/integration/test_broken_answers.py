"""Answers that break: what each official SDK makes of them, whole and streamed, and how often it asks (wire facts).

Nobody retries once a stream has begun, openai wraps what breaks inside one, anthropic lets httpx2's own error through,
and neither notices a stream that ends too early.
"""

import pytest

from llmtest import faults
from tests.integration.sdk_calls import CALLS

JSON = "json.decoder.JSONDecodeError"
TEXT = "builtins.AttributeError"
"""The SDK hands out the body as text, on which the application stumbles."""
NONE = None
"""No error: the application gets less than there was, and nobody tells it."""

ROWS = {
    # fault: (openai whole, openai streamed, anthropic whole, anthropic streamed), each a class and a number of requests
    faults.QuotaExceeded(): (
        ("openai.RateLimitError", 3),
        ("openai.RateLimitError", 3),
        ("anthropic.PaymentRequiredError", 1),
        ("anthropic.PaymentRequiredError", 1),
    ),
    faults.ContentFiltered(): (
        ("openai.BadRequestError", 1),
        ("openai.BadRequestError", 1),
        ("anthropic.BadRequestError", 1),
        ("anthropic.BadRequestError", 1),
    ),
    faults.Overloaded(): (
        ("openai.InternalServerError", 3),
        ("openai.InternalServerError", 3),
        ("anthropic.OverloadedError", 3),
        ("anthropic.OverloadedError", 3),
    ),
    faults.ServerError(status=529): (
        ("openai.InternalServerError", 3),
        ("openai.InternalServerError", 3),
        ("anthropic.OverloadedError", 3),
        ("anthropic.OverloadedError", 3),
    ),
    faults.MalformedBody(): ((JSON, 1), (JSON, 1), (JSON, 1), (JSON, 1)),
    faults.WrongContentType(): ((TEXT, 1), (NONE, 1), (TEXT, 1), (NONE, 1)),
    faults.EmptyResponse(): ((JSON, 1), (NONE, 1), (JSON, 1), (NONE, 1)),
    faults.Timeout(phase="first_token"): (
        ("openai.APITimeoutError", 3),
        ("openai.APITimeoutError", 1),
        ("anthropic.APITimeoutError", 3),
        ("httpx2.ReadTimeout", 1),
    ),
    faults.SlowFirstToken(700): (
        ("openai.APITimeoutError", 3),
        ("openai.APITimeoutError", 1),
        ("anthropic.APITimeoutError", 3),
        ("httpx2.ReadTimeout", 1),
    ),
    faults.StreamDropped(after_chunks=1): (
        ("openai.APIConnectionError", 3),
        ("openai.APIConnectionError", 1),
        ("anthropic.APIConnectionError", 3),
        ("httpx2.RemoteProtocolError", 1),
    ),
    faults.StreamTruncated(after_chunks=1): ((JSON, 1), (NONE, 1), (JSON, 1), (NONE, 1)),
    faults.StreamStalled(after_chunks=1): (
        ("openai.APITimeoutError", 3),
        ("openai.APITimeoutError", 1),
        ("anthropic.APITimeoutError", 3),
        ("httpx2.ReadTimeout", 1),
    ),
    faults.StreamError(after_chunks=1): (
        ("openai.InternalServerError", 3),
        ("openai.APIError", 1),
        ("anthropic.OverloadedError", 3),
        ("anthropic.APIStatusError", 1),
    ),
    faults.StreamMalformed(after_chunks=1): ((JSON, 1), (JSON, 1), (JSON, 1), (JSON, 1)),
}

every_call = pytest.mark.parametrize(("provider", "ask"), CALLS, ids=[call.__name__ for _, call in CALLS])


@every_call
@pytest.mark.parametrize(("fault", "row"), ROWS.items(), ids=[str(fault) for fault in ROWS])
def test_the_sdk_raises_what_it_raises_in_production(llm_sim, provider, ask, fault, row):
    """The class is the SDK's own (or the HTTP library's, where the SDK lets it through), and so is the patience."""
    llm_sim.provider(provider).fails(fault, times=None)
    expected, attempts = row[2 * (provider == "anthropic") + ask.__name__.endswith("stream")]
    caught = None
    try:
        ask()
    except Exception as error:  # noqa: BLE001 - which one it is, is the question
        caught = f"{type(error).__module__}.{type(error).__name__}"
    assert caught == expected
    llm_sim.assert_attempts(provider, attempts)


STREAMS = [(provider, call) for provider, call in CALLS if call.__name__.endswith("stream")]


@pytest.mark.parametrize(("provider", "ask"), STREAMS, ids=[call.__name__ for _, call in STREAMS])
def test_a_stream_that_ends_too_early_is_noticed_by_no_sdk(llm_sim, provider, ask):
    """What had arrived comes out as if it were the answer; only the trace tells."""
    llm_sim.provider(provider).fails(faults.StreamTruncated(after_chunks=2))
    assert len(ask().split()) == 2
    llm_sim.assert_sequence(f"{provider}:truncated")
