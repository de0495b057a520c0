"""What can be made to go wrong, and when: `from llmtest import faults`.

| file | what it is |
|---|---|
| `_fault` | what every fault is: a value with a stage and a name |
| `_refusals` | faults that are answered by an error: a status, a body, headers |
| `_retry_after` | the forms of `Retry-After` in them |
| `_connections` | faults in which no answer comes |
| `_broken_answers` | faults of an answer that begins well: late, broken, cut off, an error inside a stream |
| `_wire_edit` | answers that are right and written oddly |
| `_paths` | paths to fields of JSON |
| `_headers` | which headers can be sent |
| `_rules` | rules of a scenario: when x where x what |
| `_language` | a fault as scenario files and scripts write it |
| `_nearest_fault` | the fault that was meant: by an exception, a status, a word |

A fault says *what* happens; a script step (`handle.fails(fault)`) or a rule of a scenario says when. Each is rendered
in the dialect of the provider it hits: the same `RateLimited(retry_after=30)` is OpenAI's 429 at OpenAI and Anthropic's
at Anthropic, wording, headers and all.

Faults belong to one stage of an answer, and the stages come in a fixed order, whatever the order of declaration:

| stage | faults |
|---|---|
| abort | everything that is answered by an error, and every failure of the connection |
| latency | `SlowFirstToken` |
| body | `MalformedBody`, `WrongContentType`, `EmptyResponse` |
| wire | `WireEdit` |
| stream | `StreamDropped`, `StreamTruncated`, `StreamStalled`, `StreamError`, `StreamMalformed` |

Faults are plain values: equal, hashable, printed as they are written, and pytest uses their text as the id of a
parametrised case.
"""

from llmtest.faults._broken_answers import (
    EmptyResponse,
    MalformedBody,
    SlowFirstToken,
    StreamDropped,
    StreamError,
    StreamMalformed,
    StreamStalled,
    StreamTruncated,
    WrongContentType,
)
from llmtest.faults._connections import ConnectionClosed, ConnectionRefused, ConnectionReset, Timeout
from llmtest.faults._fault import FAULTS, FailureKind, Fault, HeaderChanges
from llmtest.faults._language import fault_from, fault_schema
from llmtest.faults._paths import PathStep, parse_path
from llmtest.faults._refusals import (
    AuthenticationFailed,
    ContentFiltered,
    ContextLengthExceeded,
    InvalidRequest,
    ModelNotFound,
    Overloaded,
    PermissionDenied,
    QuotaExceeded,
    RateLimited,
    RequestTooLarge,
    ServerError,
)
from llmtest.faults._rules import FaultRule, StruckCall, Target
from llmtest.faults._wire_edit import WireEdit

__all__ = [
    "FAULTS",
    "AuthenticationFailed",
    "ConnectionClosed",
    "ConnectionRefused",
    "ConnectionReset",
    "ContentFiltered",
    "ContextLengthExceeded",
    "EmptyResponse",
    "FailureKind",
    "Fault",
    "FaultRule",
    "HeaderChanges",
    "InvalidRequest",
    "MalformedBody",
    "ModelNotFound",
    "Overloaded",
    "PathStep",
    "PermissionDenied",
    "QuotaExceeded",
    "RateLimited",
    "RequestTooLarge",
    "ServerError",
    "SlowFirstToken",
    "StreamDropped",
    "StreamError",
    "StreamMalformed",
    "StreamStalled",
    "StreamTruncated",
    "StruckCall",
    "Target",
    "Timeout",
    "WireEdit",
    "WrongContentType",
    "fault_from",
    "fault_schema",
    "parse_path",
]


def __getattr__(name: str) -> object:
    from llmtest.faults._nearest_fault import no_such_name

    raise no_such_name(name, __all__)
