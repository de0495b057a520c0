"""What a message of an answer has beside its text: sources, images and sound, between JSON and types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llmtest.types import AudioPart, Citation, ImagePart, ResponsePart, TextPart
from llmtest.wire.openai.chat._parts import decode_image, encode_part


def encode_citations(parts: Sequence[ResponsePart]) -> list[dict[str, Any]]:
    """Write `annotations`: the web pages that the texts lean on."""
    return [
        {
            "type": "url_citation",
            "url_citation": {
                "start_index": citation.start or 0,
                "end_index": citation.end or 0,
                "url": citation.url,
                "title": citation.title or "",
            },
        }
        for part in parts
        if isinstance(part, TextPart)
        for citation in part.citations
        if citation.url is not None
    ]


def decode_citations(raw: object) -> tuple[Citation, ...]:
    """Read `annotations`; those that are no web pages are nothing."""
    found = []
    for each in raw if isinstance(raw, list) else ():
        page = each.get("url_citation") if isinstance(each, dict) else None
        if isinstance(page, dict) and isinstance(page.get("url"), str):
            start, end = page.get("start_index"), page.get("end_index")
            found.append(Citation(page["url"], page.get("title"), page.get("content"), start=start, end=end))
    return tuple(found)


def encode_media(parts: Sequence[ResponsePart], message: dict[str, Any]) -> None:
    """Write the images (as OpenRouter has them) and the sound of an answer into its message."""
    images = [encode_part(part) for part in parts if isinstance(part, ImagePart)]
    if images:
        message["images"] = images
    for part in parts:
        if isinstance(part, AudioPart):
            message["audio"] = {
                "id": part.id or "",
                "data": part.data or "",
                "expires_at": part.expires_s or 0,
                "transcript": part.transcript or "",
            }


def decode_media(message: Mapping[str, Any]) -> list[ResponsePart]:
    """Read the images and the sound of an answer."""
    found: list[ResponsePart] = []
    raw = message.get("images")
    for each in raw if isinstance(raw, list) else ():
        image = decode_image(each.get("image_url")) if isinstance(each, dict) else None
        if image is not None:
            found.append(image)
    sound = message.get("audio")
    if isinstance(sound, dict):
        found.append(
            AudioPart(
                sound.get("data"),
                id=sound.get("id"),
                transcript=sound.get("transcript"),
                expires_s=sound.get("expires_at"),
            )
        )
    return found
