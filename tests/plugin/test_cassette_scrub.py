"""Own patterns of what a cassette does not keep: of the marker, of the ini file, and of a hook."""

import sys

from tests.cassettes.live_provider import live_provider
from tests.cli.cassette_samples import asked, ours

APP = """
import os
import openai

client = openai.OpenAI(base_url=os.environ["LIVE_URL"], api_key="sk-live-0123456789abcdefghij")
"""

ASKS = """
    import pytest

    @pytest.mark.llm_cassette("a.yaml", scrub=[r"order (?P<order>\\d+)"])
    def test_asks():
        import app

        said = "order 4711 of cust-17 in room 5"
        app.client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": said}])
"""

HOOK = """
def pytest_llmtest_scrub(config):
    return [r"room (?P<room>\\d)"]
"""


def test_own_patterns_come_from_marker_ini_and_hook(run_tests, monkeypatch, pytester):
    """All three are gone from the file, and the session replays for who asks the same."""
    pytester.makeconftest(HOOK)
    ini = "llmtest_cassette_scrub =\n    (?P<customer>cust-\\d+)\n"
    with live_provider() as provider:
        monkeypatch.setenv("LIVE_URL", provider.base_url)
        for mode in ("once", "none"):
            monkeypatch.delitem(sys.modules, "app", raising=False)
            run_tests(ASKS, f"--llmtest-record={mode}", ini=ini, app=APP).assert_outcomes(passed=1)
        assert len(provider.bodies) == 1
    text = (pytester.path / "a.yaml").read_text()
    assert "order <redacted order> of <redacted customer> in room <redacted room>" in text


def test_a_pattern_that_is_none_fails_its_test(run_tests):
    """With the words of the error."""
    code = """
        import pytest

        @pytest.mark.llm_cassette("a.yaml", scrub=["("])
        def test_asks():
            pass
    """
    result = run_tests(code)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*`(` is no regular expression: missing ), unterminated subpattern at position 0."])


def test_masks_of_the_ini_file_hold_for_every_cassette(run_tests, pytester):
    """A prompt of today is answered as that of then was."""
    (pytester.path / "a.yaml").write_text(ours(asked("It is 2026-01-01.")))
    code = """
        import httpx2
        import pytest

        @pytest.mark.llm_cassette("a.yaml")
        def test_asks():
            body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "It is 2026-11-30."}]}
            assert httpx2.post("https://api.openai.com/v1/chat/completions", json=body).status_code == 200
    """
    ini = "llmtest_cassette_mask =\n    messages[*].content = date\n"
    run_tests(code, ini=ini).assert_outcomes(passed=1)
    run_tests(code).assert_outcomes(failed=1)
