"""When and where faults strike without a script: rules over time, calls and chance.

A rule is *when* x *where* x *what* (design D9). Its dice are counter-based: whether it strikes is a function of the
seed, the rule's name, the provider, the call and the attempt, so that taking one rule away or adding a call shifts no
other decision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any, Protocol

from llmtest.clock import uniform
from llmtest.errors import ConfigurationError
from llmtest.faults._fault import Fault
from llmtest.types import CompletionRequest

__all__ = ["FaultRule", "StruckCall", "Target"]

WHERE = ("provider", "model", "operation", "stream", "prompt_contains", "last_role", "api_key")
REPEATED = "for_ns=1_000_000_000, every_ns=60_000_000_000"


class StruckCall(Protocol):
    """A request as far as a rule looks at it."""

    model: str | None
    stream: bool
    api_key: str | None

    @property
    def operation(self) -> str:
        """What is asked for."""
        ...

    @property
    def request(self) -> object:
        """The request, decoded; a prompt is read where it is a completion request."""
        ...


@dataclass(slots=True)
class Target:
    """What a rule may look at."""

    provider: str
    call: StruckCall


@dataclass(slots=True)
class FaultRule:
    """A fault with the circumstances in which it strikes.

    Every condition must hold. `fired` counts how often it did; a run that expected a rule to fire checks it.

    Args:
        name: Its name in traces and counts; also part of its dice.
        fault: What happens.
        where: Which requests: `provider`, `model` (with `*`), `operation` (`chat`, `embeddings`, ...), `stream`,
            `prompt_contains`, `last_role` (`user`, `tool`, `assistant`), `api_key`; a value, or a list of them. Empty:
            all.
        at_ns: Start of the window, in nanoseconds of the clock; 0 or more.
        for_ns: Length of the window; above 0, None: until the end.
        every_ns: The window repeats after so long, counted from its start; `for_ns` or more, None: it does not.
        calls: First and last matching request, from 1; None as last: no end.
        probability: 0 to 1.
        times: Most often it strikes; 1 or more, None: no limit.

    Raises:
        ConfigurationError: A value is out of its range, or `where` has an unknown key.

    Example:
        >>> from llmtest.faults import ServerError
        >>> rule = FaultRule("outage", ServerError(503), where={"provider": "openai"}, for_ns=300_000_000_000)
    """

    name: str
    fault: Fault
    where: Mapping[str, Any] = field(default_factory=dict)
    at_ns: int = 0
    for_ns: int | None = None
    every_ns: int | None = None
    calls: tuple[int, int | None] | None = None
    probability: float = 1.0
    times: int | None = None
    fired: int = 0
    seen: int = 0
    """How many requests matched `where` so far."""

    def __post_init__(self) -> None:
        if not isinstance(self.fault, Fault):
            raise self._wrong(f"fault must be a fault, got {self.fault!r}", "fault=faults.ServerError(status=503)")
        for key in self.where:
            if key not in WHERE:
                near = get_close_matches(key, WHERE, n=1)
                hint = f", did you mean `{near[0]}`?" if near else ""
                raise self._wrong(f"unknown key `{key}` in `where`{hint}", f"known keys: {', '.join(WHERE)}")
        if self.at_ns < 0 or (self.for_ns is not None and self.for_ns <= 0):
            raise self._wrong("the window must start at 0 or later and be longer than 0", "at_ns=0, for_ns=None")
        if self.every_ns is not None and (self.for_ns is None or self.every_ns < self.for_ns):
            raise self._wrong("a window that repeats needs a length, and the period must not be shorter", REPEATED)
        if not 0 <= self.probability <= 1:
            raise self._wrong(f"probability must be from 0 to 1, got {self.probability!r}", "probability=0.02")
        if self.times is not None and self.times < 1:
            raise self._wrong(f"times must be 1 or more, got {self.times!r}", "times=1, or None for no limit")
        if self.calls is not None:
            first, last = self.calls
            if first < 1 or (last is not None and last < first):
                raise self._wrong(f"calls must be first and last, from 1, got {self.calls!r}", "calls=(1, 3)")

    def _wrong(self, what: str, fix: str) -> ConfigurationError:
        return ConfigurationError(
            f"fault rule `{self.name}`: {what}{'' if what.endswith('?') else '.'}\n\nTo fix: {fix}"
        )

    def concerns(self, provider: str) -> bool:
        """Tell whether requests to a provider can ever match."""
        return "provider" not in self.where or _is_one_of(provider, self.where["provider"])

    def _matches(self, target: Target) -> bool:
        for key, wanted in self.where.items():
            if key == "prompt_contains":
                if not _says(target.call.request, [wanted] if isinstance(wanted, str) else wanted):
                    return False
            elif key == "last_role":
                if not _is_one_of(_last_role(target.call.request), wanted):
                    return False
            elif key == "stream":
                if target.call.stream is not wanted:
                    return False
            elif not _is_one_of(getattr(target if key == "provider" else target.call, key), wanted):
                return False
        return True

    def _is_open(self, now_ns: int) -> bool:
        since = now_ns - self.at_ns
        if since < 0:
            return False
        if self.every_ns is not None:
            since %= self.every_ns
        return self.for_ns is None or since < self.for_ns

    def strikes(self, target: Target, now_ns: int, seed: int, key: tuple[object, ...]) -> bool:
        """Decide about one request; counts it as seen, not as fired."""
        if not self._matches(target):
            return False
        self.seen += 1
        if not self._is_open(now_ns) or (self.times is not None and self.fired >= self.times):
            return False
        if self.calls is not None:
            first, last = self.calls
            if self.seen < first or (last is not None and self.seen > last):
                return False
        if self.probability >= 1:
            return True
        return uniform(seed, "fault", self.name, target.provider, *key) < self.probability


def _says(request: object, texts: Sequence[str]) -> bool:
    if not isinstance(request, CompletionRequest):
        return False
    prompts = [message.text for message in request.messages if message.role in {"user", "system"}]
    return any(text in prompt for text in texts for prompt in prompts)


def _last_role(request: object) -> str | None:
    if not isinstance(request, CompletionRequest) or not request.messages:
        return None
    return request.messages[-1].role


def _is_one_of(value: str | None, wanted: str | Sequence[str]) -> bool:
    patterns = (wanted,) if isinstance(wanted, str) else wanted
    return value is not None and any(value == pattern or fnmatchcase(value, pattern) for pattern in patterns)
