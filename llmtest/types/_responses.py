"""What a model answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from llmtest.types._attempts import Attempt
from llmtest.types._extra import ExtraByDialect
from llmtest.types._parts import RefusalPart, ResponsePart, TextPart, ThinkingPart, ToolCall
from llmtest.types._quick_init import quick_init
from llmtest.types._usage import UNKNOWN_USAGE, Usage

__all__ = ["CompletionResponse", "FinishReason"]


class FinishReason(StrEnum):
    """Why the model stopped."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_USE = "tool_use"
    CONTENT_FILTER = "content_filter"
    REFUSAL = "refusal"
    UNKNOWN = "unknown"


@quick_init
@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionResponse(ExtraByDialect):
    """What a model answered.

    `parts` keeps what the provider sent in its order; `content`, `thinking` and `tool_calls` read it.

    Args:
        parts: Text, thinking, refusal, tool calls and unmodelled blocks, in order.
        finish_reason: Why the model stopped.
        raw_finish_reason: The provider's own word for it.
        usage: Tokens; `source="unknown"` where the provider did not say.
        model: The model that answered; often a dated snapshot of the one asked for.
        id: The provider's id of the answer.
        provider: Name of the provider that answered, also behind a chain.
        request_id: The provider's id of the request, from its headers.
        alternatives: Further answers, where more than one was asked for (`n`).
        attempts: Every attempt of the logical call, the answered one last.
        extra: Further fields of the body by dialect, verbatim: `{"openai": {"system_fingerprint": "fp_1"}}`.
        service_tier: The tier that answered, which may set the price; None where the provider did not say.

    Raises:
        ConfigurationError: `extra` does not say whose its fields are.
    """

    parts: tuple[ResponsePart, ...] = ()
    finish_reason: FinishReason | None = FinishReason.STOP
    raw_finish_reason: str | None = None
    usage: Usage = UNKNOWN_USAGE
    model: str | None = None
    id: str | None = None
    provider: str | None = None
    request_id: str | None = None
    alternatives: tuple[CompletionResponse, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    extra: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    service_tier: str | None = None

    @property
    def content(self) -> str | None:
        """All text of the answer, joined; None where there is none."""
        if len(self.parts) == 1 and isinstance(self.parts[0], TextPart):
            return self.parts[0].text
        texts = [part.text for part in self.parts if isinstance(part, TextPart)]
        return "".join(texts) if texts else None

    @property
    def thinking(self) -> str | None:
        """All thinking, joined, its summary where that is all that was told; None where there is none."""
        texts = [part.text or "\n\n".join(part.summary) for part in self.parts if isinstance(part, ThinkingPart)]
        return "".join(texts) if texts else None

    @property
    def refusal(self) -> str | None:
        """The model's refusal, where it refused."""
        texts = [part.text for part in self.parts if isinstance(part, RefusalPart)]
        return "".join(texts) if texts else None

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tool calls that wait for a result, in order; those that the provider ran itself are in `parts` alone."""
        return tuple(part for part in self.parts if isinstance(part, ToolCall) and not part.server)

    @property
    def input_tokens(self) -> int:
        """Tokens of the prompt, cached ones included."""
        return self.usage.input_tokens

    @property
    def output_tokens(self) -> int:
        """Tokens of the answer, reasoning included."""
        return self.usage.output_tokens

    @property
    def cost_usd(self) -> Decimal | None:
        """What this answer cost in USD: the price of the attempt that was answered; None where it is not known."""
        return self.attempts[-1].cost_usd if self.attempts else self.usage.cost_usd
