"""Requests are the same when they mean the same."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmtest.cassettes._matching import MatchRule, RequestView, differences
from llmtest.errors import ConfigurationError

URL = "https://api.openai.com/v1/chat/completions"


def view(body, url=URL, method="POST"):
    """Make a request as the matcher sees it."""
    return RequestView.of(method, url, json.dumps(body))


def test_the_order_of_keys_does_not_matter():
    """Two writers of one request get one key."""
    assert view({"a": 1, "b": [2]}).key(MatchRule()) == view({"b": [2], "a": 1}).key(MatchRule())


@pytest.mark.parametrize(
    "other",
    [{"model": "b"}, {"model": "a", "temperature": 0}, {"model": 1}, {"model": None}, {"model": ["a"]}],
    ids=json.dumps,
)
def test_any_field_that_changes_the_question_changes_the_key(other):
    """A changed, added or retyped field is another request."""
    assert view({"model": "a"}).key(MatchRule()) != view(other).key(MatchRule())


BODIES = st.dictionaries(
    st.text("abc", min_size=1, max_size=2),
    st.recursive(
        st.none() | st.booleans() | st.integers(-2, 2) | st.text("ab", max_size=2),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab", max_size=1), inner, max_size=2),
        max_leaves=4,
    ),
    max_size=3,
)


def turned(value):
    """Return a value with the keys of its mappings in the opposite order."""
    if isinstance(value, dict):
        return {key: turned(value[key]) for key in reversed(value)}
    return [turned(each) for each in value] if isinstance(value, list) else value


@settings(max_examples=40)
@given(BODIES, BODIES, BODIES)
def test_requests_are_the_same_when_they_say_the_same(one, other, anything):
    """However keys stand, and whatever a field holds that is not compared; else they differ, and it is named where."""
    rule = MatchRule.of({"body": {"ignore": ["seed"]}})
    key = view(one).key(rule)
    assert view(turned(one)).key(rule) == view({**one, "seed": anything}).key(rule) == key
    are_same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (view(other).key(rule) == key) is are_same
    assert (differences(view(one), view(other), rule) == []) is are_same


def test_fields_that_name_the_run_are_ignored():
    """`user` and `metadata` differ from run to run and do not count."""
    assert view({"model": "a", "user": "u1"}).key(MatchRule()) == view({"model": "a", "user": "u2"}).key(MatchRule())


def test_ignored_fields_are_named_by_path():
    """A path reaches into lists, with `*` for every element."""
    rule = MatchRule.of({"body": {"ignore": ["messages[*].name", "temperature"]}})
    first = view({"messages": [{"name": "a", "content": "x"}], "temperature": 0})
    second = view({"messages": [{"name": "b", "content": "x"}], "temperature": 1})
    assert first.key(rule) == second.key(rule)
    assert first.key(MatchRule()) != second.key(MatchRule())
    assert first.key(rule) != view({"messages": [{"name": "a", "content": "y"}], "temperature": 0}).key(rule)


def test_an_ignored_path_reaches_no_further_than_it_says():
    """One element, one branch of an object: what lies beside it still counts."""
    one = MatchRule.of({"body": {"ignore": ["messages[1].name", "a.b.c"]}})

    def key(first="x", second="x", c=1, d=1, b=None):
        messages = [{"name": first}, {"name": second}]
        return view({"messages": messages, "a": {"b": {"c": c, "d": d}, "c": b}}).key(one)

    assert key() == key(second="y") == key(c=2)
    assert len({key(), key(first="y"), key(d=2), key(b=1)}) == 4


def test_another_host_is_another_request():
    """The same question to another host, or another port, is not what was recorded; the usual ports say nothing."""

    def key(url):
        return RequestView.of("POST", url, "{}").key(MatchRule())

    assert len({key(f"https://{host}/v1/x") for host in ("a.example", "b.example", "a.example:8080")}) == 3
    assert key("https://a.example/v1/x") == key("https://a.example:443/v1/x")


@pytest.mark.parametrize("body", [{"ignored": ["user"]}, ["user"], "user"])
def test_a_body_rule_says_what_it_takes(body):
    """A misspelt word is no rule that ignores nothing."""
    with pytest.raises(ConfigurationError) as caught:
        MatchRule.of({"body": body})
    assert str(caught.value) == (
        'match_on: `body` takes {"ignore": [fields]}, {"mask": {path: pattern}} and {"undated": True}'
    )


def test_differences_are_named_by_path():
    """What differs is said field by field, and nothing else is."""
    recorded = view({"model": "a", "messages": [{"role": "user", "content": "x"}], "seed": 1})
    sent = view({"model": "a", "messages": [{"role": "user", "content": "y"}, {"role": "user"}], "n": 2})
    assert [str(item) for item in differences(recorded, sent, MatchRule())] == [
        'body.messages[0].content: recorded "x", sent "y"',
        'body.messages[1]: added {"role": "user"}',
        "body.n: added 2",
        "body.seed: missing, recorded 1",
    ]


def test_the_query_counts_only_when_asked_for():
    """`?beta=true` is another request only where the query is matched."""
    plain, beta = view({}), view({}, url=URL + "?beta=true")
    assert plain.key(MatchRule()) == beta.key(MatchRule())
    assert plain.key(MatchRule.of(["path", "query"])) != beta.key(MatchRule.of(["path", "query"]))


def test_an_unknown_part_is_named():
    """A misspelt part is one clear error."""
    with pytest.raises(ConfigurationError) as caught:
        MatchRule.of(["method", "bodies"])
    assert str(caught.value) == "match_on: unknown part `bodies`. Known parts: method, host, path, query, body."


def test_an_upload_is_found_whatever_line_divides_its_parts():
    """Clients draw the boundary of a form at random."""

    def form(boundary, file=b"\xff\x00"):
        part = b'\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + file + b"\r\n"
        return b"--" + boundary + part + b"--" + boundary + b"--\r\n"

    def key(body):
        return RequestView.of("POST", "https://a.example/v1/files", body).key(MatchRule())

    assert key(form(b"8f2a")) == key(form(b"77ab00"))
    assert key(form(b"8f2a")) != key(form(b"8f2a", b"other"))
    assert key(b"--8f2a\r\nno form") != key(b"--77ab\r\nno form")


def test_a_body_nested_without_end_is_compared_as_text():
    """Python's reader of JSON gives up on it."""
    nested = [RequestView.of("POST", "https://a.example/", b"[" * size) for size in (100_000, 100_001, 100_000)]
    keys = [view.key(MatchRule()) for view in nested]
    assert keys[0] == keys[2] != keys[1]
