"""OpenAI beside chat and responses, simulated: the official SDK reads what it reads of the real thing."""

import asyncio
import base64
import io
import struct
import wave
import zlib
from functools import cache

import openai
import pytest

from llmtest import Json, Raw, Simulation, faults
from llmtest.errors import SimulationStateError
from llmtest.events import RequestAnswered, RequestReceived

HI = [{"role": "user", "content": "Hi"}]
INSTRUCT = "gpt-3.5-turbo-instruct"


@pytest.fixture
def llm():
    """A simulation whose OpenAI is asked by the official SDK."""
    with Simulation() as llm_sim:
        yield llm_sim


@cache
def client():
    """The official client, without retries of its own; making one takes longer than all that is asked of it."""
    return openai.OpenAI(max_retries=0)


def stored(**fields):
    """Make a completion that is kept."""
    return client().chat.completions.create(**{"model": "gpt-4o", "messages": HI, "store": True, **fields})


def test_a_stored_completion_is_listed_read_changed_and_deleted(llm):
    """What `store` keeps comes back, with its labels, until it is deleted."""
    llm.openai.replies("one", "two")
    first, second = stored(metadata={"run": "1"}), stored(metadata={"run": "2"}, model="gpt-4o-mini")
    chat = client().chat.completions
    assert [each.id for each in chat.list()] == [first.id, second.id]
    assert [each.id for each in chat.list(limit=1, order="desc")] == [second.id, first.id]
    assert [each.id for each in chat.list(metadata={"run": "2"})] == [second.id]
    assert [each.id for each in chat.list(model="gpt-4o")] == [first.id]
    assert chat.retrieve(first.id).choices[0].message.content == "one"
    assert chat.update(first.id, metadata={"kept": "yes"}).metadata == {"kept": "yes"}
    assert chat.delete(first.id).deleted
    with pytest.raises(openai.NotFoundError, match=first.id):
        chat.retrieve(first.id)


def test_the_messages_of_a_stored_completion_are_its_prompt(llm):
    """Texts are its content, and parts its parts; each has an id."""
    llm.openai.replies("ok")
    parts = [{"type": "text", "text": "Look"}]
    made = stored(messages=[{"role": "system", "content": "Be brief"}, {"role": "user", "content": parts}])
    system, user = client().chat.completions.messages.list(made.id)
    assert (system.id, system.role, system.content) == (f"{made.id}-0", "system", "Be brief")
    assert (user.content, user.content_parts[0].text) == (None, "Look")


def test_a_streamed_completion_is_stored_too_and_any_other_is_not(llm):
    """Only what a request says to keep is kept."""
    llm.openai.replies("kept", "gone")
    chunks = list(stored(stream=True))
    client().chat.completions.create(model="gpt-4o", messages=HI)
    (found,) = client().chat.completions.list()
    assert (found.id, found.choices[0].message.content) == (chunks[0].id, "kept")


@pytest.mark.parametrize("after", [None, 3])
def test_a_response_is_read_again_as_a_stream(llm, after):
    """The events are those of its making, from any of them on."""
    llm.openai.replies("Paris it is")
    asked = {"model": "gpt-4o", "input": "Hi"}
    events = list(client().responses.create(**asked, stream=True))
    more = {} if after is None else {"starting_after": after}
    again = list(client().responses.retrieve(events[0].response.id, stream=True, **more))
    assert again == events[0 if after is None else after + 1 :]


def test_a_legacy_completion_is_answered_by_the_script(llm):
    """Text, usage and price are those of a scripted answer."""
    llm.openai.replies(" Paris")
    said = client().completions.create(model=INSTRUCT, prompt="The capital of France is")
    assert (said.object, said.choices[0].text, said.choices[0].finish_reason) == ("text_completion", " Paris", "stop")
    (event,) = llm.trace.of(RequestAnswered)
    assert event.usage.output_tokens == said.usage.completion_tokens
    assert (event.operation, event.cost_usd > 0) == ("completions", True)


def test_a_legacy_completion_has_sixteen_tokens_where_nobody_asks_for_more(llm):
    """The limit that this API has by itself cuts a scripted answer as the real one."""
    llm.openai.replies("word " * 40, "word " * 40)
    short = client().completions.create(model=INSTRUCT, prompt="Hi")
    assert (short.choices[0].finish_reason, short.usage.completion_tokens) == ("length", 16)
    assert client().completions.create(model=INSTRUCT, prompt="Hi", max_tokens=99).choices[0].finish_reason == "stop"


def test_a_legacy_completion_repeats_its_prompt_and_tells_how_likely_words_were(llm):
    """`echo` puts the prompt first, and of its first word nobody knows."""
    llm.openai.replies(" Paris")
    said = client().completions.create(model=INSTRUCT, prompt="It is", echo=True, logprobs=2).choices[0]
    assert said.text == "It is Paris"
    assert "".join(said.logprobs.tokens) == said.text
    assert said.logprobs.token_logprobs[0] is None
    assert [said.text.index(token) for token in said.logprobs.tokens] == said.logprobs.text_offset
    assert {len(each) for each in said.logprobs.top_logprobs} == {2}


def test_several_prompts_have_several_answers_each(llm):
    """`n` answers for each prompt come back, and the better half of `best_of` alone; all of them are billed."""
    llm.openai.replies("a", "a")
    said = client().completions.create(model=INSTRUCT, prompt=["x", "y"], n=2, echo=True)
    assert [(each.index, each.text) for each in said.choices] == [(0, "xa"), (1, "xa"), (2, "ya"), (3, "ya")]
    best = client().completions.create(model=INSTRUCT, prompt="x", best_of=3, suffix="z")
    assert (len(best.choices), best.usage.completion_tokens) == (1, 3)


def test_a_prompt_of_numbers_has_as_many_tokens(llm):
    """A tokenised prompt is counted, not read."""
    llm.openai.replies("a", "a")
    short, long = (
        client().completions.create(model=INSTRUCT, prompt=list(range(count))).usage.prompt_tokens for count in (3, 13)
    )
    assert long - short == 10


def test_a_legacy_completion_is_streamed(llm):
    """Both clients read the pieces, the reason of the end, and the usage."""
    llm.openai.replies("one two", "one two")
    asked = {"model": INSTRUCT, "prompt": "Hi", "stream": True, "stream_options": {"include_usage": True}}
    chunks = list(client().completions.create(**asked))
    assert [each.choices[0].text for each in chunks[:-1]] == ["one", " two", ""]
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage.completion_tokens == 2

    async def read():
        return [each async for each in await openai.AsyncOpenAI().completions.create(**asked)]

    assert [each.choices for each in asyncio.run(read())] == [each.choices for each in chunks]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (faults.RateLimited(5), openai.RateLimitError),
        (faults.ConnectionReset(), openai.APIConnectionError),
        (faults.StreamError(after_chunks=1), openai.APIError),
    ],
)
def test_a_legacy_completion_fails_as_any_other_request(llm, fault, error):
    """Faults strike it, inside a stream too."""
    llm.openai.fails(fault)
    with pytest.raises(error):
        list(client().completions.create(model=INSTRUCT, prompt="Hi", stream=True))


@pytest.mark.parametrize(
    ("fields", "kind", "words"),
    [
        ({"model": "gpt-4o"}, openai.NotFoundError, "This is a chat model and not supported"),
        ({"n": 3, "best_of": 2}, openai.BadRequestError, "You requested that the server return more choices"),
        ({"logprobs": 6}, openai.BadRequestError, "'logprobs'"),
        ({"prompt": {}}, openai.BadRequestError, "Invalid type for 'prompt'"),
    ],
)
def test_a_legacy_completion_that_openai_refuses_is_refused(llm, fields, kind, words):
    """No step is played for it."""
    llm.openai.replies("unplayed", optional=True)
    with pytest.raises(kind, match=words):
        client().completions.create(**{"model": INSTRUCT, "prompt": "Hi", **fields})
    assert len(llm.openai.requests) == 1


def test_a_tool_call_is_no_answer_to_a_prompt():
    """The script is wrong, and the test is told so."""

    def ask():
        with Simulation() as llm_sim:
            llm_sim.openai.calls_tool("look")
            client().completions.create(model=INSTRUCT, prompt="Hi")

    with pytest.raises(SimulationStateError, match="a legacy completion is a text and calls no tool"):
        ask()


def test_moderations_flag_nothing_and_say_the_same_again(llm):
    """Scores depend on the input alone; a list has a result for each text, and parts have one together."""
    create = client().moderations.create
    first, again = create(input="Hi"), create(input="Hi")
    assert first.results == again.results
    assert not first.results[0].flagged
    assert 0 < first.results[0].category_scores.violence < 0.01
    assert [len(create(input=given).results) for given in (["a", "b"], [{"type": "text", "text": "a"}])] == [2, 1]
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    seen = create(input=[image], model="omni-moderation-latest").results[0]
    assert seen.category_applied_input_types.violence == ["image"]
    assert (seen.category_applied_input_types.hate, seen.category_scores.hate) == ([], 0.0)
    assert {event.cost_usd for event in llm.trace.of(RequestAnswered)} == {None}
    assert not any(event.billed for event in llm.trace.of(RequestAnswered))


def test_a_script_flags_what_it_wants(llm):
    """JSON of one's own takes the place of the default."""
    result = {"flagged": True, "categories": {"violence": True}, "category_scores": {"violence": 0.9}}
    llm.openai.on("POST", "/v1/moderations").replies(Json({"id": "m", "model": "x", "results": [result]}))
    assert client().moderations.create(input="Hi").results[0].flagged
    assert not client().moderations.create(input="Hi").results[0].flagged


def size_of(png):
    """Width and height of a picture, every part of which is sound."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    place, found = 8, {}
    while place < len(png):
        length, kind = struct.unpack(">I4s", png[place : place + 8])
        data, (check,) = png[place + 8 : place + 8 + length], struct.unpack(">I", png[place + 8 + length :][:4])
        assert zlib.crc32(kind + data) == check
        found[kind] = data
        place += 12 + length
    width, height = struct.unpack(">II", found[b"IHDR"][:8])
    assert len(zlib.decompress(found[b"IDAT"])) == height * (1 + (width + 7) // 8)
    return width, height


def test_images_have_the_size_that_is_asked_for_and_are_billed(llm):
    """A picture is a sound PNG, the same for the same prompt, at the price of its tokens."""
    generate = client().images.generate
    asked = {"prompt": "a cat", "model": "gpt-image-1", "size": "1536x1024", "quality": "low", "n": 2}
    made, again = generate(**asked), generate(**asked)
    assert [size_of(base64.b64decode(each.b64_json)) for each in made.data] == [(1536, 1024)] * 2
    assert (made.data, made.usage.output_tokens) == (again.data, 816)
    assert made.data[0] != made.data[1] != generate(**{**asked, "prompt": "a dog"}).data[1]
    event = llm.trace.of(RequestAnswered)[0]
    assert (event.usage.output_tokens, event.cost_usd > 0) == (816, True)


def test_images_of_an_older_model_are_addresses_of_unknown_price(llm):
    """DALL-E is paid by the picture: what that costs is unknown, never nothing."""
    made = client().images.generate(prompt="a cat", model="dall-e-3").data[0]
    assert (made.url.startswith("https://"), made.revised_prompt) == (True, "a cat")
    seen = client().images.generate(prompt="a cat", model="dall-e-2", size="256x256", response_format="b64_json")
    assert size_of(base64.b64decode(seen.data[0].b64_json)) == (256, 256)
    event = llm.trace.of(RequestAnswered)[0]
    assert (event.billed, event.cost_usd) == (True, None)


def test_images_are_edited_and_varied(llm):
    """The pictures that come with a request count as its input."""
    image = ("a.png", b"png", "image/png")
    edited = client().images.edit(image=[image, image], prompt="more", model="gpt-image-1")
    assert edited.usage.input_tokens_details.image_tokens == 646
    with pytest.warns(DeprecationWarning, match="deprecated"):
        assert len(client().images.create_variation(image=image, n=2).data) == 2
    assert [request.operation for request in llm.openai.requests] == ["images.edit", "images.variation"]


@pytest.mark.parametrize("form", ["png", "jpeg", "webp"])
def test_images_are_streamed_in_parts(llm, form):
    """As many unfinished pictures come before the last one as are asked for."""
    asked = {"prompt": "a cat", "model": "gpt-image-1", "stream": True, "partial_images": 2, "output_format": form}
    events = list(client().images.generate(**asked))
    assert [each.type.split(".")[1] for each in events] == ["partial_image", "partial_image", "completed"]
    assert [each.partial_image_index for each in events[:2]] == [0, 1]
    start = {"png": b"\x89PNG", "jpeg": b"\xff\xd8\xff", "webp": b"RIFF"}[form]
    assert base64.b64decode(events[-1].b64_json).startswith(start)
    assert events[-1].usage.total_tokens == llm.openai.requests[0].usage.total_tokens


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"size": "huge"}, "Invalid value: 'huge'"),
        ({"n": 11}, "Invalid 'n': integer above maximum value"),
        ({"prompt": None}, "Missing required parameter: 'prompt'."),
        ({"model": "dall-e-2", "quality": "hd"}, "Unknown parameter: 'quality'."),
    ],
)
def test_images_that_openai_refuses_are_refused(llm, fields, words):
    """What the real API refuses is refused in its words."""
    with pytest.raises(openai.BadRequestError, match=words):
        client().images.generate(**{"prompt": "a cat", "model": "gpt-image-1", **fields})
    assert llm.openai.requests[0].outcome == "400"


@pytest.mark.parametrize(
    ("form", "start"),
    [
        ("mp3", b"\xff\xf3"),
        ("wav", b"RIFF"),
        ("flac", b"fLaC"),
        ("opus", b"OggS"),
        ("aac", b"\xff\xf1"),
        ("pcm", b"\0\0"),
    ],
)
def test_speech_is_silence_in_the_form_that_is_asked_for(llm, form, start):
    """Bytes of the right format come with its content type."""
    said = client().audio.speech.create(
        input="Hello there, this is a test", model="tts-1", voice="alloy", response_format=form
    )
    assert said.content.startswith(start)
    kind = {"mp3": "mpeg"}.get(form, form)
    assert said.response.headers["content-type"] == f"audio/{kind}"
    assert llm.trace.of(RequestAnswered)[0].cost_usd is None


def test_speech_lasts_as_long_as_its_text(llm):
    """Thirty letters take two seconds, at twice the speed one."""
    for speed, seconds in ((1.0, 2.0), (2.0, 1.0)):
        asked = {"model": "tts-1", "voice": "alloy", "response_format": "wav", "speed": speed}
        with client().audio.speech.with_streaming_response.create(input="x" * 30, **asked) as said:
            data = said.read()
        with wave.open(io.BytesIO(data)) as sound:
            assert sound.getnframes() / sound.getframerate() == seconds
    assert llm.openai.received == 2


def test_speech_comes_as_events_with_its_usage_and_price(llm):
    """The newer model is billed by tokens."""
    asked = {"model": "gpt-4o-mini-tts", "voice": "alloy", "stream_format": "sse"}
    with client().audio.speech.with_streaming_response.create(input="Hello there", **asked) as said:
        lines = [line for line in said.iter_lines() if line]
    assert "speech.audio.delta" in lines[0]
    assert "speech.audio.done" in lines[-1]
    assert llm.trace.of(RequestAnswered)[0].cost_usd > 0
    assert llm.trace.of(RequestReceived)[0].operation == "audio.speech"


def test_a_transcript_comes_in_every_form(llm):
    """JSON, text, subtitles of two kinds and segments say the same."""
    asked = {"file": ("talk.mp3", bytes(32_000)), "model": "whisper-1"}
    create = client().audio.transcriptions.create
    text = create(**asked).text
    assert text == "This is what was heard in talk.mp3."
    assert create(**asked, response_format="text") == f"{text}\n"
    assert create(**asked, response_format="srt").startswith(f"1\n00:00:00,000 --> 00:00:02,000\n{text}\n")
    assert create(**asked, response_format="vtt").startswith("WEBVTT\n\n00:00:00.000 --> 00:00:02.000\n")
    told = create(**asked, response_format="verbose_json", timestamp_granularities=["word", "segment"])
    assert (told.duration, told.segments[0].end, told.words[-1].end) == (2.0, 2.0, 2.0)
    assert {event.cost_usd for event in llm.trace.of(RequestAnswered)} == {None}


def test_a_transcript_is_streamed(llm):
    """Pieces of the text come before all of it; the older model streams nothing."""
    asked = {"file": ("talk.wav", b"x"), "stream": True}
    events = list(client().audio.transcriptions.create(**asked, model="gpt-4o-transcribe"))
    assert "".join(event.delta for event in events[:-1]) == events[-1].text
    assert events[-1].usage.total_tokens == llm.openai.requests[0].usage.total_tokens


def test_a_script_says_what_was_heard(llm):
    """JSON or bytes of one's own take the place of the default, and both clients read them."""
    llm.openai.on("POST", "/v1/audio/transcriptions").replies(Json({"text": "Hello"}), Raw(body="Hello\n"))
    asked = {"file": ("talk.mp3", b"x"), "model": "whisper-1"}

    async def hear():
        return await openai.AsyncOpenAI().audio.transcriptions.create(**asked)

    assert asyncio.run(hear()).text == "Hello"
    assert client().audio.transcriptions.create(**asked, response_format="text") == "Hello\n"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"file": ("a.txt", b"x")}, "Unrecognized file format. Supported formats: "),
        ({"file": ("a.mp3", b"")}, "Audio file is too short"),
        ({"model": "gpt-4o-transcribe", "response_format": "srt"}, "response_format 'srt' is not compatible with"),
    ],
)
def test_sounds_that_openai_refuses_are_refused(llm, fields, words):
    """Format, length and the form of the transcript are checked."""
    with pytest.raises(openai.BadRequestError, match=words):
        client().audio.transcriptions.create(**{"file": ("a.mp3", b"x"), "model": "whisper-1", **fields})
    assert llm.openai.requests[0].outcome == "400"


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
def test_a_translation_is_english(llm):
    """It has the forms of a transcript."""
    asked = {"file": ("talk.mp3", b"x"), "model": "whisper-1"}
    assert client().audio.translations.create(**asked).text == "This is what was heard in talk.mp3."
    assert client().audio.translations.create(**asked, response_format="verbose_json").language == "english"
    assert llm.openai.received == 2


def test_a_model_that_was_trained_is_deleted(llm):
    """Only a caller's own model can be; all others are not theirs to delete."""
    assert client().models.delete("ft:gpt-4o-mini:me::1").deleted
    with pytest.raises(openai.NotFoundError, match="The model 'gpt-4o' does not exist"):
        client().models.delete("gpt-4o")
    assert llm.openai.received == 2


def test_services_are_limited_faulted_and_slow_like_all_requests(llm):
    """Quotas, faults and latencies are those of every request."""
    llm.openai.latency(2.0).limits(rpm=2).on("POST", "/v1/moderations").fails(faults.ServerError(503))
    with pytest.raises(openai.InternalServerError):
        client().moderations.create(input="Hi")
    assert client().audio.speech.create(input="Hi", model="tts-1", voice="alloy").content
    assert llm.clock.elapsed() == 2.0
    with pytest.raises(openai.RateLimitError):
        client().moderations.create(input="Hi")


def test_a_stream_of_a_service_breaks_where_a_fault_says(llm):
    """A client sees the pieces before the break, and then the break."""
    llm.openai.on("POST", "/v1/audio/transcriptions").fails(faults.StreamDropped(after_chunks=2))
    asked = {"file": ("talk.wav", b"x"), "stream": True, "model": "gpt-4o-transcribe"}
    heard = []
    with pytest.raises(openai.APIConnectionError):
        heard.extend(event.delta for event in client().audio.transcriptions.create(**asked))
    assert llm.openai.requests[0].outcome == "dropped"
