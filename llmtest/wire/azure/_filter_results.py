"""What Azure's content filter finds in prompts and in answers."""

from __future__ import annotations

from typing import Any

__all__ = ["BLOCKED_PROMPT", "BLOCKED_TEXT", "SAFE_PROMPT", "SAFE_TEXT"]

_SAFE = {"filtered": False, "severity": "safe"}
_NONE = {"filtered": False, "detected": False}

SAFE_PROMPT: dict[str, Any] = {
    "hate": _SAFE,
    "jailbreak": _NONE,
    "self_harm": _SAFE,
    "sexual": _SAFE,
    "violence": _SAFE,
}
"""Of a prompt with nothing in it; recorded in 2025."""

SAFE_TEXT: dict[str, Any] = {
    "hate": _SAFE,
    "protected_material_code": _NONE,
    "protected_material_text": _NONE,
    "self_harm": _SAFE,
    "sexual": _SAFE,
    "violence": _SAFE,
}
"""Of an answer with nothing in it; recorded in 2025."""

BLOCKED_PROMPT: dict[str, Any] = {**SAFE_PROMPT, "violence": {"filtered": True, "severity": "medium"}}
"""Of a prompt that no model gets to see."""

BLOCKED_TEXT: dict[str, Any] = {**SAFE_TEXT, "violence": {"filtered": True, "severity": "medium"}}
"""Of an answer that was stopped."""
