"""Which simulated provider a path belongs to, and what is said where it belongs to none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from llmtest.errors import InvalidRequestError
from llmtest.simulation import SimulatedProvider, World, served
from llmtest.simulation._own_endpoint import own_endpoint
from llmtest.wire import Dialect, Endpoint, Match, dialects, match_bare

if TYPE_CHECKING:
    from llmtest.serving._played_session import Place

__all__ = ["Route", "UnknownPathError", "route_of"]


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request goes.

    Args:
        provider: The provider.
        endpoint: What is asked of it.
        parameters: What the path says.
        prefix: What stands before the provider's own path: `/{provider}`, or nothing.
        is_exact: Whether the very path was recorded, of a provider that plays a session.
    """

    provider: SimulatedProvider
    endpoint: Endpoint
    parameters: Mapping[str, str]
    prefix: str = ""
    is_exact: bool = False


class UnknownPathError(Exception):
    """Nothing is simulated at a path.

    Args:
        provider: Whom the request was for, as far as that can be told.
        match: What the path leads to there.
        error: What the provider would answer, with the paths that exist.
    """

    def __init__(self, provider: SimulatedProvider, match: Match, error: InvalidRequestError) -> None:
        super().__init__(error.message)
        self.provider = provider
        self.match = match
        self.dialect = match.dialect
        self.error = error


def route_of(world: World, method: str, path: str, headers: Mapping[str, str]) -> Route:
    """Find who answers.

    A bare path belongs to the provider whose dialect has it; `/{provider}/...` to the provider of that name. Where a
    path is both, it is bare for whoever sends headers that only clients of that dialect send. A path that was recorded
    belongs to whom was recorded there, where a session is played.

    Raises:
        UnknownPathError: Nobody does; the error is the dialect's own 404 or 405.
    """
    recorded = _recorded(world, method, path)
    if recorded is not None and recorded.is_exact:
        return recorded
    try:
        found = _simulated(world, method, path, headers)
    except UnknownPathError:
        if recorded is None:
            raise
        return recorded
    if recorded is None or _place_in(found.provider, method, path) is not None:
        return found
    # Who is named and has an answer of its own gives it.
    return found if found.prefix and found.provider.engine.script.base.default is not None else recorded


def _place_in(provider: SimulatedProvider, method: str, path: str) -> Place | None:
    """Return where a request was recorded, if a provider plays a session that has such a one."""
    if not provider.engine.script.recordings:
        return None
    from llmtest.serving._played_session import ServedPart  # a server that plays nothing starts without it

    parts = (played.recording for played in provider.engine.script.recordings)
    places = (part.place_of(method, path) for part in parts if isinstance(part, ServedPart))
    return next((place for place in places if place is not None), None)


def _recorded(world: World, method: str, path: str) -> Route | None:
    """Return the route to the provider that was recorded at a path."""
    places = [(place, each) for each in world.providers if (place := _place_in(each, method, path)) is not None]
    if not places:
        return None
    place, provider = min(places, key=lambda found: (found[0].path != path, -len(found[0].path)))
    endpoint = place.endpoint or own_endpoint(provider.engine.spoken, method, place.path)
    found = endpoint.end.search(path) or endpoint.end.search(place.path)
    return Route(provider, endpoint, {} if found is None else found.groupdict(), is_exact=place.path == path)


def _simulated(world: World, method: str, path: str, headers: Mapping[str, str]) -> Route:
    owner, match = match_bare(method, path, headers)
    bare = world.simulated(owner.name)
    match = bare.own_match(method, path) or match
    first, _, rest = path[1:].partition("/")
    if match.endpoint is not None:
        return _named(world, method, first, rest, owner, headers) or Route(bare, match.endpoint, match.parameters)
    known = {each.name for each in world.providers} | {each.name for each in dialects().values() if each.is_provider}
    if not path.startswith("/") or first not in known:
        raise UnknownPathError(bare, match, _nobody(method, path, match, known))
    provider = world.simulated(first)
    match = provider.match_below(method, f"/{rest}")
    if match.endpoint is None:
        raise UnknownPathError(provider, match, _unserved(provider, match, method, path))
    return Route(provider, match.endpoint, match.parameters, f"/{first}")


def _named(
    world: World, method: str, first: str, rest: str, owner: Dialect, headers: Mapping[str, str]
) -> Route | None:
    """Return the route below a provider's name, where another API has the same path and only it sends such headers."""
    if first not in dialects() or (owner.marks is not None and owner.marks(headers)):
        return None
    provider = world.simulated(first)
    match = provider.match_below(method, f"/{rest}")
    return None if match.endpoint is None else Route(provider, match.endpoint, match.parameters, f"/{first}")


def _nobody(method: str, path: str, match: Match, known: set[str]) -> InvalidRequestError:
    if match.allowed:
        return match.dialect.errors.not_allowed(method, path)
    first = path[1:].partition("/")[0]
    near = get_close_matches(first, sorted(known), n=1)
    hint = f" Did you mean the provider `{near[0]}`?" if near else ""
    return _not_found(match, method, path, hint)


def _not_found(match: Match, method: str, path: str, hint: str = "") -> InvalidRequestError:
    """Make a dialect's 404 for a path, with the paths that exist."""
    error = match.dialect.errors.not_found(method, path)
    says_where = path in error.message
    told = f"{error.message}." if says_where else f"{error.message}: {method} {path}."
    more = f"llmtest serves {served(match.dialect, path)} for this API, and the same below /{{provider}}."
    if match.unserved is not None and match.unserved.instead:
        more += f" To fix: {match.unserved.instead}."
    return InvalidRequestError(f"{told}{hint} {more}", status=404, code=error.code)


def _unserved(provider: SimulatedProvider, match: Match, method: str, path: str) -> InvalidRequestError:
    dialect = match.dialect
    if match.is_native:
        root = next(iter(provider.dialect.mounts), "")
        error = dialect.errors.not_found(method, path)
        error.message = (
            f"{error.message}. The native API of `{provider.name}` is not simulated; llmtest serves its "
            f"{dialect.spoken.title} one below /{provider.name}{root}."
        )
        return error
    return dialect.errors.not_allowed(method, path) if match.allowed else _not_found(match, method, path)
