"""A request in its wire format comes in, a `Plan` goes out."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from llmtest.simulation._addresses import dialect_of
from llmtest.simulation._endpoints import serve
from llmtest.simulation._engine import Engine
from llmtest.simulation._unserved_text import unavailable_dialect, unknown_endpoint
from llmtest.simulation.plan._answer import Answer
from llmtest.simulation.plan._billing import events_in
from llmtest.simulation.plan._plan import Chunk, Exchange, Head, Plan, Step
from llmtest.simulation.plan._render import plain, render
from llmtest.wire import EPOCH, Codec, ResponseMeta, WireCall, WireFormatError, codec_for

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmtest.errors import ProviderError

__all__ = ["plan_of", "receive", "refuse", "respond"]


def receive(engine: Engine, dialect: str, exchange: Exchange) -> Plan:
    """Decide what to do with a request.

    Raises:
        HarnessError: The script has no answer, or nobody speaks the format; recorded already.
    """
    world = engine.world
    method, path = exchange.method, exchange.path
    spoken = dialect_of(dialect, path)
    if spoken is None:
        port = "" if exchange.port in {80, 443} else f":{exchange.port}"
        host = f"{exchange.host}{port}"
        error = unavailable_dialect(engine.name, dialect, exchange.scheme, host, method, path)
        raise world.record_harness_error(error)
    codec = codec_for(spoken)
    try:
        call = codec.decode_call(method, path, exchange.query, exchange.headers, exchange.body)
    except WireFormatError as refused:
        if refused.error.status in {404, 405}:
            error = unknown_endpoint(engine.name, exchange.host, method, path, spoken)
            raise world.record_harness_error(error) from None
        return refuse(engine, codec, exchange, refused.error)
    return respond(engine, codec, exchange, call)


def respond(engine: Engine, codec: Codec, exchange: Exchange, call: WireCall) -> Plan:
    """Decide what to do with a request that has been read already.

    Raises:
        HarnessError: The script has no answer; recorded already.
    """
    answer = engine.decide(call, exchange)
    # Over HTTP a key that is missing is a fact, which a 401 tells; on the direct path there are no keys.
    call.api_key = call.api_key or ""
    return plan_of(engine, answer, call, codec)


def refuse(engine: Engine, codec: Codec, exchange: Exchange, error: ProviderError) -> Plan:
    """Turn down a request that the provider cannot read, or will not; no step is played."""
    call = WireCall("chat", api_key="")
    answer = engine.open(call, exchange)
    answer.error = error
    return plan_of(engine, answer, call, codec)


def plan_of(engine: Engine, answer: Answer, call: WireCall, codec: Codec) -> Plan:
    """Render an answer as a plan, whose end is noted by the engine."""
    meta = meta_of(engine, answer, call, codec)
    if answer.is_plain and not answer.stream and call.operation == "chat":
        return Plan(plain(answer, call, codec, meta), "200", partial(engine.finish, answer))
    steps: Iterable[Step]
    if call.operation == "chat" or answer.error is not None or answer.failure is not None:
        steps, outcome = render(answer, call, codec, meta)
    else:
        body = serve(engine, answer, call, codec, meta)
        steps, outcome = (Head(200, codec.response_headers(meta)), Chunk(body)), "200"

    def on_end(ended: str) -> None:
        # Whatever limit ends a silence, and wherever it was held: it is this provider's silence, as it was planned.
        own = outcome == "timeout" or (outcome == "stalled" and ended == "timeout")
        if answer.taken and answer.told is None and ended != "200":
            answer.told = events_in(answer.taken, codec)
        engine.finish(answer, outcome if own else ended)

    return Plan(steps, outcome, on_end)


def meta_of(engine: Engine, answer: Answer, call: WireCall, codec: Codec) -> ResponseMeta:
    """Return what surrounds an answer: ids from the world's seed, the world's time, the quotas."""
    world = engine.world
    number = world.number(answer.exchange)
    return ResponseMeta(
        id=codec.response_id(number),
        created_s=world.clock.time_ns() // 1_000_000_000,
        request_id=codec.request_id(number),
        model=answer.model,
        limits=answer.limits,
        # Only limits are told by the time of day, and telling it costs as much as all the rest.
        now=EPOCH if answer.limits is None else world.clock.now(),
        processing_ms=(answer.head_ns + answer.slow_ns) // 1_000_000,
        api_key=call.api_key,
    )
