"""What the job promises about work and money."""

import asyncio
from decimal import Decimal

import pytest
from batch import BUDGET_SPENT, Job, main, make_chain, names_in

from llmtest import AsyncLLMClient, Budget, BudgetConfig, errors, faults

DAY = 24 * 3600


@pytest.fixture
def texts(tmp_path):
    """Return the paths of 20 texts."""
    folder = tmp_path / "texts"
    folder.mkdir()
    for number in range(20):
        (folder / f"{number:02}.txt").write_text(f"Text {number}. " + "It is a long story. " * 30, encoding="utf-8")
    return sorted(folder.iterdir())


@pytest.fixture
def results(tmp_path):
    """Return the path of the results."""
    return tmp_path / "results.jsonl"


def run(llm_sim, budget, texts, results):
    """Run the job once with simulated providers and return its report."""
    providers = [llm_sim.openai.as_provider("gpt-4o"), llm_sim.anthropic.as_provider("claude-sonnet-4-6")]
    job = Job(AsyncLLMClient(make_chain(providers, budget)), results)
    return asyncio.run(job.run(texts))


def test_every_text_is_summarised_a_few_at_a_time(llm_sim, texts, results):
    """All is done, and no more than eight calls are under way at once."""
    llm_sim.openai.latency(2.0).generates(words=30)

    report = run(llm_sim, Budget(), texts, results)

    assert (report.done, report.failed, report.left) == (20, {}, 0)
    assert names_in(results) == {path.name for path in texts}
    llm_sim.assert_max_in_flight("openai", 8)
    assert llm_sim.clock.elapsed() == 6.0  # three rounds of two seconds


def test_the_budget_holds_though_calls_overlap(llm_sim, texts, results):
    """The job stops before the limit, and its account is the providers' bill."""
    llm_sim.openai.latency(2.0).generates(words=30)
    budget = Budget(BudgetConfig(max_cost_per_day="0.012"))

    report = run(llm_sim, budget, texts, results)

    assert 0 < report.done < 20
    assert report.done + report.left == 20
    balance = budget.balance("day")
    assert balance.spent_usd == llm_sim.costs.total_usd <= Decimal("0.012")
    assert balance.reserved_usd == 0


def test_the_next_day_goes_on_and_pays_for_nothing_twice(llm_sim, texts, results):
    """Every text is asked for once, over as many days as it takes."""
    llm_sim.openai.generates(words=30)
    budget = Budget(BudgetConfig(max_cost_per_day="0.012"))

    days = 0
    while names_in(results) != {path.name for path in texts}:
        run(llm_sim, budget, texts, results)
        llm_sim.clock.advance(DAY)
        days += 1

    assert days > 1
    llm_sim.assert_attempts("openai", 20)


def test_an_outage_falls_back(llm_sim, texts, results):
    """Where OpenAI is down Anthropic summarises; after a few failures OpenAI is left alone."""
    llm_sim.openai.fails(faults.ServerError(503), times=None)
    llm_sim.anthropic.generates(words=30)

    report = run(llm_sim, Budget(), texts, results)

    assert report.done == 20
    llm_sim.assert_fallback("openai", "anthropic")
    llm_sim.assert_breaker("openai", "closed", "open", exact=False)


def test_a_refused_text_is_noted_and_passed_over(llm_sim, texts, results):
    """One bad text costs one request, and the others are done."""
    llm_sim.openai.generates(words=30)
    llm_sim.openai.when("Text 7.").fails(faults.ContentFiltered())

    report = run(llm_sim, Budget(), texts, results)

    assert report.done == 19
    assert list(report.failed) == ["07.txt"]
    assert errors.ContentFilteredError.__name__ in report.failed["07.txt"]
    llm_sim.assert_no_fallback()


def test_the_command_keeps_its_budget_between_runs(llm_sim, texts, results, capsys):
    """The second run of the day finds the budget spent, in the file beside the results."""
    llm_sim.openai.generates(words=30)
    command = [str(texts[0].parent), str(results), "--usd-per-day", "0.012"]

    assert main(command) == BUDGET_SPENT
    done = len(names_in(results))
    assert f"{done} done, 0 failed, {20 - done} left" in capsys.readouterr().out

    assert main(command) == BUDGET_SPENT
    assert len(names_in(results)) == done
    assert llm_sim.costs.total_usd <= Decimal("0.012")
