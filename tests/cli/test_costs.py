"""`llmtest costs`: what event files, cassettes and traces cost, or would have, and how it exits."""

import csv
import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from llmtest.costs import Prices, use_prices
from llmtest.events import RequestReceived
from llmtest.types import UNKNOWN_USAGE, Usage
from tests.cli.cassette_samples import CHAT, VCRPY, asked, ours
from tests.cli.cost_samples import answered, attempted, groups, write

RECORDINGS = Path(__file__).parents[2].parent / "shared" / "recordings"

TABLE = """\
model                         calls   input tokens   output tokens      cost
──────────────────────────────────────────────────────────────────────────────
openai:gpt-4o                     2          2,000             200    $0.007
anthropic:claude-sonnet-4-5       1          1,000             100   $0.0045

total                             3          3,000             300   $0.0115
"""


@pytest.fixture
def run_file(tmp_path):
    """Return an event file of three calls of two providers in three hours, with labels."""
    path = tmp_path / "run.jsonl"
    claude = {"provider": "anthropic", "model": "claude-sonnet-4-5", "cost": "0.0045"}
    labels = {"metadata": (("team", "search"),)}
    write(path, answered(1, **labels), answered(2, **claude), answered(3, **labels))
    return path.name


def lines(text):
    """Return printed lines without the spaces at their ends."""
    return "\n".join(line.rstrip() for line in text.split("\n"))


def test_m07_an_event_file_is_a_table_by_model(costs, run_file):
    """What the run charged is summed to the digit, by model unless somebody says otherwise."""
    status, out, err = costs(run_file)
    assert (status, lines(out), err) == (0, TABLE, "")


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("provider", {"openai": (2, "0.0070"), "anthropic": (1, "0.0045")}),
        ("hour", {"+0h": (1, "0.0035"), "+1h": (1, "0.0045"), "+2h": (1, "0.0035")}),
        ("tag", {"team=search": (2, "0.0070"), "": (1, "0.0045")}),
        ("tag:team", {"search": (2, "0.0070"), "": (1, "0.0045")}),
        ("test", {"run.jsonl": (3, "0.0115")}),
    ],
)
def test_costs_are_summed_by_what_somebody_asks(costs, run_file, by, expected):
    """`--by` names the thing; runs without dates have hours of their own."""
    assert groups(costs(run_file, "--by", by, "--json")) == expected


def test_csv_has_a_row_for_each_group(costs, run_file):
    """`--csv` is a head and a row for each group."""
    rows = list(csv.DictReader(io.StringIO(costs(run_file, "--csv")[1])))
    assert [(row["model"], row["calls"], row["usd"]) for row in rows] == [
        ("openai:gpt-4o", "2", "0.0070"),
        ("anthropic:claude-sonnet-4-5", "1", "0.0045"),
    ]


def test_the_same_traffic_on_another_model(costs, run_file):
    """`--as` prices every call as that model's; the groups stay those that were asked."""
    expected = {
        name: 2 if name.startswith("openai") else 1 for name in ("openai:gpt-4o", "anthropic:claude-sonnet-4-5")
    }
    each = Prices().require("openai", "gpt-5-mini", Usage(1000, 100))
    found = groups(costs(run_file, "--as", "openai:gpt-5-mini", "--json"))
    assert {name: (calls, Decimal(usd)) for name, (calls, usd) in found.items()} == {
        name: (calls, calls * each) for name, calls in expected.items()
    }


def test_the_same_traffic_at_another_date(costs, run_file):
    """`--at` prices the calls of each model as that day did, and not as the run charged."""
    prices = Prices()
    prices.add("openai:gpt-4o", input_usd_per_mtok="1", output_usd_per_mtok="1", since=date(2026, 3, 1))
    prices.add("anthropic:claude-sonnet-4-5", input_usd_per_mtok="1", output_usd_per_mtok="1", since=date(2026, 3, 1))
    with use_prices(prices):
        found = groups(costs(run_file, "--at", "2026-03-02", "--json"))
    assert {name: Decimal(usd) for name, (_, usd) in found.items()} == {
        "openai:gpt-4o": Decimal("0.0022"),
        "anthropic:claude-sonnet-4-5": Decimal("0.0011"),
    }


def test_the_same_traffic_in_batches(costs, run_file):
    """`--batch` prices it in the tier of batches, at half the price."""
    found = groups(costs(run_file, "--batch", "--json"))
    assert Decimal(found["openai:gpt-4o"][1]) == Decimal("0.0035")


def test_an_unknown_price_is_named_and_never_zero(costs, tmp_path):
    """A model without a price makes the sum unknown, in the table and in JSON, and is named."""
    write(tmp_path / "run.jsonl", answered(1), answered(2, model="gpt-99", cost=None))
    status, out, _ = costs("run.jsonl")
    assert status == 0
    assert "unknown (1 of 2; the others $0.0035)" in out
    assert "openai:gpt-99: 1 call without a known price; its cost is unknown, not zero." in out
    found = json.loads(costs("run.jsonl", "--json")[1])
    assert (found["total"]["usd"], found["total"]["known_usd"]) == (None, "0.0035")
    assert found["unknown"] == [{"provider": "openai", "model": "gpt-99", "lacks": "price", "calls": 1}]


def test_tokens_that_nobody_counted_are_unknown_on_any_model(costs, tmp_path):
    """Another model does not make up tokens."""
    write(tmp_path / "run.jsonl", answered(1, usage=UNKNOWN_USAGE, cost=None))
    found = json.loads(costs("run.jsonl", "--as", "openai:gpt-5-mini", "--json")[1])
    assert "openai:gpt-4o: nobody counted the tokens of 1 call" in costs("run.jsonl")[1]
    assert found["unknown"] == [{"provider": "openai", "model": "gpt-5-mini", "lacks": "tokens", "calls": 1}]


def test_an_attempt_counts_where_no_simulated_provider_tells(costs, tmp_path):
    """What a simulated provider charged is counted once; a real one's charges are those of the attempts."""
    asked_for = RequestReceived(
        at_ns=0, call=1, exchange=1, provider="openai", model="gpt-4o", operation="chat", stream=False
    )
    write(tmp_path / "run.jsonl", asked_for, attempted(1), answered(1), attempted(2, "azure"))
    assert groups(costs("run.jsonl", "--by", "provider", "--json")) == {"openai": (1, "0.0035"), "azure": (1, "0.0035")}


def test_event_lines_of_another_hand_are_read_too(costs, tmp_path, run_file):
    """Lines with other spaces and another order of fields say the same."""
    text = (tmp_path / run_file).read_text()
    records = [json.loads(line) for line in text.splitlines()]
    compact = "\n".join(json.dumps(record, separators=(",", ":"), sort_keys=True) for record in records[1:])
    (tmp_path / "other.jsonl").write_text(json.dumps(records[0]) + "\n" + compact + "\n")
    assert groups(costs("other.jsonl", "--json")) == groups(costs(run_file, "--json"))


def test_a_cassette_is_priced_at_the_time_of_its_recording(costs, tmp_path):
    """An answer counts its tokens, says its model, and was recorded on a day, whose price it has."""
    (tmp_path / "a.yaml").write_text(ours(asked(), asked(at="2026-01-01T05:10:00Z")))
    each = Prices().require("openai", "gpt-4o-2024-08-06", Usage(14, 3), datetime(2026, 1, 1, tzinfo=UTC))
    found = groups(costs("a.yaml", "--by", "hour", "--json"))
    assert {hour: (calls, Decimal(usd)) for hour, (calls, usd) in found.items()} == {
        "2026-01-01T00": (1, each),
        "2026-01-01T05": (1, each),
    }


def test_a_folder_holds_cassettes_of_any_tool_and_event_files(costs, tmp_path, run_file):
    """Everything in a folder that holds traffic is priced; `--by test` tells the files apart."""
    (tmp_path / "ours.yaml").write_text(ours(asked()))
    (tmp_path / "vcr.yaml").write_text(VCRPY)
    found = groups(costs(".", "--by", "test", "--json"))
    assert {name: calls for name, (calls, _) in found.items()} == {"run.jsonl": 3, "ours.yaml": 1, "vcr.yaml": 1}


def test_refusals_in_a_cassette_cost_nothing_and_foreign_hosts_are_named(costs, tmp_path):
    """A refusal is not charged; a host that nobody is known to be at has no price, unless one is asked for."""
    refused = asked(status=429, body=b'{"error": {"message": "slow down"}}')
    (tmp_path / "a.yaml").write_text(ours(refused, asked(uri=CHAT.replace("api.openai.com", "llm.example.com"))))
    assert groups(costs("a.yaml", "--by", "provider", "--json")) == {"llm.example.com": (1, None)}
    found = groups(costs("a.yaml", "--by", "provider", "--as", "openai:gpt-4o", "--json"))
    assert found["llm.example.com"][1] is not None


def test_a_trace_is_priced_as_a_model(costs, tmp_path):
    """A trace says tokens and times alone; on a model it has a price, without one it is unknown."""
    rows = "2026-01-01 00:00:00.0,1000,100\n2026-01-01 02:00:00.0,2000,200\n"
    (tmp_path / "t.csv").write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n" + rows)
    found = groups(costs("t.csv", "--by", "hour", "--as", "openai:gpt-4o", "--json"))
    assert {hour: (calls, Decimal(usd)) for hour, (calls, usd) in found.items()} == {
        "+0h": (1, Decimal("0.0035")),
        "+2h": (1, Decimal("0.007")),
    }
    status, out, _ = costs("t.csv")
    assert status == 0
    assert "?:?: 2 calls without a known price; their cost is unknown, not zero." in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("none.jsonl",), "none.jsonl"),
        (("none.yaml",), "none.yaml"),
        (("run.jsonl", "--as", "openai:gpt-5-minni"), "Nearest: `gpt-5-mini`"),
        (("run.jsonl", "--as", "gpt-5-mini"), "To fix: --as openai:gpt-5-mini"),
        (("run.jsonl", "--at", "yesterday"), "`yesterday` is no date"),
        (("run.jsonl", "--by", "colour"), "Known: provider, model, tag, test, hour, tag:NAME"),
        (("run.jsonl", "--json", "--csv"), "one form at a time"),
        (("empty.jsonl",), "no call in it that anybody was charged for"),
        (("cut.jsonl",), "cut.jsonl:2: the line is not JSON; the file ends within this line"),
        (("odd.jsonl",), "odd.jsonl:2: `answer` lacks the field `exchange`"),
        (("alien.jsonl",), "alien.jsonl:1: this is no event file"),
    ],
)
def test_what_is_wrong_is_said_and_exits_with_2(costs, tmp_path, run_file, arguments, words):
    """A file or an option that is wrong is one readable error."""
    head = (tmp_path / run_file).read_text().splitlines()[0] + "\n"
    (tmp_path / "empty.jsonl").write_text(head)
    (tmp_path / "cut.jsonl").write_text(head + '{"kind": "answer", "at_')
    (tmp_path / "odd.jsonl").write_text(head + '{"kind": "answer", "at_ns": 1, "call": 1}\n')
    (tmp_path / "alien.jsonl").write_text('{"hello": 1}\n')
    status, out, err = costs(*arguments)
    assert (status, out) == (2, "")
    assert words in err


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings are not part of the repository")
def test_real_recordings_are_priced(costs):
    """What other projects have recorded is read, and what has a price has one."""
    found = json.loads(costs(RECORDINGS, "--by", "provider", "--json")[1])
    by_name = {group["name"]: group for group in found["groups"]}
    assert by_name["openai"]["calls"] > 50
    assert Decimal(by_name["openai"]["known_usd"]) > 0
