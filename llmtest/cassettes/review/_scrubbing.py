"""Credentials taken out of a file that is there already: in place, at once, in the form that it has."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from llmtest.cassettes._compression import decompressed, plain_request
from llmtest.cassettes._credentials import exposures
from llmtest.cassettes._document import Document
from llmtest.cassettes._interactions import Interaction
from llmtest.cassettes._redaction import Redactor
from llmtest.cassettes._saving import redact_interaction
from llmtest.cassettes.review._rewriting import rewrite


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """What came of scrubbing one file.

    Args:
        path: The file.
        interactions: How many interactions it has.
        places: The fields from which something was taken, each with the number of its interaction.
    """

    path: str
    interactions: int
    places: tuple[tuple[int, str, str], ...]

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON has it; no credential is in it."""
        places = [{"interaction": number, "place": place, "kind": kind} for number, place, kind in self.places]
        return {"path": self.path, "interactions": self.interactions, "scrubbed": places}


def scrub_cassette(document: Document, text: str, redactor: Redactor, *, write: bool = True) -> Scrubbed:
    """Take the credentials out of a cassette, and write it in its place.

    A file that holds none, or placeholders alone, is not touched. What vcrpy wrote stays as vcrpy writes it, keys and
    metadata of others included; what has parsed bodies keeps them.

    Args:
        document: The cassette.
        text: The text of its file.
        redactor: What is a credential, own patterns included.
        write: Whether to write it; otherwise only what would be done is told.

    Raises:
        CassetteFileError: It cannot be written, or it is the file of a tool whose form is not written here.
    """
    interactions = [document[position] for position in range(len(document))]
    places: list[tuple[int, str, str]] = []
    scrubbed: list[Interaction] = []
    for number, interaction in enumerate(interactions, 1):
        plain = replace(
            interaction, request=plain_request(interaction.request), response=decompressed(interaction.response)
        )
        found = {(redactor.text(each.place), each.kind): None for each in exposures(plain, redactor)}
        places += [(number, place, kind) for place, kind in found]
        scrubbed.append(redact_interaction(interaction, redactor) if found else interaction)
    if places and write:
        changed = {number for number, _, _ in places}

        def put(entries: list[Any]) -> None:
            for number in changed:
                _put(entries[number - 1], scrubbed[number - 1])

        rewrite(document, text, scrubbed, put, redactor, done="scrubbed", advice="scrub what it writes")
    return Scrubbed(document.path, len(document), tuple(places))


def _put(entry: Any, scrubbed: Interaction) -> None:
    """Put what was scrubbed into an entry of vcrpy, whatever else it has."""
    request, response = entry["request"], entry["response"]
    request["uri"] = scrubbed.request.uri
    request["headers"] = {name: list(values) for name, values in scrubbed.request.headers.items()}
    if request.get("body") is not None:
        request["body"] = _as_text(scrubbed.request.body)
    response["headers"] = {name: list(values) for name, values in scrubbed.response.headers.items()}
    body = _as_text(scrubbed.response.body)
    if "content" in response:
        response["content"] = body
    elif isinstance(response.get("body"), dict):
        response["body"].pop("base64_string", None)
        response["body"]["string"] = body
    if isinstance(response.get("status"), dict) and scrubbed.response.reason:
        response["status"]["message"] = scrubbed.response.reason


def _as_text(body: bytes) -> str | bytes:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return body
