"""The limiter of a chain: a guard that lets attempts wait for their turn, or refuses them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from llmtest.costs import estimate_request_tokens
from llmtest.errors import ConfigurationError, ThrottledError
from llmtest.events import LimitLearned, LimitRefused, LimitWaited, publish
from llmtest.resilience.limiting._limits import RateLimitConfig
from llmtest.resilience.limiting._store import Admission, Asking, Ended, LimiterStore, MemoryLimiterStore
from llmtest.resilience.limiting._waiting import NS, Turn, turn_for

if TYPE_CHECKING:
    from llmtest.events import LimitKind, LimitRefusal
    from llmtest.resilience.pipeline._pipeline import Pipeline
    from llmtest.resilience.pipeline._running_attempt import RunningAttempt
    from llmtest.resilience.pipeline._running_call import RunningCall
    from llmtest.resilience.pipeline._running_slot import RunningSlot
    from llmtest.types import Usage

__all__ = ["RateLimiter", "with_limits"]

KINDS = ("requests", "tokens", "input_tokens", "output_tokens")


def with_limits(
    pipeline: Pipeline,
    given: RateLimitConfig | RateLimiter | None,
    chain: str,
    places: Sequence[RunningSlot],
    store: LimiterStore | None = None,
) -> Pipeline:
    """Return what stands around the calls of a chain, with the limiter after its other guards.

    Args:
        pipeline: Its strategies so far.
        given: Its limits, or a limiter, which has a store of its own.
        chain: Its name.
        places: Its places.
        store: Where is counted what is sent, for limits without a limiter.

    Raises:
        ConfigurationError: It is neither limits nor a limiter.
    """
    if given is None:
        if not any(place.config.rate_limit is not None for place in places):
            return pipeline
        limiter = RateLimiter(None, store=store)
    elif isinstance(given, RateLimiter):
        limiter = given
    elif isinstance(given, RateLimitConfig):
        limiter = RateLimiter(given, store=store)
    else:
        raise ConfigurationError(
            f"chain `{chain}`: `rate_limit` is a `RateLimitConfig` or a `RateLimiter`, not {given!r}.\n"
            "To fix: rate_limit=RateLimitConfig(rpm=500)"
        )
    for place in places:
        if place.is_chain and place.config.rate_limit is not None:
            raise ConfigurationError(
                f"`rate_limit` of slot `{place.name}` would apply to nobody: it is a chain, and its own slots are "
                "asked.\nTo fix: give `rate_limit` to that chain, or to its slots"
            )
    return replace(pipeline, guards=(*pipeline.guards, limiter))


class RateLimiter:
    """Limits that several chains may share; a chain that is given a `RateLimitConfig` makes its own.

    Args:
        config: The limits; None: only slots with a `rate_limit` have any.
        store: Where is kept what was taken; by default in memory. Limiters that share a store share the limits.

    Example:
        >>> from llmtest import FallbackChain, OpenAIProvider, RateLimitConfig, RateLimiter
        >>> limiter = RateLimiter(RateLimitConfig(rpm=500))
        >>> chains = [FallbackChain([OpenAIProvider("sk-...", model=model)], rate_limit=limiter) for model in "ab"]
    """

    kind = "rate_limit"

    def __init__(self, config: RateLimitConfig | None, *, store: LimiterStore | None = None) -> None:
        self.config = config
        self.store: LimiterStore = MemoryLimiterStore() if store is None else store
        self._told: dict[str, Any] = {}
        self._is_shared: bool = getattr(self.store, "is_shared", False)
        self._acquire_async = getattr(self.store, "acquire_async", None)

    async def before(self, attempt: RunningAttempt) -> LimitPermit | None:
        """Let an attempt go when its turn has come.

        Raises:
            ThrottledError: It cannot go in time.
        """
        place, call = attempt.place, attempt.call
        config = place.config.rate_limit or self.config
        if config is None:
            return None
        clock = call.clock
        start_ns = clock.now_ns()
        turn = turn_for(call.parts)
        asking = self._asking(attempt, config, start_ns, turn)
        try:
            admission = await self._wait(asking, call, turn, start_ns)
        except BaseException:
            self.store.release(asking, Ended(is_sent=False), clock.now_ns() + asking.shift_ns)
            raise
        now_ns = clock.now_ns()
        if admission.refusal is not None:
            raise _refused(attempt, admission, asking.shift_ns, now_ns)
        if now_ns > start_ns:
            waited = (now_ns - start_ns) / NS
            publish(LimitWaited(now_ns, call.id, place.name, attempt.model, admission.limit, waited))
        return LimitPermit(self, asking, attempt)

    def _asking(self, attempt: RunningAttempt, config: RateLimitConfig, now_ns: int, turn: Turn) -> Asking:
        call, request = attempt.call, attempt.request
        latest_ns, cause = call.deadline_ns, "deadline"
        if config.queue_timeout is not None:
            queue_ns = now_ns + round(config.queue_timeout * NS)
            if latest_ns is None or queue_ns < latest_ns:
                latest_ns, cause = queue_ns, "queue_timeout"
        prompt = estimate_request_tokens(request)
        tokens = config.tokens(prompt, request.max_tokens)
        latest_cause: LimitRefusal = "deadline" if cause == "deadline" else "queue_timeout"
        key = attempt.place.credential or attempt.place.name
        asking = Asking(key, config, prompt, tokens, latest_ns, latest_cause, turn.wake)
        if self._is_shared:
            asking.shift_ns = call.clock.time_ns() - now_ns
            asking.latest_ns = None if latest_ns is None else latest_ns + asking.shift_ns
        return asking

    async def _wait(self, asking: Asking, call: RunningCall, turn: Turn, start_ns: int) -> Admission:
        """Return the admission that ends the wait; what was waited for last is its limit."""
        limit: LimitKind | None = None
        clock, now_ns = call.clock, start_ns + asking.shift_ns
        awaits = self._acquire_async if call.parts.is_async else None
        while True:
            admission = self.store.acquire(asking, now_ns) if awaits is None else await awaits(asking, now_ns)
            if admission.is_granted:
                return admission if limit is None else replace(admission, limit=limit)
            if admission.refusal is not None:
                return admission
            limit = admission.limit
            until_ns = [ns for ns in (admission.look_ns, asking.latest_ns) if ns is not None]
            poll_ns = None if admission.poll_ns is None else max(0, admission.poll_ns - now_ns)
            if not await turn.wait(clock, min(until_ns) - now_ns if until_ns else None, poll_ns):
                self.store.release(asking, Ended(is_sent=False), now_ns)
                return replace(admission, refusal="queue_timeout")
            now_ns = clock.now_ns() + asking.shift_ns

    def ended(self, asking: Asking, attempt: RunningAttempt, usage: Usage | None) -> None:
        """Take back what an attempt was granted, and learn what the provider told with its answer."""
        is_sent = bool(attempt.permits)
        now_ns = attempt.call.clock.now_ns()
        tokens = usage.total_tokens if usage is not None else 0 if is_sent else None
        ended = Ended(is_sent, tokens)
        if is_sent and asking.config.learn:
            ended = self._learnt(ended, asking, attempt, now_ns)
        self.store.release(asking, ended, now_ns + asking.shift_ns)

    def _learnt(self, ended: Ended, asking: Asking, attempt: RunningAttempt, now_ns: int) -> Ended:
        call, place = attempt.call, attempt.place
        told = getattr(place.provider, "rate_limits", None)
        known = self._told.get(asking.key)
        if told is not None and told is not known:
            self._told[asking.key] = told
            limits, at_ns = told
            states = {kind: state for kind in KINDS if (state := getattr(limits, kind, None)) is not None}
            found = {kind: (each.limit, each.remaining, round(each.reset_after * NS)) for kind, each in states.items()}
            ended = replace(ended, told=found, told_ns=at_ns + asking.shift_ns)
            for kind, state in states.items():
                before = None if known is None else getattr(known[0], kind, None)
                if before is None or before.limit != state.limit:
                    word: LimitKind = "rpm" if kind == "requests" else "tpm"
                    publish(LimitLearned(now_ns, call.id, place.name, word, state.limit))
        last = call.attempts[-1] if call.attempts else None
        if last is not None and last.start_ns == attempt.start_ns and last.outcome == "429" and last.retry_after:
            publish(LimitLearned(now_ns, call.id, place.name, "retry_after", None, last.retry_after))
            ended = replace(ended, pause_ns=round(last.retry_after * NS))
        return ended


class LimitPermit:
    """What one attempt was granted.

    Args:
        limiter: Who granted it.
        asking: What it asked for.
        attempt: The attempt.
    """

    __slots__ = ("_asking", "_attempt", "_is_open", "_limiter")

    def __init__(self, limiter: RateLimiter, asking: Asking, attempt: RunningAttempt) -> None:
        self._limiter = limiter
        self._asking = asking
        self._attempt = attempt
        self._is_open = True

    def settle(
        self,
        usage: Usage | None = None,
        *,
        cost_usd: Decimal | None = None,
        provider: str | None = None,
        model: str | None = None,
        service_tier: str | None = None,
    ) -> None:
        """Give the slot back, and count the tokens that were billed."""
        del cost_usd, provider, model, service_tier
        self._close(usage)

    def release(self) -> None:
        """Give the slot back; nothing was billed."""
        self._close(None)

    def _close(self, usage: Usage | None) -> None:
        if self._is_open:
            self._is_open = False
            self._limiter.ended(self._asking, self._attempt, usage)


def _refused(attempt: RunningAttempt, admission: Admission, shift_ns: int, now_ns: int) -> ThrottledError:
    place, limit, cause = attempt.place, admission.limit, admission.refusal
    assert cause is not None
    retry_after = None if admission.ready_ns is None else (admission.ready_ns - shift_ns - now_ns) / NS
    publish(LimitRefused(now_ns, attempt.call.id, place.name, attempt.model, limit, cause, retry_after))
    return ThrottledError(place.name, limit=limit, cause=cause, retry_after=retry_after)
