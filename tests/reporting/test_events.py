"""The event file: one JSON object a line, in the order in which things happened."""

import json

import pytest

from llmtest.errors import ConfigurationError
from llmtest.events import BreakerChanged, CallStarted, RequestReceived
from llmtest.reporting import EventFile
from llmtest.scenarios import load_scenario, run_scenario

SCENARIO = """\
version: 1
name: small
providers: {openai: {model: gpt-4o}}
chain: {retry: {max_attempts: 2}, providers: [{provider: openai}]}
load: {rate: 1/s, arrivals: constant, duration: 3s}
faults: [{name: noise, when: {calls: {first: 2, last: 2}}, what: {server_error: {status: 503}}}]
"""

GOLDEN = """\
{"at_ns": 0, "call": 1, "event": "call", "who": "Zürich", "what": ""}
{"at_ns": 5, "call": 1, "event": "request", "who": "openai/gpt-4o", "what": "#1 chat stream"}
{"at_ns": 1000000000, "call": 0, "event": "breaker", "who": "openai", "what": "closed -> open: 3 failures"}
"""


def test_every_event_is_a_line(tmp_path):
    """Times are whole nanoseconds, text is kept as it is, and the file replaces what was there."""
    path = tmp_path / "events.jsonl"
    path.write_text("old")
    with EventFile(path) as file:
        file.write(CallStarted(0, 1, "Zürich"))
        file.write(RequestReceived(5, 1, 1, "openai", "gpt-4o", "chat", stream=True))
        file.write(BreakerChanged(1_000_000_000, 0, "openai", "closed", "open", "3 failures"))
    assert path.read_text(encoding="utf-8") == GOLDEN


def test_a_run_s_history_twice_is_the_same_file(tmp_path):
    """A run writes its whole history, and the same run the same bytes."""
    path = tmp_path / "small.yaml"
    path.write_text(SCENARIO)
    written = []
    for name in ("first.jsonl", "second.jsonl"):
        with EventFile(tmp_path / name) as file:
            run_scenario(load_scenario(path), on_event=file.write)
        written.append((tmp_path / name).read_text())
    assert written[0] == written[1]
    kinds = [json.loads(line)["event"] for line in written[0].splitlines()]
    assert kinds.count("call") == kinds.count("call_end") == 3
    assert kinds.count("request") == kinds.count("answer") == 4
    assert kinds.count("fault") == kinds.count("retry") == 1


def test_a_run_that_breaks_leaves_what_happened(tmp_path):
    """The file is closed with what was written, whatever ended the run."""
    path = tmp_path / "events.jsonl"

    def stop(event):
        file.write(event)
        raise KeyboardInterrupt

    (tmp_path / "small.yaml").write_text(SCENARIO)
    with EventFile(path) as file, pytest.raises(KeyboardInterrupt):
        run_scenario(load_scenario(tmp_path / "small.yaml"), on_event=stop)
    assert len(path.read_text().splitlines()) == 1


def test_a_file_that_cannot_be_written(tmp_path):
    """The error names the file and the cause."""
    path = tmp_path / "no such folder" / "events.jsonl"
    with pytest.raises(ConfigurationError) as caught:
        EventFile(path)
    assert str(caught.value) == f"{path}: cannot be written: No such file or directory."
