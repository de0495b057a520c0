"""The trace: equal histories have equal digests, however they were kept."""

from decimal import Decimal

import pytest

from llmtest.errors import ServerError
from llmtest.events import (
    AttemptEnded,
    BreakerChanged,
    CallEnded,
    CallStarted,
    Event,
    FallbackTaken,
    HarnessErrorRecorded,
    RequestAnswered,
    RequestReceived,
    RetryScheduled,
    Trace,
)
from llmtest.types import Attempt, Usage

HISTORY = (
    CallStarted(0, 1, "chat"),
    RequestReceived(0, 1, 1, "openai", "gpt-4o", "chat", stream=False),
    RequestReceived(1, 0, 2, "openai", None, "models", stream=False),
    RequestReceived(2, 1, 3, "openai", "gpt-4o", "chat", stream=True),
    RequestAnswered(5, 1, 1, "openai", "gpt-4o", "200", 0, Usage(9, 2), True, Decimal("0.1")),
    RequestAnswered(6, 1, 3, "openai", None, "429", 2, retry_after=1.5, fault="rate_limited"),
    AttemptEnded(7, 1, Attempt("openai", "gpt-4o", 0, 5, "200")),
    AttemptEnded(8, 1, Attempt("openai", None, 0, 5, "503", slept_before=0.25, error=ServerError("no"))),
    RetryScheduled(8, 1, "openai", "gpt-4o", 1, 0.5, "503"),
    FallbackTaken(9, 1, "chain", "openai", "gpt-4o", "anthropic", None, "503"),
    BreakerChanged(9, 0, "openai", "closed", "open", "3 failures"),
    HarnessErrorRecorded(9, 0, ValueError("one\ntwo")),
    CallEnded(10, 1, "chat", "ok", "openai", "gpt-4o", 0),
    CallEnded(11, 1, "chat", "ok", "openai", None, 0),
    CallEnded(12, 1, "chat", "cancelled", None, None, 0),
)


@pytest.mark.parametrize("event", HISTORY, ids=lambda event: f"{event.kind}-{event.at_ns}")
def test_a_line_is_made_of_subject_and_detail(event):
    """An event that writes its line in one piece writes what every other event writes."""
    assert event.line() == Event.line(event)


def test_a_digest_does_not_depend_on_what_is_kept():
    """A trace that stores its events, one that stores none and one that may store more give one digest."""
    traces = (Trace(), Trace(keep=False), Trace(most=100))
    for trace in traces:
        for event in HISTORY:
            trace.append(event)
    assert {trace.digest() for trace in traces} == {"fc09c26e8157f9a994720e8bfd9556a0"}


def test_a_digest_can_be_asked_for_again():
    """Asking for the digest changes nothing, and it follows what happens next."""
    kept, passing = Trace(), Trace(keep=False)
    digests = []
    for event in HISTORY:
        kept.append(event)
        passing.append(event)
        assert kept.digest() == kept.digest() == passing.digest()
        digests.append(kept.digest())
    assert len(set(digests)) == len(HISTORY)
