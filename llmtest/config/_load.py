"""Chain files, read and checked: our own, and those of other systems."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmtest.config._chain_section import ChainSection
from llmtest.config._document import Document, Location, read_document
from llmtest.config._nearest import did_you_mean
from llmtest.config._shapes import agents_of, demands_of, house_chain, notes_of
from llmtest.config._validation import validate

if TYPE_CHECKING:
    from llmtest.costs import Budget
    from llmtest.resilience import FallbackChain
    from llmtest.types import Provider

__all__ = ["ChainConfig", "UnreadSettingWarning", "load_config", "read_shape"]

SECTIONS = (
    ("retry", "retry_policy"),
    ("budget", "monitoring"),
    ("cache", "caching"),
    ("health", "health_check"),
)
"""Sections of ours, and where Caxton has them."""
BELOW = "llm"
"""The key under which Caxton keeps its providers."""


class UnreadSettingWarning(UserWarning):
    """A file of another system asks for something that nothing here stands for; the rest of the file holds."""


@dataclass(frozen=True, slots=True)
class ChainConfig:
    """A chain file, read and checked; `build_chain` makes the chain.

    Args:
        section: Its content.
        document: Its lines, for errors.
        notes: What it says and nothing here stands for, one sentence each.
        demands: What Caxton's `security` and `compliance` ask of where the chain runs, for the application to see to:
            `config.demands["compliance"]["data_residency"]`. Nothing here acts on it.
    """

    section: ChainSection
    document: Document
    notes: tuple[str, ...] = ()
    demands: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What the chain is called."""
        return self.section.name

    def build(self, providers: Mapping[str, Provider] | None = None, *, budget: Budget | None = None) -> FallbackChain:
        """Return the chain; the same as `build_chain(config, providers, budget=budget)`."""
        from llmtest.config._build import build_chain

        return build_chain(self, providers, budget=budget)


def load_config(
    path: str | Path, *, agent: str | None = None, environment: Mapping[str, str] | None = None
) -> ChainConfig:
    """Read a chain file: our own, MoFA's, Caxton's (`llm:`, `agents:`) or VAPORA's (`llm-providers.toml`).

    Args:
        path: YAML, or TOML if it ends in `.toml`.
        agent: Whose providers are meant, in a file with several `agents`; None: those of the whole file.
        environment: What `${VAR}` in the file reads; None takes the environment of the process.

    Raises:
        ScenarioError: Anything is wrong with the file; the text has file, line, the nearest valid thing, the way out.

    Example:
        >>> chain = load_config("chain.yaml").build()  # doctest: +SKIP
    """
    document = read_document(path, environment=environment)
    demands = _demands(document, agent)
    notes = read_shape(document, agent)
    for note in notes:
        warnings.warn(f"{path}: {note}.", UnreadSettingWarning, stacklevel=2)
    return ChainConfig(validate(ChainSection, document), document, tuple(notes), demands)


def _demands(document: Document, agent: str | None) -> dict[str, dict[str, Any]]:
    """Return what is kept of a file that has no place in a chain file."""
    at = _section_of(document, document.data, agent)
    section: Any = document.data
    for part in at or ():
        section = section[part]
    if at is None or not isinstance(section, Mapping):
        return {}
    try:
        return demands_of(section, ".".join(str(part) for part in at if isinstance(part, str)))
    except ValueError as error:
        raise document.error(at, str(error)) from None


def read_shape(document: Document, agent: str | None = None) -> list[str]:
    """Put a file of another system into the terms of a chain file, in place; return what has no place there.

    Args:
        document: The file.
        agent: Whose providers are meant; None: those of the whole file.

    Raises:
        ScenarioError: There is no such agent, or only agents and none is named.
    """
    data = document.data
    at = _section_of(document, data, agent)
    if at is None:
        return []
    section: Any = data
    for part in at:
        section = section[part]
    shown = ".".join(str(part) for part in at if isinstance(part, str))
    if not isinstance(section, Mapping):
        raise document.error(at, f"`{shown}` must be a mapping, such as `{{provider: ..., model: ...}}`.")
    try:
        found = house_chain(section)
    except ValueError as error:
        raise document.error(at, str(error)) from None
    if agent is not None:
        found.setdefault("name", agent)
    slots = section.get("providers")
    for index in range(len(slots) if isinstance(slots, list) else 1):
        document.alias(("providers", index), (*at, "providers", index) if isinstance(slots, list) else at)
    for ours, theirs in SECTIONS:
        document.alias((ours,), (*at, theirs))
    document.alias(("health", "alerts"), (*at, "monitoring", "alerts"))
    document.data = found
    return notes_of(section, shown)


def _section_of(document: Document, data: Any, agent: str | None) -> Location | None:
    """Return where the providers are that are meant; None where the file is a chain file."""
    if not isinstance(data, Mapping):
        return None
    agents = agents_of(data)
    listed = ", ".join(agents)
    if agent is not None:
        if agent in agents:
            return ("agents", agents[agent], BELOW)
        raise document.error(("agents",), f"no agent `{agent}`.{did_you_mean(agent, agents)}\nKnown agents: {listed}.")
    if BELOW in data and "providers" not in data:
        return (BELOW,)
    if agents and "providers" not in data:
        raise document.error(
            ("agents",),
            f"each of the agents has a model of its own, and none is named: {listed}.\n"
            "To fix: name one of them as the argument `agent`",
        )
    return None
