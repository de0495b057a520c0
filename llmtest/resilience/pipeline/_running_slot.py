"""A place of a chain at run time: what was configured, and what a chain keeps about it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress

from llmtest.costs import Prices, estimate_request_tokens
from llmtest.errors import (
    ConfigurationError,
    ContextLengthExceededError,
    LLMTestError,
    ModelNotFoundError,
    NotSupportedError,
)
from llmtest.resilience._metrics import ProviderMetrics
from llmtest.resilience._timeout import Pace
from llmtest.resilience.breaker._breaker import CircuitBreaker
from llmtest.resilience.fallback._refused_keys import RefusedKeys
from llmtest.resilience.fallback._slot import FallbackSlot
from llmtest.resilience.retry._retry import RetryConfig
from llmtest.types import CompletionRequest, ImagePart, Timeouts

__all__ = ["RunningSlot"]


class RunningSlot:
    """A slot at run time: its circuit, its limits, its counts.

    Args:
        index: Its number in the chain, from 0.
        config: The slot as it was configured.
        breaker: Its circuit; None never leaves it alone.
        retry: How it is asked again; None never.
        timeouts: Limits of each attempt.
    """

    __slots__ = (
        "account",
        "auth_failures",
        "breaker",
        "calls_failed",
        "config",
        "handed_on",
        "has_defaults",
        "health_skips",
        "index",
        "is_chain",
        "is_ill",
        "is_named",
        "key_skips",
        "layers",
        "malformed",
        "name",
        "owed",
        "pace",
        "peers",
        "provider",
        "refused_keys",
        "retries",
        "retry",
        "skips",
        "successes",
        "timeouts",
        "trigger",
        "weight",
    )

    def __init__(
        self,
        index: int,
        config: FallbackSlot,
        breaker: CircuitBreaker | None,
        retry: RetryConfig | None,
        timeouts: Timeouts,
    ) -> None:
        provider = config.provider
        self.index = index
        self.config = config
        self.provider = provider
        self.name = provider.name
        self.trigger = config.trigger
        self.has_defaults = config.has_defaults
        self.breaker = breaker
        self.retry = retry
        self.timeouts = timeouts
        self.weight = 1.0 if config.weight is None else float(config.weight)
        """Its share of the calls now, compared with the other places', where a strategy goes by that; 0 is none."""
        self.pace: Pace | None = None
        """How fast its streams have to come; None: as they do."""
        self.is_chain = provider.capabilities.is_chain
        """Whether the provider is itself a chain, however it is wrapped."""
        # What wraps a chain may hide which of its providers can tell.
        self.is_named = bool(getattr(provider, "idempotency_header", self.is_chain))
        """Whether requests go out with a name, by which the provider can tell a repeated one."""
        self.owed: deque[Callable[[], object]] = deque()
        """Attempts whose budget could not be written when they ended; what was set aside for them goes on counting."""
        self.peers: tuple[RunningSlot, ...] = (self,)
        """Places that share its quota, itself among them."""
        self.account: tuple[RunningSlot, ...] = (self,)
        """Places that are asked with the same key, itself among them: when it has no credit, they have none."""
        self.successes = self.calls_failed = self.handed_on = self.skips = self.retries = 0
        self.auth_failures = self.malformed = self.key_skips = self.health_skips = 0
        self.is_ill = False
        """Whether its provider is known to be ill, so that others are asked first."""
        self.layers: tuple[object, ...] = ()
        """What stands around it, from the outside to the inside; a layer that has nothing to do here is none."""
        self.refused_keys: RefusedKeys | None = None
        """What the chain remembers of keys; None in a place that is not part of one yet."""

    @property
    def credential(self) -> str | None:
        """The label of the key that its provider is asked with now; None where it has none."""
        label: str | None = getattr(self.provider, "credential", None)
        return label

    @property
    def key(self) -> str | int:
        """What its key is remembered by: the label, or its own number where there is none."""
        label = self.credential
        return self.index if label is None else label

    @property
    def has_key(self) -> bool:
        """Whether its provider has a key, or needs none, as far as it tells."""
        available = getattr(self.provider, "available", None)
        return bool(available()) if callable(available) else True

    @property
    def available_at_ns(self) -> int:
        """When it may be asked next, as far as its circuit and its key tell; in the past where it may be asked now."""
        at_ns = 0 if self.breaker is None else self.breaker.available_at_ns
        keys = self.refused_keys
        return max(at_ns, keys.until_ns(self.key)) if keys is not None and keys.known else at_ns

    def is_usable(self, now_ns: int) -> bool:
        """Tell whether calls go to it, and it is well and may be asked now, as far as is known."""
        return self.weight > 0 and not self.is_ill and self.available_at_ns <= now_ns

    def pay(self) -> None:
        """Settle what could not be settled when it ended, as far as that is possible now."""
        while self.owed:
            settle = self.owed.popleft()
            try:
                with suppress(RuntimeError):  # Somebody else has settled it: the parent of a fork.
                    settle()
            except ConfigurationError:
                self.owed.append(settle)
                return

    def model_for(self, asked: str | None) -> str | None:
        """Return the model to ask for, or None for the provider's own.

        Raises:
            ModelNotFoundError: The request names a model that this slot has no equivalent of; nothing was sent.
        """
        mapping = self.config.model_mapping
        if asked is None:
            return None
        if asked in mapping:
            return mapping[asked]
        if "*" in mapping:
            return mapping["*"]
        if self.index == 0 or self.is_chain or self.provider.model == asked or self.config.unmapped_models == "pass":
            return asked
        if mapping or self.provider.model is None:
            raise ModelNotFoundError(
                f"`{self.name}` has no equivalent of model `{asked}`. To fix: add it to the slot's model_mapping",
                provider=self.name,
                model=asked,
            )
        return None

    def window(self, asked: str | None, prices: Prices) -> int | None:
        """Return how many tokens the model holds that a request would go to; None where that is unknown.

        Args:
            asked: The model that the request names.
            prices: The list that knows windows too.
        """
        try:
            model = self.model_for(asked)
        except ModelNotFoundError:
            return None
        return self._window(model, prices)

    def _window(self, model: str | None, prices: Prices) -> int | None:
        # What a provider declares is true of its own model; what it is asked for may be another one.
        own, declared = self.provider.model, self.config.context_window
        if declared is not None:
            return declared
        declared = self.provider.capabilities.context_window
        if declared is not None and (model is None or model == own):
            return declared
        known = prices.context_window(self.name, model or own)
        return declared if known is None else known

    def refusal(
        self, request: CompletionRequest, streaming: bool, prices: Prices, *, is_last: bool
    ) -> LLMTestError | None:
        """Return why this provider cannot serve a request, without asking it.

        Args:
            request: The request, with the model that this provider is asked for.
            streaming: Whether the answer is to come in pieces.
            prices: The list that knows windows too.
            is_last: Whether it is the last one of its call: that is asked even where an estimate says that the prompt
                does not fit, for nobody else can be.
        """
        if self.is_chain:
            return None
        can = self.provider.capabilities
        if not is_last and (can.context_window is not None or self.config.context_window is not None):
            window = self._window(request.model, prices)
            overflow = None if window is None else self._overflow(request, window)
            if overflow is not None:
                return overflow
        if request.tools and not can.tools:
            return self._unable("call tools")
        if streaming and not can.streaming:
            return self._unable("stream")
        if not can.vision and any(
            isinstance(part, ImagePart)
            for message in request.messages
            if not isinstance(message.content, str | None)
            for part in message.content
        ):
            return self._unable("see images")
        return None

    def _unable(self, what: str) -> NotSupportedError:
        return NotSupportedError(f"`{self.name}` cannot {what}", provider=self.name, model=self.provider.model)

    def _overflow(self, request: CompletionRequest, window: int) -> ContextLengthExceededError | None:
        tokens = estimate_request_tokens(request) + (request.max_tokens or 0)
        if tokens <= window:
            return None
        error = ContextLengthExceededError(
            f"the request needs about {tokens} tokens, `{self.name}` holds {window}",
            provider=self.name,
            model=request.model or self.provider.model,
        )
        error.requested_tokens = tokens
        error.max_tokens = window
        return error

    def metrics(self) -> ProviderMetrics:
        """Return the counts."""
        return ProviderMetrics(
            self.name,
            self.provider.model,
            self.successes,
            self.calls_failed,
            self.handed_on,
            self.skips,
            self.retries,
            self.auth_failures,
            self.malformed,
            None if self.breaker is None else self.breaker.state,
            self.key_skips,
            self.health_skips,
        )
