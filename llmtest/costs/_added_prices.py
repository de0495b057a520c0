"""Prices that were added: of one model, of a family of models, of everything that a provider has."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

from llmtest.costs._rates import Tariff
from llmtest.errors import ConfigurationError

__all__ = ["Added", "AddedPrices", "reference_of"]

ANY = "*"

Key = tuple[str, str, str | None]
"""Provider, model and tier, in lower case."""


def reference_of(model: object) -> tuple[str, str]:
    """Split `"provider:model"` into its two parts, in lower case.

    Raises:
        ConfigurationError: It is no such reference.
    """
    provider, _, name = model.partition(":") if isinstance(model, str) else ("", "", "")
    if not provider.strip() or not name.strip():
        raise ConfigurationError(f'a model is named "provider:model", such as "openai:gpt-4o"; got {model!r}')
    return provider.strip().lower(), name.strip().lower()


@dataclass(slots=True)
class Added:
    """What was added under one name: tariffs by their first day, and a context window."""

    days: list[int] = field(default_factory=list)
    tariffs: list[Tariff] = field(default_factory=list)
    window: int | None = None

    def put(self, day: int, tariff: Tariff) -> None:
        """Add a tariff, or replace the one of the same first day."""
        place = bisect_right(self.days, day)
        if place and self.days[place - 1] == day:
            self.tariffs[place - 1] = tariff
        else:
            self.days.insert(place, day)
            self.tariffs.insert(place, tariff)

    def on(self, day: int) -> Tariff | None:
        """Return the tariff of a day; None before the first."""
        place = bisect_right(self.days, day)
        return self.tariffs[place - 1] if place else None


class AddedPrices:
    """What was added, by provider, model and tier. In each of the first two, `*` stands for any text.

    A name is looked up as it is first; of the patterns that fit, the one with most of the name in it counts.
    """

    __slots__ = ("_named", "_patterns")

    def __init__(self) -> None:
        self._named: dict[Key, Added] = {}
        self._patterns: dict[Key, tuple[re.Pattern[str], re.Pattern[str], Added]] = {}

    def at(self, provider: str, model: str, tier: str | None) -> Added:
        """Return the entry of a name or a pattern, made where there is none."""
        key = (provider, model, tier)
        if ANY not in provider and ANY not in model:
            return self._named.setdefault(key, Added())
        if key not in self._patterns:
            self._patterns[key] = (_pattern(provider), _pattern(model), Added())
            # Those that leave the least open come first.
            self._patterns = dict(sorted(self._patterns.items(), key=lambda item: _openness(item[0])))
        return self._patterns[key][2]

    def named(self, providers: Iterable[str], model: str, tier: str | None) -> Added | None:
        """Return the entry of exactly this model, under the first of a provider's names that has one."""
        named = self._named
        return next((found for each in providers if (found := named.get((each, model, tier))) is not None), None)

    def fitting(self, providers: Iterable[str], model: str, tier: str | None) -> Iterable[Added]:
        """Return the entries of the patterns that fit, the narrowest first."""
        if not self._patterns:
            return ()
        names = tuple(providers)
        return [
            added
            for (_, _, of), (provider, pattern, added) in self._patterns.items()
            if of == tier and pattern.fullmatch(model) and any(provider.fullmatch(each) for each in names)
        ]

    def tiers(self) -> Iterable[tuple[str, str | None]]:
        """Return provider and tier of each entry."""
        return [(provider, tier) for provider, _, tier in (*self._named, *self._patterns)]

    def copy(self) -> AddedPrices:
        """Return a list of its own with the same content."""
        twin = AddedPrices()
        twin._named = {key: _copied(each) for key, each in self._named.items()}
        twin._patterns = {
            key: (provider, model, _copied(each)) for key, (provider, model, each) in self._patterns.items()
        }
        return twin


def _copied(added: Added) -> Added:
    return Added([*added.days], [*added.tariffs], added.window)


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, text.split(ANY))), re.DOTALL)


def _openness(key: Key) -> tuple[bool, int, int, Key]:
    """Return what patterns are sorted by: an open provider last, then by how much of the model's name is said."""
    provider, model, tier = key
    return ANY in provider, -len(model.replace(ANY, "")), -len(provider), (provider, model, tier or "")
