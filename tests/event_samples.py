"""One history in which every kind of event occurs, and every field of each is used and left out."""

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from llmtest.errors import ServerError, UnknownPriceError
from llmtest.events import (
    AttemptEnded,
    BreakerChanged,
    BreakerWatched,
    BudgetRejected,
    BudgetWarned,
    CacheFailed,
    CacheHit,
    CallEnded,
    CallStarted,
    CascadeTaken,
    CircuitSkipped,
    ContextAssembled,
    ContextCompressed,
    ContextSourceFailed,
    Event,
    FallbackTaken,
    FaultFired,
    HarnessErrorRecorded,
    HealthAlert,
    HealthChanged,
    HealthProbed,
    HealthSkipped,
    HedgeDecided,
    HedgeSent,
    KeyRefused,
    LimitLearned,
    LimitRefused,
    LimitWaited,
    LiveRequestPassed,
    RealIoObserved,
    RealTimePassed,
    RequestAnswered,
    RequestReceived,
    RetryScheduled,
    Returned,
    RouteTaken,
    StoreFailed,
    SummaryFailed,
    TelemetryKept,
)
from llmtest.types import Attempt, Usage

FULL = Usage(9, 2, 3, 1, 1, "estimated", 1, 4, 0, (("fetch", 1), ("web_search", 2)), Decimal("0.00100"))
REFUSED = ServerError("no\nreally", status=503, provider="openai")
UNPRICED = UnknownPriceError("no price for `a:b`.\nTo fix: add one", provider="a", model="b")
LIMIT = ("usd", Decimal("1.50"), Decimal("1.2"))

HISTORY = (
    CallStarted(0, 1, "Zürich"),
    RequestReceived(0, 1, 1, "openai", "gpt-4o", "chat", stream=False),
    RequestReceived(1, 0, 2, "openai", None, "models", stream=False),
    RequestReceived(2, 1, 3, "openai", "gpt-4o", "chat", stream=True),
    FaultFired(2, 1, "noise", "openai", 3),
    RequestAnswered(5, 1, 1, "openai", "gpt-4o", "200", 0, FULL, True, Decimal("0.10")),
    RequestAnswered(6, 1, 3, "openai", None, "429", 2, retry_after=1.5, fault="rate_limited", partial_text="P"),
    RequestAnswered(
        6, 1, 2, "openai", "ada", "200", 2, Usage(9), True, None, None, None, "embeddings", "flex", (("a", "b"),)
    ),
    AttemptEnded(7, 1, Attempt("openai", "gpt-4o", 0, 5, "200", FULL, True, Decimal("1E-7"), 2, 0.25, "key", "hedge")),
    AttemptEnded(8, 1, Attempt("openai", None, 0, 5, "503", slept_before=0.25, error=REFUSED)),
    AttemptEnded(8, 1, Attempt("openai", None, 0, 5, "error", error=ValueError("odd"))),
    RetryScheduled(8, 1, "openai", "gpt-4o", 1, 0.5, "503"),
    RetryScheduled(8, 1, "openai", None, 2, 1, "error", "ValueError"),
    FallbackTaken(9, 1, "chain", "openai", "gpt-4o", "anthropic", None, "503", "ServerError"),
    FallbackTaken(9, 1, "chain", "openai", None, "anthropic", "claude", "circuit_open"),
    CircuitSkipped(9, 1, "openai", None, 29.5),
    CircuitSkipped(9, 1, "openai", "gpt-4o", 0.0),
    KeyRefused(9, 1, "openai", "gpt-4o", "401", "key-1", 300.0),
    KeyRefused(9, 1, "openai", None, "403", None, 1.5),
    CircuitSkipped(9, 1, "openai", "gpt-4o", None),
    BreakerChanged(9, 0, "openai", "closed", "open", "failures", 3, "503", "ServerError", 30.0),
    BreakerChanged(9, 0, "openai", "open", "half_open", "recovery_timeout"),
    BreakerChanged(9, 0, "openai", "half_open", "open", "probe_failed", None, "timeout", "ProviderTimeoutError", 60),
    BreakerChanged(9, 1, "openai", "open", "half_open", "all_open"),
    BreakerChanged(9, 1, "openai", "half_open", "closed", "probes_succeeded", 1),
    BreakerChanged(9, 1, "openai", "half_open", "closed", "probes_succeeded", 2),
    BreakerChanged(9, 1, "openai", "open", "closed", "reset"),
    BreakerChanged(9, 1, "openai", "closed", "open", "failure_rate", 5, "503", "ServerError", 30.0, 10),
    BreakerChanged(9, 1, "openai", "closed", "open", "slow_calls", 6, "slow", None, 30.0, 10),
    BreakerChanged(9, 1, "openai", "closed", "open", "anomaly", 4, "timeout", "ProviderTimeoutError", 60.0, 10),
    BreakerChanged(9, 0, "openai", "half_open", "isolated", "isolated"),
    BreakerChanged(9, 0, "openai", "isolated", "closed", "released"),
    BreakerWatched(9, 0, "openai", "pybreaker", "llm", "closed"),
    BreakerWatched(9, 0, "openai", "purgatory", "openai", "open"),
    BreakerWatched(9, 0, "openai", "aiobreaker", None, "half_open"),
    CacheHit(9, 1, "openai", "gpt-4o"),
    CacheHit(9, 1, "openai", None),
    HedgeSent(9, 1, "chain", 1, 2.5),
    HedgeDecided(9, 1, "chain", 0, "openai", "gpt-4o", 1),
    HedgeDecided(9, 1, "chain", 2, None, None, 0),
    LimitWaited(9, 1, "openai", "gpt-4o", "rpm", 0.25),
    LimitWaited(9, 1, "openai", None, "concurrency", 1),
    LimitRefused(9, 1, "openai", "gpt-4o", "tpm", "deadline", 12.5),
    LimitRefused(9, 1, "openai", None, "queue", "queue_full"),
    LimitLearned(9, 0, "openai", "tpm", 30000),
    LimitLearned(9, 0, "openai", "retry_after", None, 7.5),
    RouteTaken(9, 1, "smart", "openai", "mini", "score", "flash", Decimal("12.5")),
    RouteTaken(9, 1, "smart", "openai", None, "tools"),
    CascadeTaken(9, 1, "smart", "openai", "mini", "anthropic", None, "uncertain", "empty"),
    CascadeTaken(9, 1, "smart", "openai", None, "anthropic", "claude", "error", "503"),
    ContextCompressed(9, 1, "summary", 40, 6, 7000, 900),
    ContextCompressed(9, 1, "recovery", 40, 3, 7000, 3900),
    SummaryFailed(9, 1, "too_long"),
    SummaryFailed(9, 1, "error", REFUSED),
    ContextAssembled(9, 1, "openai", 2847, 6000, (("memory", 2),), (("no_room", 3),), 4),
    ContextAssembled(9, 0, None, 12, 8192),
    ContextSourceFailed(9, 1, "memory", REFUSED),
    CacheHit(9, 1, "openai", "gpt-4o", 59.5),
    CacheHit(9, 1, "openai", "gpt-4o", 59.5, 0.9731),
    CacheFailed(9, 1, "put", OSError("disk full")),
    StoreFailed(9, 1, "breaker", "admit", True, OSError("nobody listens")),
    StoreFailed(9, 0, "limiter", "release", False, OSError("timed out")),
    HealthProbed(9, 2, "openai", "gpt-4o", "call", "failure", "503"),
    HealthProbed(9, 2, "openai", None, "models", "success"),
    HealthProbed(9, 2, "openai", "gpt-4o", "call", "nothing"),
    HealthChanged(9, 0, "openai", "gpt-4o", "healthy", "unhealthy", "probe", 3, "503", "ServerError"),
    HealthChanged(9, 1, "openai", None, "healthy", "unhealthy", "call", 1, "empty"),
    HealthChanged(9, 0, "openai", "gpt-4o", "unhealthy", "healthy", "probe", 2),
    HealthSkipped(9, 1, "openai", "gpt-4o", 12.5),
    HealthSkipped(9, 1, "openai", None, 0),
    HealthAlert(9, 0, "openai", "gpt-4o", "downtime", True, "seconds", Decimal("61.5"), Decimal(60), "503"),
    HealthAlert(9, 0, "openai", None, "error_rate", False, "percent", Decimal("12.5"), Decimal("50.0")),
    HealthAlert(9, 1, "openai", "gpt-4o", "cost", True, "usd", Decimal("1.50"), Decimal("1.5")),
    HealthAlert(9, 1, "openai", "gpt-4o", "key_refused", True, outcome="401"),
    BudgetRejected(9, 1, "day", *LIMIT, Decimal("0.10"), Decimal("0.3")),
    BudgetRejected(9, 1, "session", "tokens", Decimal(50), Decimal(40), Decimal(0), Decimal(11)),
    BudgetRejected(9, 1, "price", error=UNPRICED),
    BudgetWarned(9, 1, "day", "threshold", *LIMIT, percent=Decimal("80.0")),
    BudgetWarned(9, 1, "task", "let_pass", "tokens", Decimal(50), Decimal(40), Decimal(0), Decimal(11)),
    BudgetWarned(9, 1, "month", "passed", *LIMIT),
    BudgetWarned(9, 1, "session", "underestimated", "tokens", Decimal(50), Decimal(80)),
    BudgetWarned(9, 1, "price", "unpriced", error=UNPRICED),
    BudgetWarned(9, 1, "ledger", "unsettled", error=OSError("locked")),
    LiveRequestPassed(9, 0, "example.com", "GET"),
    RealIoObserved(9, 0, "127.0.0.1:80"),
    RealTimePassed(9, 0, "native_wait", 3.98, where="app.py:12"),
    RealTimePassed(9, 0, "native_wait", 0.5),
    RealTimePassed(9, 0, "foreign_clock", library="somelib"),
    TelemetryKept(9, 0, "openai-agents", "api.openai.com", "POST", "/v1/traces/ingest"),
    TelemetryKept(9, 0, "posthog", "us.i.posthog.com"),
    HarnessErrorRecorded(9, 0, ValueError("one\ntwo")),
    HarnessErrorRecorded(9, 0, KeyboardInterrupt()),
    CallEnded(10, 1, "chat", "ok", "openai", "gpt-4o", 0, 5),
    CallEnded(11, 1, "chat", "ok", "openai", None, 0, returned=Returned("Hi", Usage(9, 2), "gpt-4o", Decimal("0.01"))),
    CallEnded(12, 1, "chat", "cancelled", None, None, 0),
)


@dataclass(slots=True)
class OwnEvent(Event):
    """A class of event that nobody has words for."""

    kind: ClassVar[str] = "own"

    name: str
    amount: Decimal


TABLE = """\
  t/s  call  event            who                what
0.000     1  call             Zürich
0.000     1  request          openai/gpt-4o      #1 chat
0.000     -  request          openai             #2 models
0.000     1  request          openai/gpt-4o      #3 chat stream
0.000     1  fault            openai             noise #3
0.000     1  answer           openai/gpt-4o      #1 200 9+2 tokens
0.000     1  answer           openai             #3 429 retry_after=1.5 fault=rate_limited
0.000     1  answer           openai/ada         #2 200 9+0 tokens
0.000     1  attempt          openai/gpt-4o      200 after 0.25 s
0.000     1  attempt          openai             503 after 0.25 s
0.000     1  attempt          openai             error
0.000     1  retry            openai/gpt-4o      #1 in 0.5 s because 503
0.000     1  retry            openai             #2 in 1 s because error
0.000     1  fallback         openai/gpt-4o      to anthropic because 503
0.000     1  fallback         openai             to anthropic/claude because circuit_open
0.000     1  circuit_open     openai             probe in 29.5 s
0.000     1  circuit_open     openai/gpt-4o      probe in 0 s
0.000     1  key_refused      openai/gpt-4o      key key-1 refused with 401, not tried for 300 s
0.000     1  key_refused      openai             its key refused with 403, not tried for 1.5 s
0.000     1  circuit_open     openai/gpt-4o      isolated
0.000     -  breaker          openai             closed -> open: 3 consecutive failures, the last: 503
0.000     -  breaker          openai             open -> half_open: recovery_timeout passed
0.000     -  breaker          openai             half_open -> open: a probe failed: timeout
0.000     1  breaker          openai             open -> half_open: every circuit is open
0.000     1  breaker          openai             half_open -> closed: 1 probe succeeded
0.000     1  breaker          openai             half_open -> closed: 2 probes succeeded
0.000     1  breaker          openai             open -> closed: reset
0.000     1  breaker          openai             closed -> open: 5 of 10 calls failed, the last: 503
0.000     1  breaker          openai             closed -> open: 6 of 10 calls were slow, the last: slow
0.000     1  breaker          openai             closed -> open: unusual: 4 of 10 calls failed, the last: timeout
0.000     -  breaker          openai             half_open -> isolated: isolated
0.000     -  breaker          openai             isolated -> closed: released
0.000     -  breaker_watched  openai             closed: a circuit `llm` of pybreaker
0.000     -  breaker_watched  openai             open: a circuit of purgatory
0.000     -  breaker_watched  openai             half_open: a circuit of aiobreaker
0.000     1  cache_hit        openai/gpt-4o
0.000     1  cache_hit        openai
0.000     1  hedge            chain              #1 after 2.5 s
0.000     1  hedge_decided    openai/gpt-4o      the first request was answered first, 1 request given up
0.000     1  hedge_decided    chain              #2 was answered first, 0 requests given up
0.000     1  limit_waited     openai/gpt-4o      rpm: 0.25 s
0.000     1  limit_waited     openai             concurrency: 1 s
0.000     1  limit_refused    openai/gpt-4o      tpm: deadline, possible in 12.5 s
0.000     1  limit_refused    openai             queue: queue_full
0.000     -  limit_learned    openai             tpm: 30000 a minute
0.000     -  limit_learned    openai             retry_after: nothing for 7.5 s
0.000     1  route            openai/mini        score flash 12.5 %
0.000     1  route            openai             tools
0.000     1  cascade          openai/mini        to anthropic because uncertain: empty
0.000     1  cascade          openai             to anthropic/claude because error: 503
0.000     1  compressed       summary            40 -> 6 messages, about 7000 -> 900 tokens
0.000     1  compressed       recovery           40 -> 3 messages, about 7000 -> 3900 tokens
0.000     1  summary_failed   summary            too long
0.000     1  summary_failed   summary            no
0.000     1  assembled        openai             2 of memory, about 2847 of 6000 tokens; left out: 3 no room, 4 turns
0.000     -  assembled                           nothing, about 12 of 8192 tokens
0.000     1  source_failed    memory             no
0.000     1  cache_hit        openai/gpt-4o      kept 59.5 s ago
0.000     1  cache_hit        openai/gpt-4o      alike by 0.973, kept 59.5 s ago
0.000     1  cache_failed     cache              put: disk full
0.000     1  store_failed     breaker            admit refused: nobody listens
0.000     -  store_failed     limiter            release went on without it: timed out
0.000     2  probe            openai/gpt-4o      asked for an answer, failure: 503
0.000     2  probe            openai             asked for its models, success
0.000     2  probe            openai/gpt-4o      asked for an answer, nothing
0.000     -  health           openai/gpt-4o      healthy -> unhealthy: 3 failures in a row, the last: 503, by a probe
0.000     1  health           openai             healthy -> unhealthy: 1 failure, the last: empty, by a call
0.000     -  health           openai/gpt-4o      unhealthy -> healthy: 2 successes in a row, by a probe
0.000     1  unhealthy        openai/gpt-4o      asked last, ill for 12.5 s
0.000     1  unhealthy        openai             asked last, ill for 0 s
0.000     -  alert            openai/gpt-4o      downtime, 61.5 s, the limit is 60 s, the last failure: 503
0.000     -  alert            openai             error rate, is over, 12.5 %, the limit is 50 %
0.000     1  alert            openai/gpt-4o      cost, $1.5, the limit is $1.5
0.000     1  alert            openai/gpt-4o      key refused, the last failure: 401
0.000     1  budget_rejected  day                spent 1.2 + reserved 0.1 + requested 0.3 > limit $1.5
0.000     1  budget_rejected  session            spent 40 + reserved 0 + requested 11 > limit 50 tokens
0.000     1  budget_rejected  price              no price for `a:b`.
0.000     1  budget_warned    day                spent $1.2 of $1.5, 80 % or more
0.000     1  budget_warned    task               not halted: spent 40 + reserved 0 + requested 11 > limit 50 tokens
0.000     1  budget_warned    month              spent $1.2 of $1.5: not halted
0.000     1  budget_warned    session            spent 80 tokens of 50 tokens: more than was reserved
0.000     1  budget_warned    price              not counted: no price for `a:b`.
0.000     1  budget_warned    ledger             not settled yet: locked
0.000     -  live             example.com        GET
0.000     -  real_io          127.0.0.1:80
0.000     -  real_time        app.py:12          4.0 s of real time passed in a wait that is not virtual
0.000     -  real_time                           0.5 s of real time passed in a wait that is not virtual
0.000     -  real_time        somelib            reads the machine's clock, which is not virtual
0.000     -  telemetry        openai-agents      POST /v1/traces/ingest to api.openai.com did not leave
0.000     -  telemetry        posthog            a connection to us.i.posthog.com did not leave
0.000     -  harness_error    ValueError         one
0.000     -  harness_error    KeyboardInterrupt
0.000     1  call_end         chat               ok by openai/gpt-4o
0.000     1  call_end         chat               ok by openai
0.000     1  call_end         chat               cancelled"""
