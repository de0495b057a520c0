"""What an application holds: one object to ask, whatever stands behind it."""

from __future__ import annotations

import inspect
from typing import overload

from llmtest.costs import count_tokens
from llmtest.errors import NotSupportedError
from llmtest.resilience._chain import DEFAULT_NAME, FallbackChain
from llmtest.resilience._metrics import ChainMetrics
from llmtest.resilience._stream_start import StreamStart
from llmtest.resilience.pipeline._completion_stream import AsyncCompletionStream, CompletionStream
from llmtest.types import NO_TIMEOUTS, CompletionRequest, CompletionResponse, Provider, Timeouts

__all__ = ["AsyncLLMClient", "LLMClient"]


def _as_chain(provider: Provider) -> FallbackChain:
    """Return the provider as a chain; one that is none becomes a chain of one, without any policy."""
    if isinstance(provider, FallbackChain):
        return provider
    return FallbackChain(
        [provider],
        name=getattr(provider, "name", None) or DEFAULT_NAME,
        retry=None,
        circuit_breaker=None,
        timeouts=None,
        refused_key_interval=0,
    )


class _Client:
    """What both clients share."""

    def __init__(self, provider: Provider) -> None:
        self._chain = _as_chain(provider)
        self.provider = self._chain if self._chain is provider else self._chain.places[0].provider

    def count_tokens(self, text: str) -> int:
        """Estimate the tokens of a text; the same estimate that simulations use."""
        return count_tokens(text, self.provider.model)

    def metrics(self) -> ChainMetrics:
        """Return counts of what happened since the client, or its chain, was made."""
        return self._chain.metrics()

    def _lister(self, name: str) -> object:
        first = self._chain.places[0].provider
        method = getattr(first, name, None)
        if method is None:
            raise NotSupportedError(f"`{first.name}` cannot list its models", provider=first.name)
        return method()


class LLMClient(_Client):
    """Ask a provider, or a chain of them, from blocking code.

    Every call is one logical call: its answer, or its error, has all its attempts in `.attempts`.

    Args:
        provider: Who answers; a `FallbackChain` brings its policies along, any other provider is asked once.

    Example:
        >>> from llmtest import LLMClient, OpenAIProvider
        >>> client = LLMClient(OpenAIProvider(api_key="sk-..."))
        >>> client.count_tokens("Capital of France?")
        5
    """

    def ask(self, prompt: str) -> str:
        """Return the answer to a prompt, as text."""
        return self.complete(CompletionRequest.ask(prompt)).content or ""

    def ask_with_system(self, system: str, prompt: str) -> str:
        """Return the answer to a prompt that follows a system prompt, as text."""
        return self.complete(CompletionRequest.ask(prompt, system=system)).content or ""

    def complete(self, request: CompletionRequest, timeouts: Timeouts = NO_TIMEOUTS) -> CompletionResponse:
        """Answer a request.

        Raises:
            LLMTestError: No provider could answer; `.attempts` tells what was tried.
        """
        return self._chain.complete(request, timeouts)

    @overload
    def stream(self, request: CompletionRequest, timeouts: Timeouts = ...) -> CompletionStream: ...

    @overload
    def stream(self, request: None = None, timeouts: Timeouts = ...) -> StreamStart[CompletionStream]: ...

    def stream(
        self, request: CompletionRequest | None = None, timeouts: Timeouts = NO_TIMEOUTS
    ) -> CompletionStream | StreamStart[CompletionStream]:
        """Answer a request piece by piece: an iterator of events, a context manager, `.response` after the end.

        Without a request it is written in chained words: `client.stream().system("...").user("...").start()`.
        """
        if request is None:
            return StreamStart(lambda asked: self._chain.stream(asked, timeouts))
        return self._chain.stream(request, timeouts)

    def list_models(self) -> list[str]:
        """Return the ids of the models of the (first) provider.

        Raises:
            NotSupportedError: The provider has no such list.
        """
        names = self._lister("list_models")
        assert isinstance(names, list)
        return names


class AsyncLLMClient(_Client):
    """Ask a provider, or a chain of them, on the event loop; the asynchronous twin of `LLMClient`."""

    async def ask(self, prompt: str) -> str:
        """Return the answer to a prompt, as text."""
        return (await self.complete(CompletionRequest.ask(prompt))).content or ""

    async def ask_with_system(self, system: str, prompt: str) -> str:
        """Return the answer to a prompt that follows a system prompt, as text."""
        return (await self.complete(CompletionRequest.ask(prompt, system=system))).content or ""

    async def complete(self, request: CompletionRequest, timeouts: Timeouts = NO_TIMEOUTS) -> CompletionResponse:
        """Answer a request.

        Raises:
            LLMTestError: No provider could answer; `.attempts` tells what was tried.
        """
        return await self._chain.complete_async(request, timeouts)

    @overload
    def stream(self, request: CompletionRequest, timeouts: Timeouts = ...) -> AsyncCompletionStream: ...

    @overload
    def stream(self, request: None = None, timeouts: Timeouts = ...) -> StreamStart[AsyncCompletionStream]: ...

    def stream(
        self, request: CompletionRequest | None = None, timeouts: Timeouts = NO_TIMEOUTS
    ) -> AsyncCompletionStream | StreamStart[AsyncCompletionStream]:
        """Answer a request piece by piece: an iterator of events, a context manager, `.response` after the end.

        Without a request it is written in chained words: `client.stream().system("...").user("...").start()`.
        """
        if request is None:
            return StreamStart(lambda asked: self._chain.stream_async(asked, timeouts))
        return self._chain.stream_async(request, timeouts)

    async def list_models(self) -> list[str]:
        """Return the ids of the models of the (first) provider.

        Raises:
            NotSupportedError: The provider has no such list.
        """
        names = self._lister("list_models_async")
        if inspect.isawaitable(names):
            names = await names
        assert isinstance(names, list)
        return names
