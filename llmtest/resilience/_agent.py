"""An agent: several conversations with one model, within limits that they share; MoFA's words."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing, closing
from dataclasses import replace
from typing import Any, Generic, TypeVar

from llmtest.clock import run_blocking
from llmtest.errors import ConfigurationError
from llmtest.resilience._chat_session import AsyncChatSession, ChatSession, limited_chain
from llmtest.resilience._client import AsyncLLMClient, LLMClient
from llmtest.resilience.context._token_budget_config import TokenBudgetConfig
from llmtest.types import CompletionRequest, CompletionResponse, Provider

__all__ = ["AsyncLLMAgent", "LLMAgent"]

S = TypeVar("S", ChatSession, AsyncChatSession)
DEFAULT_SESSION = "default"
HOOKS = ("before_chat", "after_chat", "after_chat_with_metadata")


class _Agent(Generic[S]):
    """What both agents share.

    Args:
        provider: Who answers: a provider, a chain, or a client of one.
        id: What the agent is called.
        system: The system prompt of every conversation; None for none.
        config: How conversations are kept inside the window, and the limits that all of them share.
        event_handler: An object with any of `before_chat(text)`, `after_chat(text)` and
            `after_chat_with_metadata(text, response)`. A text that one returns is said, or returned, instead; the last
            goes before `after_chat`. On an event loop they may be coroutines.
        options: What every request says besides, by the names of `CompletionRequest`: `model`, `max_tokens`.

    Raises:
        ConfigurationError: A provider that is none, a handler without a hook, or an option that no request has.
    """

    _session_type: Callable[..., S]

    def __init__(
        self,
        provider: Provider | LLMClient | AsyncLLMClient,
        *,
        id: str = "agent",  # noqa: A002 - what it is called everywhere
        system: str | None = None,
        config: TokenBudgetConfig | None = None,
        event_handler: object | None = None,
        **options: Any,
    ) -> None:
        if event_handler is not None and not any(hasattr(event_handler, hook) for hook in HOOKS):
            raise ConfigurationError(
                f"agent `{id}`: the event handler has none of {', '.join(f'`{hook}`' for hook in HOOKS)}: "
                f"{event_handler!r}.\n\nTo fix: give the class of the handler a method `after_chat`"
            )
        self.id = id
        self._inner: Provider = provider.provider if isinstance(provider, LLMClient | AsyncLLMClient) else provider
        self._chain = limited_chain(self._inner, config)
        self._config = None if config is None else replace(config, budget=None)
        self._system = system
        self._handler = event_handler
        self._options = options
        self._sessions: dict[str, S] = {}
        self.session()  # so that a wrong option is refused here

    @property
    def budget(self) -> Any:
        """The account of the limits that `config` names; None without any."""
        return self._chain.budget

    @property
    def session_ids(self) -> tuple[str, ...]:
        """The conversations there are, the first one first."""
        return tuple(self._sessions)

    def session(self, session_id: str = DEFAULT_SESSION) -> S:
        """Return a conversation, which begins where there is none of that name.

        Args:
            session_id: Its name; by default the one of `chat`.
        """
        if session_id not in self._sessions:
            session = self._session_type(self._chain, system=self._system, config=self._config, **self._options)
            return self._sessions.setdefault(session_id, session)
        return self._sessions[session_id]

    def _alone(self, said: str) -> CompletionRequest:
        return replace(CompletionRequest.ask(said, system=self._system), **self._options)

    async def _before(self, said: str) -> str:
        return await self._heard("before_chat", said) or said

    async def _after(self, response: CompletionResponse) -> str:
        text = response.content or ""
        if hasattr(self._handler, "after_chat_with_metadata"):
            changed = await self._heard("after_chat_with_metadata", text, response)
        else:
            changed = await self._heard("after_chat", text)
        return text if changed is None else changed

    async def _heard(self, hook: str, *said: object) -> str | None:
        method = getattr(self._handler, hook, None)
        if method is None:
            return None
        answer = method(*said)
        if inspect.isawaitable(answer):
            answer = await answer
        return None if answer is None else str(answer)


class _Whole:
    """The whole text of a stream, to be called when that has been read."""

    text: str | None = None

    def __call__(self) -> str:
        if self.text is None:
            raise ConfigurationError(
                "the whole answer is there when its stream has been read to the end.\n\n"
                "To fix: read the stream first, such as with `for text in stream`"
            )
        return self.text


class LLMAgent(_Agent[ChatSession]):
    """Conversations in blocking code, each with its own history, all within the same limits.

    `chat` and `chat_stream` remember what was said, and keep it inside the window. `ask` and `ask_stream` are single
    questions: nothing is made shorter, remembered or held against the limits of `config`. A message that fails leaves
    its conversation as it was. See `LLMAgentBuilder`.

    Example:
        >>> from llmtest import Simulation
        >>> with Simulation() as sim:
        ...     agent = LLMAgent(sim.openai.replies("Paris.", "Two million.").as_provider(model="gpt-4o"), id="guide")
        ...     agent.chat("Capital of France?"), agent.chat("How many live there?"), len(agent.session().history)
        ('Paris.', 'Two million.', 4)
    """

    _session_type = ChatSession

    def chat(self, said: str) -> str:
        """Say something, and return the answer's text.

        Raises:
            BudgetExceededError: It could pass a limit; nothing is sent.
            LLMTestError: No provider could answer; the conversation is as it was.
        """
        return self.chat_with_session(DEFAULT_SESSION, said)

    def chat_with_session(self, session_id: str, said: str) -> str:
        """Say something in a conversation of its own; see `chat`."""
        response = self.session(session_id).send(run_blocking(self._before(said)))
        return run_blocking(self._after(response))

    def chat_stream(self, said: str) -> Generator[str, None, None]:
        """Say something, and iterate over the answer's text; it is remembered when it has been read to its end."""
        return self.chat_stream_with_session(DEFAULT_SESSION, said)

    def chat_stream_with_session(self, session_id: str, said: str) -> Generator[str, None, None]:
        """Say something in a conversation of its own; see `chat_stream`."""
        return self.chat_stream_with_full_session(session_id, said)[0]

    def chat_stream_with_full(self, said: str) -> tuple[Generator[str, None, None], Callable[[], str]]:
        """Say something, and return the stream of the answer, and what returns the whole of it at its end."""
        return self.chat_stream_with_full_session(DEFAULT_SESSION, said)

    def chat_stream_with_full_session(
        self, session_id: str, said: str
    ) -> tuple[Generator[str, None, None], Callable[[], str]]:
        """Say something in a conversation of its own; see `chat_stream_with_full`."""
        whole = _Whole()

        def texts() -> Generator[str, None, None]:
            response: CompletionResponse | None = None
            with closing(self.session(session_id).stream(run_blocking(self._before(said)))) as events:
                for event in events:
                    response = event.response or response
                    if event.kind == "text":
                        yield event.text
            if response is not None:
                whole.text = run_blocking(self._after(response))

        return texts(), whole

    def ask(self, said: str) -> str:
        """Return the answer to a single question, as text; no conversation knows of it.

        Raises:
            LLMTestError: No provider could answer.
        """
        return LLMClient(self._inner).complete(self._alone(said)).content or ""

    def ask_stream(self, said: str) -> Generator[str, None, None]:
        """Iterate over the text of the answer to a single question; see `ask`."""
        with LLMClient(self._inner).stream(self._alone(said)) as events:
            for event in events:
                if event.kind == "text":
                    yield event.text


class AsyncLLMAgent(_Agent[AsyncChatSession]):
    """Conversations on the event loop; the asynchronous twin of `LLMAgent`."""

    _session_type = AsyncChatSession

    async def chat(self, said: str) -> str:
        """Say something, and return the answer's text; see `LLMAgent.chat`."""
        return await self.chat_with_session(DEFAULT_SESSION, said)

    async def chat_with_session(self, session_id: str, said: str) -> str:
        """Say something in a conversation of its own; see `LLMAgent.chat`."""
        return await self._after(await self.session(session_id).send(await self._before(said)))

    def chat_stream(self, said: str) -> AsyncGenerator[str, None]:
        """Say something, and iterate over the answer's text; see `LLMAgent.chat_stream`."""
        return self.chat_stream_with_session(DEFAULT_SESSION, said)

    def chat_stream_with_session(self, session_id: str, said: str) -> AsyncGenerator[str, None]:
        """Say something in a conversation of its own; see `LLMAgent.chat_stream`."""
        return self.chat_stream_with_full_session(session_id, said)[0]

    def chat_stream_with_full(self, said: str) -> tuple[AsyncGenerator[str, None], Callable[[], str]]:
        """Return the stream of the answer, and what returns the whole of it; see `LLMAgent.chat_stream_with_full`."""
        return self.chat_stream_with_full_session(DEFAULT_SESSION, said)

    def chat_stream_with_full_session(
        self, session_id: str, said: str
    ) -> tuple[AsyncGenerator[str, None], Callable[[], str]]:
        """Say something in a conversation of its own; see `LLMAgent.chat_stream_with_full`."""
        whole = _Whole()

        async def texts() -> AsyncGenerator[str, None]:
            response: CompletionResponse | None = None
            async with aclosing(self.session(session_id).stream(await self._before(said))) as events:
                async for event in events:
                    response = event.response or response
                    if event.kind == "text":
                        yield event.text
            if response is not None:
                whole.text = await self._after(response)

        return texts(), whole

    async def ask(self, said: str) -> str:
        """Return the answer to a single question, as text; see `LLMAgent.ask`."""
        return (await AsyncLLMClient(self._inner).complete(self._alone(said))).content or ""

    async def ask_stream(self, said: str) -> AsyncGenerator[str, None]:
        """Iterate over the text of the answer to a single question; see `LLMAgent.ask`."""
        async with AsyncLLMClient(self._inner).stream(self._alone(said)) as events:
            async for event in events:
                if event.kind == "text":
                    yield event.text
