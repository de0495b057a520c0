"""Models that the Gemini API serves no more, or has said when it will not; answers of another model are none of theirs.

Sources: https://ai.google.dev/gemini-api/docs/deprecations, and `deprecation_date` in the price map of litellm 1.110.2,
both as of 2026-11-30. Days that the page calls the earliest possible ones are left out until one is settled.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["SHUTDOWNS"]

SHUTDOWNS: Mapping[str, tuple[str, ...]] = {
    "2025-11-10": ("imagen-3.0-generate-002",),
    "2025-12-02": (
        "gemini-2.5-pro-preview-03-25",
        "gemini-2.5-pro-preview-05-06",
        "gemini-2.5-pro-preview-06-05",
    ),
    "2025-12-09": (
        "gemini-2.0-flash-live-001",
        "gemini-live-2.5-flash-preview",
    ),
    "2026-03-09": ("gemini-3-pro-preview",),
    "2026-05-25": ("gemini-3.1-flash-lite-preview",),
    "2026-06-01": ("gemini-2.0-flash",),
    "2026-06-25": (
        "gemini-3-pro-image-preview",
        "gemini-3.1-flash-image-preview",
    ),
    "2026-11-17": (
        "gemini-2.5-flash-preview-tts",
        "gemini-2.5-pro-preview-tts",
        "gemini-3.1-flash-live-preview",
        "gemini-3.1-flash-tts-preview",
    ),
    "2026-12-01": (
        "gemini-2.5-flash",
        "gemini-2.5-pro",
    ),
}
"""The day on which models are shut down, and their names; a name without a day of its own is not in it."""
