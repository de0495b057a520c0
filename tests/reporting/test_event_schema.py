"""The published schema of event files, and the reference made of the same classes."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

import llmtest.reporting
from llmtest.events import EVENTS, facts_in, facts_of
from llmtest.reporting import EventFile, RunHeader, event_reference, event_schema
from llmtest.scenarios import load_scenario, run_scenario
from tests.event_samples import HISTORY

SCHEMA = event_schema()
OUTAGE = Path(__file__).parents[2] / "scenarios" / "primary_outage.yaml"
LINE = Draft202012Validator(SCHEMA)


def fits(record):
    """Tell whether a line of an event file, as JSON has it, fits the schema."""
    return LINE.is_valid(json.loads(json.dumps(record)))


def test_the_schema_is_one():
    """It is a schema of the draft that it names."""
    Draft202012Validator.check_schema(SCHEMA)


def test_m05_the_published_schema_is_current():
    """`events.schema.json` is what the classes of events generate."""
    published = Path(llmtest.reporting.__file__).with_name("events.schema.json")
    assert published.read_text(encoding="utf-8") == json.dumps(SCHEMA, indent=2, ensure_ascii=False) + "\n", (
        "run `python -m llmtest.reporting._event_schema > llmtest/reporting/events.schema.json`"
    )


@pytest.mark.parametrize("event", HISTORY, ids=lambda event: f"{event.kind}-{event.at_ns}")
def test_m05_every_event_fits_the_schema(event):
    """What is written of an event is one kind of line, and every field has the type that the schema says."""
    assert fits(facts_of(event))


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda facts: facts.pop("at_ns"), id="missing"),
        pytest.param(lambda facts: facts.update(planet="Mars"), id="unknown"),
        pytest.param(lambda facts: facts.update(at_ns="0"), id="type"),
        pytest.param(lambda facts: facts.update(kind="planet"), id="kind"),
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(spoil):
    """A field that is missing, unknown or of another type does not fit."""
    for event in HISTORY:
        facts = facts_of(event)
        spoil(facts)
        assert not fits(facts)


def test_m05_a_real_run_fits_the_schema(tmp_path):
    """Every line of the file that a scenario writes fits, header and end included."""
    scenario = load_scenario(OUTAGE)
    with EventFile(tmp_path / "run.jsonl", RunHeader.of(scenario)) as file:
        file.end(run_scenario(scenario, on_event=file.write).virtual_seconds)
    lines = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {line["kind"] for line in lines} >= {"header", "call", "request", "answer", "attempt", "breaker", "end"}
    odd = [line for number, line in enumerate(lines) if (number < 50 or number % 97 == 0) and not fits(line)]
    assert odd == []
    assert fits(lines[-1])
    assert fits({**lines[0], "seed": None})


def test_m05_every_field_has_a_meaning():
    """The reference tells of every field of every event what it is; no field is without words."""
    reference = event_reference()
    for cls in EVENTS:
        section = reference.split(f"### `{cls.kind}`\n")[1].split("\n### ")[0]
        assert f"`{cls.__name__}`. " in section
        for fact in facts_in(cls)[2:]:
            row = next(line for line in section.splitlines() if line.startswith(f"| `{fact.name}` |"))
            _, _, meaning, kind, unit, _ = row.split("|")
            assert len(meaning) > 8
            assert kind.strip()
            assert unit.strip() == "s" or fact.type is not float


def test_m05_the_reference_page_is_current():
    """The page of the documentation tells of every field what its class tells."""
    page = Path(__file__).parents[2] / "docs" / "reference" / "events.md"
    assert event_reference().strip() in page.read_text(encoding="utf-8"), (
        "put what `python -m llmtest.reporting._event_schema reference` prints at the end of docs/reference/events.md"
    )
