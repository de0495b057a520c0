"""Whether a person can review a body as it stands in the file."""

from __future__ import annotations

from collections.abc import Iterator

from llmtest.cassettes._body import pretty
from llmtest.cassettes._compression import decompressed
from llmtest.cassettes._interactions import Interaction, RecordedResponse
from llmtest.cassettes._reading import is_stream, text_of
from llmtest.cassettes.review._layout import Key, Layout, Scalar

NO_TEXT = ("application/octet-stream", "application/pdf", "application/zip", "audio/", "font/", "image/", "video/")
"""Kinds of content that are no text in any file."""

WHOLE = "Record it again with llmtest, which keeps the text."
PRETTY = "Record it again with llmtest, which writes one field a line."
LINES = "Record it again with llmtest, which keeps the lines."
EVENTS = "Record it again with llmtest, which writes one event a line."


def illegible(
    interaction: Interaction, position: int, layout: Layout, longest_line: int
) -> Iterator[tuple[str, tuple[Key, ...], str, str]]:
    """Yield `(place, keys, what is wrong, how to mend it)` of each body that nobody can review."""
    request, response = interaction.request, interaction.response
    for place, keys, part in (
        ("request.body", ("request", "body"), RecordedResponse(0, "", request.headers, request.body)),
        ("response.body", ("response", "body", "string"), response),
        ("response.body", ("response", "content"), response),
    ):
        scalar = layout.scalar(position, *keys)
        if scalar is not None and part.body:
            for what, fix in _judge(scalar, part, longest_line):
                yield place, keys, f"`{place}` of interaction {position + 1} {what}", fix


def _judge(scalar: Scalar, part: RecordedResponse, longest_line: int) -> Iterator[tuple[str, str]]:
    if text_of(part.body) is None:
        coding = part.header("content-encoding")
        if text_of(decompressed(part).body) is not None:
            yield f"is compressed ({coding})", WHOLE
        elif not (part.header("content-type") or "").startswith((*NO_TEXT, "multipart/")):
            yield "is no text", WHOLE
        return
    if scalar.binary:
        yield "is written as base64", WHOLE
        return
    text = scalar.value.strip()
    if "\n" not in text and len(text) > longest_line and pretty(text) is not None:
        yield f"is JSON on one line of {len(text):,} characters", PRETTY
    elif not scalar.literal and "\n" in text:
        lines = text.count("\n") + 1
        if is_stream(part):
            yield f"is a stream of {lines:,} lines in one escaped text", EVENTS
        elif len(text) > longest_line:
            yield f"is a text of {lines:,} lines in one escaped one", LINES
