"""The limits of one attempt: which one is reached first, and what it is called."""

import pytest

from llmtest.clock import TimeLimits, VirtualClock
from llmtest.types import NO_TIMEOUTS, Timeouts

ALL = Timeouts(connect=1, first_token=2, read=3, total=4)


def limits(timeouts, *, after=0.0, streaming=True):
    """Return limits of an attempt that began `after` seconds ago."""
    clock = VirtualClock()
    found = TimeLimits(timeouts, clock, streaming=streaming)
    clock.advance(after)
    return found


@pytest.mark.parametrize(
    ("after", "steps"),
    [
        (0.0, [(1.0, "connect"), (2.0, "first_token"), (2.0, "first_token"), (3.0, "read")]),
        (1.5, [(1.0, "connect"), (2.0, "first_token"), (0.5, "first_token"), (2.5, "total")]),
        (3.5, [(0.5, "total"), (0.5, "total"), (0.0, "first_token"), (0.5, "total")]),
        (5.0, [(0.0, "total"), (0.0, "total"), (0.0, "first_token"), (0.0, "total")]),
    ],
    ids=["at once", "later", "nearly over", "over"],
)
def test_the_limit_that_is_reached_first_counts(after, steps):
    """Connection and silence begin anew, the first piece and the whole run on from the start."""
    found = limits(ALL, after=after)
    nearest = [found.connecting(), found.head(), found.piece(), found.silence()]
    assert [(limit.seconds, limit.phase) for limit in nearest] == steps
    found.has_begun = True
    assert found.piece() == found.silence()


def test_what_is_not_limited_never_ends():
    """Without limits nothing is ever overdue, and there is nothing left to name."""
    found = limits(NO_TIMEOUTS, after=1e6)
    assert [found.connecting().ns, found.head().ns, found.piece().seconds, found.overdue()] == [None] * 4
    assert str(found.error("read")) == "nothing more came"


@pytest.mark.parametrize(
    ("after", "streaming", "phase"),
    [(2.0, True, None), (2.1, True, "first_token"), (2.1, False, None), (4.0, False, None), (4.1, True, "total")],
)
def test_what_comes_at_the_moment_of_its_limit_is_in_time(after, streaming, phase):
    """A limit has passed after its moment, not at it; the first piece is a matter of streams."""
    assert limits(ALL, after=after, streaming=streaming).overdue() == phase


@pytest.mark.parametrize(
    ("phase", "seconds", "text"),
    [
        ("connect", 1, "the connection did not stand within 1 s"),
        ("first_token", 2, "the answer did not begin within 2 s"),
        ("read", 3, "nothing more came within 3 s"),
        ("write", 3, "nothing more came within 3 s"),
        ("total", 4, "the answer was not complete within 4 s"),
    ],
)
def test_every_limit_has_its_words(phase, seconds, text):
    """The error says what did not happen, and within which time."""
    error = limits(ALL).error(phase)
    assert (str(error), error.phase, error.timeout) == (text, phase, seconds)
