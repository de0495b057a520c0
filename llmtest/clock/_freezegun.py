"""freezegun as a passenger: what it freezes is the epoch of our clock.

Inside a simulation `freeze_time` needs to replace nothing, as every clock is ours already: it sets what wall time
reads, and hands out a `frozen` object whose `tick` and `move_to` move our clock. No class is swapped, so pydantic sees
the real `datetime`. Where the test froze time before the simulation began, freezegun's classes are in place; they ask
our clock from then on, and learn to describe themselves to pydantic.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from llmtest.clock._names import party_of_caller

if TYPE_CHECKING:
    from llmtest.clock._clock import VirtualClock
    from llmtest.clock._participants import Party
    from llmtest.clock._patches import Patches


class FrozenClock:
    """What `freeze_time` returns inside a simulation: freezegun's interface to our clock.

    Args:
        clock: The clock of the simulation.
        parse: freezegun's own reading of dates.
    """

    def __init__(self, clock: VirtualClock, parse: Callable[[Any], datetime]) -> None:
        self._clock = clock
        self._parse = parse

    def __call__(self) -> datetime:
        """Return the moment, in UTC and without saying so."""
        return self._clock.now().replace(tzinfo=None)

    @property
    def time_to_freeze(self) -> datetime:
        """The moment, in UTC and without saying so."""
        return self()

    def tick(self, delta: timedelta | float = timedelta(seconds=1)) -> datetime:
        """Move the clock; a negative delta moves only what wall time reads."""
        step = delta if isinstance(delta, timedelta) else timedelta(seconds=float(delta))
        if step < timedelta():
            self._clock.shift_epoch(self._clock.now() + step)
        else:
            self._clock.advance(step / timedelta(seconds=1))
        return self()

    def move_to(self, target_datetime: Any) -> None:
        """Move the clock to a moment; one in the past moves only what wall time reads."""
        self.tick(self._parse(target_datetime) - self())


@contextmanager
def freezegun_follows(patches: Patches, party: Party) -> Iterator[None]:
    """Connect freezegun to the clock of a simulation, if the process has loaded freezegun."""
    if "freezegun" not in sys.modules:
        yield
        return
    from freezegun import api

    real_start = api._freeze_time.start  # noqa: SLF001 - the class has no public name

    def start(self: Any) -> Any:
        return _follow(self, party, api) if party_of_caller() is party else real_start(self)

    patches.replace(api._freeze_time, "start", start)  # noqa: SLF001 - see above
    _keep_pydantic_whole(api)
    if not api.freeze_factories:
        yield
        return
    _teach_pydantic(patches, api)
    outer = api.freeze_factories[-1]
    party.clock.shift_epoch(outer().replace(tzinfo=UTC))
    party.local_offset = api.tz_offsets[-1]
    api.freeze_factories[-1] = FrozenClock(party.clock, api._parse_time_to_freeze)  # type: ignore[call-overload]  # noqa: SLF001
    try:
        yield
    finally:
        api.freeze_factories[-1] = outer


def _follow(freezer: Any, party: Party, api: Any) -> FrozenClock:
    """Freeze inside a simulation: set wall time, and put it back when freezegun's object is stopped."""
    clock = party.clock
    epoch_ns, offset = clock._epoch_ns, party.local_offset  # noqa: SLF001 - to the nanosecond, unlike a datetime
    clock.shift_epoch(freezer.time_to_freeze.replace(tzinfo=UTC))
    party.local_offset = freezer.tz_offset

    def stop() -> None:
        clock._epoch_ns = epoch_ns  # noqa: SLF001 - see above
        party.local_offset = offset
        del freezer.stop

    freezer.stop = stop  # on the object: it must be found even when the simulation has ended before the freeze
    return FrozenClock(clock, api._parse_time_to_freeze)  # noqa: SLF001 - how freezegun reads its own arguments


def _keep_pydantic_whole(api: Any) -> None:
    """Make pydantic know the real classes for the rest of the process.

    It builds its table of types when it first needs it, and freezegun's search through all modules is a first need: a
    table built then has freezegun's classes in place of the real ones, and every later model with a date fails.
    """
    if "pydantic" not in sys.modules:
        return
    from pydantic import TypeAdapter

    if not api.freeze_factories:
        TypeAdapter(datetime)
        return
    generator = getattr(sys.modules.get("pydantic._internal._generate_schema"), "GenerateSchema", None)
    handlers = getattr(generator, "_handlers", {})
    for fake, real in ((api.FakeDatetime, api.real_datetime), (api.FakeDate, api.real_date)):
        if fake in handlers:
            handlers.setdefault(real, handlers[fake])


def _teach_pydantic(patches: Patches, api: Any) -> None:
    """Let pydantic build schemas for freezegun's classes, which it takes for unknown types."""
    if "pydantic_core" not in sys.modules:
        return
    from pydantic_core import core_schema

    def datetime_schema(_cls: type[datetime], _source: Any, _handler: Any) -> Any:
        return core_schema.datetime_schema()

    def date_schema(_cls: type[date], _source: Any, _handler: Any) -> Any:
        return core_schema.date_schema()

    patches.replace(api.FakeDatetime, "__get_pydantic_core_schema__", classmethod(datetime_schema))
    patches.replace(api.FakeDate, "__get_pydantic_core_schema__", classmethod(date_schema))
