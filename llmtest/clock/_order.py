"""Sets without chance: asyncio and anyio iterate over sets of objects, whose order depends on addresses.

Tasks hash by a counter instead, and the few places that make a set of something else get an ordered one, only while a
virtual loop runs.
"""

from __future__ import annotations

import asyncio
import asyncio.tasks
import sys
from collections.abc import Callable, Iterable, Iterator, MutableSet
from contextlib import contextmanager, nullcontext
from importlib import import_module
from itertools import count
from typing import TYPE_CHECKING, Any

from llmtest.clock._names import party_of_caller
from llmtest.clock._patches import Patches

if TYPE_CHECKING:
    from llmtest.clock._participants import Party


class OrderedTask(asyncio.Task[Any]):
    """A task that hashes by its number, so that a set of tasks has the same order in every process."""

    def __init__(self, coroutine: Any, *, number: int, **options: Any) -> None:
        self._number = number  # first: the base registers the task in a set
        super().__init__(coroutine, **options)

    def __hash__(self) -> int:
        return self._number

    def set_name(self, value: object) -> None:
        """Take a name; asyncio passes None to a factory's task that was given none."""
        if value is not None:
            super().set_name(value)

    __eq__ = object.__eq__


def ordered_task_factory() -> Callable[..., asyncio.Task[Any]]:
    """Make a task factory that numbers the tasks of one loop."""
    numbers = count(1)

    def make(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        number = next(numbers)
        if options.get("name") is None:
            options["name"] = f"Task-{number}"  # asyncio counts through the whole process, which no message can quote
        return OrderedTask(coroutine, loop=loop, number=number, **options)

    return make


class OrderedSet(MutableSet[Any]):
    """A set that iterates in the order of insertion, with the methods that anyio uses."""

    __slots__ = ("_items",)

    def __init__(self, items: Iterable[Any] = ()) -> None:
        self._items = dict.fromkeys(items)

    def __contains__(self, item: object) -> bool:
        return item in self._items

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def add(self, value: Any) -> None:
        """Add an item at the end, unless it is there."""
        self._items[value] = None

    def discard(self, value: Any) -> None:
        """Remove an item, if it is there."""
        self._items.pop(value, None)

    def copy(self) -> OrderedSet:
        """Return a copy in the same order."""
        return OrderedSet(self._items)


def _set_in_order(items: Iterable[Any] = ()) -> Any:
    """Stand in for `set` inside `asyncio.tasks`, where `as_completed` makes one of bare coroutines."""
    items = tuple(items)
    if any(asyncio.iscoroutine(item) for item in items):
        return dict.fromkeys(items)
    return set(items)


_depth = 0
_anyio_patches = Patches()


@contextmanager
def deterministic_order() -> Iterator[None]:
    """Make the order of asyncio's and anyio's sets repeatable while the context is open; may be nested."""
    global _depth  # noqa: PLW0603 - counts the open contexts of the process
    if _depth == 0:
        asyncio.tasks.set = _set_in_order  # type: ignore[attr-defined]  # shadows the builtin in that module
    _depth += 1
    order_anyio_scopes()
    try:
        yield
    finally:
        _depth -= 1
        if _depth == 0:
            del asyncio.tasks.set  # type: ignore[attr-defined]  # uncovers the builtin
            _anyio_patches.undo()


def order_anyio_scopes() -> None:
    """Give anyio's cancel scopes ordered sets, and count its worker threads, once anyio is loaded.

    anyio loads its half for asyncio when a loop first needs it; here that is done before, as scopes made until then
    would keep stock sets.
    """
    if "anyio" not in sys.modules or _depth == 0 or _anyio_patches:
        return
    backend: Any = import_module("anyio._backends._asyncio")
    scope_init = backend.CancelScope.__init__
    run_in_thread = backend.AsyncIOBackend.run_sync_in_worker_thread.__func__

    def __init__(self: Any, *args: Any, **options: Any) -> None:  # noqa: N807 - it becomes that method
        scope_init(self, *args, **options)
        self._child_scopes = OrderedSet()
        self._tasks = OrderedSet()

    async def run_sync_in_worker_thread(cls: Any, func: Any, *args: Any, **options: Any) -> Any:
        party = party_of_caller()
        function = func if party is None else _in_turn(party, func)
        holding = getattr(asyncio.get_running_loop(), "holding", nullcontext)
        with holding():
            return await run_in_thread(cls, function, *args, **options)

    _anyio_patches.replace(backend.CancelScope, "__init__", __init__)
    _anyio_patches.replace(backend.AsyncIOBackend, "run_sync_in_worker_thread", classmethod(run_sync_in_worker_thread))


def _in_turn(party: Party, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that waits in its worker thread until those have run that were submitted before it."""
    number = next(party.numbers)

    def run(*args: Any) -> Any:
        party.take_turn(number)
        return function(*args)

    return run
