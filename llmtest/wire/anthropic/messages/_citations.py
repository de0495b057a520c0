"""Anthropic's citations, between JSON and types."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from llmtest.types import Citation

_PLACES: Mapping[str, tuple[Any, str, str]] = {
    "char_location": ("char", "start_char_index", "end_char_index"),
    "page_location": ("page", "start_page_number", "end_page_number"),
    "content_block_location": ("block", "start_block_index", "end_block_index"),
}
"""Kinds that point into a document of the prompt: the unit, and the fields of start and end."""
_KINDS = {unit: kind for kind, (unit, _, _) in _PLACES.items()}


def encode_citation(citation: Citation, *, answer: bool) -> dict[str, Any] | None:
    """Write a citation; None where Anthropic has no such kind.

    Args:
        citation: What is cited.
        answer: Whether it stands in an answer; a prompt may not name the file.
    """
    common: dict[str, Any] = {"cited_text": citation.text or ""}
    if citation.unit == "result":
        return {
            **common,
            "type": "search_result_location",
            "search_result_index": citation.document or 0,
            "source": citation.url or "",
            "title": citation.title,
            "start_block_index": citation.source_start or 0,
            "end_block_index": citation.source_end or 0,
        }
    kind = None if citation.unit is None else _KINDS[citation.unit]
    if kind is not None:
        _, start, end = _PLACES[kind]
        found = {
            **common,
            "type": kind,
            "document_index": citation.document or 0,
            "document_title": citation.title,
            start: citation.source_start or 0,
            end: citation.source_end or 0,
        }
        return {**found, "file_id": citation.file_id} if answer else found
    if citation.url is None or (citation.proof is None and not answer):
        return None
    return {
        **common,
        "type": "web_search_result_location",
        "url": citation.url,
        "title": citation.title,
        "encrypted_index": citation.proof or "",
    }


def decode_citation(raw: object) -> Citation | None:
    """Read a citation; None where it is of a kind that is not modelled."""
    if not isinstance(raw, dict):
        return None
    read = _READERS.get(str(raw.get("type")))
    return None if read is None else read(raw)


def _decode_place(raw: Mapping[str, Any]) -> Citation:
    unit, start, end = _PLACES[raw["type"]]
    return Citation(
        title=raw.get("document_title"),
        text=raw.get("cited_text"),
        document=raw.get("document_index"),
        unit=unit,
        source_start=raw.get(start),
        source_end=raw.get(end),
        file_id=raw.get("file_id"),
    )


def _decode_result(raw: Mapping[str, Any]) -> Citation:
    return Citation(
        raw.get("source"),
        raw.get("title"),
        raw.get("cited_text"),
        document=raw.get("search_result_index"),
        unit="result",
        source_start=raw.get("start_block_index"),
        source_end=raw.get("end_block_index"),
    )


def _decode_web(raw: Mapping[str, Any]) -> Citation:
    return Citation(raw.get("url"), raw.get("title"), raw.get("cited_text"), proof=raw.get("encrypted_index"))


_READERS: Mapping[str, Callable[[Mapping[str, Any]], Citation]] = {
    **dict.fromkeys(_PLACES, _decode_place),
    "search_result_location": _decode_result,
    "web_search_result_location": _decode_web,
}
