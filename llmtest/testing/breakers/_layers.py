"""What a decorated function is made of: decorators keep what they need in a closure, and the function below it."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from types import FunctionType, MethodType

__all__ = ["held_by", "layers_of"]


def held_by(function: FunctionType) -> dict[str, object]:
    """Return what a function's closure holds, by name; names that are not bound yet are left out."""
    held: dict[str, object] = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            held[name] = cell.cell_contents
        except ValueError:  # It is assigned later.
            continue
    return held


def layers_of(thing: object) -> Iterator[object]:
    """Return a thing, and of a callable what its decorators hold, from the outside in, each once."""
    waiting, seen = [thing], set()
    while waiting:
        layer = waiting.pop(0)
        if id(layer) in seen:
            continue
        seen.add(id(layer))
        yield layer
        if isinstance(layer, MethodType):
            waiting.append(layer.__func__)
        elif isinstance(layer, functools.partial):
            waiting.append(layer.func)
        elif isinstance(layer, FunctionType):
            below = getattr(layer, "__wrapped__", None)
            waiting += [getattr(layer, "retry", None), *held_by(layer).values(), below]
