"""Models that Anthropic has retired, or has said when it will.

Sources: `DEPRECATED_MODELS` of its Python SDK, versions 0.93, 0.125 and 2.14, and
https://platform.claude.com/docs/en/about-claude/model-deprecations, as of 2026-11-30. The days are those of its own
platforms: Amazon and Google set theirs.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["SHUTDOWNS"]

SHUTDOWNS: Mapping[str, tuple[str, ...]] = {
    "2024-11-06": (
        "claude-1.3",
        "claude-1.3-100k",
        "claude-instant-1.1",
        "claude-instant-1.1-100k",
        "claude-instant-1.2",
    ),
    "2025-07-21": (
        "claude-2.0",
        "claude-2.1",
        "claude-3-sonnet-20240229",
    ),
    "2025-10-28": (
        "claude-3-5-sonnet-20240620",
        "claude-3-5-sonnet-20241022",
    ),
    "2026-01-05": ("claude-3-opus-20240229",),
    "2026-02-19": (
        "claude-3-5-haiku-20241022",
        "claude-3-5-haiku-latest",
        "claude-3-7-sonnet-20250219",
        "claude-3-7-sonnet-latest",
    ),
    "2026-06-15": (
        "claude-opus-4-0",
        "claude-opus-4-20250514",
        "claude-sonnet-4-0",
        "claude-sonnet-4-20250514",
    ),
    "2026-06-30": ("claude-mythos-preview",),
    "2026-08-05": (
        "claude-opus-4-1",
        "claude-opus-4-1-20250805",
    ),
    "2026-11-30": (
        "claude-sonnet-4-5",
        "claude-sonnet-4-5-20250929",
    ),
    "2027-01-22": (
        "claude-opus-4-5",
        "claude-opus-4-5-20251101",
    ),
}
"""The day on which models are shut down, and their names; a name without a day of its own is not in it."""
