"""What spans tell: attributes of OpenTelemetry's conventions for generative AI, and facts of events beside them.

The conventions are those of open-telemetry/semantic-conventions-genai, v0.1.0 (client inference). They leave prompts
and answers out unless somebody opts in; here nobody can.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from llmtest.events import Event, RequestAnswered, facts_of
from llmtest.types import Attempt, Usage
from llmtest.wire import dialects

__all__ = [
    "GIVEN_UP",
    "Attributes",
    "attempt_attributes",
    "event_attributes",
    "is_failure",
    "provider_name",
    "request_attributes",
    "span_name",
]

Attributes = dict[str, str | bool | int | float]

GIVEN_UP = ("cancelled", "abandoned")
"""Outcomes of requests whose caller went away, which is no error of theirs."""
PRIVATE = ("credential", "evidence", "metadata", "partial_text")
"""Facts of events that no span gets: labels of keys and of requests, and words of answers."""
OPERATIONS = {"responses": "chat", "completions": "text_completion", "generate": "text_completion"}
"""What the conventions call an operation of ours, where that is another word."""
USAGE = (
    ("gen_ai.usage.cache_read.input_tokens", "cache_read_tokens"),
    ("gen_ai.usage.cache_write.input_tokens", "cache_write_tokens"),
    ("gen_ai.usage.reasoning.output_tokens", "reasoning_tokens"),
    ("gen_ai.usage.audio.input_tokens", "input_audio_tokens"),
    ("gen_ai.usage.audio.output_tokens", "output_audio_tokens"),
    ("gen_ai.usage.image.input_tokens", "input_image_tokens"),
    ("gen_ai.usage.image.output_tokens", "output_image_tokens"),
)
"""Parts of the tokens, told where there are any."""


def provider_name(name: str) -> str:
    """Return what the conventions call a provider; one that they do not know keeps its name."""
    dialect = dialects().get(name)
    return name if dialect is None or dialect.telemetry_name is None else dialect.telemetry_name


def span_name(operation: str, model: str | None) -> str:
    """Return the name of the span of a request: the operation, and the model that was asked for."""
    return operation if model is None else f"{operation} {model}"


def is_failure(outcome: str) -> bool:
    """Tell whether an outcome is an error, and not an answer or a caller who went away."""
    return outcome not in GIVEN_UP and not (outcome.isdigit() and int(outcome) < 400)


def attempt_attributes(attempts: Sequence[Attempt]) -> Attributes:
    """Return what is told of one turn at a provider: an attempt, and the retries of it."""
    last = attempts[-1]
    operation = "embeddings" if last.purpose == "embedding" else "chat"
    found = _asked(operation, last.provider, last.model)
    found |= _ended(last.outcome)
    used = [attempt.usage for attempt in attempts if attempt.usage is not None]
    if used:
        found |= _used(sum(used[1:], used[0]))
    found |= _paid(attempt.cost_usd for attempt in attempts if attempt.billed)
    found["llmtest.attempts"] = len(attempts)
    found["llmtest.purpose"] = last.purpose
    return found


def request_attributes(event: RequestAnswered, *, stream: bool) -> Attributes:
    """Return what is told of one request that a simulated provider has answered."""
    found = _asked(OPERATIONS.get(event.operation, event.operation), event.provider, event.model)
    found |= _ended(event.outcome)
    if stream:
        found["gen_ai.request.stream"] = True
    if event.usage is not None:
        found |= _used(event.usage)
    if event.billed:
        found |= _paid([event.cost_usd])
    if event.fault is not None:
        found["llmtest.fault"] = event.fault
    return found


def event_attributes(event: Event) -> Attributes:
    """Return the facts of a decision: those that are one value each, without what is private; of an error its class."""
    found: Attributes = {}
    for name, value in facts_of(event).items():
        if name in PRIVATE or name in {"kind", "at_ns", "call"}:
            continue
        if isinstance(value, dict) and "class" in value:
            found["error.type"] = str(value["class"])
        elif isinstance(value, str | bool | int | float):
            found[f"llmtest.{name}"] = value
    return found


def _asked(operation: str, provider: str, model: str | None) -> Attributes:
    found: Attributes = {"gen_ai.operation.name": operation, "gen_ai.provider.name": provider_name(provider)}
    if model is not None:
        found["gen_ai.request.model"] = model
    return found


def _ended(outcome: str) -> Attributes:
    found: Attributes = {"llmtest.outcome": outcome}
    if is_failure(outcome):
        found["error.type"] = outcome
    return found


def _used(usage: Usage) -> Attributes:
    if usage.source == "unknown":
        return {"llmtest.usage.source": "unknown"}
    found: Attributes = {
        "gen_ai.usage.input_tokens": usage.input_tokens,
        "gen_ai.usage.output_tokens": usage.output_tokens,
        "llmtest.usage.source": usage.source,
    }
    found |= {name: count for name, field in USAGE if (count := getattr(usage, field))}
    return found


def _paid(costs: Iterable[Decimal | None]) -> Attributes:
    """Return what was paid, where every price of it is known: a part of a sum is no sum."""
    found = list(costs)
    known = [cost for cost in found if cost is not None]
    return {"llmtest.cost_usd": float(sum(known))} if known and len(known) == len(found) else {}
