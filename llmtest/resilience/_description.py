"""A chain in words and as data: which policies stand around whom, in which order, with which options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, fields, is_dataclass
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any

from llmtest.types import NO_TIMEOUTS

if TYPE_CHECKING:
    from llmtest.resilience.pipeline._layers import AttemptGuard
    from llmtest.resilience.pipeline._pipeline import Pipeline
    from llmtest.resilience.pipeline._running_slot import RunningSlot

__all__ = ["ChainDescription", "SlotDescription", "describe_chain", "given_arguments"]

ROOM = "llmtest.resilience."
FALLBACK, PROMPT_RETRY, TIMEOUTS = "fallback", "prompt_retry", "timeouts"
NO_OPTIONS = ("self", "providers", "name", "pipeline")
"""Arguments of a chain that are told elsewhere in a description."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotDescription:
    """One slot of a chain, described.

    Args:
        name: Its provider's name.
        model: Its provider's model; None where requests say, or there are several.
        order: What stands around each of its calls, from outside to inside.
        options: What holds for it, by name: what it says itself, and what it takes over from the chain.
        chain: What it is made of, where it is a chain itself.
    """

    name: str
    model: str | None
    order: tuple[str, ...]
    options: Mapping[str, Any]
    chain: ChainDescription | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        chain = None if self.chain is None else self.chain.as_dict()
        own = {"name": self.name, "model": self.model, "order": list(self.order), "options": dict(self.options)}
        return own if chain is None else {**own, "chain": chain}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainDescription:
    """A chain, described; `str()` of it is a text that stays the same for the same chain.

    No key is part of it, nor the address of a provider or a store: what is no setting is named by its class.

    Args:
        name: The chain's name.
        order: Its policies, from outside to inside; those of its slots among them.
        options: What the chain was given, or has by default, by the names of the arguments of `FallbackChain`.
        slots: Its slots, in the order of the list.
    """

    name: str
    order: tuple[str, ...]
    options: Mapping[str, Any]
    slots: tuple[SlotDescription, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data: dictionaries, lists, texts, numbers."""
        slots = [slot.as_dict() for slot in self.slots]
        return {"name": self.name, "order": list(self.order), "options": dict(self.options), "slots": slots}

    def __str__(self) -> str:
        """Return it as text: the order, the options that are set, and each slot with what it has of its own."""
        return "\n".join(self.lines())

    def lines(self) -> list[str]:
        """Return the lines of its text."""
        lines = [f"{self.name}: {' > '.join(self.order)}"]
        lines += [f"  {name}: {_words(value)}" for name, value in self.options.items() if value is not None]
        for number, slot in enumerate(self.slots, start=1):
            label = f"{slot.name}/{slot.model}" if slot.model else slot.name
            lines.append(f"  {number}. {label}: {' > '.join(slot.order) or 'nothing around it'}")
            own = {name: value for name, value in slot.options.items() if value != self.options.get(name)}
            lines += [f"    {name}: {_words(value)}" for name, value in own.items()]
            if slot.chain is not None:
                lines += [f"    {line}" for line in slot.chain.lines()]
        return lines


def given_arguments(names: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a chain was made with, of the names that its constructor begins with."""
    return {name: value for name, value in names.items() if name not in NO_OPTIONS and not name.startswith("__")}


def describe_chain(
    name: str,
    given: Mapping[str, Any],
    pipeline: Pipeline,
    guards: Sequence[AttemptGuard],
    places: Sequence[RunningSlot],
) -> ChainDescription:
    """Return the description of a chain.

    Args:
        name: Its name.
        given: What it was made with.
        pipeline: Its strategies.
        guards: Every guard of its attempts, the budget's too.
        places: Its places.
    """
    options = {option: plain(value) for option, value in given.items()}
    selection = _label(pipeline.selection)
    if selection != FALLBACK:
        options["selection"] = selection
    outer = [] if given.get("cache") is None else ["cache"]
    outer += [_label(layer) for layer in pipeline.call_layers]
    inner = [] if given.get(PROMPT_RETRY) is None else [PROMPT_RETRY]
    inner += [_label(guard) for guard in guards]
    slots = tuple(_slot(place, inner, options) for place in places)
    order = [*outer, FALLBACK]
    for slot in slots:
        order = _merged(order, slot.order)
    return ChainDescription(name=name, order=tuple(order), options=options, slots=slots)


def _slot(place: RunningSlot, inner: Sequence[str], chain: Mapping[str, Any]) -> SlotDescription:
    config = place.config
    options = {
        each.name: plain(value)
        for each in fields(config)
        if each.name not in {"provider", "name"} and (value := getattr(config, each.name)) not in (None, {})
    }
    options["retry"] = plain(place.retry)
    options["circuit_breaker"] = None if place.breaker is None else plain(place.breaker.config)
    has_limits = place.timeouts != NO_TIMEOUTS or place.pace is not None
    if TIMEOUTS not in options:
        options[TIMEOUTS] = chain.get(TIMEOUTS) if has_limits else None
    order = (*(_label(layer) for layer in place.layers), *inner, *((TIMEOUTS,) if has_limits else ()))
    describe = getattr(place.provider, "describe", None) if place.is_chain else None
    inside = describe() if describe is not None else None
    return SlotDescription(
        name=place.name,
        model=place.provider.model,
        order=order,
        options=options,
        chain=inside if isinstance(inside, ChainDescription) else None,
    )


def _merged(order: Sequence[str], more: Sequence[str]) -> list[str]:
    """Return an order with what another one has beside it, each before what follows it there."""
    found = list(order)
    at = found.index(FALLBACK) + 1
    for label in more:
        if label in found[at:]:
            at = found.index(label, at) + 1
        else:
            found.insert(at, label)
            at += 1
    return found


def _label(policy: object) -> str:
    """Return what a policy is called: its `kind`, the folder that it is made in, or the class of somebody else's."""
    kind = getattr(policy, "kind", None)
    if isinstance(kind, str):
        return kind
    module, name = type(policy).__module__, type(policy).__name__
    folder = module.removeprefix(ROOM).split(".")[0]
    return name if not module.startswith(ROOM) or folder.startswith("_") else folder


def plain(value: Any) -> Any:
    """Return a setting as plain data; what is no setting is named by its class, so that nothing secret is shown."""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, str) and "://" in value:
        return "(an address)"
    if value is None or isinstance(value, bool | int | float | str):
        return value
    config = getattr(value, "config", None)
    settings = value if _is_record(value) else config if _is_record(config) else None
    if settings is not None:
        return {each.name: plain(getattr(settings, each.name)) for each in fields(settings) if each.repr}
    return _collected(value)


def _is_record(value: object) -> bool:
    return is_dataclass(value) and not isinstance(value, type)


def _collected(value: Any) -> Any:
    """Return a collection of settings as plain data, and the name of what is none."""
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(each) for key, each in value.items()}
    if isinstance(value, AbstractSet):
        return sorted((plain(each) for each in value), key=str)
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, Decimal):
        return str(value)
    return getattr(value, "__name__", type(value).__name__)


def _words(value: Any) -> str:
    """Return a setting as text."""
    if isinstance(value, Mapping):
        inside = (f"{name}={_words(each)}" for name, each in value.items() if each is not None)
        return ", ".join(inside)
    if isinstance(value, list):
        return f"[{', '.join(_words(each) for each in value)}]"
    return str(value)
