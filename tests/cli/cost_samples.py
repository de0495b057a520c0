"""Event files made by hand, so that every cost is known."""

import json
from decimal import Decimal

from llmtest.events import AttemptEnded, RequestAnswered
from llmtest.reporting import EventFile
from llmtest.types import Attempt, Usage

TOKENS = Usage(1000, 100)
HOUR = 3_600_000_000_000


def answered(number, provider="openai", model="gpt-4o", usage=TOKENS, cost="0.0035", **more):
    """Make the event of an answer that was charged."""
    facts = {"exchange": number, "provider": provider, "model": model, "outcome": "200", "start_ns": 0}
    facts |= {"at_ns": (number - 1) * HOUR, "call": number, "usage": usage, "billed": True}
    return RequestAnswered(cost_usd=None if cost is None else Decimal(cost), **(facts | more))


def attempted(number, provider="openai", **more):
    """Make the event of an attempt of our layer that was charged."""
    attempt = Attempt(provider, "gpt-4o", 0, 1, "200", Usage(1000, 100), billed=True, cost_usd=Decimal("0.0035"))
    return AttemptEnded(at_ns=0, call=number, attempt=attempt, **more)


def write(path, *events):
    """Write an event file."""
    with EventFile(path) as file:
        for event in events:
            file.write(event)
        file.end(1)


def groups(result):
    """Return what `--json` printed as calls and USD by group."""
    status, out, _ = result
    assert status == 0
    return {group["name"]: (group["calls"], group["usd"]) for group in json.loads(out)["groups"]}
