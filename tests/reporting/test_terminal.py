"""The table and the prose that `print_results` writes: golden texts."""

from decimal import Decimal
from io import StringIO

import pytest
from rich.console import Console

from llmtest.reporting import print_results
from llmtest.scenarios import Check, Transition
from tests.reporting.finished_runs import finished_run


def printed(*results, width=120):
    """Return what is printed, without blanks at the end of its lines."""
    out = StringIO()
    print_results(results, Console(file=out, width=width, highlight=False))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def fact(label, result):
    """Return one fact of a run as it is printed, or None where it is left out."""
    for line in printed(result).splitlines():
        if line.startswith(f"  {label} "):
            return line.removeprefix(f"  {label}").strip()
    return None


ONE_RUN = """\
primary outage   scenarios/outage.yaml   seed 7

  calls           1,200 in 1:02:05 of virtual time, run in 0.50 s: 7,450 x faster than real time
  availability    99.8333%   1,198 answered, 2 failed (2 x AllProvidersFailedError)
  served by       openai 98 (8.2%), anthropic 1,100 (91.8%)
  resilience      1,100 fallbacks, 200 retries, 1,500 attempts in all
  breaker openai  closed -> open 10:03 -> half_open 10:33 -> closed 1:00:33
  faults          outage struck 1,234 x, noise struck 5 x
  latency         p50 410 ms, p95 1.50 s, p99 12.25 s
  spend           $12.3457   openai $2.3000, anthropic $10.0457
  digest          0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f

 expectation    expected   actual
 ─────────────────────────────────────────────
 availability   >= 99.9%   99.8333%   FAILED
 fallbacks      >= 1       1100       ok

  1 of 2 expectations failed.
"""

SEVERAL_RUNS = """\
 scenario         seed   calls   availability   fallbacks   retries      spend   failed checks
 ────────────────────────────────────────────────────────────────────────────────────────────────────────
 primary outage      1   1,200         99.83%       1,100       200   $12.3457    availability   FAILED
 primary outage      2   1,200         99.83%       1,100       200    unknown                   ok

  1 of 2 runs hold.
"""


def test_t23_what_is_odd_about_a_scenario_stands_under_its_table():
    """A check that may hold for the wrong reason is said where it is seen to hold."""
    assert printed(finished_run(notes=("late.yaml:5: odd",))).rstrip().endswith("  Note: late.yaml:5: odd")


def test_t24_rows_of_two_scenarios_of_one_name_show_their_files():
    """Runs of two files that call themselves the same can be told apart; the others show their name alone."""
    runs = [
        finished_run(seed=1),
        finished_run(seed=1, path="scenarios/other.yaml"),
        finished_run(seed=1, scenario="brownout", path="scenarios/brownout.yaml"),
        finished_run(seed=2),
    ]
    table = printed(*runs).splitlines()
    assert [line.strip() for line in table if ".yaml" in line and "seed" not in line] == [
        "scenarios/outage.yaml",
        "scenarios/other.yaml",
        "scenarios/outage.yaml",
    ]


def test_one_run():
    """A run is its facts, then what was expected beside what was found."""
    assert printed(finished_run()) == ONE_RUN


def test_several_runs_of_one_scenario_are_a_table_alone():
    """Runs that differ in their seed only are one row each."""
    good = finished_run(seed=2, cost_usd=None, expectations=[Check("calls", ">= 1", "1200", ok=True)])
    assert printed(finished_run(seed=1), good) == SEVERAL_RUNS


def test_several_scenarios_are_told_each_and_summed_up():
    """Every scenario has its facts, and the table comes last."""
    text = printed(finished_run(), finished_run(scenario="brownout"))
    assert text.startswith(ONE_RUN)
    assert "\nbrownout   scenarios/outage.yaml   seed 7\n" in text
    assert text.endswith("\n  0 of 2 runs hold.\n")


@pytest.mark.parametrize(
    ("checks", "closing"),
    [
        pytest.param([Check("calls", ">= 1", "1200", ok=True)], "The expectation holds.", id="one"),
        pytest.param([Check("calls", ">= 1", "1200", ok=True)] * 3, "All 3 expectations hold.", id="several"),
    ],
)
def test_expectations_that_hold(checks, closing):
    """The closing line says that all is well, in the right number."""
    assert printed(finished_run(expectations=checks)).endswith(f"\n\n  {closing}\n")


def test_a_run_in_which_nothing_happened():
    """What was not measured, not expected and not served is left out, not printed as nothing."""
    nothing = finished_run(
        path=None,
        calls=0,
        succeeded=0,
        failed=0,
        attempts=0,
        retries=0,
        fallbacks=0,
        served_by={"openai": 0},
        breaker={},
        transitions=[],
        latency={"p50": None, "p95": None, "p99": None},
        cost_usd=Decimal(0),
        known_cost_usd=Decimal(0),
        cost_by_provider={},
        virtual_seconds=0.0,
        wall_seconds=0.0,
        faults_fired={},
        errors={},
        expectations=[],
    )
    assert printed(nothing) == (
        "primary outage      seed 7\n"
        "\n"
        "  calls         0 in 0:00 of virtual time\n"
        "  availability  100%   0 answered, 0 failed\n"
        "  resilience    0 fallbacks, 0 retries, 0 attempts in all\n"
        "  spend         $0.0000\n"
        "  digest        0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f"
    )


def test_a_streamed_run_tells_its_first_tokens():
    """The time to the first token stands below the latency."""
    streamed = finished_run(ttft={"p50": 0.3, "p95": 0.9994, "p99": 1.0})
    assert fact("first token", streamed) == "p50 300 ms, p95 999 ms, p99 1.00 s"


def test_a_breaker_that_flaps_is_shortened():
    """Of more than twelve changes the first nine and the last three are shown."""
    states = ["open", "half_open"] * 10
    changes = [Transition(60.0 * minute, "openai", state) for minute, state in enumerate(states)]
    flapping = finished_run(breaker={"openai": ["closed", *states]}, transitions=changes)
    assert printed(flapping, width=240).splitlines()[6] == (
        "  breaker openai  closed -> open 0:00 -> half_open 1:00 -> open 2:00 -> half_open 3:00 -> open 4:00 -> "
        "half_open 5:00 -> open 6:00 -> half_open 7:00 -> open 8:00 -> (8 more) -> half_open 17:00 -> open 18:00 -> "
        "half_open 19:00"
    )


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        pytest.param(
            {"cost_usd": None, "cost_by_provider": {"openai": Decimal("2.3"), "house": None}},
            "unknown ($12.3457 known)   openai $2.3000, house unknown",
            id="unknown",
        ),
        pytest.param({"cost_by_provider": {"openai": Decimal("12.34567")}}, "$12.3457", id="one-provider"),
    ],
)
def test_spend(changes, text):
    """An unknown price is never shown as a sum, and one provider is not named twice."""
    assert fact("spend", finished_run(**changes)) == text


def test_m07_spend_by_model_and_hour():
    """Models are told where they tell more than providers, hours where there are several, the first 24 one by one."""
    models = {"openai:gpt-4o": Decimal(2), "openai:gpt-5": None, "anthropic:claude-opus-5": Decimal("0.00012")}
    dear = finished_run(cost_by_model=models, cost_by_hour={0: Decimal(1), 3: None})
    assert fact("by model", dear) == "openai:gpt-4o $2.0000, openai:gpt-5 unknown, anthropic:claude-opus-5 $0.0001"
    assert fact("by hour", dear) == "+0h $1.0000, +3h unknown"
    long = printed(finished_run(cost_by_hour=dict.fromkeys(range(26), Decimal(1))), width=600)
    assert "+23h $1.0000, and 2 hours more\n" in long
    assert "by model" not in long


def test_a_run_no_faster_than_real_time_does_not_boast():
    """The factor is left out below twice real time."""
    slow = finished_run(virtual_seconds=59.0, wall_seconds=31.0)
    assert fact("calls", slow) == "1,200 in 0:59 of virtual time, run in 31.00 s"


def test_text_of_a_file_is_no_markup():
    """Names that look like rich's markup are printed as they are."""
    text = printed(finished_run(scenario="[red]odd[/red]", expectations=[Check("[b]x", "[/b]", "[i]", ok=True)]))
    assert text.startswith("[red]odd[/red]   ")
    assert " [b]x          [/b]       [i]      ok" in text


def test_without_a_terminal_lines_are_not_broken_at_80(capsys):
    """Where the output is a log, 120 columns are used."""
    print_results([finished_run()])
    lines = capsys.readouterr().out.splitlines()
    assert "  breaker openai  closed -> open 10:03 -> half_open 10:33 -> closed 1:00:33" in [
        line.rstrip() for line in lines
    ]
    assert max(map(len, lines)) == 120


def test_a_terminal_gets_colours():
    """A failed check is red where colours are shown."""
    out = StringIO()
    print_results([finished_run()], Console(file=out, width=120, force_terminal=True, color_system="standard"))
    assert "\x1b[1;31mFAILED\x1b[0m" in out.getvalue()
