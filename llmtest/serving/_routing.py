"""Which simulated provider a path belongs to, and what is said where it belongs to none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from llmtest.errors import InvalidRequestError
from llmtest.simulation import (
    BUILTIN,
    ENDPOINTS,
    ProviderHandle,
    World,
    compatible_path,
    dialect_of,
    way_around,
)
from llmtest.wire import Codec, codec_for

__all__ = ["Route", "UnknownPathError", "codec_of_headers", "route_of"]

BARE = {
    "/v1/chat/completions": "openai",
    "/v1/embeddings": "openai",
    "/v1/messages": "anthropic",
    "/v1/messages/count_tokens": "anthropic",
}
"""Paths that tell the dialect, and so the provider, by themselves."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request goes.

    Args:
        handle: The provider.
        codec: The format it is written in.
        path: The path below the provider's name.
    """

    handle: ProviderHandle
    codec: Codec
    path: str


class UnknownPathError(Exception):
    """Nothing is simulated at a path.

    Args:
        codec: The format to say so in.
        error: What the provider would answer, with the paths that exist.
    """

    def __init__(self, codec: Codec, error: InvalidRequestError) -> None:
        super().__init__(error.message)
        self.codec = codec
        self.error = error


def codec_of_headers(headers: Mapping[str, str]) -> Codec:
    """Return the codec of whoever sends such headers; Anthropic's clients name a version, or send `x-api-key`."""
    return codec_for("anthropic" if "anthropic-version" in headers or "x-api-key" in headers else "openai")


def route_of(world: World, method: str, path: str, headers: Mapping[str, str]) -> Route:
    """Find who answers.

    A bare path belongs to the provider whose dialect it is; `/{provider}/...` to the provider of that name.

    Raises:
        UnknownPathError: Nobody does; the error is the dialect's own 404.
    """
    name = BARE.get(path.rstrip("/"))
    if name is None and (path.rstrip("/") == "/v1/models" or path.startswith("/v1/models/")):
        name = "anthropic" if "anthropic-version" in headers else "openai"
    if name is not None:
        return Route(world.provider(name), codec_for(name), path)
    first, _, rest = path[1:].partition("/")
    known = {handle.name for handle in world.handles} | BUILTIN.keys()
    if not path.startswith("/") or first not in known:
        raise _nobody(method, path, headers, known)
    handle = world.provider(first)
    dialect = dialect_of(handle.dialect, f"/{rest}")
    if dialect is None:
        raise _no_dialect(handle, method, path)
    return Route(handle, codec_for(dialect), f"/{rest}")


def _nobody(method: str, path: str, headers: Mapping[str, str], known: set[str]) -> UnknownPathError:
    codec = codec_of_headers(headers)
    first = path[1:].partition("/")[0]
    near = get_close_matches(first, sorted(known), n=1)
    hint = f" Did you mean the provider `{near[0]}`?" if near else ""
    return UnknownPathError(codec, not_found(codec, method, path, hint))


def not_found(codec: Codec, method: str, path: str, hint: str = "") -> InvalidRequestError:
    """Make a dialect's 404 for a path, with the paths that exist."""
    paths = ", ".join(ENDPOINTS[codec.dialect])
    served = f"llmtest serves {paths} for this API, and the same below /{{provider}}."
    way = way_around(path)
    if way:
        served += f" To fix: {way}."
    if codec.dialect == "anthropic":
        return InvalidRequestError(f"Not Found: {method} {path}.{hint} {served}", status=404, code="not_found_error")
    return InvalidRequestError(
        f"Invalid URL ({method} {path}).{hint} {served}", status=404, code="invalid_request_error"
    )


def _no_dialect(handle: ProviderHandle, method: str, path: str) -> UnknownPathError:
    codec = codec_for("openai")
    error = InvalidRequestError(
        f"Invalid URL ({method} {path}). The native API of `{handle.name}` is not simulated; llmtest serves its "
        f"OpenAI-compatible one below /{handle.name}{compatible_path(handle.dialect)}.",
        status=404,
        code="invalid_request_error",
    )
    return UnknownPathError(codec, error)
