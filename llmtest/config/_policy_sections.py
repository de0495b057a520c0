"""The schema of timeouts in a chain file."""

from __future__ import annotations

from pydantic import model_validator

from llmtest.config._fields import Milliseconds, Real, Seconds
from llmtest.config._validation import Section, said_once
from llmtest.errors import ConfigurationError
from llmtest.resilience import TimeoutConfig

__all__ = ["TimeoutsSection"]

IN_MS = {f"{name}_ms": name for name in ("connect", "first_token", "read", "total", "deadline")}


class TimeoutsSection(Section):
    """Limits of each attempt, and one deadline over all of them."""

    connect: Seconds | None = None
    """Until the connection stands; 10s by default."""
    first_token: Seconds | None = None
    """Until the first piece of the answer."""
    read: Seconds | None = None
    """Longest silence between two pieces; 60s by default."""
    total: Seconds | None = None
    """One attempt; 120s by default."""
    deadline: Seconds | None = None
    """The whole call, every retry and fallback included."""
    connect_ms: Milliseconds | None = None
    """`connect` in milliseconds, as with the others."""
    first_token_ms: Milliseconds | None = None
    """The same of `first_token`."""
    read_ms: Milliseconds | None = None
    """The same of `read`."""
    total_ms: Milliseconds | None = None
    """The same of `total`."""
    deadline_ms: Milliseconds | None = None
    """The same of `deadline`."""
    min_tokens_per_second: Real | None = None
    """Least tokens a second that a stream has to bring after its first piece, at four characters a token."""
    min_characters_per_second: Real | None = None
    """The same in characters, instead."""
    throughput_window: Seconds | None = None
    """Time that the speed is taken over; 10s by default."""

    @model_validator(mode="after")
    def _agree(self) -> TimeoutsSection:
        try:
            self.config()
        except ConfigurationError as error:
            raise ValueError(str(error)) from None
        return self

    def config(self) -> TimeoutConfig:
        """Return the limits; what is `null` sets none."""
        absent = {key: None for key in self.model_fields_set if getattr(self, key) is None and key not in IN_MS}
        return TimeoutConfig(**{**absent, **said_once(self, IN_MS)})
