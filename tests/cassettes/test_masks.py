"""What changes from run to run is no difference, code that polls is answered, and a hook sees what is kept."""

from pathlib import Path

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtest import CassetteMismatchError, ConfigurationError, use_cassette
from llmtest.cassettes import MatchRule, masks_in
from llmtest.cassettes._masks import masked, masks_of
from llmtest.cassettes._matching import RequestView
from tests.cassettes.live_provider import live_provider
from tests.cli.cassette_samples import CHAT, asked, chat, ours


def key(prompt, rule, **more):
    """Return the key of a chat request."""
    return RequestView.of("POST", CHAT, chat(prompt, **more)).key(rule)


@pytest.mark.parametrize(
    ("pattern", "one", "other"),
    [
        ("date", "Today is 2026-01-01.", "Today is 2026-11-30."),
        ("date", "It is 2026-01-01T10:00:00Z", "It is 2027-02-03 11:22:33.5+02:00"),
        ("time", "at 10:00", "at 23:59:01"),
        ("uuid", "run 7d444840-9dc0-11d1-b245-5ffdce74fad2", "run 00000000-9dc0-11d1-b245-5ffdce74fad3"),
        ("tmp_path", "read /tmp/pytest-1/a.txt now", "read /private/var/folders/x1/a.txt now"),
        ("number", "42 items", "7 items"),
        (r"job-\w+", "job-abc is done", "job-xyz9 is done"),
    ],
)
def test_masked_texts_are_equal(pattern, one, other):
    """By name and by a regular expression; without the mask they differ."""
    rule = MatchRule.of({"body": {"mask": {"messages[*].content": pattern}}})
    assert key(one, rule) == key(other, rule)
    assert key(one, MatchRule()) != key(other, MatchRule())


def test_a_mask_hides_only_what_it_names():
    """The rest of the text counts, and so do other places."""
    rule = MatchRule.of({"body": {"mask": {"messages[0].content": ["date", "uuid"]}}})
    assert key("On 2026-01-01 in Rome", rule) != key("On 2026-01-02 in Oslo", rule)
    assert key("a", rule, note="2026-01-01") != key("a", rule, note="2026-01-02")
    everywhere = MatchRule.of({"body": {"mask": {"*": "date"}}})
    assert key("a", everywhere, note=["2026-01-01"]) == key("a", everywhere, note=["2026-01-02"])


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(JSON_VALUES, st.sampled_from(["*", "a", "a[*].b", "a.b", "[0]", "*.a"]))
def test_a_mask_that_finds_nothing_changes_nothing(value, path):
    """And never the value that it is given."""
    before = repr(value)
    assert masked(value, masks_of({path: "no such text"})) == value
    masked(value, masks_of({path: "."}))
    assert repr(value) == before


def test_dated_models_are_one_where_that_is_said():
    """And two of another name are not."""
    rule = MatchRule.of({"body": {"undated": True}})
    view = [
        RequestView.of("POST", CHAT, f'{{"model": "{name}"}}').key(rule)
        for name in ("gpt-4o", "gpt-4o-2024-08-06", "gpt-4o-mini")
    ]
    assert [view[0] == view[1], view[0] == view[2]] == [True, False]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"body": {"mask": {"a": "("}}}, r"the mask `\(` is no regular expression"),
        ({"body": {"mask": ["date"]}}, "`mask` takes"),
        ({"body": {"masks": {}}}, "`body` takes"),
    ],
)
def test_a_wrong_mask_is_explained(wrong, message):
    """Before anything is compared."""
    with pytest.raises(ConfigurationError, match=message):
        MatchRule.of(wrong)


def test_masks_of_a_settings_file_are_lines():
    """A path, an equals sign, a pattern."""
    assert masks_in(["messages[*].content = date", "a=b=c"]) == (("messages[*].content", "date"), ("a", "b=c"))
    with pytest.raises(ConfigurationError, match=r"To fix: a path, `=` and a pattern: messages\[\*\]\.content = date"):
        masks_in(["date"])


def test_a_masked_session_replays_and_a_miss_says_what_was_masked(tmp_path):
    """The prompt of today gets the answer of then."""
    path = tmp_path / "a.yaml"
    path.write_text(ours(asked("It is 2026-01-01 in Rome")))
    mask = {"body": {"mask": {"messages[*].content": "date"}}}
    with httpx2.Client() as http, use_cassette(path, match_on=mask):
        assert http.post(CHAT, content=chat("It is 2026-11-30 in Rome")).status_code == 200
    with (
        pytest.raises(CassetteMismatchError, match=r"masked: `date` in `messages\[\*\]\.content`"),
        httpx2.Client() as http,
        use_cassette(path, match_on=mask),
    ):
        http.post(CHAT, content=chat("It is 2026-11-30 in Oslo"))


def test_code_that_polls_gets_the_last_answer_again(tmp_path):
    """In recorded order first; without the word a further request is a miss."""
    path = tmp_path / "a.yaml"
    path.write_text(ours(asked("Done?", "no"), asked("Done?", "yes")))
    with httpx2.Client() as http, use_cassette(path, repeat="last") as cassette:
        said = [http.post(CHAT, content=chat("Done?")).json()["choices"][0]["message"]["content"] for _ in range(4)]
    assert (said, cassette.played, cassette.unplayed) == (["no", "yes", "yes", "yes"], 4, [])
    told = r'repeat: `first` is none; the only one is "last"'
    with pytest.raises(ConfigurationError, match=told), use_cassette(path, repeat="first"):
        pass


def test_a_hook_changes_what_is_kept_and_leaves_out(tmp_path):
    """What it returns is redacted and written; None is not."""
    path: Path = tmp_path / "a.yaml"

    def before_record(interaction):
        if b"secret" in interaction.request.body:
            return None
        interaction.response.headers["x-kept-by"] = ["hook"]
        return interaction

    with (
        live_provider() as provider,
        httpx2.Client() as http,
        use_cassette(path, "once", before_record=before_record) as cassette,
    ):
        for said in ("open", "secret"):
            http.post(f"{provider.base_url}/chat/completions", content=chat(said))
    assert (cassette.live, len(cassette.recorded)) == (2, 1)
    assert "x-kept-by: [hook]" in path.read_text()
