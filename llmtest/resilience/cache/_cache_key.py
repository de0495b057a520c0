"""Which requests are equal: a request as one short text, that is the same for all that must get the same answer.

Everything that a request says goes into it, but for what is known to make no difference; so a field that is added to
requests later is part of it from the start. Objects are compared by what they hold. The order of keys counts in
schemas, because a model answers in the order of its schema, and does not count in `extra`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from difflib import get_close_matches
from functools import cache
from hashlib import blake2b
from operator import attrgetter
from typing import Any

from llmtest.errors import ConfigurationError
from llmtest.resilience.cache._text_marks import marks_of
from llmtest.types import ChatMessage, CompletionRequest, TextPart

__all__ = ["FORMAT", "KeyMaker", "Space", "check_excluded"]

FORMAT = 1
"""Of keys and of what is kept under them; another number begins anew."""
WITHOUT_EFFECT = frozenset({"metadata", "idempotency_key", "service_tier", "stream"})
"""What changes nothing about an answer."""
OF_ITS_OWN = frozenset({"messages", "model", "extra"})
KNOWN = tuple(field.name for field in fields(CompletionRequest))
PARAMETERS = tuple(name for name in KNOWN if name not in WITHOUT_EFFECT | OF_ITS_OWN)
NUMBERS = frozenset({"temperature", "top_p"})
"""Where 1 and 1.0 are the same."""
PLAIN = frozenset({str, int, float, bool, type(None), bytes, Decimal})
EXTRA = "extra."

Space = tuple[str, str]
"""What must be equal for two requests to be alike, and the text that is compared."""


class _NoKeyError(Exception):
    """A request holds something whose equality nobody can tell."""


class KeyMaker:
    """Makes the keys of one chain's requests.

    Args:
        identity: Who is asked, and what else all requests have in common.
        excluded: Fields that make no difference.
        tenant: The label that says whose request it is; None: nobody's.
    """

    __slots__ = ("_base", "_dropped", "_dropped_extra", "_keeps_model", "_left", "_prefix", "_read", "_tenant")

    def __init__(self, identity: str, excluded: Collection[str] = (), tenant: str | None = None) -> None:
        self._prefix = _hash(f"{FORMAT} {identity}")
        self._dropped_extra = {name.removeprefix(EXTRA) for name in excluded if name not in KNOWN}
        self._dropped = frozenset(excluded)
        self._left = tuple(name for name in PARAMETERS if name not in self._dropped)
        left = self._left
        self._read: Any = (
            attrgetter(*left) if len(left) > 1 else lambda request: tuple([getattr(request, name) for name in left])
        )
        self._base = self._read(CompletionRequest.ask("?"))
        self._keeps_model = "model" not in self._dropped
        self._tenant = tenant

    def key(self, request: CompletionRequest) -> str | None:
        """Return what all requests have that get the same answer; None where nobody can tell."""
        try:
            said = self._said(request)
            messages = tuple([_message(message) for message in request.messages])
        except _NoKeyError:
            return None
        return _hash(repr((self._prefix, said, messages)))

    def space(self, request: CompletionRequest) -> Space | None:
        """Return what must be equal for two requests to be alike, and the text of which that is judged.

        It is asked for a request that has a key.

        The text is that of the last message, where it is the user's; its negations and numbers must be equal too.
        """
        last = request.messages[-1]
        text = last.text
        if last.role != "user" or not text.strip():
            return None
        others = tuple([_message(message) for message in request.messages[:-1]])
        parts = () if isinstance(last.content, str) or last.content is None else last.content
        # Where something other than text stands among the texts, its place counts.
        seen = [None if isinstance(part, TextPart) else _canonical(part) for part in parts]
        rest = (tuple(seen) if any(seen) else (), last.name, last.tool_call_id, _canonical(last.tool_calls))
        said = self._said(request)
        return _hash(repr((self._prefix, said, others, rest, marks_of(text)))), text

    def _said(self, request: CompletionRequest) -> tuple[object, ...]:
        """Return what a request says beside its messages."""
        tenant = None if self._tenant is None else request.metadata.get(self._tenant)
        model = request.model if self._keeps_model else None
        values = self._read(request)
        if values == self._base and not request.extra:
            return tenant, model
        said = [
            (name, float(value) if name in NUMBERS else _canonical(value))
            for name, value, nothing in zip(self._left, values, self._base, strict=True)
            if value != nothing
        ]
        extra = request.extra
        if extra and "extra" not in self._dropped:
            dropped = self._dropped_extra
            for dialect in sorted(extra):
                own = {
                    name: value
                    for name, value in extra[dialect].items()
                    if name not in dropped and f"{dialect}.{name}" not in dropped
                }
                if own:
                    said.append((EXTRA + dialect, _canonical(own, is_sorted=True)))
        return tenant, model, *said


def check_excluded(names: Iterable[str]) -> None:
    """Refuse what cannot be left out of a key.

    Raises:
        ConfigurationError: A field without which every request is equal, or that is misspelt.
    """
    for name in names:
        if name == "messages":
            raise ConfigurationError(
                "exclude_fields may hold every field of a request but `messages`: without them every question would "
                "get the same answer.\nTo fix: leave `messages` out"
            )
        if name in KNOWN or "." in name:
            continue
        near = get_close_matches(name, KNOWN, n=1, cutoff=0.8)
        if near:
            raise ConfigurationError(
                f"exclude_fields: a request has no field `{name}`. Did you mean `{near[0]}`?\n"
                f"To fix: exclude_fields=[{near[0]!r}], or [{EXTRA + '<dialect>.' + name!r}] for a field of one API"
            )


def _message(message: ChatMessage) -> tuple[object, ...]:
    content = message.content
    if type(content) is str and not message.tool_calls and message.name is None and message.tool_call_id is None:
        return message.role, content, message.is_error
    return (
        message.role,
        _canonical(content),
        _canonical(message.tool_calls),
        message.tool_call_id,
        message.name,
        message.is_error,
    )


def _canonical(value: Any, *, is_sorted: bool = False) -> object:
    """Return a value as texts, numbers and tuples of them, of which equal ones read equal."""
    kind = type(value)
    if kind in PLAIN:
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, list | tuple):
        return tuple([_canonical(item, is_sorted=is_sorted) for item in value])
    if isinstance(value, Mapping):
        items = sorted(value.items(), key=lambda item: str(item[0])) if is_sorted else value.items()
        pairs = [(_canonical(key), _canonical(item, is_sorted=is_sorted)) for key, item in items]
        return "{}", *pairs
    if isinstance(value, set | frozenset):
        return "set", *sorted([repr(_canonical(item)) for item in value])
    if is_dataclass(kind):
        held = [_canonical(getattr(value, name), is_sorted=is_sorted) for name in _fields(kind)]
        return kind.__name__, *held
    raise _NoKeyError


@cache
def _fields(kind: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def _hash(text: str) -> str:
    # Half a pair of characters, which JSON can name, is text as well.
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
