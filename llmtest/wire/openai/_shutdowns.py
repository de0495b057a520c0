"""Models that OpenAI has shut down, or has said when it will.

Sources: https://developers.openai.com/api/docs/deprecations, and `deprecation_date` in the price map of litellm
1.110.2, both as of 2026-11-30. Names that move from one snapshot to the next (`gpt-4o`) are here only where that page
lists them by themselves.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["SHUTDOWNS"]

SHUTDOWNS: Mapping[str, tuple[str, ...]] = {
    "2025-07-14": (
        "gpt-4.5-preview",
        "gpt-4.5-preview-2025-02-27",
    ),
    "2026-02-17": ("chatgpt-4o-latest",),
    "2026-07-23": (
        "computer-use-preview",
        "computer-use-preview-2025-03-11",
        "gpt-4o-mini-search-preview-2025-03-11",
        "gpt-4o-search-preview-2025-03-11",
        "gpt-5-chat-latest",
        "gpt-5-codex",
        "gpt-5.1-chat-latest",
        "gpt-5.1-codex",
        "gpt-5.1-codex-max",
        "gpt-5.1-codex-mini",
        "gpt-5.2-codex",
        "gpt-audio-mini-2025-10-06",
        "o3-deep-research",
        "o3-deep-research-2025-06-26",
        "o4-mini-deep-research",
        "o4-mini-deep-research-2025-06-26",
    ),
    "2026-08-10": (
        "gpt-5.2-chat-latest",
        "gpt-5.3-chat-latest",
    ),
    "2026-09-24": (
        "sora-2",
        "sora-2-pro",
    ),
    "2026-09-28": (
        "babbage-002",
        "davinci-002",
        "gpt-3.5-turbo-1106",
        "gpt-3.5-turbo-instruct",
    ),
    "2026-10-23": (
        "gpt-3.5-turbo",
        "gpt-3.5-turbo-0125",
        "gpt-4",
        "gpt-4-0613",
        "gpt-4-1106-preview",
        "gpt-4-turbo",
        "gpt-4-turbo-2024-04-09",
        "gpt-4.1-nano",
        "gpt-4.1-nano-2025-04-14",
        "gpt-4o-2024-05-13",
        "gpt-image-1",
        "o1",
        "o1-2024-12-17",
        "o1-pro",
        "o1-pro-2025-03-19",
        "o3-mini",
        "o3-mini-2025-01-31",
        "o4-mini",
        "o4-mini-2025-04-16",
    ),
    "2026-12-01": (
        "chatgpt-image-latest",
        "gpt-image-1-mini",
        "gpt-image-1.5",
        "gpt-image-1.5-2025-12-16",
    ),
    "2026-12-11": (
        "gpt-5",
        "gpt-5-2025-08-07",
        "gpt-5-mini",
        "gpt-5-mini-2025-08-07",
        "gpt-5-nano",
        "gpt-5-nano-2025-08-07",
        "gpt-5-pro",
        "gpt-5-pro-2025-10-06",
        "o3",
        "o3-2025-04-16",
        "o3-pro",
        "o3-pro-2025-06-10",
    ),
    "2027-01-06": (
        "gpt-4o-mini-tts",
        "gpt-4o-mini-tts-2025-03-20",
        "gpt-4o-mini-tts-2025-12-15",
        "tts-1",
        "tts-1-hd",
    ),
    "2027-01-14": (
        "gpt-4.1-2025-04-14",
        "gpt-4.1-mini-2025-04-14",
        "gpt-4o-2024-08-06",
        "gpt-4o-2024-11-20",
        "gpt-4o-mini-2024-07-18",
    ),
    "2027-01-20": (
        "gpt-audio",
        "gpt-audio-2025-08-28",
        "gpt-audio-mini",
        "gpt-audio-mini-2025-12-15",
        "gpt-realtime",
        "gpt-realtime-2025-08-28",
        "gpt-realtime-mini",
        "gpt-realtime-mini-2025-12-15",
    ),
    "2027-02-26": (
        "gpt-4o-mini-transcribe",
        "gpt-4o-mini-transcribe-2025-12-15",
        "gpt-4o-transcribe",
        "gpt-4o-transcribe-diarize",
        "whisper-1",
    ),
    "2027-04-01": (
        "gpt-5.1",
        "gpt-5.1-2025-11-13",
        "gpt-5.3-codex",
        "gpt-5.4-nano",
        "gpt-5.4-nano-2026-03-17",
    ),
}
"""The day on which models are shut down, and their names; a name without a day of its own is not in it."""
