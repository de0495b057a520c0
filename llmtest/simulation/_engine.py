"""The decision: one request comes in, one `Answer` goes out. No HTTP, no codec, no waiting.

Stages, in this order whatever the order of declaration (design D9): quota, abort, latency, body, stream. In each the
first match wins, fault rules before the script. What aborts a request (quota, context window, a rule) plays no step.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from llmtest import errors, events
from llmtest.costs import count_tokens, estimate_prompt_tokens, estimate_request_tokens
from llmtest.faults import Fault, FaultRule, Target
from llmtest.simulation._fault_effects import lay_on
from llmtest.simulation._latency import LatencyModel
from llmtest.simulation._origin import current_actor, is_cancelled
from llmtest.simulation._prompt_cache import PromptCache
from llmtest.simulation._quota import Quota, Refusal
from llmtest.simulation._recorded_answer import no_step, plays, send_as_it_is
from llmtest.simulation._script_texts import broken_callable, no_value, wrong_result
from llmtest.simulation._service_steps import serve_step
from llmtest.simulation._spoken_answer import say
from llmtest.simulation.plan._answer import Answer, RequestRecord
from llmtest.simulation.plan._billing import bill_of, said_in
from llmtest.simulation.plan._fragmentation import Fragmentation
from llmtest.simulation.plan._plan import Exchange
from llmtest.simulation.plan._request_log import RecentRequests
from llmtest.simulation.script._generated_answer import Generated
from llmtest.simulation.script._generated_text import filler
from llmtest.simulation.script._reply import Prepared, Reply, lets_answer_begin, prepare
from llmtest.simulation.script._schema import SchemaError
from llmtest.simulation.script._script import Rule, Script
from llmtest.simulation.script._service_answers import Json, Raw, fits
from llmtest.types import CompletionRequest, EmbeddingRequest, Usage
from llmtest.wire import Dialect, Endpoint, Store, WireCall

if TYPE_CHECKING:
    from llmtest.simulation._world import World

__all__ = ["Engine", "size_of"]

MOST_CALLS_REMEMBERED = 8192
"""Logical calls whose attempts are counted at one time; the older half is forgotten, for they are over."""
SAID = (Reply, str)
"""What a function of a test may return about a conversation; asking a union takes three times as long."""
NOTHING = prepare(Reply(finish_reason="length"))
"""What is said to a request of no tokens."""
READY = (Fault, Json, Raw)
"""What a step may be beside a prepared answer and a function."""


def size_of(call: WireCall, answer: Answer) -> None:
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


def _only_warms(call: WireCall) -> bool:
    """Tell whether a request of no tokens has its prompt cached and no answer made."""
    endpoint = call.endpoint
    return endpoint.gives == "completion" and bool(endpoint.dialect.settings.get("warms_up"))


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
        self.prompt_cache = PromptCache()
        self.store = Store()
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
        endpoint, model, stream = call.endpoint, call.model, call.stream
        operation = endpoint.operation
        answer = Answer(number, exchange_id, call_id, now, operation, model, stream)
        if endpoint.gives != "completion":
            answer.is_conversation = False
        if world.keep_requests:
            record = answer.record = RequestRecord(number, call, now, exchange)
            self.records.append(record)
            # Who keeps the latest requests alone judges none of them.
            if call_id:
                record.is_after_cancellation = is_cancelled()
            elif world.most_requests is None:
                record.actor = current_actor()
                if world.origins.has_failures:
                    record.follows = world.origins.failed_before()
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
        with self.world.lock:
            answer = self._open(call, exchange)
        return self._decide(call, exchange, answer)

    def decide_again(self, call: WireCall, exchange: Exchange, answer: Answer) -> Answer:
        """Decide about a request that another model answers, because the one before it failed.

        Raises:
            HarnessError: As for `decide`.
        """
        again = Answer(
            answer.number, answer.exchange, answer.call, answer.start_ns, answer.operation, call.model, answer.stream
        )
        again.record = answer.record
        answer.leave()
        return self._decide(call, exchange, again)

    def _decide(self, call: WireCall, exchange: Exchange | None, answer: Answer) -> Answer:
        key: tuple[object, ...] = ()
        rules, script = self.rules, self.script
        with self.world.lock:
            size_of(call, answer)
            if rules or self.latency is not None:
                key = self._draw_key(answer)
            is_limited = rules or self.quota is not None or self.window is not None
            if is_limited and self._is_aborted(call, exchange, answer, key):
                return answer
            if script.has_windows:
                script.pass_time(answer.start_ns)
            gives = call.endpoint.gives
            rule = script.base if len(script.rules) == 1 else self._select(call)
            # What only warms a cache is told nothing of the script, but for what is meant for it.
            warms = answer.max_tokens == 0 and rule is script.base and _only_warms(call)
            step = None if rule is None or warms else rule.take(gives, answer.number, answer.start_ns)
        said: Any = NOTHING if warms else None if step is None else step.content
        if said.__class__ is Prepared:
            # What most steps are, and only a conversation is given.
            say(self, said, call, answer, key, is_direct=exchange is None)
            return answer
        if script.recordings and plays(self, rule, step, call, exchange, answer, key):
            return answer
        has_default = rule is not None and rule.default is not None and gives == "completion"
        if step is None and not has_default and call.endpoint.needs_script:
            raise no_step(self, call, exchange, answer)
        if gives != "completion":
            serve_step(self, None if step is None else step.content, call, answer, key)
            return answer
        assert rule is not None
        content: Any = rule.default if step is None else step.content
        prepared, fault = self._resolve(content, rule, _completion(call), answer)
        if isinstance(prepared, Raw):
            send_as_it_is(self, prepared, call, answer, key)
            return answer
        if fault is not None:
            lay_on(fault, answer, self)
        if answer.error is None and answer.failure is None:
            assert prepared is not None
            others = () if step is not None else self._others(rule, call)
            say(self, prepared, call, answer, key, is_direct=exchange is None, others=others)
        return answer

    def _draw_key(self, answer: Answer) -> tuple[object, ...]:
        """Name this request for the dice: by call and attempt where the call is known, else by its number."""
        if not answer.call:
            return ("", answer.number)
        attempts = self._attempts
        attempt = attempts.pop(answer.call, 0) + 1
        attempts[answer.call] = attempt
        if len(attempts) > MOST_CALLS_REMEMBERED:
            # Half at once: to look for the oldest of a dict from which others were taken is to pass all their places.
            for old in list(attempts)[: MOST_CALLS_REMEMBERED // 2]:
                del attempts[old]
        return (answer.call, attempt)

    def _is_aborted(self, call: WireCall, exchange: Exchange | None, answer: Answer, key: tuple[object, ...]) -> bool:
        size = answer.prompt_tokens + (answer.max_tokens or 0)
        if self.quota is not None and not call.is_batched:
            refusal = self.quota.admit(size, answer.start_ns)
            if exchange is not None or refusal is not None:
                answer.limits = self.quota.state(answer.start_ns)
            if refusal is not None:
                answer.refuse(self._rate_limited(refusal, call.model))
                return True
            answer.place = self.quota
        if self.window is not None and answer.is_conversation and size > self.window:
            error = errors.ContextLengthExceededError("", model=call.model, status=400)
            error.requested_tokens = size
            error.max_tokens = self.window
            answer.refuse(error)
            return True
        if self.rules:
            self._strike(call, answer, key)
        return answer.error is not None or answer.failure is not None

    def _rate_limited(self, refusal: Refusal, model: str | None) -> errors.ProviderError:
        """Make the error of a reached quota; its `retry_after` is the true wait."""
        if refusal.kind == "concurrent":
            crowded = errors.RateLimitedError("", model=model, status=429)
            crowded.limit_kind = refusal.kind
            return crowded
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
        try:
            return self.script.select(call)
        except Exception as error:
            raise self.world.record_harness_error(broken_callable(self.name, "predicate", error)) from error

    def _resolve(
        self, content: Any, rule: Rule, request: CompletionRequest, answer: Answer
    ) -> tuple[Prepared | Raw | None, Fault | None]:
        """Turn the content of a step into an answer, a fault, or a fault with an answer to break."""
        if not isinstance(content, READY):
            content = self.called(content, request, answer)
        if content.__class__ is Reply:
            return prepare(content), None
        if isinstance(content, Json | Raw):
            return content.raw, None
        if not isinstance(content, Fault):
            return prepare(content), None
        if not lets_answer_begin(content):
            return None, content
        default = rule.default or self.script.base.default
        if default is not None:
            return prepare(self.called(default, request, answer)), content
        return prepare(filler(getattr(content, "after_chunks", 0) + 4)), content

    def called(self, function: Callable[[Any], Any], request: Any, answer: Answer, gives: str = "completion") -> Any:
        """Return what a function of the test says about a request.

        Raises:
            HarnessError: It failed, or returned what no answer to such a request is made of; recorded already.
        """
        try:
            result = function(request)
        except SchemaError as error:
            self.note(answer, "harness_error")
            raise self.world.record_harness_error(no_value(self.name, error)) from error
        except Exception as error:
            self.note(answer, "harness_error")
            raise self.world.record_harness_error(broken_callable(self.name, "reply", error, gives)) from error
        if isinstance(result, SAID) and gives == "completion":
            return result
        if isinstance(result, Fault) or fits(result, gives):
            return result
        if asyncio.iscoroutine(result):
            result.close()
        self.note(answer, "harness_error")
        mistake = wrong_result(result, gives)
        raise self.world.record_harness_error(broken_callable(self.name, "reply", mistake, gives))

    @staticmethod
    def _others(rule: Rule, call: WireCall) -> tuple[Prepared, ...]:
        """Return the further answers of a request that wants several, where they are generated: each is another one."""
        request = _completion(call)
        choices = max(call.choices, request.n or 1)
        if choices == 1 or not isinstance(rule.default, Generated):
            return ()
        return tuple(prepare(rule.default.choice(request, number)) for number in range(1, choices))

    def note(self, answer: Answer, outcome: str) -> None:
        """Note what came of a request that was never answered."""
        answer.leave()
        if answer.record is not None:
            answer.record.outcome = outcome

    def finish(self, answer: Answer, outcome: str) -> None:
        """Note what came of a request, and charge for it."""
        if answer.place is not None:
            answer.leave()
        world = self.world
        name, model, call, tier, metadata = self.name, answer.model, answer.call, answer.service_tier, answer.metadata
        response = answer.response
        if outcome == "200" and response is not None and not answer.is_flawed:
            usage: Usage | None = response.usage  # handed over whole, as nearly always
        else:
            usage = bill_of(answer, outcome)
        cost: Decimal | None = None
        now = world.clock.now_ns()
        if usage is not None:
            cost = world.prices.cost(name, model, usage, tier=tier)
            caller = events.current_call.get()
            world.costs.record(
                name,
                model,
                usage,
                cost,
                at_ns=now,
                call=call,
                service_tier=tier,
                metadata=metadata,
                label=caller.label if caller is not None and caller.id == call else None,
                time_ns=world.clock.time_ns(),
            )
        if answer.permit is not None:
            answer.permit.settle(usage, cost, model, tier)
        record = answer.record
        if record is not None:
            record.outcome = outcome
            record.usage = usage
            record.cost_usd = cost
            record.response = response
            if outcome != "200":
                if not call:
                    world.origins.note_failure(answer.exchange)
                refused = answer.error or answer.recorded_error
                record.error = refused if outcome != "error" else answer.told_error
        event = events.RequestAnswered(
            now, call, answer.exchange, name, model, outcome, answer.start_ns, usage, usage is not None, cost
        )
        event.operation = answer.operation
        event.fault = answer.fault
        if tier is not None or metadata:
            event.service_tier = tier
            event.metadata = tuple(metadata.items())
        if outcome != "200":
            stated = answer.error or answer.recorded_error
            event.retry_after = None if stated is None else stated.retry_after
            event.partial_text = None if answer.told is None else said_in(answer.told)
        with world.lock:
            world.trace.append(event)
