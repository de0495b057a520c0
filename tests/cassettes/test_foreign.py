"""What other tools have recorded is played as it is, and what cannot be is named."""

import base64
import json

import anthropic
import httpx2
import openai
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from vcr.serialize import deserialize
from vcr.serializers import jsonserializer, yamlserializer

from llmtest import CassetteWarning, use_cassette
from llmtest.cassettes import CassetteFileError, Document, Interaction, RecordedRequest, RecordedResponse, Redactor
from llmtest.cassettes._forms import FORMS, form_for, write_as
from llmtest.cassettes._saving import save_cassette
from llmtest.errors import ConfigurationError
from tests.cassettes.foreign_files import (
    AIMOCK,
    AIOHTTP,
    ANSWER,
    BETAMAX,
    CHAT,
    GO_VCR,
    PARSED_BODY,
    QUESTION,
    RUBY_VCR,
    WEB_SOCKET,
)
from tests.cassettes.live_provider import live_provider

RUBY = RUBY_VCR.replace("BODY", base64.b64encode(json.dumps(ANSWER).encode()).decode())


@pytest.fixture
def http():
    """A client with a connection pool of its own."""
    with httpx2.Client() as client:
        yield client


def capital(http, **more):
    """Ask OpenAI's SDK the recorded question."""
    client = openai.OpenAI(api_key="k", max_retries=0, http_client=http)
    return client.chat.completions.create(**QUESTION, **more)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        pytest.param("a.yaml", PARSED_BODY, "Paris,\nof course", id="k05-parsed-body"),
        pytest.param("a.yaml", AIOHTTP, "Paris", id="k07-aiohttp"),
        pytest.param("a.yml", RUBY, "Paris", id="k08-ruby"),
        pytest.param("a.yaml", GO_VCR, "Paris", id="go-vcr"),
        pytest.param("a.json", json.dumps(BETAMAX), "Paris", id="betamax"),
    ],
)
def test_every_file_of_every_tool_replays(tmp_path, http, name, text, said):
    """An SDK that asks the same gets the recorded answer; nothing of the file warns."""
    path = tmp_path / name
    path.write_text(text)
    with use_cassette(path) as cassette:
        assert capital(http).choices[0].message.content == said
    assert cassette.unplayed == []


def test_k05_a_parsed_body_is_the_body_as_its_own_serializer_restores_it():
    """Where nothing says how the JSON was formatted, it is as Python's `json` writes it."""
    one = Document(PARSED_BODY, "a.yaml")[0]
    assert json.loads(one.request.body) == QUESTION
    assert one.response.body.startswith(b'{"choices": [{"finish_reason": "stop", "index": 0, ')


def test_k05_a_suite_with_parsed_bodies_goes_on_writing_them(tmp_path, http):
    """What is recorded into such a file has JSON as YAML too, byte for byte restored, and its own reader reads it."""
    path = tmp_path / "a.yaml"
    path.write_text(PARSED_BODY)
    with live_provider() as provider, use_cassette(path, "new_episodes"):
        url = f"{provider.base_url}/chat/completions"
        http.post(url, json=QUESTION)
    written = yaml.safe_load(path.read_text())["interactions"]
    assert [one["request"]["parsed_body"]["model"] for one in written] == ["gpt-4o", "gpt-4o"]
    assert "body" not in written[1]["request"]
    with use_cassette(path) as cassette:
        http.post(url, json=QUESTION)
    assert cassette.played == 1


def test_k07_no_tag_of_a_file_makes_anything_run():
    """A text is taken out of its tag; of any other class only the tag is told, and only where its value is needed."""
    evil = AIOHTTP.replace("message: OK", "message: !!python/object/apply:os.system ['exit 1']")
    with pytest.raises(CassetteFileError) as caught:
        Document(evil, "a.yaml")
    assert str(caught.value) == (
        "a.yaml: interaction 1 cannot be read: `message` is a value tagged `!!python/object/apply:os.system`, for "
        "which nothing is run. Re-record it."
    )
    assert Document(AIOHTTP, "a.yaml")[0].request.headers["Accept"] == ["*/*"]


def test_k07_a_form_that_stands_there_as_a_mapping_is_a_form():
    """What aiohttp was given as `data=` and as `json=` is told apart by the header."""
    form = "application/x-www-form-urlencoded"
    text = AIOHTTP.replace("application/json", form, 1).replace(
        "      model: gpt-4o\n      messages:\n      - role: user\n        content: Capital of France?\n",
        "      a: b c\n",
    )
    assert Document(text, "a.yaml")[0].request.body == b"a=b+c"


def test_k08_ruby_tells_when_it_recorded():
    """Times of HTTP and names of headers that Ruby calls binary are read."""
    one = Document(RUBY, "a.yml")[0]
    assert one.recorded_at == "2026-06-11T20:16:01Z"
    assert one.request.method == "POST"
    assert one.response.headers["Server"] == ["cloudflare"]


def test_k13_an_empty_list_is_an_empty_cassette():
    """A key with nothing behind it holds no interactions."""
    for text in ("interactions:\nversion: 1\n", "interactions: []\n", '{"interactions": null}', "http_interactions:\n"):
        assert len(Document(text, "a.yaml")) == 0


def test_a_file_without_http_is_one_line():
    """However many frames of a web socket it holds."""
    with pytest.raises(CassetteFileError) as caught:
        Document(WEB_SOCKET, "a.yaml")
    assert str(caught.value) == (
        "a.yaml: this file holds no HTTP: its 2 entries have `kind`, `direction`, `data`, and none has a `request` "
        "with a `uri`. It is played by the tool that has recorded it."
    )


def test_k05_a_key_that_nobody_knows_is_named(tmp_path):
    """Beside a body it is a warning; where it may be the body, nothing empty is played instead."""
    path = tmp_path / "a.yaml"
    path.write_text(AIOHTTP.replace("    url: !!python/object/new", "    note: x\n    url: !!python/object/new"))
    told = "has a key that nobody knows, `response.note`; it is passed over"
    with pytest.warns(CassetteWarning, match=told), use_cassette(path):
        pass
    with pytest.raises(CassetteFileError) as caught:
        Document(PARSED_BODY.replace("    parsed_body:\n      choices", "    parsed_bodies:\n      choices"), "a.yaml")
    assert str(caught.value) == (
        "a.yaml: interaction 1 cannot be read: `response` has no body, and a key that nobody knows, "
        "`response.parsed_bodies`. Did you mean `parsed_body`?. Re-record it."
    )


def test_into_the_file_of_another_tool_nothing_is_recorded(tmp_path):
    """Ruby could not read what would be added."""
    path = tmp_path / "a.yml"
    path.write_text(RUBY)
    with (
        pytest.raises(CassetteFileError, match="Ruby's VCR has recorded this file"),
        use_cassette(path, "new_episodes"),
    ):
        pass


class Reader:
    """The reader of pydantic-ai's suite, as far as it matters here."""

    @staticmethod
    def deserialize(text):
        """Put the parsed bodies back."""
        loaded = yaml.safe_load(text)
        for interaction in loaded["interactions"]:
            for kind, data in interaction.items():
                parsed = data.pop("parsed_body", None)
                if parsed is not None:
                    written = json.dumps(parsed)
                    data["body"] = {"string": written} if kind == "response" else written
        return loaded


READERS = {"llmtest": yamlserializer, "vcrpy": yamlserializer, "parsed_body": Reader, "json": jsonserializer}
JSON_TEXT = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
).map(lambda value: json.dumps({"a": value}).encode())


@pytest.mark.parametrize("form", FORMS)
@given(body=JSON_TEXT | st.text(max_size=30).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_every_form_keeps_every_byte(form, body):
    """Whatever a body says, each form is read back the same, by us and by the reader it was made for."""
    one = Interaction(RecordedRequest("POST", CHAT, {"a": ["b"]}, body), RecordedResponse(200, "OK", {}, body))
    text = write_as([one], form)
    read = Document(text, "a.json" if form == "json" else "a.yaml")[0]
    assert (read.request, read.response) == (one.request, one.response)
    _, responses = deserialize(text, READERS[form])
    if "base64_string" not in responses[0]["body"]:
        theirs = responses[0]["body"]["string"]
        assert theirs == body or json.loads(theirs) == json.loads(body)


def test_k15_a_file_named_json_is_json(tmp_path):
    """It is written so, its keys are known when it is read, and vcrpy's own reader reads it."""
    path = tmp_path / "a.json"
    stream = RecordedResponse(
        200, "OK", {"content-type": ["text/event-stream"]}, b"data: 1\n\ndata: 2\n\n", ((1, 9), (5, 9))
    )
    save_cassette(
        path,
        [
            Interaction(RecordedRequest("GET", CHAT), stream),
            Interaction(RecordedRequest("GET", CHAT), RecordedResponse(200, body=b"\xff")),
        ],
        Redactor({}),
    )
    loaded = json.loads(path.read_text())
    assert loaded["version"] == 1
    document = Document(path.read_bytes(), str(path))
    assert document.keys[0] is not None
    assert document[0].response.pieces() == [(1, b"data: 1\n\n"), (5, b"data: 2\n\n")]
    assert document[1].response.body == b"\xff"


def test_a_form_and_a_name_that_do_not_fit_are_refused(tmp_path):
    """And a form that does not exist, with its nearest one."""
    with pytest.raises(ConfigurationError, match=r"a\.json: a file of this name is not written as `vcrpy`"):
        form_for(tmp_path / "a.json", "vcrpy")
    with pytest.raises(ConfigurationError, match=r"unknown form of cassettes `vcrp`\. Did you mean `vcrpy`\?"):
        form_for(tmp_path / "a.yaml", "vcrp")


@pytest.fixture
def fixtures(tmp_path):
    """A file of aimock's."""
    path = tmp_path / "fixtures.json"
    path.write_text(json.dumps(AIMOCK))
    return path


def test_fixtures_of_aimock_answer_what_says_their_words(fixtures, http):
    """In the dialect of the request, whole or as a stream, as often as it is asked."""
    system = {"role": "system", "content": "geography, in short"}
    question = {"model": "gpt-4o-2024-08-06", "messages": [system, *QUESTION["messages"]]}
    with use_cassette(fixtures):
        gpt = openai.OpenAI(api_key="k", max_retries=0, http_client=http)
        claude = anthropic.Anthropic(api_key="k", max_retries=0, http_client=http)
        for _ in range(2):
            answer = gpt.chat.completions.create(**question)
            assert (answer.choices[0].message.content, answer.usage.prompt_tokens) == ("Paris", 4)
        chunks = list(gpt.chat.completions.create(**question, stream=True))
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Paris"
        asked = [{"role": "user", "content": "the weather?"}]
        call = claude.messages.create(model="claude-opus-5", max_tokens=9, messages=asked).content[0]
        assert (call.name, call.input) == ("get_weather", {"city": "NYC"})
        result = {"type": "tool_result", "tool_use_id": call.id, "content": "18"}
        talk = [
            *asked,
            {"role": "assistant", "content": [call.model_dump(exclude_none=True)]},
            {"role": "user", "content": [result]},
        ]
        assert (
            claude.messages.create(model="claude-opus-5", max_tokens=9, messages=talk).content[0].text == "18 degrees"
        )
        assert gpt.embeddings.create(model="e", input="Paris").data[0].embedding == [0.5, 1.0]
        for error, ask in (
            (openai.RateLimitError, gpt.chat.completions.create),
            (anthropic.RateLimitError, claude.messages.create),
        ):
            with pytest.raises(error, match="slow"):
                ask(model="m", max_tokens=9, messages=[{"role": "user", "content": "slow down"}])


def test_fixtures_of_aimock_count_requests_and_turns(fixtures, http):
    """`sequenceIndex` counts the requests that fit, `turnIndex` chooses by the answers in the conversation."""

    def ask(*texts):
        roles = ("user", "assistant", "user")
        talk = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]
        client = openai.OpenAI(api_key="k", max_retries=0, http_client=http)
        return client.chat.completions.create(model="m", messages=talk).choices[0].message.content

    with use_cassette(fixtures):
        assert [ask("again"), ask("again")] == ["one", "two"]
        assert [ask("deep"), ask("deep", "yes", "deep")] == ["turn 1", "turn 2"]


def test_a_fixture_of_a_kind_that_is_not_read_is_named(tmp_path):
    """Pictures and sound are no answers of a model that talks."""
    with pytest.raises(CassetteFileError) as caught:
        Document(json.dumps({"fixtures": [{"match": {}, "response": {"image": {"url": "x"}}}]}), "a.json")
    assert str(caught.value) == (
        "a.json: interaction 1 cannot be read: a fixture that answers with `image` is not read. Re-record it."
    )
