"""Names that nobody else has, and that a simulation has again when it is repeated."""

from __future__ import annotations

import secrets

from llmtest.clock._chance import draw_bits
from llmtest.clock._clock import VirtualClock, active_clock

__all__ = ["unique_key"]


def unique_key() -> str:
    """Return 32 hexadecimal digits: from the machine's entropy, or the next ones of the running simulation."""
    clock = active_clock()
    if isinstance(clock, VirtualClock):
        return f"{draw_bits(0, 'unique_key', clock.next_number(), bits=128):032x}"
    return secrets.token_hex(16)
