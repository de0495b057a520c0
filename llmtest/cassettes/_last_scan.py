"""The last look before a save: what redaction should have left nowhere, and what it cannot reach."""

from __future__ import annotations

from llmtest.cassettes._credentials import parts_of, put_together
from llmtest.cassettes._interactions import Headers, Interaction
from llmtest.cassettes._redaction import Redactor


def first_leak(interaction: Interaction, redactor: Redactor) -> tuple[str, str] | None:
    """Return the field and the kind of the first credential that an interaction still holds, or None.

    A value of the environment that a stream brings in pieces, one to an event, stands in no text that could be
    replaced; it is found in what the events say together. A mere shape in pieces is not looked for: models write
    examples of keys, and a session with one should be kept.
    """
    request, response = interaction.request, interaction.response
    finding = redactor.find(request.uri)
    if finding is not None or redactor.url(request.uri) != request.uri:
        return "request.uri", finding.kind if finding is not None else "by its name"
    return (
        _in_headers("request", request.headers, redactor)
        or _in_body("request", request.body, redactor)
        or _in_headers("response", response.headers, redactor)
        or _in_body("response", response.body, redactor)
        or _in_pieces(interaction, redactor)
    )


def _in_headers(side: str, headers: Headers, redactor: Redactor) -> tuple[str, str] | None:
    for name, values in headers.items():
        for value in values:
            finding = redactor.find(value)
            if finding is not None:
                return f"{side}.headers.{name}", finding.kind
            if redactor.header(name, value) != value:
                return f"{side}.headers.{name}", "by its name"
    return None


def _in_body(side: str, body: bytes, redactor: Redactor) -> tuple[str, str] | None:
    text = body.decode("utf-8", "surrogateescape")
    whole = redactor.find(text)
    if whole is None:
        return None
    for place, part in parts_of(f"{side}.body", text):
        finding = redactor.find(part)
        if finding is not None:
            return redactor.text(place), finding.kind
    return f"{side}.body", whole.kind


def _in_pieces(interaction: Interaction, redactor: Redactor) -> tuple[str, str] | None:
    for place, text in put_together("response.body", interaction.response):
        name = redactor.variable_in(text)
        if name is not None:
            return redactor.text(place), name
    return None
