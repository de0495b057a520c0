"""What is asked of a model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from llmtest.errors import ConfigurationError
from llmtest.types._extra import ExtraByDialect
from llmtest.types._formats import ResponseFormat
from llmtest.types._messages import ChatMessage
from llmtest.types._quick_init import quick_init
from llmtest.types._tools import ToolDefinition

__all__ = ["CompletionRequest", "refuse_what_is_no_request"]


@quick_init
@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionRequest(ExtraByDialect):
    """What is asked of a model.

    Every argument means the same at every provider. Where a provider has no word for one that would change the answer
    (`n` at Anthropic), the call is refused with a `NotSupportedError` before it is sent, and a chain asks the next one.

    Args:
        messages: The conversation; at least one message.
        model: Model to use; None takes the provider's default.
        max_tokens: Most tokens to generate; 0 or more. 0 reads the prompt into the provider's cache and answers
            nothing, which only Anthropic does.
        temperature: 0.0 to 2.0.
        top_p: 0.0 to 1.0.
        top_k: Choose among so many likeliest tokens; 0 or more. OpenAI's own models do not have it.
        stop_sequences: Texts that end the answer.
        n: How many answers are wanted; 1 or more. The others are the `alternatives` of the first.
        tools: Tools the model may call.
        tool_choice: `auto`, `required`, `none`, or the name of one tool.
        parallel_tool_calls: Whether the model may call several tools at once; None is the provider's default.
        response_format: In which form the answer is wanted.
        reasoning_effort: How much to think: `none`, `minimal`, `low`, `medium`, `high`, `xhigh` or `max`, as far as the
            model knows the word.
        logprobs: Whether to tell how likely each token was.
        top_logprobs: How many likeliest tokens to tell of at each place; 0 to 20, with `logprobs`.
        seed: Asks the provider for a repeatable answer.
        service_tier: `auto`, `default`, `flex` or `priority`. It changes price and speed, not the answer, so a provider
            without such a word is asked without it.
        stream: Whether the answer comes as a stream; set by the client.
        metadata: Labels for the user's own bookkeeping. Not part of a cache key. Anthropic is told of `user_id`; OpenAI
            is told of all where it stores the answer (`extra={"openai": {"store": True}}`), for it refuses them else.
        extra: Further fields of a body by dialect, sent verbatim to that dialect alone: `{"openai": {"user": "u-1"}}`.
        idempotency_key: Name of the request, for providers that answer a repeated one once. It is no part of what is
            asked: a chain gives one to each call of a provider that has an `idempotency_header`.

    Raises:
        ConfigurationError: No messages, something that is no message, a number outside its range, or an `extra` that
            does not say whose its fields are.
    """

    messages: tuple[ChatMessage, ...] = field(kw_only=False)
    model: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop_sequences: tuple[str, ...] = ()
    tools: tuple[ToolDefinition, ...] = ()
    tool_choice: str | None = None
    seed: int | None = None
    stream: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    idempotency_key: str | None = field(default=None, compare=False, repr=False)
    response_format: ResponseFormat | None = None
    n: int | None = None
    top_k: int | None = None
    parallel_tool_calls: bool | None = None
    reasoning_effort: str | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    service_tier: str | None = None

    def __post_init__(self) -> None:
        if type(self.messages) is not tuple:
            object.__setattr__(self, "messages", _as_messages(self.messages))
        for message in self.messages:
            if type(message) is not ChatMessage and not isinstance(message, ChatMessage):
                raise _no_message(message)
        if self.max_tokens is not None and self.max_tokens < 0:
            raise ConfigurationError(f"max_tokens must be 0 or more, got {self.max_tokens}")
        if self.temperature is not None and not 0.0 <= self.temperature <= 2.0:
            raise ConfigurationError(f"temperature must be from 0.0 to 2.0, got {self.temperature}")
        if self.top_p is not None and not 0.0 <= self.top_p <= 1.0:
            raise ConfigurationError(f"top_p must be from 0.0 to 1.0, got {self.top_p}")
        if not self.messages:
            raise ConfigurationError("messages must hold at least one message")
        if self.n is not None and self.n < 1:
            raise ConfigurationError(f"n must be 1 or more, got {self.n}")
        if self.top_k is not None and self.top_k < 0:
            raise ConfigurationError(f"top_k must be 0 or more, got {self.top_k}")
        if self.top_logprobs is not None and not 0 <= self.top_logprobs <= 20:
            raise ConfigurationError(f"top_logprobs must be from 0 to 20, got {self.top_logprobs}")
        if self.extra:
            self._check_extra()

    @classmethod
    def ask(cls, prompt: str, *, system: str | None = None, model: str | None = None) -> CompletionRequest:
        """Make a request of one user prompt, with a system prompt before it if given."""
        user = ChatMessage("user", prompt)
        messages = (user,) if system is None else (ChatMessage("system", system), user)
        return cls(messages=messages, model=model)

    def with_model(self, model: str | None) -> CompletionRequest:
        """Return the same request for another model."""
        return replace(self, model=model)

    def with_max_tokens(self, max_tokens: int) -> CompletionRequest:
        """Return the same request with another limit on the answer."""
        return replace(self, max_tokens=max_tokens)

    def with_temperature(self, temperature: float) -> CompletionRequest:
        """Return the same request with another temperature."""
        return replace(self, temperature=temperature)

    def with_idempotency_key(self, key: str) -> CompletionRequest:
        """Return the same request with a name, so that a provider can tell a repeated one."""
        return replace(self, idempotency_key=key)


def refuse_what_is_no_request(value: object, call: str) -> None:
    """Refuse what is asked in another form than a request, such as a text or a list of messages.

    Args:
        value: What was handed over.
        call: How the method is called, for the advice: `chain.complete`.

    Raises:
        ConfigurationError: It is no `CompletionRequest`.
    """
    if isinstance(value, CompletionRequest):
        return
    if isinstance(value, str):
        form = f"CompletionRequest.ask({value!r:.80})"
    elif isinstance(value, ChatMessage):
        form = "CompletionRequest([message])"
    elif isinstance(value, Iterable) and not isinstance(value, Mapping):
        form = f"CompletionRequest([{', '.join(map(_as_message, value))}])"
    elif isinstance(value, Mapping) and "role" in value:
        form = f"CompletionRequest([{_as_message(value)}])"
    else:
        form = 'CompletionRequest.ask("...")'
    raise ConfigurationError(
        f"`{call}` takes a CompletionRequest, got {type(value).__name__}: {value!r:.80}\n\nTo fix: {call}({form})"
    )


def _as_message(value: object) -> str:
    """Return how something that stands for a message is written."""
    if isinstance(value, Mapping) and value.get("role") in ("system", "user", "assistant"):
        return f"ChatMessage.{value['role']}({value.get('content')!r})"
    if isinstance(value, ChatMessage) and not value.tool_calls and value.role in ("system", "user", "assistant"):
        return f"ChatMessage.{value.role}({value.text!r})"
    return f"ChatMessage.user({value!r})" if isinstance(value, str) else "ChatMessage.user(...)"


def _as_messages(value: object) -> tuple[ChatMessage, ...]:
    """Return a list of messages as a tuple; a text or a single message is a slip."""
    if isinstance(value, str | ChatMessage) or not isinstance(value, Iterable):
        raise _no_message(value)
    return tuple(value)


def _no_message(value: object) -> ConfigurationError:
    form = "CompletionRequest([ChatMessage.system(...), ChatMessage.user(...)])"
    if isinstance(value, str):
        form = f"CompletionRequest.ask({value!r}), or {form}"
    if isinstance(value, Mapping) and value.get("role") in ("system", "user", "assistant"):
        form = f"ChatMessage.{value['role']}({value.get('content')!r})"
    return ConfigurationError(
        f"CompletionRequest: `messages` is a list of ChatMessage, got {type(value).__name__}: {value!r:.80}\n\n"
        f"To fix: {form}"
    )
