"""The simulated providers behind a loopback port, in real time: for other processes, other languages, local work."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmtest.serving._application import Application
    from llmtest.serving._receive import Reception
    from llmtest.serving._script import ServedScript, load_script, parse_script
    from llmtest.serving._served_world import Sessions, served_world
    from llmtest.serving._server import Server

__all__ = [
    "Application",
    "Reception",
    "ServedScript",
    "Server",
    "Sessions",
    "load_script",
    "parse_script",
    "served_world",
]

_HOMES = {
    "Application": "_application",
    "Reception": "_receive",
    "ServedScript": "_script",
    "Server": "_server",
    "Sessions": "_served_world",
    "load_script": "_script",
    "parse_script": "_script",
    "served_world": "_served_world",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"llmtest.serving.{_HOMES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return __all__
