"""Usage as a line of JSON, for accounts that outlive a process."""

from __future__ import annotations

import json
from dataclasses import fields
from decimal import Decimal

from llmtest.types import Usage

__all__ = ["usage_from", "usage_text"]

DEFAULTS = {each.name: each.default for each in fields(Usage)}


def usage_text(usage: Usage) -> str:
    """Return what a usage says that is not 0, as JSON."""
    if usage.source == "exact" and usage == Usage(usage.input_tokens, usage.output_tokens):
        return f'{{"input_tokens":{usage.input_tokens},"output_tokens":{usage.output_tokens}}}'
    said = {name: getattr(usage, name) for name, default in DEFAULTS.items() if getattr(usage, name) != default}
    if usage.cost_usd is not None:
        said["cost_usd"] = str(usage.cost_usd)
    return json.dumps(said, separators=(",", ":"))


def usage_from(text: str) -> Usage:
    """Return the usage of a line.

    Raises:
        ValueError: It is none.
    """
    said = json.loads(text)
    if not isinstance(said, dict) or not said.keys() <= DEFAULTS.keys():
        raise ValueError(f"no usage: {text!r}")
    if "server_tools" in said:
        said["server_tools"] = tuple((name, count) for name, count in said["server_tools"])
    if "cost_usd" in said:
        said["cost_usd"] = Decimal(said["cost_usd"])
    return Usage(**said)
