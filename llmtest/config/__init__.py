"""Files to objects: chains, providers and budgets from YAML, TOML or a mapping, with errors that name file and line."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmtest.config._agent_builder import LLMAgentBuilder
    from llmtest.config._breaker_section import CircuitBreakerSection
    from llmtest.config._budget_section import BudgetSection
    from llmtest.config._build import build_chain, build_provider_chain
    from llmtest.config._chain_section import ChainSection, SlotSection
    from llmtest.config._context_requirements import load_context_requirements
    from llmtest.config._document import Document, Location, read_document
    from llmtest.config._fields import Count, Duration, Flag, Money, Positive, Rate, Real, Seconds, Share, Text
    from llmtest.config._health_section import HealthSection
    from llmtest.config._load import ChainConfig, UnreadSettingWarning, load_config
    from llmtest.config._mistakes import Mistakes
    from llmtest.config._nearest import did_you_mean, known, nearest
    from llmtest.config._price_file import load_prices
    from llmtest.config._price_sections import ModelPriceSection, PriceFileSection
    from llmtest.config._retry_section import RetrySection
    from llmtest.config._secrets import LiteralKeyWarning, Secret
    from llmtest.config._shared_section import SharedSection
    from llmtest.config._units import (
        format_duration,
        parse_count,
        parse_duration,
        parse_money,
        parse_rate,
        parse_seconds,
        parse_share,
    )
    from llmtest.config._validation import Section, one_of, show_location, validate
    from llmtest.config._yaml import parse_yaml

__all__ = [
    "BudgetSection",
    "ChainConfig",
    "ChainSection",
    "CircuitBreakerSection",
    "Count",
    "Document",
    "Duration",
    "Flag",
    "HealthSection",
    "LLMAgentBuilder",
    "LiteralKeyWarning",
    "Location",
    "Mistakes",
    "ModelPriceSection",
    "Money",
    "Positive",
    "PriceFileSection",
    "Rate",
    "Real",
    "RetrySection",
    "Seconds",
    "Secret",
    "Section",
    "Share",
    "SharedSection",
    "SlotSection",
    "Text",
    "UnreadSettingWarning",
    "build_chain",
    "build_provider_chain",
    "did_you_mean",
    "format_duration",
    "known",
    "load_config",
    "load_context_requirements",
    "load_prices",
    "nearest",
    "one_of",
    "parse_count",
    "parse_duration",
    "parse_money",
    "parse_rate",
    "parse_seconds",
    "parse_share",
    "parse_yaml",
    "read_document",
    "show_location",
    "validate",
]

_HOMES = {
    name: home
    for home, names in {
        "_agent_builder": ("LLMAgentBuilder",),
        "_build": ("build_chain", "build_provider_chain"),
        "_chain_section": ("ChainSection", "SlotSection"),
        "_load": ("ChainConfig", "UnreadSettingWarning", "load_config"),
        "_context_requirements": ("load_context_requirements",),
        "_price_file": ("load_prices",),
        "_price_sections": ("PriceFileSection", "ModelPriceSection"),
        "_breaker_section": ("CircuitBreakerSection",),
        "_health_section": ("HealthSection",),
        "_shared_section": ("SharedSection",),
        "_budget_section": ("BudgetSection",),
        "_document": ("Document", "Location", "read_document"),
        "_fields": ("Count", "Duration", "Flag", "Money", "Positive", "Rate", "Real", "Seconds", "Share", "Text"),
        "_mistakes": ("Mistakes",),
        "_retry_section": ("RetrySection",),
        "_secrets": ("LiteralKeyWarning", "Secret"),
        "_nearest": ("did_you_mean", "known", "nearest"),
        "_units": (
            "format_duration",
            "parse_count",
            "parse_duration",
            "parse_money",
            "parse_rate",
            "parse_seconds",
            "parse_share",
        ),
        "_validation": ("Section", "one_of", "show_location", "validate"),
        "_yaml": ("parse_yaml",),
    }.items()
    for name in names
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"llmtest.config.{_HOMES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return __all__
