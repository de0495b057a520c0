"""Two cassettes compared: which requests both have, which one has alone, and what became of the answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from llmtest.cassettes._document import Document
from llmtest.cassettes._interactions import Interaction
from llmtest.cassettes._matching import MatchRule, RequestView, differences
from llmtest.cassettes._redaction import Redactor
from llmtest.cassettes._saving import redact_interaction
from llmtest.cassettes.drift._answers import compare_answers
from llmtest.cassettes.drift._drift import Drift


@dataclass(frozen=True, slots=True)
class SessionDrift:
    """What became of one interaction.

    Args:
        before: Its number in the first cassette, from 1; None where that has it not.
        after: Its number in the second one.
        request: Method and address of its request, redacted.
        drifts: What differs, in the request (`request.body.messages[0].content`) and in the answer.
    """

    before: int | None
    after: int | None
    request: str
    drifts: tuple[Drift, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        drifts = [drift.as_json() for drift in self.drifts]
        return {"before": self.before, "after": self.after, "request": self.request, "drifts": drifts}


def compare_sessions(before: Document, after: Document, redactor: Redactor) -> Iterator[SessionDrift]:
    """Yield what differs between two cassettes; of interactions that are alike, nothing.

    Equal requests belong together, in their order. A request that one cassette has alone belongs to what the other has
    alone at the same address, in order: then the change of the request is told as well.
    """
    left, right = _read(before, redactor), _read(after, redactor)
    pairs, left_alone, right_alone = _paired(left, right, lambda view: view.key(MatchRule()))
    moved, left_alone, right_alone = _paired_among(left, right, left_alone, right_alone)
    for old, new in sorted(pairs + moved):
        drifts = (*_of_request(left[old][1], right[new][1]), *compare_answers(left[old][0], right[new][0]))
        if drifts:
            yield SessionDrift(old + 1, new + 1, _name(left[old][0]), drifts)
    for old in left_alone:
        yield SessionDrift(old + 1, None, _name(left[old][0]))
    for new in right_alone:
        yield SessionDrift(None, new + 1, _name(right[new][0]))


Read = list[tuple[Interaction, RequestView]]


def _read(document: Document, redactor: Redactor) -> Read:
    found = []
    for position in range(len(document)):
        interaction = redact_interaction(document[position], redactor)
        request = interaction.request
        found.append((interaction, RequestView.of(request.method, request.uri, request.body)))
    return found


def _paired(left: Read, right: Read, key: Any) -> tuple[list[tuple[int, int]], list[int], list[int]]:
    """Return pairs of positions with equal keys, in order, and what is left over on each side."""
    waiting: dict[Any, list[int]] = defaultdict(list)
    for position, (_, view) in enumerate(right):
        waiting[key(view)].append(position)
    pairs, alone = [], []
    for position, (_, view) in enumerate(left):
        found = waiting[key(view)]
        if found:
            pairs.append((position, found.pop(0)))
        else:
            alone.append(position)
    return pairs, alone, sorted(position for positions in waiting.values() for position in positions)


def _paired_among(
    left: Read, right: Read, left_alone: list[int], right_alone: list[int]
) -> tuple[list[tuple[int, int]], list[int], list[int]]:
    """Pair what has no equal request with what went to the same address."""
    pairs, old_rest, new_rest = _paired(
        [left[at] for at in left_alone],
        [right[at] for at in right_alone],
        lambda view: (view.method, view.host, view.path),
    )
    return (
        [(left_alone[old], right_alone[new]) for old, new in pairs],
        [left_alone[at] for at in old_rest],
        [right_alone[at] for at in new_rest],
    )


def _of_request(before: RequestView, after: RequestView) -> Iterator[Drift]:
    for each in differences(before, after, MatchRule()):
        yield Drift("value changed", f"request.{each.path}", as_shown(each.recorded), as_shown(each.sent))


def as_shown(value: Any) -> Any:
    """Return a side of a difference, or None where it has nothing there."""
    return value if isinstance(value, str | int | float | bool | dict | list) else None


def _name(interaction: Interaction) -> str:
    return f"{interaction.request.method} {interaction.request.uri.partition('?')[0]}"
