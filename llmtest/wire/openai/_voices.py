"""OpenAI's own voices: recordings of consent, and the voices that are made of a sample or of a description.

https://developers.openai.com/api/reference/resources/audio
"""

from __future__ import annotations

from typing import Any

from llmtest.wire import _ids
from llmtest.wire._records import ResponseMeta, WireCall
from llmtest.wire._store import Store
from llmtest.wire.openai._checks import refuse
from llmtest.wire.openai._forms import Upload
from llmtest.wire.openai._services import expected, missing, page, refuse_value, service

__all__ = ["VOICES"]

MOST_BYTES = 10 << 20
CONSENTS, VOICES_KEPT = "voice_consents", "voices"
_TYPES = ("audio_sample", "prompt")
_SOUNDS = ("mpeg", "wav", "x-wav", "ogg", "aac", "flac", "webm", "mp4")


def _sound(fields: Any, name: str) -> Upload:
    """Return a recording.

    Raises:
        WireFormatError: It is no file, no sound, or too large.
    """
    upload = fields[name]
    if not isinstance(upload, Upload):
        raise refuse(f"Invalid type for '{name}': expected a file, but got a string instead.", name, "invalid_type")
    kind = upload.content_type.partition(";")[0].strip().lower()
    known = tuple(f"audio/{each}" for each in _SOUNDS)
    if kind not in {*known, "application/octet-stream"}:
        raise refuse_value(name, kind, known)
    if len(upload.data) > MOST_BYTES:
        raise refuse(f"'{name}' is larger than the maximum of {MOST_BYTES} bytes.", name, "invalid_value")
    return upload


def _text(fields: Any, name: str) -> str:
    value = fields[name]
    if not isinstance(value, str) or not value.strip():
        raise refuse(f"Invalid '{name}': expected a text that is not empty.", name, "invalid_value")
    return value


def _make_consent(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    fields = call.shaping
    expected(fields, "language", "name", "recording")
    _sound(fields, "recording")
    body: dict[str, Any] = {
        "id": "cons_" + _ids.letters(meta.number or 0, 24),
        "object": "audio.voice_consent",
        "created_at": meta.created_s,
        "name": _text(fields, "name"),
        "language": _text(fields, "language"),
    }
    store.table(CONSENTS)[body["id"]] = body
    return body


def _consent(identity: object, store: Store, param: str = "consent_id") -> dict[str, Any]:
    """Return a consent.

    Raises:
        WireFormatError: There is none of that id.
    """
    found = store.table(CONSENTS).get(str(identity))
    if found is None:
        raise missing(f"No such voice consent: {identity}", param)
    return found  # type: ignore[no-any-return]  # what `_make_consent` put there


def _read_consent(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    del meta
    return _consent(call.shaping["consent_id"], store)


def _rename_consent(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    del meta
    found = _consent(call.shaping["consent_id"], store)
    expected(call.shaping, "name")
    found["name"] = _text(call.shaping, "name")
    return found


def _list_consents(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    del meta
    return page(list(store.table(CONSENTS).values()), call.shaping)


def _delete_consent(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    del meta
    identity = _consent(call.shaping["consent_id"], store)["id"]
    del store.table(CONSENTS)[identity]
    return {"id": identity, "object": "audio.voice_consent", "deleted": True}


def _make_voice(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    fields = call.shaping
    kind = fields.get("type", "audio_sample")
    if kind not in _TYPES:
        raise refuse_value("type", kind, _TYPES)
    expected(fields, "name")
    body: dict[str, Any] = {
        "id": "voice_" + _ids.letters(meta.number or 0, 24),
        "object": "audio.voice",
        "created_at": meta.created_s,
        "name": _text(fields, "name"),
        "type": kind,
    }
    if kind == "prompt":
        expected(fields, "prompt")
        body["prompt"] = _text(fields, "prompt")
    else:
        expected(fields, "audio_sample", "consent")
        _sound(fields, "audio_sample")
        _consent(fields["consent"], store, "consent")
    store.table(VOICES_KEPT)[body["id"]] = body
    return body


def _delete_voice(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    del meta
    identity = call.shaping["voice_id"]
    if store.table(VOICES_KEPT).pop(identity, None) is None:
        raise missing(f"No such voice: {identity}", "voice_id")
    return {"id": identity, "object": "audio.voice.deleted", "deleted": True}


VOICES = (
    service("audio.voices.create", "POST", "/audio/voices", _make_voice),
    service("audio.voices.delete", "DELETE", "/audio/voices/{voice_id}", _delete_voice),
    service("audio.voice_consents.create", "POST", "/audio/voice_consents", _make_consent),
    service("audio.voice_consents.list", "GET", "/audio/voice_consents", _list_consents),
    service("audio.voice_consents.retrieve", "GET", "/audio/voice_consents/{consent_id}", _read_consent),
    service("audio.voice_consents.update", "POST", "/audio/voice_consents/{consent_id}", _rename_consent),
    service("audio.voice_consents.delete", "DELETE", "/audio/voice_consents/{consent_id}", _delete_consent),
)
"""What OpenAI answers about voices and the consents to them."""
