"""Put a cassette into use, for one context: two tasks, two cassettes, and nothing is mixed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Literal

from llmtest.cassettes._cassette import BeforeRecord, Cassette, Mode
from llmtest.cassettes._gate import Deck, OnError
from llmtest.cassettes._redaction import Redactor
from llmtest.cassettes._staleness import Staleness, WhenOld
from llmtest.clock import replay_time
from llmtest.errors import CassetteMismatchError, HarnessError
from llmtest.interception import opened
from llmtest.types._spelling import tells_near_arguments

_mine: ContextVar[Deck | None] = ContextVar("llmtest_cassette", default=None)
"""The deck of the calling context; tasks inherit it, plain threads do not."""

_parents: dict[Deck, Deck | None] = {}
"""Every deck in use, with the one it was put into use inside of."""
_changing = threading.Lock()

_noters: list[Callable[[Cassette], object]] = []
"""Who wants to know what is played of cassettes."""


@contextmanager
def noting_uses(note: Callable[[Cassette], object]) -> Iterator[None]:
    """Tell of every use of a cassette while the context is open, in whichever thread.

    Args:
        note: Called with the cassette, which says what was played of it: where its use ends, and of one that a
            simulated provider plays with each answer.
    """
    _noters.append(note)
    try:
        yield
    finally:
        _noters.remove(note)


def note_use(cassette: Cassette) -> None:
    """Tell those who want to know what has been played of a cassette, as often as it likes."""
    for note in tuple(_noters):
        note(cassette)


def _candidates() -> list[Deck]:
    """Return the decks that the calling context may mean, in the order in which they were put into use.

    Its own one if it has one. A plain thread has none; it means the only one there is, or the innermost of a nest.
    """
    mine = _mine.get()
    parents = dict(_parents)
    if mine is not None and mine in parents:
        return [mine]
    outer = set(parents.values())
    return [deck for deck in parents if deck not in outer]


def _governs(deck: Deck) -> bool:
    """Tell whether the calling context uses this deck.

    Raises:
        CassetteMismatchError: It is a plain thread, and several decks are in use side by side.
    """
    candidates = _candidates()
    if len(candidates) < 2 or deck not in candidates:
        return candidates == [deck]
    paths = " and ".join(candidate.cassette.name for candidate in candidates)
    error = CassetteMismatchError(
        f"a request of thread `{threading.current_thread().name}` cannot tell which cassette it belongs to: {paths} "
        "are in use side by side.\n\n"
        "To fix: start the work with `asyncio.to_thread`, or in `contextvars.copy_context().run`, so that it carries "
        "the context of the code that started it."
    )
    for candidate in candidates:
        candidate.report(error)
    raise error


@contextmanager
def inserted(cassette: Cassette, *, on_error: OnError, allowed_hosts: Iterable[str] = ()) -> Iterator[None]:
    """Play and record the requests of this context while it is open; saving is the caller's.

    Args:
        cassette: The cassette.
        on_error: Told of each error of the test, so that it can be raised again where it was swallowed.
        allowed_hosts: Hosts whose requests pass by; `*` stands for any text.
    """
    deck = Deck(cassette, on_error=on_error, allowed_hosts=allowed_hosts, governs=_governs)
    before = _mine.get()
    with _changing:
        _parents[deck] = before if before in _parents else None
    _mine.set(deck)
    try:
        with opened(deck):
            yield
    finally:
        _mine.set(before)
        with _changing:
            del _parents[deck]
        deck.finish()
        note_use(cassette)


@contextmanager
@tells_near_arguments
def use_cassette(  # noqa: PLR0913 - a file, a mode, and options by name
    path: str | Path,
    mode: Mode = "none",
    *,
    match_on: Any = None,
    keep_failures: bool = False,
    redactor: Redactor | None = None,
    allowed_hosts: Iterable[str] = (),
    form: str | None = None,
    match: Literal["warn"] | None = None,
    repeat: Literal["last"] | None = None,
    before_record: BeforeRecord | None = None,
    max_age: str | timedelta | None = None,
    when_old: WhenOld = "warn",
    today: date | str | None = None,
) -> Iterator[Cassette]:
    """Play a recorded session, or record one, for the code inside the `with`; tasks it starts included.

    The file is written at the end, and only if the code inside raised nothing. What is only played waits for
    nothing: a recorded `Retry-After` passes in virtual time, inside a `Simulation` and outside. Entered inside a
    coroutine, outside any simulation, the clock stays the machine's, and the sleeps of that coroutine and of its tasks
    end at once, on asyncio and on trio. A recording takes its time everywhere.

    Args:
        path: The file.
        mode: One of `none`, `once`, `new_episodes`, `all`, `rewrite`; by default nothing is ever recorded. `verify`
            asks the network, writes nothing, and fails where a live answer breaks with the recorded one.
        match_on: What counts as the same request: a list of `method`, `host`, `path`, `query`, `body` and own matchers,
            or a mapping: `{"body": {"ignore": ["seed"], "mask": {"messages[*].content": "date"}, "undated": True}}`.
        keep_failures: Whether answers with status 429 and 5xx are recorded too.
        redactor: What is kept off the disk; by default credentials by header, by shape and by environment.
        allowed_hosts: Hosts whose requests pass by, neither played nor recorded; `*` stands for any text.
        match: `"warn"` plays the closest recording where none is equal, and tells what differs.
        repeat: `"last"` plays the last answer to a request again for every further one.
        before_record: Called with each interaction that is about to be kept; returns it, another one, or None.
        max_age: From which age on what is played is too old, such as `"90d"`; None for no limit.
        when_old: What comes of it: `"warn"`, a `CassetteWarning` at the end, or `"fail"`.
        today: The day by which age and models are judged; None for the real one, also where time is virtual.
        form: How the file is written: `llmtest`, `vcrpy`, `parsed_body` (JSON bodies as YAML) or `json`; None for the
            form that it has, `json` for a file of that name, and `llmtest` for a new one.

    Yields:
        The cassette: what was played, recorded, sent.

    Raises:
        CassetteFileError: The file cannot be read or written; or what was played is too old, which is to fail.
        CassetteMismatchError: Nothing recorded answers a request; raised again at the end where it was swallowed.

    Example:
        >>> with use_cassette("cassettes/capital.yaml", allowed_hosts=["*"]) as cassette:
        ...     cassette.played
        0
    """
    errors: list[HarnessError] = []
    played: dict[str, Any] = {"match_on": match_on, "match": match, "repeat": repeat}
    kept: dict[str, Any] = {"keep_failures": keep_failures, "redactor": redactor, "before_record": before_record}
    staleness = Staleness(max_age, when_old, today)
    cassette = Cassette(Path(path), mode, form=form, staleness=staleness, **played, **kept)
    time = nullcontext() if cassette.records else replay_time("`use_cassette`")
    with time, inserted(cassette, on_error=errors.append, allowed_hosts=allowed_hosts):
        yield cassette
    if errors:
        raise errors[0]
    cassette.save()
