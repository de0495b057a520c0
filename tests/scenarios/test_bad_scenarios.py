"""What is said of a scenario file that is wrong: file, line, the nearest valid thing, and the way out."""

import pytest

from llmtest.errors import ScenarioError
from llmtest.scenarios import load_scenario, run_scenario

GOOD = """\
version: 1
name: small
providers:
  openai: {model: gpt-4o}
  anthropic: {model: claude-sonnet-4-5}
chain:
  providers:
    - {provider: openai}
    - {provider: anthropic, trigger: any_error}
load: {rate: 5/s, duration: 1m}
faults:
  - {name: outage, at: 10s, for: 5s, where: {provider: openai}, what: {server_error: {status: 503}}}
expect:
  availability: ">= 99%"
"""


def message_of(tmp_path, monkeypatch, text, name="bad.yaml"):
    """Return what loading a file with this text says."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text(text)
    with pytest.raises(ScenarioError) as caught:
        load_scenario(name)
    return str(caught.value)


def test_the_good_file_is_good(tmp_path):
    """The file that the cases below break in one place each is valid."""
    path = tmp_path / "good.yaml"
    path.write_text(GOOD)
    assert load_scenario(path).name == "small"


CASES = [
    pytest.param(
        ("load: {rate: 5/s, duration: 1m}", "laod: {rate: 5/s, duration: 1m}"),
        "bad.yaml:10: unknown key `laod`. Did you mean `load`?\nKnown keys: version, name, description, seed, "
        "providers, chain, target, budget, load, fragmentation, faults, expect.",
        id="unknown-key",
    ),
    pytest.param(
        ("trigger: any_error", "triger: any_error"),
        "bad.yaml:9: unknown key `triger` in `chain.providers[1]`. Did you mean `trigger`?\nKnown keys: provider, "
        "model, api_key, api_key_env, base_url, api, headers, name, chain, custom, responses, max_tokens, temperature, "
        "context_window, price, cost_per_1k_tokens, streaming, deployment, api_version, trigger, model_mapping, "
        "priority, weight, unmapped_models, retry, circuit_breaker, timeouts, quota_group, rate_limit.",
        id="unknown-key-deep",
    ),
    pytest.param(
        ("duration: 1m", "duration: 1 fortnight"),
        "bad.yaml:10: `load.duration`: `1 fortnight` has the unknown unit `fortnight`; write a number with a unit: "
        "`250ms`, `20s`, `5m`, `1h`.",
        id="unknown-unit",
    ),
    pytest.param(
        ("duration: 1m", "duration: 60"),
        "bad.yaml:10: `load.duration`: `60` has no unit; write a number with a unit: `250ms`, `20s`, `5m`, `1h`.",
        id="no-unit",
    ),
    pytest.param(
        ("rate: 5/s", "rate: 5/fortnight"),
        "bad.yaml:10: `load.rate`: `5/fortnight` has the unknown unit `fortnight`; write `5/s`, `600/min` or `100/h`.",
        id="rate-unit",
    ),
    pytest.param(
        ("- {provider: anthropic", "- {provider: antropic"),
        "bad.yaml:9: `chain.providers[1].provider`: no provider `antropic` in this scenario. Did you mean "
        "`anthropic`?\nKnown providers: openai, anthropic.",
        id="missing-provider",
    ),
    pytest.param(
        ("where: {provider: openai}", "where: {provider: opnai}"),
        "bad.yaml:12: `faults[0].where.provider`: no provider `opnai` in this scenario. Did you mean `openai`?\n"
        "Known providers: openai, anthropic.",
        id="fault-at-nobody",
    ),
    pytest.param(
        ("server_error: {status: 503}", "server_eror: {status: 503}"),
        "bad.yaml:12: `faults[0].what`: unknown fault `server_eror`. Did you mean `server_error`?\nKnown faults: "
        "rate_limited, quota_exceeded, authentication_failed, permission_denied, model_not_found, "
        "context_length_exceeded, invalid_request, content_filtered, request_too_large, server_error, overloaded, "
        "timeout, connection_refused, connection_reset, connection_closed, malformed_body, wrong_content_type, "
        "empty_response, slow_first_token, stream_dropped, stream_truncated, stream_stalled, stream_error, "
        "stream_malformed, wire_edit.",
        id="unknown-fault",
    ),
    pytest.param(
        ("status: 503", "status: 404"),
        "bad.yaml:12: `faults[0].what`: ServerError: status must be from 500 to 599, got 404.",
        id="fault-argument",
    ),
    pytest.param(
        ('availability: ">= 99%"', 'avialability: ">= 99%"'),
        "bad.yaml:14: `expect.avialability`: unknown check `avialability`. Did you mean `availability`?\nKnown checks: "
        "availability, calls, succeeded, failed, attempts, retries, fallbacks, rejected, spend, verdict, "
        "whole_answers, broken_answers, usage_reported, attempts.<provider>, breaker.<provider>, faults_fired.<rule>, "
        "latency.<p99>, served_by.<provider>, ttft.<p99>, burst.<provider>, call_time.<p99>, errors.<class>, "
        "recovery.<provider>, reported_model.<model>, retry_gap.<provider>, spend.<provider>.",
        id="unknown-check",
    ),
    pytest.param(
        ('availability: ">= 99%"', "breaker.openai: [closed, opened]"),
        "bad.yaml:14: `expect.breaker.openai`: unknown state `opened`. Did you mean `open`?\nKnown states: closed, "
        "open, half_open, isolated.",
        id="unknown-state",
    ),
    pytest.param(
        ('availability: ">= 99%"', 'ttft.p95: "<= 1s"'),
        "bad.yaml:14: `expect.ttft.p95`: an answer that is not streamed has no first token.\n"
        "To fix: `load: {stream: true, ...}`.",
        id="not-measurable",
    ),
    pytest.param(
        ("rate: 5/s, duration: 1m", "profile: azure-coed-2023, duration: 1m"),
        "bad.yaml:10: `load.profile`: unknown profile `azure-coed-2023`. Did you mean `azure-code-2023`?\nKnown "
        "profiles: azure-code-2023, azure-conv-2023.",
        id="unknown-profile",
    ),
    pytest.param(
        ("rate: 5/s, duration: 1m", "rate: 5/s"),
        "bad.yaml:10: `load`: `rate` needs a `duration`, such as `duration: 1h`.",
        id="endless-load",
    ),
    pytest.param(
        ("rate: 5/s, duration: 1m", "trace: nowhere.csv"),
        "bad.yaml:10: `load.trace`: no such file: `nowhere.csv`.",
        id="missing-trace",
    ),
    pytest.param(
        ("version: 1", "version: 2"),
        "bad.yaml:1: `version`: `2` is not a version this release reads; write `version: 1`.",
        id="version",
    ),
    pytest.param(("name: small\n", ""), "bad.yaml:1: the key `name` is missing.", id="missing-key"),
    pytest.param(
        ("name: small", "name: small\nname: large"),
        "bad.yaml:3: the key `name` is given twice, here and on line 2.\nTo fix: keep one of the two.",
        id="key-twice",
    ),
    pytest.param(
        ("  providers:\n    -", "\tproviders:\n    -"),
        "bad.yaml:7: the line is indented with a tab.\nTo fix: indent with spaces; YAML does not allow tabs there.",
        id="tab",
    ),
    pytest.param(
        ("name: small", "<<<<<<< HEAD\nname: small\n=======\nname: large\n>>>>>>> theirs"),
        "bad.yaml:2: unresolved merge conflict: the line starts with `<<<<<<<`.\n"
        "To fix: keep one of the two versions, and delete the marker lines.",
        id="merge-conflict",
    ),
    pytest.param(
        ("gpt-4o", '"${NO_SUCH_VARIABLE_HERE}"'),
        "bad.yaml:4: the environment variable `NO_SUCH_VARIABLE_HERE` is not set.\n"
        "To fix: set it, or give a default: `${NO_SUCH_VARIABLE_HERE:-value}`.",
        id="variable",
    ),
    pytest.param(
        ("load:", "target: app:ask\nload:"),
        "bad.yaml:10: a scenario has either a `chain` or a `target`; both are given.\nTo fix: `chain: {providers: "
        "[...]}` runs ours, `target: module:callable` runs your own app.",
        id="chain-and-target",
    ),
]


@pytest.mark.parametrize(("change", "expected"), CASES)
def test_a_wrong_file_gets_one_clear_error(tmp_path, monkeypatch, change, expected):
    """Each mistake is reported with its line, the nearest valid thing and the way out."""
    text = GOOD.replace(*change)
    assert text != GOOD
    assert message_of(tmp_path, monkeypatch, text) == expected


def test_an_empty_file(tmp_path, monkeypatch):
    """An empty file says what to begin with."""
    assert message_of(tmp_path, monkeypatch, "") == (
        "bad.yaml: the file is empty.\nTo fix: write at least `version: 1` and `name:`."
    )


def test_a_list_is_no_scenario(tmp_path, monkeypatch):
    """A file whose top is a list says what it must be."""
    assert message_of(tmp_path, monkeypatch, "- a\n") == (
        "bad.yaml:1: the file must be a mapping of keys to values, not a list."
    )


def test_a_missing_file_names_its_neighbour(tmp_path, monkeypatch):
    """A misspelt file name gets the nearest file of the folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outage.yaml").write_text(GOOD)
    with pytest.raises(ScenarioError) as caught:
        load_scenario("outtage.yaml")
    assert str(caught.value) == "outtage.yaml: no such file. Did you mean `outage.yaml`?"


def test_a_folder_is_no_scenario(tmp_path, monkeypatch):
    """A folder instead of a file is refused."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "box").mkdir()
    with pytest.raises(ScenarioError) as caught:
        load_scenario("box")
    assert str(caught.value) == "box: is a folder, not a file.\nTo fix: name a file in it."


def test_a_binary_file_is_no_scenario(tmp_path, monkeypatch):
    """A file that is not UTF-8 names the line of the first wrong byte."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.yaml").write_bytes(b"version: 1\nname: \xff\n")
    with pytest.raises(ScenarioError) as caught:
        load_scenario("bad.yaml")
    assert str(caught.value) == (
        "bad.yaml:2: not a text file in UTF-8.\nTo fix: save it as UTF-8 (byte 0xff is not part of any character)."
    )


def test_several_mistakes_are_all_told(tmp_path, monkeypatch):
    """Each with its file and line, in the order of the file."""
    text = GOOD.replace("gpt-4o", "''").replace("duration: 1m", "duration: 1x")
    assert message_of(tmp_path, monkeypatch, text) == (
        "bad.yaml:4: `providers.openai.model`: must not be empty.\n\n"
        "bad.yaml:10: `load.duration`: `1x` has the unknown unit `x`; write a number with a unit: `250ms`, `20s`, "
        "`5m`, `1h`."
    )


LATE = """\
version: 1
name: late
providers:
  openai: {model: gpt-4o, latency: {total: 800ms}}
  anthropic: {model: claude-sonnet-4-5}
  ollama: {model: llama3.2}
chain: {providers: [{provider: openai}, {provider: anthropic}]}
load: {rate: 5/s, duration: 1m}
expect: {latency.p95: "<= 2s"}
"""


def notes_of(tmp_path, monkeypatch, text):
    """Return what a run of a scenario notes."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "late.yaml").write_text(text)
    return run_scenario(load_scenario("late.yaml")).notes


def test_t23_a_fallback_without_latency_is_said_where_latencies_are_judged(tmp_path, monkeypatch):
    """Its answers take no time, and the check may hold for that reason; who is never asked does not matter."""
    assert notes_of(tmp_path, monkeypatch, LATE) == (
        (
            "late.yaml:5: `providers.anthropic` has no `latency`: its answers take no time, and `latency.p95` may hold "
            "for that reason.\n"
            "To fix: `latency: {total: 800ms}`; or `latency: {total: 0}`, if that is meant."
        ),
    )


@pytest.mark.parametrize("latency", ["{total: 800ms}", "{total: 0}"])
def test_t23_both_ways_out_are_taken(tmp_path, monkeypatch, latency):
    """A latency, or the word that there is none."""
    text = LATE.replace("claude-sonnet-4-5", f"claude-sonnet-4-5, latency: {latency}")
    assert notes_of(tmp_path, monkeypatch, text) == ()


def test_t23_a_scenario_that_judges_no_latency_needs_none(tmp_path, monkeypatch):
    """Most do not."""
    assert notes_of(tmp_path, monkeypatch, LATE.replace("latency.p95", "calls").replace("<= 2s", ">= 1")) == ()
