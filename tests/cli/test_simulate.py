"""`llmtest simulate`: what it prints, and how it exits."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

GOOD = """\
version: 1
name: small
providers: {openai: {model: gpt-4o}}
chain: {providers: [{provider: openai}]}
load: {rate: 5/s, duration: 10s}
expect: {availability: 100%}
"""
KEYS = [
    "scenario",
    "seed",
    "digest",
    "calls",
    "succeeded",
    "failed",
    "availability",
    "attempts",
    "retries",
    "fallbacks",
    "served_by",
    "breaker",
    "latency_s",
    "ttft_s",
    "cost_usd",
    "cost_by_provider",
    "cost_by_model",
    "cost_by_hour",
    "virtual_seconds",
    "wall_seconds",
    "faults_fired",
    "expectations",
]


def llmtest(*arguments, cwd):
    """Run the command."""
    command = [sys.executable, "-m", "llmtest", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)


def test_json_is_one_object_for_each_run(tmp_path):
    """`--json` prints the documented object, one a line; `--runs` counts seeds up."""
    (tmp_path / "good.yaml").write_text(GOOD)
    done = llmtest("simulate", "good.yaml", "--json", "--runs", "2", "--seed", "40", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert list(first) == KEYS
    assert (first["seed"], second["seed"]) == (40, 41)
    assert first["digest"] != second["digest"]
    assert first["expectations"] == [{"check": "availability", "expected": "== 100%", "actual": "100%", "ok": True}]


def test_jobs_change_nothing_but_the_time(tmp_path):
    """Runs in several processes give the same digests in the same order."""
    (tmp_path / "good.yaml").write_text(GOOD)
    lines = []
    for jobs in ("1", "2"):
        done = llmtest("simulate", "good.yaml", "--json", "--runs", "3", "--jobs", jobs, cwd=tmp_path)
        lines.append([json.loads(line)["digest"] for line in done.stdout.splitlines()])
    assert lines[0] == lines[1]
    assert len(set(lines[0])) == 3


def test_a_failed_expectation_exits_with_1(tmp_path):
    """The table shows what failed, and the status says so."""
    (tmp_path / "bad.yaml").write_text(GOOD.replace("availability: 100%", "calls: 0"))
    done = llmtest("simulate", "bad.yaml", cwd=tmp_path)
    assert done.returncode == 1
    assert "1 of 1 expectations failed." in done.stdout


def test_an_invalid_file_exits_with_2_and_one_block(tmp_path):
    """A mistake in a file is one readable block on standard error, never a traceback."""
    (tmp_path / "bad.yaml").write_text(GOOD.replace("rate:", "rat:"))
    done = llmtest("simulate", "bad.yaml", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("ScenarioError: bad.yaml:5: unknown key `rat` in `load`. Did you mean `rate`?\n")
    assert "Traceback" not in done.stderr


def test_events_are_written(tmp_path):
    """`--events` stores every event as a line of JSON."""
    (tmp_path / "good.yaml").write_text(GOOD)
    done = llmtest("simulate", "good.yaml", "--events", "run.jsonl", cwd=tmp_path)
    assert done.returncode == 0
    events = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text().splitlines()]
    assert {event["kind"] for event in events} >= {"header", "call", "request", "answer", "attempt", "call_end", "end"}


def test_version_and_help(tmp_path):
    """`--version` and `--help` answer."""
    assert llmtest("--version", cwd=tmp_path).stdout.startswith("llmtest ")
    assert "simulate" in llmtest("--help", cwd=tmp_path).stdout
