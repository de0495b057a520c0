"""Functions of `time` that a module holds on to besides its own names, bound before any simulation."""

import enum
import sys
import time
import types

import pytest

from llmtest.clock import virtual_time

SOURCE = """
import functools, time
from dataclasses import dataclass, field

def by_position(seconds, sleep=time.sleep): sleep(seconds)
def by_name(seconds, *, clock=time.monotonic, sleep=time.sleep):
    start = clock()
    sleep(seconds)
    return clock() - start
def decorator(function):
    @functools.wraps(function)
    def decorated(*args): return function(*args)
    return decorated
@decorator
def decorated(seconds, sleep=time.sleep): sleep(seconds)
def closed_over():
    sleep = time.sleep
    def inside(seconds): sleep(seconds)
    return inside
inside = closed_over()
rest = functools.partial(time.sleep, 60)
class Retry:
    pause = time.sleep
    clock = staticmethod(time.monotonic)
    class Inner:
        def wait(self, seconds, sleep=time.sleep): sleep(seconds)
    def __init__(self, sleep=time.sleep): self._sleep = sleep
    def run(self, seconds): self._sleep(seconds)
    @classmethod
    def of_class(cls, seconds, sleep=time.sleep): sleep(seconds)
    @staticmethod
    def of_none(seconds, sleep=time.sleep): sleep(seconds)
    @property
    def now(self, clock=time.monotonic): return clock()
@dataclass
class Seen:
    at: float = field(default_factory=time.time)
    sleep: object = time.sleep
"""

WAITS = {
    "a default": lambda held: held.by_position(60),
    "a keyword's default": lambda held: held.by_name(60),
    "a default of what is decorated": lambda held: held.decorated(60),
    "a closure": lambda held: held.inside(60),
    "a partial": lambda held: held.rest(),
    "an attribute of a class": lambda held: held.Retry().pause(60),
    "a default of `__init__`": lambda held: held.Retry().run(60),
    "a default of a class method": lambda held: held.Retry.of_class(60),
    "a default of a static method": lambda held: held.Retry.of_none(60),
    "a default of a class within one": lambda held: held.Retry.Inner().wait(60),
    "a field of a dataclass": lambda held: held.Seen().sleep(60),
}


@pytest.fixture
def held(monkeypatch):
    """Return a module that was imported before any simulation."""
    module = types.ModuleType("holds_on_to_time")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(SOURCE, vars(module))
    return module


@pytest.mark.parametrize("where", WAITS)
def test_a_sleep_that_was_bound_at_import_is_virtual(held, where):
    """It takes no real time, whatever holds it."""
    with virtual_time() as clock:
        WAITS[where](held)
        assert clock.now_ns() == 60_000_000_000


def test_clocks_that_were_bound_at_import_are_virtual(held):
    """A default, a static method and the factory of a field read the clock of the simulation."""
    with virtual_time() as clock:
        assert held.by_name(60) == 60
        assert held.Retry.clock() == held.Retry().now == time.monotonic()
        assert held.Seen().at == clock.now().timestamp()


def test_what_held_them_is_put_back(held):
    """Every default, closure, field and attribute is the very object that it was, after one simulation and the next."""

    def holders():
        retry = held.Retry
        field = held.Seen.__dataclass_fields__["at"]
        return [
            held.by_position.__defaults__,
            held.by_name.__kwdefaults__,
            held.decorated.__wrapped__.__defaults__,
            held.inside.__closure__[0].cell_contents,
            held.rest,
            vars(retry)["pause"],
            vars(retry)["clock"],
            retry.__init__.__defaults__,
            field.default_factory,
        ]

    before = holders()
    for _ in range(2):
        with virtual_time():
            assert not any(now is old for now, old in zip(holders(), before, strict=True))
        assert all(now is old for now, old in zip(holders(), before, strict=True))


def test_a_default_that_was_given_meanwhile_stays(held):
    """What somebody set between two simulations is neither replaced nor lost."""
    with virtual_time():
        held.by_position(1)
    waits = []
    held.by_position.__defaults__ = (waits.append,)
    with virtual_time() as clock:
        held.by_position(60)
        assert (waits, clock.now_ns()) == ([60], 0)
    assert held.by_position.__defaults__ == (waits.append,)


def test_classes_that_watch_their_attributes_are_left_alone(held):
    """A metaclass that refuses assignments does not break a simulation."""

    class Fixed(type):
        def __setattr__(cls, name, value):
            raise TypeError(name)

    held.Fixed = Fixed("Fixed", (), {"sleep": time.sleep, "__module__": held.__name__})
    held.Colour = enum.Enum("Colour", {"RED": 1}, module=held.__name__)
    with virtual_time():
        held.by_position(60)
    assert vars(held.Fixed)["sleep"] is time.sleep


def test_a_library_that_binds_a_clock_as_a_default_lives_in_virtual_time():
    """Anthropic's SDK keeps a token until it ends by the clock, `time_source=time.time` of one of its classes."""
    credentials = pytest.importorskip("anthropic.lib.credentials")
    given = []

    def provider():
        given.append(credentials.AccessToken(f"token {len(given)}", expires_at=time.time() + 3600))
        return given[-1]

    with virtual_time():
        cache = credentials.TokenCache(provider)
        assert [cache.get_token(), cache.get_token()] == ["token 0", "token 0"]
        time.sleep(3600)
        assert cache.get_token() == "token 1"
