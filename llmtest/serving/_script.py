"""Script files: what the providers answer, and how they fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def load_script(path: str | Path) -> Any:
    raise NotImplementedError
