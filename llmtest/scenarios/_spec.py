"""What a scenario is, once read: plain values without a trace of their file, except the names errors need."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from llmtest.config import BudgetSection, ChainSection
from llmtest.faults import FaultRule
from llmtest.scenarios._expectations import Expectation
from llmtest.simulation import Fragmentation, LatencyModel

__all__ = ["FaultSpec", "Load", "ProviderSpec", "Scenario", "Stage"]


@dataclass(frozen=True, slots=True)
class Stage:
    """A stretch of a load whose rate runs in a straight line.

    Args:
        duration: Seconds; above 0.
        rate: Calls per second at its end.
        start: Calls per second at its start; None: where the stage before ended (the first stage: `rate`).
    """

    duration: float
    rate: float
    start: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The traffic. Exactly one of `profile`, `rate`, `stages`, `users`, `trace` is set.

    Args:
        profile: Name of a load profile.
        rate: Calls per second.
        stages: Stretches of changing rate.
        users: So many users, each of whom waits for an answer, thinks, and asks again (closed load).
        trace: A recorded trace.
        trace_shown: How the trace is named in errors.
        duration: Seconds; None where the load ends by itself.
        arrivals: How a rate or a stage is spread.
        cv: Standard deviation of the gaps divided by their mean, for `gamma`.
        think: Seconds a user thinks.
        speed: A profile or trace runs so many times faster.
        max_calls: Ends the load after so many calls.
        input_tokens: Tokens of every prompt, where no profile or trace says.
        output_tokens: Tokens of every answer, where no profile or trace says.
        tokens_like: Name of a profile whose sizes are used.
        stream: Whether calls are streamed.
        blocking: Whether calls are made by blocking code, one after the other.
    """

    profile: str | None = None
    rate: float | None = None
    stages: tuple[Stage, ...] = ()
    users: int | None = None
    trace: Path | None = None
    trace_shown: str | None = None
    duration: float | None = None
    arrivals: Literal["constant", "poisson", "gamma"] = "poisson"
    cv: float = 1.0
    think: float = 0.0
    speed: float = 1.0
    max_calls: int | None = None
    input_tokens: int = 500
    output_tokens: int = 150
    tokens_like: str | None = None
    stream: bool = False
    blocking: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSpec:
    """One simulated provider.

    Args:
        name: How the chain, the faults and the expectations call it.
        model: Model that answers.
        dialect: Wire format; None: that of the name.
        base_url: Where a target reaches it; None: the dialect's own address.
        rpm: Requests a minute; None: no limit.
        tpm: Tokens a minute; None: no limit.
        rpd: Requests a day; None: no limit.
        concurrent: Requests under way at once; None: no limit.
        latency: How long answers take; None: no time.
        price: USD per million tokens of prompt and answer, where the model's price is not known.
        answer: What it says; None: a few words.
        plays: The cassette that answers instead; None: no recorded session does.
    """

    name: str
    model: str | None = None
    dialect: str | None = None
    base_url: str | None = None
    rpm: int | None = None
    tpm: int | None = None
    rpd: int | None = None
    concurrent: int | None = None
    latency: LatencyModel | None = None
    price: tuple[Decimal, Decimal] | None = None
    answer: str | None = None
    plays: Path | None = None

    @property
    def limits(self) -> dict[str, int]:
        """Its quotas, in the arguments of a handle's `limits`."""
        found = {"rpm": self.rpm, "tpm": self.tpm, "rpd": self.rpd, "concurrent": self.concurrent}
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True, slots=True)
class FaultSpec:
    """A fault rule as arguments, because the rule itself counts and each run needs its own."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)
    optional: bool = False
    """Whether a run may end without it having fired."""

    def rule(self) -> FaultRule:
        """Make the rule for one run."""
        return FaultRule(self.name, **self.arguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """An experiment: providers, what calls them, the load, the faults, and what is expected.

    Args:
        name: Its name.
        path: Its file; None where it was made in Python.
        seed: Seed of every draw.
        providers: The simulated providers.
        chain: The chain, in the schema of a chain file; None where there is a target.
        budget: Limits on tokens and money for the chain.
        target: `module:callable`; None where there is a chain.
        load: The traffic.
        fragmentation: How streamed answers are cut into network pieces; None: as the world does it.
        faults: What goes wrong.
        expect: What must hold at the end.
        notes: What is odd about it and no mistake: a check that may hold for the wrong reason.
    """

    name: str
    path: str | None = None
    seed: int = 0
    providers: tuple[ProviderSpec, ...] = ()
    chain: ChainSection | None = None
    budget: BudgetSection | None = None
    target: str | None = None
    load: Load = field(default_factory=Load)
    fragmentation: Fragmentation | None = None
    faults: tuple[FaultSpec, ...] = ()
    expect: tuple[Expectation, ...] = ()
    notes: tuple[str, ...] = ()
