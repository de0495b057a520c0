"""Anthropic's files, betas, and requests that only warm the cache, by its own SDK."""

import anthropic
import httpx2
import pytest
from anthropic import beta_tool

from llmtest import Simulation, faults
from llmtest.simulation.script._service_answers import Raw

MODEL = "claude-opus-5"
ASKED = [{"role": "user", "content": "hi"}]


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


def upload(client, name="a.txt", data=b"one\r\n--two\x00\xff", kind="text/plain"):
    """Upload a file."""
    return client.files.upload(file=(name, data, kind))


def test_a_file_is_kept_until_it_is_deleted(llm, client):
    """Uploaded, looked at, listed, deleted; then it is not found."""
    del llm
    file = upload(client)
    assert (file.filename, file.mime_type, file.size_bytes) == ("a.txt", "text/plain", 12)
    assert (file.id[:9], file.downloadable) == ("file_011C", False)
    assert client.files.retrieve_metadata(file.id) == file
    assert [each.id for each in client.files.list()] == [file.id]
    assert client.files.delete(file.id).type == "file_deleted"
    with pytest.raises(anthropic.NotFoundError, match=f"File not found: {file.id}"):
        client.files.retrieve_metadata(file.id)


def test_beta_files_are_the_same(llm, client):
    """`client.beta.files` reads the same files, asynchronously too."""

    async def run():
        async with anthropic.AsyncAnthropic(api_key="k") as later:
            return await later.beta.files.retrieve_metadata(file.id)

    file = client.beta.files.upload(file=("a.pdf", b"%PDF", "application/pdf"))
    assert llm.run(run()).mime_type == "application/pdf"


def test_files_are_listed_latest_first_page_by_page(llm, client):
    """Pages are turned by a cursor, and chosen by ids, of which unknown ones are passed over."""
    del llm
    made = [upload(client, f"{number}.txt").id for number in range(5)]
    assert [each.id for each in client.files.list(limit=2)] == made[::-1]
    assert [each.id for each in client.files.list(ids=[made[0], "file_nobody", made[3]])] == [made[0], made[3]]
    with pytest.raises(anthropic.BadRequestError, match="page cursor"):
        client.files.list(page="nonsense")
    with pytest.raises(anthropic.BadRequestError, match="cannot be combined"):
        client.files.list(ids=made, limit=2)


def test_an_uploaded_file_cannot_be_downloaded(llm, client):
    """As with the real one; what a tool made is said by a script."""
    file = upload(client)
    with pytest.raises(anthropic.BadRequestError, match="not downloadable"):
        client.files.download(file.id)
    llm.anthropic.on("GET", "/v1/files/{file_id}/content").replies(Raw(200, {}, b"chart"))
    assert client.files.download("file_of_a_tool").read() == b"chart"


def test_a_file_expires(llm, client):
    """After the time that its upload named, it is not found."""
    file = client.files.upload(file=("a.txt", b"x", "text/plain"), expires_in_seconds=3600)
    assert (file.expires_at - file.created_at).total_seconds() == 3600
    llm.clock.advance(3600)
    with pytest.raises(anthropic.NotFoundError):
        client.files.retrieve_metadata(file.id)


@pytest.mark.parametrize(
    ("given", "fields", "told"),
    [
        (("a.txt", b"", "text/plain"), {}, "File is empty"),
        (("a?.txt", b"x", "text/plain"), {}, "Invalid filename"),
        (("a.txt", b"x", "text/plain"), {"expires_in_seconds": 5}, "between 3600 and 7776000"),
    ],
)
def test_an_upload_that_cannot_be_is_refused(llm, client, given, fields, told):
    """With a 400 that says what is wrong."""
    del llm
    with pytest.raises(anthropic.BadRequestError, match=told):
        client.files.upload(file=given, **fields)


@pytest.mark.parametrize(
    ("kind", "body", "told"),
    [
        ("application/json", b"{}", "multipart"),
        ("multipart/form-data; boundary=x", b"--x--\r\n", "file: Field required"),
        (
            "multipart/form-data; boundary=x",
            (
                b'--x\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\nx\r\n'
                b'--x\r\ncontent-disposition: form-data; name="expires_in_seconds"\r\n\r\nsoon\r\n--x--\r\n'
            ),
            "valid integer",
        ),
    ],
)
def test_an_upload_that_is_no_form_is_refused(llm, kind, body, told):
    """A body that is no form, and a form without a file."""
    del llm
    answer = httpx2.post("https://api.anthropic.com/v1/files", content=body, headers={"content-type": kind})
    assert answer.status_code == 400
    assert told in answer.json()["error"]["message"]


def test_a_file_without_a_name_gets_one(llm, client):
    """By its type, as the real one does; of a path the last part stays."""
    del llm
    assert upload(client, "", kind="application/pdf").filename == "unnamed.pdf"
    assert upload(client, "a/b\\c.txt").filename == "c.txt"


@pytest.mark.parametrize("kind", ["image", "document"])
def test_a_message_names_files_that_are_there(llm, client, kind):
    """A file that was uploaded is taken; another id is not found, in counting tokens too."""
    llm.anthropic.replies("A cat")
    file = upload(client, "a.png", kind="image/png")

    def naming(name):
        block = {"type": kind, "source": {"type": "file", "file_id": name}}
        return [{"role": "user", "content": [block, {"type": "text", "text": "What is it?"}]}]

    answer = client.messages.create(model=MODEL, max_tokens=64, messages=naming(file.id))
    assert answer.content[0].text == "A cat"
    for ask in (client.messages.create, client.beta.messages.create):
        with pytest.raises(anthropic.NotFoundError, match="File not found: file_nobody"):
            ask(model=MODEL, max_tokens=64, messages=naming("file_nobody"))
    with pytest.raises(anthropic.NotFoundError):
        client.messages.count_tokens(model=MODEL, messages=naming("file_nobody"))


def test_e22_a_request_of_no_tokens_warms_the_cache_and_takes_no_step(llm, client):
    """What is marked is written once and then read; the script's answer stays for whoever asks for one."""
    llm.anthropic.replies("Paris")
    system = [{"type": "text", "text": "word " * 2000, "cache_control": {"type": "ephemeral"}}]
    warm = client.messages.create(model=MODEL, max_tokens=0, system=system, messages=ASKED)
    assert (warm.content, warm.stop_reason, warm.usage.output_tokens) == ([], "max_tokens", 0)
    assert warm.usage.cache_creation_input_tokens > 1024
    with client.messages.stream(model=MODEL, max_tokens=0, system=system, messages=ASKED) as stream:
        assert stream.get_final_message().content == []
    answer = client.messages.create(model=MODEL, max_tokens=64, system=system, messages=ASKED)
    assert answer.content[0].text == "Paris"
    assert answer.usage.cache_read_input_tokens == warm.usage.cache_creation_input_tokens


def test_e22_a_rule_for_requests_of_no_tokens_is_played(llm, client):
    """What is meant for them, fails them."""
    llm.anthropic.when(predicate=lambda request: request.max_tokens == 0).fails(faults.Overloaded())
    with pytest.raises(anthropic.OverloadedError):
        client.messages.create(model=MODEL, max_tokens=0, messages=ASKED)


@pytest.mark.parametrize("betas", ["string", "x-2025-13", "ok-2025-01-01, Wrong"])
def test_a_beta_that_is_no_name_of_one_is_refused(llm, betas):
    """With the genuine words, and the names that are wrong."""
    del llm
    answer = httpx2.post(
        "https://api.anthropic.com/v1/messages",
        json={"model": MODEL, "max_tokens": 9, "messages": ASKED},
        headers={"anthropic-beta": betas},
    )
    wrong = betas.rpartition(", ")[2]
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith(
        f"Unexpected value(s) `{wrong}` for the `anthropic-beta` header"
    )


def test_the_tool_runner_of_the_beta_runs(llm, client):
    """The SDK calls the tool and asks again, with betas and without."""

    @beta_tool
    def weather(city: str) -> str:
        """Tell the weather.

        Args:
            city: Where.
        """
        return f"22 in {city}"

    llm.anthropic.calls_tool("weather", {"city": "Rome"}).replies("Warm.")
    runner = client.beta.messages.tool_runner(
        model=MODEL, max_tokens=64, messages=ASKED, tools=[weather], betas=["interleaved-thinking-2025-05-14"]
    )
    assert [message.stop_reason for message in runner] == ["tool_use", "end_turn"]
    last = llm.anthropic.requests[-1].request.messages[-1]
    assert last.text == "22 in Rome"
