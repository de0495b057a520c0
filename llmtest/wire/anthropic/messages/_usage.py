"""How many tokens an Anthropic message took, between JSON and types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtest.types import UNKNOWN_USAGE, Usage
from llmtest.wire._json import count, is_counted

_TIERS = {None: "standard", "default": "standard", "auto": "standard"}
_SERVER_TOOLS = ("web_fetch", "web_search")
"""Tools that Anthropic runs itself and counts, sorted."""


def encode_usage(usage: Usage, tier: str | None = None) -> dict[str, Any]:
    """Write usage; on this wire `input_tokens` is only what was neither read from a cache nor written to it.

    Args:
        usage: Tokens.
        tier: The tier that answered.
    """
    found: dict[str, Any] = {
        "input_tokens": max(0, usage.input_tokens - usage.cache_read_tokens - usage.cache_write_tokens),
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": max(0, usage.cache_write_tokens - usage.cache_write_1h_tokens),
            "ephemeral_1h_input_tokens": usage.cache_write_1h_tokens,
        },
        "output_tokens": usage.output_tokens,
        "service_tier": _TIERS.get(tier, tier),
    }
    if usage.reasoning_tokens:
        found["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    if usage.server_tools:
        uses = dict(usage.server_tools)
        found["server_tool_use"] = {f"{name}_requests": uses.pop(name, 0) for name in _SERVER_TOOLS}
        found["server_tool_use"].update((f"{name}_requests", times) for name, times in uses.items())
    return found


def decode_usage(raw: object) -> Usage:
    """Read usage, its three kinds of input added up. Without any count, or with an impossible one, it is unknown."""
    if not isinstance(raw, dict) or not is_counted(raw.get("input_tokens"), raw.get("output_tokens")):
        return UNKNOWN_USAGE
    written, read = count(raw.get("cache_creation_input_tokens")), count(raw.get("cache_read_input_tokens"))
    created, details, uses = raw.get("cache_creation"), raw.get("output_tokens_details"), raw.get("server_tool_use")
    hour = count(created.get("ephemeral_1h_input_tokens")) if isinstance(created, dict) else 0
    return Usage(
        count(raw.get("input_tokens")) + written + read,
        count(raw.get("output_tokens")),
        read,
        written,
        count(details.get("thinking_tokens")) if isinstance(details, dict) else 0,
        cache_write_1h_tokens=min(hour, written),
        server_tools=_decode_uses(uses) if isinstance(uses, dict) else (),
    )


def _decode_uses(raw: Mapping[str, Any]) -> tuple[tuple[str, int], ...]:
    found = (
        (name.removesuffix("_requests"), count(times)) for name, times in raw.items() if name.endswith("_requests")
    )
    return tuple(sorted((name, times) for name, times in found if times))


def decode_tier(raw: object) -> str | None:
    """Read the tier that answered; the standard one is not worth a word."""
    tier = raw.get("service_tier") if isinstance(raw, dict) else None
    return tier if isinstance(tier, str) and tier != "standard" else None
