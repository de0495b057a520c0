"""When: clocks, virtual time, and randomness that depends on nothing but its seed.

This is the only room that reads the machine's clock, really sleeps, or touches global randomness.
"""

from llmtest.clock._chance import OwnDraws, draw_bits, stream, uniform
from llmtest.clock._clock import DEFAULT_EPOCH, Clock, SystemClock, VirtualClock, active_clock
from llmtest.clock._durations import parse_duration
from llmtest.clock._epoch import epoch_of
from llmtest.clock._exclusive import Turn
from llmtest.clock._identity import unique_key
from llmtest.clock._installation import virtual_time
from llmtest.clock._late_imports import LateImports
from llmtest.clock._loop import VirtualTimeLoop
from llmtest.clock._other_loops import running_task, wait_for_ever
from llmtest.clock._outlived import has_left_something, outlived
from llmtest.clock._replay_time import replay_time
from llmtest.clock._running import is_virtual_loop, new_virtual_loop, run_virtual
from llmtest.clock._signal import Signal
from llmtest.clock._time_limits import TimeLimit, TimeLimits
from llmtest.clock._token_bucket import TokenBucket
from llmtest.clock._waiting import AsyncWaiter, BlockingWaiter, Waiter, iterate_blocking, run_blocking

__all__ = [
    "DEFAULT_EPOCH",
    "AsyncWaiter",
    "BlockingWaiter",
    "Clock",
    "LateImports",
    "OwnDraws",
    "Signal",
    "SystemClock",
    "TimeLimit",
    "TimeLimits",
    "TokenBucket",
    "Turn",
    "VirtualClock",
    "VirtualTimeLoop",
    "Waiter",
    "active_clock",
    "draw_bits",
    "epoch_of",
    "has_left_something",
    "is_virtual_loop",
    "iterate_blocking",
    "new_virtual_loop",
    "outlived",
    "parse_duration",
    "replay_time",
    "run_blocking",
    "run_virtual",
    "running_task",
    "stream",
    "uniform",
    "unique_key",
    "virtual_time",
    "wait_for_ever",
]
