"""The slots of a chain made ready to run: what a slot leaves open is taken from the chain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from llmtest.errors import ConfigurationError
from llmtest.resilience._timeout import TimeoutConfig
from llmtest.resilience.breaker._breaker import CircuitBreaker
from llmtest.resilience.breaker._breaker_config import CircuitBreakerConfig
from llmtest.resilience.breaker._breaker_store import BreakerStore
from llmtest.resilience.fallback._refused_keys import RefusedKeys
from llmtest.resilience.fallback._slot import FallbackSlot
from llmtest.resilience.fallback._trigger import FallbackTrigger
from llmtest.resilience.pipeline._running_slot import RunningSlot
from llmtest.resilience.retry._retry import RetryConfig
from llmtest.types import NO_TIMEOUTS, Provider

__all__ = ["DEFAULT_BREAKER", "DEFAULT_RETRY", "DEFAULT_TIMEOUTS", "slot_names", "start_slots"]

DEFAULT_RETRY = RetryConfig()
DEFAULT_BREAKER = CircuitBreakerConfig()
DEFAULT_TIMEOUTS = TimeoutConfig()
"""What a chain has where its caller says nothing; a chain inside it is then meant to keep its own."""


def start_slots(
    chain: str,
    providers: Sequence[Provider | FallbackSlot],
    retry: RetryConfig | None,
    circuit_breaker: CircuitBreakerConfig | None,
    timeouts: TimeoutConfig | None,
    keys: RefusedKeys,
    *,
    any_error: bool,
    breaker_store: BreakerStore | None = None,
) -> tuple[RunningSlot, ...]:
    """Return the places of a chain.

    Args:
        chain: Its name.
        providers: Its slots, or bare providers.
        retry: What slots without one of their own take over, as with the other two; a chain inside it does not.
        circuit_breaker: The same; but one that was asked for guards a chain inside it too, as a whole.
        timeouts: As with `retry`.
        keys: What is remembered of their keys.
        any_error: Whether every error of a slot but the first sends the call on, where its trigger says nothing else.
        breaker_store: What keeps their circuits; None keeps each for itself.

    Raises:
        ConfigurationError: There is no provider, there is one twice, or a policy applies to none of them.
    """
    slots = [each if isinstance(each, FallbackSlot) else FallbackSlot(provider=each) for each in providers]
    slots.sort(key=lambda slot: -(slot.priority or 0))
    _check(chain, slots)
    if any_error:
        slots[1:] = [_advancing(chain, slot) for slot in slots[1:]]
    if retry is not DEFAULT_RETRY:
        _require_use(chain, slots, retry)
    names = slot_names(slots)
    places = []
    for index, slot in enumerate(slots):
        # A chain inside a chain has policies of its own: to apply the outer ones as well would multiply attempts. A
        # circuit around it multiplies nothing, but one that nobody asked for would open on what its own are for.
        is_chain = slot.provider.capabilities.is_chain
        has_none = is_chain and circuit_breaker is DEFAULT_BREAKER
        breaker = slot.circuit_breaker or (None if has_none else circuit_breaker)
        limits = slot.timeouts or (None if is_chain else timeouts)
        places.append(
            RunningSlot(
                index,
                slot,
                None if breaker is None else CircuitBreaker(names[index], breaker, breaker_store),
                slot.retry or (None if is_chain else retry),
                NO_TIMEOUTS if limits is None else limits.for_attempt(),
            )
        )
        places[-1].pace = None if limits is None else limits.pace()
    for place in places:
        place.refused_keys = keys
        group = place.config.quota_group
        if group is not None:
            place.peers = tuple(other for other in places if other.config.quota_group == group)
        if place.credential is not None:
            place.account = tuple(other for other in places if other.credential == place.credential)
    return tuple(places)


def _check(chain: str, slots: Sequence[FallbackSlot]) -> None:
    if not slots:
        raise ConfigurationError(f"chain `{chain}` has no providers. To fix: add at least one")
    asked = [id(getattr(slot.provider, "own", slot.provider)) for slot in slots]
    if len(set(asked)) < len(slots):
        twice = next(slot for i, slot in enumerate(slots) if asked[i] in asked[:i])
        raise ConfigurationError(
            f"chain `{chain}` has provider `{twice.provider.name}` twice; a call would ask it twice for the same "
            "failure. To fix: remove one, or retry with `RetryConfig`"
        )


def _advancing(chain: str, slot: FallbackSlot) -> FallbackSlot:
    """Return a fallback that hands on whatever it fails with."""
    if slot.trigger.mode == "conditions":
        raise ConfigurationError(
            f"chain `{chain}` says `advance_on_any_fallback_error`, and the trigger of slot `{slot.provider.name}` "
            "names conditions, of which only one would hold.\nTo fix: leave one of the two out"
        )
    return replace(slot, trigger=FallbackTrigger.any_error()) if slot.trigger.mode == "default" else slot


def _require_use(chain: str, slots: Sequence[FallbackSlot], retry: RetryConfig | None) -> None:
    """Refuse retries that somebody asked for and that no slot would take over."""
    takers = [slot.provider for slot in slots if slot.retry is None]
    if retry is None or not takers or not all(provider.capabilities.is_chain for provider in takers):
        return
    raise ConfigurationError(
        f"`retry` of chain `{chain}` would apply to nobody: `{takers[0].name}` is a chain and keeps policies of its "
        "own.\nTo fix: leave `retry` out, or say that it is meant for the inner chain as a whole: "
        "FallbackSlot(provider=inner, retry=RetryConfig())"
    )


def slot_names(slots: Sequence[FallbackSlot]) -> list[str]:
    """Return a name for each slot, and its circuit: its own, or the provider's with what tells it from the others."""
    names = [slot.provider.name for slot in slots]
    models = [f"{slot.provider.name}/{slot.provider.model}" if slot.provider.model else None for slot in slots]
    found = [
        name if names.count(name) == 1 else model if model and models.count(model) == 1 else f"{model or name}#{number}"
        for number, (name, model) in enumerate(zip(names, models, strict=True), start=1)
    ]
    return [slot.name or name for slot, name in zip(slots, found, strict=True)]
