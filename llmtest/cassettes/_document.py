"""The file: written so that a person reads it and unmodified vcrpy replays it; read lazily, or as vcrpy wrote it.

    version: 1
    interactions:
    - llmtest: {key: 5d41..., recorded_at: '2026-01-01T00:00:00Z', response_body: compact, chunks: [[12, 87], [40, 31]]}
      request:
        method: POST
        uri: https://api.openai.com/v1/chat/completions
        headers:
          content-type: [application/json]
        body: |-
          {
            "model": "gpt-4o"
          }
      response: ...

vcrpy ignores the `llmtest` line. A file written here is cut into interactions by that line, which stands at the margin
where no text of a body can stand, and an interaction is parsed when it is first needed: parsing a thousand of them
with libyaml takes two seconds, finding their keys takes milliseconds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import yaml
from vcr.serializers import yamlserializer

from llmtest.cassettes._body import JsonStyle, pretty, restore
from llmtest.cassettes._interactions import Headers, Interaction, RecordedRequest, RecordedResponse
from llmtest.cassettes._matching import MatchRule, RequestView
from llmtest.errors import CassetteFileError

VERSION = 1
START = re.compile(r"\n- llmtest: \{key: ([0-9a-f]{32})[,}]")
CONFLICT = re.compile(r"^(<{7}|={7}|>{7})( |$)", re.MULTILINE)


class ForeignFileError(CassetteFileError):
    """A file is valid and something else than a cassette."""


class InteractionError(CassetteFileError):
    """One interaction of a cassette cannot be read; the others may."""

    hint: str = ""
    """The hint on its line that no longer fits its body (`response_body`), if that is the reason."""


class _HintError(ValueError):
    """A body is no longer what a hint says of it."""

    def __init__(self, hint: str, reason: object) -> None:
        super().__init__(f"its body does not fit the hint `{hint}`: {reason}")
        self.hint = hint


class _Flow(dict[str, Any]):
    """A mapping that is written on one line."""


class _Row(list[Any]):
    """A sequence that is written on one line."""

    __slots__ = ()


class _Block(str):
    """A text that is written as a literal block."""

    __slots__ = ()


_DUMPER: type[Any] = type("_DUMPER", (getattr(yaml, "CSafeDumper", yaml.SafeDumper),), {})
_DUMPER.add_representer(
    _Flow, lambda dumper, data: dumper.represent_mapping("tag:yaml.org,2002:map", data.items(), flow_style=True)
)
_DUMPER.add_representer(
    _Block, lambda dumper, data: dumper.represent_scalar("tag:yaml.org,2002:str", str(data), style="|")
)
_DUMPER.add_representer(
    _Row, lambda dumper, data: dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=True)
)


def _dump(value: Any) -> str:
    text: str = yaml.dump(value, Dumper=_DUMPER, sort_keys=False, allow_unicode=True, width=1_000_000)
    return text.removesuffix("...\n")  # libyaml ends a document after a block that keeps its last newlines


def write_document(interactions: Iterable[Interaction]) -> str:
    """Write interactions as the text of a cassette."""
    head = f"version: {VERSION}\n"
    pieces = [_dump([_as_mapping(interaction)]) for interaction in interactions]
    return head + ("interactions:\n" + "".join(pieces) if pieces else "interactions: []\n")


def _as_mapping(interaction: Interaction) -> dict[str, Any]:
    request, response = interaction.request, interaction.response
    view = RequestView.of(request.method, request.uri, request.body)
    hints = _Flow(key=view.key(MatchRule()))
    if interaction.recorded_at:
        hints["recorded_at"] = interaction.recorded_at
    request_body, request_style = _body_as_text(request.body)
    response_body, response_style = _body_as_text(response.body)
    if request_style:
        hints["request_body"] = request_style
    if response_style:
        hints["response_body"] = response_style
    if response.head_ms:
        hints["head_ms"] = response.head_ms
    if response.chunks:
        hints["chunks"] = _Row(_Row(chunk) for chunk in response.chunks)
    if not response.complete:
        hints["complete"] = False
    if response.error:
        hints["error"] = response.error
    return {
        "llmtest": hints,
        "request": {
            "method": request.method,
            "uri": request.uri,
            "headers": {name: _Row(values) for name, values in request.headers.items()},
            "body": request_body,
        },
        "response": {
            "status": _Flow(code=response.status, message=response.reason),
            "headers": {name: _Row(values) for name, values in response.headers.items()},
            "body": {"string": response_body},
        },
    }


def _body_as_text(body: bytes) -> tuple[Any, str | None]:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return body, None
    written = pretty(text)
    if written is not None:
        return _Block(written[0]), written[1].as_hint()
    return (_Block(text) if "\n" in text else text), None


class Document:
    """The interactions of one file, in order; each is parsed when it is first read.

    Args:
        text: The text of the file.
        path: Its name, for errors.
        strict: Whether the file has to be whole. Otherwise an interaction that says too little is told of where it is
            read; a text that is no cassette is an error all the same.

    Raises:
        CassetteFileError: The text is no cassette; says where and how to mend it.
    """

    def __init__(self, text: str, path: str, *, strict: bool = True) -> None:
        self.path = path
        if "\n<<<<<<<" in text:  # what is left of one that was half resolved is no YAML, and found by the parser
            _refuse_conflict(text, path)
        if not text or text.isspace():
            raise CassetteFileError(f"{path}: the cassette is empty. Delete it, and record it again.")
        starts = list(START.finditer(text))
        self._text = text
        self._bounds: list[int] = []
        self._last: tuple[int, Interaction] | None = None
        self._mappings: list[Any] = []
        if starts and text[: starts[0].start()].rstrip().endswith("interactions:"):
            self._bounds = [match.start() + 1 for match in starts] + [len(text)]
            self.keys: list[str | None] = [match[1] for match in starts]
            if not text.endswith("\n"):
                line = text.count("\n") + 1
                raise CassetteFileError(
                    f"{path}:{line}: the cassette is cut short: its last line has no end. Restore it, or re-record."
                )
            checked = [len(starts) - 1]  # a file cut short is cut in its last interaction
        else:
            self._mappings = _whole(text, path)
            self.keys = [None] * len(self._mappings)
            checked = list(range(len(self._mappings)))
        for position in checked:
            try:
                self._parsed(position)
            except InteractionError:
                if strict:
                    raise

    def __len__(self) -> int:
        """Return how many interactions there are."""
        return len(self.keys)

    def __getitem__(self, position: int) -> Interaction:
        """Return one interaction, parsed now; only the last one is kept, because play goes through a file once."""
        last = self._last
        if last is None or last[0] != position:
            last = self._last = (position, self._parsed(position))
        return last[1]

    def _parsed(self, position: int) -> Interaction:
        if self._mappings:
            return _as_interaction(self._mappings[position], self.path, position)
        start, end = self._bounds[position : position + 2]
        piece = self._text[start:end]
        try:
            loaded = yamlserializer.deserialize(piece)
        except (yaml.YAMLError, ValueError, RecursionError):
            loaded = _load(piece, self.path, self._text.count("\n", 0, start))  # once more, to say on which line
        if not isinstance(loaded, list) or len(loaded) != 1:
            raise InteractionError(f"{self.path}: interaction {position + 1} is not a mapping. Re-record it.")
        return _as_interaction(loaded[0], self.path, position)


def _refuse_conflict(text: str, path: str, first_line: int = 0) -> None:
    conflict = CONFLICT.search(text)
    if conflict is not None:
        line = first_line + text.count("\n", 0, conflict.start()) + 1
        raise CassetteFileError(f"{path}:{line}: a merge conflict was left in the cassette. Resolve it, or re-record.")


class Anthology:
    """Several documents, played as one: a test's own recordings and those it borrows."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._places = [(document, at) for document in documents for at in range(len(document))]
        self.keys: list[str | None] = [document.keys[at] for document, at in self._places]

    def __len__(self) -> int:
        """Return how many interactions there are."""
        return len(self._places)

    def __getitem__(self, position: int) -> Interaction:
        """Return one interaction, parsing it if need be."""
        document, at = self._places[position]
        return document[at]


def _load(text: str, path: str, first_line: int = 0) -> Any:
    try:
        return yamlserializer.deserialize(text)
    except yaml.YAMLError as error:
        _refuse_conflict(text, path, first_line)
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{first_line + mark.line + 1}" if mark is not None else path
        problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
        raise CassetteFileError(
            f"{where}: the cassette is not valid YAML: {problem}. Restore it, or re-record."
        ) from error
    except (ValueError, RecursionError) as error:  # a date in month 13, ten thousand brackets
        raise CassetteFileError(
            f"{path}: the cassette is not valid YAML: {error}. Restore it, or re-record."
        ) from error


def _load_json(text: str, path: str) -> Any:
    """Read what vcrpy's JSON serializer writes, whose pairs of surrogates no YAML reader knows."""
    try:
        return json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        if not path.endswith(".json"):
            return _load(text, path)  # YAML may begin with a brace too
        line = getattr(error, "lineno", 1)
        problem = getattr(error, "msg", str(error))
        raise CassetteFileError(
            f"{path}:{line}: the cassette is not valid JSON: {problem}. Restore it, or re-record."
        ) from error


def _whole(text: str, path: str) -> list[Any]:
    loaded = _load_json(text, path) if text.lstrip("\ufeff \t\r\n").startswith("{") else _load(text, path)
    if not isinstance(loaded, Mapping) or not isinstance(loaded.get("interactions"), list):
        raise ForeignFileError(
            f"{path}: this is no cassette: a cassette is a mapping with a list `interactions`. "
            "Name another file; what other tools have recorded has to be recorded again."
        )
    interactions: list[Any] = loaded["interactions"]
    return interactions


def _as_interaction(mapping: Any, path: str, position: int) -> Interaction:
    try:
        request, response = mapping["request"], mapping["response"]
        hints = mapping.get("llmtest") or {}
        return Interaction(
            RecordedRequest(
                _text_of(request, "method"),
                _url_of(request),
                _headers(request.get("headers")),
                _body(request.get("body"), hints, "request_body"),
            ),
            _response(response, hints),
            hints.get("recorded_at"),
            hints.get("key"),
            position + 1,
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        what = f"`{error.args[0]}` is missing" if isinstance(error, KeyError) else str(error)
        broken = InteractionError(f"{path}: interaction {position + 1} cannot be read: {what}. Re-record it.")
        broken.hint = error.hint if isinstance(error, _HintError) else ""
        raise broken from error


def _text_of(mapping: Mapping[str, Any], name: str) -> str:
    value = mapping[name]
    if not isinstance(value, str):
        raise TypeError(f"`{name}` is no text")
    return value


def _url_of(request: Mapping[str, Any]) -> str:
    url = _text_of(request, "uri")
    try:
        _ = urlsplit(url).port
    except ValueError as error:
        raise ValueError(f"`uri` is no URL: {error}") from error
    return url


def _response(response: Mapping[str, Any], hints: Mapping[str, Any]) -> RecordedResponse:
    if "status_code" in response:  # how vcrpy wrote httpx answers before version 6
        return RecordedResponse(
            int(response["status_code"]), "", _headers(response.get("headers")), _body(response.get("content"))
        )
    body = response["body"] if hints else response.get("body") or {}
    return RecordedResponse(
        int(response["status"]["code"]),
        str(response["status"].get("message") or ""),
        _headers(response.get("headers")),
        _body(body.get("string") if isinstance(body, Mapping) else body, hints, "response_body"),
        tuple((int(at), int(length)) for at, length in hints.get("chunks") or ()),
        bool(hints.get("complete", True)),
        str(hints.get("error", "")),
        int(hints.get("head_ms", 0)),
    )


def _headers(headers: Mapping[str, Any] | None) -> Headers:
    return {
        str(name): [str(value) for value in values] if isinstance(values, list) else [str(values)]
        for name, values in (headers or {}).items()
    }


def _body(body: Any, hints: Mapping[str, Any] | None = None, hint: str = "") -> bytes:
    if body is None:
        return b""
    if hasattr(body, "read"):
        body = body.read()
    if isinstance(body, bytes):
        return body
    if not isinstance(body, str):
        raise TypeError(f"a body of type {type(body).__name__} is not supported")
    text: str = body
    style = hints.get(hint) if hints else None
    if style:
        try:
            text = restore(text, JsonStyle.from_hint(style))
        except ValueError as error:
            raise _HintError(hint, error) from error
    return text.encode("utf-8", "surrogateescape")
