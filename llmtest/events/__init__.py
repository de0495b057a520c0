"""What happened: typed events in one trace, with the clock's timestamps.

Every decision anywhere in the package becomes an event here, and assertions, verdicts, metrics, reports and exports
read the trace and nothing else. Two sides write to it: simulated providers (`RequestReceived`, `RequestAnswered`,
`FaultFired`), which see every client whatever its make, and our own provider layer (calls, attempts, retries,
fallbacks, breakers, budgets), which knows why.

Events carry facts, in typed fields; text is made of them in one place, and data in another.

Events are cheap, because an hour of traffic makes a hundred thousand of them: slotted, written once, never changed.
`publish` hands an event to whoever has subscribed, which during a simulation is its trace.

| file | what it holds |
|---|---|
| `_event` | what every event is |
| `_calls` | logical calls: one call as the application sees it |
| `_requests` | what simulated providers saw, and what reached the network instead |
| `_attempts` | what our own layer did at one provider |
| `_policies` | what the policies of our own layer decided |
| `_health` | who is ill, and what somebody has to be told of |
| `_traffic` | how requests were spread, doubled and held back |
| `_recorded_error` | what is kept of an error |
| `_facts` | events as plain data, and back |
| `_wording` | the words for events, and the table of a trace |
| `_publishing` | who hears of events, and who numbers the calls |
| `_trace` | the events of one run, in the order in which they happened |
"""

from llmtest.events._attempts import AttemptEnded, RetryScheduled
from llmtest.events._calls import CallEnded, CallStarted, LogicalCall, Returned, current_call
from llmtest.events._context import (
    CompressionWay,
    ContextAssembled,
    ContextCompressed,
    ContextSourceFailed,
    SummaryCause,
    SummaryFailed,
)
from llmtest.events._event import Event
from llmtest.events._facts import COUNTS, EVENTS, LABELS, Fact, FactsError, event_of, facts_in, facts_of
from llmtest.events._health import (
    AlertKind,
    AlertUnit,
    HealthAlert,
    HealthChanged,
    HealthProbed,
    HealthSkipped,
    HealthSource,
    HealthState,
    ProbeAsk,
    ProbeTold,
)
from llmtest.events._policies import (
    BreakerCause,
    BreakerChanged,
    BreakerState,
    BreakerWatched,
    BudgetRejected,
    BudgetUnit,
    BudgetWarned,
    BudgetWarning,
    CacheFailed,
    CacheHit,
    CircuitSkipped,
    FallbackTaken,
    KeyRefused,
    StoreFailed,
    StoreKind,
)
from llmtest.events._publishing import begin_call, publish, subscribed
from llmtest.events._recorded_error import ErrorFacts, RecordedError, error_facts
from llmtest.events._requests import (
    FaultFired,
    HarnessErrorRecorded,
    LiveRequestPassed,
    RealIoObserved,
    RealTimeCause,
    RealTimePassed,
    RequestAnswered,
    RequestReceived,
    TelemetryKept,
)
from llmtest.events._trace import DIGEST_BATCH, Trace
from llmtest.events._traffic import (
    CascadeTaken,
    HedgeDecided,
    HedgeSent,
    LimitKind,
    LimitLearned,
    LimitRefusal,
    LimitRefused,
    LimitWaited,
    RouteTaken,
)
from llmtest.events._wording import describe

__all__ = [
    "COUNTS",
    "DIGEST_BATCH",
    "EVENTS",
    "LABELS",
    "AlertKind",
    "AlertUnit",
    "AttemptEnded",
    "BreakerCause",
    "BreakerChanged",
    "BreakerState",
    "BreakerWatched",
    "BudgetRejected",
    "BudgetUnit",
    "BudgetWarned",
    "BudgetWarning",
    "CacheFailed",
    "CacheHit",
    "CallEnded",
    "CallStarted",
    "CascadeTaken",
    "CircuitSkipped",
    "CompressionWay",
    "ContextAssembled",
    "ContextCompressed",
    "ContextSourceFailed",
    "ErrorFacts",
    "Event",
    "Fact",
    "FactsError",
    "FallbackTaken",
    "FaultFired",
    "HarnessErrorRecorded",
    "HealthAlert",
    "HealthChanged",
    "HealthProbed",
    "HealthSkipped",
    "HealthSource",
    "HealthState",
    "HedgeDecided",
    "HedgeSent",
    "KeyRefused",
    "LimitKind",
    "LimitLearned",
    "LimitRefusal",
    "LimitRefused",
    "LimitWaited",
    "LiveRequestPassed",
    "LogicalCall",
    "ProbeAsk",
    "ProbeTold",
    "RealIoObserved",
    "RealTimeCause",
    "RealTimePassed",
    "RecordedError",
    "RequestAnswered",
    "RequestReceived",
    "RetryScheduled",
    "Returned",
    "RouteTaken",
    "StoreFailed",
    "StoreKind",
    "SummaryCause",
    "SummaryFailed",
    "TelemetryKept",
    "Trace",
    "begin_call",
    "current_call",
    "describe",
    "error_facts",
    "event_of",
    "facts_in",
    "facts_of",
    "publish",
    "subscribed",
]
