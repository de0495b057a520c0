"""What is in a cassette: each interaction in the few facts by which a person knows it again.

Pure functions over a `Document`. Every text is redacted before it is cut, so that neither a credential that somebody
else's recorder kept nor a piece of one can be shown.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from llmtest.cassettes._document import Document
from llmtest.cassettes._entry import InteractionError
from llmtest.cassettes._interactions import Interaction, RecordedRequest, RecordedResponse
from llmtest.cassettes._reading import is_stream, one_line, read, text_of
from llmtest.cassettes._redaction import Redactor
from llmtest.cassettes._saving import redact_interaction
from llmtest.cassettes._times import dates_of, recorded_time
from llmtest.wire import SseParser

EXCERPT = 240
"""Characters of a prompt or an answer that are kept to be shown."""


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """How an answer was streamed.

    Args:
        events: Server-sent events, or lines of JSON.
        chunks: Pieces in which it came; None where the file does not say.
        first_s: Seconds from the request to the first piece; None where the file does not say.
        total_s: Seconds from the request to the last piece.
        complete: Whether it was heard to its end.
    """

    events: int
    chunks: int | None = None
    first_s: float | None = None
    total_s: float | None = None
    complete: bool = True


@dataclass(frozen=True, slots=True)
class InteractionFacts:
    """One interaction.

    Args:
        number: Its place in the file, from 1.
        dialect: `openai`, `anthropic` or `other`; empty where the interaction cannot be read.
        operation: `chat`, `messages`, `embeddings`, `models`, `count_tokens`; empty where it is unknown.
        method: Method of the request.
        url: Where it went, without its query.
        status: Status of the answer.
        recorded_at: When it was recorded, as the file says it; None where it does not.
        model: The model that was asked for.
        stream: How the answer was streamed; None where it came whole.
        prompt: Beginning of the last message of the user, or of the body.
        answer: Beginning of the answer.
        head_s: Seconds from the request to the head of the answer; None where the file does not say.
        input_tokens: Tokens of the prompt; None where the answer does not say.
        output_tokens: Tokens of the answer.
        error: How the connection broke, or why the interaction cannot be read; empty where all is well.
    """

    number: int
    dialect: str = ""
    operation: str = ""
    method: str = ""
    url: str = ""
    status: int = 0
    recorded_at: str | None = None
    model: str | None = None
    stream: StreamFacts | None = None
    prompt: str | None = None
    answer: str | None = None
    head_s: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class CassetteFacts:
    """One cassette.

    Args:
        path: The file.
        size: Its size in bytes.
        interactions: What is in it, in order.
        oldest: When the first of its interactions was recorded; None where none of them says.
        newest: When the last of them was.
        dated: The newest `Date` header of its answers: all there is to go by in files that do not say.
    """

    path: str
    size: int
    interactions: tuple[InteractionFacts, ...]
    oldest: datetime | None = None
    newest: datetime | None = None
    dated: datetime | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the facts as JSON has them."""
        facts = asdict(self)
        for name in ("oldest", "newest", "dated"):
            facts[name] = None if facts[name] is None else facts[name].isoformat().replace("+00:00", "Z")
        count = len(self.interactions)
        return {"path": facts.pop("path"), "size": facts.pop("size"), "count": count, **facts}


def inspect_cassette(document: Document, size: int, redactor: Redactor) -> CassetteFacts:
    """Return what is in a cassette.

    Args:
        document: The cassette.
        size: Size of its file in bytes.
        redactor: What is never shown.
    """
    found: list[InteractionFacts] = []
    times: list[datetime] = []
    dates: list[datetime] = []
    for position in range(len(document)):
        try:
            interaction = document[position]
        except InteractionError as error:
            reason = str(error).removeprefix(f"{document.path}: ")
            found.append(InteractionFacts(position + 1, error=one_line(redactor.text(reason))))
            continue
        found.append(inspect_interaction(interaction, position + 1, redactor))
        times += [time for time in [recorded_time(interaction)] if time is not None]
        dates += dates_of(interaction)
    return CassetteFacts(
        document.path,
        size,
        tuple(found),
        min(times, default=None),
        max(times, default=None),
        max(dates, default=None),
    )


def inspect_interaction(interaction: Interaction, number: int, redactor: Redactor) -> InteractionFacts:
    """Return the facts of one interaction."""
    kept = redact_interaction(interaction, redactor)
    reading = read(kept)
    url = urlsplit(kept.request.uri)
    tokens = reading.tokens or (None, None)
    return InteractionFacts(
        number=number,
        dialect=reading.dialect,
        operation=reading.operation,
        method=one_line(redactor.text(kept.request.method)),
        url=one_line(f"{url.netloc}{url.path}" or kept.request.uri),
        status=kept.response.status,
        recorded_at=None if interaction.recorded_at is None else one_line(redactor.text(str(interaction.recorded_at))),
        model=None if reading.model is None else one_line(reading.model),
        stream=_stream(kept.response) if is_stream(kept.response) else None,
        prompt=_excerpt(reading.prompt, kept.request, redactor),
        answer=_excerpt(reading.answer, kept.response, redactor),
        head_s=kept.response.head_ms / 1000 if kept.response.head_ms else None,
        input_tokens=tokens[0],
        output_tokens=tokens[1],
        error=one_line(kept.response.error or reading.problem),
    )


def _stream(response: RecordedResponse) -> StreamFacts:
    body = response.body
    # The blank line ends an event that was cut short, so that it counts.
    events = len(SseParser().feed(body + b"\n\n"))
    if not events:
        events = sum(bool(line.strip()) for line in body.splitlines())
    complete = response.complete and not response.error
    if not response.chunks:
        return StreamFacts(events, complete=complete)
    first, last = (response.head_ms + response.chunks[at][0] for at in (0, -1))
    return StreamFacts(events, len(response.chunks), first / 1000, last / 1000, complete)


def _excerpt(text: str | None, part: RecordedRequest | RecordedResponse, redactor: Redactor) -> str | None:
    """Return the beginning of a text on one line; of a body that is none, what it is."""
    if text_of(part.body) is None:
        coding = next((values[0] for name, values in part.headers.items() if name.lower() == "content-encoding"), "")
        return f"[{len(part.body):,} bytes that are no text{f', compressed: {coding}' if coding else ''}]"
    if not text:
        return None
    line = one_line(redactor.text(text))
    return line if len(line) <= EXCERPT else line[: EXCERPT - 1] + "…"
