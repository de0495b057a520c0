"""What is said of a connection that may not leave: what it was, why nobody answers it, and the ways out."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from llmtest.simulation._call_site import call_site

__all__ = ["blocked_text", "everywhere", "ways_in_a_world", "ways_without_a_world"]

_HOUSEKEEPING: Mapping[str, tuple[str, str]] = {
    "openaipublic.blob.core.windows.net": (
        "tiktoken",
        "tiktoken fetches a vocabulary here: fetch it once, into a directory that TIKTOKEN_CACHE_DIR names",
    ),
    "raw.githubusercontent.com": (
        "litellm",
        (
            "litellm fetches a table here: set LITELLM_LOCAL_MODEL_COST_MAP=True and "
            "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS=True, and it reads its own copies"
        ),
    ),
}
"""Hosts that libraries around LLMs fetch files from: who does so, and how it is kept from it."""


def blocked_text(what: str, host: str, why: str, *ways: str, fact: str | None = None) -> str:
    """Return the text of the error.

    Args:
        what: The request, or the kind of connection.
        host: Where it was going.
        why: Completes the headline.
        ways: How it is mended, the best one first.
        fact: One more line of facts.
    """
    site = call_site()
    facts = f"  {what}" + (f"   from {site}" if site else "")
    if fact is not None:
        facts += f"\n  {fact}"
    library, way = _HOUSEKEEPING.get(host, ("", ""))
    if library in sys.modules:
        ways = (way, *ways)
    listed = "\n".join(f"  {number}. {each}" for number, each in enumerate(ways, 1))
    return f"blocked a live request to {host}{why}.\n\n{facts}\n\nTo fix, one of:\n{listed}"


def everywhere(host: str) -> str:
    """Return the settings that let a host pass in every test."""
    return f'llmtest_allowed_hosts = ["{host}"] in pyproject.toml, llmtest_allowed_hosts = {host} in pytest.ini'


def ways_in_a_world(host: str, *, answerable: bool, provider: str | None, what: str = "") -> tuple[str, ...]:
    """Return what to do about a connection out of a simulated world.

    Args:
        host: Where it was going.
        answerable: Whether it is a request of a library whose requests are answered.
        provider: Who answers that host for such libraries; None: nobody.
        what: The request.
    """
    first: tuple[str, ...] = ()
    root = "/v1" if " /v1/" in what else ""
    if provider is not None:
        first = ("put the provider behind a loopback port: the fixture `llm_server`, and `llm_server.base_url`",)
    elif answerable:
        first = (f'let a simulated provider answer it: llm_sim.provider("name", base_url="https://{host}{root}")',)
    passing = f'let it pass in this test: llm_sim.allow("{host}")'
    if _respx_is_on():
        return (f'let respx answer it, past the simulation: llm_sim.allow("{host}")', *first)
    return (*first, passing, f"let it pass everywhere: {everywhere(host)}")


def _respx_is_on() -> bool:
    """Tell whether routes of respx are in force, which answer only what passes here."""
    mocks = sys.modules.get("respx.mocks")
    return mocks is not None and any(mocker.routers for mocker in mocks.Mocker.registry.values())


def ways_without_a_world(host: str, *, answerable: bool) -> tuple[str, ...]:
    """Return what to do about a connection out of a test that has no simulated world."""
    first: tuple[str, ...]
    if answerable:
        first = (
            "give the test a simulated provider: the fixture `llm_sim`",
            "replay a recorded session: `@pytest.mark.llm_cassette`",
        )
    else:
        first = ("give the test a simulated provider on a loopback port: the fixture `llm_server`",)
    return (*first, f"let the host pass: {everywhere(host)}")
