"""The socket a server listens on, and what is said where it cannot."""

from __future__ import annotations

import errno
import ipaddress
import socket

from llmtest.errors import ConfigurationError

__all__ = ["base_url_of", "is_address_of", "is_loopback_address", "listen"]

BACKLOG = 2048


def listen(host: str, port: int) -> socket.socket:
    """Open a listening socket.

    Args:
        host: An address or name of this machine.
        port: 0 to 65535; 0 takes a free one.

    Raises:
        ConfigurationError: The port is taken or not allowed, or the host is not this machine.
    """
    if not 0 <= port <= 65535:
        raise ConfigurationError(f"port {port} does not exist.\n\nTo fix: a port from 1 to 65535, or 0 for a free one")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigurationError(
            f"`{host}` is no address of this machine ({reason}).\n\nTo fix: --host 127.0.0.1"
        ) from None
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise _cannot(host, port, error) from None
    listener.setblocking(False)
    return listener


def _cannot(host: str, port: int, error: OSError) -> ConfigurationError:
    if error.errno == errno.EADDRINUSE:
        return ConfigurationError(
            f"port {port} of {host} is taken: another program listens there.\n\n"
            "To fix: stop that program, or take another port; --port 0 picks a free one"
        )
    if error.errno == errno.EACCES:
        return ConfigurationError(
            f"port {port} of {host} is reserved for the system.\n\nTo fix: take a port from 1024 on, such as 4010"
        )
    reason = error.strerror or str(error)
    return ConfigurationError(f"cannot listen on {host}, port {port}: {reason}.\n\nTo fix: --host 127.0.0.1")


def is_loopback_address(listener: socket.socket) -> bool:
    """Tell whether only this machine can reach a listening socket."""
    return ipaddress.ip_address(listener.getsockname()[0].partition("%")[0]).is_loopback


def base_url_of(listener: socket.socket, host: str) -> str:
    """Return the URL of a listening socket, with the host as the user wrote it."""
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listener.getsockname()[1]}"


def is_address_of(listener: socket.socket, host: str, port: int) -> bool:
    """Tell whether a connection to a host and a port reaches a listening socket; a name that is unknown does not."""
    address, own_port = listener.getsockname()[:2]
    if port != own_port:
        return False
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    own = ipaddress.ip_address(address.partition("%")[0])
    for family, _, _, _, place in found:
        asked = ipaddress.ip_address(str(place[0]).partition("%")[0])
        if asked == own or (asked.is_unspecified and own.is_loopback):
            return True
        if own.is_unspecified and _is_own_machine(family, str(place[0])):
            return True
    return False


def _is_own_machine(family: int, address: str) -> bool:
    """Tell whether an address is one of this machine: no other can be bound to."""
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True
