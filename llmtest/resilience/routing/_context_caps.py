"""How much of a conversation a provider is sent for the sake of a tool."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from llmtest.costs import estimate_request_tokens
from llmtest.errors import ConfigurationError, ContextLengthExceededError
from llmtest.types import is_whole

if TYPE_CHECKING:
    from llmtest.resilience.pipeline._running_attempt import RunningAttempt

__all__ = ["ContextCaps"]

Caps = Mapping[str, Mapping[str, int]]


class ContextCaps:
    """A guard: requests that declare a tool hold no more tokens than the tool allows at each provider.

    A request that holds more is not sent there, as if the provider's window were that small: the chain asks one that
    may be sent more, and else the caller gets a `ContextLengthExceededError`.

    Args:
        caps: Most tokens of a prompt, by the name of the tool and that of the provider; 1 or more.

    Raises:
        ConfigurationError: A number is none.

    Example:
        >>> from llmtest.resilience import ContextCaps, Pipeline
        >>> pipeline = Pipeline(guards=[ContextCaps({"pdf_generator": {"openai": 6000, "anthropic": 8000}})])
    """

    kind = "context_caps"

    def __init__(self, caps: Caps) -> None:
        for tool, providers in caps.items():
            for provider, most in providers.items():
                if not is_whole(most, 1):
                    raise ConfigurationError(
                        f"context cap of tool `{tool}` at `{provider}` must be a whole number, 1 or more, got {most!r}"
                    )
        self._caps = {tool: dict(providers) for tool, providers in caps.items()}

    @classmethod
    def from_tools(cls, tools: Iterable[Mapping[str, Any]]) -> ContextCaps:
        """Read Caxton's tools: `context_requirements.provider_optimization.<provider>.max_context_tokens`.

        Args:
            tools: The tools as their files say, each with its `name`.

        Raises:
            ConfigurationError: A tool has no name, or a number is none.
        """
        caps: dict[str, dict[str, int]] = {}
        for tool in tools:
            if not isinstance(tool.get("name"), str):
                raise ConfigurationError(f"a tool needs a `name`, got {dict(tool)!r:.80}")
            each = (tool.get("context_requirements") or {}).get("provider_optimization") or {}
            most = {name: rules["max_context_tokens"] for name, rules in each.items() if "max_context_tokens" in rules}
            caps[tool["name"]] = most
        return cls(caps)

    async def before(self, attempt: RunningAttempt) -> None:
        """Let an attempt go that is small enough.

        Raises:
            ContextLengthExceededError: It is not.
        """
        place = attempt.place
        found = [
            (cap, tool.name)
            for tool in attempt.request.tools
            if (cap := self._caps.get(tool.name, {}).get(place.name)) is not None
        ]
        if not found:
            return
        cap, tool_name = min(found)
        tokens = estimate_request_tokens(attempt.request)
        if tokens > cap:
            error = ContextLengthExceededError(
                f"the request holds about {tokens} tokens, and tool `{tool_name}` allows {cap} at `{place.name}`",
                provider=place.name,
                model=attempt.model,
            )
            error.requested_tokens, error.max_tokens = tokens, cap
            raise error
