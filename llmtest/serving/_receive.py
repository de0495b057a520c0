"""From the bytes of a request to the plan of its answer: no socket, no waiting, and nothing gets out but a plan."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from llmtest.errors import HarnessError, ProviderError, RequestTooLargeError, ServerError
from llmtest.events import LogicalCall, current_call
from llmtest.serving._cors import is_preflight, permission, readable
from llmtest.serving._routing import Route, UnknownPathError, route_of
from llmtest.simulation import Chunk, Exchange, Head, Plan, World
from llmtest.wire import Dialect, ResponseMeta, WireFormatError

if TYPE_CHECKING:
    from llmtest.serving._request_heads import RequestHead

__all__ = ["MOST_BYTES", "Reception"]

MOST_BYTES = 32 * 1024 * 1024
"""The largest body that is read: Anthropic's own limit, held for every provider."""

NO_RETRY = ("x-should-retry", "false")
"""Tells the official SDKs that asking again would change nothing."""

logger = logging.getLogger("llmtest.serving")


class Reception:
    """Decides about every request to the providers of a world.

    Args:
        world: The providers. Its clock should be the machine's: what is served takes its time.
        verbose: Whether the log tells of every request; of those that nobody serves it always does.
    """

    def __init__(self, world: World, *, verbose: bool = False) -> None:
        self._world = world
        self._verbose = verbose
        self.call: LogicalCall | None = None
        """The logical call that requests belong to, where somebody has marked one."""

    def plan(self, exchange: Exchange, head: RequestHead | None = None) -> Plan:
        """Return what to do with a request; whatever is wrong with it has an answer in its own dialect.

        A request that the script has no step for is recorded as a harness error, which fails the test at its end; on
        the wire it is a 500 with the harness's own text, marked as not worth a retry.

        Args:
            exchange: The request.
            head: Its head, where that is kept; then what the body says is read once.
        """
        if "origin" not in exchange.headers:
            plan = self._decide(exchange, head)
        elif is_preflight(exchange.method, exchange.headers):
            plan = permission(exchange.headers)
        else:
            plan = readable(self._decide(exchange, head))
        if self._verbose:
            plan.on_end = _told(exchange, plan.on_end)
        return plan

    def _decide(self, exchange: Exchange, head: RequestHead | None) -> Plan:
        route = None if head is None else head.route
        if route is None:
            try:
                route = route_of(self._world, exchange.method, exchange.path, exchange.headers)
            except UnknownPathError as unknown:
                return self._unserved(unknown, exchange)
            if head is not None:
                head.route = route
        marked = None if self.call is None else current_call.set(self.call)
        try:
            return self._answer(route, exchange, head)
        except HarnessError as error:
            failure = ServerError(f"{type(error).__name__}: {error}", status=500, code="llmtest_harness_error")
            return self._refusal(route.endpoint.dialect, failure, NO_RETRY)
        except Exception as error:
            logger.exception("%s %s could not be answered", exchange.method, exchange.path)
            failure = ServerError(f"llmtest failed: {type(error).__name__}: {error}", status=500)
            return self._refusal(route.endpoint.dialect, failure, NO_RETRY)
        finally:
            if marked is not None:
                current_call.reset(marked)

    def _unserved(self, unknown: UnknownPathError, exchange: Exchange) -> Plan:
        """Note a request that nobody here answers: it fails the test, and the log tells of it."""
        marked = None if self.call is None else current_call.set(self.call)
        try:
            unknown.provider.note_unserved(unknown.match, exchange)
        finally:
            if marked is not None:
                current_call.reset(marked)
        logger.warning("%s %s is served by nobody: %s", exchange.method, exchange.path, unknown.error.status)
        return self._refusal(unknown.dialect, unknown.error)

    def _answer(self, route: Route, exchange: Exchange, head: RequestHead | None) -> Plan:
        known = None if head is None else head.calls.get(exchange.body)
        if known is not None:
            return route.provider.respond(exchange, known)
        endpoint, parameters = route.endpoint, route.parameters
        if endpoint.reads_query:
            parameters = endpoint.with_query(parameters, exchange.query)
        headers = exchange.headers
        if route.prefix:  # Addresses in an answer have to come back to the same provider.
            headers = {**headers, "x-forwarded-prefix": route.prefix}
        try:
            call = endpoint.read(headers, exchange.body, parameters)
        except WireFormatError as refused:
            return route.provider.refuse(exchange, refused.error, endpoint)
        except Exception as broken:
            raise route.provider.note_unread(endpoint, exchange, broken) from broken
        if head is not None:
            head.remember(exchange.body, call)
        return route.provider.respond(exchange, call)

    def too_large(self, exchange: Exchange) -> Plan:
        """Return the 413 for a body over the limit."""
        try:
            dialect = route_of(self._world, exchange.method, exchange.path, exchange.headers).endpoint.dialect
        except UnknownPathError as unknown:
            dialect = unknown.dialect
        refusal = self._refusal(dialect, RequestTooLargeError("", status=413))
        return readable(refusal) if "origin" in exchange.headers else refusal

    def _refusal(self, dialect: Dialect, error: ProviderError, *more: tuple[str, str]) -> Plan:
        now = self._world.clock.now()
        meta = ResponseMeta(created_s=int(now.timestamp()), now=now, api_key="")
        status, headers, body = dialect.encode_error(error, meta)
        return Plan((Head(status, (*headers, *more)), Chunk(body)), str(status), _nothing)


def _told(exchange: Exchange, on_end: Callable[[str], None]) -> Callable[[str], None]:
    """Tell the log how a request ended."""

    def end(outcome: str) -> None:
        on_end(outcome)
        logger.info("%s %s: %s", exchange.method, exchange.path, outcome)

    return end


def _nothing(outcome: str) -> None:
    """Nobody keeps count of requests that reached no provider."""
