"""`llm_sim.call`: one logical call of the code under test, and what its caller got."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import Token
from decimal import Decimal
from functools import wraps
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar

from llmtest.conduct import returned_by, usage_of
from llmtest.errors import SimulationStateError
from llmtest.events import CallEnded, CallStarted, LogicalCall, Returned, current_call

if TYPE_CHECKING:
    from llmtest.testing._simulation import Simulation

__all__ = ["MarkedCall"]

P = ParamSpec("P")
R = TypeVar("R")
NOT_SAID: Any = object()
"""Stands for a value of which nothing was said; None is a value, and says that the caller got nothing."""


class MarkedCall:
    """One logical call: a context manager, or a decorator of a function that makes one call each time.

    Args:
        simulation: Where it happens.
        label: How the trace calls it.

    Example:
        >>> from llmtest import Simulation
        >>> with Simulation() as sim, sim.call("summary") as call:
        ...     call.returned("Nothing was asked.")
    """

    def __init__(self, simulation: Simulation, label: str) -> None:
        self.label = label
        self._simulation = simulation
        self._call: LogicalCall | None = None
        self._token: Token[LogicalCall | None] | None = None
        self._start_ns = 0
        self._returned: Returned | None = None

    @property
    def id(self) -> int:
        """Number of the call within the trace; 0 before it has begun."""
        return 0 if self._call is None else self._call.id

    def returned(
        self,
        value: object = NOT_SAID,
        *,
        text: str | None = None,
        usage: object = None,
        model: str | None = None,
        cost: str | Decimal | None = None,
    ) -> None:
        """Say what the caller got, which no provider can see.

        Findings such as `truncated_answer_accepted` are judged by it. The decorator says it by itself.

        Args:
            value: What the code under test returned: a text, an answer of any SDK, the pieces of a stream. None, or an
                empty text: it returned nothing.
            text: The text, where it cannot be read from the value.
            usage: The tokens that it was told: `Usage`, or any SDK's.
            model: The model that it was told.
            cost: The cost that it was told, in USD.
        """
        amount = None if cost is None else Decimal(cost)
        told = Returned(cost_usd=amount) if value is NOT_SAID else returned_by(value, amount)
        self._returned = Returned(
            told.text if text is None else text,
            told.usage if usage is None else usage_of(usage),
            told.model if model is None else model,
            told.cost_usd,
        )

    def __enter__(self) -> Self:
        if self._token is not None:
            raise SimulationStateError(
                f"the call `{self.label}` is under way already.\nTo fix: mark each call by itself, with "
                f'`{self._simulation.name}.call("{self.label}")`.'
            )
        trace = self._simulation.trace
        self._returned = None
        self._call = trace.next_call(self.label)
        self._start_ns = self._simulation.world.clock.now_ns()
        trace.append(CallStarted(self._start_ns, self._call.id, self.label))
        self._simulation.note_mark(self._call, begins=True)
        self._token = current_call.set(self._call)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        token, self._token = self._token, None
        if token is not None:
            current_call.reset(token)
        self._end(error)

    def _end(self, error: BaseException | None) -> None:
        assert self._call is not None
        self._simulation.note_mark(self._call, begins=False)
        outcome = "ok"
        if error is not None:
            name = type(error).__name__
            outcome = "cancelled" if name == "CancelledError" else name
        now = self._simulation.world.clock.now_ns()
        returned = self._returned if error is None else None
        end = CallEnded(now, self.id, self.label, outcome, None, None, self._start_ns, returned=returned)
        self._simulation.trace.append(end)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Mark every call of a function; what it returns is what the caller got."""
        given: Any = function
        if inspect.iscoroutinefunction(function):

            async def asynchronous(*args: Any, **options: Any) -> Any:
                with self._fresh() as call:
                    value = await given(*args, **options)
                    call.returned(value)
                return value

            return wraps(function)(asynchronous)  # type: ignore[return-value]  # it returns what the function does
        if inspect.isgeneratorfunction(function):
            return wraps(function)(lambda *args, **options: self._fresh().pieces(given(*args, **options)))  # type: ignore[return-value]
        if inspect.isasyncgenfunction(function):
            return wraps(function)(lambda *args, **options: self._fresh().pieces_async(given(*args, **options)))  # type: ignore[return-value]

        @wraps(function)
        def blocking(*args: P.args, **options: P.kwargs) -> R:
            with self._fresh() as call:
                value = function(*args, **options)
                call.returned(value)
            return value

        return blocking

    def _fresh(self) -> MarkedCall:
        return MarkedCall(self._simulation, self.label)

    def _pause(self) -> None:
        """Leave the mark while the reader has a piece: what it does meanwhile is no part of this call."""
        if self._token is not None:
            current_call.reset(self._token)
            self._token = None

    def pieces(self, pieces: Iterator[Any]) -> Iterator[Any]:
        """Read a generator inside the call; all its pieces together are what the caller got."""
        told: list[Any] = []
        self.__enter__()
        error: BaseException | None = None
        try:
            for piece in pieces:
                told.append(piece)
                self._pause()
                yield piece
                self._token = current_call.set(self._call)
        except BaseException as caught:
            error = caught
            raise
        finally:
            self._pause()
            self.returned(told)
            self._end(None if isinstance(error, GeneratorExit) else error)

    async def pieces_async(self, pieces: AsyncIterator[Any]) -> AsyncIterator[Any]:
        """Read an asynchronous generator inside the call, in the same way."""
        told: list[Any] = []
        self.__enter__()
        error: BaseException | None = None
        try:
            async for piece in pieces:
                told.append(piece)
                self._pause()
                yield piece
                self._token = current_call.set(self._call)
        except BaseException as caught:
            error = caught
            raise
        finally:
            self._pause()
            self.returned(told)
            self._end(None if isinstance(error, GeneratorExit) else error)
