"""Code that a distribution names by entry points: found, and refused where it cannot be what is meant."""

import importlib
import sys

import pytest

from llmtest import ConfigurationError, use_cassette
from llmtest.cassettes import MatchRule
from tests.cassettes.test_own_matchers import post
from tests.cli.cassette_samples import asked, ours

CODE = """
def same_question(sent, recorded):
    return str(sent.json()).lower() == str(recorded.json()).lower()

def never(sent, recorded):
    return False
"""


@pytest.fixture
def distribution(tmp_path, monkeypatch):
    """Make installed distributions: a name, what its entry points are, and its modules."""

    def make(name, points, **modules):
        site = tmp_path / f"site-{name}"
        info = site / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = "".join(f"{key} = {value}\n" for key, value in points.items())
        (info / "entry_points.txt").write_text(f"[llmtest.cassettes]\n{lines}")
        for module, code in modules.items():
            (site / f"{module}.py").write_text(code)
            monkeypatch.delitem(sys.modules, module, raising=False)
        monkeypatch.syspath_prepend(site)
        importlib.invalidate_caches()

    return make


def refusal(*match_on):
    """Return what is said where a rule cannot be made."""
    with pytest.raises(ConfigurationError) as caught:
        MatchRule.of(match_on)
    return str(caught.value)


def test_a_distribution_gives_matchers_and_hooks_by_name(distribution, tmp_path):
    """By the name of the entry point, in a list, alone, and in a mapping."""
    distribution("plugs", {"any-case": "plugs_code:same_question"}, plugs_code=CODE)
    path = tmp_path / "a.yaml"
    path.write_text(ours(asked("Two?", "2")))
    for match_on in (["path", "any-case"], "any-case", {"body": {"ignore": ["messages"]}, "matchers": ["any-case"]}):
        with use_cassette(path, match_on=match_on):
            assert post("two?") == "2"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import no_such_module", "No module named 'no_such_module'"),
        ("other = 1", "module 'broken_code' has no attribute 'same'"),
        ("raise RuntimeError('no GPU')", "RuntimeError: no GPU"),
        ("def same(:", "SyntaxError: "),
    ],
)
def test_one_that_fails_to_load_is_named_with_its_distribution(distribution, code, reason):
    """Whatever its module raises; another entry point of the same distribution is not touched by it."""
    distribution("broken", {"same": "broken_code:same", "good": "good_code:never"}, broken_code=code, good_code=CODE)
    said = refusal("path", "same")
    assert said.startswith(f"match_on: `same`, which is `broken_code:same` of broken, cannot be loaded: {reason}")
    assert "To fix: repair or update that distribution" in said
    assert MatchRule.of(["path", "good"]).matchers[0].__name__ == "never"


def test_a_name_of_two_distributions_is_refused_and_the_advice_works(distribution):
    """Which of them was found first is chance; the same function twice is one."""
    distribution("first", {"same": "first_code:same_question", "never": "first_code:never"}, first_code=CODE)
    distribution("second", {"same": "second_code:same_question", "never": "first_code:never"}, second_code=CODE)
    said = refusal("path", "same")
    assert said == (
        "match_on: more than one thing is called `same`: `first_code:same_question` of first and "
        "`second_code:same_question` of second.\nTo fix: write which one is meant, as `first_code:same_question`."
    )
    assert MatchRule.of(["path", "first_code:same_question"]).matchers[0].__module__ == "first_code"
    assert MatchRule.of(["path", "never"]).matchers[0].__module__ == "first_code"


def test_what_is_named_and_cannot_be_called_is_refused(distribution):
    """As a value that is given is."""
    distribution("data", {"table": "data_code:TABLE"}, data_code="TABLE = {}")
    assert refusal("table").startswith("match_on: 'table' cannot be called.")
