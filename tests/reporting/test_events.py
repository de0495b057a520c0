"""The event file: one JSON object a line, in the order in which things happened, and what can be told from it alone."""

import json
import shlex
import subprocess
import sys
from io import StringIO

import pytest
from rich.console import Console

from llmtest.errors import ConfigurationError
from llmtest.events import BreakerChanged, CallStarted, RequestReceived
from llmtest.reporting import EVENT_SCHEMA, EventFile, RunHeader, print_results, read_events
from llmtest.scenarios import load_scenario, run_scenario
from tests.event_samples import HISTORY

SMALL = """\
version: 1
name: small
providers: {openai: {model: gpt-4o}}
chain: {retry: {max_attempts: 2}, providers: [{provider: openai}]}
load: {rate: 1/s, arrivals: constant, duration: 3s}
faults: [{name: noise, when: {calls: {first: 2, last: 2}}, what: {server_error: {status: 503}}}]
"""

OUTAGE = """\
version: 1
name: outage
seed: 3
providers:
  openai: {model: gpt-4o, latency: {total: 300ms}}
  anthropic: {model: claude-sonnet-4-5, latency: {total: 600ms}}
  ollama: {model: llama3.2}
chain:
  retry: {max_attempts: 2}
  circuit_breaker: {failure_threshold: 2, cooldown_secs: 5}
  providers: [{provider: openai}, {provider: anthropic}, {provider: ollama, trigger: never}]
budget: {max_cost_per_day: 0.15}
load: {rate: 2/s, arrivals: poisson, duration: 60s, stream: true}
faults:
  - {name: outage, at: 5s, for: 20s, where: {provider: openai}, what: {server_error: {status: 503}}}
  - {name: never, optional: true, at: 2h, what: {server_error: {status: 500}}}
"""

UNPRICED = SMALL.replace("gpt-4o", "gpt-nobody-knows").replace("small", "unpriced")

TARGET = """\
version: 1
name: an app of one's own
providers: {openai: {model: gpt-4o}}
target: tests.reporting.one_app:ask
load: {rate: 2/s, arrivals: constant, duration: 20s}
faults: [{name: noise, when: {probability: 0.4}, what: {rate_limited: {retry_after: 1s}}}]
"""

NO_BREAKER = SMALL.replace("chain: {", "chain: {circuit_breaker: null, ")

GOLDEN = """\
{"kind": "header", "schema": 1, "scenario": "Zürich", "seed": 7, "file": null, "providers": [], "circuits": false, \
"faults": [], "inferred": false}
{"kind": "call", "at_ns": 0, "call": 1, "label": "Zürich"}
{"kind": "request", "at_ns": 5, "call": 1, "exchange": 1, "provider": "openai", "model": null, "operation": "chat", \
"stream": true}
{"kind": "breaker", "at_ns": 1000000000, "call": 0, "provider": "openai", "from_state": "closed", "to_state": "open", \
"cause": "failures", "count": 3, "outcome": "503", "error_class": null, "open_for": 30.0, "calls": null}
{"kind": "end", "at_ns": 2500000000}
"""


def test_m05_every_event_is_a_line_of_typed_fields(tmp_path):
    """Times are whole nanoseconds, text is kept as it is, and the file replaces what was there."""
    path = tmp_path / "events.jsonl"
    path.write_text("old")
    with EventFile(path, RunHeader("Zürich", 7)) as file:
        file.write(CallStarted(0, 1, "Zürich"))
        file.write(RequestReceived(5, 1, 1, "openai", None, "chat", stream=True))
        file.write(BreakerChanged(1_000_000_000, 0, "openai", "closed", "open", "failures", 3, "503", open_for=30.0))
        file.end(2.5)
    assert path.read_text(encoding="utf-8") == GOLDEN


def test_m05_a_file_gives_back_every_event(tmp_path):
    """Every kind of event, with every field, is read as it was written; so are the digest and the table."""
    path = tmp_path / "events.jsonl"
    with EventFile(path) as file:
        for event in HISTORY:
            file.write(event)
    run = read_events(path)
    assert tuple(run) == HISTORY
    assert [type(event) for event in run] == [type(event) for event in HISTORY]
    assert (run.header, run.elapsed_ns) == (RunHeader(), None)


def test_text_that_no_encoding_can_write_comes_back(tmp_path):
    """Half a pair of characters in a name, which JSON can say, is written as JSON says it."""
    event = RequestReceived(0, 0, 1, "openai", "\ud800", "chat", stream=False)
    with EventFile(tmp_path / "events.jsonl") as file:
        file.write(event)
    assert b'"model": "\\ud800"' in (tmp_path / "events.jsonl").read_bytes()
    assert list(read_events(tmp_path / "events.jsonl")) == [event]


def recorded(tmp_path, text, seed=None):
    """Run a scenario, writing its events; return its own result and what the file tells."""
    (tmp_path / "scenario.yaml").write_text(text)
    scenario = load_scenario(tmp_path / "scenario.yaml")
    with EventFile(tmp_path / "events.jsonl", RunHeader.of(scenario, seed)) as file:
        live = run_scenario(scenario, seed, on_event=file.write)
        file.end(live.virtual_seconds)
    return live, read_events(tmp_path / "events.jsonl")


def printed(result):
    """Return what is printed of a run, without what no event tells: the time it really took, and what was expected."""
    result.wall_seconds, result.expectations = 0.0, []
    out = StringIO()
    print_results([result], Console(file=out, width=120, highlight=False))
    return out.getvalue()


@pytest.mark.parametrize("seed", [None, 11])
@pytest.mark.parametrize("text", [SMALL, OUTAGE, UNPRICED, TARGET, NO_BREAKER], ids=lambda text: text.split("\n")[1])
def test_m05_a_report_can_be_made_of_the_file_alone(tmp_path, text, seed):
    """Calls, fallbacks, who served, circuits with their times, latencies, cost and digest are those of the run."""
    live, run = recorded(tmp_path, text, seed)
    told = run.result()
    live.findings, live.wall_seconds, live.expectations = {}, 0.0, []
    assert told == live
    assert told.calls > 0
    assert printed(told) == printed(live)
    assert run.trace.digest() == live.digest


def test_the_outage_has_what_a_report_tells(tmp_path):
    """The scenario above is no empty one: every number that a report has is more than nothing."""
    _, run = recorded(tmp_path, OUTAGE)
    told = run.result()
    assert told.fallbacks
    assert told.retries
    assert told.rejected
    assert told.breaker["openai"][:4] == ["closed", "open", "half_open", "open"]
    assert told.breaker["ollama"] == ["closed"]
    assert told.served_by["anthropic"]
    assert told.ttft["p50"]
    assert told.cost_usd
    assert told.faults_fired["outage"] > 0 == told.faults_fired["never"]


def test_a_run_s_history_twice_is_the_same_file(tmp_path):
    """A run writes its whole history, and the same run the same bytes."""
    written = []
    for _ in range(2):
        recorded(tmp_path, SMALL)
        written.append((tmp_path / "events.jsonl").read_text())
    assert written[0] == written[1]
    kinds = [json.loads(line)["kind"] for line in written[0].splitlines()]
    assert (kinds[0], kinds[-1]) == ("header", "end")
    assert kinds.count("call") == kinds.count("call_end") == 3
    assert kinds.count("request") == kinds.count("answer") == 4
    assert kinds.count("fault") == kinds.count("retry") == 1


def test_the_header_tells_what_ran(tmp_path):
    """Scenario, seed, file, and who could take part, asked or not."""
    _, run = recorded(tmp_path, OUTAGE)
    path = str(tmp_path / "scenario.yaml")
    providers, faults = ("openai", "anthropic", "ollama"), ("outage", "never")
    assert run.header == RunHeader("outage", 3, path, providers, circuits=True, faults=faults)
    _, run = recorded(tmp_path, TARGET, seed=5)
    assert (run.header.seed, run.header.circuits, run.header.inferred) == (5, False, True)


def test_a_run_that_breaks_leaves_what_happened(tmp_path):
    """The file is closed with what was written, whatever ended the run, and can be read; it tells no end."""
    path = tmp_path / "events.jsonl"

    def stop(event):
        file.write(event)
        raise KeyboardInterrupt

    (tmp_path / "small.yaml").write_text(SMALL)
    with EventFile(path) as file, pytest.raises(KeyboardInterrupt):
        run_scenario(load_scenario(tmp_path / "small.yaml"), on_event=stop)
    run = read_events(path)
    assert (len(run.trace), run.elapsed_ns) == (1, None)
    assert (run.result().calls, run.result().virtual_seconds) == (0, 0.0)


def test_a_file_that_cannot_be_written(tmp_path):
    """The error names the file and the cause."""
    path = tmp_path / "no such folder" / "events.jsonl"
    with pytest.raises(ConfigurationError) as caught:
        EventFile(path)
    assert str(caught.value) == f"{path}: cannot be written: No such file or directory."


def test_a_file_that_cannot_be_read(tmp_path):
    """The error names the file and the cause."""
    with pytest.raises(ConfigurationError) as caught:
        read_events(tmp_path / "none.jsonl")
    assert str(caught.value) == f"{tmp_path / 'none.jsonl'}: cannot be read: No such file or directory."


def refusal(path, content):
    """Return what is said of a file with this content."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigurationError) as caught:
        read_events(path)
    return str(caught.value)


def test_m05_a_newer_schema_is_refused_and_the_advice_works(tmp_path, monkeypatch):
    """The error names what was found, what can be read and the command that writes the file again; it works."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(SMALL)
    newer = {"kind": "header", "schema": EVENT_SCHEMA + 1, "file": "small.yaml", "seed": 4, "planets": 9}
    text = refusal(tmp_path / "run.jsonl", json.dumps(newer) + '\n{"kind": "from the future"}\n')
    advice = f"llmtest simulate small.yaml --seed 4 --events {shlex.quote(str(tmp_path / 'run.jsonl'))}"
    assert text == (
        f"{tmp_path / 'run.jsonl'}:1: the file is of schema {EVENT_SCHEMA + 1}, this llmtest reads schema "
        f"{EVENT_SCHEMA}.\nTo fix: update llmtest, or write the file again with this one: `{advice}`."
    )
    subprocess.run([sys.executable, "-m", *shlex.split(advice)], check=True, capture_output=True)
    run = read_events(tmp_path / "run.jsonl")
    assert (run.header.scenario, run.header.seed) == ("small", 4)


def test_an_older_schema_is_refused(tmp_path):
    """A file that this llmtest no longer reads is to be written again; no update helps."""
    text = refusal(tmp_path / "run.jsonl", '{"kind": "header", "schema": 0}\n')
    assert "is of schema 0, this llmtest reads schema 1.\nTo fix: write the file again with this one: `" in text


HEADER = '{"kind": "header", "schema": 1, "file": "a b.yaml", "seed": 7}\n'
CALL = '{"kind": "call", "at_ns": 0, "call": 1, "label": "x"}\n'
NO_HEADER = 'this is no event file: its first line has to be {"kind": "header", "schema": 1, ...}'


@pytest.mark.parametrize(
    ("content", "line", "what"),
    [
        ("", 1, NO_HEADER),
        ("version: 1\n", 1, NO_HEADER),
        ("[]\n", 1, NO_HEADER),
        ('{"at_ns": 0, "call": 1, "event": "call", "who": "chat", "what": ""}\n', 1, NO_HEADER),
        ('{"kind": "header", "schema": "1"}\n', 1, NO_HEADER),
        ('{"kind": "header", "schema": 1, "sceanrio": "x"}\n', 1, "`header` has no field `sceanrio`"),
        ('{"kind": "header", "schema": 1, "seed": "x"}\n', 1, "`seed` of `header` is a whole number, got 'x'"),
        ('{"kind": "header", "schema": 1, "faults": [1]}\n', 1, "`faults` of `header` is a list of names, got [1]"),
        (HEADER + CALL + "{\n" + CALL, 3, None),
        (
            HEADER + CALL + CALL[:24],
            3,
            "the line is not JSON: Expecting ':' delimiter (column 25); the file ends within this line.",
        ),
        (HEADER + "\n", 2, "the line is not JSON: Expecting value (column 1)."),
        (HEADER + "[" * 100_000 + "\n", 2, "the line is nested too deeply"),
        (HEADER + CALL.replace("0,", "NaN,"), 2, "NaN is no number in JSON"),
        (HEADER + '"x"\n', 2, "a line is a JSON object"),
        (HEADER.encode() + b'{"kind": "\xff"}\n', 2, "the line is not text in UTF-8"),
        (HEADER + CALL.replace('"call", "at', '"cal", "at'), 2, "`cal` is no kind of event. Did you mean `call`?"),
        (HEADER + CALL.replace(', "label": "x"', ""), 2, "`call` lacks the field `label`"),
        (HEADER + '{"kind": "end"}\n', 2, '`end` is {"kind": "end", "at_ns": NANOSECONDS}'),
        (HEADER + '{"kind": "end", "at_ns": 1}\n' + CALL, 3, "nothing follows the end of a run"),
    ],
)
def test_m05_a_broken_line_is_named_with_its_file(tmp_path, content, line, what):
    """The error names file, line, what is wrong with it, and how to write the file again."""
    path = tmp_path / "run.jsonl"
    text = refusal(path, content)
    assert text.startswith(f"{path}:{line}: {what or ''}")
    command = "'a b.yaml' --seed 7" if content[: len(HEADER)] in {HEADER, HEADER.encode()} else "SCENARIO"
    if '"seed": "x"' not in str(content):
        command = f"llmtest simulate {command} --events {path}"
        assert text.endswith(f"\nTo fix: write the file again: `{command}`.")
