"""Events and their trace: facts, their words, the data made of them, and the digest of a history."""

from dataclasses import MISSING, fields
from decimal import Decimal
from json import dumps, loads
from pickle import dumps as pickled
from pickle import loads as unpickled
from typing import get_type_hints

import pytest

import llmtest.events
from llmtest.errors import RateLimitedError
from llmtest.events import (
    COUNTS,
    EVENTS,
    LABELS,
    Event,
    FactsError,
    RecordedError,
    RequestReceived,
    Trace,
    describe,
    event_of,
    facts_of,
)
from tests.event_samples import HISTORY, TABLE, OwnEvent

CLASSES = [cls for name in llmtest.events.__all__ if isinstance(cls := getattr(llmtest.events, name), type)]
KINDS = [cls for cls in CLASSES if issubclass(cls, Event) and cls is not Event]


@pytest.mark.parametrize("event", HISTORY, ids=lambda event: f"{event.kind}-{event.at_ns}")
def test_a_line_written_in_one_piece_is_the_line_of_the_facts(event):
    """An event that writes its line in one piece writes what every other event writes."""
    assert event.line() == Event.line(event)


@pytest.mark.parametrize("cls", KINDS, ids=lambda cls: cls.kind)
def test_m05_every_kind_of_event_has_its_samples(cls):
    """Every class is listed, has a kind of its own, and the history below uses every field of it and leaves it out."""
    assert cls in EVENTS
    assert [other for other in EVENTS if other.kind == cls.kind] == [cls]
    samples = [event for event in HISTORY if type(event) is cls]
    assert samples, f"add a {cls.__name__} to tests/event_samples.py"
    for field in fields(cls):
        used = [getattr(event, field.name) for event in samples]
        assert any(value is not None for value in used), f"no sample of {cls.__name__} has a {field.name}"
        if "None" in str(get_type_hints(cls)[field.name]):
            assert None in used, f"every sample of {cls.__name__} has a {field.name}"


@pytest.mark.parametrize("cls", KINDS, ids=lambda cls: cls.kind)
def test_m05_fields_are_facts(cls):
    """A field is a number, a word, an amount, an error or an object of such: nothing that somebody has to parse."""
    plain = {"int", "float", "str", "bool", "Decimal", "Usage", "Returned", "Attempt", "Exception", "BaseException"}
    for hint in get_type_hints(cls).values():
        if hint in (COUNTS, LABELS):
            continue
        if "ClassVar" not in str(hint) and "Literal" not in str(hint):
            parts = [part for part in getattr(hint, "__args__", (hint,)) if part is not type(None)]
            assert {part.__name__ for part in parts} <= plain
    prose = {"reason", "text", "detail", "message", "what"}
    assert prose.isdisjoint(field.name for field in fields(cls))


@pytest.mark.parametrize("event", HISTORY, ids=lambda event: f"{event.kind}-{event.at_ns}")
def test_m05_events_go_through_json_and_come_back_equal(event):
    """What is read is equal to what was written, has the same words and the same line."""
    back = event_of(loads(dumps(facts_of(event))))
    assert type(back) is type(event)
    assert back == event
    assert event == back
    assert describe(back) == describe(event)
    assert back.line() == event.line()


def test_m05_optional_facts_may_be_left_out():
    """Of a field with a default nothing has to be written."""
    for event in HISTORY:
        facts = facts_of(event)
        for field in fields(event):
            if field.default is not MISSING and facts[field.name] == field.default:
                del facts[field.name]
        assert event_of(facts) == event


def test_money_is_written_as_its_digits():
    """An amount is text without an exponent, so that no reader makes a float of it."""
    written = [facts_of(event) for event in HISTORY]
    assert written[5]["cost_usd"] == "0.10"
    assert written[8]["attempt"]["cost_usd"] == "0.0000001"


def test_an_error_is_written_as_its_class_text_and_status():
    """What is read back is equal to the error that was raised, and to no other."""
    raised = RateLimitedError("slow down", status=429, provider="openai")
    recorded = RecordedError("RateLimitedError", "slow down", 429)
    assert raised == recorded == raised
    assert hash(recorded) == hash(RecordedError("RateLimitedError", "slow down", 429))
    assert str(recorded) == "slow down"
    assert recorded != RecordedError("RateLimitedError", "slow down")
    assert recorded != "slow down"
    again = unpickled(pickled(recorded))
    assert (again, again.status) == (recorded, 429)


REQUEST = {"kind": "request", "at_ns": 5, "call": 0, "exchange": 1, "provider": "p", "model": None, "operation": "chat"}
CHANGE = {"kind": "breaker", "at_ns": 5, "call": 0, "provider": "p", "from_state": "closed", "to_state": "open"}
ERROR = {"kind": "harness_error", "at_ns": 5, "call": 0}
ANSWER = {**REQUEST, "kind": "answer", "outcome": "200", "start_ns": 0}


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ([], "an event is an object, got []"),
        ({"kind": "reqest"}, "`reqest` is no kind of event. Did you mean `request`?"),
        ({"kind": 7}, "7 is no kind of event"),
        ({}, "None is no kind of event"),
        (REQUEST, "`request` lacks the field `stream`"),
        ({**REQUEST, "stream": 0}, "`stream` of `request` is true or false, got 0"),
        ({**REQUEST, "stream": True, "call": True}, "`call` of `request` is a whole number, got True"),
        ({**REQUEST, "stream": True, "at_ns": None}, "`at_ns` of `request` is a whole number, got None"),
        ({**REQUEST, "stream": True, "model": 4}, "`model` of `request` is a text, got 4"),
        ({**REQUEST, "straem": True}, "`request` has no field `straem`. Did you mean `stream`?"),
        ({**ANSWER, "retry_after": "1"}, "`retry_after` of `answer` is a number, got `1`"),
        ({**ANSWER, "usage": 3}, "`usage` of `answer` is an object, got 3"),
        (
            {**ANSWER, "usage": {"input_token": 3}},
            "`usage` of `answer` has no field `input_token`. Did you mean `input_tokens`?",
        ),
        (
            {**ANSWER, "usage": {"input_tokens": "3" * 80}},
            f"`input_tokens` of `usage` of `answer` is a whole number, got `{'3' * 56}...",
        ),
        (
            {**ANSWER, "usage": {"server_tools": {"fetch": "1"}}},
            "`server_tools` of `usage` of `answer` is an object of whole numbers, got {'fetch': '1'}",
        ),
        ({**ANSWER, "metadata": {"team": 7}}, "`metadata` of `answer` is an object of texts, got {'team': 7}"),
        ({**ANSWER, "cost_usd": 0.1}, '`cost_usd` of `answer` is an amount as text, such as "0.0035", got 0.1'),
        ({**ANSWER, "cost_usd": "1 $"}, '`cost_usd` of `answer` is an amount as text, such as "0.0035", got `1 $`'),
        ({**ANSWER, "cost_usd": "NaN"}, '`cost_usd` of `answer` is an amount as text, such as "0.0035", got `NaN`'),
        (
            {**CHANGE, "cause": "failure"},
            (
                "`cause` of `breaker` is one of `failures`, `failure_rate`, `slow_calls`, `anomaly`, "
                "`recovery_timeout`, `all_open`, `probe_failed`, `probes_succeeded`, `isolated`, `released`, `reset`, "
                "got `failure`. Did you mean `failures`?"
            ),
        ),
        ({**CHANGE, "cause": []}, None),
        (
            {**ERROR, "error": "x"},
            '`error` of `harness_error` is an object of "class", "message" and "status", got `x`',
        ),
        ({**ERROR, "error": {"class": "x", "message": 1, "status": None}}, None),
    ],
)
def test_m05_data_that_is_no_event_is_refused_with_the_field(facts, message):
    """The error names the field, what it has to be, and the nearest name where one is near."""
    with pytest.raises(FactsError) as caught:
        event_of(facts)
    assert message is None or str(caught.value) == message


def test_the_words_of_every_event():
    """The table of a trace is made of facts, and reads as it always did."""
    trace = Trace()
    for event in HISTORY:
        trace.append(event)
    assert trace.render() == TABLE


def test_an_event_without_words_shows_its_facts():
    """A class of one's own can be recorded: its bare facts are its words."""
    event = OwnEvent(5, 0, "x", Decimal("0.50"))
    assert describe(event) == ("", "name=x amount=0.50")
    assert event.line() == "5|0|own|x|0.50"


def test_a_digest_does_not_depend_on_what_is_kept():
    """A trace that stores its events, one that stores none and one that may store more give one digest."""
    traces = (Trace(), Trace(keep=False), Trace(most=100))
    for trace in traces:
        for event in HISTORY:
            trace.append(event)
    assert {trace.digest() for trace in traces} == {"2a8679ae92948080bc528153a654d5e3"}


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


def test_a_digest_covers_text_that_no_encoding_can_write():
    """Half a pair of characters in a name, which JSON can say, is hashed like any other text."""
    digests = set()
    for model in ("\ud800", "\ud801"):
        for trace in (Trace(), Trace(keep=False)):
            trace.append(RequestReceived(0, 0, 1, "openai", model, "chat", stream=False))
            digests.add(trace.digest())
    assert len(digests) == 2


def test_a_digest_follows_neither_prices_nor_keys():
    """A new price list, or another machine's key, leaves the digest of a history as it is."""
    answer, attempt = HISTORY[5], HISTORY[8].attempt
    assert "0.10" not in answer.line()
    assert "key" not in HISTORY[8].line()
    assert attempt.credential == "key"
