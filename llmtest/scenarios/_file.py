"""The schema of a scenario file, as pydantic models; `schema.json` is generated from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from llmtest.config import (
    BudgetSection,
    ChainSection,
    Count,
    Duration,
    Flag,
    Money,
    Positive,
    Rate,
    Real,
    Section,
    Text,
    one_of,
    parse_duration,
)
from llmtest.errors import ConfigurationError
from llmtest.scenarios._fault_section import FaultSection
from llmtest.scenarios._profiles import PROFILES
from llmtest.simulation import Fragmentation, Gamma, Lognormal, Uniform, as_fragmentation
from llmtest.wire import dialects

__all__ = ["LoadSection", "Pieces", "ProviderSection", "ScenarioFile"]

ARRIVALS = ["constant", "poisson", "gamma"]


def _version(value: Any) -> int:
    if value not in (1, "1"):
        raise ValueError(f"`{value}` is not a version this release reads; write `version: 1`")
    return 1


def _one_of(noun: str, choices: list[str]) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if value not in choices:
            raise ValueError(one_of(noun, value, choices))
        return value

    return check


Version = Annotated[int, BeforeValidator(_version), WithJsonSchema({"const": 1})]
ProfileName = Annotated[
    str, BeforeValidator(_one_of("profile", list(PROFILES))), WithJsonSchema({"enum": list(PROFILES)})
]


def _dialect(value: Any) -> Any:
    if value not in dialects():
        raise ValueError(one_of("dialect", value, list(dialects())))
    return value


Dialect = Annotated[
    str,
    BeforeValidator(_dialect),
    WithJsonSchema({"anyOf": [{"enum": list(dialects())}, {"type": "string"}]}),
]
Arrivals = Annotated[str, BeforeValidator(_one_of("arrival", ARRIVALS)), WithJsonSchema({"enum": ARRIVALS})]


def _fragmentation(value: Any) -> Fragmentation:
    try:
        return as_fragmentation(value)
    except ConfigurationError as error:
        raise ValueError(str(error).partition("\n")[0].rstrip(".").removeprefix("fragmentation ")) from None


Pieces = Annotated[
    Any,
    BeforeValidator(_fragmentation),
    WithJsonSchema({"anyOf": [{"enum": ["events", "whole", "random"]}, {"type": "integer", "minimum": 1}]}),
]
"""How streams are cut into network pieces."""


class LognormalSection(Section):
    """Mostly near the median, with a long tail."""

    median: Duration
    """Half of all draws are below it."""
    p99: Duration
    """99 % of all draws are below it."""


class UniformSection(Section):
    """Anything between two times."""

    low: Duration
    """The shortest."""
    high: Duration
    """The longest."""


class GammaSection(Section):
    """A mean, and how much draws scatter around it."""

    mean: Duration
    """The mean."""
    cv: Real = 1.0
    """Standard deviation divided by the mean."""


class TimeSection(Section):
    """A distribution of times; exactly one key."""

    lognormal: LognormalSection | None = None
    """Mostly near the median, with a long tail."""
    uniform: UniformSection | None = None
    """Anything between two times."""
    gamma: GammaSection | None = None
    """A mean, and how much draws scatter around it."""

    def distribution(self) -> Lognormal | Uniform | Gamma:
        """Return the distribution."""
        if self.lognormal is not None:
            return Lognormal(self.lognormal.median, self.lognormal.p99)
        if self.uniform is not None:
            return Uniform(self.uniform.low, self.uniform.high)
        assert self.gamma is not None
        return Gamma(self.gamma.mean, self.gamma.cv)


def _seconds_or_distribution(value: Any) -> Any:
    if isinstance(value, dict):
        section = TimeSection.model_validate(value)
        if len(section.model_fields_set) != 1:
            raise ValueError("must have exactly one of the keys `lognormal`, `uniform`, `gamma`")
        try:
            return section.distribution()
        except ConfigurationError as error:
            raise ValueError(str(error).partition("\n")[0]) from None
    return parse_duration(value)


Time = Annotated[
    Any,
    BeforeValidator(_seconds_or_distribution),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"const": 0}, {"x-section": "TimeSection"}]}),
]
"""A duration, or a distribution of durations."""


class LatencySection(Section):
    """How long answers take: either `total`, or `ttft` and `tokens_per_second`."""

    total: Time | None = None
    """Time until the whole answer."""
    ttft: Time | None = None
    """Time to the first token."""
    tokens_per_second: Real | None = None
    """How fast the rest follows."""

    @model_validator(mode="after")
    def _make_sense(self) -> LatencySection:
        parts = self.ttft is not None or self.tokens_per_second is not None
        if (self.total is not None) == parts:
            raise ValueError("takes either `total`, or `ttft` and `tokens_per_second`")
        if self.tokens_per_second == 0:
            raise ValueError("`tokens_per_second` must be above 0")
        return self


class LimitsSection(Section):
    """Quotas of a provider: token buckets with a true Retry-After."""

    rpm: Positive | None = None
    """Requests a minute."""
    tpm: Positive | None = None
    """Tokens a minute, prompt and answer together."""
    rpd: Positive | None = None
    """Requests a day, counted anew at midnight UTC."""
    concurrent: Positive | None = None
    """Requests under way at once."""

    @model_validator(mode="after")
    def _limit_something(self) -> LimitsSection:
        if not self.given:
            raise ValueError("needs `rpm`, `tpm`, `rpd` or `concurrent`")
        return self

    @property
    def given(self) -> dict[str, int]:
        """What is limited, in the arguments of a handle's `limits`."""
        return {name: value for name, value in self if value is not None}


class PriceSection(Section):
    """What a model costs, in USD per million tokens."""

    input: Money
    """Of the prompt."""
    output: Money
    """Of the answer."""


class ProviderSection(Section):
    """One simulated provider."""

    model: Text | None = None
    """The model that answers; prices and context windows are looked up by it."""
    dialect: Dialect | None = None
    """The API it speaks; by default what its name says, else OpenAI's."""
    base_url: Text | None = None
    """Where a target reaches it, beside the dialect's own address."""
    limits: LimitsSection | None = None
    """Its quotas."""
    latency: LatencySection | None = None
    """How long its answers take; by default no time at all."""
    price: PriceSection | None = None
    """What its model costs, where that is not published, or to override it."""
    answer: Text | None = None
    """What it says; a few words by default."""
    plays: Text | None = None
    """The recorded session that answers instead: a cassette, by its path from the scenario file."""

    @model_validator(mode="after")
    def _one_answer(self) -> ProviderSection:
        if self.answer is not None and self.plays is not None:
            raise ValueError("`answer` and `plays` are two answers; leave one out")
        return self

    @model_validator(mode="after")
    def _price_a_model(self) -> ProviderSection:
        if self.price is not None and self.model is None:
            raise ValueError("`price` needs a `model`, whose price it is")
        return self


class StageSection(Section):
    """A stretch of a load whose rate runs in a straight line."""

    duration: Duration
    """How long it lasts."""
    rate: Rate
    """Calls per second at its end."""
    start: Rate | None = None
    """Calls per second at its start; by default where the stage before ended, in the first stage `rate`."""

    @model_validator(mode="after")
    def _last(self) -> StageSection:
        if not self.duration:
            raise ValueError("`duration` must be longer than 0")
        return self


KINDS = ("profile", "rate", "stages", "users", "trace")


class LoadSection(Section):
    """The traffic: exactly one of `profile`, `rate`, `stages`, `users` and `trace`."""

    profile: ProfileName | None = None
    """The shape of a real service's traffic."""
    rate: Rate | None = None
    """Calls per second, whether or not earlier ones were answered."""
    stages: list[StageSection] | None = None
    """Stretches of changing rate."""
    users: Positive | None = None
    """So many users, each of whom waits for the answer, thinks, and asks again."""
    trace: Text | None = None
    """A CSV file with the columns TIMESTAMP, ContextTokens, GeneratedTokens; relative to the scenario's folder."""
    duration: Duration | None = None
    """How long calls are made. Needed by `profile`, `rate` and `users`; a trace ends by itself."""
    arrivals: Arrivals | None = None
    """How a rate is spread; `poisson` by default."""
    cv: Real | None = None
    """For `gamma`: standard deviation of the gaps, divided by their mean."""
    think: Duration | None = None
    """How long a user thinks."""
    speed: Real | None = None
    """A profile or trace runs so many times faster."""
    max_calls: Positive | None = None
    """Ends the load after so many calls."""
    input_tokens: Positive | None = None
    """Tokens of every prompt; 500 by default."""
    output_tokens: Positive | None = None
    """Tokens of every answer; 150 by default."""
    tokens_like: ProfileName | None = None
    """Take the sizes of prompts and answers from a profile instead."""
    stream: Flag = False
    """Whether answers are streamed."""
    blocking: Flag = False
    """Whether a chain is asked by blocking code, one call after the other."""

    @model_validator(mode="after")
    def _make_sense(self) -> LoadSection:
        given = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            found = "none is given" if not given else f"`{'` and `'.join(given)}` are given"
            raise ValueError(f"needs exactly one of `{'`, `'.join(KINDS)}`; {found}")
        kind = given[0]
        allowed = {
            "arrivals": ("rate", "stages"),
            "cv": ("rate", "stages"),
            "think": ("users",),
            "speed": ("profile", "trace"),
            "input_tokens": ("rate", "stages", "users"),
            "output_tokens": ("rate", "stages", "users"),
            "tokens_like": ("rate", "stages", "users"),
        }
        for key, kinds in allowed.items():
            if getattr(self, key) is not None and kind not in kinds:
                raise ValueError(f"`{key}` goes with `{'` or `'.join(kinds)}`, not with `{kind}`")
        if self.duration is None and self.max_calls is None and kind in {"profile", "rate", "users"}:
            raise ValueError(f"`{kind}` needs a `duration`, such as `duration: 1h`")
        if self.duration == 0:
            raise ValueError("`duration` must be longer than 0")
        if self.rate == 0 or self.speed == 0 or self.cv == 0:
            raise ValueError("`rate`, `speed` and `cv` must be above 0")
        if (self.cv is not None) != (self.arrivals == "gamma"):
            raise ValueError("`cv` and `arrivals: gamma` go together")
        if self.stages is not None and not any(stage.rate for stage in self.stages):
            raise ValueError("`stages` must hold a stage with a rate above 0")
        return self


class ScenarioFile(Section):
    """An experiment: providers, what calls them, the traffic, the faults, and what must hold at the end."""

    version: Version
    """Version of this format: 1."""
    name: Text
    """What the experiment is called."""
    description: Text | None = None
    """What it is about."""
    seed: Count = 0
    """Seed of every draw; the same seed gives the same run, on any machine."""
    providers: dict[str, ProviderSection]
    """The simulated providers, by the names that the chain, the faults and the expectations use."""
    chain: ChainSection | None = None
    """What calls them, in the schema of a chain file; or `target`."""
    target: Text | None = None
    """Your own app instead: `module:callable`, sync or async; prompt in, text out."""
    budget: BudgetSection | None = None
    """Limits on tokens and money for the chain."""
    load: LoadSection
    """The traffic."""
    fragmentation: Pieces | None = None
    """How streams are cut into network pieces: `events` (the default), `whole`, `random`, a number of bytes."""
    faults: list[FaultSection] = Field(default_factory=list)
    """What goes wrong, when and where."""
    expect: dict[str, Any] = Field(default_factory=dict)
    """What must hold at the end."""
