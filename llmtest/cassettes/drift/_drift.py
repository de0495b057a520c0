"""One thing that has changed since it was recorded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

DriftKind = Literal["status changed", "type changed", "field removed", "field added", "value changed", "text changed"]
GRAVITY: dict[DriftKind, Literal["breaking", "notable", "usual"]] = {
    "status changed": "breaking",
    "type changed": "breaking",
    "field removed": "breaking",
    "field added": "notable",
    "value changed": "notable",
    "text changed": "usual",
}
"""`breaking`: code that read the recording may fail. `notable`: there is something new. `usual`: a model does not say
the same twice."""

LONGEST = 60


@dataclass(frozen=True, slots=True)
class Drift:
    """One change.

    Args:
        kind: What has changed; a key of `GRAVITY`.
        path: Where: `response.body.choices[0].finish_reason`; `[*]` stands for every element of a list.
        recorded: What the recording has; None where it has nothing.
        live: What came; None where nothing did.
    """

    kind: DriftKind
    path: str
    recorded: Any = None
    live: Any = None

    @property
    def gravity(self) -> str:
        """How much it matters: `breaking`, `notable` or `usual`."""
        return GRAVITY[self.kind]

    def __str__(self) -> str:
        """Say it in one line."""
        if self.kind == "field removed":
            return f"{self.path}: {self.kind}, recorded {_short(self.recorded)}"
        if self.kind == "field added":
            return f"{self.path}: {self.kind}, now {_short(self.live)}"
        return f"{self.path}: {self.kind}, recorded {_short(self.recorded)}, now {_short(self.live)}"

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON has it, long values cut."""
        return {
            "kind": self.kind,
            "gravity": self.gravity,
            "path": self.path,
            "recorded": _short(self.recorded),
            "live": _short(self.live),
        }


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
