"""Who hears of events, and who numbers the calls."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

from llmtest.events._calls import LogicalCall
from llmtest.events._event import Event

__all__ = ["CallNumbering", "Subscriber", "begin_call", "publish", "subscribed"]


Subscriber = Callable[[Event], None]


CallNumbering = Callable[[str], LogicalCall]


_subscribers: tuple[Subscriber, ...] = ()


_numberings: tuple[CallNumbering, ...] = ()


_subscribing = threading.Lock()


_unobserved_calls = count(1)


def publish(event: Event) -> None:
    """Hand an event to every subscriber; does nothing where there is none."""
    for subscriber in _subscribers:
        subscriber(event)


def begin_call(label: str) -> LogicalCall:
    """Number a new logical call: by whoever records the run, so that its numbers are those of its trace."""
    numberings = _numberings
    return numberings[-1](label) if numberings else LogicalCall(next(_unobserved_calls), label)


@contextmanager
def subscribed(subscriber: Subscriber, *, number_call: CallNumbering | None = None) -> Iterator[None]:
    """Receive every event published in the process while the context is open, from any thread.

    Args:
        subscriber: Called with each event.
        number_call: Numbers the logical calls that our own clients begin, as `Trace.next_call` does.
    """
    global _subscribers, _numberings  # noqa: PLW0603 - process-wide lists, replaced whole so that readers need no lock
    with _subscribing:
        _subscribers = (*_subscribers, subscriber)
        if number_call is not None:
            _numberings = (*_numberings, number_call)
    try:
        yield
    finally:
        with _subscribing:
            remaining = list(_subscribers)
            remaining.remove(subscriber)
            _subscribers = tuple(remaining)
            if number_call is not None:
                numberings = list(_numberings)
                numberings.remove(number_call)
                _numberings = tuple(numberings)
