"""Which recorded interaction answers a request: by method, host, path and the meaning of the body.

Requests are compared by a key computed once, so a cassette of a thousand interactions costs what one of ten does. The
key is the hash of the request in a canonical form: JSON with sorted keys, without the fields that change from run to
run. Only when nothing matches is anything compared field by field, to say what differs.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.metadata import distributions
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from llmtest.cassettes._interactions import RecordedRequest
from llmtest.cassettes._masks import Mask, masked, masks_of, undated
from llmtest.cassettes._own_code import GROUP, Matcher, own_code, refusal
from llmtest.errors import ConfigurationError

PARTS = ("method", "host", "path", "query", "body")
"""What `match_on` may name."""

DEFAULT_PARTS = ("method", "host", "path", "body")

VOLATILE_FIELDS = ("user", "metadata", "safety_identifier", "prompt_cache_key")
"""Top-level fields of a body that are ignored by default: they name the run or the user, not the question."""


@dataclass(frozen=True, slots=True)
class MatchRule:
    """What counts as the same request.

    Args:
        parts: Which of `method`, `host`, `path`, `query`, `body` are compared.
        ignore: Fields of a JSON body that are not: `temperature`, `messages[*].name`, `tools[0].function`.
        mask: Texts in a body that are not, by path and pattern; see `masks_of`.
        undated: Whether `gpt-4o` and `gpt-4o-2024-08-06` are one model.
        matchers: Code of one's own that has to agree as well.
    """

    parts: tuple[str, ...] = DEFAULT_PARTS
    ignore: tuple[str, ...] = VOLATILE_FIELDS
    mask: tuple[Mask, ...] = ()
    undated: bool = False
    matchers: tuple[Matcher, ...] = ()

    @classmethod
    def of(cls, match_on: MatchRule | Sequence[str] | dict[str, Any] | None) -> MatchRule:
        """Read `match_on` of a marker: a list of parts, or a mapping such as `{"body": {"ignore": ["seed"]}}`.

        Of a body it takes `ignore` (fields), `mask` (`{"messages[*].content": "date"}`) and `undated` (true). What is
        no part is a matcher of one's own: a callable, `package.module:name`, or the name of an entry point; in a
        mapping they stand under `matchers`.

        Raises:
            ConfigurationError: A part or a matcher that does not exist.
        """
        if match_on is None:
            return cls()
        if isinstance(match_on, MatchRule):
            return match_on
        if isinstance(match_on, str) or callable(match_on):
            match_on = [match_on]
        own = match_on.get("matchers", ()) if isinstance(match_on, dict) else filter(_is_own, match_on)
        matchers = tuple(own_code(each, "match_on") for each in own)
        given = [part for part in match_on if part != "matchers" and not _is_own(part)]
        unknown = [part for part in given if part not in PARTS]
        if unknown:
            raise ConfigurationError(f"match_on: unknown part `{unknown[0]}`. Known parts: {', '.join(PARTS)}.")
        if not isinstance(match_on, dict):
            return cls(tuple(given), matchers=matchers)
        parts = tuple(dict.fromkeys([*DEFAULT_PARTS, *given]))
        body = match_on.get("body") or {}
        if not isinstance(body, dict) or set(body) - {"ignore", "mask", "undated"}:
            raise ConfigurationError(
                'match_on: `body` takes {"ignore": [fields]}, {"mask": {path: pattern}} and {"undated": True}'
            )
        ignored = (*VOLATILE_FIELDS, *body.get("ignore", ()))
        return cls(parts, ignored, masks_of(body.get("mask") or {}), bool(body.get("undated")), matchers)

    def takes(self, sent: RecordedRequest, recorded: RecordedRequest) -> bool:
        """Tell whether own matchers say that two requests are the same; without any they are."""
        return all(refusal(each, sent, recorded) is None for each in self.matchers)

    def hiding(self, masks: Sequence[Mask]) -> MatchRule:
        """Return the rule with more masks."""
        return replace(self, mask=(*self.mask, *masks)) if masks else self

    def seen(self, body: Any) -> Any:
        """Return what the rule looks at of a body."""
        left = without(body, self.ignore)
        if self.undated:
            left = undated(left)
        return masked(left, self.mask) if self.mask else left


def _is_own(part: Any) -> bool:
    """Tell whether a part is code of one's own: no part of ours is called so, or it is no name at all."""
    return callable(part) or (part not in PARTS and (":" in part or part in _own_names(tuple(sys.path))))


@lru_cache(maxsize=1)
def _own_names(path: tuple[str, ...]) -> frozenset[str]:
    """Return what distributions call code of their own; what is installed is looked for where modules are."""
    found = distributions(path=list(path))
    return frozenset(point.name for each in found for point in each.entry_points if point.group == GROUP)


@dataclass(frozen=True, slots=True)
class RequestView:
    """A request as the matcher sees it; the body is parsed JSON where it is JSON, else text."""

    method: str
    host: str
    path: str
    query: tuple[tuple[str, str], ...]
    body: Any

    @classmethod
    def of(cls, method: str, url: str, body: str | bytes | None) -> RequestView:
        """Make a view of a request."""
        return cls(method.upper(), *_place(url), _parsed(body))

    def key(self, rule: MatchRule) -> str:
        """Return the hash by which the request is found."""
        facts = [getattr(self, part) for part in PARTS if part in rule.parts and part != "body"]
        if "body" in rule.parts:
            facts.append(rule.seen(self.body))
        text = json.dumps(facts, sort_keys=True, separators=(",", ":"), default=str)
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


@lru_cache(maxsize=1024)
def _place(url: str) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    """Return host, path and query of a URL; a session has few of them."""
    parts = urlsplit(url)
    host = (parts.hostname or "") + (f":{parts.port}" if parts.port not in {None, 80, 443} else "")
    return host, parts.path or "/", tuple(sorted(parse_qsl(parts.query, keep_blank_values=True)))


def _parsed(body: str | bytes | None) -> Any:
    if not body:
        return None
    text = body.decode("utf-8", "surrogateescape") if isinstance(body, bytes) else body
    if text.startswith("--"):
        return _without_boundary(text)
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _without_boundary(text: str) -> str:
    """Return an upload without the line between its parts, which a client draws at random."""
    boundary = text.partition("\r\n")[0]
    return text.replace(boundary, "--") if text.rstrip("\r\n").endswith(f"{boundary}--") else text


def without(value: Any, ignored: Sequence[str]) -> Any:
    """Return a JSON value without the ignored fields; the original is not changed."""
    if not isinstance(value, dict | list):
        return value
    paths = [_steps(path) for path in ignored]
    return _pruned(value, paths)


@lru_cache(maxsize=1024)
def _steps(path: str) -> tuple[str, ...]:
    return tuple(step for step in path.replace("[", ".").replace("]", "").split(".") if step)


def _pruned(value: Any, paths: list[tuple[str, ...]]) -> Any:
    if not paths:
        return value
    if isinstance(value, dict):
        gone = {path[0] for path in paths if len(path) == 1}
        kept = {key: item for key, item in value.items() if key not in gone}
        deeper = [path for path in paths if len(path) > 1]
        if not deeper:
            return kept
        return {
            key: _pruned(item, [path[1:] for path in deeper if path[0] in {key, "*"}]) for key, item in kept.items()
        }
    if isinstance(value, list):
        return [
            _pruned(item, [path[1:] for path in paths if len(path) > 1 and path[0] in {str(position), "*"}])
            for position, item in enumerate(value)
        ]
    return value


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where two requests differ; `MISSING` stands for a field one of them lacks."""

    path: str
    recorded: Any
    sent: Any

    def __str__(self) -> str:
        """Say it in one line, each side cut to 60 characters."""
        if self.recorded is MISSING:
            return f"{self.path}: added {_short(self.sent)}"
        if self.sent is MISSING:
            return f"{self.path}: missing, recorded {_short(self.recorded)}"
        return f"{self.path}: recorded {_short(self.recorded)}, sent {_short(self.sent)}"


@dataclass(frozen=True, slots=True)
class Refusal(Difference):
    """What a matcher of one's own says against two requests; `sent` is why."""

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{self.path}: {self.sent}"


MISSING = object()


def _short(value: Any, limit: int = 60) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def differences(recorded: RequestView, sent: RequestView, rule: MatchRule) -> list[Difference]:
    """Return where two requests differ, as far as the rule looks."""
    found = []
    for part in PARTS:
        if part not in rule.parts:
            continue
        before, after = getattr(recorded, part), getattr(sent, part)
        if part == "body":
            found += list(_compared("body", rule.seen(before), rule.seen(after)))
        elif before != after:
            found.append(Difference(part, before, after))
    return found


def _compared(path: str, before: Any, after: Any) -> Iterator[Difference]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            yield from _compared(f"{path}.{key}", before.get(key, MISSING), after.get(key, MISSING))
    elif isinstance(before, list) and isinstance(after, list):
        for position in range(max(len(before), len(after))):
            left = before[position] if position < len(before) else MISSING
            right = after[position] if position < len(after) else MISSING
            yield from _compared(f"{path}[{position}]", left, right)
    elif before is MISSING or after is MISSING or type(before) is not type(after) or before != after:
        yield Difference(path, before, after)
