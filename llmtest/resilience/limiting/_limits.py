"""What a limiter allows."""

from __future__ import annotations

import math
from dataclasses import dataclass

from llmtest.errors import ConfigurationError
from llmtest.types import is_whole
from llmtest.types._spelling import settings_tell_near_arguments

__all__ = ["RateLimitConfig"]


@settings_tell_near_arguments
@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimitConfig:
    """So many requests and tokens a minute, and so many requests at a time, for each key.

    A key is the credential of a provider, or its name where it has none: slots with one key share what it allows. What
    may not go yet waits in a queue, first come, first served. A wait that cannot end in time is refused at once with a
    `ThrottledError` that says when it could, and the chain asks the next provider. No minute, whenever it begins, has
    more than is allowed, so that neither buckets nor windows of a provider overflow.

    Tokens are counted as they are estimated when a request goes, prompt and the most of the answer, and as they were
    billed when it has ended. A limiter also learns from the limits that providers tell in their headers, and from
    their `Retry-After`; it never allows more than these.

    Args:
        rpm: Requests a minute; 1 or more, None: no limit, as for the next two.
        tpm: Tokens a minute, prompt and answer together.
        concurrency: Requests at a time; one that waits for its retry is none.
        queue_timeout: Longest wait in seconds, 0 or more; None waits as long as the deadline of the call allows.
        max_queue: How many may wait, 0 or more; None: any number. 0 refuses what cannot go at once.
        default_max_tokens: Tokens that an answer is taken for where the request sets no limit; 1 or more.
        learn: Whether what providers tell of their limits is kept to.

    Raises:
        ConfigurationError: Nothing is limited, a number is outside its range, or two of them contradict each other.

    Example:
        >>> RateLimitConfig(rpm=500, concurrency=8).queue_timeout
        30.0
    """

    rpm: int | None = None
    tpm: int | None = None
    concurrency: int | None = None
    queue_timeout: float | None = 30.0
    max_queue: int | None = None
    default_max_tokens: int = 1024
    learn: bool = True

    def __post_init__(self) -> None:
        for name, least in (("rpm", 1), ("tpm", 1), ("concurrency", 1), ("max_queue", 0), ("default_max_tokens", 1)):
            value = getattr(self, name)
            if not is_whole(value, least) and (value is not None or name == "default_max_tokens"):
                raise ConfigurationError(f"rate_limit: {name} must be a whole number, {least} or more, got {value!r}")
        if self.queue_timeout is not None and not 0 <= self.queue_timeout < math.inf:
            raise ConfigurationError(f"rate_limit: queue_timeout must be 0 or more seconds, got {self.queue_timeout}")
        if self.queue_timeout == 0 and self.max_queue:
            raise ConfigurationError(
                f"rate_limit: max_queue lets {self.max_queue} wait, and queue_timeout=0 lets nobody.\n"
                "To fix: leave one of them out"
            )
        if self.rpm is self.tpm is self.concurrency is None and not self.learn:
            raise ConfigurationError(
                "rate_limit: neither rpm, tpm nor concurrency is given, so that nothing is limited.\n"
                "To fix: RateLimitConfig(rpm=500), or leave `learn` on"
            )

    def tokens(self, prompt: int, max_tokens: int | None) -> int:
        """Return the tokens that a request is counted as when it goes.

        Args:
            prompt: Those of its prompt.
            max_tokens: Most tokens of the answer, as the request says; None: it does not. Then a whole minute's worth
                is not passed by what nobody asked for.
        """
        if max_tokens is not None:
            return prompt + max_tokens
        answer = self.default_max_tokens
        return prompt + (answer if self.tpm is None else max(0, min(answer, self.tpm - prompt)))
