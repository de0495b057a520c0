"""The schema of a limiter in a chain file."""

from __future__ import annotations

from pydantic import model_validator

from llmtest.config._fields import Count, Flag, Positive, Seconds
from llmtest.config._validation import Section
from llmtest.errors import ConfigurationError
from llmtest.resilience import RateLimitConfig

__all__ = ["RateLimitSection"]


class RateLimitSection(Section):
    """So many requests and tokens a minute, and so many requests at a time, for each key."""

    rpm: Positive | None = None
    """Requests a minute; no limit by default."""
    tpm: Positive | None = None
    """Tokens a minute, prompt and answer together; no limit by default."""
    concurrency: Positive | None = None
    """Requests at a time; no limit by default."""
    queue_timeout: Seconds | None = None
    """Longest wait for a turn; 30s by default, `null` waits as long as the deadline allows."""
    max_queue: Count | None = None
    """How many may wait; any number by default, 0 refuses what cannot go at once."""
    default_max_tokens: Positive | None = None
    """Tokens that an answer is taken for where a request sets no limit; 1024 by default."""
    learn: Flag | None = None
    """Whether limits that providers tell of in their headers are kept to; true by default."""

    @model_validator(mode="after")
    def _is_possible(self) -> RateLimitSection:
        try:
            self.config()
        except ConfigurationError as error:
            raise ValueError(str(error).removeprefix("rate_limit: ")) from None
        return self

    def config(self) -> RateLimitConfig:
        """Return it as the chain takes it."""
        given = {key: value for key, value in self if value is not None}
        if "queue_timeout" in self.model_fields_set:
            given["queue_timeout"] = self.queue_timeout
        return RateLimitConfig(**given)
