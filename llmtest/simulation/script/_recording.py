"""A recorded session as a script: what was answered, in the pieces and at the pace in which it came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Protocol

from llmtest.errors import ConfigurationError
from llmtest.faults import Fault
from llmtest.simulation.script._service_answers import Raw
from llmtest.types import is_whole

if TYPE_CHECKING:
    from llmtest.simulation.plan._plan import Exchange
    from llmtest.wire import Headers

__all__ = ["Played", "Recorded", "Recording"]


@dataclass(frozen=True)
class Recorded(Raw):
    """An answer as it was recorded.

    Args:
        lines: Its headers, names in lower case; nothing of ours comes beside them.
        pieces: The body as it came: nanoseconds since the head, and the bytes.
        head_ns: Nanoseconds from the request to the head.
        is_complete: Whether it was heard to its end; else its connection breaks where the recording ends.
        has_pace: Whether the recorded pauses are kept; else the latency of the provider counts.
    """

    lines: Headers = ()
    pieces: tuple[tuple[int, bytes], ...] = ()
    head_ns: int = 0
    is_complete: bool = True
    has_pace: bool = True

    is_billed: ClassVar[bool] = True


class Recording(Protocol):
    """A recorded session that answers requests."""

    @property
    def missed(self) -> str:
        """Why the last request got no answer, and how that is mended."""
        ...

    def play(self, exchange: Exchange) -> Recorded | None:
        """Return the recorded answer to a request, None where there is none left."""
        ...

    def __len__(self) -> int:
        """Return how many answers there are for this provider."""
        ...

    def unplayed(self) -> Sequence[tuple[int, str]]:
        """Return place, from 1, and label of the answers that have not been played."""
        ...


@dataclass(slots=True)
class Played:
    """A recording that a provider plays.

    Args:
        recording: The answers.
        first: Number of its first answer among the steps of the provider.
        optional: Whether the test may end without all of it.
        site: `file:line` where that was written.
        faults: What strikes, by the number of the request among those that come to the recording, from 1.
        asked: How many have come.

    Raises:
        ConfigurationError: `faults` is no mapping of numbers to faults.
    """

    recording: Recording
    first: int
    optional: bool
    site: str
    faults: Mapping[int, Fault] = field(default_factory=dict)
    asked: int = 0

    def __post_init__(self) -> None:
        fix = "To fix: give a mapping such as 3 to faults.RateLimited, each fault made, numbered from 1"
        if not isinstance(self.faults, Mapping):
            raise ConfigurationError(f"plays: faults are given by number, got {self.faults!r}.\n\n{fix}")
        for number, fault in self.faults.items():
            if not is_whole(number, 1):
                raise ConfigurationError(f"plays: requests are numbered from 1, got {number!r} in faults.\n\n{fix}")
            if not isinstance(fault, Fault):
                raise ConfigurationError(f"plays: faults[{number}] is no fault, got {fault!r}.\n\n{fix}")

    def left(self) -> list[tuple[int, str]]:
        """Return number and label of what was not played: answers, and faults that struck nothing."""
        unplayed = () if self.optional else self.recording.unplayed()
        found = [(self.first + place - 1, label) for place, label in unplayed]
        never = sorted(number for number in self.faults if number > self.asked)
        after = self.first + len(self.recording) - 1
        return found + [(after, f"plays(faults={{{number}: {self.faults[number]!r}}})") for number in never]
