"""What people write where a credential stood is told from what can be logged in with."""

from datetime import UTC, datetime

import pytest

from llmtest.cassettes import Document, Redactor, verify_cassette, write_document
from llmtest.cassettes.review._placeholders import is_placeholder
from tests.cli.cassette_samples import asked

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def found(name, value, side="request"):
    """Return `(severity, what)` of each finding about one header."""
    one = asked()
    getattr(one, side).headers[name] = [value]
    text = write_document([one])
    verdict = verify_cassette(Document(text, "a.yaml"), text, Redactor({}), now=NOW)
    return [(finding.severity, finding.what) for finding in verdict.findings]


@pytest.mark.parametrize(
    "value",
    [
        "AUTHORIZATION-XXX",
        "OPENAI-ORG-XXX",
        "REDACTED",
        "**REDACTED**",
        "test_openai_api_key",
        "Bearer test-token",
        "Bearer DUMMY-API-KEY",
        "Bearer <AUTH_TOKEN>",
        "{{API_KEY}}",
        "${OPENAI_API_KEY}",
        "your-api-key",
        "sk-xxxxxxxx",
        "sk-ant-xxx",
        "sk-test-1234567890",
        "1234567890",
        "EMPTY",
        "Bearer ollama",
        "AKIAIOSFODNN7EXAMPLE",
    ],
)
def test_k09_a_placeholder_is_no_finding(value):
    """Of the findings on public suites three in four were these."""
    assert is_placeholder(value)
    assert found("authorization", value) == []


@pytest.mark.parametrize("value", ["sk-proj-a1B2c3D4e5F6g7H8", "Bearer abc", "sk-abc123", "Bearer 8f14e45fceea167a"])
def test_k09_what_may_be_a_key_is_one(value):
    """Short and simple is not the same as made up."""
    assert found("authorization", value)[0][0] == "high"


@pytest.mark.parametrize(
    ("name", "value", "severity", "held"),
    [
        ("openai-organization", "acme-f3k2", "low", "the id of an account"),
        ("set-cookie", "__cf_bm=gZ1; path=/; HttpOnly", "low", "a cookie against bots"),
        ("cookie", "__cf_bm=gZ1; _cfuvid=x2", "low", "a cookie against bots"),
        ("cookie", "__cf_bm=gZ1; session=x2", "high", "a credential (by the name of the header)"),
    ],
)
def test_k09_accounts_and_cookies_against_bots_are_less_than_keys(name, value, severity, held):
    """Nobody can log in with them."""
    side = "request" if name == "cookie" else "response"
    assert found(name, value, side) == [(severity, f"`{side}.headers.{name}` of interaction 1 holds {held}")]
