"""OpenAI's audio: silence for speech, and for sounds a text that says which file was heard."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from typing import Any

from llmtest.types import UNKNOWN_USAGE, Usage
from llmtest.wire._json import dump_text
from llmtest.wire._records import ResponseMeta, WireCall
from llmtest.wire._served import Served
from llmtest.wire._store import Store
from llmtest.wire.framing._sse import frame
from llmtest.wire.framing._words import words
from llmtest.wire.openai._checks import refuse
from llmtest.wire.openai._forms import Upload
from llmtest.wire.openai._services import expected, refuse_value, service
from llmtest.wire.openai._sounds import CONTENT_TYPES, RATE, silence

__all__ = ["AUDIO"]

_LETTERS_A_SECOND = 15
_MOST_LETTERS = 4096
_TOKENS_A_SECOND = 20
"""Tokens of a second of speech, about: what the price of `gpt-4o-mini-tts` for a minute comes to."""
_HEARD_A_SECOND = 10
"""Tokens of a second that is transcribed."""
_BYTES_A_SECOND = 16_000
"""Of a file that does not say how long it is: 128 kbit/s."""
_PIECE = 8_192
_ENDINGS = ("flac", "m4a", "mp3", "mp4", "mpeg", "mpga", "oga", "ogg", "wav", "webm")
_FORMS = ("json", "text", "srt", "verbose_json", "vtt")


def _event(event: Mapping[str, Any]) -> bytes:
    return frame(dump_text(event), None)


def _speak(call: WireCall, meta: ResponseMeta, store: Store) -> Served:
    del meta, store
    fields = call.shaping
    expected(fields, "model", "input", "voice")
    text, model = str(fields["input"]), str(fields["model"])
    if not text:
        raise refuse(
            "Invalid 'input': string too short. Expected a string with minimum length 1, but got an empty string "
            "instead.",
            "input",
            "string_too_short",
        )
    if len(text) > _MOST_LETTERS:
        raise refuse(
            f"Invalid 'input': string too long. Expected a string with maximum length {_MOST_LETTERS}, but got a "
            f"string with length {len(text)} instead.",
            "input",
            "string_above_max_length",
        )
    form = str(fields.get("response_format") or "mp3")
    if form not in CONTENT_TYPES:
        raise refuse_value("response_format", form, tuple(CONTENT_TYPES))
    seconds = len(text) / _LETTERS_A_SECOND / _speed(fields)
    sound = silence(form, seconds)
    said, heard = max(1, len(text) // 4), math.ceil(seconds * _TOKENS_A_SECOND)
    # A letter has a price of its own in the older models, and no count of tokens says it.
    billed = UNKNOWN_USAGE if model.startswith("tts-") else Usage(said, heard)
    if fields.get("stream_format") != "sse":
        return Served(sound, billed, CONTENT_TYPES[form])
    if model.startswith("tts-"):
        raise refuse("stream_format 'sse' is not supported with this model.", "stream_format", "unsupported_value")
    pieces = [sound[start : start + _PIECE] for start in range(0, len(sound), _PIECE)]
    usage = {"input_tokens": said, "output_tokens": heard, "total_tokens": said + heard}
    events = [_event({"type": "speech.audio.delta", "audio": base64.b64encode(each).decode()}) for each in pieces]
    return Served(usage=billed, pieces=(*events, _event({"type": "speech.audio.done", "usage": usage})))


def _speed(fields: Mapping[str, Any]) -> float:
    value = fields.get("speed")
    if value is None:
        return 1.0
    if type(value) not in {int, float} or not 0.25 <= value <= 4.0:
        raise refuse(f"Invalid 'speed': expected a value from 0.25 to 4.0, but got {value} instead.", "speed")
    return float(value)


def _heard(fields: Mapping[str, Any]) -> tuple[str, float]:
    """Return what a file says and how many seconds it takes.

    Raises:
        WireFormatError: There is no file, or none of a format that OpenAI knows.
    """
    expected(fields, "file", "model")
    file = fields["file"]
    if not isinstance(file, Upload):
        raise refuse("Invalid type for 'file': expected a file, but got a string instead.", "file", "invalid_type")
    name, _, ending = file.filename.rpartition(".")
    if name and ending.lower() not in _ENDINGS:
        listed = ", ".join(f"'{each}'" for each in _ENDINGS)
        raise refuse(f"Unrecognized file format. Supported formats: [{listed}]", "file")
    if not file.data:
        raise refuse("Audio file is too short. Minimum audio length is 0.1 seconds.", "file", "audio_too_short")
    seconds = max(0.1, round(len(file.data) / _bytes_a_second(file.data), 2))
    return f"This is what was heard in {file.filename}.", seconds


def _bytes_a_second(data: bytes) -> int:
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE" and len(data) >= 32:
        return int.from_bytes(data[28:32], "little") or 2 * RATE
    return _BYTES_A_SECOND


def _transcribe(call: WireCall, meta: ResponseMeta, store: Store) -> Served:
    del meta, store
    text, seconds = _heard(call.shaping)
    fields, model = call.shaping, str(call.model)
    form = _form(fields, model)
    if model.startswith("whisper"):
        usage: dict[str, Any] = {"type": "duration", "seconds": math.ceil(seconds)}
        billed = UNKNOWN_USAGE
    else:
        heard, said = math.ceil(seconds * _HEARD_A_SECOND), len(words(text)) + 2
        details = {"text_tokens": 0, "audio_tokens": heard}
        usage = {"type": "tokens", "input_tokens": heard, "input_token_details": details, "output_tokens": said}
        usage["total_tokens"] = heard + said
        billed = Usage(heard, said, input_audio_tokens=heard)
        if call.stream:
            events = [_event({"type": "transcript.text.delta", "delta": piece}) for piece in words(text)]
            done = _event({"type": "transcript.text.done", "text": text, "usage": usage})
            return Served(usage=billed, pieces=(*events, done))
    return _written(text, seconds, form, billed, usage, fields, task="transcribe")


def _form(fields: Mapping[str, Any], model: str) -> str:
    form = str(fields.get("response_format") or "json")
    if "transcribe" not in model:
        if form not in _FORMS:
            raise refuse_value("response_format", form, _FORMS)
        return form
    known = ("json", "text", "diarized_json") if "diarize" in model else ("json", "text")
    if form not in known:
        raise refuse(
            f"response_format '{form}' is not compatible with model '{model}'. Use 'json' or 'text' instead.",
            "response_format",
            "unsupported_value",
        )
    return form


def _translate(call: WireCall, meta: ResponseMeta, store: Store) -> Served:
    del meta, store
    text, seconds = _heard(call.shaping)
    form = str(call.shaping.get("response_format") or "json")
    if form not in _FORMS:
        raise refuse_value("response_format", form, _FORMS)
    return _written(text, seconds, form, UNKNOWN_USAGE, None, call.shaping, task="translate")


def _written(
    text: str,
    seconds: float,
    form: str,
    billed: Usage,
    usage: Mapping[str, Any] | None,
    fields: Mapping[str, Any],
    *,
    task: str,
) -> Served:
    """Return what was heard in the form that is asked for."""
    more = {} if usage is None else {"usage": usage}
    if form in {"text", "srt", "vtt"}:
        written = {
            "text": f"{text}\n",
            "srt": f"1\n{_clock(0, ',')} --> {_clock(seconds, ',')}\n{text}\n\n\n",
            "vtt": f"WEBVTT\n\n{_clock(0, '.')} --> {_clock(seconds, '.')}\n{text}\n\n",
        }[form]
        return Served(written.encode(), billed, "text/plain; charset=utf-8")
    if form == "json":
        return Served({"text": text, **more}, billed)
    if form == "diarized_json":
        segment = {"type": "transcript.text.segment", "id": "seg_0", "start": 0.0, "end": seconds, "text": text}
        body = {"task": task, "duration": seconds, "text": text, "segments": [{**segment, "speaker": "A"}], **more}
        return Served(body, billed)
    language = str(fields.get("language") or "english") if task == "transcribe" else "english"
    body = {"task": task, "language": language, "duration": seconds, "text": text}
    kinds = fields.get("timestamp_granularities") or ["segment"]
    if "segment" in kinds:
        body["segments"] = [_segment(text, seconds)]
    if "word" in kinds:
        said = [word.strip() for word in words(text)]
        each = seconds / len(said)
        body["words"] = [
            {"word": word, "start": round(place * each, 2), "end": round((place + 1) * each, 2)}
            for place, word in enumerate(said)
        ]
    return Served({**body, **more}, billed)


def _segment(text: str, seconds: float) -> dict[str, Any]:
    return {
        "id": 0,
        "seek": 0,
        "start": 0.0,
        "end": seconds,
        "text": f" {text}",
        "tokens": [50364, *range(1000, 1000 + len(words(text))), 50364 + round(seconds * 50)],
        "temperature": 0.0,
        "avg_logprob": -0.25,
        "compression_ratio": 0.9,
        "no_speech_prob": 0.01,
    }


def _clock(seconds: float, point: str) -> str:
    thousandths = round(seconds * 1000)
    minutes, rest = divmod(thousandths, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}{point}{rest % 1000:03}"


AUDIO = (
    service("audio.speech", "POST", "/audio/speech", _speak),
    service("audio.transcriptions", "POST", "/audio/transcriptions", _transcribe),
    service("audio.translations", "POST", "/audio/translations", _translate),
)
"""What OpenAI says and hears."""
