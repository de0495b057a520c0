"""Faults in which no answer comes: the connection fails, or stays silent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from llmtest import errors
from llmtest.faults._fault import FailureKind, Fault, check_phase

__all__ = ["ConnectionClosed", "ConnectionRefused", "ConnectionReset", "Timeout"]


@dataclass(frozen=True, slots=True)
class Timeout(Fault):
    """The provider never answers, so that the client's own limit ends the call; or it gives up itself.

    A client without a limit waits for ever, which virtual time reports as a deadlock.

    Args:
        phase: `connect`: no connection comes about. `read`: the request is accepted and never answered.
            `first_token`: a stream opens and stays silent; without a stream as `read`. `server`: a 408, at once.
    """

    phase: Literal["connect", "read", "first_token", "server"] = "read"

    def _check(self) -> None:
        check_phase(self, self.phase, ("connect", "read", "first_token", "server"))

    def refusal(self, model: str | None) -> errors.ProviderError | None:
        """Return the provider's own timeout; None where it says nothing."""
        return errors.ProviderTimeoutError("", model=model, status=408) if self.phase == "server" else None

    def failure(self) -> FailureKind | None:
        """Return a connection that does not come about, or one that stays silent; None where there is an answer."""
        return None if self.phase == "server" else "connect_timeout" if self.phase == "connect" else "read_timeout"


@dataclass(frozen=True, slots=True)
class ConnectionRefused(Fault):
    """Nobody listens: the connection is refused."""

    def failure(self) -> FailureKind:
        """Return a refused connection."""
        return "connect_refused"


@dataclass(frozen=True, slots=True)
class ConnectionReset(Fault):
    """The connection is reset after the request was sent, before any answer."""

    def failure(self) -> FailureKind:
        """Return a reset connection."""
        return "reset"


@dataclass(frozen=True, slots=True)
class ConnectionClosed(Fault):
    """The provider hangs up in good order after the request was sent, without a word, as a server that restarts."""

    def failure(self) -> FailureKind:
        """Return a closed connection."""
        return "closed"
