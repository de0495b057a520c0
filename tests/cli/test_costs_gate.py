"""`llmtest costs`: a gate for tests that have become dearer, a page, prompt caches, and options that contradict."""

import csv
import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from html.parser import HTMLParser

import pytest

from llmtest.costs import Prices, count_tokens
from llmtest.reporting import BilledCall, Pricing, price_calls
from llmtest.types import UNKNOWN_USAGE, Usage
from tests.cli.cassette_samples import answer, asked, ours
from tests.cli.cost_samples import HOUR, answered, groups, write

GATE = ("--per-test", "--against", "old", "--fail-above", "10%")

TABLE = """\
test           before       now   change
───────────────────────────────────────────────────
new.jsonl           -   $0.0035            new
same.jsonl    $0.0035   $0.0035       0%   ok
twice.jsonl   $0.0035    $0.007    +100%   dearer
gone.jsonl    $0.0035         -            gone

total         $0.0105    $0.014
"""

FAILURE = """\
1 of 4 tests costs more than 10% above what `old` says.

  twice.jsonl   $0.0035 -> $0.007   +100%

To fix, one of:
  1. make fewer calls, shorter ones, or cheaper ones
  2. allow it: `--fail-above 100%`
  3. take what they cost now for what they may cost: put the new files in the place of `old`
"""


@pytest.fixture
def runs(tmp_path):
    """Return a function that writes event files into a folder, each with calls of these costs."""

    def make(folder, **costs_of):
        (tmp_path / folder).mkdir(exist_ok=True)
        for name, amounts in costs_of.items():
            events = [answered(number, cost=cost) for number, cost in enumerate(amounts, 1)]
            write(tmp_path / folder / f"{name}.jsonl", *events)

    return make


@pytest.fixture
def dearer(runs):
    """Two folders of event files: one test as before, one twice as dear, one new, one gone."""
    runs("old", same=["0.0035"], twice=["0.0035"], gone=["0.0035"])
    runs("new", same=["0.0035"], twice=["0.0035", "0.0035"], new=["0.0035"])


@pytest.mark.usefixtures("dearer")
def test_a_test_that_has_become_dearer_fails_with_1(costs):
    """The table has every test, standard error what failed, by how much, and how to mend it."""
    status, out, err = costs("new", *GATE)
    assert (status, "\n".join(line.rstrip() for line in out.split("\n")), err) == (1, TABLE, FAILURE)


@pytest.mark.usefixtures("dearer")
def test_the_advice_to_allow_it_works(costs):
    """The limit that the failure names lets the same files pass; so does no limit at all."""
    (advised,) = re.findall(r"`(--fail-above \d+%)`", costs("new", *GATE)[2])
    assert costs("new", *GATE[:-2], *advised.split())[0] == 0
    assert costs("new", *GATE[:-2])[0] == 0


@pytest.mark.usefixtures("dearer")
def test_a_comparison_as_json_and_csv(costs):
    """Both forms tell every test with its verdict, exit with 1 as well, and keep standard output to themselves."""
    status, out, err = costs("new", *GATE, "--json")
    told = json.loads(out)
    assert (status, err, told["failed"], told["limit_percent"]) == (1, FAILURE, ["twice.jsonl"], "10")
    assert told["total"] == {"before_usd": "0.0105", "after_usd": "0.0140"}
    status, out, _ = costs("new", *GATE, "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert status == 1
    assert rows[2] == {
        "test": "twice.jsonl",
        "before_usd": "0.0035",
        "after_usd": "0.0070",
        "change": "+100%",
        "verdict": "dearer",
    }


@pytest.mark.parametrize(
    ("before", "after", "limit", "status"),
    [
        ("1", "1.1", "10%", 0),
        ("1", "1.1000000000000000001", "10%", 1),
        ("1", "0.5", "0%", 0),
        ("0", "0.0001", "1000%", 1),
        ("0", "0", "0%", 0),
        ("3", "3.0075", "0.25%", 0),
    ],
)
def test_the_limit_is_exact(costs, runs, before, after, limit, status):
    """A test may cost just as much as is allowed, and not the smallest digit more."""
    runs("old", a=[before])
    runs("new", a=[after])
    assert costs("new", "--per-test", "--against", "old", "--fail-above", limit)[0] == status


def test_what_nobody_knows_fails_the_gate_and_is_named(costs, runs, tmp_path):
    """An unknown cost is not zero: a test with one cannot pass, and the model is named; nor is a limit advised."""
    runs("old", a=["0.0035"])
    runs("new")
    write(tmp_path / "new" / "a.jsonl", answered(1, model="gpt-99", cost=None))
    status, out, err = costs("new", *GATE)
    assert status == 1
    assert "openai:gpt-99: 1 call without a known price; its cost is unknown, not zero." in out
    assert err.startswith("what 1 of 1 tests cost is unknown, not zero.\n\n  a.jsonl   $0.0035 -> unknown   unknown\n")
    assert "--fail-above" not in err


def test_two_files_are_the_same_test_whatever_they_are_called(costs, runs):
    """A file against a file is one test; `--as` and the other prices hold for both sides."""
    runs("old", monday=["0.0035"])
    runs("new", tuesday=["0.0035", "0.0035"])
    options = ("--per-test", "--against", "old/monday.jsonl", "--as", "openai:gpt-5-mini", "--json")
    (test,) = json.loads(costs("new/tuesday.jsonl", *options)[1])["tests"]
    each = Prices().require("openai", "gpt-5-mini", Usage(1000, 100))
    assert (test["name"], test["change"]) == ("tuesday.jsonl", "+100%")
    assert (Decimal(test["before_usd"]), Decimal(test["after_usd"])) == (each, 2 * each)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--per-test", "--by", "model"), "`--per-test` sums by test; leave out `--by`."),
        (("--against", "old"), "what is compared are tests; add `--per-test`."),
        (("--per-test", "--fail-above", "10%"), "above what? Add `--against OLD`."),
        ((*GATE[:-1], "10"), "`10` is no percentage of 0 or more; write it as 10%."),
        ((*GATE[:-1], "-1%"), "`-1%` is no percentage of 0 or more; write it as 10%."),
        ((*GATE[:-1], "much%"), "`much%` is no percentage of 0 or more; write it as 10%."),
        ((*GATE, "--html", "page.html"), "a comparison has no page; leave out `--html` or `--against`."),
        (("--caching", "1.8"), "`--caching`: `1.8` is not a share"),
        (("--html", "nowhere/page.html"), "nowhere/page.html: cannot be written: No such file or directory."),
        (("--per-test", "--against", "nowhere"), "nowhere"),
    ],
)
@pytest.mark.usefixtures("dearer")
def test_options_that_contradict_are_refused_with_2(costs, options, words):
    """What does not go together is said with the option to add or to leave out."""
    status, out, err = costs("new", *options)
    assert (status, out) == (2, "")
    assert words in err


class Page(HTMLParser):
    """What a page holds: texts of cells, bars, and whatever would load something."""

    def __init__(self, text):
        super().__init__()
        self.cells, self.bars, self.loads, self.open = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        facts = dict(attrs)
        self.open.append(tag)
        if tag == "rect":
            self.bars.append(float(facts["width"]))
        if tag in {"script", "link", "img", "iframe"} or {"src", "href", "onload"} & facts.keys():
            self.loads.append(tag)

    def handle_data(self, data):
        if self.open and self.open[-1] == "td":
            self.cells.append(data)

    def handle_endtag(self, tag):
        if self.open and self.open[-1] == tag:
            self.open.pop()


def test_a_page_has_a_bar_for_each_group_and_loads_nothing(costs, tmp_path):
    """`--html` writes one file with a chart and the table, names unknown prices, and escapes what files say."""
    evil = "<script>alert(1)</script>"
    write(tmp_path / "run.jsonl", answered(1), answered(2, cost="0.007"), answered(3, model=evil, cost=None))
    status, out, _ = costs("run.jsonl", "--html", "page.html")
    text = (tmp_path / "page.html").read_text()
    page = Page(text)
    assert status == 0
    assert "openai:gpt-4o" in out
    assert page.loads == []
    assert page.bars == [520.0, 1.0]
    assert page.cells[:5] == ["openai:gpt-4o", "2", "2,000", "200", "$0.0105"]
    assert page.cells[5:10] == [f"openai:{evil}", "1", "1,000", "100", "unknown (1 of 1; the others $0)"]
    assert page.cells[10:] == ["total", "3", "3,000", "300", "unknown (1 of 3; the others $0.0105)"]
    assert evil not in text
    assert "1 call without a known price; its cost is unknown, not zero." in text
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")


def test_a_page_by_hour_is_in_the_order_of_time_and_says_how_it_is_priced(costs, tmp_path):
    """Hours stand in their order, whatever the order of the calls; beyond forty the dearest have bars."""
    numbers = [*range(12, 51), *range(1, 12)]
    write(tmp_path / "run.jsonl", *(answered(number) for number in numbers))
    options = ("--by", "hour", "--html", "page.html", "--as", "openai:gpt-5-mini", "--caching", "50%", "--batch")
    assert costs("run.jsonl", *options, "--at", "2026-03-01")[0] == 0
    text = (tmp_path / "page.html").read_text()
    page = Page(text)
    assert page.cells[::5] == [*(f"+{hour}h" for hour in range(50)), "total"]
    assert len(page.bars) == 40
    assert "The chart has the 40 dearest of 50; the table has all." in text
    priced = "as openai:gpt-5-mini, at 2026-03-01, with 50% of each prompt in a cache, in batches"
    assert f"<title>What run.jsonl cost, {priced}</title>" in text


def test_a_share_of_each_prompt_may_be_in_a_cache(costs, tmp_path):
    """The first call writes the share, those within five minutes read it; short prompts are not kept."""
    minute = HOUR // 60
    times = (0, 4 * minute, 8 * minute, 14 * minute)
    long = {"provider": "anthropic", "model": "claude-sonnet-4-5", "usage": Usage(2000, 100), "cost": "9"}
    events = [answered(number, **long, at_ns=at) for number, at in enumerate(times, 1)]
    write(tmp_path / "run.jsonl", *events, answered(5, **{**long, "usage": Usage(1000, 100)}))
    wrote, read = Usage(2000, 100, 0, 1600), Usage(2000, 100, 1600)
    used = [wrote, read, read, wrote, Usage(1000, 100)]
    expected = sum(Prices().require("anthropic", "claude-sonnet-4-5", usage) for usage in used)
    found = groups(costs("run.jsonl", "--caching", "80%", "--json"))
    assert Decimal(found["anthropic:claude-sonnet-4-5"][1]) == expected


def test_what_prompts_have_in_common_may_be_in_a_cache(costs, tmp_path):
    """Of recorded prompts, what an earlier one of five minutes began with is read, and the rest is written."""
    system = {"role": "system", "content": "rule " * 1000}
    times = ("2026-01-01T00:00:00Z", "2026-01-01T00:04:00Z", "2026-01-01T00:30:00Z")
    recorded = []
    for number, at in enumerate(times):
        question = {"role": "user", "content": f"question {number} " * 100}
        each = asked(at=at, body=answer("Paris.").replace(b'"prompt_tokens": 14', b'"prompt_tokens": 2000'))
        body = json.dumps({"model": "gpt-4o", "messages": [system, question]}).encode()
        recorded.append(replace(each, request=replace(each.request, body=body)))
    (tmp_path / "a.yaml").write_text(ours(*recorded))
    common = count_tokens(system["content"]) + 4
    whole = common + count_tokens("question 0 " * 100) + 4
    read = Usage(2000, 3, 2000 * common // whole)
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    prices = [Prices().require("openai", "gpt-4o", usage, moment) for usage in (Usage(2000, 3), read, Usage(2000, 3))]
    (spent,) = groups(costs("a.yaml", "--caching", "prompts", "--json")).values()
    assert read.cache_read_tokens > 1024
    assert (spent[0], Decimal(spent[1])) == (3, sum(prices))


def test_prompts_that_nobody_tells_are_in_no_cache(costs, runs):
    """An event file tells no prompts: it needs a share."""
    runs("old", a=["0.0035"])
    status, out, err = costs("old/a.jsonl", "--caching", "prompts")
    assert (status, out) == (2, "")
    assert "`--caching prompts` goes by what was asked, which cassettes tell, and no other file does.\n" in err
    assert "To fix: --caching 80%" in err


def test_caching_takes_the_place_of_what_was_cached_and_makes_up_no_tokens():
    """A share of nothing costs what an uncached prompt costs; unknown tokens stay unknown."""
    cached = BilledCall("openai", "gpt-4o", Usage(2000, 100, 1500))
    report = price_calls([cached, BilledCall("openai", "gpt-4o", UNKNOWN_USAGE)], "model", Pricing.of(None, caching=0))
    assert report.total.known_usd == Prices().require("openai", "gpt-4o", Usage(2000, 100))
    assert report.total.unknown == 1


def test_a_million_tiny_calls_sum_exactly():
    """A million calls of a ten-millionth of a cent, and one of a billion dollars, lose no digit."""
    tiny = BilledCall("openai", "gpt-4o", Usage(1, 1), Decimal("0.000000001"))
    dear = BilledCall("openai", "gpt-4o", Usage(1, 1), Decimal(1_000_000_000))
    calls = (dear if number == 500_000 else tiny for number in range(1_000_001))
    report = price_calls(calls, "model", Pricing())
    assert report.total.usd == Decimal("1000000000.001")
    assert report.total.calls == 1_000_001


def test_cached_lines_and_decoded_lines_are_the_same_calls(costs, tmp_path):
    """A line as an `EventFile` writes it, taken apart, tells what the same line in other words does."""
    events = [
        answered(1, usage=Usage(10, 5, 3, 2, 1, "estimated", 1, 1, 1, (("web_search", 2), ("x}y", 1)), None, 1, 1)),
        answered(2, model='odd "name", {"billed": true', metadata=(("team", 'a}, "billed": true, "cost_usd": "1"'),)),
        answered(3, cost=None, model="gpt-99"),
        answered(4, service_tier="batch", cost=None),
        answered(5, billed=False, usage=None, cost=None, outcome="503"),
        answered(6, model=None, provider="ollama", cost="0"),
    ]
    write(tmp_path / "run.jsonl", *events)
    records = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text().splitlines()]
    other = [json.dumps(record, separators=(",", ":"), sort_keys=True) for record in records[1:]]
    (tmp_path / "other.jsonl").write_text("\n".join([json.dumps(records[0]), *other, ""]))
    for by in ("model", "tag", "hour"):
        for more in ((), ("--as", "openai:gpt-5-mini")):
            both = [json.loads(costs(name, "--by", by, "--json", *more)[1]) for name in ("run.jsonl", "other.jsonl")]
            assert both[0] == both[1]
            assert both[0]["total"]["calls"] == 5
