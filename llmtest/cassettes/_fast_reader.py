"""Read an interaction as `_writing` lays it out, without a reader of YAML, which takes most of the time of a replay.

Every pattern takes only what means the same in YAML. What somebody edited by hand, an answer that broke, a body that
is no literal block: None, and the caller reads the text as YAML.
"""

from __future__ import annotations

import json
import re
from typing import Final

from llmtest.cassettes._entry import body_of, checked_url
from llmtest.cassettes._interactions import Headers, Interaction, RecordedRequest, RecordedResponse

QUOTED = r"'[^'\n]*'"
LETTERS = "[A-Za-z0-9_./;=+()<>@-]*"
WORD = (
    r"(?!(?i:true|false|yes|no|on|off|y|n|null)[,\]}])"
    rf"(?:[A-Za-z<]|[1-9][A-Za-z0-9.-]*[A-DF-Za-df-z]|\d+\.\d+\.){LETTERS}(?: [A-Za-z0-9<(/]{LETTERS})*"
)
"""What YAML reads as a text though nothing quotes it, inside brackets: no number, no date, no word with a meaning."""
VALUE = re.compile(rf"{QUOTED}|{WORD}")
ROW: Final = re.compile(rf"(?m)^      ([a-z][a-z0-9-]+): \[((?:{QUOTED}|{WORD})(?:, (?:{QUOTED}|{WORD}))*)\]\n")
STYLE = r"[a-z]+(?: indent=\d)?(?: ascii)?"
REQUEST: Final = re.compile(
    rf"- llmtest: \{{key: ([0-9a-f]{{32}})(?:, recorded_at: '([^'\n]*)')?(?:, request_body: ({STYLE}))?"
    rf"(?:, response_body: ({STYLE}))?(?:, head_ms: (\d+))?(?:, chunks: (\[[\d, \[\]]+\]))?\}}\n"
    r"  request:\n    method: ([A-Z]{3,7})\n    uri: (https?://[!-~]+)\n    headers:\n((?:      .+\n)*)    body: "
)
RESPONSE: Final = re.compile(
    rf"    status: \{{code: ([1-9]\d\d), message: (''|{WORD})\}}\n"
    r"    headers:\n((?:      .+\n)*)    body:\n      string: "
)
SHORT = {margin: re.compile(rf"\n(?!{margin}|\n|\Z)") for margin in (" " * 6, " " * 8)}
"""A line that does not reach the margin of its block."""
NO_LINES = re.compile("[\r\x85\u2028\u2029]")
"""What ends a line for a reader of YAML and not here."""


def read_as_written(piece: str, number: int) -> Interaction | None:
    """Return the interaction in the text of one, or None where the text is not just as we write it.

    Args:
        piece: The text, from its `- llmtest:` line on.
        number: Place of the interaction in its file, from 1.
    """
    sent, divider, came = piece.partition("\n  response:\n")
    request, response = REQUEST.match(sent), RESPONSE.match(came)
    if not divider or request is None or response is None or (not piece.isascii() and NO_LINES.search(piece)):
        return None
    if "\r" in piece or request[8].endswith(":"):
        return None
    sent_headers, came_headers = _headers(request[9]), _headers(response[3])
    sent_body = _body(sent[request.end() :] + "\n", "      ")
    came_body = _body(came[response.end() :], "        ")
    if sent_headers is None or came_headers is None or sent_body is None or came_body is None:
        return None
    try:
        return Interaction(
            RecordedRequest(request[7], checked_url(request[8]), sent_headers, body_of(sent_body, request[3])),
            RecordedResponse(
                int(response[1]),
                "" if response[2] == "''" else response[2],
                came_headers,
                body_of(came_body, request[4]),
                tuple((at_ms, length) for at_ms, length in json.loads(request[6])) if request[6] else (),
                head_ms=int(request[5] or 0),
            ),
            request[2],
            request[1],
            number,
        )
    except (ValueError, TypeError):
        return None


def _headers(lines: str) -> Headers | None:
    rows = ROW.findall(lines)
    if len(rows) != lines.count("\n"):
        return None
    return {
        name: [value.strip("'")] if "," not in value else [each.strip("'") for each in VALUE.findall(value)]
        for name, value in rows
    }


def _body(text: str, margin: str) -> str | None:
    """Return the text of a literal block; None where it is anything else."""
    head, _, block = text.partition("\n")
    if head not in {"|-", "|", "|+"}:
        return "" if text == "''\n" else None
    deeper = block[len(margin) : len(margin) + 1].isspace()
    if not block.startswith(margin) or deeper or SHORT[margin].search(block):
        return None
    lines = block[len(margin) :].replace(f"\n{margin}", "\n")
    if head == "|+":
        return lines
    return lines.rstrip("\n") + ("\n" if head == "|" else "")
