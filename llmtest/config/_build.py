"""Chains from files and mappings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from llmtest.config._budget_section import BudgetSection, StoreSection
from llmtest.config._cache_section import CacheSection
from llmtest.config._chain_section import NESTED, ChainSection, SlotSection
from llmtest.config._document import Document, Location
from llmtest.config._load import ChainConfig, read_shape
from llmtest.config._mistakes import Mistakes
from llmtest.config._modes import answering, mode_of
from llmtest.config._nearest import did_you_mean, known
from llmtest.config._price_file import prices_in
from llmtest.config._routed_slot import routed_slot
from llmtest.config._shared_section import shared_in
from llmtest.config._validation import show_location, validate
from llmtest.costs import Budget, CostLedger, Prices
from llmtest.errors import ConfigurationError
from llmtest.resilience import (
    FallbackChain,
    FallbackSlot,
    FallbackTrigger,
    ResponseCache,
    SharedState,
    SmartRoutingProvider,
    TimeoutConfig,
)
from llmtest.types import Provider

__all__ = ["build_chain", "build_provider_chain"]


def build_chain(
    config: Mapping[str, Any] | ChainConfig | ChainSection,
    providers: Mapping[str, Provider] | None = None,
    *,
    budget: BudgetSection | Budget | None = None,
    prices: Prices | None = None,
    ledger: CostLedger | None = None,
    seed: int | None = None,
    mode: str | None = None,
) -> FallbackChain:
    """Make a chain.

    A policy that the configuration does not mention has `FallbackChain`'s own default; one that is given as `null` is
    off.

    Args:
        config: A loaded chain file, or a mapping in its schema, where `provider:` may also be a provider object.
        providers: Provider objects by the names that slots use; a slot with a model looks for `name/model` first.
            Names that are not here are built: `openai`, `anthropic` and their like, with `api_key`, `base_url` and
            `model` of the slot, else from the environment.
        budget: Limits for a configuration that sets none: a section, or a `Budget`, which several chains may share.
        prices: What models cost; the published prices by default.
        ledger: Account in which every settled call is entered, whether or not anything is limited.
        seed: Seed of the jittered waits.
        mode: Who answers for providers that are built: `live`, `mock` (simulated ones, without network and keys), or
            `replay` (the cassette that `LLMTEST_CASSETTE` names); None takes `LLMTEST_MODE`, else `live`. Where a
            simulation or a cassette is in use, the real ones are built, which then ask that.

    Raises:
        ScenarioError: The mapping is wrong.
        ConfigurationError: A provider cannot be made, or is twice in the chain; or there are two budgets, or two
            ledgers, or no such mode.
    """
    section, document = _section_of(config)
    builder = _Builder(document, providers or {}, prices, ledger, seed, mode_of(mode))
    return builder.with_ledger_of(section).chain(section, (), budget)


def build_provider_chain(
    config: Mapping[str, Any] | ChainConfig | ChainSection,
    providers: Mapping[str, Provider] | None = None,
    *,
    mode: str | None = None,
) -> tuple[FallbackChain, FallbackChain | None]:
    """Make IronClaw's pair: the chain, and a chain of its `cheap` slot alone, with the same policies.

    Args:
        config: As for `build_chain`.
        providers: As for `build_chain`.
        mode: As for `build_chain`.

    Returns:
        The chain, and the cheap one; None where the configuration has no `cheap`.

    Raises:
        ScenarioError: The mapping is wrong.
        ConfigurationError: A provider cannot be made.
    """
    section, document = _section_of(config)
    builder = _Builder(document, providers or {}, None, None, None, mode_of(mode)).with_ledger_of(section)
    main = builder.chain(section, (), None)
    if section.cheap is None:
        return main, None
    routed = main if isinstance(main, SmartRoutingProvider) else main.places[0].provider
    if isinstance(routed, SmartRoutingProvider):
        return main, routed.cheap  # type: ignore[return-value]  # the builder has made a chain of it
    return main, builder.cheap(section, (), main.budget)


def _section_of(config: Any) -> tuple[ChainSection, Document]:
    if isinstance(config, ChainSection):
        return config, Document(None)
    if isinstance(config, ChainConfig):
        return config.section, config.document
    if not isinstance(config, Mapping):
        given = f'load_config("{config}").build()' if isinstance(config, str | Path) else "build_chain({...})"
        raise ConfigurationError(
            f"build_chain takes a mapping in the schema of a chain file, or a loaded one, not `{config}`.\n"
            f"To fix: {given}"
        )
    document = Document(dict(config))
    read_shape(document)
    return validate(ChainSection, document), document


@dataclass(frozen=True, slots=True)
class _Builder:
    """Makes the chains of one configuration.

    Args:
        document: Where everything stands.
        providers: Provider objects by name.
        prices: What models cost.
        ledger: Account of what is spent.
        seed: Seed of the jittered waits.
        mode: Who answers for providers that are built.
    """

    document: Document
    providers: Mapping[str, Provider]
    prices: Prices | None
    ledger: CostLedger | None
    seed: int | None
    mode: str

    def with_ledger_of(self, section: ChainSection) -> _Builder:
        """Return a builder whose chains enter in the ledger that a configuration names; itself where it names none."""
        if section.ledger is None:
            return self
        if self.ledger is not None:
            raise ConfigurationError(
                f"chain `{section.name}` has a `ledger` of its own, and was given another, of which only one would be "
                "kept.\nTo fix: keep one of the two"
            )
        return replace(self, ledger=CostLedger(store=self._store(section.ledger, "ledger", ("ledger",))))

    def _refuse_inner_ledger(self, section: ChainSection, at: Location) -> None:
        if at and section.ledger is not None:
            raise self.document.error(
                (*at, "ledger"),
                f"`{show_location((*at, 'ledger'))}`: what a chain inside a chain does is entered with what the outer "
                "one does.\nTo fix: write `ledger` in the outer chain",
            )

    def chain(
        self, section: ChainSection, at: Location, budget: Any, *, places: Sequence[Location] | None = None
    ) -> FallbackChain:
        """Make a chain, or the one inside a slot.

        Args:
            section: What it has to be.
            at: Where it is in the document.
            budget: Limits for a section that sets none.
            places: Where its slots are; None: in its `providers`.
        """
        routes = section.routing is not None and not section.routing.is_adaptive
        if routes and section.order != "ironclaw":
            return self._smart(section, at, budget)
        if budget is not None and section.budget is not None:
            raise ConfigurationError(
                f"chain `{section.name}` has a `budget` of its own, and was given another, of which only one would "
                "hold.\nTo fix: keep one of the two"
            )
        self._refuse_inner_ledger(section, at)
        limits = section.budget if budget is None else budget
        prices = self.prices if section.prices is None else prices_in(section.prices, self.document, self.prices)
        settings: dict[str, Any] = {"advance_on_any_fallback_error": section.advance_on_any_fallback_error}
        strategy = section.strategy or section.fallback_strategy
        if strategy is not None:
            settings["strategy"] = strategy
        if section.refused_key_interval is not None:
            settings["refused_key_interval"] = section.refused_key_interval
        for key in ("retry", "circuit_breaker", "timeouts", "prompt_retry"):
            if key in section.model_fields_set:
                value = getattr(section, key)
                settings[key] = None if value is None else value.config()
        for key in ("context", "health", "hedging", "rate_limit", "routing"):
            if getattr(section, key) is not None:
                settings[key] = getattr(section, key).config()
        settings["shared"] = shared = shared_in(section.shared, self.document, (*at, "shared"), self.mode)
        if section.cache is not None:
            settings["cache"] = self._cache(section.cache, (*at, "cache"), shared)
        if section.flat_retry is not None:
            settings["retry"] = section.flat_retry.config()
        order = sorted(range(len(section.providers)), key=lambda index: -(section.providers[index].priority or 0))
        found = places or [(*at, "providers", index) for index in range(len(section.providers))]
        slots = self._slots(order, section, found)
        if routes and section.cheap is not None:
            cheap = self._slot(section.cheap, (*at, "cheap"), section.trigger)
            slots[0] = routed_slot(slots[0], cheap, settings.pop("routing"), settings)
        _refuse_twins(self.document, found, dict(sorted(zip(order, slots, strict=True))))
        return FallbackChain(
            slots,
            name=section.name,
            budget=self._guard(limits, prices, at),
            prices=prices,
            seed=self.seed,
            on_all_open=section.on_all_open,
            order=section.order,
            max_attempts=section.max_attempts,
            stream_commit=section.stream_commit,
            **settings,
        )

    def cheap(self, section: ChainSection, at: Location, budget: Any) -> FallbackChain:
        """Make a chain of the `cheap` slot alone, with the policies of the chain beside it."""
        assert section.cheap is not None, "whoever asks has looked"
        name = f"{section.name}-cheap"
        alone = {"name": name, "providers": [section.cheap], "budget": None, "strategy": None, "routing": None}
        alone["fallback_strategy"] = alone["ledger"] = None
        return self.chain(section.model_copy(update=alone), at, budget, places=[(*at, "cheap")])

    def _smart(self, section: ChainSection, at: Location, budget: Any) -> SmartRoutingProvider:
        """Make the chain and its `cheap` slot one provider; limits and deadline are those of both together."""
        assert section.routing is not None, "whoever asks has looked"
        inner = {"routing": None, "rate_limit": None, "cache": None, "name": f"{section.name}-primary"}
        primary = self.chain(section.model_copy(update=inner), at, budget)
        limits = section.rate_limit
        deadline = None if section.timeouts is None else section.timeouts.deadline
        open_ended = TimeoutConfig(connect=None, read=None, total=None, deadline=deadline)
        beside = section.model_copy(update={"rate_limit": None, "cache": None})
        shared = shared_in(section.shared, self.document, (*at, "shared"), self.mode)
        return SmartRoutingProvider(
            primary,
            self.cheap(beside, at, primary.budget),
            section.routing.config(),  # type: ignore[arg-type]  # it is not adaptive
            name=section.name,
            timeouts=None if deadline is None else open_ended,
            rate_limit=None if limits is None else limits.config(),
            cache=None if section.cache is None else self._cache(section.cache, (*at, "cache"), shared),
            shared=shared,
            prices=primary.prices,
            seed=self.seed,
        )

    def _guard(self, limits: Any, prices: Prices | None, at: Location) -> Any:
        """Return the budget of a chain: its limits, one that was given, or one without limits that keeps the ledger.

        A chain inside a chain without limits of its own has none: what it does is charged to the outer one.
        """
        ledger = self.ledger
        if isinstance(limits, BudgetSection):
            store = None if limits.store is None else self._store(limits.store, "budget", (*at, "budget", "store"))
            try:
                return limits.budget(prices, ledger, store)
            except ConfigurationError as error:
                raise self.document.error((*at, "budget"), f"`{show_location((*at, 'budget'))}`: {error}") from error
        if limits is None and ledger is not None and not at:
            return Budget(prices=prices, ledger=ledger, on_unknown_price="warn")
        if ledger is not None and isinstance(limits, Budget) and limits.ledger is not ledger:
            raise ConfigurationError(
                "build_chain was given a `ledger`, and a `budget` that enters its calls in another one, or in none.\n"
                "To fix: give the ledger to the budget: Budget(limits, ledger=ledger)"
            )
        return limits

    def _store(self, section: StoreSection, kind: Literal["budget", "ledger"], at: Location) -> Any:
        """Open where an account is kept; in memory, None, where nobody is asked and nothing is spent."""
        if self.mode != "live":
            return None
        try:
            return section.open(kind, self._folder, self.document.environment)
        except ConfigurationError as error:
            raise self.document.error(at, f"`{show_location(at)}`: {error}") from error

    @property
    def _folder(self) -> Path | None:
        """Where the paths of the file begin; None: the working directory."""
        return None if self.document.path is None else Path(self.document.path).parent

    def _cache(self, section: CacheSection, at: Location, shared: SharedState | None) -> ResponseCache | None:
        """Return the cache of a chain; whoever embeds for it is a provider like another, but in a simulated chain."""
        embedder, model = None, None
        if isinstance(section.embedder, dict) and section.enabled and self.mode == "live":
            slot = validate(
                SlotSection, Document(section.embedder, self.document.path, environment=self.document.environment)
            )
            embedder, model = self._provider(slot, (*at, "embedder")), slot.model
        try:
            return section.cache(self._folder, embedder, model, shared)
        except ConfigurationError as error:
            raise self.document.error(at, f"`{show_location(at)}`: {error}") from error

    def _slots(self, order: Sequence[int], section: ChainSection, places: Sequence[Location]) -> list[FallbackSlot]:
        """Make the slots, or tell of every one that cannot be made."""
        mistakes, slots = Mistakes(self.document), []
        for index in order:
            with mistakes.collected():
                slot = section.providers[index]
                if slot.streaming is None and section.streaming is not None:
                    slot = slot.model_copy(update={"streaming": section.streaming})
                slots.append(self._slot(slot, places[index], section.trigger))
        mistakes.raise_all()
        return slots

    def _slot(self, slot: SlotSection, at: Location, trigger: FallbackTrigger | None) -> FallbackSlot:
        provider = self._provider(slot, at)
        return FallbackSlot(
            provider=provider,
            trigger=slot.trigger or trigger or FallbackTrigger.default(),
            model_mapping=slot.model_mapping or {},
            retry=None if slot.retry is None else slot.retry.config(),
            circuit_breaker=None if slot.circuit_breaker is None else slot.circuit_breaker.config(),
            timeouts=None if slot.timeouts is None else slot.timeouts.config(),
            quota_group=slot.quota_group,
            name=slot.name,
            max_tokens=slot.max_tokens,
            temperature=slot.temperature,
            context_window=slot.context_window,
            priority=slot.priority,
            weight=slot.weight,
            unmapped_models=slot.unmapped_models,
            rate_limit=None if slot.rate_limit is None else slot.rate_limit.config(),
        )

    def _provider(self, slot: SlotSection, at: Location) -> Provider:
        name, document = slot.provider, self.document
        if slot.chain is not None:
            inner = slot.chain.model_copy(update={"name": slot.name}) if slot.name else slot.chain
            return self.chain(inner, (*at, NESTED), None)
        if not isinstance(name, str):
            return name  # type: ignore[no-any-return]  # the section has checked that it is a provider
        found = self.providers.get(f"{name}/{slot.model}") or self.providers.get(slot.name or name)
        found = found or self.providers.get(name)
        if found is not None:
            return found
        from llmtest.config._providers import make_provider, provider_names

        known_names = provider_names()
        if name not in known_names:
            choices = [*self.providers, *known_names]
            raise document.error(
                (*at, "provider"),
                f"`{show_location((*at, 'provider'))}`: no provider `{name}`.{did_you_mean(name, choices)}"
                f"{known('providers', choices)}",
            )
        folder = self._folder
        try:
            key = self._key(slot, folder)
        except ConfigurationError as error:
            word = "api_key" if slot.api_key_env is None else "api_key_env"
            raise document.error((*at, word), f"`{show_location((*at, word))}`: {error}") from error
        try:
            return answering(make_provider(name, slot, key, document.environment, folder), self.mode)
        except ConfigurationError as error:
            raise document.error((*at, "provider"), f"`{show_location(at)}`: {error}") from error

    def _key(self, slot: SlotSection, folder: Path | None) -> str | None:
        """Return the key of a slot; where nobody is asked, none is needed, and a word stands for it."""
        if self.mode != "live":
            return "not-needed"
        return None if slot.key is None else slot.key.reveal(self.document.environment, folder)


def _refuse_twins(document: Document, places: Sequence[Location], slots: Mapping[int, FallbackSlot]) -> None:
    """Refuse a slot that asks what another one asks: of the same endpoint, with the same key, for the same model."""
    seen: dict[tuple[object, ...], int] = {}
    for index, slot in slots.items():
        provider = slot.provider
        address = getattr(provider, "base_url", None)
        if address is None:
            continue
        key, mapping = getattr(provider, "credential", None), tuple(sorted(slot.model_mapping.items()))
        first = seen.setdefault((provider.name, address, key, provider.model, mapping), index)
        if first != index:
            one, other = show_location(places[first]), show_location(places[index])
            raise document.error(
                places[index],
                f"`{other}` asks the same as `{one}`, so that a call would ask it twice for "
                "the same failure.\nTo fix: remove one, give it a `model`, `api_key` or `base_url` of its own, or "
                "retry with `retry.max_attempts`",
            )
