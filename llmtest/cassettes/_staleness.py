"""Whether what is played is still worth playing: how old it is, and whether its models are still served."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import Any, Literal, get_args

from llmtest.cassettes._interactions import Interaction, RecordedRequest
from llmtest.cassettes._reading import json_of, model_in
from llmtest.cassettes._times import dates_of, in_days, recorded_time
from llmtest.clock import SystemClock, epoch_of, parse_duration
from llmtest.errors import ConfigurationError
from llmtest.wire import Shutdown, shutdowns_at

WhenOld = Literal["warn", "fail"]

_MODEL = re.compile(rb'"model"\s*:\s*"([^"\\]+)"|/models/([^/:?]+)')
"""Where a request may name a model; only where the name is that of one that has ended, the request is read."""


class Staleness:
    """Judges what one cassette has played, by the day of the machine or by a given one; virtual time is not asked.

    Args:
        max_age: From which age on a recording is too old: `"90d"`, a `timedelta`, None for no limit.
        when_old: What comes of it: `"warn"`, or `"fail"`.
        today: The day by which it is judged; None for the real one.

    Raises:
        ConfigurationError: One of them is none.
    """

    def __init__(
        self,
        max_age: str | timedelta | None = None,
        when_old: WhenOld = "warn",
        today: date | str | None = None,
    ) -> None:
        if when_old not in get_args(WhenOld):
            raise ConfigurationError(f'when_old: `{when_old}` is none; there are "warn" and "fail".')
        self._limit = None if max_age is None else age_of(max_age)
        self.fails = when_old == "fail"
        self._now = SystemClock().now() if today is None else _day(today)
        self._times: list[tuple[int, datetime | None]] = []

    def note(self, played: Interaction) -> None:
        """Remember that an interaction was played."""
        if self._limit is not None:
            time = recorded_time(played) or next(iter(dates_of(played)), None)
            self._times.append((played.number, time))

    def too_old(self) -> str:
        """Return what of it is too old, as a sentence without its file; empty where nothing is."""
        known = [(time, number) for number, time in self._times if time is not None]
        if self._limit is None or not known or self._now - min(known)[0] <= self._limit:
            return ""
        late = sum(self._now - time > self._limit for time, _ in known)
        time, number = min(known)
        return (
            f"{late} of {len(self._times)} played interactions {'is' if late == 1 else 'are'} too old: number {number} "
            f"was recorded {in_days(self._now - time)} ago, on {time:%Y-%m-%d}; the limit is {in_days(self._limit)}"
        )

    def notices(self, requests: Iterable[RecordedRequest]) -> Iterator[str]:
        """Yield what else there is to say, each as a sentence without its file.

        Args:
            requests: What was sent.
        """
        silent = sum(time is None for _, time in self._times)
        if silent:
            what = "1 played interaction does" if silent == 1 else f"{silent:,} played interactions do"
            yield f"{what} not say when it was recorded, so `max_age` says nothing of it"
        for end in dict.fromkeys(end for request in requests if (end := self.ended(request)) is not None):
            yield f"it asks for {ending_of(end)}, so it cannot be recorded again as it is"

    def ended(self, request: RecordedRequest) -> Shutdown | None:
        """Return the end of the model that a request asks for; None where it is served, or nobody knows."""
        return ended_model(request, self._now.date())


def _day(value: date | str) -> datetime:
    try:
        return epoch_of(value)
    except ConfigurationError as error:
        raise ConfigurationError(f'today: `{value}` is no date.\nTo fix: today="2026-12-31"') from error


def age_of(value: str | timedelta) -> timedelta:
    """Return the age that a text says.

    Raises:
        ConfigurationError: It is none.
    """
    if isinstance(value, timedelta):
        return value
    try:
        return timedelta(seconds=parse_duration(value))
    except (ValueError, OverflowError) as error:
        raise ConfigurationError(f'max_age: `{value}` is no age.\nTo fix: max_age="90d", or "12h"') from error


def ending_of(end: Shutdown) -> str:
    """Return the end of a model in words."""
    return f"`{end.model}`, which {end.provider} shut down on {end.on:%Y-%m-%d}"


def ended_model(request: RecordedRequest, today: date) -> Shutdown | None:
    """Return the end of the model that a request asks for, if its provider serves it no more.

    Args:
        request: The request; only its own provider is asked, at its own address.
        today: The day by which it is judged.
    """
    ends: dict[str, Shutdown] = shutdowns_at(request.uri)
    if not ends:
        return None
    for text in (request.uri.encode(), request.body):
        for match in _MODEL.finditer(text):
            name = (match[1] or match[2]).decode("utf-8", "replace")
            end = ends.get(name)
            if end is not None and end.on < today and (match[2] or _asked(request) == name):
                return end
    return None


def _asked(request: RecordedRequest) -> Any:
    return model_in(json_of(request.body))
