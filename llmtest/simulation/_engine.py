"""The decision: one request comes in, one `Answer` goes out. No HTTP, no codec, no waiting.

Stages, in this order whatever the order of declaration (design D9): quota, abort, latency, body, stream. In each the
first match wins, fault rules before the script. What aborts a request (quota, context window, a rule) plays no step.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from llmtest import errors, events
from llmtest.costs import count_tokens, estimate_prompt_tokens, estimate_request_tokens
from llmtest.faults import Fault, FaultRule, Target
from llmtest.simulation._fault_effects import lay_on
from llmtest.simulation._latency import LatencyModel
from llmtest.simulation._quota import Quota, Refusal
from llmtest.simulation._script_texts import broken_callable, unscripted
from llmtest.simulation._service_steps import send_raw, serve_step
from llmtest.simulation.plan._answer import Answer, RequestRecord
from llmtest.simulation.plan._billing import bill_of
from llmtest.simulation.plan._fragmentation import Cutter, Fragmentation
from llmtest.simulation.plan._plan import Exchange
from llmtest.simulation.plan._request_log import RecentRequests
from llmtest.simulation.script._generated_text import filler
from llmtest.simulation.script._reply import Prepared, Reply, lets_answer_begin, prepare
from llmtest.simulation.script._script import Rule, Script
from llmtest.simulation.script._service_answers import Embedding, Json, Raw
from llmtest.types import UNKNOWN_USAGE, CompletionRequest, CompletionResponse, EmbeddingRequest, Usage
from llmtest.wire import Dialect, Endpoint, WireCall

if TYPE_CHECKING:
    from llmtest.simulation._world import World

__all__ = ["Engine"]

MOST_CALLS_REMEMBERED = 4096
RESULTS = (Reply, str, Fault, Json, Raw, Embedding)
"""Logical calls whose attempts are counted at one time; older ones are over."""


@lru_cache(maxsize=1024)
def _usage_of(prompt: int, output: int, reasoning: int) -> Usage:
    return Usage(prompt, output, 0, 0, reasoning)


def _size(call: WireCall, answer: Answer) -> None:
    """Note the size of a request."""
    unread = call.unread
    if unread is not None:
        answer.prompt_tokens = estimate_prompt_tokens(unread.texts)
        answer.max_tokens = unread.max_tokens
        return
    request = call.request
    if isinstance(request, CompletionRequest):
        answer.prompt_tokens = estimate_request_tokens(request)
        answer.max_tokens = request.max_tokens
    elif isinstance(request, EmbeddingRequest):
        texts = request.inputs
        answer.prompt_tokens = sum(count_tokens(text) if isinstance(text, str) else len(text) for text in texts)


def _completion(call: WireCall) -> CompletionRequest:
    request = call.request
    assert isinstance(request, CompletionRequest)
    return request


class Engine:
    """Everything one simulated provider knows, and how it decides.

    Args:
        world: Clock, trace, seed, prices and account.
        name: Name of the provider.
        dialect: The API it speaks.
    """

    def __init__(self, world: World, name: str, dialect: Dialect) -> None:
        self.world = world
        self.name = name
        self.dialect = dialect
        self.spoken = dialect.spoken
        """The dialect that ids and errors are in, where no path tells."""
        self.script = Script()
        self.reset()

    def reset(self) -> None:
        """Forget script, faults, quotas, latency and every request."""
        self.script.clear()
        self.quota: Quota | None = None
        self.latency: LatencyModel | None = None
        self.window: int | None = None
        self.fragmentation: Fragmentation | None = None
        self.rules: list[FaultRule] = []
        most = self.world.most_requests
        self.records: list[RequestRecord] | RecentRequests = [] if most is None else RecentRequests(most)
        self.received = 0
        self._attempts: dict[int, int] = {}
        self.own: dict[tuple[str, str], Endpoint] = {}
        """Endpoints that only the script knows."""

    def open(self, call: WireCall, exchange: Exchange | None) -> Answer:
        """Number a request and note that it came."""
        with self.world.lock:
            return self._open(call, exchange)

    def _open(self, call: WireCall, exchange: Exchange | None) -> Answer:
        world = self.world
        logical = events.current_call.get()
        call_id = 0 if logical is None else logical.id
        self.received = number = self.received + 1
        now = world.clock.now_ns()
        trace = world.trace
        exchange_id = trace.next_exchange()
        operation, model, stream = call.operation, call.model, call.stream
        answer = Answer(number, exchange_id, call_id, now, operation, model, stream)
        if call.endpoint.gives != "completion":
            answer.is_conversation = False
        if world.keep_requests:
            answer.record = RequestRecord(number, call, now, exchange)
            self.records.append(answer.record)
        trace.append(events.RequestReceived(now, call_id, exchange_id, self.name, model, operation, stream))
        return answer

    def decide(self, call: WireCall, exchange: Exchange | None = None) -> Answer:
        """Decide about a request of any kind.

        Args:
            call: The request.
            exchange: How it came over HTTP; then ids and quota headers are made as well. None: it came directly.

        Raises:
            HarnessError: The script has no answer, or a function of it is broken; recorded already.
        """
        key: tuple[object, ...] = ()
        with self.world.lock:
            answer = self._open(call, exchange)
            _size(call, answer)
            if self.rules or self.latency is not None:
                key = self._draw_key(answer)
            is_limited = self.rules or self.quota is not None or self.window is not None
            if is_limited and self._is_aborted(call, exchange, answer, key):
                return answer
            if self.script.has_windows:
                self.script.pass_time(answer.start_ns)
            gives = call.endpoint.gives
            rule = self._select(call)
            step = None if rule is None else rule.take(gives, answer.number, answer.start_ns)
        if rule is None and call.endpoint.needs_script:
            raise self._unscripted(call, exchange, answer)
        if gives != "completion":
            serve_step(self, None if step is None else step.content, call, answer, key)
            return answer
        assert rule is not None
        content: Any = rule.default if step is None else step.content
        if content.__class__ is Prepared:
            self._say(content, call, answer, key, is_direct=exchange is None)
            return answer
        if isinstance(content, Json | Raw):
            send_raw(self, content.raw, answer, key)
            return answer
        prepared, fault = self._resolve(content, rule, _completion(call), answer)
        if prepared is not None and isinstance(prepared, Raw):
            send_raw(self, prepared, answer, key)
            return answer
        if fault is not None:
            lay_on(fault, answer, self)
        if answer.error is None and answer.failure is None:
            assert prepared is not None
            self._say(prepared, call, answer, key, is_direct=exchange is None)
        return answer

    def _draw_key(self, answer: Answer) -> tuple[object, ...]:
        """Name this request for the dice: by call and attempt where the call is known, else by its number."""
        if not answer.call:
            return ("", answer.number)
        attempts = self._attempts
        attempt = attempts.pop(answer.call, 0) + 1
        attempts[answer.call] = attempt
        if len(attempts) > MOST_CALLS_REMEMBERED:
            del attempts[next(iter(attempts))]
        return (answer.call, attempt)

    def _is_aborted(self, call: WireCall, exchange: Exchange | None, answer: Answer, key: tuple[object, ...]) -> bool:
        size = answer.prompt_tokens + (answer.max_tokens or 0)
        if self.quota is not None:
            refusal = self.quota.admit(size, answer.start_ns)
            if exchange is not None or refusal is not None:
                answer.limits = self.quota.state(answer.start_ns)
            if refusal is not None:
                answer.error = self._rate_limited(refusal, call.model)
                return True
        if self.window is not None and answer.is_conversation and size > self.window:
            error = errors.ContextLengthExceededError("", model=call.model, status=400)
            error.requested_tokens = size
            error.max_tokens = self.window
            answer.error = error
            return True
        if self.rules:
            self._strike(call, answer, key)
        return answer.error is not None or answer.failure is not None

    def _rate_limited(self, refusal: Refusal, model: str | None) -> errors.ProviderError:
        """Make the error of a reached quota; its `retry_after` is the true wait."""
        wait = None if refusal.wait_ns is None else refusal.wait_ns / 1e9
        return self.spoken.over_quota(model, refusal.kind, wait)

    def _strike(self, call: WireCall, answer: Answer, key: tuple[object, ...]) -> None:
        """Let fault rules strike, the first of each stage; an abort leaves nothing for the others to strike at."""
        target = Target(self.name, call)
        seed, now = self.world.seed, answer.start_ns
        struck: dict[str, FaultRule] = {}
        for rule in self.rules:
            if rule.strikes(target, now, seed, key):
                stage = rule.fault.stage
                struck.setdefault(stage if stage != "wire" else rule.name, rule)
        if not struck:
            return
        aborting = struck.get("abort")
        for rule in [aborting] if aborting is not None else struck.values():
            if rule.fault.stage == "wire":
                lay_on(rule.fault, answer, self, rule)
                continue
            rule.fired += 1
            self.world.trace.append(events.FaultFired(now, answer.call, rule.name, self.name, answer.exchange))
            lay_on(rule.fault, answer, self)

    def _select(self, call: WireCall) -> Rule | None:
        script = self.script
        if len(script.rules) == 1:
            return script.base if script.base.can_answer(call.endpoint.gives) else None
        try:
            return script.select(call)
        except Exception as error:
            raise self.world.record_harness_error(broken_callable(self.name, "predicate", error)) from error

    def _resolve(
        self, content: Any, rule: Rule, request: CompletionRequest, answer: Answer
    ) -> tuple[Prepared | Raw | None, Fault | None]:
        """Turn the content of a step into an answer, a fault, or a fault with an answer to break."""
        if not isinstance(content, Fault):
            content = self.called(content, request, answer)
        if isinstance(content, Json | Raw):
            return content.raw, None
        if not isinstance(content, Fault):
            return prepare(content), None
        if not lets_answer_begin(content):
            return None, content
        default: Callable[[CompletionRequest], str] | None = rule.default or self.script.base.default
        if default is not None:
            return prepare(default(request)), content
        return prepare(filler(getattr(content, "after_chunks", 0) + 4)), content

    def called(self, function: Callable[[Any], Any], request: Any, answer: Answer) -> Any:
        """Return what a function of the test says about a request.

        Raises:
            HarnessError: It failed, or returned what no answer is made of; recorded already.
        """
        try:
            result = function(request)
        except Exception as error:
            self.note(answer, "harness_error")
            raise self.world.record_harness_error(broken_callable(self.name, "reply", error)) from error
        if isinstance(result, RESULTS):  # asking a union takes three times as long
            return result
        if asyncio.iscoroutine(result):
            result.close()
        mistake = TypeError(f"it returned {type(result).__name__}, not a str, a Reply or a fault")
        self.note(answer, "harness_error")
        raise self.world.record_harness_error(broken_callable(self.name, "reply", mistake))

    def _say(
        self, prepared: Prepared, call: WireCall, answer: Answer, key: tuple[object, ...], *, is_direct: bool
    ) -> None:
        """Fill in the response, what it bills and when it comes."""
        if prepared.fault is not None:
            lay_on(prepared.fault, answer, self)
        usage = prepared.usage
        choices = call.choices
        if usage is None:
            most = answer.max_tokens
            output, reasoning = prepared.output_tokens, prepared.reasoning_tokens
            if most is not None and output > most:
                # A text may be scripted longer than the request allows; a bill that long no provider writes.
                output, reasoning = most, min(reasoning, most)
            usage = _usage_of(answer.prompt_tokens, output * choices, reasoning * choices)
        said = prepared.said
        if is_direct or choices > 1 or said is None or not self._says_the_same(said, usage, answer.model):
            said = self._response(prepared, usage, choices, answer, is_direct=is_direct)
        answer.response = said
        answer.chunks = prepared.chunks
        answer.headers = prepared.headers
        if prepared.is_odd:
            answer.edits += prepared.edits
            answer.events = prepared.events
        if answer.stream:
            mode = prepared.fragmentation or self.fragmentation or self.world.fragmentation
            if mode != "events":
                answer.cutter = Cutter(mode, self.world.seed, self.name, answer.number)
        latency = self.latency if prepared.latency is None else prepared.latency
        if latency is not None:
            if not key:
                key = ("reply", answer.number)
            answer.head_ns, answer.body_ns = latency.draw_ns(
                usage.output_tokens, self.world.seed, "latency", self.name, *key
            )
        quota = self.quota
        if quota is not None:
            admitted = answer.max_tokens or 0
            if usage.output_tokens > admitted:
                with self.world.lock:
                    quota.settle(usage.output_tokens - admitted)

    def _says_the_same(self, said: CompletionResponse, usage: Usage, model: str | None) -> bool:
        return said.usage is usage and said.model == model and said.provider == self.name

    def _response(
        self, prepared: Prepared, usage: Usage, choices: int, answer: Answer, *, is_direct: bool
    ) -> CompletionResponse:
        number = answer.exchange
        parts = prepared.parts
        if prepared.needs_ids:
            make_id, base = self.spoken.tool_call_id, self.world.number(number) << 16
            parts = prepared.with_ids(lambda index: make_id(base + index))
        response = CompletionResponse(
            parts=parts,
            finish_reason=prepared.finish_reason,
            usage=usage,
            model=answer.model,
            id=f"sim-{number}" if is_direct else None,
            provider=self.name,
        )
        if choices > 1:
            # The same answer in each: a test scripts what comes back, not what a model might vary.
            others = (replace(response, usage=UNKNOWN_USAGE),) * (choices - 1)
            return replace(response, alternatives=others)
        if not (is_direct or prepared.needs_ids):
            prepared.said = response
        return response

    def _unscripted(self, call: WireCall, exchange: Exchange | None, answer: Answer) -> errors.HarnessError:
        self.note(answer, "unscripted")
        error = unscripted(
            self.script,
            provider=self.name,
            method="direct" if exchange is None else exchange.method,
            path="call" if exchange is None else exchange.path,
            model=call.model,
            stream=call.stream,
            request_number=answer.number,
            fixture=self.world.fixture,
        )
        return self.world.record_harness_error(error)

    def note(self, answer: Answer, outcome: str) -> None:
        """Note what came of a request that was never answered."""
        if answer.record is not None:
            answer.record.outcome = outcome

    def finish(self, answer: Answer, outcome: str) -> None:
        """Note what came of a request, and charge for it."""
        world = self.world
        usage = bill_of(answer, outcome)
        cost: Decimal | None = None
        now = world.clock.now_ns()
        if usage is not None:
            cost = world.prices.cost(self.name, answer.model, usage)
            world.costs.record(self.name, answer.model, usage, cost, at_ns=now, call=answer.call)
        record = answer.record
        if record is not None:
            record.outcome = outcome
            record.usage = usage
            record.cost_usd = cost
        error = answer.error
        event = events.RequestAnswered(
            now,
            answer.call,
            answer.exchange,
            self.name,
            answer.model,
            outcome,
            answer.start_ns,
            usage,
            usage is not None,
            cost,
            None if error is None else error.retry_after,
            answer.fault,
            answer.operation,
        )
        with world.lock:
            world.trace.append(event)
