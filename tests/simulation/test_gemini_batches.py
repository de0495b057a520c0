"""Gemini's batches, by Google's own SDK: virtual time, answers of the script, at half the price."""

import asyncio
import warnings

import pytest
from google import genai
from google.genai import errors, types

from llmtest import Simulation, faults

MODEL = "gemini-2.5-flash"


@pytest.fixture
def llm():
    """A simulation."""
    with Simulation() as llm_sim:
        yield llm_sim


@pytest.fixture(params=["v1beta", "v1"])
def client(request, llm):
    """Google's SDK, by both versions of the API."""
    del llm
    return genai.Client(api_key="k", http_options=types.HttpOptions(api_version=request.param))


def inlined(*texts):
    """Return the requests of a batch, one a text, called as it says."""
    return [
        types.InlinedRequest(
            contents=text, metadata={"key": text}, config=types.GenerateContentConfig(system_instruction="Be brief.")
        )
        for text in texts
    ]


def made(client, *texts):
    """Hand requests over."""
    return client.batches.create(model=MODEL, src=inlined(*texts), config={"display_name": "cities"})


def answers(job):
    """Return the text of each answer, or the code of its error, by what the request was called."""
    return {
        each.metadata["key"]: each.response.text if each.response else each.error.code
        for each in job.dest.inlined_responses
    }


def test_f025_a_batch_is_on_its_way_and_ends_in_virtual_time(llm, client):
    """It is running, then it has succeeded; its answers are in it, in their order."""
    llm.gemini.batches(takes="10m").replies("Paris", "Rome")
    job = made(client, "one", "two")
    assert (job.state.name, job.model, job.display_name) == ("JOB_STATE_RUNNING", f"models/{MODEL}", "cities")
    assert job.name.startswith("batches/")
    llm.clock.advance(400)
    running = client.batches.get(name=job.name)
    assert (running.state.name, running.dest, running.done) == ("JOB_STATE_RUNNING", None, False)
    llm.clock.advance(200)
    ended = client.batches.get(name=job.name)
    assert (ended.state.name, ended.done) == ("JOB_STATE_SUCCEEDED", True)
    assert (ended.end_time - ended.create_time).total_seconds() == 600
    assert answers(ended) == {"one": "Paris", "two": "Rome"}
    assert [each.request.messages[0].text for each in llm.gemini.requests if each.request] == ["Be brief."] * 2


def test_f025_a_batch_costs_half(llm, client):
    """The same answer costs half as much in a batch."""
    llm.gemini.replies("Paris", times=2)
    config = types.GenerateContentConfig(system_instruction="Be brief.")
    client.models.generate_content(model=MODEL, contents="hi", config=config)
    alone = llm.costs.total_usd
    job = made(client, "hi")
    llm.clock.advance(60)
    client.batches.get(name=job.name)
    assert llm.costs.total_usd == alone + alone / 2 > 0


def test_f025_a_request_that_fails_has_its_error(llm, client):
    """It has the number of its kind, beside the answers of the others."""
    llm.gemini.echoes()
    llm.gemini.when(prompt_contains="two").fails(faults.RateLimited())
    llm.gemini.when(prompt_contains="three").fails(faults.Timeout())
    job = made(client, "one", "two", "three")
    llm.clock.advance(60)
    assert answers(client.batches.get(name=job.name)) == {"one": "one", "two": 8, "three": 13}


def test_f025_a_batch_is_called_off_listed_and_deleted(llm, client):
    """What was answered by then stays; a list is turned over page by page; what is deleted is gone."""
    llm.gemini.batches(takes="10m").echoes()
    job = made(client, "one", "two")
    client.batches.cancel(name=job.name)
    llm.clock.advance(10)
    ended = client.batches.get(name=job.name)
    assert (ended.state.name, answers(ended)) == ("JOB_STATE_CANCELLED", {"one": 1, "two": 1})
    others = [made(client, "three") for _ in range(2)]
    listed = [each.name for each in client.batches.list(config={"page_size": 2})]
    assert listed == [others[1].name, others[0].name, job.name]
    client.batches.delete(name=job.name)
    with pytest.raises(errors.ClientError) as caught:
        client.batches.get(name=job.name)
    assert (caught.value.code, caught.value.message) == (404, "Requested entity was not found.")


def test_a_batch_that_takes_too_long_expires(llm, client):
    """After two days there is nothing to read."""
    llm.gemini.batches(takes="72h").echoes()
    job = made(client, "one")
    llm.clock.advance(48 * 3600)
    ended = client.batches.get(name=job.name)
    assert (ended.state.name, ended.dest) == ("JOB_STATE_EXPIRED", None)


def test_f025_embeddings_in_batches(llm, client):
    """Each text has its vector."""
    source = types.EmbeddingsBatchJobSource(inlined_requests=types.EmbedContentBatch(contents=["one", "two"]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the SDK calls it experimental
        job = client.batches.create_embeddings(model="gemini-embedding-001", src=source)
    llm.clock.advance(60)
    ended = client.batches.get(name=job.name)
    found = [each.response.embedding.values for each in ended.dest.inlined_embed_content_responses]
    alone = client.models.embed_content(model="gemini-embedding-001", contents="one").embeddings[0].values
    assert (len(found), found[0] == alone, found[0] == found[1]) == (2, True, False)


@pytest.mark.parametrize(
    ("source", "code", "message"),
    [
        pytest.param("files/cities", 403, "access the File cities or it may not exist", id="file"),
        pytest.param([], 400, "input_config is not specified", id="nothing"),
    ],
)
def test_what_google_refuses_is_refused(llm, client, source, code, message):
    """A file that nobody has uploaded, and a batch of nothing."""
    with pytest.raises(errors.ClientError, match=message) as caught:
        client.batches.create(model=MODEL, src=source)
    assert caught.value.code == code
    assert len(llm.gemini.requests) == 1


@pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")
def test_f025_on_an_event_loop_too(llm):
    """Google's asynchronous client reads the same."""
    llm.gemini.echoes()

    async def story():
        client = genai.Client(api_key="k").aio
        job = await client.batches.create(model=MODEL, src=inlined("one"))
        await asyncio.sleep(60)
        return answers(await client.batches.get(name=job.name))

    assert llm.run(story()) == {"one": "one"}
