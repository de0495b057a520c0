"""A cassette in use: the gate through which clients are played what is recorded, and recorded where it is not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies
from weakref import WeakSet

from llmtest.cassettes._cassette import Cassette
from llmtest.cassettes._interactions import Interaction, RecordedRequest
from llmtest.cassettes._recording import Done, Recording
from llmtest.cassettes._transport import transport_class
from llmtest.clock import active_clock
from llmtest.errors import CassetteMismatchError, HarnessError, NetworkBlockedError
from llmtest.interception import ANSWERED_LIBRARIES, Onward, is_loopback, is_pattern, telemetry_at, telemetry_transport

OnError = Callable[[HarnessError], object]


class Deck:
    """Decides about requests while its cassette is in use.

    Every HTTP request is the cassette's, whichever library sends it, loopback included. Threads that were there before
    (a debugger's, an exporter's) keep their loopback connections. Other connections are refused: they would neither be
    recorded nor replayed.

    Args:
        cassette: The cassette.
        on_error: Told of each error of the test, so that it can be raised again where it was swallowed.
        allowed_hosts: Hosts whose requests pass by, neither played nor recorded; `*` stands for any text.
        governs: Tells whether the calling context uses this cassette.
    """

    def __init__(
        self,
        cassette: Cassette,
        *,
        on_error: OnError,
        allowed_hosts: Iterable[str],
        governs: Callable[[Deck], bool],
    ) -> None:
        self.cassette = cassette
        self._on_error = on_error
        self._allowed = tuple(host.lower() for host in allowed_hosts)
        self._governs = governs
        self._own_thread = threading.current_thread()
        self._older_threads = WeakSet(threading.enumerate())
        self._older_threads.discard(self._own_thread)
        self._live_hosts: set[str] = set()
        self._recordings: set[Recording] = set()
        self._lock = threading.Lock()

    # The gate.

    def governs(self) -> bool:
        return self._governs(self)

    def concerns_caller(self) -> bool:
        return threading.current_thread() not in self._older_threads

    def carrier(self, library: Any, scheme: str, host: str, port: int, path: str, onward: Onward) -> Any:  # noqa: ARG002 - the cassette's rule looks at the whole request
        if self._is_let_past(host) or (is_loopback(host) and not self.concerns_caller()):
            return None
        is_report = telemetry_at(host, "POST", path) or telemetry_at(host, "GET", path)
        if is_report and not self._has_recorded(path):
            return telemetry_transport(library, host)  # A library's report about itself is no part of a session.
        return transport_class(library)(self, onward)

    def _has_recorded(self, path: str) -> bool:
        """Tell whether the file names a path, as recordings of before do that hold such reports."""
        file = self.cassette.path
        return file.is_file() and path.encode() in file.read_bytes()

    def is_allowed(self, host: str) -> bool:
        return host.lower() in self._live_hosts or self._is_let_past(host)

    def _is_let_past(self, host: str) -> bool:
        return any(fnmatchcase(host.lower(), pattern) for pattern in self._allowed)

    def allowed_names(self) -> Iterable[str]:
        return [name for name in (*self._live_hosts, *self._allowed) if not is_pattern(name)]

    def passed(self, method: str, host: str) -> None:
        """Nothing is kept of requests that pass by."""

    def kept(self, library: str, host: str, method: str | None = None, path: str | None = None) -> None:
        """As little as of what passes by."""

    def answers(self, host: str) -> bool:  # noqa: ARG002 - a cassette knows requests, not hosts
        return False

    def blocked(
        self,
        what: str,
        host: str,
        *,
        transport: str | None = None,  # noqa: ARG002 - see `Gate`
        by_socket: bool = False,  # noqa: ARG002 - it always is: every HTTP request is the cassette's
    ) -> HarnessError:
        return self.report(
            NetworkBlockedError(
                f"blocked a live request to {host} while {self.cassette.name} is in use.\n\n  {what}\n\n"
                f"Requests of {ANSWERED_LIBRARIES} are recorded and replayed; this connection is of another library.\n"
                f'To fix: let the host pass: llmtest_allowed_hosts = ["{host}"] in pyproject.toml, '
                f"llmtest_allowed_hosts = {host} in pytest.ini"
            )
        )

    # What transports ask.

    def answer(self, request: RecordedRequest) -> Interaction | None:
        """Return the recorded answer; None means: send it on, and record it.

        Raises:
            CassetteMismatchError: Nothing recorded answers it, and this cassette does not record.
        """
        try:
            return self.cassette.answer(request)
        except HarnessError as error:
            self.report(error)
            raise

    @contextmanager
    def live(self, request: RecordedRequest) -> Iterator[tuple[int, Done]]:
        """Let a request reach the network while the context is open.

        Yields:
            When it is sent, in nanoseconds of the active clock, and where its answer is to be handed in.
        """
        place = self.cassette.begin()
        self._live_hosts.update(_way_to(request.uri))
        yield active_clock().now_ns(), lambda interaction: self.cassette.record(interaction, place)

    def opened(self, recording: Recording) -> None:
        """Remember an answer that is on its way, in case its client never lets go of it."""
        with self._lock:
            self._recordings = {each for each in self._recordings if not each.ended} | {recording}

    def cut_short(self, interaction: Interaction) -> CassetteMismatchError:
        """Return the error for a client that listens longer than the recorded one did."""
        request = interaction.request
        error = CassetteMismatchError(
            f"{self.cassette.name}: the recorded answer ends in the middle, because the client gave up on it when it "
            f"was recorded; now it reads on.\n\n  {request.method} {request.uri}   (interaction {interaction.number})"
            f"\n\nTo fix: record it again: {self.cassette.rerecord}"
        )
        self.report(error)
        return error

    def finish(self) -> None:
        """End every answer that is still on its way: what was heard of it is recorded."""
        with self._lock:
            recordings, self._recordings = self._recordings, set()
        for recording in recordings:
            recording.end()

    def report(self, error: HarnessError) -> HarnessError:
        """Note an error of the test."""
        self._on_error(error)
        return error


def _way_to(url: str) -> set[str]:
    """Return the hosts that a request to a URL connects to: its own, and the proxies of the environment."""
    hosts = {(urlsplit(url).hostname or "").lower()}
    for proxy in getproxies().values():
        hosts.add((urlsplit(proxy if "//" in proxy else f"//{proxy}").hostname or "").lower())
    return hosts - {""}
