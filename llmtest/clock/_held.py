"""Where a module holds on to a function of `time` besides its names: default arguments, closures, classes, partials.

`def call(sleep=time.sleep)` binds the machine's sleep when the module is imported, which may be long before a
simulation. What is built in C keeps it: the defaults of a pydantic model are compiled when its class is made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import Field
from functools import partial
from types import CellType, FunctionType, ModuleType
from typing import Any, NamedTuple

__all__ = ["Place", "places_in"]


class Place(NamedTuple):
    """One attribute that holds on to a function: what it is without a simulation, and what it is inside one."""

    owner: Any
    name: str
    real: Any
    virtual: Any


def places_in(module: ModuleType, virtual: Mapping[int, Any]) -> Iterator[Place]:
    """Find the places of a module, in its functions and its classes.

    Args:
        module: Where to look. What it imported from elsewhere is not looked at.
        virtual: The replacements, by the identity of what they replace.
    """
    seen: set[int] = set()
    for name, value in list(vars(module).items()):
        if isinstance(value, partial):
            if id(value.func) in virtual:
                yield Place(module, name, value, _partial(value, virtual))
        elif isinstance(value, type):
            if value.__module__ == module.__name__:
                yield from _in_class(value, virtual, seen)
        else:
            yield from _in_function(value, virtual, seen, module.__name__)


def _partial(value: partial[Any], virtual: Mapping[int, Any]) -> partial[Any]:
    return partial(virtual[id(value.func)], *value.args, **value.keywords)


def _in_class(owner: type, virtual: Mapping[int, Any], seen: set[int]) -> Iterator[Place]:
    if id(owner) in seen or type(owner).__setattr__ is not type.__setattr__:  # such a class refuses, or reacts
        return
    seen.add(id(owner))
    for name, value in list(vars(owner).items()):
        inner = value.__func__ if isinstance(value, staticmethod | classmethod) else value
        if id(inner) in virtual:  # a function of C is no method; ours, written in Python, would become one
            yield Place(owner, name, value, staticmethod(virtual[id(inner)]))
        elif isinstance(inner, type):
            if inner.__qualname__.startswith(f"{owner.__qualname__}.") and inner.__module__ == owner.__module__:
                yield from _in_class(inner, virtual, seen)
        elif isinstance(inner, property):
            yield from _in_function(inner.fget, virtual, seen, owner.__module__)
        else:
            yield from _in_function(inner, virtual, seen, owner.__module__)
    fields = vars(owner).get("__dataclass_fields__", {})
    for field in fields.values():
        if isinstance(field, Field):
            for name in ("default", "default_factory"):
                held = getattr(field, name)
                if id(held) in virtual:
                    yield Place(field, name, held, virtual[id(held)])


def _in_function(function: Any, virtual: Mapping[int, Any], seen: set[int], module: str) -> Iterator[Place]:
    """Look at a function, and at what it was before it was decorated."""
    while isinstance(function, FunctionType) and function.__module__ == module and id(function) not in seen:
        seen.add(id(function))
        defaults = function.__defaults__
        if defaults and any(id(value) in virtual for value in defaults):
            yield Place(function, "__defaults__", defaults, tuple(virtual.get(id(each), each) for each in defaults))
        named = function.__kwdefaults__
        if named and any(id(value) in virtual for value in named.values()):
            replaced = {name: virtual.get(id(each), each) for name, each in named.items()}
            yield Place(function, "__kwdefaults__", named, replaced)
        for cell in function.__closure__ or ():
            yield from _in_cell(cell, virtual, seen)
        function = getattr(function, "__wrapped__", None)


def _in_cell(cell: CellType, virtual: Mapping[int, Any], seen: set[int]) -> Iterator[Place]:
    if id(cell) in seen:
        return
    seen.add(id(cell))
    try:
        held = cell.cell_contents
    except ValueError:  # it is empty: the name is bound later, or was deleted
        return
    if id(held) in virtual:
        yield Place(cell, "cell_contents", held, virtual[id(held)])
