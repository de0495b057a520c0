"""Works off batches: every line that is due is answered as its request would be, by script, faults and all."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from llmtest.errors import HarnessError
from llmtest.simulation.plan._plan import Chunk, Exchange, Failure, Head, Plan
from llmtest.wire import BatchLine, LineResult, WireCall, WireFormatError

if TYPE_CHECKING:
    from llmtest.errors import ProviderError
    from llmtest.simulation._engine import Engine
    from llmtest.wire import Endpoint

__all__ = ["work_off"]

Respond = Callable[["Engine", Exchange, WireCall], Plan]
Refuse = Callable[["Engine", "Endpoint", Exchange, "ProviderError"], Plan]


def work_off(engine: Engine, respond: Respond, refuse: Refuse) -> None:
    """Answer the lines that are due in the batches of a provider, in the order in which the batches were made.

    Lines are answered when the provider is next asked anything: nobody can tell the difference, for nobody sees the
    results before. Their requests are in the trace and the log like all others, billed at the price of batches.

    Raises:
        HarnessError: The script has no answer to one of them; recorded already.
    """
    store = engine.store
    with engine.world.lock:
        now = engine.world.clock.time_ns() / 1e9
        for job in tuple(store.under_way):
            while len(job.results) < job.due(now):
                try:
                    result = _answered(engine, job.lines[len(job.results)], respond, refuse)
                except HarnessError:
                    # It is told once, and not again to whatever is asked afterwards.
                    job.results.append(LineResult(failure="harness_error"))
                    raise
                job.results.append(result)
            if job.is_over(now) or len(job.results) == len(job.lines):
                store.under_way.remove(job)


def _answered(engine: Engine, line: BatchLine, respond: Respond, refuse: Refuse) -> LineResult:
    body = json.dumps(line.body, ensure_ascii=False, separators=(",", ":")).encode(errors="surrogatepass")
    headers = {"content-type": "application/json", **dict(line.headers)}
    exchange = Exchange(line.method, "https", "batch", 443, line.path, "", headers, body)
    match = engine.dialect.match(line.method, line.path, below=True)
    if match.endpoint is None:
        error = match.dialect.errors.not_found(line.method, line.path)
        return _read(refuse(engine, match.dialect.nothing, exchange, error))
    try:
        call = match.endpoint.read(headers, body, match.parameters)
    except WireFormatError as refused:
        return _read(refuse(engine, match.endpoint, exchange, refused.error))
    call.stream, call.is_batched = False, True
    return _read(respond(engine, exchange, call))


def _read(plan: Plan) -> LineResult:
    """Take an answer without its waits: how long a batch takes is its own affair."""
    status: int | None = None
    request_id: str | None = None
    pieces: list[bytes] = []
    failure: str | None = None
    for step in plan.steps:
        if isinstance(step, Head):
            status = step.status
            named = dict(step.headers)
            request_id = named.get("x-request-id") or named.get("request-id")
        elif isinstance(step, Chunk):
            pieces.append(step.data)
        elif isinstance(step, Failure):
            failure = plan.outcome
            break
    plan.on_end(plan.outcome)
    if failure is not None:
        return LineResult(status, request_id, failure=failure)
    try:
        return LineResult(status, request_id, json.loads(b"".join(pieces)))
    except ValueError:
        return LineResult(status, request_id, failure="malformed")
