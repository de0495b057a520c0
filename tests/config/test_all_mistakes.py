"""A file's mistakes come all in one pass, each with its line: scenarios, chains, scripts, variables, options."""

import re

import pytest

from llmtest import build_chain, load_config, load_scenario
from llmtest.errors import ConfigurationError, ScenarioError
from llmtest.serving import load_script, parse_script
from llmtest.testing._plugin_cassette import _marked_options

SCENARIO = """\
version: 1
name: small
sede: 3
providers:
  openai: {modle: 7}
  anthropic: {model: claude-sonnet-4-5}
chain:
  retry: {max_attemts: zero}
  providers:
    - {provider: openai}
    - {provider: antropic, triger: any_eror}
load: {rate: 5/s, duration: 60}
faults:
  - {name: outage, at: 10, for: 5s, where: {provider: opnai}, what: {server_error: {stauts: 503}}}
  - {name: noise, what: {server_error: {status: 500}}}
expect:
  availabilty: ">= 99%"
  latency: {p97: "<= 3s"}
  breaker.opnai: [closed]
"""


def told(error):
    """Return line and first sentence of each mistake that an error tells."""
    found = re.findall(r"(?:^|\n\n)[\w.]+:(\d+): ([^\n]*?)(?:\.(?=\s|$)|(?=\n)|$)", str(error))
    return [(int(line), text) for line, text in found]


def test_t21_a_scenario_s_mistakes_come_in_one_pass(tmp_path, monkeypatch):
    """Misspelt keys, what is below them, wrong values, and what only the whole file can tell."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.yaml").write_text(SCENARIO)
    with pytest.raises(ScenarioError) as caught:
        load_scenario("bad.yaml")
    assert told(caught.value) == [
        (3, "unknown key `sede`"),
        (5, "unknown key `modle` in `providers.openai`"),
        (5, "`providers.openai.model`: `7` is not a text; put it in quotes"),
        (8, "unknown key `max_attemts` in `chain.retry`"),
        (8, "`chain.retry.max_attempts`: `zero` is not a whole number; write `600`, `400k` or `1M`"),
        (11, "unknown key `triger` in `chain.providers[1]`"),
        (11, "`chain.providers[1].trigger`: unknown trigger `any_eror`"),
        (11, "`chain.providers[1].provider`: no provider `antropic` in this scenario"),
        (12, "`load.duration`: `60` has no unit; write a number with a unit: `250ms`, `20s`, `5m`, `1h`"),
        (14, "`faults[0].at`: `10` has no unit; write a number with a unit: `250ms`, `20s`, `5m`, `1h`"),
        (14, "`faults[0].what`: unknown key `stauts` in `server_error`"),
        (17, "`expect.availabilty`: unknown check `availabilty`"),
        (18, "`expect.latency.p97`: unknown measure `p97`"),
        (19, "`expect.breaker.opnai`: unknown provider `opnai`"),
    ]
    assert (caught.value.path, caught.value.line) == ("bad.yaml", 3)


def test_t21_each_mistake_has_its_nearest_right_thing(tmp_path, monkeypatch):
    """The second and every later one as well as the first."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.yaml").write_text(SCENARIO)
    with pytest.raises(ScenarioError) as caught:
        load_scenario("bad.yaml")
    meant = re.findall(r"Did you mean `([^`]+)`\?", str(caught.value))
    assert meant == [
        "seed",
        "model",
        "max_attempts",
        "trigger",
        "any_error",
        "anthropic",
        "status",
        "availability",
        "p99",
        "openai",
    ]


def test_t21_what_follows_from_a_mistake_is_not_told(tmp_path, monkeypatch):
    """A load whose rate is wrong has no traffic, and a provider that is wrong is none: neither is another mistake."""
    monkeypatch.chdir(tmp_path)
    text = (
        SCENARIO.replace("sede: 3\n", "")
        .replace("{modle: 7}", "gpt-4o")
        .replace("{rate: 5/s, duration: 60}", "{rate: x}")
    )
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(ScenarioError) as caught:
        load_scenario("bad.yaml")
    lines = [line for line, _ in told(caught.value)]
    assert lines.count(4) == 1
    assert lines.count(11) == 1
    assert "no provider" not in str(caught.value)


def test_t21_a_chain_file_s_mistakes_come_in_one_pass(tmp_path, monkeypatch):
    """The sections first; then, of a file that is right, every provider that cannot be made."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "chain.yaml").write_text(
        "name: app\nretry: {max_attempts: 0}\ntimeout: {read: 3}\nproviders:\n  - {provider: openai, priority: high}\n"
    )
    with pytest.raises(ScenarioError) as caught:
        load_config("chain.yaml")
    assert [line for line, _ in told(caught.value)] == [2, 3, 5]
    (tmp_path / "chain.yaml").write_text("name: app\nproviders:\n  - {provider: opnai}\n  - {provider: antropic}\n")
    config = load_config("chain.yaml")
    with pytest.raises(ScenarioError) as caught:
        build_chain(config)
    assert told(caught.value) == [
        (3, "`providers[0].provider`: no provider `opnai`"),
        (4, "`providers[1].provider`: no provider `antropic`"),
    ]


def test_t21_a_script_s_mistakes_come_in_one_pass(tmp_path, monkeypatch):
    """Of every provider and step."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "script.yaml").write_text(
        "openai:\n  - replis: Paris\n  - fails: rate_limitd\nanthropic: Paris\n"
        "mistral:\n  dialect: opnai\n  steps:\n    - {replies: Paris, times: 0}\n"
    )
    with pytest.raises(ScenarioError) as caught:
        load_script("script.yaml")
    assert [line for line, _ in told(caught.value)] == [2, 3, 4, 6, 8]


def test_t21_variables_that_are_not_set_come_in_one_pass(tmp_path, monkeypatch):
    """Every one, with its line."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "chain.yaml").write_text(
        "name: app\nproviders:\n  - {provider: openai, api_key: '${NO_SUCH_KEY}'}\n"
        "  - {provider: anthropic, api_key: '${NOR_THIS}'}\n"
    )
    with pytest.raises(ScenarioError) as caught:
        load_config("chain.yaml", environment={})
    assert told(caught.value) == [
        (3, "the environment variable `NO_SUCH_KEY` is not set"),
        (4, "the environment variable `NOR_THIS` is not set"),
    ]


TWICE = {
    "scenario.yaml": (
        SCENARIO.replace("sede: 3", "name: large\nsede: 3").replace("{modle: 7}", "{model: a, model: b, modle: 7}"),
        load_scenario,
        [(3, "the key `name` is given twice"), (4, "unknown key `sede`"), (6, "the key `model` is given twice")],
    ),
    "chain.yaml": (
        "name: app\nname: other\nretry: {max_attempts: 0}\nproviders:\n  - {provider: openai, provider: openai}\n",
        load_config,
        [(2, "the key `name` is given twice"), (3, "`retry.max_attempts`"), (5, "the key `provider` is given twice")],
    ),
    "chain.toml": (
        (
            "name = 'app'\nname = 'other'\n[retry]\nmax_attempts = 0\nmax_attempts = 3\n"
            "[[providers]]\nprovider = 'openai'\n"
        ),
        load_config,
        [
            (2, "the key `name` is given twice"),
            (4, "`retry.max_attempts`"),
            (5, "the key `max_attempts` is given twice"),
        ],
    ),
    "windows.toml": (
        (
            "name = 'app'\r\nname = 'other'\r\n[[providers]]\r\nprovider = 'openai'\r\n[[providers]]\r\n"
            "provider = 'ollama'\r\nmodel = 'a'\r\nmodel = 'b'\r\n"
        ),
        load_config,
        [
            (2, "the key `name` is given twice, here and on line 1"),
            (8, "the key `model` is given twice, here and on line 7"),
        ],
    ),
    "script.yaml": (
        "openai:\n  - replis: Paris\nopenai:\n  - {replies: Paris, replies: Rome}\n",
        load_script,
        [(2, "unknown key `replis`"), (3, "the key `openai` is given twice"), (4, "the key `replies` is given twice")],
    ),
}


@pytest.mark.parametrize("name", TWICE)
def test_t21_keys_that_are_given_twice_come_with_everything_else(tmp_path, monkeypatch, name):
    """All of them, the other mistakes of a file that can be read past them beside them, each with its line."""
    monkeypatch.chdir(tmp_path)
    text, load, expected = TWICE[name]
    (tmp_path / name).write_text(text, newline="")
    with pytest.raises(ScenarioError) as caught:
        load(name)
    found = told(caught.value)[: len(expected)]
    assert [line for line, _ in found] == [line for line, _ in expected]
    assert all(words.startswith(said) for (_, words), (_, said) in zip(found, expected, strict=True)), found


def test_t21_a_key_given_twice_is_told_when_nothing_else_is_wrong(tmp_path, monkeypatch):
    """Once, whatever alias repeats it, and also beside a variable that is not set."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "chain.yaml").write_text(
        "name: app\nproviders:\n  - &one {provider: openai, model: a, model: b}\n  - {<<: *one, model: '${NO_SUCH}'}\n"
    )
    with pytest.raises(ScenarioError) as caught:
        load_config("chain.yaml", environment={"NO_SUCH": "c"})
    assert str(caught.value) == (
        "chain.yaml:3: the key `model` is given twice, here and on line 3.\nTo fix: keep one of the two."
    )
    with pytest.raises(ScenarioError) as caught:
        load_config("chain.yaml", environment={})
    assert [line for line, _ in told(caught.value)] == [3, 4]


def test_t21_a_script_in_json_is_read_as_strictly():
    """A key twice in the body of a request, where JSON itself would take the last one."""
    with pytest.raises(ScenarioError) as caught:
        parse_script(b'{"openai": [{"replies": "Paris", "replies": "Rome"}], "openai": [{"replis": "x"}]}')
    text = str(caught.value)
    assert "the key `replies` is given twice" in text
    assert "the key `openai` is given twice" in text
    assert "unknown key `replis`" in text


def test_t21_lines_that_cannot_be_read_come_in_one_pass(tmp_path, monkeypatch):
    """Every line with a tab, and every conflict of a merge, where no more than that can be said of a file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tabs.yaml").write_text("name: app\nproviders:\n\t- {provider: openai}\n\t- {provider: anthropic}\n")
    (tmp_path / "both.yaml").write_text(2 * "<<<<<<< ours\nname: a\n=======\nname: b\n>>>>>>> theirs\n")
    for name, lines in (("tabs.yaml", [3, 4]), ("both.yaml", [1, 6])):
        with pytest.raises(ScenarioError) as caught:
            load_config(name)
        assert [line for line, _ in told(caught.value)] == lines


def test_t21_options_of_a_cassette_come_in_one_pass():
    """Every option that the marker does not have."""
    marks = [pytest.mark.llm_cassette("a.yaml", mod="none", matchon="body").mark]
    with pytest.raises(ConfigurationError) as caught:
        _marked_options(marks)
    assert str(caught.value).startswith(
        "`llm_cassette` has no option `mod`. Did you mean `mode`?\n"
        "`llm_cassette` has no option `matchon`. Did you mean `match_on`?\nIt takes: path, mode, "
    )


def test_t19_a_check_without_its_dot_has_the_whole_check_as_its_nearest(tmp_path, monkeypatch):
    """`latencyp95` is `latency.p95`, not `latency`."""
    monkeypatch.chdir(tmp_path)
    text = SCENARIO.partition("sede")[0] + (
        "providers: {openai: {model: gpt-4o}}\nchain: {providers: [{provider: openai}]}\n"
        "load: {rate: 5/s, duration: 1m}\nexpect: {latencyp95: '<= 2s', breakeropenai: [closed]}\n"
    )
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(ScenarioError) as caught:
        load_scenario("bad.yaml")
    assert re.findall(r"Did you mean `([^`]+)`\?", str(caught.value)) == ["latency.p95", "breaker.openai"]
