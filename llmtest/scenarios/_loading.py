"""Reading a scenario file: the schema first, then what only the whole file can tell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from llmtest.config import Document, Location, Mistakes, did_you_mean, known, read_document, show_location
from llmtest.scenarios._chain_calls import asked_slots, has_breakers
from llmtest.scenarios._expectations import Expectation, flatten, parse_expectation
from llmtest.scenarios._fault_section import FaultSection
from llmtest.scenarios._file import LatencySection, LoadSection, ProviderSection, ScenarioFile
from llmtest.scenarios._observations import CALLER, end_of_faults
from llmtest.scenarios._spec import FaultSpec, Load, ProviderSpec, Scenario, Stage
from llmtest.simulation import LatencyModel, as_latency
from llmtest.wire import default_dialect

__all__ = ["load_scenario"]

_TARGET = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def load_scenario(path: str | Path, *, environment: Mapping[str, str] | None = None) -> Scenario:
    """Read a scenario file.

    Args:
        path: A YAML (or TOML) file in the schema of `llmtest/scenarios/schema.json`.
        environment: What `${VAR}` in the file reads; None takes the environment of the process.

    Raises:
        ScenarioError: Anything is wrong with the file; the text has everything that is, each with its line, the
            nearest valid thing and the way out.
    """
    document = read_document(path, environment=environment)
    mistakes = Mistakes(document)
    file = mistakes.validate(ScenarioFile, instead=INSTEAD)
    if file is None:
        mistakes.raise_all()
    assert file is not None
    _check_callers(mistakes, file)
    rules = _rules(mistakes, file.faults, list(file.providers), document)
    folder = Path(path).parent
    load = _load(mistakes, file.load, folder)
    providers = tuple(_provider(mistakes, name, section, folder) for name, section in file.providers.items())
    expectations = tuple(_expectations(mistakes, file, rules))
    mistakes.raise_all()
    return Scenario(
        name=file.name,
        path=str(path),
        seed=file.seed,
        providers=providers,
        chain=file.chain,
        budget=file.budget,
        target=file.target,
        load=load,
        fragmentation=file.fragmentation,
        faults=rules,
        expect=expectations,
        notes=tuple(_notes(document, file, expectations)),
    )


INSTEAD = {"version": 1, "name": "wrong", "load": {"rate": "1/s", "duration": "1s"}, "providers": {}}
"""What stands in for a key that is wrong, so that the rest of a file can be looked at."""


def _check_callers(mistakes: Mistakes, file: ScenarioFile) -> None:
    if not file.providers and not mistakes.lacks_names(("providers",)):
        mistakes.note(
            ("providers",), f"`providers`: needs at least one provider, such as `{default_dialect().name}: {{}}`."
        )
    callers_are_right = not mistakes.touches(("chain",)) and not mistakes.touches(("target",))
    if (file.chain is None) == (file.target is None) and callers_are_right:
        found = "both are given" if file.chain else "neither is given"
        mistakes.note(
            ("target",) if file.chain else (),
            f"a scenario has either a `chain` or a `target`; {found}.\n"
            "To fix: `chain: {providers: [...]}` runs ours, `target: module:callable` runs your own app.",
        )
    if file.target is not None:
        if not _TARGET.fullmatch(file.target):
            mistakes.note(
                ("target",), f"`target`: `{file.target}` is not of the form `module:callable`, as in `myapp.agent:ask`."
            )
        if file.budget is not None and file.chain is None:
            mistakes.note(("budget",), "`budget` limits a chain; a `target` has budgets of its own.")
    if file.chain is None:
        return
    if file.budget is not None and file.chain.budget is not None:
        mistakes.note(("budget",), "`budget` is given twice, here and in `chain`.\nTo fix: keep one of the two.")
    for at, slot in asked_slots(file.chain):
        _require_provider(mistakes, (*at, "provider"), slot.provider, file.providers)


def _require_provider(mistakes: Mistakes, at: Location, name: Any, providers: Iterable[str]) -> None:
    names = list(providers)
    if names and name not in names and not mistakes.lacks_names(("providers",)):
        mistakes.note(
            at,
            f"`{show_location(at)}`: no provider `{name}` in this scenario.{did_you_mean(str(name), names)}"
            f"{known('providers', names)}",
        )


def _rules(
    mistakes: Mistakes, sections: list[FaultSection], providers: list[str], document: Document
) -> tuple[FaultSpec, ...]:
    specs: list[FaultSpec] = []
    taken: dict[str, int] = {}
    for index, section in enumerate(sections):
        at: Location = ("faults", index)
        where = section.where.provider
        for name in [where] if isinstance(where, str) else where or []:
            if "*" not in name:
                _require_provider(mistakes, (*at, "where", "provider"), name, providers)
        rule = section.name or section.what.name
        if rule in taken:
            fix = "rename one of them" if section.name else "give them a `name`"
            mistakes.note(
                (*at, "name"),
                f"two faults are named `{rule}`, the other one on line {document.line_of(('faults', taken[rule]))}.\n"
                f"To fix: {fix}.",
            )
        taken.setdefault(rule, index)
        specs.append(FaultSpec(rule, section.arguments(), optional=section.optional))
    return tuple(specs)


def _provider(mistakes: Mistakes, name: str, section: ProviderSection, folder: Path) -> ProviderSpec:
    limits, price = section.limits, section.price
    plays = None if section.plays is None else _file(mistakes, ("providers", name, "plays"), folder / section.plays)
    return ProviderSpec(
        name=name,
        model=section.model,
        dialect=section.dialect,
        base_url=section.base_url,
        **(limits.given if limits else {}),
        latency=None if section.latency is None else _latency(section.latency),
        price=(price.input, price.output) if price else None,
        answer=section.answer,
        plays=plays,
    )


def _latency(section: LatencySection) -> LatencyModel:
    if section.total is not None:
        return as_latency(section.total)
    return as_latency(ttft=section.ttft, tokens_per_second=section.tokens_per_second)


def _load(mistakes: Mistakes, section: LoadSection, folder: Path) -> Load:
    given = {
        key: value
        for key, value in section
        if value is not None and key not in {"stages", "trace"} and key in Load.__dataclass_fields__
    }
    stages = tuple(Stage(stage.duration, stage.rate, stage.start) for stage in section.stages or ())
    if section.trace is None:
        return Load(**given, stages=stages)
    trace = _file(mistakes, ("load", "trace"), folder / section.trace)
    return Load(**given, trace=trace, trace_shown=str(trace))


def _file(mistakes: Mistakes, at: Location, path: Path) -> Path:
    """Return the path of a file that the scenario names; one that is not there is a mistake."""
    if not path.is_file():
        there = sorted(entry.name for entry in path.parent.iterdir()) if path.parent.is_dir() else []
        mistakes.note(at, f"`{show_location(at)}`: no such file: `{path}`.{did_you_mean(path.name, there)}")
    return path


def _expectations(mistakes: Mistakes, file: ScenarioFile, rules: tuple[FaultSpec, ...]) -> Iterable[Expectation]:
    names = [rule.name for rule in rules]
    for place, check, value in flatten(file.expect):
        at: Location = ("expect", *place)
        if any(check.startswith(f"{head}.") and mistakes.lacks_names(named) for head, named in NAMED_BY.items()):
            continue  # Which names there are is wrong itself.
        try:
            expectation = parse_expectation(check, value, providers=list(file.providers), rules=names)
        except ValueError as error:
            text = str(error)
            mistakes.note(at, f"`expect.{check}`: {text}" + ("" if text.endswith(".") else "."))
            continue
        problem = _unmeasurable(mistakes, expectation, file, rules)
        if problem is None:
            yield expectation
        else:
            mistakes.note(at, f"`expect.{check}`: {problem}")


def _notes(document: Document, file: ScenarioFile, expectations: Sequence[Expectation]) -> Iterable[str]:
    """Tell of each provider that may answer in no time where latencies are judged, unless the file says so itself."""
    timed = [each.check for each in expectations if each.check.startswith(("latency.", "ttft.", "call_time."))]
    if not timed:
        return
    asked = file.providers if file.chain is None else {slot.provider for _, slot in asked_slots(file.chain)}
    for name, section in file.providers.items():
        if name in asked and section.latency is None:
            line = document.line_of(("providers", name))
            yield (
                f"{document.path}:{line}: `providers.{name}` has no `latency`: its answers take no time, and "
                f"`{'`, `'.join(timed)}` may hold for that reason.\n"
                "To fix: `latency: {total: 800ms}`; or `latency: {total: 0}`, if that is meant."
            )


NAMED_BY: Mapping[str, Location] = {
    "attempts": ("providers",),
    "breaker": ("providers",),
    "served_by": ("providers",),
    "burst": ("providers",),
    "recovery": ("providers",),
    "retry_gap": ("providers",),
    "spend": ("providers",),
    "faults_fired": ("faults",),
}
"""Where the names stand that checks end in."""


def _unmeasurable(
    mistakes: Mistakes, expectation: Expectation, file: ScenarioFile, rules: Sequence[FaultSpec]
) -> str | None:
    """Return why a check has nothing to look at; None where it has."""
    head, _, tail = expectation.check.partition(".")
    is_stood_in = {name: mistakes.touches((name,)) for name in ("chain", "target", "load")}
    problem = None
    if head == "ttft" and file.target is not None:
        problem = "the first token of a `target` cannot be seen."
    elif head == "ttft" and not file.load.stream and not is_stood_in["load"]:
        problem = "an answer that is not streamed has no first token.\nTo fix: `load: {stream: true, ...}`."
    elif head in CALLER and file.target is not None:
        problem = "what a `target` makes of an answer is its own; what the caller of a `chain` gets can be seen."
    elif head == "recovery" and end_of_faults(rules, tail) is None and not mistakes.touches(("faults",)):
        problem = f"no fault at `{tail}` ends, so that it cannot recover.\nTo fix: give one a length: `for: 60s`."
    elif head == "breaker" and file.chain is None and not is_stood_in["chain"]:
        problem = "the circuit breakers of a `target` cannot be seen."
    elif head == "breaker" and file.chain is not None and not has_breakers(file.chain) and not is_stood_in["chain"]:
        problem = "the chain's circuit breakers are switched off.\nTo fix: `chain: {circuit_breaker: {...}}`."
    return problem
