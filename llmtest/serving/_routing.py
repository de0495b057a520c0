"""Which simulated provider a path belongs to, and what is said where it belongs to none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from llmtest.errors import InvalidRequestError
from llmtest.simulation import ProviderHandle, World, served
from llmtest.wire import Dialect, Endpoint, Match, dialects, marked_by, match_bare

__all__ = ["Route", "UnknownPathError", "route_of"]


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request goes.

    Args:
        handle: The provider.
        endpoint: What is asked of it.
        parameters: What the path says.
    """

    handle: ProviderHandle
    endpoint: Endpoint
    parameters: Mapping[str, str]


class UnknownPathError(Exception):
    """Nothing is simulated at a path.

    Args:
        dialect: The format to say so in.
        error: What the provider would answer, with the paths that exist.
    """

    def __init__(self, dialect: Dialect, error: InvalidRequestError) -> None:
        super().__init__(error.message)
        self.dialect = dialect
        self.error = error


def route_of(world: World, method: str, path: str, headers: Mapping[str, str]) -> Route:
    """Find who answers.

    A bare path belongs to the provider whose dialect has it; `/{provider}/...` to the provider of that name.

    Raises:
        UnknownPathError: Nobody does; the error is the dialect's own 404 or 405.
    """
    owner, match = match_bare(method, path, headers)
    if match.endpoint is not None:
        return Route(world.provider(owner.name), match.endpoint, match.parameters)
    first, _, rest = path[1:].partition("/")
    known = {handle.name for handle in world.handles} | {each.name for each in dialects().values() if each.is_provider}
    if not path.startswith("/") or first not in known:
        raise _nobody(method, path, headers, match, known)
    handle = world.provider(first)
    match = handle.spoken.match(method, f"/{rest}", below=True)
    if match.endpoint is None:
        raise _unserved(handle, match, method, path)
    return Route(handle, match.endpoint, match.parameters)


def _nobody(method: str, path: str, headers: Mapping[str, str], match: Match, known: set[str]) -> UnknownPathError:
    if match.allowed:
        return UnknownPathError(match.dialect, match.dialect.errors.not_allowed(method, path))
    dialect = match.dialect if match.unserved is not None else marked_by(headers)
    first = path[1:].partition("/")[0]
    near = get_close_matches(first, sorted(known), n=1)
    hint = f" Did you mean the provider `{near[0]}`?" if near else ""
    return UnknownPathError(dialect, _not_found(match, method, path, hint))


def _not_found(match: Match, method: str, path: str, hint: str = "") -> InvalidRequestError:
    """Make a dialect's 404 for a path, with the paths that exist."""
    error = match.dialect.errors.not_found(method, path)
    says_where = path in error.message
    told = f"{error.message}." if says_where else f"{error.message}: {method} {path}."
    more = f"llmtest serves {served(match.dialect)} for this API, and the same below /{{provider}}."
    if match.unserved is not None and match.unserved.instead:
        more += f" To fix: {match.unserved.instead}."
    return InvalidRequestError(f"{told}{hint} {more}", status=404, code=error.code)


def _unserved(handle: ProviderHandle, match: Match, method: str, path: str) -> UnknownPathError:
    dialect = match.dialect
    if match.is_native:
        root = next(iter(handle.spoken.mounts), "")
        error = dialect.errors.not_found(method, path)
        error.message = (
            f"{error.message}. The native API of `{handle.name}` is not simulated; llmtest serves its "
            f"{dialect.title} one below /{handle.name}{root}."
        )
        return UnknownPathError(dialect, error)
    if match.allowed:
        return UnknownPathError(dialect, dialect.errors.not_allowed(method, path))
    return UnknownPathError(dialect, _not_found(match, method, path))
