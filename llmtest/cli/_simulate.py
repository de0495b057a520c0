"""`llmtest simulate`: scenarios in virtual time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llmtest.cli._progress import Progress
    from llmtest.scenarios import RunResult

__all__ = ["simulate"]


def simulate(
    scenarios: Annotated[list[Path], typer.Argument(metavar="SCENARIO...", help="Scenario files.", show_default=False)],
    seed: Annotated[
        int | None, typer.Option(help="Seed to run with, instead of the file's.", show_default=False)
    ] = None,
    runs: Annotated[int, typer.Option(min=1, help="Run each scenario with so many seeds, counted up.")] = 1,
    jobs: Annotated[int, typer.Option(min=1, help="Run so many at a time, each in its own process.")] = 1,
    trace_file: Annotated[
        Path | None,
        typer.Option(
            help="Replay this CSV (TIMESTAMP, ContextTokens, GeneratedTokens) instead of the scenario's load.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for each run, one a line.")] = False,
    events: Annotated[
        Path | None,
        typer.Option(
            help="Write every event of the run to this file, as JSON lines.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Run scenarios in virtual time, and judge what they expect.

    Exits with 0 if every expectation holds, 1 if one fails, 2 if a file or an option is wrong.
    """
    from llmtest.cli._progress import progress
    from llmtest.scenarios import load_scenario

    plan = []
    for path in scenarios:
        scenario = load_scenario(path)
        first = scenario.seed if seed is None else seed
        plan += [(str(path), first + number) for number in range(runs)]
    if events is not None and len(plan) > 1:
        raise typer.BadParameter(
            "a file holds the events of one run; give one scenario and no `--runs`.", param_hint="--events"
        )
    failed = False
    results = []
    with progress(len(plan)) as bar:
        outcomes = _in_processes(plan, jobs, trace_file, bar) if jobs > 1 else _here(plan, trace_file, events, bar)
        for result in outcomes:
            failed |= not result.ok
            if as_json:
                typer.echo(json.dumps(result.as_json(), ensure_ascii=False))
            else:
                results.append(result)
    if results:
        from llmtest.reporting import print_results

        print_results(results)
    if failed:
        raise typer.Exit(1)


def _here(
    plan: list[tuple[str, int]], trace_file: Path | None, events: Path | None, bar: Progress
) -> Iterator[RunResult]:
    from llmtest.reporting import EventFile, RunHeader
    from llmtest.scenarios import load_scenario, run_scenario, with_trace

    for path, seed in plan:
        scenario = load_scenario(path)
        if trace_file is not None:
            scenario = with_trace(scenario, trace_file)
        bar.start(scenario.name)
        if events is None:
            yield run_scenario(scenario, seed=seed, on_progress=bar.update)
        else:
            with EventFile(events, RunHeader.of(scenario, seed)) as file:
                result = run_scenario(scenario, seed=seed, on_progress=bar.update, on_event=file.write)
                file.end(result.virtual_seconds)
            yield result
        bar.finish()


def _in_processes(
    plan: list[tuple[str, int]], jobs: int, trace_file: Path | None, bar: Progress
) -> Iterator[RunResult]:
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(min(jobs, len(plan)), mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(run_file, path, seed, trace_file) for path, seed in plan]
        for future in futures:
            yield future.result()
            bar.finish()


def run_file(path: str, seed: int, trace_file: Path | None) -> RunResult:
    """Run one scenario with one seed; what a worker process does."""
    from llmtest.scenarios import load_scenario, run_scenario, with_trace

    scenario = load_scenario(path)
    return run_scenario(scenario if trace_file is None else with_trace(scenario, trace_file), seed=seed)
