"""Where requests leave the process: the one place that knows the insides of HTTP libraries and of `socket`.

Whoever wants to answer or refuse requests opens a `Gate`: simulated providers, recorded sessions, a ban on the network.

`_gates` who decides, `_decision` what becomes of one request, `_opening` and `_replacements` patching and its end,
`_clients` httpx and httpx2, `_byte_libraries` those that read bytes, and the list of all:
`_http_client`, `_urllib3` (both over a `_memory_socket`), `_aiohttp` (over an `_aiohttp_transport`), `_lm15`,
`_http_bytes` what they write and read, `_as_httpx2` what gates see of it; `_replays` who is told of recorded answers;
`_sockets` and `_proxies` everything else, `_telemetry` reports of libraries about themselves,
`_google_credentials` what google-auth asks the machine.
"""

from llmtest.interception._byte_libraries import ANSWERED_LIBRARIES
from llmtest.interception._clients import SIMULATED, Library, libraries
from llmtest.interception._gates import Gate, Onward, current_gate, is_loopback, is_pattern
from llmtest.interception._opening import opened
from llmtest.interception._replays import Replay, ReplayWitness, replay_witness, witnessed_by
from llmtest.interception._telemetry import telemetry_at, telemetry_transport

__all__ = [
    "ANSWERED_LIBRARIES",
    "SIMULATED",
    "Gate",
    "Library",
    "Onward",
    "Replay",
    "ReplayWitness",
    "current_gate",
    "is_loopback",
    "is_pattern",
    "libraries",
    "opened",
    "replay_witness",
    "telemetry_at",
    "telemetry_transport",
    "witnessed_by",
]
