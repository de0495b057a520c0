"""Everything that is wrong with a file, found in one pass: what one mistake hides is looked at as if it were mended.

A checker stops at the first thing that is wrong with a section. So what it found is taken away (or, where a key is
misspelt, put right) in a copy of the data, and the copy is checked again, until nothing new is found. What only follows
from that mending is not told: a key that is missing because its value was wrong, a section that makes no sense without
it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from llmtest.config._document import Document, Location, together
from llmtest.config._findings import Finding, finding_of
from llmtest.config._nearest import nearest
from llmtest.errors import ScenarioError

__all__ = ["Mistakes"]

S = TypeVar("S", bound=BaseModel)
MOST_ROUNDS = 20
"""How often a file is looked at again; what more there is comes in the next pass."""


class Mistakes:
    """Collects what is wrong with a document.

    Args:
        document: The document; what its reader has found is the beginning.
    """

    def __init__(self, document: Document) -> None:
        self._document = document
        self._errors: list[ScenarioError] = [*document.mistakes]
        self._mended: set[Location] = set()
        """Places whose value was taken away, or stood in for."""

    def __len__(self) -> int:
        return len(self._errors)

    def add(self, error: ScenarioError) -> None:
        """Note an error that points at its place."""
        self._errors.append(error)

    @contextmanager
    def collected(self) -> Iterator[None]:
        """Note an error that is raised inside, and go on."""
        try:
            yield
        except ScenarioError as error:
            self.add(error)

    def note(self, location: Location, message: str) -> None:
        """Note what is wrong at a place."""
        self.add(self._document.error(location, message))

    def touches(self, location: Location) -> bool:
        """Tell whether a value, or a part of it, is not what the file says, because the file is wrong there."""
        return any(each[: len(location)] == location for each in self._mended)

    def lacks_names(self, location: Location) -> bool:
        """Tell whether a mapping has lost a key, so that which names there are is not known."""
        return any(each[: len(location)] == location and len(each) <= len(location) + 1 for each in self._mended)

    def validate(self, section: type[S], at: Location = (), *, instead: Mapping[str, Any] | None = None) -> S | None:
        """Check a part of the document, note everything that is wrong with it, and return it as far as it goes.

        Args:
            section: What it has to be.
            at: Where it is.
            instead: Values by key that stand in for what is wrong, so that the rest can be looked at.

        Returns:
            The section, without what is wrong with it; None where nothing is left to look at.
        """
        data = _copied(_value_at(self._document.data, at))
        told: set[tuple[Location, str]] = set()
        for _ in range(MOST_ROUNDS):
            try:
                return section.model_validate(data)
            except ValidationError as error:
                findings = [finding_of(data, each, at) for each in error.errors(include_url=False)]
            progress = False
            for finding in findings:
                place = (*at, *finding.location)
                if not self._is_consequence(place, finding) and (place, finding.text) not in told:
                    told.add((place, finding.text))
                    self.note((*place, finding.key) if finding.key is not None else place, finding.text)
                    progress = True
                progress = self._mend(data, at, finding, instead or {}) or progress
            if not progress:
                return None
        return None

    def raise_all(self) -> None:
        """Raise what was found, as one error that tells each thing with its line, in the order of the file.

        Raises:
            ScenarioError: Something was found.
        """
        if self._errors:
            raise together(self._errors)

    def _is_consequence(self, place: Location, finding: Finding) -> bool:
        """Tell whether something is wrong only because of what was taken away below it."""
        return finding.key is None and (place in self._mended or self.touches(place))

    def _mend(self, data: Any, at: Location, finding: Finding, instead: Mapping[str, Any]) -> bool:
        """Put a misspelt key right, or take a wrong value away; tells whether anything has changed."""
        location = finding.location
        if finding.key is not None:
            section = _value_at(data, location)
            meant = nearest(finding.key, finding.known)
            value = section.pop(finding.key)
            if meant is not None and meant not in section:
                section[meant] = value
                self._document.alias((*at, *location, meant), (*at, *location, finding.key))
            return True
        if finding.is_missing and location not in (each[len(at) :] for each in self._mended):
            # What is missing was told; without it nothing around it can be looked at.
            self._mended.add((*at, *location))
            return len(location) == 1 and self._stand_in(data, location, instead)
        while location and not (isinstance(location[-1], str) and _has(data, location)):
            location = location[:-1]
        if not location:
            return False
        self._mended.add((*at, *location))
        del _value_at(data, location[:-1])[location[-1]]
        if len(location) == 1:
            self._stand_in(data, location, instead)
        return True

    @staticmethod
    def _stand_in(data: Any, location: Location, instead: Mapping[str, Any]) -> bool:
        if location[0] not in instead or not isinstance(data, dict):
            return False
        data[location[0]] = _copied(instead[str(location[0])])
        return True


def _value_at(data: Any, location: Location) -> Any:
    for part in location:
        data = data[part]
    return data


def _has(data: Any, location: Location) -> bool:
    for part in location:
        if isinstance(data, dict):
            if part not in data:
                return False
        elif not (isinstance(data, list) and isinstance(part, int) and part < len(data)):
            return False
        data = data[part]
    return True


def _copied(value: Any) -> Any:
    """Copy mappings and lists; what Python code has put in, such as a provider, stays what it is."""
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_copied(item) for item in value]
    return value
