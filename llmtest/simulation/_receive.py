"""A request in its wire format comes in, a `Plan` goes out."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

from llmtest.errors import SimulationStateError
from llmtest.interception import telemetry_at
from llmtest.interception._telemetry import ANSWER, HEAD
from llmtest.simulation._admission import TurnedAway
from llmtest.simulation._batch_work import work_off
from llmtest.simulation._endpoints import serve
from llmtest.simulation._engine import Engine
from llmtest.simulation._fault_effects import note_edits
from llmtest.simulation._gateway import ask_others, state_cost
from llmtest.simulation._own_endpoint import own_endpoint
from llmtest.simulation._script_texts import broken_dialect, unapplied_edit
from llmtest.simulation._unserved_text import unserved
from llmtest.simulation.plan._answer import Answer
from llmtest.simulation.plan._billing import events_in
from llmtest.simulation.plan._plan import Chunk, Exchange, Head, Plan, Step
from llmtest.simulation.plan._render import plain, render
from llmtest.simulation.plan._wire_edit import UnappliedEditError
from llmtest.wire import Endpoint, Match, ResponseMeta, WireCall, WireFormatError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmtest.errors import HarnessError, ProviderError
    from llmtest.simulation._admission import Permit
    from llmtest.simulation._provider import SimulatedProvider

__all__ = ["note_unread", "note_unserved", "plan_of", "receive", "refuse", "respond"]


def receive(provider: SimulatedProvider, exchange: Exchange) -> Plan:
    """Decide what to do with a request.

    Raises:
        HarnessError: The script has no answer, or nobody speaks the format; recorded already.
    """
    engine = provider.engine
    match = provider.world.match(provider, exchange.method, exchange.host, exchange.port, exchange.path)
    endpoint = match.endpoint
    if endpoint is None:
        reporter = telemetry_at(exchange.host, exchange.method, exchange.path)
        if reporter is not None:
            provider.world.note_telemetry(reporter, exchange.host, exchange.method, exchange.path)
            return Plan((Head(200, HEAD), Chunk(ANSWER)), "200", lambda _: None)
        if not engine.script.recordings:
            raise note_unserved(provider, match, exchange)
        # What a recording has, it answers, whether anybody here knows the endpoint or not.
        endpoint = own_endpoint(engine.spoken, exchange.method, exchange.path)
    parameters = match.parameters if not endpoint.reads_query else endpoint.with_query(match.parameters, exchange.query)
    try:
        call = endpoint.read(exchange.headers, exchange.body, parameters)
    except WireFormatError as refused:
        return refuse(engine, endpoint, exchange, refused.error)
    except Exception as broken:
        raise note_unread(provider, endpoint, exchange, broken) from broken
    return respond(engine, exchange, call)


def note_unread(provider: SimulatedProvider, endpoint: Endpoint, exchange: Exchange, broken: Exception) -> HarnessError:
    """Note a request at which its dialect failed, and return the error of the test that it is.

    As it was raised, the code under test would take it for one of its own, or ask again.
    """
    answer = provider.engine.open(WireCall(endpoint, model=_model_in(exchange.body), api_key=""), exchange)
    provider.engine.note(answer, "harness_error")
    return provider.world.record_harness_error(broken_dialect(endpoint, broken, reading=True))


def note_unserved(provider: SimulatedProvider, match: Match, exchange: Exchange) -> HarnessError:
    """Note a request that nobody here answers, as every other one, and return the error of the test that it is."""
    call = WireCall(match.dialect.nothing, model=_model_in(exchange.body), api_key="")
    answer = provider.engine.open(call, exchange)
    provider.engine.note(answer, "unserved")
    return provider.world.record_harness_error(unserved(provider, match, exchange))


def respond(engine: Engine, exchange: Exchange, call: WireCall) -> Plan:
    """Decide what to do with a request that has been read already.

    Raises:
        HarnessError: The script has no answer; recorded already.
    """
    if engine.store.under_way and not call.is_batched:
        work_off(engine, respond, refuse)
    admission = engine.world.admission
    if admission is None or call.is_batched:
        return _respond(engine, exchange, call, None)
    permit = admission(engine.name, call, exchange)
    if isinstance(permit, TurnedAway):
        steps = (Head(permit.status, permit.headers), Chunk(permit.body))
        return Plan(steps, str(permit.status), lambda _: None)
    try:
        return _respond(engine, exchange, call, permit)
    except BaseException:
        if permit is not None:
            permit.release()
        raise


def _respond(engine: Engine, exchange: Exchange, call: WireCall, permit: Permit | None) -> Plan:
    if call.endpoint.recall is not None:
        try:
            call = call.endpoint.recall(call, engine.store)
        except WireFormatError as refused:
            # What a recording refers to was kept by the provider that was recorded.
            if not engine.script.recordings:
                if permit is not None:
                    permit.release()
                return refuse(engine, call.endpoint, exchange, refused.error)
    answer = engine.decide(call, exchange)
    if answer.error is not None and "models" in call.shaping:
        call, answer = ask_others(engine, call, exchange, answer)
    if answer.is_conversation and call.endpoint.dialect.settings.get("states_cost"):
        state_cost(engine, answer)
    answer.permit = permit
    # Over HTTP a key that is missing is a fact, which a 401 tells; on the direct path there are no keys.
    call.api_key = call.api_key or ""
    return plan_of(engine, answer, call)


def refuse(engine: Engine, endpoint: Endpoint, exchange: Exchange, error: ProviderError) -> Plan:
    """Turn down a request that the provider cannot read, or will not; no step is played."""
    call = WireCall(endpoint, model=_model_in(exchange.body), api_key="")
    answer = engine.open(call, exchange)
    answer.refuse(error)
    return plan_of(engine, answer, call)


def _model_in(body: bytes) -> str | None:
    """Return the model that a refused request names, as far as that can be told."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return None
    model = parsed.get("model") if isinstance(parsed, dict) else None
    return model if isinstance(model, str) and model else None


def plan_of(engine: Engine, answer: Answer, call: WireCall) -> Plan:
    """Render an answer as a plan, whose end is noted by the engine."""
    endpoint = call.endpoint
    if call.is_batched:
        answer.service_tier = "batch"
    meta = meta_of(engine, answer, call)
    if not answer.is_conversation and answer.error is None and answer.failure is None and answer.raw is None:
        try:
            serve(engine, answer, call, meta)
        except WireFormatError as refused:
            answer.error = refused.error
    elif endpoint.keep is not None and answer.response is not None and answer.is_spoken:
        endpoint.keep(answer.response, call, meta, engine.store)
    try:
        if answer.is_plain and (not answer.stream or (answer.raw is not None and answer.pieces is None)):
            steps: Iterable[Step] = plain(answer, call, endpoint, meta)
            outcome = "200" if answer.raw is None else str(answer.raw.status)
            return Plan(steps, outcome, partial(engine.finish, answer))
        steps, outcome = render(answer, call, endpoint, meta)
    except UnappliedEditError as problem:
        engine.note(answer, "harness_error")
        raise engine.world.record_harness_error(unapplied_edit(engine.name, problem)) from None
    except SimulationStateError as missing:
        engine.note(answer, "harness_error")
        engine.world.record_harness_error(missing)
        raise
    except Exception as broken:
        engine.note(answer, "harness_error")
        raise engine.world.record_harness_error(broken_dialect(endpoint, broken, reading=False)) from broken
    if answer.struck:
        note_edits(answer, engine)

    def on_end(ended: str) -> None:
        # Whatever limit ends a silence, and wherever it was held: it is this provider's silence, as it was planned.
        own = outcome == "timeout" or (outcome == "stalled" and ended == "timeout")
        if answer.taken and answer.told is None and ended != "200":
            answer.told = events_in(answer.taken, endpoint)
        engine.finish(answer, outcome if own else ended)

    return Plan(steps, outcome, on_end)


def meta_of(engine: Engine, answer: Answer, call: WireCall) -> ResponseMeta:
    """Return what surrounds an answer: ids from the world's seed, the world's time, the quotas."""
    world = engine.world
    dialect = call.endpoint.dialect
    number = world.number(answer.exchange)
    meta = ResponseMeta(
        dialect.response_id(number),
        world.clock.time_ns() // 1_000_000_000,
        dialect.request_id(number),
        answer.model,
        answer.limits,
    )
    meta.number = number
    meta.processing_ms = (answer.head_ns + answer.slow_ns) // 1_000_000
    meta.api_key = call.api_key
    if answer.limits is not None:
        # Only limits are told by the time of day, and telling it costs as much as all the rest.
        meta.now = world.clock.now()
    return meta
