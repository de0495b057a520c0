"""freezegun as a passenger: what it freezes is the epoch of our clock.

Inside a simulation `freeze_time` needs to replace nothing, as every clock is ours already: it sets what wall time
reads, and hands out a `frozen` object whose `tick` and `move_to` move our clock. No class is swapped, so pydantic sees
the real `datetime`. Where the test froze time before the simulation began, freezegun's classes are in place; they ask
our clock from then on, and learn to describe themselves to pydantic.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from llmtest.clock._names import VIRTUAL, also_by_name, party_of_caller

if TYPE_CHECKING:
    from contextlib import ExitStack

    from llmtest.clock._clock import VirtualClock
    from llmtest.clock._late_imports import LateImports
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
        self.successor: Any = None
        """freezegun's own object, once the simulation is over and the freeze is not."""

    def __call__(self) -> datetime:
        """Return the moment, in UTC and without saying so."""
        if self.successor is not None:
            moment: datetime = self.successor()
            return moment
        return self._clock.now().replace(tzinfo=None)

    @property
    def time_to_freeze(self) -> datetime:
        """The moment, in UTC and without saying so."""
        return self()

    def tick(self, delta: timedelta | float = timedelta(seconds=1)) -> datetime:
        """Move the clock; a negative delta moves only what wall time reads."""
        step = delta if isinstance(delta, timedelta) else timedelta(seconds=float(delta))
        if self.successor is not None:
            self.successor.tick(step)
        elif step < timedelta():
            self._clock.shift_epoch(self._clock.now() + step)
        else:
            self._clock.advance(step / timedelta(seconds=1))
        return self()

    def move_to(self, target_datetime: Any) -> None:
        """Move the clock to a moment; one in the past moves only what wall time reads."""
        if self.successor is not None:
            self.successor.move_to(target_datetime)
        else:
            self.tick(self._parse(target_datetime) - self())


class _Freezes:
    """The freezes of one simulation: those it began with, and those that began in it.

    Args:
        party: The threads of the simulation.
        patches: What the simulation has replaced.
        api: freezegun's own module.
    """

    def __init__(self, party: Party, patches: Patches, api: Any) -> None:
        self._party = party
        self._patches = patches
        self._api = api
        self._inside: dict[Any, FrozenClock] = {}
        self._real_start = api._freeze_time.start  # noqa: SLF001 - the class has no public name
        self._real_stop = api._freeze_time.stop  # noqa: SLF001 - see above
        self._outer: Any = None
        self._epoch_ns = 0

    def install(self) -> None:
        """Take over."""
        api, party = self._api, self._party

        def start(freezer: Any) -> Any:
            return self._follow(freezer) if party_of_caller() is party else self._real_start(freezer)

        def stop(freezer: Any) -> None:
            self._real_stop(freezer)
            if self._outer is not None and not api.freeze_factories:
                self._thaw()

        self._patches.replace(api._freeze_time, "start", start)  # noqa: SLF001 - see above
        self._patches.replace(api._freeze_time, "stop", stop)  # noqa: SLF001 - see above
        _keep_pydantic_whole(api)
        if api.freeze_factories:
            self._take_over()

    def _clock_for_freezegun(self) -> FrozenClock:
        return FrozenClock(self._party.clock, self._api._parse_time_to_freeze)  # noqa: SLF001 - how freezegun reads dates

    def _take_over(self) -> None:
        """Let a freeze that was there before ask our clock, which begins where it stands."""
        api, party = self._api, self._party
        _teach_pydantic(self._patches, api)
        for name, function in VIRTUAL.items():
            if (fake := getattr(api, f"fake_{name}", None)) is not None:
                also_by_name(fake, function)
        self._epoch_ns = party.clock._epoch_ns  # noqa: SLF001 - to the nanosecond, unlike a datetime
        self._outer = outer = api.freeze_factories[-1]
        if not isinstance(outer, api.TickingDateTimeFactory):
            party.clock.stand_still()
        party.clock.shift_epoch(outer().replace(tzinfo=UTC))
        party.local_offset = api.tz_offsets[-1]
        frozen = api.freeze_factories[-1] = self._clock_for_freezegun()
        outer.tick, outer.move_to = frozen.tick, frozen.move_to  # the test holds this object

    def _thaw(self) -> None:
        """The freeze that was there before has ended, and freezegun has put everything back, also what was ours."""
        self._restore_outer()
        self._party.clock._epoch_ns = self._epoch_ns  # noqa: SLF001 - see above
        self._party.local_offset = None
        self._patches.renew()

    def _restore_outer(self) -> None:
        outer, self._outer = self._outer, None
        if not isinstance(outer, self._api.TickingDateTimeFactory):
            self._party.clock.go_on()
        del outer.tick, outer.move_to
        if self._api.freeze_factories:
            self._api.freeze_factories[-1] = outer

    def _follow(self, freezer: Any) -> FrozenClock:
        """Freeze inside a simulation: set wall time, and put it back when freezegun's object is stopped."""
        party, clock = self._party, self._party.clock
        epoch_ns, offset = clock._epoch_ns, party.local_offset  # noqa: SLF001 - see above
        if not freezer.tick:
            clock.stand_still()
        clock.shift_epoch(freezer.time_to_freeze.replace(tzinfo=UTC))
        party.local_offset = freezer.tz_offset

        def stop() -> None:
            if not freezer.tick:
                clock.go_on()
            clock._epoch_ns = epoch_ns  # noqa: SLF001 - see above
            party.local_offset = offset
            del freezer.stop, self._inside[freezer]

        freezer.stop = stop
        frozen = self._inside[freezer] = self._clock_for_freezegun()
        return frozen

    def end(self) -> None:
        """Give freezegun back what goes on after the simulation: a freeze of a class, a module or a session."""
        if self._outer is not None:
            self._restore_outer()
        for freezer, frozen in self._inside.items():
            del freezer.stop
            frozen.successor = self._real_start(freezer)
        self._inside.clear()


def install_freezegun(stack: ExitStack, patches: Patches, party: Party, imports: LateImports) -> None:
    """Connect freezegun to the clock of a simulation, as soon as the process has loaded it.

    Args:
        stack: What is closed once the patches are undone.
        patches: What the simulation replaces.
        party: The threads of the simulation.
        imports: Who hears of imports.
    """

    def install() -> None:
        freezes = _Freezes(party, patches, sys.modules["freezegun.api"])
        freezes.install()
        stack.callback(freezes.end)

    imports.when_imported("freezegun.api", install)


def _keep_pydantic_whole(api: Any) -> None:
    """Make pydantic know the real classes for the rest of the process.

    It builds its table of types when it first needs it, and freezegun's search through all modules is a first need: a
    table built then has freezegun's classes in place of the real ones, and every later model with a date fails.
    """
    if "pydantic" not in sys.modules:
        return
    generator = getattr(sys.modules.get("pydantic._internal._generate_schema"), "GenerateSchema", None)
    handlers = getattr(generator, "_handlers", {})
    for fake, real in ((api.FakeDatetime, api.real_datetime), (api.FakeDate, api.real_date)):
        if fake in handlers:
            handlers.setdefault(real, handlers[fake])
    if not api.freeze_factories:
        from pydantic import TypeAdapter

        TypeAdapter(api.real_datetime)


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
