"""Where requests leave the process: the one place that knows the insides of `httpx`, `httpx2` and `socket`.

Whoever wants to answer or refuse requests opens a `Gate`: simulated providers, recorded sessions, a ban on the network.
"""

from llmtest.interception._clients import SIMULATED, Library, libraries
from llmtest.interception._gates import Gate, Onward, is_loopback, is_pattern
from llmtest.interception._opening import opened
from llmtest.interception._telemetry import telemetry_at, telemetry_transport

__all__ = [
    "SIMULATED",
    "Gate",
    "Library",
    "Onward",
    "is_loopback",
    "is_pattern",
    "libraries",
    "opened",
    "telemetry_at",
    "telemetry_transport",
]
