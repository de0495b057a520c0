"""Code of a project's own says which requests are the same, and what is kept of them: given as it is, or by name."""

import httpx
import pytest

from llmtest import CassetteMismatchError, ConfigurationError, use_cassette
from llmtest.cassettes import Document, MatchRule
from tests.cassettes.live_provider import live_provider
from tests.cli.cassette_samples import CHAT, asked, ours

HERE = "tests.cassettes.test_own_matchers"


def question(request):
    """Return what is asked, whatever its case."""
    return request.json()["messages"][0]["content"].lower()


def same_question(sent, recorded):
    """Take questions that differ in their case alone."""
    return question(sent) == question(recorded)


def same_version(sent, recorded):
    """Take requests of one version of the API, as vcrpy's matchers do: by asserting."""
    assert sent.headers.get("x-version") == recorded.headers.get("x-version"), "another version"


def broken(sent, recorded):
    """Fail."""
    raise KeyError("messages")


def drop_ids(interaction):
    """Keep no id of a request."""
    interaction.response.headers.pop("x-request-id", None)
    return interaction


def nothing_about_secrets(interaction):
    """Keep nothing that is a secret."""
    return None if b"secret" in interaction.request.body else interaction


def post(prompt, url=CHAT, **headers):
    """Ask, and return the text of the answer."""
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": prompt}]}
    return httpx.post(url, json=body, headers=headers).json()["choices"][0]["message"]["content"]


@pytest.fixture
def path(tmp_path):
    """A cassette of three answers."""
    path = tmp_path / "a.yaml"
    path.write_text(ours(asked("One?", "1"), asked("Two?", "2"), asked("ONE?", "one again")))
    return path


@pytest.mark.parametrize(
    "match_on",
    [
        pytest.param(["method", "path", same_question], id="a function"),
        pytest.param(["method", "path", f"{HERE}:same_question"], id="its name"),
        pytest.param(same_question, id="alone"),
        pytest.param({"body": {"ignore": ["messages", "model"]}, "matchers": [same_question]}, id="in a mapping"),
    ],
)
def test_own_matchers_say_which_request_is_the_same(path, match_on):
    """In recorded order among those that they take; the others are played for their own requests."""
    with use_cassette(path, match_on=match_on) as cassette:
        assert [post("two?"), post("one?"), post("One?")] == ["2", "1", "one again"]
    assert cassette.unplayed == []


def test_what_they_do_not_take_is_no_match_and_says_why(path):
    """The closest recording is shown with the names of the matchers and their reasons."""
    with (
        pytest.raises(CassetteMismatchError) as caught,
        use_cassette(path, match_on=["path", same_question, same_version]),
    ):
        post("One?", **{"x-version": "2"})
    assert "differs in `same_version`." in str(caught.value)
    assert "\n  same_version: another version\n" in str(caught.value)
    with (
        pytest.raises(CassetteMismatchError, match="answers this request 2 times, and that many"),
        use_cassette(path, match_on=[same_question]),
    ):
        _ = [post("one?") for _ in range(3)]


def test_the_last_answer_is_repeated_among_those_that_they_take(path):
    """For code that polls."""
    with use_cassette(path, match_on=[same_question], repeat="last"):
        assert [post("one?") for _ in range(4)] == ["1", "one again", "one again", "one again"]
        assert [post("two?") for _ in range(2)] == ["2", "2"]


def test_a_matcher_that_fails_is_an_error_of_the_test(path):
    """Which no retry loop swallows, with what it said."""
    with (
        pytest.raises(CassetteMismatchError, match="the matcher `broken` has failed: KeyError: 'messages'"),
        use_cassette(path, match_on=[broken]),
    ):
        post("One?")


@pytest.mark.parametrize(
    ("match_on", "told"),
    [
        (["bodi"], "match_on: unknown part `bodi`. Known parts: method, host, path, query, body."),
        ([f"{HERE}:nobody"], f"match_on: `{HERE}:nobody` cannot be loaded: module '{HERE}' has no attribute 'nobody'."),
        (["no.such:thing"], "match_on: `no.such:thing` cannot be loaded: No module named 'no'."),
        ([f"{HERE}:HERE"], f"match_on: '{HERE}:HERE' cannot be called."),
        ({"matchers": ["nobody"]}, "match_on: nothing is called `nobody`."),
    ],
)
def test_what_is_no_matcher_is_refused(match_on, told):
    """With what is wrong, when the cassette is opened."""
    with pytest.raises(ConfigurationError) as caught:
        MatchRule.of(match_on)
    assert str(caught.value).partition("\n")[0] == told


def test_mode_all_replaces_what_they_take_and_keeps_the_rest(tmp_path):
    """A rule of own matchers alone would otherwise replace the whole file."""
    path = tmp_path / "a.yaml"
    with live_provider() as provider:
        chat = f"{provider.base_url}/chat/completions"
        path.write_text(ours(asked("One?", "old", uri=chat), asked("Two?", "2", uri=chat)))
        with use_cassette(path, "all", match_on=[same_question]):
            post("ONE?", chat)
    document = Document(path.read_text(), str(path))
    assert [document[at].request.json()["messages"][0]["content"] for at in range(len(document))] == ["Two?", "ONE?"]


def test_hooks_see_what_is_about_to_be_kept(tmp_path):
    """Several, one after another, by name or as they are; what one of them drops the next does not see."""
    path = tmp_path / "a.yaml"
    seen = []

    def note(interaction):
        seen.append(interaction.request.json()["messages"][0]["content"])
        return interaction

    with live_provider() as provider:
        chat = f"{provider.base_url}/chat/completions"
        hooks = [f"{HERE}:nothing_about_secrets", drop_ids, note]
        with use_cassette(path, "once", before_record=hooks) as cassette:
            post("Hello?", chat)
            post("a secret", chat)
    assert seen == ["Hello?"]
    assert len(cassette.recorded) == 1
    assert "x-request-id" not in cassette.recorded[0].response.headers


CODE = f"""
import httpx
import pytest

def ask(prompt):
    body = {{"model": "gpt-4o", "messages": [{{"role": "user", "content": prompt}}]}}
    return httpx.post("{CHAT}", json=body).json()["choices"][0]["message"]["content"]

@pytest.mark.llm_cassette("a.yaml")
def test_by_ini():
    assert ask("two?") == "2"

@pytest.mark.llm_cassette("a.yaml", match_on=["method", "path", "body"])
def test_by_marker():
    assert ask("Two?") == "2"
    with pytest.raises(BaseException, match="no interaction in"):
        ask("two?")
"""


def test_the_settings_name_matchers_and_hooks(pytester, run_tests, path):
    """For every cassette of a run; what a marker says goes before them."""
    (pytester.path / "a.yaml").write_text(path.read_text())
    matchers = "def same(sent, recorded):\n    return str(sent.json()).lower() == str(recorded.json()).lower()\n"
    settings = "pythonpath = .\nllmtest_cassette_match_on = method path mine:same\n"
    result = run_tests(CODE, ini=settings, mine=matchers)
    assert result.parseoutcomes()["passed"] == 2
    result = run_tests(CODE, "-k", "by_ini", ini="llmtest_cassette_before_record = mine:nobody\n", mine=matchers)
    result.stdout.fnmatch_lines(["*before_record: `mine:nobody` cannot be loaded: *"])
