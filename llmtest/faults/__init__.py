"""What can be made to go wrong, and when: `from llmtest import faults`.

| file | what it is |
|---|---|
| `_fault` | what every fault is: a value with a stage and a name |
| `_values` | the faults, by what goes wrong |
| `_rules` | rules of a scenario: when x where x what |

A script step (`handle.fails(fault)`) plays a fault once; a rule lets it strike by time, place and chance.
"""

from llmtest.faults._fault import FAULTS, FailureKind, Fault
from llmtest.faults._rules import FaultRule, StruckCall, Target
from llmtest.faults._values import (
    AuthenticationFailed,
    ConnectionClosed,
    ConnectionRefused,
    ConnectionReset,
    ContentFiltered,
    ContextLengthExceeded,
    EmptyResponse,
    InvalidRequest,
    MalformedBody,
    ModelNotFound,
    Overloaded,
    PermissionDenied,
    QuotaExceeded,
    RateLimited,
    RequestTooLarge,
    ServerError,
    SlowFirstToken,
    StreamDropped,
    StreamError,
    StreamMalformed,
    StreamStalled,
    StreamTruncated,
    Timeout,
    WrongContentType,
)

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
    "InvalidRequest",
    "MalformedBody",
    "ModelNotFound",
    "Overloaded",
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
    "WrongContentType",
]
