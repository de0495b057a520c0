"""The content of Responses' items, between JSON and types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from llmtest.errors import NotSupportedError
from llmtest.types import (
    AudioPart,
    Citation,
    ContentPart,
    FilePart,
    ImagePart,
    OpaquePart,
    RefusalPart,
    TextPart,
    ThinkingPart,
    TokenLogprob,
    ToolCall,
)
from llmtest.wire.openai._shared_words import parse_data_url
from llmtest.wire.openai.chat._logprobs import decode_logprobs, encode_logprobs
from llmtest.wire.openai.chat._parts import argument_text, encode_part, image_url

__all__ = ["DIALECT", "decode_content", "decode_reasoning", "decode_text", "encode_content", "encode_reasoning"]
__all__ += ["decode_call", "encode_call", "encode_text", "logprobs_of"]

DIALECT = "openai_responses"
"""Under which name `extra` and opaque parts keep what only this API knows; Chat Completions has other fields."""


def encode_content(parts: Sequence[ContentPart]) -> list[Mapping[str, Any]]:
    """Write what a prompt's message is made of.

    Raises:
        NotSupportedError: A part has no word here.
    """
    return [_encode_part(part) for part in parts]


def _encode_part(part: ContentPart) -> Mapping[str, Any]:
    if isinstance(part, TextPart):
        return {"type": "input_text", "text": part.text}
    if isinstance(part, ImagePart):
        where = {"file_id": part.file_id} if _is_by_id(part) else {"image_url": image_url(part)}
        return {"type": "input_image", **where, "detail": part.detail or "auto"}
    if isinstance(part, FilePart):
        return {"type": "input_file", **_file(part)}
    if isinstance(part, AudioPart):
        return encode_part(part)
    if isinstance(part, OpaquePart):
        return part.data
    raise NotSupportedError(f"openai_responses: a prompt cannot hold a {type(part).__name__}")


def _is_by_id(part: ImagePart) -> bool:
    return part.file_id is not None and part.data is None and part.url is None


def _file(part: FilePart) -> dict[str, Any]:
    if part.url is not None:
        return {"file_url": part.url}
    return dict(encode_part(part)["file"])


def decode_content(raw: object) -> tuple[ContentPart, ...]:
    """Read what a message is made of; an unknown kind stays opaque."""
    return tuple(_decode_part(part) for part in raw) if isinstance(raw, list) else ()


def _decode_part(part: object) -> ContentPart:
    if not isinstance(part, dict):
        return OpaquePart({"type": "unknown", "value": part}, DIALECT)
    kind = part.get("type")
    found: ContentPart | None = None
    if kind in ("input_text", "text") and isinstance(part.get("text"), str):
        found = TextPart(part["text"])
    elif kind == "output_text":
        found = decode_text(part)
    elif kind == "refusal" and isinstance(part.get("refusal"), str):
        found = RefusalPart(part["refusal"])
    elif kind == "input_image":
        found = _decode_image(part)
    elif kind == "input_file":
        found = _decode_file(part)
    elif kind == "input_audio" and isinstance(part.get("input_audio"), dict):
        found = AudioPart(part["input_audio"].get("data"), f"audio/{part['input_audio'].get('format')}")
    return found or OpaquePart(part, DIALECT)


def _decode_image(part: Mapping[str, Any]) -> ContentPart | None:
    url, detail = part.get("image_url"), part.get("detail")
    detail = detail if isinstance(detail, str) and detail != "auto" else None
    if isinstance(url, str):
        inline = parse_data_url(url)
        if inline is None:
            return ImagePart(url, detail=detail)
        return ImagePart(data=inline[1], media_type=inline[0], detail=detail)
    return ImagePart(file_id=part["file_id"], detail=detail) if isinstance(part.get("file_id"), str) else None


def _decode_file(part: Mapping[str, Any]) -> ContentPart | None:
    name = part.get("filename")
    if isinstance(part.get("file_id"), str):
        return FilePart(None, None, name, file_id=part["file_id"])
    if isinstance(part.get("file_url"), str):
        return FilePart(None, None, name, url=part["file_url"])
    inline = parse_data_url(part.get("file_data"))
    return None if inline is None else FilePart(inline[1], inline[0], name)


def decode_text(part: Mapping[str, Any]) -> TextPart | None:
    """Read a text of an answer; None where it has none."""
    text = part.get("text")
    if not isinstance(text, str):
        return None
    tokens = decode_logprobs({"content": part["logprobs"]}) if part.get("logprobs") else ()
    return TextPart(text, tuple(_citations(part.get("annotations"))), tokens)


def encode_text(part: TextPart) -> dict[str, Any]:
    """Write a text of an answer."""
    annotations = [_annotation(each) for each in part.citations if each.url is not None or each.file_id is not None]
    return {
        "type": "output_text",
        "annotations": annotations,
        "logprobs": logprobs_of(part.logprobs),
        "text": part.text,
    }


def logprobs_of(tokens: Sequence[TokenLogprob]) -> list[dict[str, Any]]:
    """Write how likely the tokens of a text were."""
    told = encode_logprobs(tokens)
    return [] if told is None else list(told["content"])


def _citations(raw: object) -> Iterable[Citation]:
    for each in raw if isinstance(raw, list) else ():
        kind = each.get("type") if isinstance(each, dict) else None
        if kind == "url_citation" and isinstance(each.get("url"), str):
            yield Citation(each["url"], each.get("title"), start=each.get("start_index"), end=each.get("end_index"))
        elif kind == "file_citation" and isinstance(each.get("file_id"), str):
            yield Citation(title=each.get("filename"), file_id=each["file_id"], start=each.get("index"))


def _annotation(citation: Citation) -> dict[str, Any]:
    if citation.url is None:
        return {
            "type": "file_citation",
            "file_id": citation.file_id,
            "filename": citation.title or "",
            "index": citation.start or 0,
        }
    return {
        "type": "url_citation",
        "start_index": citation.start or 0,
        "end_index": citation.end or 0,
        "title": citation.title or "",
        "url": citation.url,
    }


def decode_reasoning(item: Mapping[str, Any]) -> ThinkingPart:
    """Read an item of thoughts."""
    encrypted = item.get("encrypted_content")
    return ThinkingPart(
        "".join(_texts(item.get("content"))),
        id=item.get("id"),
        summary=tuple(_texts(item.get("summary"))),
        encrypted=encrypted if isinstance(encrypted, str) else None,
    )


def _texts(raw: object) -> Iterable[str]:
    found = raw if isinstance(raw, list) else ()
    return (each["text"] for each in found if isinstance(each, dict) and isinstance(each.get("text"), str))


def encode_reasoning(part: ThinkingPart, item_id: str | None) -> dict[str, Any]:
    """Write an item of thoughts; what somebody else thought is told as a summary, which is all that OpenAI shows."""
    item: dict[str, Any] = {"id": part.id or item_id, "type": "reasoning"}
    if part.encrypted is not None:
        item["encrypted_content"] = part.encrypted
    if part.text and part.summary:
        item["content"] = [{"type": "reasoning_text", "text": part.text}]
    summary = part.summary or ((part.text,) if part.text else ())
    item["summary"] = [{"type": "summary_text", "text": text} for text in summary]
    return item


def decode_call(item: Mapping[str, Any]) -> ToolCall:
    """Read an item that calls a function."""
    return ToolCall(
        str(item.get("call_id") or ""),
        str(item.get("name") or ""),
        argument_text(item.get("arguments")),
        item_id=item["id"] if isinstance(item.get("id"), str) else None,
    )


def encode_call(call: ToolCall, item_id: str | None = None) -> dict[str, Any]:
    """Write an item that calls a function; its own id is left out where there is none."""
    own = call.item_id or item_id
    found = {} if own is None else {"id": own}
    return {
        **found,
        "type": "function_call",
        "status": "completed",
        "arguments": call.arguments,
        "call_id": call.id,
        "name": call.name,
    }
