"""What a cassette of vcrpy does not tell of itself: bodies that differ and were not compared, and misses."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from vcr.cassette import Cassette

from llmtest.interception import replay_witness

__all__ = ["CassetteWatch", "is_cassette", "watch"]


@dataclass(slots=True)
class CassetteWatch:
    """What was seen of one cassette while it was in use.

    Args:
        played: Answers that came from it.
        differing: How many of them went to a request whose body is not the recorded one, which was not compared.
        missed: Requests that it had no answer for and could not record, as `POST https://...`.
    """

    played: int = 0
    differing: int = 0
    missed: list[str] = field(default_factory=list)


def is_cassette(value: object) -> bool:
    """Tell whether a value is a cassette of vcrpy."""
    return isinstance(value, Cassette)


def watch(cassette: Any) -> CassetteWatch:
    """Look at what a cassette does from now on; what it does stays as it is.

    Args:
        cassette: A cassette of vcrpy that is in use.
    """
    seen = CassetteWatch()
    compares = _compares_bodies(cassette._match_on)  # noqa: SLF001 - vcrpy has no public name for it
    sent = threading.local()
    filtered, play, filter_request = cassette._before_record_request, cassette.play_response, cassette.filter_request  # noqa: SLF001 - see above

    def before_record_request(request: Any) -> Any:
        sent.request = filtered(request)
        return sent.request

    def play_response(request: Any) -> Any:
        response = play(request)
        seen.played += 1
        _tell(request, response)
        if not compares and _differs(sent.request, _request_of(cassette, response)):
            seen.differing += 1
        return response

    def filter_missed(request: Any) -> Any:
        found = filter_request(request)
        if found and cassette.write_protected:
            seen.missed.append(f"{request.method} {request.uri.partition('?')[0]}")
        return found

    cassette._before_record_request = before_record_request  # noqa: SLF001 - see above
    cassette.play_response = play_response
    cassette.filter_request = filter_missed
    return seen


def _tell(request: Any, response: Any) -> None:
    """Tell whoever keeps account of a played answer, which vcrpy hands over whole."""
    if replay_witness() is None:
        return
    # A suite that only plays needs nothing of what reads answers.
    from llmtest.cassettes._interactions import RecordedRequest, RecordedResponse
    from llmtest.cassettes._replayed import Heard

    status, body = response["status"], response["body"]["string"]
    sent = RecordedRequest(request.method, request.uri, _headers(request.headers), _bytes_of(request.body))
    Heard(sent, RecordedResponse(status["code"], headers=_headers(response["headers"]), body=_bytes_of(body))).end()


def _headers(headers: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, values in headers.items():
        for value in [values] if isinstance(values, str | bytes) else values:
            found.setdefault(str(name), []).append(value.decode("latin-1") if isinstance(value, bytes) else str(value))
    return found


def _bytes_of(body: Any) -> bytes:
    """Return a body; one that comes in pieces is the client's to read, and nobody else's."""
    return body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else b""


def _compares_bodies(matchers: Iterable[Any]) -> bool:
    """Tell whether a matcher looks at bodies: vcrpy's own two, and any that says so by its name."""
    return any("body" in getattr(matcher, "__name__", "").lower() for matcher in matchers)


def _request_of(cassette: Any, response: object) -> Any:
    """Return the recorded request that an answer belongs to."""
    return next((request for request, answer in cassette.data if answer is response), None)


def _differs(sent: Any, recorded: Any) -> bool:
    """Tell whether two bodies mean different things; what comes in pieces is not looked at."""
    if sent is None or recorded is None:
        return False
    one, other = sent.body or b"", recorded.body or b""
    if one == other or not (isinstance(one, bytes) and isinstance(other, bytes)):
        return False
    try:
        return bool(json.loads(one) != json.loads(other))
    except (ValueError, RecursionError):
        # A boundary of a multipart body is new each time.
        return not one.startswith(b"--")
