"""Which credentials an interaction shows, and in which field: for the last scan before a save, and for `verify`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from llmtest.cassettes._interactions import Headers, Interaction, RecordedResponse
from llmtest.cassettes._reading import is_stream, text_of
from llmtest.cassettes._redaction import Redactor
from llmtest.cassettes.review._placeholders import is_placeholder, says_placeholder
from llmtest.wire import SseParser, dialects

Key = str | int

STUFFING = re.compile(r"redacted|[xX]{6}|[*]{4}|\.{3}", re.IGNORECASE)
ACCOUNT_HEADERS = frozenset(header for dialect in dialects().values() for header in dialect.private_headers)
"""Headers in which providers say whose the key is."""
BOT_COOKIE = re.compile(
    r"__cf_bm|_?_cfuvid|__cfruid|__cflb|__cfduid|__cfseq\w*|cf_clearance|AWSALB\w*|ak_bmsc|bm_\w+|_abck|datadome|_px\w*"
    r"|incap_ses_\w+|visid_incap_\w+|nlbi_\w+|GCLB|ARRAffinity\w*"
)
"""Cookies by which proxies tell browsers from bots, and one of their machines from another."""
NO_CREDENTIALS = frozenset({"x-ms-client-request-id"})
"""Headers that are redacted because they tell runs apart, and that nobody can log in with."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """A credential that an interaction shows.

    Args:
        place: The field, as a person calls it: `request.headers.x-note`, `response.body.choices[0].message.content`.
        keys: The way to it in the file.
        kind: What it looks like.
        needle: The credential, to find its line; never to be shown.
        is_mild: Whether nobody can log in with it: it names an account, or marks a visitor as no bot.
    """

    place: str
    keys: tuple[Key, ...]
    kind: str
    needle: str = field(default="", repr=False)
    is_mild: bool = False


def exposures(interaction: Interaction, redactor: Redactor) -> Iterator[Exposure]:
    """Yield every credential that an interaction shows; its answer is decompressed already."""
    yield from _in_url(interaction.request.uri, redactor)
    yield from _in_headers("request", interaction.request.headers, redactor)
    yield from _in_body("request", ("request", "body"), interaction.request.body, redactor)
    yield from _in_headers("response", interaction.response.headers, redactor)
    for place, keys, text in (
        ("response.status.message", ("response", "status", "message"), interaction.response.reason),
        ("llmtest.error", ("llmtest", "error"), interaction.response.error),
    ):
        for kind, _ in found_in(text, redactor):
            yield Exposure(place, keys, kind)
    keys = ("response", "body", "string")
    shown = list(_in_body("response", keys, interaction.response.body, redactor))
    yield from shown
    known = {exposure.kind for exposure in shown}
    for place, text in put_together("response.body", interaction.response):
        for kind, _ in found_in(text, redactor):
            if kind not in known:
                known.add(kind)
                yield Exposure(place, keys, kind)


def found_in(text: str, redactor: Redactor) -> Iterator[tuple[str, str]]:
    """Yield `(kind, credential)` of what a text shows; what is stuffed with `XXXX` or `...` is an example."""
    for start, end, placeholder in redactor.spans(text):
        if not STUFFING.search(text[start:end]) and not says_placeholder(text[start:end]):
            yield kind_of(placeholder), text[start:end]


def kind_of(placeholder: str) -> str:
    """Say of a placeholder what it stands for."""
    name = placeholder.strip("<>")
    if name == "redacted":
        return "bearer or basic credential"
    return name.removeprefix("redacted ") if name.startswith("redacted ") else f"value of {name}"


def _in_url(uri: str, redactor: Redactor) -> Iterator[Exposure]:
    keys = ("request", "uri")
    user = re.match(r"[\w+.-]+://([^/?#]*)@", uri)
    if user is not None and not is_placeholder(unquote(user[1])):
        yield Exposure("request.uri", keys, "user part of the URL")
    for pair in uri.partition("?")[2].split("&"):
        name, _, value = pair.partition("=")
        if redactor.is_secret_parameter(name, value) and not is_placeholder(unquote(value)):
            yield Exposure("request.uri", keys, f"query parameter `{name}`")
    for kind, _ in found_in(uri, redactor):
        yield Exposure("request.uri", keys, kind)


def _in_headers(side: str, headers: Headers, redactor: Redactor) -> Iterator[Exposure]:
    for name, values in headers.items():
        for number, value in enumerate(values):
            place, keys = f"{side}.headers.{name}", (side, "headers", name, number)
            by_name = redactor.is_secret_header(name) and name.lower() not in NO_CREDENTIALS
            if by_name and not is_placeholder(value):
                mild = _mild_kind(name, value)
                yield Exposure(place, keys, mild or "by the name of the header", is_mild=mild is not None)
                continue
            for kind, _ in found_in(value, redactor):
                yield Exposure(place, keys, kind)


def _mild_kind(name: str, value: str) -> str | None:
    """Say what a header holds that nobody can log in with; None where somebody might."""
    if name.lower() in ACCOUNT_HEADERS:
        return "the id of an account"
    if name.lower() not in {"cookie", "set-cookie"}:
        return None
    cookies = value.split(";") if name.lower() == "cookie" else [value.partition(";")[0]]
    names = [cookie.partition("=")[0].strip() for cookie in cookies if cookie.strip()]
    return "a cookie against bots" if names and all(map(BOT_COOKIE.fullmatch, names)) else None


def _in_body(side: str, keys: tuple[Key, ...], body: bytes, redactor: Redactor) -> Iterator[Exposure]:
    text = text_of(body)
    if text is None:
        text = body.decode("utf-8", "surrogateescape")
    whole = list(found_in(text, redactor))
    named = set()
    for place, part in parts_of(f"{side}.body", text):
        for kind, needle in found_in(part, redactor):
            if (place, kind) not in named:
                named.add((place, kind))
                yield Exposure(place, keys, kind, needle)
    if whole and not named:
        yield Exposure(f"{side}.body", keys, *whole[0])


def parts_of(place: str, text: str) -> Iterator[tuple[str, str]]:
    """Yield every text of a body with its JSON path; of a stream event by event."""
    value = _json(text)
    if value is not None:
        yield from _strings(place, value)
        return
    events = SseParser().feed(text.encode("utf-8", "surrogateescape") + b"\n\n")
    for number, event in enumerate(events, 1):
        data = _json(event.data)
        if data is None:
            yield f"{place}, event {number}", event.data
        else:
            yield from _strings(f"{place}, event {number}, ", data)
    if not events:
        yield place, text


def put_together(place: str, response: RecordedResponse) -> Iterator[tuple[str, str]]:
    """Yield every field of a stream's events with what it says in all of them, one after the other.

    A text that comes in pieces stands in no event, whatever dialect it is: the pieces have one field.
    """
    if not is_stream(response):
        return
    pieces: dict[str, list[str]] = {}
    events = SseParser().feed(response.body + b"\n\n")
    lines = [event.data for event in events] or response.body.decode("utf-8", "surrogateescape").split("\n")
    for line in lines:
        value = _json(line)
        for path, text in _strings("", value) if value is not None else ():
            pieces.setdefault(path.removeprefix("."), []).append(text)
    for path, texts in pieces.items():
        if len(texts) > 1:
            yield f"{place}, {path} of all events together", "".join(texts)


def _strings(place: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield the texts in a JSON value, names of fields included; without recursion, so that any depth will do."""
    waiting: list[tuple[str, Any]] = [(place, value)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, str):
            yield path.removesuffix(", "), value
        elif isinstance(value, dict):
            for name in value:
                yield path.removesuffix(", "), name
            dot = "" if path.endswith(", ") else "."
            waiting += [(f"{path}{dot}{name}", value[name]) for name in reversed(value)]
        elif isinstance(value, list):
            waiting += [(f"{path}[{at}]", value[at]) for at in reversed(range(len(value)))]


def _json(text: str) -> Any:
    if text.lstrip()[:1] not in {"{", "["}:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
