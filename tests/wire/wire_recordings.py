"""Reading of the recorded traffic beside the repository, in every form in which a cassette may hold a body."""

import base64
import gzip
import json
import zlib
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

RECORDINGS = Path(__file__).parents[2].parent / "shared" / "recordings"

needs_recordings = pytest.mark.skipif(
    not RECORDINGS.is_dir(), reason="needs the recorded traffic in ../shared/recordings, which is not there"
)


@dataclass(frozen=True)
class Interaction:
    """One recorded request and its answer; `wire` is the body as sent, `body` the same without its compression."""

    file: str
    number: int
    dialect: str
    path: str
    status: int
    headers: dict[str, str]
    request: dict
    wire: bytes
    body: bytes
    query: str = ""

    @property
    def streamed(self) -> bool:
        """Whether the answer is a stream."""
        return self.body.lstrip()[:5] in {b"data:", b"event"} or self.body.startswith(b": ")

    def __str__(self):
        return f"{self.file}#{self.number}"


def body_of(part) -> bytes:
    """Return the bytes of a recorded body, whichever of the known forms it has."""
    body = part.get("body")
    if "parsed_body" in part:
        return json.dumps(part["parsed_body"]).encode()
    if isinstance(body, dict):
        if "base64_string" in body:
            return base64.b64decode(body["base64_string"])
        body = body.get("string")
    if body is None:
        return b""
    return body.encode() if isinstance(body, str) else bytes(body)


def unpacked(wire: bytes, encoding: str) -> bytes:
    """Undo the compression of a body; one that a recorder has already undone is left alone."""
    if encoding == "gzip" and wire[:2] == b"\x1f\x8b":
        return gzip.decompress(wire)
    if encoding == "deflate":
        return zlib.decompress(wire)
    return wire


def dialect_of(path: str) -> str | None:
    """Tell by the path who is spoken to."""
    if path.endswith(("/chat/completions", "/v1/responses")):
        return "openai"
    return "anthropic" if path.endswith("/v1/messages") else None


def interactions() -> tuple[Interaction, ...]:
    """Return every recorded chat completion and message."""
    return tuple(one for one in all_interactions() if not one.path.endswith("/responses"))


def responses() -> tuple[Interaction, ...]:
    """Return every recorded response of OpenAI's."""
    return tuple(one for one in all_interactions() if one.path.endswith("/responses"))


@cache
def all_interactions() -> tuple[Interaction, ...]:
    """Return every recorded interaction of the APIs that can be read."""
    return tuple(one for _, one in everything() if one.dialect != "")


def at_host(host: str, dialect: str) -> tuple[Interaction, ...]:
    """Return every recorded interaction with a host, or with any below a domain (`.example.org`), as of a dialect."""
    found = ((urlsplit(url), one) for url, one in everything())
    return tuple(
        replace(one, dialect=dialect, path=url.path, query=url.query)
        for url, one in found
        if url.hostname == host or (host.startswith(".") and (url.hostname or "").endswith(host))
    )


@cache
def everything() -> tuple[tuple[str, Interaction], ...]:
    """Return every recorded interaction with its URL; the dialect is empty where the path does not tell it."""
    found = []
    for file in sorted(RECORDINGS.rglob("*.yaml")):
        cassette = yaml.load(file.read_text(), yaml.CSafeLoader)
        for number, one in enumerate(cassette.get("interactions", ())):
            path = urlsplit(one["request"]["uri"]).path
            response = one["response"]
            headers = {name.lower(): values[0] for name, values in response["headers"].items()}
            wire = body_of(response)
            body = unpacked(wire, headers.get("content-encoding", ""))
            if body is wire:
                headers.pop("content-encoding", None)
            headers.pop("transfer-encoding", None)
            headers.pop("content-length", None)
            read = Interaction(
                str(file.relative_to(RECORDINGS)),
                number,
                dialect_of(path) or "",
                path,
                response["status"]["code"],
                headers,
                asked_of(one["request"]),
                wire,
                body,
            )
            found.append((one["request"]["uri"], read))
    return tuple(found)


def asked_of(request):
    """Return the JSON of a recorded request; empty where it has none, as a form or a question without a body."""
    try:
        return json.loads(body_of(request))
    except ValueError:
        return {}
