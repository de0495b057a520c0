"""A cassette that a simulated provider plays: its file, its matching, and which of its answers are the provider's."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from llmtest.cassettes import Cassette, RecordedRequest, note_use
from llmtest.cassettes._compression import decompressed
from llmtest.errors import CassetteFileError, CassetteMismatchError, ConfigurationError
from llmtest.simulation import Exchange
from llmtest.simulation.script._recording import Recorded

if TYPE_CHECKING:
    from os import PathLike

    from llmtest.cassettes import Interaction
    from llmtest.simulation import World

__all__ = ["CassetteRecording", "as_answer", "existing", "refuse_speed"]

ON_THE_WAY = frozenset({"connection", "content-length", "keep-alive", "transfer-encoding"})
"""Headers about how a body travelled, which is not how it travels now."""
DEFAULT_PORTS = {"https": 443, "http": 80}


class CassetteRecording:
    """A recorded session, for one provider.

    Args:
        world: The world, which knows whose address is whose.
        provider: Name of the provider.
        handle: How a test writes its handle, for texts.
        path: The cassette.
        match_on: What counts as the same request, as for `use_cassette`.
        speed: How much faster than recorded; above 0, None: without the recorded pauses.
        repeat: `"last"` gives the last answer to a request again for every further one.

    Raises:
        CassetteFileError: There is no such file, or it cannot be read.
        ConfigurationError: `speed` is not above 0, or `match_on` names an unknown part.
    """

    def __init__(
        self,
        world: World,
        provider: str,
        handle: str,
        path: str | PathLike[str],
        match_on: Any,
        speed: float | None,
        repeat: Literal["last"] | None = None,
    ) -> None:
        refuse_speed("plays", speed)
        file = existing(path)
        option_of = f'{handle}.plays("{path}", '
        self._cassette = Cassette(file, "none", match_on=match_on, option_of=option_of, repeat=repeat)
        self._speed = speed
        self._name = self._cassette.name
        self._own = [number for number in range(1, len(self._cassette) + 1) if self._is_of(world, provider, number)]
        self.missed = ""

    def _is_of(self, world: World, provider: str, number: int) -> bool:
        """Tell whether an answer is this provider's: a session may have several, and each plays its own."""
        host = urlsplit(self._cassette.interaction(number).request.uri).hostname
        return world.provider_at(host or "") in {provider, None}

    def __len__(self) -> int:
        """Return how many answers are the provider's."""
        return len(self._own)

    def unplayed(self) -> list[tuple[int, str]]:
        """Return place, among its own, and label of the answers that have not been played."""
        left = set(self._cassette.unplayed)
        found = []
        for place, number in enumerate(self._own, 1):
            if number in left:
                request = self._cassette.interaction(number).request
                asked = f"{request.method} {urlsplit(request.uri).path}"
                found.append((place, f'plays("{self._name}"), interaction {number}: {asked}'))
        return found

    def play(self, exchange: Exchange) -> Recorded | None:
        """Return the recorded answer to a request; None where there is none left, and `missed` says why."""
        port = "" if exchange.port == DEFAULT_PORTS.get(exchange.scheme) else f":{exchange.port}"
        query = f"?{exchange.query}" if exchange.query else ""
        uri = f"{exchange.scheme}://{exchange.host}{port}{exchange.path}{query}"
        headers = {name: [value] for name, value in exchange.headers.items()}
        try:
            found = self._cassette.answer(RecordedRequest(exchange.method, uri, headers, exchange.body))
        except CassetteMismatchError as error:
            self.missed = str(error)
            return None
        note_use(self._cassette)
        return None if found is None else as_answer(found, self._speed)


def refuse_speed(word: str, speed: object) -> None:
    """Refuse a speed that is none.

    Raises:
        ConfigurationError: It is not above 0.
    """
    if speed is None:
        return
    if isinstance(speed, bool) or not isinstance(speed, int | float) or not (math.isfinite(speed) and speed > 0):
        raise ConfigurationError(
            f"{word}: speed must be above 0, or None for no pauses, got {speed!r}.\n\n"
            "To fix: a speed of 10 for a tenth of the pauses"
        )


def existing(path: str | PathLike[str]) -> Path:
    """Return the path of a cassette that is there.

    Raises:
        CassetteFileError: It is not.
    """
    file = Path(path)
    if not file.is_file():
        raise CassetteFileError(
            f"{path}: there is no such cassette.\n\n"
            "To fix: record it by use_cassette in mode `once`, which calls the provider and may cost money"
        )
    return file


def as_answer(interaction: Interaction, speed: float | None) -> Recorded:
    """Return a recorded answer as a provider gives it.

    Args:
        interaction: The recorded exchange.
        speed: How much faster than recorded; None: without the recorded pauses.
    """
    answer = decompressed(interaction.response)
    lines = tuple(
        (name.lower(), value)
        for name, values in answer.headers.items()
        for value in values
        if name.lower() not in ON_THE_WAY
    )

    def ns(milliseconds: int) -> int:
        return 0 if speed is None else round(max(milliseconds, 0) * 1_000_000 / speed)

    return Recorded(
        answer.status,
        None,
        answer.body,
        lines=lines,
        pieces=tuple((ns(at_ms), piece) for at_ms, piece in answer.pieces()),
        head_ns=ns(answer.head_ms),
        is_complete=answer.complete and not answer.error,
        has_pace=speed is not None,
    )
