"""The schema of routing in a chain file: between a cheap provider and the chain, or to whoever has done best lately."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema, model_validator

from llmtest.config._fields import Count, Flag, Seconds, Share, Text
from llmtest.config._validation import Section, one_of
from llmtest.errors import ConfigurationError
from llmtest.resilience import AdaptiveRoutingConfig, SmartRoutingConfig

__all__ = ["RoutingSection"]

PREFERENCES = ("latency", "cost", "reliability")
CAUSES = ("error", "uncertain")
TARGETS = ("cheap", "primary")
ADAPTIVE = ("prefer", "alpha", "explore_after", "fallbacks")


def _word(known: tuple[str, ...], what: str) -> BeforeValidator:
    def check(value: Any) -> str:
        if value not in known:
            raise ValueError(one_of(what, value, list(known)))
        return str(value)

    return BeforeValidator(check)


Preference = Annotated[str, _word(PREFERENCES, "choice"), WithJsonSchema({"enum": list(PREFERENCES)})]
Cause = Annotated[str, _word(CAUSES, "cause"), WithJsonSchema({"enum": list(CAUSES)})]
Target = Annotated[str, _word(TARGETS, "provider"), WithJsonSchema({"enum": list(TARGETS)})]


class RoutingSection(Section):
    """Which provider a prompt goes to: the `cheap` one or the chain, or with `prefer` the best of the chain."""

    cascade_enabled: Flag | None = None
    """Whether the chain is asked where the cheap provider does not do; true by default."""
    complexity_threshold: Share | None = None
    """Score from which on a prompt goes to the chain, from 0 to 1; 0.6 by default."""
    cascade_on: list[Cause] | None = None
    """When the cheap provider does not do: `error`, `uncertain`; both by default."""
    overrides: dict[str, Target] | None = None
    """`cheap` or `primary` by a regular expression that is looked for in the prompt."""
    uncertain_phrases: list[Text] | None = None
    """Words by which an answer tells that it is none; a list of our own by default."""
    prefer: Preference | None = None
    """What counts most where the best of the chain is asked: `latency`, `cost` or `reliability`."""
    alpha: Share | None = None
    """Weight of the newest attempt in the averages; 0.1 by default."""
    explore_after: Seconds | None = None
    """Time after which a provider that was not asked is asked again; 60s by default."""
    fallbacks: Count | None = None
    """How many others are asked after a failure; 2 by default."""

    @model_validator(mode="after")
    def _is_possible(self) -> RoutingSection:
        given = [key for key, value in self if value is not None]
        other = next((key for key in given if (key in ADAPTIVE) is not self.is_adaptive), None)
        if other is not None:
            needs = "takes no `prefer`" if self.is_adaptive else "needs `prefer`"
            raise ValueError(f"`{other}` {needs}: the route is `cheap` or the chain, or the best of the chain")
        try:
            self.config()
        except ConfigurationError as error:
            raise ValueError(str(error).removeprefix("routing: ")) from None
        return self

    @property
    def is_adaptive(self) -> bool:
        """Whether the best provider of the chain is asked, and not one of two."""
        return self.prefer is not None

    def config(self) -> AdaptiveRoutingConfig | SmartRoutingConfig:
        """Return it as the provider layer takes it."""
        given: dict[str, Any] = {key: value for key, value in self if value is not None}
        return AdaptiveRoutingConfig(**given) if self.is_adaptive else SmartRoutingConfig(**given)
