"""No credential reaches the disk, whatever its shape, wherever it stands."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmtest.cassettes._redaction import Redactor

ENVIRONMENT = {"OPENAI_API_KEY": "my-own-proxy-key-123", "HOME": "/home/somebody", "SHORT_API_KEY": "ollama"}
SHAPED = [
    "sk-ant-api03-abcdefghijklmnop",
    "sk-proj-abcdefghijklmnopqrstuvwx",
    "sk-or-v1-0123456789abcdef",
    "AIzaSyA-0123456789abcdefghijklmnopqrstu",
    "AKIAIOSFODNN7EXAMPLE",
    "ghp_0123456789abcdefghijABCDEFGHIJ",
    "xoxb-1234567890-abcdef",
    "hf_abcdefghijklmnopqrstuvwx",
    "gsk_abcdefghijklmnopqrstuvwx",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc123def456",
    "my-own-proxy-key-123",
]


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("Authorization", "Bearer abc", "Bearer <redacted>"),
        ("X-API-KEY", "abc", "<redacted>"),
        ("Set-Cookie", "a=b; path=/", "<redacted>"),
        ("openai-organization", "my-company", "<redacted>"),
        ("content-type", "application/json", "application/json"),
        ("x-custom", "key my-own-proxy-key-123", "key <OPENAI_API_KEY>"),
    ],
)
def test_a_header_is_replaced_by_name_or_by_value(name, value, kept):
    """Credential headers lose their value whatever their case; others lose the credential inside."""
    assert Redactor(ENVIRONMENT).header(name, value) == kept


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://h/v1?key=abc&alt=sse", "https://h/v1?key=<redacted>&alt=sse"),
        ("https://user:pass@h/v1", "https://<redacted>@h/v1"),
        ("https://h/AKIAIOSFODNN7EXAMPLE/x", "https://h/<redacted aws key id>/x"),
        ("https://h/v1?api-version=2024-10-21", "https://h/v1?api-version=2024-10-21"),
    ],
)
def test_a_url_loses_the_credentials_in_its_parts(url, kept):
    """The user part, secret parameters and shapes are replaced; the rest stays."""
    assert Redactor(ENVIRONMENT).url(url) == kept


@given(st.sampled_from(SHAPED), st.text(max_size=30), st.text(max_size=30))
def test_no_shape_and_no_value_survives_in_text(secret, before, after):
    """A credential set off from its surroundings is replaced, and the last scan then finds nothing."""
    redactor = Redactor(ENVIRONMENT)
    kept = redactor.text(f"{before} {secret} {after}")
    assert secret not in kept
    assert redactor.find(kept) is None


@given(st.text(min_size=8, max_size=40), st.text(max_size=20))
def test_a_value_of_the_environment_is_found_inside_json(value, around):
    """A secret value is found whichever way its JSON escapes it."""
    redactor = Redactor({"CUSTOM_API_KEY": value})
    for ascii_only in (True, False):
        text = json.dumps({"a": around + " " + value + " " + around}, ensure_ascii=ascii_only)
        assert (
            json.dumps(value, ensure_ascii=ascii_only)[1:-1] not in redactor.text(text) or value in "<CUSTOM_API_KEY>"
        )


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("OPENAI_API_KEY", "abcdefgh", True),
        ("azure_openai_key", "0123456789abcdef", True),
        ("LANGFUSE_SECRET_KEY", "abcdefgh", True),
        ("GITHUB_PAT", "abcdefgh-01234567", True),
        ("SORT_KEY", "created_at_descending", False),
        ("SSH_KEY", "/home/me/.ssh/id_ed25519", False),
        ("EDITOR", "0123456789abcdef", False),
    ],
)
def test_variables_are_secrets_by_their_name_and_their_look(name, value, secret):
    """A key by any name is one; a path and a word are none."""
    kept = Redactor({name: value}).text(f"it is {value}.")
    assert kept == (f"it is <{name}>." if secret else f"it is {value}.")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (
            '{"access_token": "abc.def/ghi", "expires_in": 3599}',
            '{"access_token": "<redacted access_token>", "expires_in": 3599}',
        ),
        (
            "grant_type=x&client_secret=Zm9v~bar%21&scope=a",
            "grant_type=x&client_secret=<redacted client_secret>&scope=a",
        ),
        ('{"client_secret": {"type": "string"}}', '{"client_secret": {"type": "string"}}'),
        ('{"max_access_token": "unlimited"}', '{"max_access_token": "unlimited"}'),
    ],
)
def test_the_fields_of_oauth_lose_their_values(text, kept):
    """A token has no shape; its field has a name, in JSON and in forms."""
    redactor = Redactor({})
    assert redactor.text(text) == kept
    assert redactor.find(kept) is None


def test_a_short_value_is_no_secret():
    """`OPENAI_API_KEY=ollama` does not turn every mention of ollama into a placeholder."""
    assert Redactor({"OPENAI_API_KEY": "ollama"}).text("ollama serve") == "ollama serve"


def test_a_finding_names_the_kind_and_the_place_and_not_the_value():
    """What the last scan reports can be printed."""
    finding = Redactor({}).find("key: sk-ant-api03-abcdefghijklmnop")
    assert finding is not None
    assert (finding.kind, finding.start) == ("anthropic key", 5)
    assert "api03" not in repr(finding)


@pytest.mark.parametrize("value", ["redacted", "OPENAI_API_KEY", "hugging face", "access_token", "<redacted"])
def test_a_value_that_is_a_word_of_a_placeholder_is_replaced_once(value):
    """A dummy value such as `OPENAI_API_KEY=redacted` keeps no session from being saved."""
    redactor = Redactor({"OPENAI_API_KEY": value})
    kept = redactor.text(f"{value}, hf_abcdefghijklmnopqrstuvwx and access_token=0123456789")
    assert kept == (
        "<OPENAI_API_KEY>, <redacted hugging face token> and "
        + ("<OPENAI_API_KEY>" if value == "access_token" else "access_token")
        + "=<redacted access_token>"
    )
    assert redactor.text(kept) == kept


def test_redacting_twice_changes_nothing():
    """Placeholders are no credentials themselves."""
    redactor = Redactor(ENVIRONMENT)
    once = redactor.text(" ".join(SHAPED) + " Bearer abcdefghijkl")
    assert redactor.text(once) == once


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('{"api_key": "0123456789abcdef0123456789abcdef"}', '{"api_key": "<redacted key>"}'),
        ('{"x-api-key":"q9V0Zx81mB2nL4kP"}', '{"x-api-key":"<redacted key>"}'),
        (r'{"arguments": "{\"apiKey\": \"q9V0Zx81mB2nL4kP\"}"}', r'{"arguments": "{\"apiKey\": \"<redacted key>\"}"}'),
        ('{"secret_access_key": "aB3/xY9+aB3/xY9+aB3/xY9+"}', '{"secret_access_key": "<redacted key>"}'),
        ('{"api_key": {"type": "string"}}', None),
        ('{"api_key": "YourAuthenticationToken"}', None),
        ('{"api_key": "a text of 20 words or so"}', None),
        ("glpat-" + "a1" * 10, "<redacted gitlab token>"),
        ("nvapi-" + "a1" * 10, "<redacted nvidia key>"),
        ("sk_live_" + "a1" * 10, "<redacted stripe key>"),
    ],
)
def test_a_key_without_a_shape_is_known_by_its_field(text, kept):
    """Not every provider marks its keys; a field of JSON that is called a key says it."""
    assert Redactor({}).text(text) == (text if kept is None else kept)
    assert Redactor({}).find(kept or text) is None
