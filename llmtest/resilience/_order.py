"""Orders of policies by the names of the systems that have them: where a circuit stands, whose calls are retried.

| word | from outside to inside | what holds where nobody says otherwise |
|---|---|---|
| `default` | cache, fallback, a circuit for each slot, retry | the defaults of each policy |
| `ironclaw` | cache, one circuit around all, fallback, retry | IronClaw's numbers |
| `mofa` | fallback, a circuit for each slot | MoFA's numbers; nothing is retried |
| `llmkit` | fallback, retry of the primary alone | nothing is retried until that is asked for |
| `caxton` | cache, fallback, a circuit for each slot, retry | Caxton's numbers |
| `vapora` | fallback, a limit of time | 30 seconds for each attempt |

Cache, circuit and retry are what the systems put in an order. A budget, limits and shorter prompts stand where they
always do: an attempt is what costs.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from llmtest.errors import ConfigurationError
from llmtest.resilience._timeout import TimeoutConfig
from llmtest.resilience.breaker._breaker import CircuitBreaker
from llmtest.resilience.breaker._breaker_config import CircuitBreakerConfig
from llmtest.resilience.breaker._breaker_store import BreakerStore
from llmtest.resilience.breaker._chain_circuit import ChainCircuit
from llmtest.resilience.fallback._slot import FallbackSlot
from llmtest.resilience.fallback._start_slots import DEFAULT_BREAKER, DEFAULT_RETRY, DEFAULT_TIMEOUTS
from llmtest.resilience.pipeline._pipeline import Pipeline
from llmtest.resilience.retry._retry import RetryConfig
from llmtest.types import Provider
from llmtest.types._spelling import did_you_mean

__all__ = ["ORDERS", "Arrangement", "ChainOrder", "arranged"]

ChainOrder = Literal["default", "ironclaw", "mofa", "llmkit", "caxton", "vapora"]
ORDERS: tuple[str, ...] = get_args(ChainOrder)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """What an order makes of the policies of a chain.

    Args:
        order: The policies that it has a place for, from outside to inside.
        retry: How providers are asked again.
        circuit_breaker: When circuits open.
        timeouts: Limits of time.
        is_around_all: Whether there is one circuit, around the whole chain.
        retries_primary_alone: Whether only the first provider is asked again.
    """

    order: tuple[str, ...] = ("cache", "fallback", "circuit_breaker", "retry")
    retry: RetryConfig | None = DEFAULT_RETRY
    circuit_breaker: CircuitBreakerConfig | None = DEFAULT_BREAKER
    timeouts: TimeoutConfig | None = DEFAULT_TIMEOUTS
    is_around_all: bool = False
    retries_primary_alone: bool = False

    @property
    def deadline(self) -> float | None:
        """Seconds for a whole call; None sets no limit."""
        return None if self.timeouts is None else self.timeouts.deadline

    def for_slots(
        self, providers: Sequence[Provider | FallbackSlot]
    ) -> tuple[
        Sequence[Provider | FallbackSlot], RetryConfig | None, CircuitBreakerConfig | None, TimeoutConfig | None
    ]:
        """Return the slots of a chain, and what those take over that say nothing: retries, circuits, limits of time."""
        breaker = None if self.is_around_all else self.circuit_breaker
        if not self.retries_primary_alone:
            return providers, self.retry, breaker, self.timeouts
        slots = [each if isinstance(each, FallbackSlot) else FallbackSlot(provider=each) for each in providers]
        first = max(slots, key=lambda slot: slot.priority or 0, default=None)
        slots = [replace(slot, retry=slot.retry or self.retry) if slot is first else slot for slot in slots]
        return slots, None, breaker, self.timeouts

    def around(
        self, pipeline: Pipeline, chain: str, store: BreakerStore | None
    ) -> tuple[CircuitBreaker | None, Pipeline]:
        """Return the circuit around a whole chain, and the pipeline with it outermost; None where there is none."""
        if not self.is_around_all or self.circuit_breaker is None:
            return None, pipeline
        circuit = ChainCircuit(chain, CircuitBreaker(chain, self.circuit_breaker, store))
        return circuit.breaker, replace(pipeline, call_layers=(circuit, *pipeline.call_layers))


def _numbers_of(order: str) -> Arrangement:
    """Return an order with the numbers of its system."""
    if order == "ironclaw":
        policies = ("cache", "circuit_breaker", "fallback", "retry")
        numbers = {"retry": RetryConfig.ironclaw(), "circuit_breaker": CircuitBreakerConfig.ironclaw()}
        return Arrangement(order=policies, is_around_all=True, **numbers)  # type: ignore[arg-type]
    if order == "mofa":
        return Arrangement(
            order=("fallback", "circuit_breaker"), retry=None, circuit_breaker=CircuitBreakerConfig.mofa()
        )
    if order == "llmkit":
        return Arrangement(order=("fallback", "retry"), retry=None, circuit_breaker=None, retries_primary_alone=True)
    if order == "caxton":
        return Arrangement(retry=RetryConfig.caxton(), circuit_breaker=CircuitBreakerConfig.caxton())
    if order == "vapora":
        limits = TimeoutConfig(total=30.0)
        return Arrangement(order=("fallback", "timeouts"), retry=None, circuit_breaker=None, timeouts=limits)
    return Arrangement()


def arranged(chain: str, given: MutableMapping[str, Any], providers: Sequence[Any], pipeline: Any) -> Arrangement:
    """Return what an order makes of what a chain was given, and note there what holds.

    Args:
        chain: Name of the chain.
        given: What it was given, by the names of its arguments; the numbers of the order are filled in.
        providers: Its providers, or slots.
        pipeline: Its strategies; None has those of its arguments.

    Raises:
        ConfigurationError: There is no such order, or it has no place for a policy that was given.
    """
    order = given["order"]
    if order not in ORDERS:
        words = ", ".join(f"`{word}`" for word in ORDERS)
        raise ConfigurationError(
            f"order of chain `{chain}` is one of {words}, got {order!r}.{did_you_mean(str(order), ORDERS)}"
        )
    if order == "default":
        return Arrangement(retry=given["retry"], circuit_breaker=given["circuit_breaker"], timeouts=given["timeouts"])
    found = _numbers_of(order)
    slots = [each for each in providers if isinstance(each, FallbackSlot)]
    _refuse_what_has_no_place(chain, order, found, given, slots, pipeline)
    defaults = {"retry": DEFAULT_RETRY, "circuit_breaker": DEFAULT_BREAKER, "timeouts": DEFAULT_TIMEOUTS}
    said = {name: given[name] for name, default in defaults.items() if given[name] is not default}
    if "retry" not in said and all(_is_chain(each) for each in providers):
        said["retry"] = None  # each keeps its own
    found = replace(found, **said)
    for name in defaults:
        given[name] = getattr(found, name)
    return found


def _refuse_what_has_no_place(
    chain: str,
    order: str,
    found: Arrangement,
    given: Mapping[str, Any],
    slots: Sequence[FallbackSlot],
    pipeline: Any,
) -> None:
    told = " > ".join(found.order)
    absent = {"cache": None, "circuit_breaker": DEFAULT_BREAKER, "retry": DEFAULT_RETRY}
    for name, default in absent.items():
        in_slot = any(getattr(slot, name, None) is not None for slot in slots)
        if name not in found.order and (in_slot or (given[name] is not None and given[name] is not default)):
            where = "a slot of " if in_slot else ""
            raise ConfigurationError(
                f"{where}chain `{chain}` has a `{name}`, for which order={order!r} has no place: {told}.\n"
                f'To fix: order="default", or leave `{name}` out'
            )
    said_twice = {"breaker_inside_retry": bool(given["breaker_inside_retry"])}
    said_twice["pipeline"] = pipeline is not None and pipeline.place_layers is not None
    if found.is_around_all:
        said_twice["on_all_open"] = given["on_all_open"] != "fail"
    for name, is_said in said_twice.items():
        if is_said:
            raise ConfigurationError(
                f"chain `{chain}` has order={order!r}, which says where its circuits are: {told}; `{name}` says it as "
                f"well.\nTo fix: leave `{name}` out"
            )


def _is_chain(each: Provider | FallbackSlot) -> bool:
    provider = each.provider if isinstance(each, FallbackSlot) else each
    return bool(getattr(getattr(provider, "capabilities", None), "is_chain", False))
