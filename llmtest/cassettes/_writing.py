"""The file, written so that a person reads it and unmodified vcrpy replays it.

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
    version: 1

vcrpy ignores the `llmtest` line. What several bodies have in common is written once; see `_large_texts`. The last line
tells a whole file from one that was cut short.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from llmtest.cassettes._body import pretty
from llmtest.cassettes._interactions import Headers, Interaction
from llmtest.cassettes._large_texts import LargeTexts
from llmtest.cassettes._matching import MatchRule, RequestView
from llmtest.cassettes._yaml import Flow, Row, dump

ENDING = "version: 1\n"
"""The last line of every file."""

NO_BLOCK = re.compile("[^\n\t\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
"""What cannot stand in a literal block as it is."""


Written = tuple[str | bytes, str | None]
"""A body as it is written, and how its JSON was formatted."""

LINE_ENDS = re.compile("[\u2028\u2029]")
"""What else ends a line for a reader of YAML, which takes off the margin behind it."""


def write_document(interactions: Iterable[Interaction]) -> str:
    """Write interactions as the text of a cassette."""
    interactions = list(interactions)
    bodies = [(_body_as_text(each.request.body), _body_as_text(each.response.body)) for each in interactions]
    large = LargeTexts((sent[0], came[0]) for sent, came in bodies)
    pieces = [_written(*each, large) for each in zip(interactions, bodies, strict=True)]
    return ("interactions:\n" + "".join(pieces) if pieces else "interactions: []\n") + large.ending() + ENDING


def hints_of(interaction: Interaction, request_style: str | None = None, response_style: str | None = None) -> Flow:
    """Return what the `llmtest` line of an interaction says.

    Args:
        interaction: The interaction.
        request_style: How the JSON of its request was formatted, where its file has it in another form.
        response_style: The same of its answer.
    """
    request, response = interaction.request, interaction.response
    view = RequestView.of(request.method, request.uri, request.body)
    hints = Flow(key=view.key(MatchRule()))
    if interaction.recorded_at:
        hints["recorded_at"] = interaction.recorded_at
    if request_style:
        hints["request_body"] = request_style
    if response_style:
        hints["response_body"] = response_style
    if response.head_ms:
        hints["head_ms"] = response.head_ms
    if response.chunks:
        hints["chunks"] = Row(Row(chunk) for chunk in response.chunks)
    if not response.complete:
        hints["complete"] = False
    if response.error:
        hints["error"] = response.error
    if interaction.matches is not None:
        hints["matches"] = Flow(interaction.matches)
    return hints


def _written(interaction: Interaction, bodies: tuple[Written, Written], large: LargeTexts) -> str:
    request, response = interaction.request, interaction.response
    (request_body, request_style), (response_body, response_style) = bodies
    short = large.shortened(request_body) if isinstance(request_body, str) else request_body
    hints = hints_of(interaction, request_style, response_style)
    sent = {"method": request.method, "uri": request.uri, "headers": _rows(request.headers)}
    status = Flow(code=response.status, message=response.reason)
    came = {"response": {"status": status, "headers": _rows(response.headers)}}
    return (
        dump([{"llmtest": hints, "request": sent}])
        + large.placed(0, request_body, "body", _body(("body",), short))
        + f"  {dump([came])[2:]}"
        + large.placed(1, response_body, "string", _body(("body", "string"), response_body))
    )


def _rows(headers: Headers) -> dict[str, Row]:
    return {name: Row(values) for name, values in headers.items()}


def _body_as_text(body: bytes) -> Written:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return body, None
    written = pretty(text)
    return (text, None) if written is None else (written[0], written[1].as_hint())


def _body(names: tuple[str, ...], body: str | bytes) -> str:
    """Write a body under its name: text of several lines as a literal block, which libyaml refuses to any emoji."""
    block = _block(body, " " * (2 * len(names) + 4)) if isinstance(body, str) else None
    if block is not None:
        return "".join(f"{'  ' * depth}{name}:\n" for depth, name in enumerate(names, 2))[:-1] + f" {block}"
    value: Any = body
    for name in reversed(("message", *names)):
        value = {name: value}
    return dump([value]).partition("\n")[2]


def _block(text: str, margin: str) -> str | None:
    body = text.rstrip("\n")
    if "\n" not in text or not body or NO_BLOCK.search(text):
        return None
    newlines = len(text) - len(body)
    explicit = "2" if body[0] in " \t\n" else ""  # a reader takes the margin from the first line
    chomping = ("-", "")[newlines] if newlines < 2 else "+"
    body = LINE_ENDS.sub(rf"\g<0>{margin}", body)
    lines = "".join(f"{margin}{line}\n" if line else "\n" for line in body.split("\n"))
    return f"|{explicit}{chomping}\n{lines}" + "\n" * (newlines - 1)
