"""Code of a project's own that decides about its cassettes: given as it is, or by name."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from llmtest.cassettes._interactions import RecordedRequest
from llmtest.errors import CassetteMismatchError, ConfigurationError

Matcher = Callable[[RecordedRequest, RecordedRequest], Any]
"""Takes the sent and the recorded request, as vcrpy's do: False or an `AssertionError` says that they differ."""

GROUP = "llmtest.cassettes"
"""Entry points by which a distribution names such code."""


def own_code(value: Any, option: str) -> Callable[..., Any]:
    """Return what a value stands for: a callable, `package.module:name`, or the name of an entry point.

    Args:
        value: What was given.
        option: What it was given to, for errors.

    Raises:
        ConfigurationError: There is no such thing, or it cannot be called.
    """
    found: Callable[..., Any] = _by_name(value, option) if isinstance(value, str) else value
    if not callable(found):
        raise ConfigurationError(f"{option}: {value!r} cannot be called.\nTo fix: give a function, or its name.")
    return found


def _by_name(name: str, option: str) -> Any:
    module, colon, attribute = name.partition(":")
    if not colon:
        return _by_entry_point(name, option)
    try:
        found: Any = import_module(module.strip())
        for part in attribute.strip().split("."):
            found = getattr(found, part)
    except Exception as error:
        raise ConfigurationError(
            f"{option}: `{name}` cannot be loaded: {_said(error)}.\n"
            "To fix: name a module that can be imported, and what is in it."
        ) from error
    return found


def _by_entry_point(name: str, option: str) -> Any:
    points = {point.value: point for point in entry_points(group=GROUP, name=name)}
    if not points:
        raise ConfigurationError(f"{option}: nothing is called `{name}`.\nTo fix: write it as `package.module:{name}`.")
    if len(points) > 1:
        owners = " and ".join(f"`{value}`{_owner(point)}" for value, point in sorted(points.items()))
        raise ConfigurationError(
            f"{option}: more than one thing is called `{name}`: {owners}.\n"
            f"To fix: write which one is meant, as `{min(points)}`."
        )
    (value, point), *_ = points.items()
    try:
        return point.load()
    except Exception as error:
        raise ConfigurationError(
            f"{option}: `{name}`, which is `{value}`{_owner(point)}, cannot be loaded: {_said(error)}.\n"
            "To fix: repair or update that distribution, or name another function as `package.module:name`."
        ) from error


def _owner(point: EntryPoint) -> str:
    return "" if point.dist is None else f" of {point.dist.name}"


def _said(error: Exception) -> str:
    """Return what kept code from being loaded; where it failed by itself, its class too."""
    is_plain = isinstance(error, ImportError | AttributeError | ValueError)
    return str(error) if is_plain else f"{type(error).__name__}: {error}"


def name_of(matcher: Matcher) -> str:
    """Return what a matcher is called."""
    return str(getattr(matcher, "__name__", type(matcher).__name__))


def refusal(matcher: Matcher, sent: RecordedRequest, recorded: RecordedRequest) -> str | None:
    """Return why a matcher says that two requests differ; None where it says that they are the same.

    Raises:
        CassetteMismatchError: It has failed otherwise, which is no answer.
    """
    try:
        answer = matcher(sent, recorded)
    except AssertionError as error:
        return str(error).partition("\n")[0] or "they differ"
    except Exception as error:
        raise CassetteMismatchError(
            f"the matcher `{name_of(matcher)}` has failed: {type(error).__name__}: {error}.\n\n"
            "To fix: let it return True or False for every two requests."
        ) from error
    return None if answer is None or answer else "they differ"
