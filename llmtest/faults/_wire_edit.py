"""An answer that is right and written oddly: fields, events, comments, blanks as providers have been seen to send."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from llmtest.errors import ConfigurationError
from llmtest.faults._fault import Fault, Stage, check_seconds
from llmtest.faults._paths import parse_path

__all__ = ["WireEdit"]

EXAMPLE = 'WireEdit(drop="choices[0].delta.tool_calls[*].index")'
SHORTEST = 0.001


@dataclass(frozen=True, slots=True)
class WireEdit(Fault):
    """Changes what the provider's codec wrote, before it goes out: the answer is right, and written oddly.

    Events are numbered from 0, and from -1 backwards; a path names a field of their JSON, `[*]` any element of a list.
    An edit that finds nothing to change fails the test and names the paths that there are; one of a fault rule has then
    not fired.

    Args:
        drop: A field to leave out, by its path, wherever it is; or the number of an event to leave out.
        set: Fields by path, and what they shall hold, wherever their parent is; the last name of a path may be new. A
            function gets the old value.
        repeat: Number of an event that is sent twice.
        comment: Text of a comment, `: text`, sent before the first event; with `keep_alive`, what that sends.
        keep_alive: Sends a sign of life after so many seconds of silence, and again; 0.001 or more. It is the API's
            own (Anthropic's `ping`), else a comment, and a blank line before a whole answer. The head goes out first.
        before: What goes out before everything else: bytes, or a mapping that becomes an event.
        at: Number of the one event that `drop` and `set` look at, or that `comment` comes before.

    Raises:
        ConfigurationError: Nothing to change, no path, no such number, or a value that JSON cannot hold.

    Example:
        >>> WireEdit(comment="OPENROUTER PROCESSING", keep_alive=5)
        WireEdit(comment='OPENROUTER PROCESSING', keep_alive=5)
    """

    stage: ClassVar[Stage] = "wire"

    drop: str | int | None = None
    set: Mapping[str, Any] | None = field(default=None, hash=False)
    repeat: int | None = None
    comment: str | None = None
    keep_alive: float | None = None
    before: bytes | Mapping[str, Any] | None = field(default=None, hash=False)
    at: int | None = None

    def __repr__(self) -> str:
        return str(self).replace(self.name, "WireEdit", 1)

    def _check(self) -> None:
        given = (self.drop, self.set, self.repeat, self.comment, self.keep_alive, self.before)
        if all(value is None for value in given) or self.set == {}:
            raise _wrong("it changes nothing", EXAMPLE)
        for path in [*([self.drop] if isinstance(self.drop, str) else ()), *(self.set or ())]:
            try:
                parse_path(path)
            except (ValueError, TypeError):
                raise _wrong(f"{path!r} is no path", EXAMPLE) from None
        places: tuple[tuple[str, Any], ...] = (("drop", self.drop), ("repeat", self.repeat), ("at", self.at))
        for name, value in places:
            known = str | int | None if name == "drop" else int | None
            if not isinstance(value, known) or isinstance(value, bool):
                advised = 'WireEdit(comment="PROCESSING", at=2)' if name == "at" else f"WireEdit({name}=2)"
                raise _wrong(f"{name} must be the number of an event, got {value!r}", advised)
        if self.at is not None and not (isinstance(self.drop, str) or self.set or self.comment):
            raise _wrong("at says which event drop=path, set and comment look at, and there is none of these", EXAMPLE)
        comment: Any = self.comment
        if comment is not None and not (isinstance(comment, str) and comment.isprintable()):
            raise _wrong(f"comment must be a text on one line, got {self.comment!r}", 'WireEdit(comment="PROCESSING")')
        check_seconds(self, "keep_alive", self.keep_alive, example="WireEdit(keep_alive=5)")
        if self.keep_alive is not None and self.keep_alive < SHORTEST:
            raise _wrong(f"keep_alive must be {SHORTEST} seconds or more, got {self.keep_alive!r}", "keep_alive=5")
        self._check_values()

    def _check_values(self) -> None:
        before: Any = self.before
        if not isinstance(before, bytes | Mapping | None):
            raise _wrong(f"before must be bytes or a mapping, got {self.before!r}", r'WireEdit(before=b"\n\n")')
        held = [value for value in (self.set or {}).values() if not callable(value)]
        for value in [*held, *([self.before] if isinstance(self.before, Mapping) else ())]:
            try:
                json.dumps(value)
            except (TypeError, ValueError):
                raise _wrong(f"JSON cannot hold {value!r}", "texts, numbers, lists, mappings, None") from None
        if self.set is not None:
            object.__setattr__(self, "set", dict(self.set))


def _wrong(what: str, fix: str) -> ConfigurationError:
    return ConfigurationError(f"WireEdit: {what}.\n\nTo fix: {fix}")
