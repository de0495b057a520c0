"""Live answers are compared with recorded ones, and a request that differs may be played with a warning."""

import json

import httpx2
import pytest

from llmtest import CassetteMismatchError, CassetteWarning, use_cassette
from llmtest.cassettes import CassetteFileError
from tests.cassettes.live_provider import live_provider
from tests.cli.cassette_samples import CHAT, asked, chat, ours


@pytest.fixture
def live():
    """A provider on loopback."""
    with live_provider() as provider:
        yield provider


@pytest.fixture
def verified(live, tmp_path):
    """Return a function that records an answer, lets the provider answer something else, and verifies."""
    path = tmp_path / "a.yaml"
    choice = {"message": {"content": "Paris"}, "finish_reason": "stop"}
    before = {"id": "c1", "choices": [choice], "usage": {"tokens": 4}}

    def verify(status=200, **changes):
        with httpx2.Client() as http:
            live.respond = lambda _: (200, {}, json.dumps(before).encode())
            with use_cassette(path, "rewrite"):
                http.post(f"{live.base_url}/chat/completions", content=chat("Hi"))
            text = path.read_text()
            after = {key: value for key, value in (before | changes).items() if value is not None}
            live.respond = lambda _: (status, {}, json.dumps(after).encode())
            try:
                with use_cassette(path, "verify") as cassette:
                    http.post(f"{live.base_url}/chat/completions", content=chat("Hi"))
            finally:
                assert path.read_text() == text
        return [(drift.kind, drift.path) for drift in cassette.drift]

    return verify


def test_what_a_model_says_differently_is_no_failure(verified):
    """Ids and counts are not compared; other words are counted."""
    said = [{"message": {"content": "It is Paris"}, "finish_reason": "stop"}]
    assert verified(id="c2", usage={"tokens": 9}) == []
    assert verified(choices=said) == [("text changed", "response.body.choices[*].message.content")]


def test_a_new_field_is_a_warning(verified):
    """Nothing that reads the recording breaks."""
    with pytest.warns(CassetteWarning, match=r'response\.body\.service_tier: field added, now "default"'):
        assert verified(service_tier="default") == [("field added", "response.body.service_tier")]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"choices": {"0": {}}}, "response.body.choices: type changed, recorded ["),
        ({"usage": None}, "response.body.usage: field removed, recorded {"),
        ({"status": 503}, "response.status: status changed, recorded 200, now 503"),
    ],
)
def test_what_breaks_fails_and_says_how_to_record_again(verified, changes, line):
    """The file is not touched."""
    with pytest.raises(CassetteFileError) as caught:
        verified(**changes)
    assert line in str(caught.value)
    assert "To fix: record it again: use_cassette(" in str(caught.value)


def test_a_request_that_differs_is_played_with_a_warning(tmp_path):
    """The closest unplayed one at the same address; at another address it is an error as ever."""
    path = tmp_path / "a.yaml"
    path.write_text(ours(asked("Capital of France?", "Paris."), asked("Capital of Spain?", "Madrid.")))
    with httpx2.Client() as http, use_cassette(path, match="warn") as cassette:
        assert b"Madrid" in http.post(CHAT, content=chat("Capital of Spain?")).content
        with pytest.warns(CassetteWarning, match=r"interaction 1 is played for a request that differs from its own"):
            assert b"Paris" in http.post(CHAT, content=chat("Capital of Italy?")).content
    assert [drift.path for drift in cassette.drift] == ["request.body.messages[0].content"]
    assert (cassette.played, cassette.unplayed) == (2, [])
    with (
        pytest.raises(CassetteMismatchError, match="differs in `path`"),
        httpx2.Client() as http,
        use_cassette(path, match="warn"),
    ):
        http.post(CHAT.replace("chat/completions", "responses"), content=chat("Capital of France?"))
