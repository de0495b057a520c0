"""A recorded session on a port: whoever asks there asks for the same paths, at another address.

So a request is found by its method, the end of its path, and its body; the host is that of the server.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from llmtest.cassettes import Cassette, Interaction, RecordedRequest, note_use
from llmtest.cassettes._reading import spoken_to
from llmtest.errors import CassetteFileError, CassetteMismatchError
from llmtest.scenarios._played_recording import as_answer, refuse_speed
from llmtest.serving._usual_address import usual_address
from llmtest.simulation import Exchange
from llmtest.simulation.script._recording import Recorded
from llmtest.wire import dialects, owner_of

if TYPE_CHECKING:
    from os import PathLike

    from llmtest.simulation import World
    from llmtest.wire import Endpoint

__all__ = ["ServedPart", "ServedSession", "open_served"]

DATED = "date"
"""A header that the server sends itself, with the time at which it answers."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where some of a session was recorded.

    Args:
        provider: Who was there.
        method: `POST`.
        origin: Scheme, host and port: `https://api.openai.com`.
        path: Path of the URL.
        endpoint: What is asked for there; None where nobody here knows it.
    """

    provider: str
    method: str
    origin: str
    path: str
    endpoint: Endpoint | None

    def is_meant(self, method: str, path: str) -> bool:
        """Tell whether a request to a path is for this place: gateways put something in front, and so do clients."""
        return method == self.method and (path.endswith(self.path) or self.path.endswith(path))


class _SessionCassette(Cassette):
    """A cassette whose errors are read by who started a server."""

    origin = ""

    def _recording(self, mode: str) -> str:  # noqa: ARG002 - a server that records knows one
        return f"llmtest serve --record {quote(self.name)} --to {self.origin or usual_address()}"

    def _ignoring(self, field: str) -> str:
        return f"llmtest serve --cassette {quote(self.name)} --ignore {quote(field)}"


class ServedSession:
    """The answers of one file, for every provider that was recorded in it.

    Args:
        path: The cassette.
        speed: How much faster than recorded; above 0, None: without the recorded pauses.
        match_on: What counts as the same request, as for `use_cassette`; the host is not compared.
        repeats: Whether the last answer to a request is given again for every further one.
        option_of: What `match_on` is given to where a test plays it, for the texts of errors; empty: by the command.

    Raises:
        CassetteFileError: There is no such file, or it cannot be read.
        ConfigurationError: `speed` is not above 0, or `match_on` names an unknown part.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        speed: float | None = 1.0,
        match_on: Any = None,
        repeats: bool = False,
        option_of: str = "",
    ) -> None:
        refuse_speed("plays", speed)
        file = Path(path)
        if not file.is_file():
            raise CassetteFileError(
                f"{path}: there is no such cassette.\n\n"
                f"To fix: record it, which calls the provider and may cost money: "
                f"llmtest serve --record {quote(str(path))} --to {usual_address()}"
            )
        made = Cassette if option_of else _SessionCassette
        self._cassette = made(file, "none", match_on=match_on, option_of=option_of, repeat="last" if repeats else None)
        self._speed = speed
        self.places = tuple(dict.fromkeys(map(_place_of, self._interactions())))
        if isinstance(self._cassette, _SessionCassette) and self.places:
            self._cassette.origin = self.places[0].origin

    def _interactions(self) -> Sequence[Interaction]:
        return [self._cassette.interaction(number) for number in range(1, len(self._cassette) + 1)]

    @property
    def providers(self) -> list[str]:
        """Who was recorded, in the order of the file."""
        return list(dict.fromkeys(place.provider for place in self.places))

    def part(self, provider: str) -> ServedPart:
        """Return what a provider plays: its own part; all of the session where it has none of it."""
        own = tuple(place for place in self.places if place.provider == provider)
        return ServedPart(self, provider, own or self.places)

    def find(self, places: Sequence[Place], exchange: Exchange) -> Recorded | str:
        """Return the answer to a request that may have been recorded at some places; else why there is none."""
        query = f"?{exchange.query}" if exchange.query else ""
        headers = {name: [value] for name, value in exchange.headers.items()}
        missed = ""
        for uri in [place.origin + place.path for place in places] or [self._nowhere(exchange)]:
            try:
                found = self._cassette.answer(RecordedRequest(exchange.method, uri + query, headers, exchange.body))
            except CassetteMismatchError as error:
                missed = missed or str(error)
                continue
            assert found is not None, "a cassette that records nothing answers or raises"
            note_use(self._cassette)
            return _undated(as_answer(found, self._speed))
        return missed

    def _nowhere(self, exchange: Exchange) -> str:
        origin = self.places[0].origin if self.places else f"{exchange.scheme}://{exchange.host}"
        return origin + exchange.path

    def unplayed(self, places: Sequence[Place]) -> list[tuple[int, str]]:
        """Return number and label of the answers of some places that were not given."""
        found = []
        for number in self._cassette.unplayed:
            place = _place_of(self._cassette.interaction(number))
            if place in places:
                found.append((number, f"{self._cassette.name}, interaction {number}: {place.method} {place.path}"))
        return found

    def count(self, places: Sequence[Place]) -> int:
        """Return how many answers there are of some places."""
        return sum(_place_of(each) in places for each in self._interactions())


class ServedPart:
    """What one provider plays of a session; a `Recording`.

    Args:
        session: The session.
        provider: The provider.
        places: Where its part was recorded.
    """

    def __init__(self, session: ServedSession, provider: str, places: Sequence[Place]) -> None:
        self._session = session
        self._provider = provider
        self._places = places
        self._count = session.count(places)
        self.missed = ""

    def __len__(self) -> int:
        """Return how many answers are the provider's."""
        return self._count

    def unplayed(self) -> list[tuple[int, str]]:
        """Return number and label of the answers that have not been given."""
        return self._session.unplayed(self._places)

    def place_of(self, method: str, path: str) -> Place | None:
        """Return where a request to a path was recorded, if it was; of several the one that is most like it."""
        return next(iter(self._meant(method, path)), None)

    def _meant(self, method: str, path: str) -> list[Place]:
        path = path.removeprefix(f"/{self._provider}") or "/"
        meant = [place for place in self._places if place.is_meant(method, path)]
        return sorted(meant, key=lambda place: (place.path != path, -len(place.path)))

    def play(self, exchange: Exchange) -> Recorded | None:
        """Return the recorded answer to a request; None where there is none left, and `missed` says why."""
        own = self._meant(exchange.method, exchange.path)
        # Where one path is that of two, what is asked there tells them apart.
        others = [place for place in self._session.places if place.is_meant(exchange.method, exchange.path)]
        found = self._session.find(list(dict.fromkeys([*own, *others])), exchange)
        if isinstance(found, Recorded):
            return found
        self.missed = found
        return None


def open_served(
    world: World,  # noqa: ARG001 - a server knows who is meant by the path
    provider: str,
    handle: str,
    path: str | PathLike[str],
    match_on: Any,
    speed: float | None,
    repeat: Literal["last"] | None = None,
) -> ServedPart:
    """Open a recorded session for a provider that is reached on a port."""
    option_of = f'{handle}.plays("{path}", '
    repeats = repeat is not None
    return ServedSession(path, speed=speed, match_on=match_on, repeats=repeats, option_of=option_of).part(provider)


def _place_of(interaction: Interaction) -> Place:
    request = interaction.request
    match, owner = spoken_to(request), owner_of(request.uri)
    endpoint = None if match is None else match.endpoint
    origin = _origin(request.uri)
    path = urlsplit(request.uri).path or "/"
    if owner is not None:
        name = owner.name
    elif match is None:
        name = urlsplit(request.uri).hostname or "unknown"
    elif match.dialect.is_provider:
        name = match.dialect.name
    else:
        name = next(each.name for each in dialects().values() if each.is_default)
    return Place(name, request.method.upper(), origin, path, endpoint)


def _origin(uri: str) -> str:
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}"


def _undated(answer: Recorded) -> Recorded:
    return replace(answer, lines=tuple(line for line in answer.lines if line[0] != DATED))
