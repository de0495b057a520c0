"""Legacy completions: the answer, whole and streamed, between JSON and types."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llmtest.errors import EmptyResponseError, InvalidResponseError, ProviderError, SimulationStateError
from llmtest.types import CompletionResponse, FinishReason, StreamEvent, TextPart, TokenLogprob
from llmtest.wire import _ids
from llmtest.wire._json import count, dump_text, loads
from llmtest.wire._logprobs import with_logprobs
from llmtest.wire._records import ResponseMeta, WireCall
from llmtest.wire.framing._event_decoder import EventDecoder
from llmtest.wire.framing._sse import ServerSentEvent, frame
from llmtest.wire.framing._words import words
from llmtest.wire.openai.chat._usage import decode_usage, encode_usage
from llmtest.wire.openai.completions._request import DIALECT, prompts_of

__all__ = ["CompletionsStreamDecoder", "body_of", "decode_body", "encode_stream"]

FINISH = {
    "stop": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "content_filter": FinishReason.CONTENT_FILTER,
}
_WORDS = {reason: word for word, reason in FINISH.items()} | {FinishReason.REFUSAL: "stop"}
_MODELLED = frozenset({"id", "object", "model", "choices", "usage"})
DONE = b"data: [DONE]\n\n"


def _text(response: CompletionResponse) -> str:
    """Return what an answer says.

    Raises:
        SimulationStateError: It says more than a text: the test has a script for another endpoint.
    """
    if response.finish_reason is FinishReason.TOOL_USE:
        raise SimulationStateError(
            "a legacy completion is a text and calls no tool, and the script answers POST /v1/completions by a tool "
            "call.\n\n"
            'To fix: answer it by a text, llm_sim.openai.on("POST", "/v1/completions").replies("...")'
        )
    return "".join(part.text for part in response.parts if isinstance(part, TextPart))


def _said(response: CompletionResponse, asked: Mapping[str, Any]) -> list[CompletionResponse]:
    """Return the answers that are sent: of `best_of` for each prompt the first `n`."""
    every = [response, *response.alternatives]
    wanted = asked.get("n") or 1
    made = max(asked.get("best_of") or 1, wanted)
    return [each for place, each in enumerate(every) if place % made < wanted]


def _choices(response: CompletionResponse, asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    prompts, wanted = prompts_of(asked), asked.get("n") or 1
    found = []
    for index, said in enumerate(_said(response, asked)):
        before = prompts[index // wanted] if asked.get("echo") is True else ""
        found.append(
            {
                "text": before + _text(said),
                "index": index,
                "logprobs": None if asked.get("logprobs") is None else _logprobs(said, asked["logprobs"], before),
                "finish_reason": _WORDS.get(said.finish_reason, "stop") if said.finish_reason else "stop",
            }
        )
    return found


def _logprobs(response: CompletionResponse, top: int, before: str) -> dict[str, Any]:
    """Return how likely the words of an answer were; of the first of a prompt nobody knows."""
    told: list[TokenLogprob] = []
    for text in (before, _text(response)):
        made = with_logprobs(CompletionResponse(parts=(TextPart(text),)), top)
        told += [token for part in made.parts if isinstance(part, TextPart) for token in part.logprobs]
    place, offsets = 0, []
    for token in told:
        offsets.append(place)
        place += len(token.token)
    first = bool(before)
    return {
        "tokens": [token.token for token in told],
        "token_logprobs": [None if first and not at else token.logprob for at, token in enumerate(told)],
        "top_logprobs": [{each.token: each.logprob for each in token.top} for token in told] if top else None,
        "text_offset": offsets,
    }


def _head(response: CompletionResponse, call: WireCall, meta: ResponseMeta) -> dict[str, Any]:
    is_openai = bool(call.endpoint.dialect.settings.get("is_openai"))
    return {
        "id": response.id if response.id is not None else "cmpl-" + _ids.letters(meta.number or 0, 29),
        "object": "text_completion",
        "created": meta.created_s,
        "model": response.model if response.model is not None else meta.model,
        **({"system_fingerprint": "fp_llmtest"} if is_openai else {}),
    }


def _usage(response: CompletionResponse) -> dict[str, Any] | None:
    if response.usage.source == "unknown":
        return None
    usage = encode_usage(response.usage)
    return {name: usage[name] for name in ("prompt_tokens", "completion_tokens", "total_tokens")}


def body_of(response: CompletionResponse, call: WireCall, meta: ResponseMeta) -> dict[str, Any]:
    """Return the body of a whole answer."""
    usage = _usage(response)
    body = {**_head(response, call, meta), "choices": _choices(response, call.shaping)}
    return body if usage is None else {**body, "usage": usage}


def encode_stream(
    response: CompletionResponse, call: WireCall, meta: ResponseMeta, chunks: Sequence[str] | None
) -> list[bytes]:
    """Write a streamed answer, one element per event."""
    head = _head(response, call, meta)
    more = {"usage": None} if call.include_usage else {}

    def chunk(choice: Mapping[str, Any]) -> bytes:
        return frame(dump_text({**head, "choices": [choice], **more}))

    found: list[bytes] = []
    for choice in _choices(response, call.shaping):
        index = choice["index"]
        told = choice["logprobs"]
        is_cut = index == 0 and chunks is not None and told is None and call.shaping.get("echo") is not True
        pieces = list(chunks or ()) if is_cut else words(choice["text"]) if told is None else told["tokens"]
        for place, piece in enumerate(pieces):
            likely = None if told is None else {name: each and each[place : place + 1] for name, each in told.items()}
            found.append(chunk({"text": piece, "index": index, "logprobs": likely, "finish_reason": None}))
        found.append(chunk({"text": "", "index": index, "logprobs": None, "finish_reason": choice["finish_reason"]}))
    usage = _usage(response)
    if call.include_usage and usage is not None:
        found.append(frame(dump_text({**head, "choices": [], "usage": usage})))
    found.append(DONE)
    return found


def decode_body(body: Mapping[str, Any], request_id: str | None) -> CompletionResponse:
    """Read the body of a whole answer.

    Raises:
        EmptyResponseError: There is no choice in it.
        InvalidResponseError: `choices` is no list of objects.
    """
    choices = body.get("choices")
    if not choices:
        raise EmptyResponseError("the answer has no choices", status=200, request_id=request_id)
    if not isinstance(choices, list) or not all(isinstance(choice, dict) for choice in choices):
        raise InvalidResponseError("`choices` of the answer is no list of objects", status=200, request_id=request_id)
    extra = {name: value for name, value in body.items() if name not in _MODELLED}
    identity: dict[str, Any] = {"model": body.get("model"), "id": body.get("id"), "request_id": request_id}
    first, *others = sorted(choices, key=lambda choice: count(choice.get("index")))
    return CompletionResponse(
        **_answer(first),
        usage=decode_usage(body.get("usage")),
        alternatives=tuple(CompletionResponse(**_answer(other), **identity) for other in others),
        extra={DIALECT: extra} if extra else {},
        **identity,
    )


def _answer(choice: Mapping[str, Any]) -> dict[str, Any]:
    raw = choice.get("finish_reason")
    return {
        "parts": (TextPart(str(choice.get("text") or "")),),
        "finish_reason": FINISH.get(raw, FinishReason.UNKNOWN) if isinstance(raw, str) else None,
        "raw_finish_reason": raw if isinstance(raw, str) else None,
    }


class CompletionsStreamDecoder(EventDecoder):
    """Reads the chunks of a legacy completion; only the first choice is told of before the end."""

    def __init__(self, classify: Callable[[Mapping[str, Any]], ProviderError], request_id: str | None) -> None:
        super().__init__(request_id)
        self._classify = classify
        self._head: dict[str, Any] = {}
        self._texts: dict[int, list[str]] = {}
        self._ends: dict[int, str] = {}

    def take(self, event: ServerSentEvent, out: list[StreamEvent]) -> None:
        """Read one chunk."""
        if event.data.strip() == "[DONE]":
            self.done = True
            return
        chunk = loads(event.data)
        if not isinstance(chunk, dict):
            raise self.malformed(event.data)
        if chunk.get("error"):
            raise self.failed(self._classify(chunk))
        if not self._head:
            out.append(StreamEvent("start", id=chunk.get("id"), model=chunk.get("model")))
        usage = chunk.get("usage")
        self._head.update((name, value) for name, value in chunk.items() if name != "choices" and value is not None)
        for choice in chunk.get("choices") or ():
            self._take_choice(choice, out)
        if isinstance(usage, dict):
            self.usage = decode_usage(usage)
            out.append(StreamEvent("usage", usage=self.usage))

    def _take_choice(self, choice: Mapping[str, Any], out: list[StreamEvent]) -> None:
        index, text, raw = count(choice.get("index")), choice.get("text"), choice.get("finish_reason")
        pieces = self._texts.setdefault(index, [])
        events: list[StreamEvent] = []
        if isinstance(text, str) and text:
            pieces.append(text)
            events.append(StreamEvent("text", text, 0))
        if isinstance(raw, str):
            self._ends[index] = raw
            reason = FINISH.get(raw, FinishReason.UNKNOWN)
            events.append(StreamEvent("finish", finish_reason=reason, raw_finish_reason=raw))
        if index == 0:
            out += events
            self.note(events)

    def assemble(self) -> CompletionResponse:
        """Return the whole answer."""
        choices = [
            {"index": index, "text": "".join(pieces), "finish_reason": self._ends.get(index)}
            for index, pieces in sorted(self._texts.items())
        ]
        return decode_body({**self._head, "choices": choices}, self.request_id)
