"""OpenAI's own voices, by its SDK: consents are kept, renamed, listed and deleted, and voices are made by them."""

import openai
import pytest

from llmtest import Simulation, faults

SOUND = ("me.wav", b"RIFF----WAVE", "audio/wav")


@pytest.fixture
def llm():
    """A simulation."""
    with Simulation() as llm_sim:
        yield llm_sim


@pytest.fixture
def client(llm):
    """OpenAI's SDK, which asks once."""
    del llm
    return openai.OpenAI(api_key="k", max_retries=0)


def consent(client, name="Me"):
    """Hand a recording over."""
    return client.audio.voice_consents.create(language="en-US", name=name, recording=SOUND)


def test_a_consent_is_kept_renamed_and_deleted(llm, client):
    """What was said of it comes back, until it is gone."""
    made = consent(client)
    assert (made.object, made.name, made.language) == ("audio.voice_consent", "Me", "en-US")
    assert made.id.startswith("cons_")
    assert client.audio.voice_consents.update(made.id, name="Myself").name == "Myself"
    assert client.audio.voice_consents.retrieve(made.id).name == "Myself"
    assert client.audio.voice_consents.delete(made.id).deleted
    with pytest.raises(openai.NotFoundError, match=f"No such voice consent: {made.id}"):
        client.audio.voice_consents.retrieve(made.id)
    assert llm.costs.total_usd == 0


def test_consents_are_listed_page_by_page(client):
    """The latest first; the SDK turns the pages."""
    made = [consent(client, name=str(number)).id for number in range(3)]
    page = client.audio.voice_consents.list(limit=2)
    assert [each.id for each in page.data] == [made[2], made[1]]
    assert [each.id for each in client.audio.voice_consents.list(limit=2)] == made[::-1]


def test_voices_are_made_and_deleted(client):
    """Of a sample with a consent, or of a description."""
    sample = client.audio.voices.create(audio_sample=SOUND, consent=consent(client).id, name="Mine")
    told = client.audio.voices.create(name="Deep", prompt="A deep voice", type="prompt")
    assert (sample.type, sample.object, sample.prompt) == ("audio_sample", "audio.voice", None)
    assert (told.type, told.prompt) == ("prompt", "A deep voice")
    gone = client.audio.voices.delete(sample.id)
    assert (gone.id, gone.deleted, gone.object) == (sample.id, True, "audio.voice.deleted")
    with pytest.raises(openai.NotFoundError, match="No such voice: "):
        client.audio.voices.delete(sample.id)


@pytest.mark.parametrize(
    ("fields", "error", "text"),
    [
        (
            {"audio_sample": SOUND, "name": "x", "consent": "cons_0"},
            openai.NotFoundError,
            "No such voice consent: cons_0",
        ),
        ({"name": "x", "prompt": " ", "type": "prompt"}, openai.BadRequestError, "Invalid 'prompt'"),
        ({"name": "x", "prompt": "y", "type": "poem"}, openai.BadRequestError, "Supported values are: 'audio_sample'"),
        (
            {"audio_sample": ("a.txt", b"hi", "text/plain"), "name": "x", "consent": "c"},
            openai.BadRequestError,
            "Invalid value: 'text/plain'",
        ),
    ],
    ids=["consent", "prompt", "type", "sound"],
)
def test_what_openai_refuses_is_refused(client, fields, error, text):
    """Each with the field that is wrong."""
    with pytest.raises(error, match=text):
        client.audio.voices.create(**fields)


def test_they_meet_faults_as_all_requests_do(llm, client):
    """A rate limit strikes here as well."""
    llm.openai.on("POST", "/v1/audio/voices").fails(faults.RateLimited())
    with pytest.raises(openai.RateLimitError):
        client.audio.voices.create(name="Deep", prompt="A deep voice", type="prompt")
