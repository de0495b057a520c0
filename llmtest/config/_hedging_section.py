"""The schema of hedging in a chain file."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema, model_validator

from llmtest.config._fields import Flag, Percent, Positive, Seconds
from llmtest.config._validation import Section, one_of
from llmtest.errors import ConfigurationError
from llmtest.resilience import HedgingConfig

__all__ = ["HedgingSection"]

WHERE = ("same", "next")


def _where(value: Any) -> str:
    if value not in WHERE:
        raise ValueError(one_of("choice", value, list(WHERE)))
    return str(value)


Where = Annotated[str, BeforeValidator(_where), WithJsonSchema({"enum": list(WHERE)})]


class HedgingSection(Section):
    """Send a call once more while it is not answered, and take the answer that comes first."""

    delay: Seconds | None = None
    """Time after which it is sent once more; this or `percentile`."""
    percentile: Percent | None = None
    """The same as a share of the answers seen so far, in percent: at 95, one of twenty calls is sent again."""
    max_hedges: Positive | None = None
    """Most requests beside the first; 1 by default."""
    to: Where | None = None
    """Where they go: to the `same` provider by default, or to the `next` one."""
    allow_tools: Flag | None = None
    """Whether calls with tools or tool results are sent twice as well; false by default."""
    samples: Positive | None = None
    """How many answers the percentile looks back at; 100 by default."""
    min_samples: Positive | None = None
    """How many there have to be before anything is sent twice; 20 by default."""

    @model_validator(mode="after")
    def _is_possible(self) -> HedgingSection:
        try:
            self.config()
        except ConfigurationError as error:
            raise ValueError(str(error).removeprefix("hedging: ")) from None
        return self

    def config(self) -> HedgingConfig:
        """Return it as the chain takes it."""
        return HedgingConfig(**{key: value for key, value in self if value is not None})
