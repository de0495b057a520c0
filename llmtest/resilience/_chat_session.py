"""A conversation: what was said so far goes along with each message, as much of it as fits into the window."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import replace
from typing import Any

from llmtest.clock import active_clock, iterate_blocking, run_blocking
from llmtest.errors import AllProvidersFailedError, ConfigurationError, ContextLengthExceededError
from llmtest.resilience._chain import FallbackChain
from llmtest.resilience._client import AsyncLLMClient, LLMClient
from llmtest.resilience.context._compressor import Compressor
from llmtest.resilience.context._context_layer import PURPOSE, too_long
from llmtest.resilience.context._token_budget_config import TokenBudgetConfig
from llmtest.resilience.pipeline._running_call import enclosing_purpose
from llmtest.resilience.pipeline._sync_async import ASYNC, BLOCKING, Parts
from llmtest.types import (
    NO_TIMEOUTS,
    ChatMessage,
    CompletionRequest,
    CompletionResponse,
    Provider,
    StreamEvent,
    TextPart,
)

__all__ = ["AsyncChatSession", "ChatSession", "limited_chain"]

Said = str | ChatMessage | Sequence[ChatMessage]
AfterAnswer = Callable[[CompletionResponse], None]


class _Session:
    """What both sessions share.

    Args:
        provider: Who answers: a provider, a chain, or a client of one.
        system: The system prompt; None for none.
        config: How the conversation is kept inside the window, and its limits; None sends all of it, always.
        on_answer: Called with every answer, once it is part of the conversation.
        options: What every request says besides, by the names of `CompletionRequest`: `model`, `max_tokens`, `tools`.

    Raises:
        ConfigurationError: A provider that is none, or an option that no request has.
    """

    def __init__(
        self,
        provider: Provider | LLMClient | AsyncLLMClient,
        *,
        system: str | None = None,
        config: TokenBudgetConfig | None = None,
        on_answer: AfterAnswer | None = None,
        **options: Any,
    ) -> None:
        inner: Provider = provider.provider if isinstance(provider, LLMClient | AsyncLLMClient) else provider
        self._config = config
        self._chain = limited_chain(inner, config)
        self._system = () if system is None else (ChatMessage.system(system),)
        self._history: tuple[ChatMessage, ...] = ()
        self._on_answer = on_answer
        self._options = options
        self._is_busy = False
        self._asking("?")  # so that a wrong option is refused here

    @property
    def history(self) -> tuple[ChatMessage, ...]:
        """What the next message follows, without the system prompt; a summary stands for what it sums up."""
        return self._history

    @property
    def budget(self) -> Any:
        """The account of the limits that `config` names; None without any."""
        return self._chain.budget

    def clear(self) -> None:
        """Begin anew; the system prompt stays."""
        self._history = ()

    def _asking(self, said: Said, **options: Any) -> CompletionRequest:
        messages = (said,) if isinstance(said, str | ChatMessage) else tuple(said)
        new = tuple(ChatMessage.user(each) if isinstance(each, str) else each for each in messages)
        if not new:
            raise ConfigurationError('there is nothing to say.\n\nTo fix: session.send("Hello")')
        try:
            return CompletionRequest(messages=(*self._system, *self._history, *new), **{**self._options, **options})
        except TypeError as error:
            raise ConfigurationError(
                f"a chat session takes the options of a request, and {error}.\n\n"
                'To fix: ChatSession(provider, model="gpt-4o", max_tokens=400)'
            ) from None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if self._is_busy:
            raise ConfigurationError(
                "a chat session answers one message at a time, and another one is not answered yet.\n\n"
                "To fix: read its stream to the end, or make a session for each conversation"
            )
        self._is_busy = True
        try:
            yield
        finally:
            self._is_busy = False

    def _compressor(self, request: CompletionRequest) -> Compressor | None:
        if self._config is None:
            return None
        windows = [place.window(request.model, self._chain.prices) for place in self._chain.places]
        window = min((each for each in windows if each is not None), default=self._chain.capabilities.context_window)
        return Compressor(self._config, self._config.window(window), active_clock(), 0)

    async def _fitting(
        self, request: CompletionRequest, compressor: Compressor | None, parts: Parts
    ) -> CompletionRequest:
        if compressor is None:
            return request

        async def sum_up(asked: CompletionRequest) -> CompletionResponse:
            tag = enclosing_purpose.set(PURPOSE)
            try:
                return await parts.complete(self._chain, asked, NO_TIMEOUTS)
            finally:
                enclosing_purpose.reset(tag)

        return await compressor.fit(request, sum_up)

    async def _send(self, said: Said, options: dict[str, Any], parts: Parts) -> CompletionResponse:
        with self._alone():
            request = self._asking(said, **options)
            compressor = self._compressor(request)
            request = await self._fitting(request, compressor, parts)
            try:
                response = await parts.complete(self._chain, request, NO_TIMEOUTS)
            except (AllProvidersFailedError, ContextLengthExceededError) as error:
                request = _shorter(compressor, request, error)
                response = await parts.complete(self._chain, request, NO_TIMEOUTS)
            self._keep(request, response)
        return response

    async def _events(self, said: Said, options: dict[str, Any], parts: Parts) -> AsyncGenerator[StreamEvent, None]:
        with self._alone():
            request = self._asking(said, **options)
            compressor: Compressor | None = self._compressor(request)
            request = await self._fitting(request, compressor, parts)
            response: CompletionResponse | None = None
            while response is None:
                try:
                    async with aclosing(parts.stream(self._chain, request, NO_TIMEOUTS)) as events:
                        async for event in events:
                            response = event.response or response
                            yield event
                    if response is None:
                        return
                except (AllProvidersFailedError, ContextLengthExceededError) as error:
                    request, compressor = _shorter(compressor, request, error), None
            self._keep(request, response)

    def _keep(self, request: CompletionRequest, response: CompletionResponse) -> None:
        """Make an answer, and what it answers, part of the conversation; before that nothing was changed."""
        said = tuple(message for message in request.messages if message.role != "system" or message not in self._system)
        self._history = (*said, _as_message(response))
        if self._on_answer is not None:
            self._on_answer(response)


def limited_chain(provider: Provider, config: TokenBudgetConfig | None) -> FallbackChain:
    """Return a provider as a chain that holds the limits of a configuration; a chain without such limits is itself."""
    budget = None if config is None or config.budget is None else config.budget
    if isinstance(provider, FallbackChain) and budget is None:
        return provider
    limits = None
    if budget is not None and config is not None:
        limits = replace(budget, halt_on_budget_exceeded=config.halt_on_budget_exceeded)
    return FallbackChain(
        [provider],
        name=getattr(provider, "name", "chat"),
        retry=None,
        circuit_breaker=None,
        timeouts=None,
        refused_key_interval=0,
        budget=limits,
    )


def _shorter(compressor: Compressor | None, request: CompletionRequest, error: Exception) -> CompletionRequest:
    """Return the request that is sent once more where a prompt was too long; anything else is raised again."""
    refusal = too_long(error)
    again = None
    if refusal is not None and compressor is not None:
        again = compressor.recover(request, refusal.max_tokens)
    if again is None:
        raise error
    return again


def _as_message(response: CompletionResponse) -> ChatMessage:
    """Return an answer as the conversation goes on from it."""
    parts = response.parts
    if all(isinstance(part, TextPart) for part in parts):
        return ChatMessage.assistant(response.content or "")
    beside = tuple(part for part in parts if part not in response.tool_calls)
    return ChatMessage("assistant", beside or None, tool_calls=response.tool_calls)


class ChatSession(_Session):
    """A conversation in blocking code.

    A message that fails leaves the conversation as it was. A session answers one message at a time.

    Example:
        >>> from llmtest import Simulation
        >>> with Simulation() as sim:
        ...     provider = sim.openai.replies("Paris.", "About two million.").as_provider(model="gpt-4o")
        ...     session = ChatSession(provider, system="Be brief.")
        ...     session.send("Capital of France?").content, session.send("How many live there?").content
        ('Paris.', 'About two million.')
    """

    def send(self, said: Said, **options: Any) -> CompletionResponse:
        """Say something, and return the answer.

        Args:
            said: A text of the user, a message, or several, such as the results of tools.
            options: What this request says besides, by the names of `CompletionRequest`.

        Raises:
            BudgetExceededError: It could pass a limit; nothing is sent.
            LLMTestError: No provider could answer; the conversation is as it was.
        """
        return run_blocking(self._send(said, options, BLOCKING))

    def stream(self, said: Said, **options: Any) -> Generator[StreamEvent, None, None]:
        """Say something, and iterate over the answer; it is part of the conversation when it has been read to its end.

        Args and errors are those of `send`.
        """
        return iterate_blocking(self._events(said, options, BLOCKING))


class AsyncChatSession(_Session):
    """A conversation on the event loop; the asynchronous twin of `ChatSession`."""

    async def send(self, said: Said, **options: Any) -> CompletionResponse:
        """Say something, and return the answer; see `ChatSession.send`."""
        return await self._send(said, options, ASYNC)

    def stream(self, said: Said, **options: Any) -> AsyncGenerator[StreamEvent, None]:
        """Say something, and iterate over the answer; see `ChatSession.stream`."""
        return self._events(said, options, ASYNC)
