"""Whom the control plane answers: requests that name this machine, and not a site of the internet that leads here.

A web page may let its own name point at this machine (DNS rebinding). To the browser the control plane is then a part
of that page, which may read every prompt. What tells is the header `Host`: it has the page's name.
"""

from __future__ import annotations

import ipaddress

__all__ = ["is_own_host"]

LOCAL_DOMAINS = (".localhost", ".local", ".internal")
"""Ends of names that no public name server answers for."""


def is_own_host(header: str, served: str = "") -> bool:
    """Tell whether a `Host` header names a machine, by address or by a name that only a local network knows.

    Args:
        header: The header, with or without a port; empty where there was none, as no browser leaves it out.
        served: The host that the server was told to listen at.
    """
    name = header.strip().lower()
    if name.startswith("["):
        name = name[1:].partition("]")[0]
    elif name.count(":") == 1:
        name = name.partition(":")[0]
    name = name.rstrip(".")
    if name in {"", served.lower()} or "." not in name or name.endswith(LOCAL_DOMAINS):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
