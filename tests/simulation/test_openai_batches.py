"""OpenAI's batches and files, simulated: the official SDK uploads, waits in virtual time, and reads the results."""

import asyncio
import json
from decimal import Decimal
from functools import cache

import openai
import pytest

from llmtest import Simulation, faults
from llmtest.events import RequestAnswered

CHAT = "/v1/chat/completions"


@pytest.fixture
def llm():
    """A simulation whose OpenAI is asked by the official SDK."""
    with Simulation() as llm_sim:
        yield llm_sim


@cache
def client():
    """The official client, without retries of its own; making one takes longer than all that is asked of it."""
    return openai.OpenAI(max_retries=0)


def lines(count, url=CHAT, **body):
    """The input of a batch: so many requests."""
    asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}], **body}
    return [{"custom_id": f"line-{place}", "method": "POST", "url": url, "body": asked} for place in range(count)]


def uploaded(rows, purpose="batch"):
    """Upload rows as a file of JSON lines."""
    data = "\n".join(map(json.dumps, rows)).encode()
    return client().files.create(file=("input.jsonl", data), purpose=purpose)


def begun(rows, endpoint=CHAT, **fields):
    """Hand a batch over."""
    file = uploaded(rows)
    return client().batches.create(input_file_id=file.id, endpoint=endpoint, completion_window="24h", **fields)


def read(file_id):
    """Read a file of results."""
    return [json.loads(line) for line in client().files.content(file_id).text.splitlines()]


def later(llm, batch, seconds):
    """Look at a batch after some virtual time."""
    llm.clock.advance(seconds)
    return client().batches.retrieve(batch.id)


def test_f025_a_batch_goes_through_its_stages_in_virtual_time(llm):
    """It is checked, worked on line by line, written out and done, each at its time, without anybody waiting."""
    llm.openai.on("POST", CHAT).replies("a", "b", "c")
    batch = begun(lines(3), metadata={"run": "1"})
    seen = [batch] + [later(llm, batch, 2) for _ in range(5)]
    assert [each.status for each in seen] == ["validating"] + ["in_progress"] * 3 + ["finalizing", "completed"]
    assert [each.request_counts.completed for each in seen] == [0, 0, 1, 2, 3, 3]
    last = seen[-1]
    made = batch.created_at
    assert (last.in_progress_at, last.finalizing_at, last.completed_at) == (made + 2, made + 8, made + 10)
    assert (last.expires_at, last.metadata, last.model) == (made + 86_400, {"run": "1"}, "gpt-4o")
    assert last.error_file_id is None
    rows = read(last.output_file_id)
    assert [row["custom_id"] for row in rows] == ["line-0", "line-1", "line-2"]
    said = [row["response"]["body"]["choices"][0]["message"]["content"] for row in rows]
    assert said == ["a", "b", "c"]
    assert last.usage.total_tokens == sum(row["response"]["body"]["usage"]["total_tokens"] for row in rows)


def test_f025_the_asynchronous_client_waits_for_a_batch_in_no_time(llm):
    """A loop that sleeps a minute between looks ends in no real time."""
    llm.openai.echoes()

    async def wait():
        asked = openai.AsyncOpenAI(max_retries=0)
        data = "\n".join(map(json.dumps, lines(2))).encode()
        file = await asked.files.create(file=("input.jsonl", data), purpose="batch")
        batch = await asked.batches.create(input_file_id=file.id, endpoint=CHAT, completion_window="24h")
        while batch.status != "completed":
            await asyncio.sleep(60)
            batch = await asked.batches.retrieve(batch.id)
        return batch, await asked.files.content(batch.output_file_id)

    batch, content = asyncio.run(wait())
    assert batch.request_counts.completed == 2
    assert [json.loads(line)["custom_id"] for line in content.text.splitlines()] == ["line-0", "line-1"]


def test_a_batch_costs_half_and_is_in_the_trace(llm):
    """Each line is a request like any other, billed at the price of batches."""
    llm.openai.on("POST", CHAT).replies("ok", "ok")
    client().chat.completions.create(model="gpt-4o", messages=lines(1)[0]["body"]["messages"])
    later(llm, begun(lines(1)), 60)
    alone, batched = llm.trace.of(RequestAnswered)[0], llm.trace.of(RequestAnswered)[3]
    assert (alone.operation, batched.operation) == ("chat", "chat")
    assert batched.usage == alone.usage
    assert batched.cost_usd == alone.cost_usd / 2 > Decimal(0)
    assert batched.service_tier == "batch"


def test_a_line_that_fails_is_in_the_file_of_errors(llm):
    """A fault, a refusal and a broken connection are errors of their lines alone."""
    llm.openai.on("POST", CHAT).replies("ok").fails(faults.RateLimited(5)).fails(faults.ConnectionReset())
    rows = [*lines(3), {**lines(4)[3], "body": {"model": "gpt-4o", "messages": []}}]
    batch = later(llm, begun(rows), 60)
    counts = batch.request_counts
    assert (batch.status, counts.total, counts.completed, counts.failed) == ("completed", 4, 1, 3)
    limited, broken, refused = read(batch.error_file_id)
    assert limited["response"]["status_code"] == 429
    assert limited["response"]["body"]["error"]["code"] == "rate_limit_exceeded"
    assert (broken["response"], broken["error"]["code"]) == (None, "server_error")
    assert refused["response"]["status_code"] == 400
    assert len(read(batch.output_file_id)) == 1


@pytest.mark.parametrize(
    ("endpoint", "body", "read_out"),
    [
        ("/v1/responses", {"model": "gpt-4o", "input": "Hi"}, lambda body: body["output"][0]["content"][0]["text"]),
        ("/v1/completions", {"model": "babbage-002", "prompt": "Hi"}, lambda body: body["choices"][0]["text"]),
        (
            "/v1/embeddings",
            {"model": "text-embedding-3-small", "input": "Hi"},
            lambda body: "ok" if len(body["data"][0]["embedding"]) == 1536 else "",
        ),
        (
            "/v1/moderations",
            {"model": "omni-moderation-latest", "input": "Hi"},
            lambda body: "" if body["results"][0]["flagged"] else "ok",
        ),
    ],
)
def test_a_batch_asks_every_endpoint_that_it_may(llm, endpoint, body, read_out):
    """Responses, legacy completions, embeddings and moderations are answered as their requests would be."""
    llm.openai.replies("ok", optional=True)
    row = {"custom_id": "x", "method": "POST", "url": endpoint, "body": body}
    batch = later(llm, begun([row], endpoint), 60)
    (found,) = read(batch.output_file_id)
    assert read_out(found["response"]["body"]) == "ok"


@pytest.mark.parametrize(
    ("data", "code", "line"),
    [
        (b"", "empty_file", None),
        (b"{nothing", "invalid_json_line", 1),
        (b'{"custom_id": "a", "url": "/v1/chat/completions", "body": {}}', "missing_required_parameter", 1),
        ("\n".join(map(json.dumps, lines(1) * 2)).encode(), "duplicate_custom_id", 2),
        (json.dumps(lines(1, "/v1/embeddings")[0]).encode(), "invalid_url", 1),
        (
            "\n".join(map(json.dumps, [lines(1)[0], lines(2, model="gpt-4o-mini")[1]])).encode(),
            "mismatched_model",
            2,
        ),
    ],
)
def test_a_batch_whose_input_is_wrong_fails_and_says_where(llm, data, code, line):
    """What is wrong with a file is told by the batch, not by the request that made it."""
    file = client().files.create(file=("input.jsonl", data), purpose="batch")
    batch = client().batches.create(input_file_id=file.id, endpoint=CHAT, completion_window="24h")
    assert (batch.status, batch.errors) == ("validating", None)
    batch = later(llm, batch, 60)
    assert (batch.status, batch.failed_at) == ("failed", batch.created_at + 2)
    assert [(each.code, each.line) for each in batch.errors.data] == [(code, line)]
    assert batch.request_counts.total == 0


def test_a_batch_is_called_off_with_what_was_done(llm):
    """Lines after the cancellation are never asked for; those before it are in the results."""
    llm.openai.on("POST", CHAT).replies("a", "b")
    batch = begun(lines(3))
    later(llm, batch, 6)
    assert client().batches.cancel(batch.id).status == "cancelling"
    batch = later(llm, batch, 60)
    assert (batch.status, batch.cancelled_at) == ("cancelled", batch.created_at + 8)
    assert [row["custom_id"] for row in read(batch.output_file_id)] == ["line-0", "line-1"]
    assert [row["error"]["code"] for row in read(batch.error_file_id)] == ["batch_cancelled"]


def test_a_batch_that_is_over_cannot_be_called_off(llm):
    """It is refused, with the state that it is in."""
    llm.openai.echoes()
    batch = begun(lines(1))
    later(llm, batch, 60)
    with pytest.raises(openai.BadRequestError, match="Cannot cancel a batch with status 'completed'"):
        client().batches.cancel(batch.id)


def test_a_batch_that_takes_too_long_expires(llm):
    """What was answered in a day is kept; the rest says that its time was over."""
    llm.openai.batches(takes="48h").echoes()
    batch = later(llm, begun(lines(4)), 100_000)
    assert (batch.status, batch.expired_at) == ("expired", batch.created_at + 86_400)
    assert [row["custom_id"] for row in read(batch.output_file_id)] == ["line-0"]
    assert {row["error"]["code"] for row in read(batch.error_file_id)} == {"batch_expired"}


def test_a_batch_has_no_part_in_the_quota_of_other_requests(llm):
    """Batches have limits of their own."""
    llm.openai.limits(rpm=5).echoes()
    file = uploaded(lines(20))
    batch = client().batches.create(input_file_id=file.id, endpoint=CHAT, completion_window="24h")
    assert later(llm, batch, 60).request_counts.completed == 20


def test_batches_are_listed_by_pages_and_missing_ones_are_missed(llm):
    """The latest come first; an id that nobody knows is a 404."""
    made = [begun(lines(1)).id for _ in range(3)]
    assert [each.id for each in client().batches.list(limit=2)] == made[::-1]
    with pytest.raises(openai.NotFoundError, match="No batch found with id 'batch_0'"):
        client().batches.retrieve("batch_0")
    assert llm.openai.received == 9


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"endpoint": "/v1/nothing"}, "Invalid value: '/v1/nothing'"),
        ({"completion_window": "1h"}, "Invalid value: '1h'. Supported values are: '24h'."),
        ({"input_file_id": "file-0"}, "No such File object: file-0"),
    ],
)
def test_a_batch_that_cannot_be_made_is_refused(llm, fields, words):
    """What the request itself has wrong is refused at once."""
    asked = {"input_file_id": uploaded(lines(1)).id, "endpoint": CHAT, "completion_window": "24h", **fields}
    with pytest.raises(openai.APIStatusError, match=words):
        client().batches.create(**asked)
    assert llm.openai.requests[-1].outcome in {"400", "404"}


def test_files_are_kept_listed_read_and_deleted(llm):
    """A file comes back byte by byte, and is gone once it has been deleted."""
    data = bytes(range(256)) * 3
    made = client().files.create(file=("data.bin", data), purpose="evals")
    assert (made.bytes, made.filename, made.status, made.expires_at) == (768, "data.bin", "processed", None)
    assert client().files.content(made.id).read() == data
    assert [each.id for each in client().files.list(purpose="evals")] == [made.id]
    assert not client().files.list(purpose="batch").data
    assert client().files.delete(made.id).deleted
    with pytest.raises(openai.NotFoundError, match=f"No such File object: {made.id}") as caught:
        client().files.retrieve(made.id)
    assert caught.value.param == "id"
    assert [request.operation for request in llm.openai.requests][:2] == ["files.create", "files.content"]


def test_a_file_is_gone_when_its_time_is_over(llm):
    """One for a batch stays 30 days; any other as long as it was asked to."""
    hour = {"anchor": "created_at", "seconds": 3600}
    short = client().files.create(file=("a.txt", b"a"), purpose="user_data", expires_after=hour)
    batch = uploaded(lines(1))
    assert (short.expires_at - short.created_at, batch.expires_at - batch.created_at) == (3600, 2_592_000)
    llm.clock.advance(3600)
    assert [each.id for each in client().files.list()] == [batch.id]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"purpose": "fun"}, "Invalid value: 'fun'. Supported values are: 'assistants', 'batch'"),
        ({"purpose": "batch", "file": ("a.txt", b"x")}, "Invalid file format for Batch API. Must be .jsonl"),
        ({"expires_after": {"anchor": "created_at", "seconds": 5}}, "Invalid 'expires_after.seconds'"),
    ],
)
def test_a_file_that_openai_would_not_take_is_refused(llm, fields, words):
    """Purpose, format and time of a file are checked."""
    with pytest.raises(openai.BadRequestError, match=words):
        client().files.create(**{"file": ("a.bin", b"x"), "purpose": "user_data", **fields})
    assert llm.openai.requests[0].outcome == "400"


def test_files_that_only_openai_reads_are_not_given_back(llm):
    """A file for assistants or for a prompt cannot be downloaded."""
    made = client().files.create(file=("a.txt", b"a"), purpose="user_data")
    with pytest.raises(openai.BadRequestError, match="Not allowed to download files of purpose: user_data"):
        client().files.content(made.id)
    assert llm.openai.received == 2


def test_a_file_comes_in_parts(llm):
    """An upload of several parts becomes one file, in the order that is told at its end."""
    uploads = client().uploads
    made = uploads.create(bytes=6, filename="a.jsonl", mime_type="text/jsonl", purpose="batch")
    parts = [uploads.parts.create(made.id, data=data).id for data in (b"abc", b"def")]
    done = uploads.complete(made.id, part_ids=parts[::-1])
    assert (done.status, client().files.content(done.file.id).text) == ("completed", "defabc")
    with pytest.raises(openai.BadRequestError, match="has status 'completed'"):
        uploads.cancel(made.id)
    assert llm.openai.received == 6


@pytest.mark.parametrize("url", ["/chat/completions", CHAT])
def test_azure_works_off_batches_at_its_own_address(llm, url):
    """Its paths have no version, or the one of OpenAI's."""
    llm.azure.on("POST", "/openai/v1/chat/completions").replies("ok", optional=True)
    llm.azure.echoes()
    asked = openai.OpenAI(base_url="https://mine.openai.azure.com/openai/v1/", api_key="k", max_retries=0)
    file = asked.files.create(file=("in.jsonl", json.dumps(lines(1, url)[0]).encode()), purpose="batch")
    batch = asked.batches.create(input_file_id=file.id, endpoint=url, completion_window="24h")
    llm.clock.advance(60)
    batch = asked.batches.retrieve(batch.id)
    assert (batch.status, batch.request_counts.completed) == ("completed", 1)
