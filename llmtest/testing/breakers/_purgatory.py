"""purgatory: the context of a circuit is watched where its state is set.

Its listeners hear of a change when the call that caused it is over, which is too late to see who else was let through
by a circuit that is half open.
"""

from __future__ import annotations

import inspect
import sys
from types import FunctionType
from typing import Any

from llmtest.events import BreakerState
from llmtest.testing.breakers._layers import held_by
from llmtest.testing.breakers._watch import Detach, Listener, Watch

__all__ = ["watch_of"]

STATES: dict[str, BreakerState] = {"closed": "closed", "opened": "open", "half-opened": "half_open"}


def watch_of(thing: object) -> Watch | None:
    """Return how a factory of purgatory, one of its breakers, or a function it decorates is watched; else None."""
    library = sys.modules.get("purgatory")
    if library is None:
        return None
    factories = (library.SyncCircuitBreakerFactory, library.AsyncCircuitBreakerFactory)
    if isinstance(thing, factories):
        return Watch(thing, lambda listener: _watch_factory(thing, listener, None))
    if isinstance(thing, FunctionType):
        held = held_by(thing)
        factory = held.get("self")
        if isinstance(factory, factories) and isinstance(circuit := held.get("circuit"), str):
            return Watch(factory, lambda listener: _watch_factory(factory, listener, circuit))
    context = getattr(thing, "context", None)
    if type(context).__module__ == "purgatory.domain.model":
        return Watch(context, lambda listener: _watch_context(context, listener))
    return None


def _watch_factory(factory: Any, listener: Listener, circuit: str | None) -> Detach:
    """Watch the circuits of a factory, those that it makes later as well; all of them, or the one of that name."""
    detaches: dict[int, Detach] = {}

    def watch(breaker: Any) -> Any:
        context = breaker.context
        if circuit in {None, context.name} and "set_state" not in vars(context):
            detaches[id(context)] = _watch_context(context, listener)
        return breaker

    original = factory.get_breaker

    def get_breaker(*args: Any, **options: Any) -> Any:
        return watch(original(*args, **options))

    async def get_breaker_async(*args: Any, **options: Any) -> Any:
        return watch(await original(*args, **options))

    factory.get_breaker = get_breaker_async if inspect.iscoroutinefunction(original) else get_breaker
    for context in list(getattr(factory.uow.contexts, "breakers", {}).values()):
        if circuit in {None, context.name}:
            detaches[id(context)] = _watch_context(context, listener)

    def detach() -> None:
        del factory.get_breaker
        for each in detaches.values():
            each()

    return detach


def _watch_context(context: Any, listener: Listener) -> Detach:
    set_state, handle_exception = context.set_state, context.handle_exception
    last: list[BaseException] = []

    def watched_exception(exc: BaseException) -> Any:
        last[:] = [exc]
        try:
            return handle_exception(exc)
        finally:
            last.clear()

    def watched_state(state: Any) -> None:
        before, failures = STATES[context.state], context.failure_count
        set_state(state)
        after = STATES[context.state]
        if after != before:
            is_open = after == "open"
            count = failures if is_open and before == "closed" else 1 if after == "closed" else None
            listener.changed(
                context.name,
                before,
                after,
                count=count,
                error=last[0] if last and is_open else None,
                open_for=float(context.ttl) if is_open else None,
            )

    context.set_state, context.handle_exception = watched_state, watched_exception
    listener.circuit(context.name, lambda: STATES[context.state])

    def detach() -> None:
        del context.set_state, context.handle_exception

    return detach
