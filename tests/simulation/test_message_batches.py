"""Anthropic's message batches, by its own SDK: virtual time, answers of the script, at half the price."""

import asyncio

import anthropic
import httpx2
import pytest

from llmtest import Reply, Simulation, faults
from llmtest.errors import UnscriptedRequestError
from llmtest.testing import check_dialect
from llmtest.wire import dialects

MODEL = "claude-opus-5"


@pytest.fixture
def llm():
    """A simulation."""
    with Simulation() as llm_sim:
        yield llm_sim


@pytest.fixture
def client(llm):
    """Anthropic's SDK, which asks once."""
    del llm
    return anthropic.Anthropic(api_key="k", max_retries=0)


def params(text="hi", **fields):
    """Return what one request of a batch asks for."""
    return {"model": MODEL, "max_tokens": 64, "messages": [{"role": "user", "content": text}], **fields}


def requests(*texts):
    """Return the requests of a batch, one a text, called as it says."""
    return [{"custom_id": text, "params": params(text)} for text in texts]


def counts(batch):
    """Return how many requests are where, without zeros."""
    return {name: number for name, number in batch.request_counts.to_dict().items() if number}


def results(client, batch):
    """Return what became of each request, by what the caller calls it."""
    return {each.custom_id: each.result for each in client.messages.batches.results(batch.id)}


def test_f025_a_batch_is_on_its_way_and_ends_in_virtual_time(llm, client):
    """Counts stay at `processing` until all of it has ended; then the results are there, in their order."""
    llm.anthropic.batches(takes="10m").replies("Paris", "Rome")
    batch = client.messages.batches.create(requests=requests("one", "two"))
    assert (batch.processing_status, counts(batch), batch.results_url) == ("in_progress", {"processing": 2}, None)
    assert (batch.expires_at - batch.created_at).total_seconds() == 86_400
    llm.clock.advance(400)
    assert counts(client.messages.batches.retrieve(batch.id)) == {"processing": 2}
    with pytest.raises(anthropic.AnthropicError, match="Has it finished"):
        client.messages.batches.results(batch.id)
    llm.clock.advance(200)
    ended = client.messages.batches.retrieve(batch.id)
    assert (ended.processing_status, counts(ended)) == ("ended", {"succeeded": 2})
    assert (ended.ended_at - ended.created_at).total_seconds() == 600
    assert ended.results_url == f"https://api.anthropic.com/v1/messages/batches/{batch.id}/results"
    found = results(client, batch)
    assert [each.message.content[0].text for each in found.values()] == ["Paris", "Rome"]
    assert found["one"].message.usage.service_tier == "batch"


def test_f025_a_batch_costs_half(llm, client):
    """The same answer costs half as much in a batch."""
    llm.anthropic.replies("Paris", times=2)
    client.messages.create(**params())
    alone = llm.costs.total_usd
    batch = client.messages.batches.create(requests=requests("hi"))
    llm.clock.advance(60)
    client.messages.batches.retrieve(batch.id)
    assert llm.costs.total_usd == alone + alone / 2 > 0


def test_a_request_of_a_batch_fails_as_it_would_alone(llm, client):
    """Faults and refusals are errors of that request, and of no other."""
    asked = llm.anthropic.when(operation="chat")
    asked.fails(faults.Overloaded()).replies("Rome").fails(faults.Timeout())
    wrong = {"custom_id": "wrong", "params": {"model": MODEL, "messages": []}}
    batch = client.messages.batches.create(requests=[*requests("busy", "fine", "late"), wrong])
    llm.clock.advance(60)
    assert counts(client.messages.batches.retrieve(batch.id)) == {"succeeded": 1, "errored": 3}
    found = results(client, batch)
    assert found["busy"].error.error.type == "overloaded_error"
    assert found["busy"].error.request_id.startswith("req_")
    assert found["late"].error.error.type == "api_error"
    assert found["wrong"].error.error.message == "max_tokens: Field required"


def test_a_request_without_a_step_is_told_once(llm, client):
    """The harness error comes once; afterwards the batch can be looked at, and the request has failed."""
    batch = client.messages.batches.create(requests=requests("one"))
    llm.clock.advance(60)
    with pytest.raises(UnscriptedRequestError):
        client.messages.batches.retrieve(batch.id)
    assert counts(client.messages.batches.retrieve(batch.id)) == {"errored": 1}
    assert results(client, batch)["one"].type == "errored"
    llm.world.harness_errors.clear()


def test_a_batch_that_is_called_off_keeps_what_was_done(llm, client):
    """It is canceling first, then ended; what was not begun is canceled."""
    llm.anthropic.batches(takes=100).replies("Paris", times=1)
    batch = client.messages.batches.create(requests=requests("one", "two"))
    llm.clock.advance(60)
    going = client.messages.batches.cancel(batch.id)
    assert (going.processing_status, counts(going)) == ("canceling", {"processing": 2})
    assert going.cancel_initiated_at is not None
    llm.clock.advance(5)
    ended = client.messages.batches.retrieve(batch.id)
    assert (ended.processing_status, counts(ended)) == ("ended", {"succeeded": 1, "canceled": 1})
    assert results(client, batch)["two"].type == "canceled"
    with pytest.raises(anthropic.BadRequestError, match="already ended"):
        client.messages.batches.cancel(batch.id)


def test_a_batch_that_takes_longer_than_a_day_expires(llm, client):
    """What was not done by then has expired."""
    llm.anthropic.batches(takes="48h").replies("Paris")
    batch = client.messages.batches.create(requests=requests("one", "two"))
    llm.clock.advance(90_000)
    ended = client.messages.batches.retrieve(batch.id)
    assert (counts(ended), ended.ended_at) == ({"succeeded": 1, "expired": 1}, ended.expires_at)
    assert results(client, batch)["two"].type == "expired"


def test_batches_are_listed_latest_first_page_by_page(llm, client):
    """The SDK turns the pages in both directions."""
    made = [client.messages.batches.create(requests=requests("hi")).id for _ in range(5)]
    first = client.messages.batches.list(limit=2)
    assert ([each.id for each in first.data], first.has_more) == (made[:2:-1], True)
    assert [each.id for each in client.messages.batches.list(limit=2)] == made[::-1]
    back = client.messages.batches.list(limit=2, before_id=made[0])
    assert ([each.id for each in back.data], back.has_more) == ([made[2], made[1]], True)
    assert client.messages.batches.list(after_id="msgbatch_nobody").data == []


def test_a_batch_is_deleted_once_it_has_ended(llm, client):
    """Not before; afterwards it is not found."""
    llm.anthropic.replies("Paris")
    batch = client.messages.batches.create(requests=requests("hi"))
    with pytest.raises(anthropic.BadRequestError, match="still processing"):
        client.messages.batches.delete(batch.id)
    llm.clock.advance(60)
    assert client.messages.batches.delete(batch.id).type == "message_batch_deleted"
    with pytest.raises(anthropic.NotFoundError):
        client.messages.batches.retrieve(batch.id)
    llm.strict = False


def test_beta_batches_are_the_same_and_their_betas_count_for_each_request(llm, client):
    """`client.beta.messages.batches` creates, reads and pages; a beta allows its fields in every request."""
    llm.anthropic.replies("Paris")
    asked = [{"custom_id": "a", "params": params(context_management={"edits": []})}]
    batch = client.beta.messages.batches.create(requests=asked, betas=["context-management-2025-06-27"])
    llm.clock.advance(60)
    assert counts(client.beta.messages.batches.retrieve(batch.id)) == {"succeeded": 1}
    (line,) = client.beta.messages.batches.results(batch.id)
    assert line.result.message.content[0].text == "Paris"


def test_a_batch_is_waited_for_asynchronously(llm):
    """A loop that polls ends at once, for time is virtual."""

    async def run():
        async with anthropic.AsyncAnthropic(api_key="k") as client:
            batch = await client.messages.batches.create(requests=requests("one"))
            while batch.processing_status != "ended":
                await asyncio.sleep(60)
                batch = await client.messages.batches.retrieve(batch.id)
            return [
                each.result.message.content[0].text async for each in await client.messages.batches.results(batch.id)
            ]

    llm.anthropic.batches(takes="1h").replies(Reply("Paris"))
    assert llm.run(run()) == ["Paris"]
    assert llm.clock.elapsed() == 3600.0


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "requests: Field required"),
        ({"requests": "x"}, "requests: Input should be a valid list"),
        ({"requests": []}, "requests: List should have at least 1 item after validation, not 0"),
        ({"requests": [3]}, "requests.0: Input should be a valid dictionary or object to extract fields from"),
        ({"requests": [{"params": {}}]}, "requests.0.custom_id: Field required"),
        ({"requests": [{"custom_id": "a"}]}, "requests.0.params: Field required"),
        ({"requests": [{"custom_id": 3, "params": {}}]}, "requests.0.custom_id: Input should be a valid string"),
        (
            {"requests": [{"custom_id": "a b", "params": {}}]},
            "requests.0.custom_id: String should match pattern '^[a-zA-Z0-9_-]{1,64}$'",
        ),
        (
            {"requests": [{"custom_id": "a", "params": 3}]},
            "requests.0.params: Input should be a valid dictionary or object to extract fields from",
        ),
        ({"requests": requests("a", "a")}, "requests.1.custom_id: Duplicate custom_id 'a'"),
        ({"requests": requests("a"), "more": 1}, "more: Extra inputs are not permitted"),
    ],
)
def test_a_batch_that_cannot_be_is_refused(llm, body, told):
    """The whole batch is refused for its form; what its requests ask for is looked at later."""
    del llm
    answer = httpx2.post("https://api.anthropic.com/v1/messages/batches", json=body)
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, told)


@pytest.mark.parametrize(("limit", "told"), [("0", "greater"), ("1001", "less"), ("x", "valid integer")])
def test_a_page_of_no_size_is_refused(llm, limit, told):
    """Pages have from 1 to 1000 entries, of batches as of models."""
    del llm
    for path in ("messages/batches", "models", "files"):
        answer = httpx2.get(f"https://api.anthropic.com/v1/{path}?limit={limit}")
        assert answer.status_code == 400
        assert told in answer.json()["error"]["message"]


def test_results_are_found_on_a_port_too(llm_server):
    """Where a server answers, the address of the results leads back to it, below a provider's own name too."""
    llm_server.anthropic.batches(takes=0.001).replies("Paris")
    llm_server.provider("mine", dialect="anthropic").batches(takes=0.001).replies("Rome")
    for below, text in (("", "Paris"), ("/mine", "Rome")):
        client = anthropic.Anthropic(api_key="k", base_url=llm_server.base_url + below, max_retries=0)
        batch = client.messages.batches.create(requests=requests("hi"))
        while batch.processing_status != "ended":
            batch = client.messages.batches.retrieve(batch.id)
        assert batch.results_url.startswith(f"{llm_server.base_url}{below}/v1/messages/batches/")
        assert results(client, batch)["hi"].message.content[0].text == text


def test_models_are_listed_page_by_page(llm, client):
    """The SDK turns the pages of the list of models."""
    del llm
    names = [each.id for each in client.models.list(limit=1)]
    assert len(names) == len(set(names)) >= 2
    assert client.models.list(limit=1).has_more
    assert client.models.list(after_id=names[0]).data[0].id == names[1]
    first = client.models.list().data[0]
    assert (first.lifecycle, first.line) == ("active", "sonnet")


def test_the_dialect_conforms_with_all_of_it():
    """What everything relies on holds for the new endpoints too."""
    check_dialect(dialects()["anthropic"])
