"""Conditions of `when(...)` that no request met: what the provider was asked for instead, and the nearest of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from llmtest.simulation.script._criteria import ANY, Criteria, turn_of
from llmtest.types import CompletionRequest
from llmtest.types._spelling import did_you_mean

if TYPE_CHECKING:
    from llmtest.simulation.plan._answer import RequestRecord
    from llmtest.simulation.script._script import Rule, Script

__all__ = ["unmet_conditions", "unmet_defaults"]

SHOWN = 3
"""Values that are shown of what a provider was asked for."""
LONGEST = 60
"""Characters of a prompt that are shown."""


def unmet_conditions(script: Script, records: Iterable[RequestRecord]) -> list[str]:
    """Return one line for each condition of steps still to be played that no request met.

    Args:
        script: The script of a provider.
        records: What the provider saw.
    """
    waiting = [
        rule
        for rule in script.rules
        if rule.specificity and any(step.has_to_be_played and not step.optional for step in rule.steps)
    ]
    return _told(waiting, records)


def unmet_defaults(script: Script, records: Iterable[RequestRecord]) -> list[str]:
    """Return the same for conditions without steps, which nobody has to meet: `when(model="gpt-4x").echoes()`."""
    return _told([rule for rule in script.rules if rule.specificity and not rule.steps], records)


def _told(rules: Sequence[Rule], records: Iterable[RequestRecord]) -> list[str]:
    seen = list(records)
    if not seen or not rules:
        return []
    lines = []
    for rule in rules:
        # A function of the test is not called again: it may count its calls.
        criteria = replace(rule.criteria, predicates=())
        if criteria == ANY or any(_meets(criteria, record) for record in seen):
            continue
        lines.append(f"{rule.criteria.describe()} matched none of its requests: {_difference(criteria, seen)}")
    return lines


def _meets(criteria: Criteria, record: RequestRecord) -> bool:
    return criteria.matches(record.request, record.operation, record.model, record.api_key)


def _difference(criteria: Criteria, seen: Sequence[RequestRecord]) -> str:
    """Tell which condition nobody met, and what came instead."""
    for condition, tell in (
        *([(Criteria(model=criteria.model), _models)] if criteria.model is not None else []),
        *([(Criteria(operation=criteria.operation), _operations)] if criteria.operation is not None else []),
        *([(Criteria(turn=criteria.turn), _turns)] if criteria.turn is not None else []),
        *((Criteria(prompt_contains=(part,)), _prompts) for part in criteria.prompt_contains),
        *((Criteria(tool_result_contains=(part,)), _results) for part in criteria.tool_result_contains),
        *([(Criteria(api_key=criteria.api_key), _keys)] if criteria.api_key is not None else []),
    ):
        if not any(_meets(condition, each) for each in seen):
            return tell(condition, seen)
    return "each condition was met by some request, and all of them by none."


def _models(condition: Criteria, seen: Sequence[RequestRecord]) -> str:
    models = [each.model or "none" for each in seen]
    return f"the models asked for were {_listed(models)}.{did_you_mean(condition.model or '', models)}"


def _operations(condition: Criteria, seen: Sequence[RequestRecord]) -> str:
    operations = [each.operation for each in seen]
    return f"the operations were {_listed(operations)}.{did_you_mean(condition.operation or '', operations)}"


def _turns(condition: Criteria, seen: Sequence[RequestRecord]) -> str:
    del condition
    turns = {turn_of(each.request) for each in seen if isinstance(each.request, CompletionRequest)}
    return f"the turns were {_listed(map(str, sorted(turns))) or 'none'}."


def _prompts(condition: Criteria, seen: Sequence[RequestRecord]) -> str:
    prompts = _texts(seen, {"user", "system"})
    near = _near_part(condition.prompt_contains[0], prompts)
    return f"the prompts were {_listed(map(repr, map(_short, prompts))) or 'none'}.{near}"


def _results(condition: Criteria, seen: Sequence[RequestRecord]) -> str:
    results = _texts(seen, {"tool"})
    near = _near_part(condition.tool_result_contains[0], results)
    return f"the tool results were {_listed(map(repr, map(_short, results))) or 'none'}.{near}"


def _keys(condition: Criteria, seen: Sequence[RequestRecord]) -> str:
    del condition, seen  # A key may be a real one, and error texts end up in public logs.
    return "they came with another key."


def _texts(seen: Iterable[RequestRecord], roles: set[str]) -> list[str]:
    return [
        message.text
        for record in seen
        if isinstance(record.request, CompletionRequest)
        for message in record.request.messages
        if message.role in roles
    ]


def _listed(values: Iterable[str]) -> str:
    each = list(dict.fromkeys(values))
    more = f" and {len(each) - SHOWN} more" if len(each) > SHOWN else ""
    return ", ".join(each[:SHOWN]) + more


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def _near_part(part: str, prompts: Sequence[str]) -> str:
    """Return the piece of a prompt that is most like the text that was looked for: another case, a slip."""
    words = part.split()
    pieces = {
        " ".join(prompt.split()[start : start + len(words)])
        for prompt in prompts[:SHOWN]
        for start in range(max(1, len(prompt.split()[:200]) - len(words) + 1))
    }
    return did_you_mean(part, sorted(pieces))
