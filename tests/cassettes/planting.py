"""Secrets of every kind, planted at random places of an exchange: for the tests that look for them afterwards."""

import base64
import gzip
import json
import zlib
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import quote, quote_plus

from hypothesis import strategies as st

from llmtest.cassettes import Interaction, RecordedRequest, RecordedResponse
from llmtest.cassettes._redaction import SECRET_HEADERS
from llmtest.cassettes._shapes import SHAPES

CHAT = "https://api.openai.com/v1/chat/completions"
ENVIRONMENT = {
    "OPENAI_API_KEY": "my-own-proxy-key-123",
    "DB_PASSWORD": 'p"a\\s/s wörd+%4\t1',
    "HF_TOKEN": "ключ-от-дома-17",
    "HOME": "/home/somebody",
}
VALUES = [value for name, value in ENVIRONMENT.items() if name != "HOME"]
EDGES = ["", " ", "\n", "\t", "\b", "\x85", '"', "'", "=", ":", "/", ",", "(", "_", "-", "é", "\\", "%", "\r\n"]
"""What may stand around a credential; a letter or a digit would make it a part of a word."""

HEX = "0123456789abcdef"


@dataclass(frozen=True)
class Secret:
    """A credential as it is planted, and every writing of it that must not be found."""

    kind: str
    planted: str
    forbidden: tuple[str, ...]


def shaped():
    """Make a credential of any known shape."""
    return st.sampled_from(SHAPES).flatmap(
        lambda shape: st.from_regex(shape.pattern, fullmatch=True).map(
            lambda text: Secret(shape.name, text, (text,)),
        )
    )


def schemed():
    """Make what stands in an `Authorization` header."""
    bearer = st.text(HEX, min_size=7, max_size=30).map(lambda text: f"{text}7")
    basic = st.text(HEX, min_size=4, max_size=30).map(lambda text: base64.b64encode(f"user:{text}".encode()).decode())
    return st.one_of(
        st.tuples(st.sampled_from(["Bearer", "bearer"]), bearer), st.tuples(st.sampled_from(["Basic", "BASIC"]), basic)
    ).map(lambda parts: Secret("scheme", " ".join(parts), (parts[1],)))


def from_environment():
    """Make a value of the environment in one of the ways in which it may be written."""

    def writings(value, before):
        in_base64 = base64.b64encode(f"{before}:{value}".encode()).decode()
        in_json = [json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]]
        in_urls = [quote(value, safe=""), quote(value), quote_plus(value), quote(value, safe="").replace("%2F", "%2f")]
        return [value, *in_json, *in_urls, in_base64, in_base64.replace("+", "-").replace("/", "_")]

    return st.builds(writings, st.sampled_from(VALUES), st.sampled_from(["user", "me", "u", ""])).flatmap(
        lambda forms: st.sampled_from(forms).map(lambda planted: Secret("value", planted, (planted, forms[0])))
    )


def secrets():
    """Make a credential of any kind."""
    return shaped() | schemed() | from_environment()


def nested():
    """Make a JSON value with a place in it that says `PLACE`, at any depth, also as the name of a field."""
    other = st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab é\n", max_size=5)
    return st.recursive(
        st.just("PLACE"),
        lambda inner: st.one_of(
            st.builds(lambda value, more: {"messages": value, "n": more}, inner, other),
            st.builds(lambda more, value: [more, value, more], other, inner),
            st.builds(lambda value: {"PLACE": value}, other),
            st.builds(lambda value: {"arguments": json.dumps(value)}, inner),
        ),
        max_leaves=4,
    )


def filled(value, text):
    """Put a text in the place of a JSON value."""
    if isinstance(value, str):
        if value.startswith(("{", "[", '"')) and "PLACE" in value:
            return json.dumps(filled(json.loads(value), text))
        return value.replace("PLACE", text)
    if isinstance(value, dict):
        return {name.replace("PLACE", text): filled(item, text) for name, item in value.items()}
    return [filled(item, text) for item in value] if isinstance(value, list) else value


PLACES = [
    "request header",
    "secret request header",
    "user part",
    "path",
    "query",
    "secret parameter",
    "json body",
    "compressed body",
    "form body",
    "plain body",
    "response header",
    "secret response header",
    "reason",
    "response json",
    "compressed answer",
    "response text",
    "stream",
    "error",
]


@st.composite
def plantings(draw, places=tuple(PLACES)):
    """Make an exchange with a credential in it; returns the exchange, the credential and where it is."""
    secret = draw(secrets())
    place = draw(st.sampled_from(places))
    text = draw(st.sampled_from([*EDGES, "key="])) + secret.planted + draw(st.sampled_from(EDGES))
    in_json = json.dumps(filled(draw(nested()), text), ensure_ascii=draw(st.booleans()))
    interaction = Interaction(
        RecordedRequest("POST", CHAT, {"content-type": ["application/json"]}, b'{"model":"gpt-4o"}'),
        RecordedResponse(200, "OK", {"content-type": ["application/json"]}, b"{}"),
        "2026-01-01T00:00:00Z",
    )
    _plant(interaction, place, text, in_json, draw)
    return interaction, secret, place


def _plant(interaction, place, text, in_json, draw):  # noqa: C901, PLR0912 - one branch for each place
    request, response = interaction.request, interaction.response
    in_url = quote(text, safe=draw(st.sampled_from(["", "/"])))
    line = text.replace("\r", " ").replace("\n", " ")
    name = draw(st.sampled_from(sorted(SECRET_HEADERS)).flatmap(lambda name: st.sampled_from([name, name.title()])))
    cookie = draw(st.text(HEX, min_size=8, max_size=9))
    match place:
        case "request header":
            request.headers["X-Note"] = ["a", line]
        case "secret request header":
            request.headers[name] = [f"{line} {cookie}"]
        case "user part":
            request.uri = CHAT.replace("://", f"://user:{quote(text, safe='')}@")
        case "path":
            request.uri = f"{CHAT}/{in_url}/more"
        case "query":
            request.uri = f"{CHAT}?a=b&note={in_url}&c=d"
        case "secret parameter":
            request.uri = f"{CHAT}?a=b&api_key={in_url}"
        case "json body":
            request.body = in_json.encode()
        case "compressed body":
            request.headers["Content-Encoding"] = ["gzip"]
            request.body = gzip.compress(in_json.encode())
        case "form body":
            request.body = f"a=b&note={quote_plus(text)}&c=d".encode()
        case "plain body":
            request.body = text.encode()
        case "response header":
            response.headers["x-note"] = [line]
        case "secret response header":
            response.headers[name] = ["a", f"{line} {cookie}"]
        case "reason":
            response.reason = line
        case "response json":
            response.body = in_json.encode()
        case "compressed answer":
            response.headers["Content-Encoding"] = ["deflate"]
            response.body = zlib.compress(in_json.encode())
        case "response text":
            response.body = f"first\n{text}\nlast\n".encode()
        case "stream":
            events = ['{"a":1}', in_json, '{"b":2}', "[DONE]"]
            response.body = "".join(f"data: {event}\n\n" for event in events).encode()
            response.chunks = draw(chunks_of(len(response.body)))
        case "error":
            response.error, response.complete = f"ReadError: {line}", False


@st.composite
def chunks_of(draw, length):
    """Cut a body anywhere, inside a credential too."""
    edges = sorted({0, length, *draw(st.lists(st.integers(0, length), max_size=8))})
    return tuple((10 * at, end - start) for at, (start, end) in enumerate(pairwise(edges)))
