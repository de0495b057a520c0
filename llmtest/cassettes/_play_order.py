"""The order of play: which interaction answers, in which order identical requests are answered, what is closest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from llmtest.cassettes._compression import plain_request
from llmtest.cassettes._document import Anthology, Document
from llmtest.cassettes._interactions import Interaction, RecordedRequest
from llmtest.cassettes._loose import Asked, answer_in_kind, chosen
from llmtest.cassettes._matching import Difference, MatchRule, Refusal, RequestView, differences
from llmtest.cassettes._own_code import name_of, refusal

CLOSEST_LIMIT = 2000
"""How many interactions are compared field by field to find the closest; a miss must not take seconds."""

Redact = Callable[[RecordedRequest], RecordedRequest]


@dataclass(slots=True)
class Closest:
    """The recorded interaction that differs least from a request."""

    number: int
    differences: list[Difference]


@dataclass(slots=True)
class _Shelf:
    """The interactions under one key, in recorded order."""

    positions: list[int] = field(default_factory=list)
    played: int = 0


class Tape:
    """The interactions of one cassette, found by key and played in recorded order.

    Args:
        document: The file's interactions; None where there is no file.
        rule: What counts as the same request.
        redact: How requests were redacted before they were kept, so that a live one compares equal.
        repeats: Whether the last answer to a request is played again for every further one.
        shown: Makes of a request what matchers of one's own are shown, headers included; `redact` by default.
    """

    def __init__(
        self,
        document: Document | Anthology | None,
        rule: MatchRule,
        redact: Redact,
        *,
        repeats: bool = False,
        shown: Redact | None = None,
    ) -> None:
        self._repeats = repeats
        self._shown = shown or redact
        self._document = document
        self._rule = rule
        self._redact = redact
        self._shelves: dict[str, _Shelf] | None = None
        self._indexed_by_hint = False
        self._played: set[int] = set()
        self._loose = [] if document is None else document.loose
        self._said: dict[int, int] = defaultdict(int)

    def __len__(self) -> int:
        """Return how many interactions there are."""
        return 0 if self._document is None else len(self._document)

    @property
    def unplayed(self) -> list[int]:
        """Numbers, from 1, of the interactions that have not been played."""
        return [position + 1 for position in range(len(self)) if position not in self._played]

    def play(self, request: RecordedRequest) -> Interaction | None:
        """Return the next interaction for a request, or None where every match is played or there is none."""
        shelf = self._shelf(request)
        if shelf is not None and self._rule.matchers:
            shelf = self._brought_forward(shelf, request)
        if self._repeats and shelf is not None and self._document is not None and shelf.played == len(shelf.positions):
            return self._document[shelf.positions[-1]]
        if self._document is None or shelf is None or shelf.played == len(shelf.positions):
            return self._play_loose(request) if self._loose else None
        position = shelf.positions[shelf.played]
        shelf.played += 1
        self._played.add(position)
        return self._document[position]

    def _brought_forward(self, shelf: _Shelf, request: RecordedRequest) -> _Shelf | None:
        """Return a shelf whose next interaction is one that own matchers take; None where they take none."""
        sent = self._shown(request)
        for place in range(shelf.played, len(shelf.positions)):
            if not self._refusals(shelf.positions[place], sent):
                shelf.positions.insert(shelf.played, shelf.positions.pop(place))
                return shelf
        played = reversed(shelf.positions[: shelf.played]) if self._repeats else ()
        return next((_Shelf([position], 1) for position in played if not self._refusals(position, sent)), None)

    def _refusals(self, position: int, sent: RecordedRequest) -> list[Difference]:
        """Return what own matchers say against playing an interaction for a request."""
        assert self._document is not None
        recorded = self._shown(self._document[position].request)
        said = [(matcher, refusal(matcher, sent, recorded)) for matcher in self._rule.matchers]
        return [Refusal(name_of(matcher), None, reason) for matcher, reason in said if reason is not None]

    def _play_loose(self, request: RecordedRequest) -> Interaction | None:
        """Return the first answer that is for what a request says; it may be played any number of times."""
        assert self._document is not None
        asked = Asked(request)
        fitting = []
        for position in self._loose:
            interaction = self._document[position]
            if asked.says(interaction):
                self._said[position] += 1
                if (interaction.matches or {}).get("occurrence") in {None, self._said[position]}:
                    fitting.append((position, interaction))
        if not fitting:
            return None
        found = chosen(asked, fitting)
        self._played.add(found)
        return answer_in_kind(self._document[found], asked)

    def take(self, number: int) -> Interaction | None:
        """Play an interaction whatever its request; None where it has been played."""
        position = number - 1
        if self._document is None or position in self._played:
            return None
        self._played.add(position)
        for shelf in (self._shelves or {}).values():
            if position in shelf.positions[shelf.played :]:
                shelf.positions.remove(position)
                shelf.positions.insert(shelf.played, position)
                shelf.played += 1
        return self._document[position]

    def count(self, request: RecordedRequest) -> int:
        """Return how many interactions match a request, played or not."""
        shelf = self._shelf(request)
        if shelf is None or not self._rule.matchers:
            return 0 if shelf is None else len(shelf.positions)
        sent = self._shown(request)
        return sum(not self._refusals(position, sent) for position in shelf.positions)

    def closest(self, request: RecordedRequest) -> Closest | None:
        """Return the interaction that differs least, an unplayed one where two are equally close."""
        if self._document is None:
            return None
        sent = self._view(request)
        best: tuple[tuple[int, bool, int], Closest] | None = None
        for position in sorted(range(len(self)), key=self._played.__contains__)[:CLOSEST_LIMIT]:
            found = differences(self._recorded(position), sent, self._rule)
            if self._rule.matchers:
                found += self._refusals(position, self._shown(request))
            elsewhere = sum(difference.path in {"method", "host", "path"} for difference in found)
            rank = (len(found) + 100 * elsewhere, position in self._played, position)
            if best is None or rank < best[0]:
                best = (rank, Closest(position + 1, found))
        return best[1] if best else None

    def _view(self, request: RecordedRequest) -> RequestView:
        kept = self._redact(request)
        return RequestView.of(kept.method, kept.uri, kept.body)

    def _recorded(self, position: int) -> RequestView:
        assert self._document is not None
        request = self._document[position].request
        # What others recorded was not redacted; a live request is, before it is compared.
        request = self._redact(request) if self._document.keys[position] is None else plain_request(request)
        return RequestView.of(request.method, request.uri, request.body)

    def _shelf(self, request: RecordedRequest) -> _Shelf | None:
        """Return the interactions that match a request.

        Most requests have nothing that was redacted, and are found as they are: to look for credentials takes longer
        than all the rest.
        """
        if self._shelves is None:
            self._index(trust_hints=self._rule == MatchRule())
        assert self._shelves is not None
        sent = plain_request(request)
        key = RequestView.of(sent.method, sent.uri, sent.body).key(self._rule)
        shelf = self._shelves.get(key)
        if shelf is not None and (not self._indexed_by_hint or self._hint_holds(shelf, key, sent)):
            return shelf
        sent = self._redact(request)
        key = RequestView.of(sent.method, sent.uri, sent.body).key(self._rule)
        shelf = self._shelves.get(key)
        if self._indexed_by_hint and (shelf is None or not self._hint_holds(shelf, key, sent)):
            self._index(trust_hints=False)
            shelf = self._shelves.get(key)
        return shelf

    def _hint_holds(self, shelf: _Shelf, key: str, sent: RecordedRequest) -> bool:
        """Tell whether the next interaction really has the key its line states: somebody may have edited the text."""
        if shelf.played == len(shelf.positions):
            return True
        assert self._document is not None
        position = shelf.positions[shelf.played]
        recorded = self._document[position].request
        if (recorded.body, recorded.uri, recorded.method) == (sent.body, sent.uri, sent.method):
            return True
        return self._recorded(position).key(self._rule) == key

    def _index(self, *, trust_hints: bool) -> None:
        shelves: dict[str, _Shelf] = defaultdict(_Shelf)
        hinted = False
        keys = [] if self._document is None else self._document.keys
        for position in range(len(keys)):
            hint = keys[position] if trust_hints else None
            hinted = hinted or hint is not None
            shelves[hint or self._recorded(position).key(self._rule)].positions.append(position)
        for shelf in shelves.values() if self._played else ():
            shelf.played = sum(position in self._played for position in shelf.positions)
        self._shelves, self._indexed_by_hint = dict(shelves), hinted
