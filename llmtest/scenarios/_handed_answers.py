"""One call of a chain, and what its caller was handed: on an event loop, and in blocking code."""

from __future__ import annotations

from llmtest.resilience import FallbackChain
from llmtest.types import CompletionRequest, CompletionResponse

__all__ = ["ask_async", "ask_blocking"]

Handed = tuple[CompletionResponse, str]
"""The answer, and the text as its caller read it."""


async def ask_async(chain: FallbackChain, request: CompletionRequest, *, stream: bool) -> Handed:
    """Ask on an event loop.

    Raises:
        LLMTestError: The call failed.
    """
    if not stream:
        response = await chain.complete_async(request)
        return response, response.content or ""
    pieces = []
    last: CompletionResponse | None = None
    async with chain.stream_async(request) as events:
        async for event in events:
            if event.kind == "text":
                pieces.append(event.text)
            last = event.response or last
    assert last is not None, "a stream that ends well ends with its response"
    return last, "".join(pieces)


def ask_blocking(chain: FallbackChain, request: CompletionRequest, *, stream: bool) -> Handed:
    """Ask in blocking code.

    Raises:
        LLMTestError: The call failed.
    """
    if not stream:
        response = chain.complete(request)
        return response, response.content or ""
    pieces = []
    last: CompletionResponse | None = None
    with chain.stream(request) as events:
        for event in events:
            if event.kind == "text":
                pieces.append(event.text)
            last = event.response or last
    assert last is not None, "a stream that ends well ends with its response"
    return last, "".join(pieces)
