"""Eighteen ways in which a provider goes wrong, for pairs of clients of which one is to be found out."""

from llmtest import faults

SCHEDULES = {
    "rate-limit-with-a-wait": (faults.RateLimited(retry_after=2),),
    "rate-limits": (faults.RateLimited(), faults.RateLimited(), faults.RateLimited()),
    "overloaded": (faults.Overloaded(),) * 2,
    "one-500": (faults.ServerError(500),),
    "an-outage": (faults.ServerError(503),) * 9,
    "timeouts": (faults.Timeout(), faults.Timeout()),
    "refused": (faults.ConnectionRefused(),) * 3,
    "reset": (faults.ConnectionReset(),),
    "malformed": (faults.MalformedBody(),),
    "empty": (faults.EmptyResponse(),),
    "stream-dropped-late": (faults.StreamDropped(after_chunks=2),),
    "stream-dropped-at-once": (faults.StreamDropped(after_chunks=0),) * 2,
    "stream-truncated": (faults.StreamTruncated(after_chunks=1),),
    "no-credit": (faults.QuotaExceeded(),) * 2,
    "wrong-request": (faults.InvalidRequest(),),
    "wrong-key": (faults.AuthenticationFailed(),) * 2,
    "no-such-model": (faults.ModelNotFound(),),
    "prompt-too-long": (faults.ContextLengthExceeded(),),
}
"""What a provider answers first, by name; then it is well."""


def schedule(handle, name):
    """Let a provider go wrong as a schedule says, and be well afterwards."""
    for fault in SCHEDULES[name]:
        handle.fails(fault, optional=True)
    handle.echoes()
