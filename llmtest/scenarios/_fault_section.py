"""A fault in a scenario file: when x where x what."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from llmtest.config import (
    Duration,
    Flag,
    Positive,
    Section,
    Share,
    Text,
    parse_count,
    parse_seconds,
)
from llmtest.faults import Fault, fault_from, fault_schema

__all__ = ["FaultSection", "What", "read_fault"]

NS = 1_000_000_000


def read_fault(value: Any) -> Fault:
    """Return the fault that a value of a file stands for.

    Raises:
        ValueError: It stands for none.
    """
    return fault_from(value, seconds=parse_seconds, count=parse_count)


What = Annotated[Any, BeforeValidator(read_fault), WithJsonSchema(fault_schema())]


def _names(value: Any) -> str | list[str]:
    if isinstance(value, str) and value:
        return value
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return value
    raise ValueError("must be a name, or a list of names")


Names = Annotated[
    Any,
    BeforeValidator(_names),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]


class WhereSection(Section):
    """Which requests a fault hits; every key must match. A list means any of them, `*` stands for anything."""

    provider: Names | None = None
    """The provider."""
    model: Names | None = None
    """The model asked for."""
    operation: Names | None = None
    """`chat`, `embeddings`, ..."""
    stream: Flag | None = None
    """Whether the answer is streamed."""
    prompt_contains: Names | None = None
    """A text in the prompt."""
    last_role: Names | None = None
    """Whose message is the last one: `user`, `tool`, or `assistant`, a prefill, which not every model takes."""


class CallsSection(Section):
    """A range of the requests that match `where`, counted from 1."""

    first: Positive = 1
    """The first one hit."""
    last: Positive | None = None
    """The last one hit; by default there is none."""


class WhenSection(Section):
    """Further conditions of a fault."""

    probability: Share = 1.0
    """How likely a matching request is hit."""
    calls: CallsSection | None = None
    """Only these of the matching requests."""
    times: Positive | None = None
    """Most often it strikes."""


class FaultSection(Section):
    """Something that goes wrong: when x where x what. A rule that never fires in a run fails it."""

    name: Text | None = None
    """Its name in traces and expectations; by default that of `what`."""
    at: Duration = 0.0
    """When it begins, from the start of the run."""
    for_: Duration | None = Field(None, alias="for")
    """How long it lasts; by default until the end."""
    every: Duration | None = None
    """It comes back after so long, counted from its beginning."""
    where: WhereSection = WhereSection()
    """Which requests it hits; by default all."""
    when: WhenSection = WhenSection()
    """Further conditions."""
    what: What
    """What happens: `rate_limited`, or `{server_error: {status: 503}}`."""
    optional: Flag = False
    """Whether a run may end without it having fired."""

    @model_validator(mode="after")
    def _make_sense(self) -> FaultSection:
        if self.for_ == 0:
            raise ValueError("`for` must be longer than 0")
        if self.every is not None and (self.for_ is None or self.every < self.for_):
            raise ValueError("`every` needs a `for` that is not longer")
        calls = self.when.calls
        if calls is not None and calls.last is not None and calls.last < calls.first:
            raise ValueError("`when.calls`: `last` is before `first`")
        return self

    def arguments(self) -> dict[str, Any]:
        """Return what `FaultRule` takes beside the name."""
        calls = self.when.calls
        return {
            "fault": self.what,
            "where": {key: value for key, value in self.where if value is not None},
            "at_ns": round(self.at * NS),
            "for_ns": None if self.for_ is None else round(self.for_ * NS),
            "every_ns": None if self.every is None else round(self.every * NS),
            "calls": None if calls is None else (calls.first, calls.last),
            "probability": self.when.probability,
            "times": self.when.times,
        }
