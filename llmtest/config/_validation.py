"""Sections of a file: mappings with a fixed set of keys, checked by pydantic, and told of in the file's own words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

from llmtest.config._document import Document, Location
from llmtest.config._findings import show_location
from llmtest.config._mistakes import Mistakes
from llmtest.config._nearest import did_you_mean, known

__all__ = ["Section", "one_of", "said_once", "show_location", "validate"]

S = TypeVar("S", bound="Section")


class Section(BaseModel):
    """A mapping with a fixed set of keys."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, populate_by_name=False, arbitrary_types_allowed=True, use_attribute_docstrings=True
    )

    @classmethod
    def keys(cls) -> list[str]:
        """Return the keys this section may have, as files write them."""
        return [field.alias or name for name, field in cls.model_fields.items()]

    @model_validator(mode="before")
    @classmethod
    def _know_every_key(cls, value: Any) -> Any:
        """Refuse unknown keys before anything else: a misspelt key explains the one that seems to be missing."""
        if isinstance(value, cls):
            return value
        if not isinstance(value, dict):
            raise PydanticCustomError("not_a_mapping", "must be a mapping with the keys {keys}", {"keys": _list(cls)})
        keys = cls.keys()
        for key in value:
            if key not in keys:
                raise PydanticCustomError("unknown_key", "", {"key": str(key), "known": keys})
        return value


def _list(section: type[Section]) -> str:
    return ", ".join(f"`{key}`" for key in section.keys())  # noqa: SIM118 - a class, not a mapping


def one_of(noun: str, value: object, choices: list[str]) -> str:
    """Return the text for a value that is none of the known ones."""
    return f"unknown {noun} `{value}`.{did_you_mean(str(value), choices)}{known(noun + 's', choices)}"


def said_once(section: Section, other_names: Mapping[str, str]) -> dict[str, Any]:
    """Return what a section says, under our names.

    Args:
        section: The section.
        other_names: Our name for each other name that it may use.

    Raises:
        ValueError: It says something under two names.
    """
    said: dict[str, str] = {}
    for key in section.model_fields_set:
        if getattr(section, key) is None:
            continue
        name = other_names.get(key, key)
        if name in said:
            one, other = sorted((said[name], key), key=section.keys().index)
            raise ValueError(f"takes `{one}` or `{other}`, not both")
        said[name] = key
    return {name: getattr(section, key) for name, key in said.items()}


def validate(section: type[S], document: Document, at: Location = ()) -> S:
    """Check the document, or the part of it at a location, and return it as a section.

    Raises:
        ScenarioError: Everything in it that is wrong, each with its line.
    """
    mistakes = Mistakes(document)
    found = mistakes.validate(section, at)
    mistakes.raise_all()
    assert found is not None
    return found
