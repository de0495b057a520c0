"""The nearest name there is to one that somebody wrote: of a word, and of an argument."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from functools import wraps
from typing import Any, ParamSpec, TypeVar

__all__ = [
    "did_you_mean",
    "nearest",
    "settings_tell_near_arguments",
    "tells_near_arguments",
    "words_tell_near_arguments",
]

P = ParamSpec("P")
R = TypeVar("R")


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """Return the choice most like a word, whatever its case and its hyphens; None where nothing is like it."""
    folded = {choice.lower().replace("-", "_"): choice for choice in choices}
    found = get_close_matches(word.lower().replace("-", "_"), folded, n=1, cutoff=0.6)
    return folded[found[0]] if found else None


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Return ` Did you mean ...?`, or nothing."""
    found = nearest(word, choices)
    return f" Did you mean `{found}`?" if found else ""


def tells_near_arguments(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function name its nearest argument where it is called with one that it does not have.

    Calls that are right cost nothing more than one frame: what is wrong is looked up once Python has refused the call.

    Example:
        >>> tells_near_arguments(lambda *, model=None: model)(modell="gpt-4o")
        Traceback (most recent call last):
        TypeError: <lambda>() has no argument `modell`. Did you mean `model`? Arguments: model.
    """

    @wraps(function)
    def called(*args: P.args, **keywords: P.kwargs) -> R:
        __tracebackhide__ = True
        try:
            return function(*args, **keywords)
        except TypeError as error:
            text = _unknown_argument(function, keywords)
            if text is None or error.__traceback__ is None or error.__traceback__.tb_next is not None:
                raise  # It came from further inside, and is another one's.
            raise TypeError(text) from None

    return called


def words_tell_near_arguments(kind: type[R]) -> type[R]:
    """Let the constructor and every public method of a class name the nearest argument."""
    for name, member in list(vars(kind).items()):
        if inspect.isfunction(member) and (name == "__init__" or not name.startswith("_")):
            setattr(kind, name, tells_near_arguments(member))
    return kind


def settings_tell_near_arguments(kind: type[R]) -> type[R]:
    """Let the constructor of a class name the nearest argument; its methods cost what they did."""
    kind.__init__ = tells_near_arguments(kind.__init__)  # type: ignore[method-assign]  # same signature
    return kind


def _unknown_argument(function: Callable[..., Any], keywords: dict[str, Any]) -> str | None:
    """Return what is said of the first argument that a function does not have; None where it has all."""
    parameters = inspect.signature(function).parameters.values()
    if any(each.kind is each.VAR_KEYWORD for each in parameters):
        return None
    known = [each.name for each in parameters if each.kind not in {each.POSITIONAL_ONLY, each.VAR_POSITIONAL}]
    known = [name for name in known if name != "self"]
    unknown = next((name for name in keywords if name not in known), None)
    if unknown is None:
        return None
    name = function.__qualname__.removesuffix(".__init__").rpartition(".")[2]
    hint = did_you_mean(unknown, known)
    return f"{name}() has no argument `{unknown}`.{hint} Arguments: {', '.join(known) or 'none'}."
