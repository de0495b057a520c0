"""OpenAI's images: pictures of one colour, which depends on the prompt, in the size and form that is asked for."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Mapping
from typing import Any

from llmtest.types import UNKNOWN_USAGE, Usage
from llmtest.wire import _ids
from llmtest.wire._json import dump_text
from llmtest.wire._records import ResponseMeta, WireCall
from llmtest.wire._served import Served
from llmtest.wire._store import Store
from llmtest.wire.framing._sse import frame
from llmtest.wire.openai._checks import refuse
from llmtest.wire.openai._forms import uploads
from llmtest.wire.openai._pictures import picture
from llmtest.wire.openai._services import expected, refuse_value, service

__all__ = ["IMAGES"]

_SIZE = re.compile(r"([1-9]\d{0,3})x([1-9]\d{0,3})")
_USUAL_SIZE = "1024x1024"
_FORMS = ("png", "webp", "jpeg")
_TOKENS = {"low": 272, "medium": 1056, "high": 4160, "xhigh": 4160, "max": 4160}
"""Tokens of a square picture of 1024 pixels, from the guide to image generation; others in proportion to their area.

The two qualities above `high` are newer than the guide, and counted like it."""
_INPUT_TOKENS = 323
"""Tokens of a picture that is edited, about: the guide to vision, one picture of low fidelity."""
_MOST = 10
_HOST = "https://oaidalleapiprodscus.blob.core.windows.net/private/org-llmtest/user-llmtest"
"""Where DALL-E puts its pictures; nobody is simulated there."""


def _is_dall_e(model: str | None) -> bool:
    return model is None or model.startswith("dall-e")


def _size(fields: Mapping[str, Any]) -> tuple[str, int, int]:
    given = fields.get("size")
    text = _USUAL_SIZE if given in {None, "auto"} else str(given)
    found = _SIZE.fullmatch(text)
    if found is None:
        raise refuse_value("size", given, ("1024x1024", "1024x1536", "1536x1024", "auto"))
    return text, int(found[1]), int(found[2])


def _number(fields: Mapping[str, Any], name: str, usual: int, most: int, least: int = 1) -> int:
    value = fields.get(name)
    if value is None:
        return usual
    number = int(value) if isinstance(value, int) or (isinstance(value, str) and value.isdigit()) else -1
    if not least <= number <= most:
        side = f"above maximum value. Expected a value <= {most}" if number > most else None
        side = side or f"below minimum value. Expected a value >= {least}"
        code = "integer_above_max_value" if number > most else "integer_below_min_value"
        raise refuse(f"Invalid '{name}': integer {side}, but got {value} instead.", name, code)
    return number


def _drawn(fields: Mapping[str, Any], form: str, width: int, height: int, place: int) -> bytes:
    said = f"{fields.get('model')} {fields.get('prompt')} {place}"
    seed = zlib.crc32(said.encode(errors="replace"))
    return picture(form, width, height, (seed & 255, seed >> 8 & 255, seed >> 16 & 255))


def _usage(fields: Mapping[str, Any], width: int, height: int, pictures: int, count: int) -> dict[str, Any]:
    quality = str(fields.get("quality") or "auto")
    each = round(_TOKENS.get(quality, _TOKENS["medium"]) * width * height / (1024 * 1024))
    text, seen = max(1, len(str(fields.get("prompt") or "")) // 4), pictures * _INPUT_TOKENS
    return {
        "input_tokens": text + seen,
        "input_tokens_details": {"text_tokens": text, "image_tokens": seen},
        "output_tokens": each * count,
        "output_tokens_details": {"text_tokens": 0, "image_tokens": each * count},
        "total_tokens": text + seen + each * count,
    }


def _billed(usage: Mapping[str, Any]) -> Usage:
    """Return what is billed, with the tokens of pictures apart, which cost more."""
    asked, said = usage["input_tokens_details"]["image_tokens"], usage["output_tokens_details"]["image_tokens"]
    return Usage(usage["input_tokens"], usage["output_tokens"], input_image_tokens=asked, output_image_tokens=said)


def _answer(call: WireCall, meta: ResponseMeta, kind: str) -> Served:
    fields, model = call.shaping, call.model
    size, width, height = _size(fields)
    count = _number(fields, "n", 1, _MOST)
    pictures = len(uploads(fields, "image")) or len(fields.get("images") or ())
    if _is_dall_e(model):
        return _by_dall_e(fields, meta, (width, height), count)
    form = str(fields.get("output_format") or "png")
    if form not in _FORMS:
        raise refuse_value("output_format", form, _FORMS)
    usage = _usage(fields, width, height, pictures, count)
    facts = {
        "background": "opaque" if fields.get("background") in {None, "auto"} else fields["background"],
        "output_format": form,
        "quality": "medium" if fields.get("quality") in {None, "auto", "standard", "hd"} else fields["quality"],
        "size": size,
    }
    texts = [base64.b64encode(_drawn(fields, form, width, height, place)).decode() for place in range(count)]
    billed = _billed(usage)
    if not call.stream:
        data = [{"b64_json": text} for text in texts]
        return Served({"created": meta.created_s, **facts, "data": data, "usage": usage}, billed)
    partial = _number(fields, "partial_images", 0, 3, 0)
    shared = {"created_at": meta.created_s, **facts}
    events: list[dict[str, Any]] = [
        {"type": f"{kind}.partial_image", "b64_json": texts[0], "partial_image_index": index, **shared}
        for index in range(partial)
    ]
    events += ({"type": f"{kind}.completed", "b64_json": text, **shared, "usage": usage} for text in texts)
    return Served(usage=billed, pieces=tuple(frame(dump_text(event), event["type"]) for event in events))


def _by_dall_e(fields: Mapping[str, Any], meta: ResponseMeta, size: tuple[int, int], count: int) -> Served:
    """Answer as DALL-E does, whose price is one for each picture."""
    data: list[dict[str, Any]] = []
    for place in range(count):
        more = {"revised_prompt": fields["prompt"]} if fields.get("model") == "dall-e-3" else {}
        if fields.get("response_format") == "b64_json":
            text = base64.b64encode(_drawn(fields, "png", *size, place)).decode()
            data.append({"b64_json": text, **more})
        else:
            name = "img-" + _ids.letters((meta.number or 0) + (place << 128), 24)
            data.append({"url": f"{_HOST}/{name}.png", **more})
    return Served({"created": meta.created_s, "data": data}, UNKNOWN_USAGE)


def _generate(call: WireCall, meta: ResponseMeta, store: Store) -> Served:
    del store
    expected(call.shaping, "prompt")
    if call.model == "dall-e-2" and call.shaping.get("quality") not in {None, "standard"}:
        raise refuse("Unknown parameter: 'quality'.", "quality", "unknown_parameter")
    return _answer(call, meta, "image_generation")


def _edit(call: WireCall, meta: ResponseMeta, store: Store) -> Served:
    del store
    expected(call.shaping, "prompt")
    if not call.shaping.get("images"):
        expected(call.shaping, "image")
    return _answer(call, meta, "image_edit")


def _vary(call: WireCall, meta: ResponseMeta, store: Store) -> Served:
    del store
    expected(call.shaping, "image")
    _, width, height = _size(call.shaping)
    return _by_dall_e(call.shaping, meta, (width, height), _number(call.shaping, "n", 1, _MOST))


IMAGES = (
    service("images.generate", "POST", "/images/generations", _generate),
    service("images.edit", "POST", "/images/edits", _edit),
    service("images.variation", "POST", "/images/variations", _vary),
)
"""What OpenAI draws."""
