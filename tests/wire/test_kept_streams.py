"""Streams of which only id and time differ are written once; what goes out is what would be written anew."""

import json

import pytest

from llmtest.types import CompletionResponse, FinishReason, TextPart, ThinkingPart, Usage
from llmtest.wire import ResponseMeta, WireCall, dialect

WORDS = ["Paris", " is", " the", " capital", " \u00e9\U0001f600."]
ANSWER = CompletionResponse(
    parts=(ThinkingPart("Hm."), TextPart("".join(WORDS))),
    finish_reason=FinishReason.STOP,
    usage=Usage(9, 5),
    model='m"1',
)


@pytest.mark.parametrize("name", ["openai", "openai_compatible", "anthropic"])
@pytest.mark.parametrize("usage", [False, True])
@pytest.mark.parametrize("padded", [False, True])
def test_kept_events_are_those_that_would_be_written_anew(name: str, usage: bool, padded: bool) -> None:
    """A stream whose pieces are said, which is kept, has the bytes of one that is cut into the same words."""
    chat = dialect(name).chat
    call = WireCall(chat, model='m"1', stream=True, include_usage=usage, include_obfuscation=padded)
    for number in (1, 2):
        meta = ResponseMeta(f'id-"{number}"', 1_700_000_000 + number, model="unused")
        assert chat.encode_stream(ANSWER, call, meta, WORDS) == chat.encode_stream(ANSWER, call, meta, None)


@pytest.mark.parametrize("name", ["openai", "anthropic"])
def test_an_answer_that_differs_in_anything_is_not_taken_for_another(name: str) -> None:
    """Usage, reason, model and pieces of each answer are its own, whatever was written before."""
    chat = dialect(name).chat
    meta = ResponseMeta("id-1", 5)
    call = WireCall(chat, stream=True, include_usage=True)
    answers = [
        CompletionResponse(parts=(TextPart("ab"),), finish_reason=reason, usage=Usage(1, tokens), model=model)
        for reason in (FinishReason.STOP, FinishReason.LENGTH)
        for tokens in (3, 4)
        for model in ("m-1", "m-2")
    ]
    written = {b"".join(chat.encode_stream(each, call, meta, cut)) for each in answers for cut in (["ab"], ["a", "b"])}
    assert len(written) == 2 * len(answers)


def test_a_kept_event_has_the_time_of_its_own_request() -> None:
    """The second stream of the same answer tells its own id and time in every event."""
    chat = dialect("openai").chat
    call = WireCall(chat, stream=True)
    for number in (1, 2):
        events = chat.encode_stream(ANSWER, call, ResponseMeta(f"id-{number}", number), WORDS)
        told = [json.loads(event[6:]) for event in events[:-1]]
        assert {(each["id"], each["created"]) for each in told} == {(f"id-{number}", number)}
