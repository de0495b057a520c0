"""A body stays readable in the file and comes back byte for byte."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtest.cassettes._body import JsonStyle, pretty, restore

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(
    st.dictionaries(st.text(), JSON, max_size=5),
    st.sampled_from([(",", ":"), (", ", ": ")]),
    st.booleans(),
    st.sampled_from(["", "\n", "\r\n"]),
)
def test_json_comes_back_byte_for_byte(value, separators, ascii_only, ending):
    """Whatever the usual writers write is pretty-printed and restored exactly."""
    body = json.dumps(value, separators=separators, ensure_ascii=ascii_only) + ending
    written = pretty(body)
    assert written is not None
    text, style = written
    assert json.loads(text) == value
    assert restore(text, style) == body
    assert JsonStyle.from_hint(style.as_hint()) == style


@pytest.mark.parametrize("indent", [2, 4])
def test_pretty_printed_answers_keep_their_indentation(indent):
    """OpenAI's error bodies arrive pretty-printed; so they leave."""
    body = json.dumps({"error": {"message": "no", "code": None}}, indent=indent)
    written = pretty(body)
    assert written is not None
    assert restore(*written) == body


@pytest.mark.parametrize("body", ["", "plain", '{"a": 1e5}', '{"a":1,"a":2}', '{ "a":1 }', "[1,", "data: {}\n\n"])
def test_a_body_that_no_style_restores_is_kept_as_it_is(body):
    """Where pretty-printing would lose a byte it is not done."""
    assert pretty(body) is None


def test_an_unknown_hint_is_an_error():
    """A hint written by hand is checked."""
    with pytest.raises(ValueError, match="unknown JSON style 'dense'"):
        JsonStyle.from_hint("dense")
