"""What `llmtest serve` is told of recorded sessions: which options go together, and where a new one is written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from llmtest.errors import CassetteFileError, ConfigurationError

if TYPE_CHECKING:
    from llmtest.serving._recording_proxy import RecordingProxy
    from llmtest.simulation import World

__all__ = ["RecordedFromNow", "refuse_mixture", "speed_of"]

Given = Mapping[str, object]


def refuse_mixture(simulated: Given, played: Given, playing: Given, recorded: Given, recording: Given) -> None:
    """Refuse options that mean nothing together.

    Args:
        simulated: Options about simulated providers.
        played: The sessions that answer.
        playing: Options about these.
        recorded: The two that a recording needs.
        recording: Options about it.

    Raises:
        ConfigurationError: One of them would be without effect.
    """
    from llmtest.serving._usual_address import usual_address

    plays, records = _first(played), _first(recorded)
    if plays is None and _first(playing) is not None:
        raise ConfigurationError(
            f"{_first(playing)} is about a recorded session, and none is played.\n\n"
            "To fix: name one, as in --cassette session.yaml"
        )
    address = f"--to {usual_address()}"
    missing = [option for option, value in recorded.items() if not value]
    if records is not None and missing:
        fix = {"--record": "--record session.yaml", "--to": address}[missing[0]]
        raise ConfigurationError(
            f"{records} needs {missing[0]}: a recording has a file and a real API.\n\nTo fix: {fix}"
        )
    if records is None and _first(recording) is not None:
        raise ConfigurationError(
            f"{_first(recording)} is about a recording, and nothing is recorded.\n\n"
            f"To fix: --record session.yaml {address}"
        )
    others = plays or _first(simulated)
    if records is not None and others is not None:
        raise ConfigurationError(
            f"{others} and {records} do not go together: what is recorded comes from the real API.\n\n"
            "To fix: leave one of the two out"
        )


def _first(given: Given) -> str | None:
    """Return the first option that was given."""
    return next((option for option, value in given.items() if value or (value == 0 and value is not False)), None)


def speed_of(text: str | None) -> float | None:
    """Read how fast a session is played; None: without its pauses.

    Raises:
        ConfigurationError: Neither a number above 0 nor `max`.
    """
    if text == "max":
        return None
    try:
        speed = 1.0 if text is None else float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise ConfigurationError(f"--speed: `{text}` is neither a number above 0 nor `max`.\n\nTo fix: --speed 10")
    return speed


class RecordedFromNow:
    """A session that is recorded while a server runs.

    Args:
        world: Counts what it costs.
        path: The cassette; what it has already stays, but for the requests that are made again.
        to: Address of the real API.
        keep_failures: Whether answers with status 429 and 5xx are recorded too.

    Raises:
        CassetteFileError: The file cannot be read, or not be written, or another tool has recorded it.
        ConfigurationError: `to` is no address.
    """

    def __init__(self, world: World, path: Path, to: str, *, keep_failures: bool) -> None:
        from llmtest.cassettes import Cassette
        from llmtest.cassettes._saving import refuse_unwritable
        from llmtest.serving._recording_proxy import RecordingProxy

        if path.is_dir():
            raise CassetteFileError(f"{path} is a directory.\n\nTo fix: --record {path / 'session.yaml'}")
        refuse_unwritable(path)
        self._world = world
        self._cassette = Cassette(path, "all", keep_failures=keep_failures)
        self.proxy: RecordingProxy = RecordingProxy(world, self._cassette, to)

    def save(self) -> str:
        """Write what was recorded, and return a line about it.

        Raises:
            CassetteFileError: It cannot be written; the file is as it was.
        """
        count = len(self._cassette.recorded)
        if not self._cassette.save():
            return f"recorded nothing; {self._cassette.name} is as it was"
        costs = self._world.costs.summary
        more = f" and {costs.unknown} of unknown price" if costs.unknown else ""
        word = "answer" if count == 1 else "answers"
        return f"recorded {count} {word} in {self._cassette.name}: ${costs.known_usd.normalize():f}{more}"
