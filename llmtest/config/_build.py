"""Chains from files and mappings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmtest.config._chain_section import (
    BudgetSection,
    ChainSection,
    CircuitBreakerSection,
    RetrySection,
    SlotSection,
    TimeoutsSection,
)
from llmtest.config._document import Document, Location, read_document
from llmtest.config._mistakes import Mistakes
from llmtest.config._nearest import did_you_mean, known
from llmtest.config._validation import show_location, validate
from llmtest.costs import Budget, BudgetConfig, CostManagementPolicy, Prices
from llmtest.errors import ConfigurationError
from llmtest.resilience import (
    CircuitBreakerConfig,
    FallbackChain,
    FallbackSlot,
    FallbackTrigger,
    RetryBudget,
    RetryConfig,
    TimeoutConfig,
)
from llmtest.types import Provider

if TYPE_CHECKING:
    from llmtest.costs import CostLedger

__all__ = ["ChainConfig", "build_chain", "load_config"]


@dataclass(frozen=True, slots=True)
class ChainConfig:
    """A chain file, read and checked; `build_chain` makes the chain.

    Args:
        section: Its content.
        document: Its lines, for errors.
    """

    section: ChainSection
    document: Document

    @property
    def name(self) -> str:
        """What the chain is called."""
        return self.section.name

    def build(self, providers: Mapping[str, Provider] | None = None, *, budget: Budget | None = None) -> FallbackChain:
        """Return the chain; the same as `build_chain(config, providers, budget=budget)`."""
        return build_chain(self, providers, budget=budget)


def load_config(path: str | Path, *, environment: Mapping[str, str] | None = None) -> ChainConfig:
    """Read a chain file.

    Args:
        path: YAML, or TOML if it ends in `.toml`.
        environment: What `${VAR}` in the file reads; None takes the environment of the process.

    Raises:
        ScenarioError: Anything is wrong with the file; the text has file, line, the nearest valid thing, the way out.

    Example:
        >>> chain = load_config("chain.yaml").build()  # doctest: +SKIP
    """
    document = read_document(path, environment=environment)
    return ChainConfig(validate(ChainSection, document), document)


def build_chain(
    config: Mapping[str, Any] | ChainConfig | ChainSection,
    providers: Mapping[str, Provider] | None = None,
    *,
    budget: BudgetSection | Budget | None = None,
    prices: Prices | None = None,
    ledger: CostLedger | None = None,
    seed: int | None = None,
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
        ledger: Account in which every settled call is entered.
        seed: Seed of the jittered waits.

    Raises:
        ScenarioError: The mapping is wrong.
        ConfigurationError: A provider cannot be made, or is twice in the chain; or there are two budgets.
    """
    if isinstance(config, ChainSection):
        section, document = config, Document(None)
    elif isinstance(config, ChainConfig):
        section, document = config.section, config.document
    else:
        if not isinstance(config, Mapping):
            given = f'load_config("{config}").build()' if isinstance(config, str | Path) else "build_chain({...})"
            raise ConfigurationError(
                f"build_chain takes a mapping in the schema of a chain file, or a loaded one, not `{config}`.\n"
                f"To fix: {given}"
            )
        document = Document(dict(config))
        section = validate(ChainSection, document)
    if budget is not None and section.budget is not None:
        raise ConfigurationError(
            f"chain `{section.name}` has a `budget` of its own, and was given another, of which only one would hold.\n"
            "To fix: keep one of the two"
        )
    limits = section.budget if budget is None else budget
    settings: dict[str, Any] = {}
    for key, convert in (("retry", _retry), ("circuit_breaker", _breaker), ("timeouts", _timeouts)):
        if key in section.model_fields_set:
            value = getattr(section, key)
            settings[key] = None if value is None else convert(value)
    order = sorted(range(len(section.providers)), key=lambda index: -(section.providers[index].priority or 0))
    slots = _slots(document, order, section.providers, providers or {})
    _refuse_twins(document, dict(sorted(zip(order, slots, strict=True))))
    return FallbackChain(
        slots,
        name=section.name,
        budget=_budget(limits, prices, ledger) if isinstance(limits, BudgetSection) else limits,
        prices=prices,
        seed=seed,
        **settings,
    )


def _slots(
    document: Document, order: Sequence[int], sections: Sequence[SlotSection], providers: Mapping[str, Provider]
) -> list[FallbackSlot]:
    """Make the slots, or tell of every one that cannot be made."""
    mistakes, slots = Mistakes(document), []
    for index in order:
        with mistakes.collected():
            slots.append(_slot(document, ("providers", index), sections[index], providers))
    mistakes.raise_all()
    return slots


def _slot(document: Document, at: Location, slot: SlotSection, providers: Mapping[str, Provider]) -> FallbackSlot:
    return FallbackSlot(
        provider=_provider(document, at, slot, providers),
        trigger=slot.trigger or FallbackTrigger.default(),
        model_mapping=slot.model_mapping or {},
        retry=None if slot.retry is None else _retry(slot.retry),
        circuit_breaker=None if slot.circuit_breaker is None else _breaker(slot.circuit_breaker),
        timeouts=None if slot.timeouts is None else _timeouts(slot.timeouts),
        quota_group=slot.quota_group,
    )


def _refuse_twins(document: Document, slots: Mapping[int, FallbackSlot]) -> None:
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
            raise document.error(
                ("providers", index),
                f"`providers[{index}]` asks the same as `providers[{first}]`, so that a call would ask it twice for "
                "the same failure.\nTo fix: remove one, give it a `model`, `api_key` or `base_url` of its own, or "
                "retry with `retry.max_attempts`",
            )


def _provider(document: Document, at: Location, slot: SlotSection, providers: Mapping[str, Provider]) -> Provider:
    name = slot.provider
    if not isinstance(name, str):
        return name  # type: ignore[no-any-return]  # the section has checked that it is a provider
    found = providers.get(f"{name}/{slot.model}") or providers.get(name)
    if found is not None:
        return found
    from llmtest.config._providers import make_provider, provider_names

    known_names = provider_names()
    if name not in known_names:
        choices = [*providers, *known_names]
        raise document.error(
            (*at, "provider"),
            f"`{show_location((*at, 'provider'))}`: no provider `{name}`.{did_you_mean(name, choices)}"
            f"{known('providers', choices)}",
        )
    folder = None if document.path is None else Path(document.path).parent
    try:
        key = None if slot.key is None else slot.key.reveal(document.environment, folder)
    except ConfigurationError as error:
        word = "api_key" if slot.api_key_env is None else "api_key_env"
        raise document.error((*at, word), f"`{show_location((*at, word))}`: {error}") from error
    try:
        return make_provider(name, model=slot.model, api_key=key, base_url=slot.base_url, api=slot.api)
    except ConfigurationError as error:
        raise document.error((*at, "provider"), f"`{show_location(at)}`: {error}") from error


def _retry(section: RetrySection) -> RetryConfig:
    given = {key: value for key, value in section if value is not None and key != "budget"}
    budget = section.budget
    return RetryConfig(**given, budget=None if budget is None else RetryBudget(budget.ratio, budget.reserve))


def _breaker(section: CircuitBreakerSection) -> CircuitBreakerConfig:
    return section.config()


def _timeouts(section: TimeoutsSection) -> TimeoutConfig:
    return TimeoutConfig(**{key: getattr(section, key) for key in section.model_fields_set})


def _budget(section: BudgetSection, prices: Prices | None, ledger: CostLedger | None) -> Budget:
    limits = BudgetConfig(
        max_tokens_per_session=section.max_tokens_per_session,
        max_cost_per_session=section.max_cost_per_session,
        max_tokens_per_day=section.max_tokens_per_day,
        halt_on_budget_exceeded=section.halt_on_budget_exceeded,
    )
    policy = CostManagementPolicy(
        daily_limit_usd=section.max_cost_per_day,
        monthly_limit_usd=section.max_cost_per_month,
        per_task_limit_usd=section.max_cost_per_task,
        warn_threshold_percent=section.warn_threshold_percent,
        halt_on_budget_exceeded=section.halt_on_budget_exceeded,
    )
    return Budget(limits, policy, prices=prices, ledger=ledger, on_unknown_price=section.on_unknown_price)
