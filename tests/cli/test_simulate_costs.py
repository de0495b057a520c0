"""`llmtest simulate` tells what a run cost by provider, model and hour, and scenarios may expect it."""

import json
from decimal import Decimal

import pytest

from llmtest.cli._app import run

OUTAGE = """\
version: 1
name: dear outage
providers: {openai: {model: gpt-4o}, anthropic: {model: claude-sonnet-4-5}}
chain: {providers: [{provider: openai}, {provider: anthropic}]}
load: {rate: 20/h, arrivals: constant, duration: 3h, input_tokens: 1000, output_tokens: 100}
faults: [{name: outage, at: 1h, for: 1h, where: {provider: openai}, what: {server_error: {status: 503}}}]
expect:
  spend: "> 0"
  spend.openai: "<= 10.00"
  spend.anthropic: "> 0"
"""


@pytest.fixture
def llmtest(tmp_path, monkeypatch, capsys):
    """Return a function that runs a command in the test's folder, and returns its status and what it printed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outage.yaml").write_text(OUTAGE)

    def command(*arguments):
        with pytest.raises(SystemExit) as ended:
            run(list(arguments))
        printed = capsys.readouterr()
        return ended.value.code or 0, printed.out, printed.err

    return command


def test_m07_json_has_cost_by_provider_model_and_hour(llmtest):
    """Each view sums to the whole; an hour in which nobody was charged is left out."""
    status, out, _ = llmtest("simulate", "outage.yaml", "--json")
    told = json.loads(out)
    assert status == 0
    assert set(told["cost_by_provider"]) == {"openai", "anthropic"}
    assert set(told["cost_by_model"]) == {"openai:gpt-4o", "anthropic:claude-sonnet-4-5"}
    assert list(told["cost_by_hour"]) == ["+0h", "+1h", "+2h"]
    for view in ("cost_by_provider", "cost_by_model", "cost_by_hour"):
        assert sum(map(Decimal, told[view].values())) == Decimal(told["cost_usd"]) > 0


def test_m07_the_table_has_cost_by_provider_and_hour(llmtest):
    """Hours stand below the sum; models do where they tell more than providers."""
    status, out, _ = llmtest("simulate", "outage.yaml")
    facts = {line[2:17].strip(): line[17:].strip() for line in out.splitlines()}
    assert status == 0
    assert facts["spend"].count("$") == 3
    assert [part.partition(" ")[0] for part in facts["by hour"].split(", ")] == ["+0h", "+1h", "+2h"]
    assert "by model" not in facts


@pytest.mark.parametrize("by", ["provider", "model", "hour"])
def test_m07_simulate_and_costs_agree(llmtest, by):
    """What a run says that it cost is what its event file costs, by every thing that both know."""
    _, out, _ = llmtest("simulate", "outage.yaml", "--json", "--events", "run.jsonl")
    status, priced, _ = llmtest("costs", "run.jsonl", "--by", by, "--json")
    assert status == 0
    groups = {group["name"]: Decimal(group["usd"]) for group in json.loads(priced)["groups"]}
    assert groups == {name: Decimal(usd) for name, usd in json.loads(out)[f"cost_by_{by}"].items()}


def test_m07_a_provider_s_spend_may_be_expected(llmtest, tmp_path):
    """`expect: spend.<provider>` fails with the amount; a provider that is none is named with the nearest."""
    (tmp_path / "outage.yaml").write_text(OUTAGE.replace("<= 10.00", "<= 0.0001"))
    status, out, _ = llmtest("simulate", "outage.yaml", "--json")
    (failed,) = [check for check in json.loads(out)["expectations"] if not check["ok"]]
    assert (status, failed["check"], failed["expected"]) == (1, "spend.openai", "<= 0.0001")
    (tmp_path / "outage.yaml").write_text(OUTAGE.replace("spend.openai", "spend.opnai"))
    status, _, err = llmtest("simulate", "outage.yaml")
    assert status == 2
    assert "unknown provider `opnai`. Did you mean `openai`?" in err


def test_m07_an_unknown_price_makes_an_hour_unknown(llmtest, tmp_path):
    """An hour with a call of unknown price is unknown, never the sum of the others."""
    (tmp_path / "outage.yaml").write_text(
        OUTAGE.replace("claude-sonnet-4-5", "claude-of-tomorrow").partition("expect:")[0]
    )
    told = json.loads(llmtest("simulate", "outage.yaml", "--json")[1])
    assert (told["cost_usd"], told["cost_by_hour"]["+1h"]) == ("unknown", "unknown")
    assert told["cost_by_model"]["anthropic:claude-of-tomorrow"] == "unknown"
    assert Decimal(told["cost_by_hour"]["+0h"]) > 0
