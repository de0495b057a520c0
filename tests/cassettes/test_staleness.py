"""Recordings that are too old, and models that are served no more: told while they are played, and by `verify`."""

import json
import warnings
from datetime import date, timedelta

import httpx
import pytest

from llmtest import use_cassette
from llmtest.cassettes import FINDING_KINDS
from llmtest.cli._app import run as run_command
from llmtest.errors import CassetteFileError, CassetteWarning, ConfigurationError
from llmtest.wire import shutdowns_at
from tests.cli.cassette_samples import CHAT, asked, ours

GPT = "https://api.openai.com/v1/chat/completions"
CLAUDE = "https://api.anthropic.com/v1/messages"
GEMINI = "https://generativelanguage.googleapis.com/v1beta/models/{}:generateContent"


def question(model, prompt="Capital of France?", **more):
    """Return the body of a request."""
    return json.dumps({"model": model, "messages": [{"role": "user", "content": prompt}], **more}).encode()


def recorded(model, uri=GPT, body=None, **facts):
    """Return an interaction of a model."""
    found = asked(uri=uri, **facts)
    found.request.body = question(model) if body is None else body
    return found


@pytest.fixture
def play(tmp_path):
    """Return a function that plays all of a cassette, and returns what was warned of."""

    def run(*interactions, **options):
        path = tmp_path / "a.yaml"
        path.write_text(ours(*interactions))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            with use_cassette(path, **options):
                for each in interactions:
                    httpx.post(each.request.uri, content=each.request.body)
        assert {warning.category for warning in caught} <= {CassetteWarning}
        return [str(warning.message).removeprefix(f"{path}: ") for warning in caught]

    return run


def test_a_recording_that_is_too_old_is_told_or_fails(play):
    """By the day that is given; the answer is played all the same, and the error comes at the end."""
    old, new = asked("Old?", at="2026-01-01T00:00:00Z"), asked("New?", at="2026-05-01T00:00:00Z")
    told = (
        "1 of 2 played interactions is too old: number 1 was recorded 151 days ago, on 2026-01-01; the limit is 90 days"
    )
    assert play(old, new, max_age="90d", today="2026-06-01") == [f"{told}."]
    assert play(old, new, max_age=timedelta(days=152), today=date(2026, 6, 1)) == []
    assert play(new, max_age="90d", when_old="fail", today="2026-06-01") == []
    with pytest.raises(CassetteFileError) as caught:
        play(old, new, max_age="90d", when_old="fail", today="2026-06-01")
    assert f"{told}.\n\nTo fix: record it again: use_cassette(" in str(caught.value)


def test_only_what_is_played_is_judged_and_by_the_real_day(tmp_path):
    """An old interaction beside the one that is asked for is none of the test; virtual time is not asked."""
    path = tmp_path / "a.yaml"
    path.write_text(ours(asked("Old?", at="2020-01-01T00:00:00Z"), asked("New?", at="2999-01-01T00:00:00Z")))
    with use_cassette(path, max_age="90d", when_old="fail"):
        httpx.post(CHAT, content=asked("New?").request.body)
    with (
        pytest.raises(CassetteFileError, match="1 of 1 played interactions is too old: number 1"),
        use_cassette(path, max_age="90d", when_old="fail"),
    ):
        httpx.post(CHAT, content=asked("Old?").request.body)


def test_the_date_of_an_answer_stands_in_for_a_time(play):
    """Files of vcrpy say no other; of what says neither only that is told."""
    dated = asked("Old?", at=None, headers={"date": ["Thu, 01 Jan 2026 00:00:00 GMT"]})
    silent = asked("When?", at=None)
    options = {"max_age": "90d", "today": "2026-06-01"}
    assert "1 of 1 played interactions is too old: number 1 was recorded 151 days ago" in play(dated, **options)[0]
    note = "1 played interaction does not say when it was recorded, so `max_age` says nothing of it."
    assert play(silent, **options) == [note]
    assert play(silent, **options, when_old="fail") == [note]
    assert play(silent, today="2026-06-01") == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"max_age": "90"}, 'max_age: `90` is no age.\nTo fix: max_age="90d", or "12h"'),
        ({"max_age": "90d", "when_old": "explode"}, 'when_old: `explode` is none; there are "warn" and "fail".'),
        ({"today": "soon"}, 'today: `soon` is no date.\nTo fix: today="2026-12-31"'),
    ],
)
def test_what_is_no_age_is_refused(tmp_path, options, told):
    """With the right form."""
    with pytest.raises(ConfigurationError) as caught, use_cassette(tmp_path / "a.yaml", **options):
        pass
    assert str(caught.value) == told


ENDED = [
    pytest.param("o1", GPT, None, "OpenAI", "2026-10-23", id="openai"),
    pytest.param("claude-sonnet-4-5", CLAUDE, None, "Anthropic", "2026-11-30", id="anthropic"),
    pytest.param("gemini-2.0-flash", GEMINI, b"{}", "Gemini", "2026-06-01", id="gemini"),
]


@pytest.mark.parametrize(("model", "uri", "body", "provider", "day"), ENDED)
def test_a_model_that_is_served_no_more_is_told_after_its_day(play, model, uri, body, provider, day):
    """Once for each model, however often it is asked for, and not a day too early."""
    after = date.fromisoformat(day) + timedelta(days=1)
    both = [recorded(model, uri.format(model), body, at=f"2026-0{month}-01T00:00:00Z") for month in (1, 2)]
    ended = f"`{model}`, which {provider} shut down on {day}"
    assert play(*both, today=after) == [f"it asks for {ended}, so it cannot be recorded again as it is."]
    assert play(*both, today=day) == []


@pytest.mark.parametrize(
    ("model", "uri", "more"),
    [
        pytest.param("gpt-4o", GPT, {}, id="a name that moves on"),
        pytest.param("gpt-99", GPT, {}, id="a name that nobody knows"),
        pytest.param("o1", "https://mine.openai.azure.com/openai/v1/chat/completions", {}, id="hosted by others"),
        pytest.param("o1", "http://127.0.0.1:4010/v1/chat/completions", {}, id="a server of one's own"),
        pytest.param("gpt-99", GPT, {"metadata": {"model": "o1"}}, id="another field of that name"),
        pytest.param("gpt-99", GPT, {"prompt": '{"model": "o1"}'}, id="a text about it"),
    ],
)
def test_a_model_of_which_no_day_is_known_is_never_accused(play, model, uri, more):
    """Whatever the day: no name is guessed, and of the models that others host they say how long."""
    assert play(recorded(model, uri, question(model, **more)), today="2999-01-01") == []


def test_days_are_days_and_no_model_has_two():
    """In the tables of every provider that has one."""
    for uri in (GPT, CLAUDE, GEMINI):
        ends = shutdowns_at(uri)
        assert ends
        assert all(end.model == model and end.on.year in {2024, 2025, 2026, 2027} for model, end in ends.items())
    assert shutdowns_at("https://example.com") == {}


def test_verify_tells_of_ended_models(tmp_path, capsys):
    """A finding of low severity for each, at the line of the request; by the day that is given."""
    path = tmp_path / "a.yaml"
    path.write_text(ours(recorded("gpt-4o"), recorded("o1"), recorded("o1"), recorded("o3")))

    def verify(*options):
        capsys.readouterr()
        try:
            run_command(["cassette", "verify", str(path), *options])
        except SystemExit as ended:
            return ended.code, capsys.readouterr().out.splitlines()
        return 0, capsys.readouterr().out.splitlines()

    code, lines = verify("--today", "2026-11-01")
    assert code == 1
    fix = "Have the code ask for a model that is served, and record it again."
    line = path.read_text()[: path.read_text().index("o1")].count("\n")
    assert lines[0].startswith(f"{path}:")
    assert lines[0].endswith(f": models: interaction 2 asks for `o1`, which OpenAI shut down on 2026-10-23. {fix}")
    assert abs(int(lines[0].removeprefix(f"{path}:").partition(":")[0]) - line) <= 2
    assert "models" in FINDING_KINDS
    assert len(lines) == 2
    for options in (("--today", "2026-10-23"), ("--today", "2026-11-01", "--ignore", "models")):
        assert verify(*options)[0] == 0
    assert verify("--today", "2026-11-01", "--severity", "high")[0] == 0
    assert verify("--today", "soon")[0] == 2


SETTINGS = "llmtest_cassette_max_age = 30d\nllmtest_cassette_when_old = fail\nfilterwarnings = default\n"
MARKED = f"""
import httpx
import pytest

def ask(prompt):
    body = {{"model": "gpt-4o", "messages": [{{"role": "user", "content": prompt}}]}}
    httpx.post("{CHAT}", json=body)

@pytest.mark.llm_cassette("a.yaml")
def test_by_ini():
    ask("Old?")

@pytest.mark.llm_cassette("a.yaml", when_old="warn")
def test_warned():
    ask("Old?")

@pytest.mark.llm_cassette("a.yaml", max_age="9999d")
def test_by_marker():
    ask("Old?")
"""


def test_the_settings_say_what_is_too_old(pytester, run_tests):
    """For every cassette of a run; a marker goes before them, and a test that has failed says its own."""
    (pytester.path / "a.yaml").write_text(ours(asked("Old?", at="2025-01-01T00:00:00Z")))
    result = run_tests(MARKED, ini=SETTINGS)
    result.assert_outcomes(passed=3, errors=1, warnings=1)
    result.stdout.fnmatch_lines(
        [
            "*CassetteFileError: a.yaml: 1 of 1 played interactions is too old: number 1 was recorded *",
            "*To fix: record it again: pytest --llmtest-record=rewrite test_it.py::test_by_ini",
            "*CassetteWarning: a.yaml: 1 of 1 played interactions is too old: *",
        ]
    )
