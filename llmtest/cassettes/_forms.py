"""The other ways to write a file: vcrpy's own, with JSON bodies as values, as JSON; `_writing` has ours.

| form | what it is |
|---|---|
| `llmtest` | ours: bodies one field a line, hints that vcrpy passes over |
| `vcrpy` | what vcrpy itself writes, without hints: times and pieces of streams are lost |
| `parsed_body` | JSON bodies as YAML in `parsed_body`, as the serializer of pydantic-ai's suite has them |
| `json` | what vcrpy's JSON serializer writes, with our hints; the only form of a file named `.json` |
"""

from __future__ import annotations

import base64
import difflib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal, get_args

from llmtest.cassettes._body import UNSEEN, JsonStyle, pretty
from llmtest.cassettes._interactions import Headers, Interaction
from llmtest.cassettes._writing import ENDING, hints_of, write_document
from llmtest.cassettes._yaml import Flow, dump, dump_as_vcrpy
from llmtest.errors import ConfigurationError

Form = Literal["llmtest", "vcrpy", "parsed_body", "json"]
FORMS: tuple[Form, ...] = get_args(Form)

PLAIN_STYLE = JsonStyle("spaced", ascii=True)
"""How a reader of `parsed_body` that knows no hints writes a body: Python's `json.dumps`."""


def form_for(path: Path, form: str | None) -> Form:
    """Return in which form a file is written.

    Raises:
        ConfigurationError: There is no such form, or the file is named `.json` and is to be written as YAML.
    """
    in_json = path.suffix == ".json"
    if form is None:
        return "json" if in_json else "llmtest"
    if form not in FORMS:
        near = difflib.get_close_matches(form, FORMS, 1)
        hint = f" Did you mean `{near[0]}`?" if near else ""
        raise ConfigurationError(f"unknown form of cassettes `{form}`.{hint} Known forms: {', '.join(FORMS)}.")
    if in_json != (form == "json"):
        other = ".yaml" if in_json else ".json"
        raise ConfigurationError(
            f"{path}: a file of this name is not written as `{form}`.\nTo fix: name it {path.with_suffix(other).name}"
        )
    return next(each for each in FORMS if each == form)


def write_as(interactions: Iterable[Interaction], form: Form) -> str:
    """Write interactions as the text of a cassette."""
    return WRITERS[form](interactions)


def _as_vcrpy(interactions: Iterable[Interaction]) -> str:
    entries = [_entry(each, _text_or_bytes) for each in interactions]
    return dump_as_vcrpy({"interactions": entries, "version": 1})


def _as_json(interactions: Iterable[Interaction]) -> str:
    entries = [{"llmtest": hints_of(each), **_entry(each, _text_or_base64)} for each in interactions]
    return json.dumps({"version": 1, "interactions": entries}, indent=4) + "\n"


def _as_parsed_bodies(interactions: Iterable[Interaction]) -> str:
    entries = [_parsed_entry(each) for each in interactions]
    return (dump({"interactions": entries}, blocks=True) if entries else "interactions: []\n") + ENDING


def _entry(interaction: Interaction, body_as: Callable[[bytes], Any]) -> dict[str, Any]:
    """Return an interaction as vcrpy has it."""
    request, response = interaction.request, interaction.response
    body = body_as(response.body)
    return {
        "request": {
            "body": body_as(request.body) if request.body else None,
            "headers": _lists(request.headers),
            "method": request.method,
            "uri": request.uri,
        },
        "response": {
            "body": body if isinstance(body, dict) else {"string": body},
            "headers": _lists(response.headers),
            "status": {"code": response.status, "message": response.reason},
        },
    }


def _parsed_entry(interaction: Interaction) -> dict[str, Any]:
    entry = _entry(interaction, _text_or_bytes)
    hints = Flow(hints_of(interaction))
    for side, body in (("request", interaction.request.body), ("response", interaction.response.body)):
        value, style = _value_of(body)
        if style is not None:
            entry[side].pop("body")
            entry[side]["parsed_body"] = value
            if style != PLAIN_STYLE:
                hints[f"{side}_body"] = style.as_hint()
    return {"llmtest": hints, **entry}


def _value_of(body: bytes) -> tuple[Any, JsonStyle | None]:
    """Return the value of JSON that a style restores byte for byte, as far as YAML can hold it."""
    try:
        text = body.decode()
        written = pretty(text)
        if written is None or UNSEEN.search(text) or "\\ud" in text.lower():
            return None, None
        return json.loads(text), written[1]
    except ValueError:
        return None, None


def _lists(headers: Headers) -> dict[str, list[str]]:
    return {name: list(values) for name, values in headers.items()}


def _text_or_bytes(body: bytes) -> str | bytes:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return body


def _text_or_base64(body: bytes) -> Any:
    """Return a body as JSON can have it; vcrpy's serializer has no way to write one that is no text."""
    text = _text_or_bytes(body)
    return {"base64_string": base64.b64encode(body).decode()} if isinstance(text, bytes) else text


WRITERS: dict[Form, Callable[[Iterable[Interaction]], str]] = {
    "llmtest": write_document,
    "vcrpy": _as_vcrpy,
    "parsed_body": _as_parsed_bodies,
    "json": _as_json,
}
