"""What a recorded exchange says: its dialect, the question, the answer; read by the endpoints of live traffic."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from llmtest.cassettes._interactions import Headers, Interaction, RecordedRequest, RecordedResponse
from llmtest.errors import InvalidResponseError, LLMTestError, ProviderError, StreamInterruptedError
from llmtest.types import (
    UNKNOWN_USAGE,
    CompletionRequest,
    CompletionResponse,
    EmbeddingRequest,
    ImagePart,
    TextPart,
    ToolCall,
)
from llmtest.wire import (
    FRAMINGS,
    Endpoint,
    Match,
    WireCall,
    WireFormatError,
    common_dialect,
    dialects,
    marked_by,
    owner_of,
)

ANY_TIME = datetime(2026, 1, 1, tzinfo=UTC)
"""When an error is read; its text does not depend on it."""

STREAM_STARTS = tuple(start for framing in FRAMINGS for start in framing.starts)
STREAM_KINDS = tuple(framing.content_type.partition(";")[0] for framing in FRAMINGS)
BROKEN_STREAM = {
    "truncated": "the stream ends without its terminator",
    "malformed": "an event of the stream cannot be read",
    "error": "the stream ends with an error of the provider",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """What one exchange says.

    Args:
        dialect: The API, `other` where none of ours reads it.
        operation: What was asked for: `chat`, `embeddings`, `count_tokens`, `models`, ...; empty where it is unknown.
        model: The model that was asked for.
        prompt: The last message of the user, or what there is instead.
        answer: What came back, in one text; None where there is nothing to show.
        tokens: Tokens in and out; None where the answer does not say.
        problem: Why the answer cannot be read; empty where it can.
    """

    dialect: str = "other"
    operation: str = ""
    model: str | None = None
    prompt: str | None = None
    answer: str | None = None
    tokens: tuple[int, int] | None = None
    problem: str = ""


def is_stream(response: RecordedResponse) -> bool:
    """Tell whether an answer came as a stream of events or of JSON lines."""
    kind = response.header("content-type") or ""
    started = response.body.lstrip()[:16].startswith(STREAM_STARTS)
    return bool(response.chunks) or started or any(word in kind for word in STREAM_KINDS)


def text_of(body: bytes) -> str | None:
    """Return a body as text; None where it is none."""
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return None


def one_line(text: str) -> str:
    """Return a text as it may stand in one line of a terminal: no line breaks, and nothing that steers it."""
    return "".join(letter if letter.isprintable() else "�" for letter in " ".join(text.split()))


def spoken_to(request: RecordedRequest) -> Match | None:
    """Return whom a request speaks to, and what it asks for; None where nobody here reads it."""
    path = urlsplit(request.uri).path
    headers = flat(request.headers)
    candidates = (owner_of(request.uri), marked_by(headers), *dialects().values())
    for place, dialect in enumerate(candidates):
        if dialect is None or not dialect.endpoints:
            continue
        found = dialect.match(request.method.upper(), path, anywhere=True)
        # Whose the host is says most, where its API has such a request at all; a recording may lack a part of it.
        if found.endpoint is not None and (place or called(found, request) is not None):
            return found
    return None


def read(interaction: Interaction) -> Reading:
    """Read one exchange; its body is decompressed already.

    Texts of the reading come out of the bodies: redact them first.
    """
    request, response = interaction.request, interaction.response
    match = spoken_to(request)
    sent = json_of(request.body)
    if match is None or match.endpoint is None:
        return _read_other(request, response, sent)
    endpoint = match.endpoint
    dialect, operation = endpoint.dialect.name, endpoint.operation
    call = called(match, request)
    model = call.model if call is not None else match.parameters.get("model") or model_in(sent)
    prompt = _prompt(call.request) if call is not None else text_of(request.body)
    if response.status >= 400:
        failure = endpoint.decode_error(response.status, flat(response.headers), response.body, now=ANY_TIME)
        return Reading(dialect, operation, model, prompt, failure.message)
    if endpoint.gives == "completion" and endpoint.has("stream_decoder" if is_stream(response) else "decode_answer"):
        answer, problem = answered(reader_of(endpoint, request), response)
        if answer is None:
            return Reading(dialect, operation, model, prompt, tokens=tokens_in(json_of(response.body)), problem=problem)
        usage = answer.usage
        tokens = None if usage.source == "unknown" else (usage.input_tokens, usage.output_tokens)
        return Reading(dialect, operation, model or answer.model, prompt, _said(answer), tokens, problem)
    came = json_of(response.body)
    problem = "" if isinstance(came, dict) else "the answer is no JSON object"
    answer_text = _vectors(came) if endpoint.gives == "embeddings" else text_of(response.body)
    return Reading(dialect, operation, model, prompt, answer_text, tokens_in(came), problem)


def _read_other(request: RecordedRequest, response: RecordedResponse, sent: Any) -> Reading:
    came = json_of(response.body)
    kind = response.header("content-type") or ""
    wrong = response.body.strip() and came is None and kind.partition(";")[0].strip().endswith("/json")
    return Reading(
        model=model_in(sent),
        prompt=text_of(request.body) or None,
        answer=text_of(response.body) or None,
        tokens=tokens_in(came),
        problem="the answer says that it is JSON and is not" if wrong and response.status < 400 else "",
    )


def called(match: Match, request: RecordedRequest) -> WireCall | None:
    """Read a request by the endpoint that it was sent to; None where that would refuse it."""
    endpoint, parameters = match.endpoint, match.parameters
    if endpoint is None:
        return None
    if endpoint.reads_query:
        parameters = endpoint.with_query(parameters, urlsplit(request.uri).query)
    try:
        return endpoint.read(flat(request.headers), request.body, parameters)
    except (WireFormatError, LLMTestError):
        return None  # somebody recorded how a provider refuses it


def reader_of(endpoint: Endpoint, request: RecordedRequest) -> Endpoint:
    """Return the endpoint that reads an answer: the common one where somebody else than its dialect's owner gave it."""
    own = any(urlsplit(host).hostname == urlsplit(request.uri).hostname for host in endpoint.dialect.hosts)
    if own or not endpoint.dialect.is_default:
        return endpoint
    return next((each for each in common_dialect().endpoints if each.operation == endpoint.operation), endpoint)


def answered(endpoint: Endpoint, response: RecordedResponse) -> tuple[CompletionResponse | None, str]:
    """Return the answer of a chat, and what is wrong with it; an answer that broke off is what had come of it."""
    headers = flat(response.headers)
    try:
        if not is_stream(response):
            return endpoint.decode_answer(response.body, headers), ""
        decoder = endpoint.stream_decoder(headers)
        decoder.feed(response.body)
        return decoder.close()[-1].response, ""
    except StreamInterruptedError as error:
        parts = (TextPart(error.partial_text),) if error.partial_text else ()
        expected = error.kind == "truncated" and not response.complete
        problem = "" if expected else BROKEN_STREAM.get(error.kind, "the stream breaks off")
        return CompletionResponse(parts=parts, usage=error.partial_usage or UNKNOWN_USAGE), problem
    except InvalidResponseError as error:
        return None, re.split(r": | \(", str(error))[0]
    except ProviderError:
        return None, "the answer is an error, and its status says that it is none"


def _prompt(request: CompletionRequest | EmbeddingRequest | None) -> str | None:
    if isinstance(request, EmbeddingRequest):
        first = request.inputs[0] if request.inputs else ""
        text = first if isinstance(first, str) else f"{len(first)} tokens"
        return text + (f" (and {len(request.inputs) - 1} more)" if len(request.inputs) > 1 else "")
    if request is None:
        return None
    asked = [message for message in request.messages if message.role == "user"]
    if not asked:
        return None
    content = asked[-1].content
    images = sum(isinstance(part, ImagePart) for part in content) if isinstance(content, tuple) else 0
    shown = [asked[-1].text] if asked[-1].text else []
    return " ".join(shown + ["[image]"] * images) or None


def _said(answer: CompletionResponse) -> str | None:
    calls = [f"{call.name}({call.arguments})" for call in answer.parts if isinstance(call, ToolCall)]
    spoken = [text for text in (answer.content, answer.refusal) if text]
    return " ".join(spoken + calls) or answer.thinking


def _vectors(came: Any) -> str | None:
    rows = came.get("data") if isinstance(came, dict) else None
    if not isinstance(rows, list) or not rows or not isinstance(rows[0], dict):
        return None
    vector: Any = rows[0].get("embedding")
    try:
        size = len(base64.b64decode(vector)) // 4 if isinstance(vector, str) else len(vector)
    except (TypeError, ValueError):
        return None
    return f"{len(rows)} vector{'s' if len(rows) > 1 else ''} of {size} numbers"


def tokens_in(came: Any) -> tuple[int, int] | None:
    """Return the tokens in and out that a JSON answer of any API says; None where it does not."""
    usage = came.get("usage") if isinstance(came, dict) else None
    if not isinstance(usage, dict):
        return None
    counted = [
        next((usage[name] for name in names if isinstance(usage.get(name), int)), None)
        for names in (("input_tokens", "prompt_tokens"), ("output_tokens", "completion_tokens"))
    ]
    return None if counted[0] is None else (counted[0], counted[1] or 0)


def model_in(sent: Any) -> str | None:
    """Return the model that the JSON of a request or an answer names."""
    model = sent.get("model") if isinstance(sent, dict) else None
    return model if isinstance(model, str) else None


def json_of(body: bytes) -> Any:
    """Return what a body says in JSON; None where it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def flat(headers: Headers) -> dict[str, str]:
    """Return headers as endpoints take them: small letters, the first value of each."""
    return {name.lower(): values[0] for name, values in headers.items() if values}


def is_last_heard(request: RecordedRequest, body: bytes) -> bool:
    """Tell whether a streamed body holds the event after which its client stops listening."""
    match = spoken_to(request)
    if match is None or match.endpoint is None or not match.endpoint.has("stream_decoder"):
        return False
    decoder = match.endpoint.stream_decoder()
    try:
        decoder.feed(body)
        decoder.feed(b"")
    except StreamInterruptedError as error:
        return error.kind == "error"
    except ProviderError:
        return False
    return decoder.done
