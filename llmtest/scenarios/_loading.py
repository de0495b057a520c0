"""Reading a scenario file: the schema first, then what only the whole file can tell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from llmtest.config import Document, Location, did_you_mean, known, read_document, show_location, validate
from llmtest.scenarios._chain_calls import has_breakers
from llmtest.scenarios._expectations import Expectation, flatten, parse_expectation
from llmtest.scenarios._fault_section import FaultSection
from llmtest.scenarios._file import LatencySection, LoadSection, ProviderSection, ScenarioFile
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
        ScenarioError: Anything is wrong with the file; the text has file, line, the nearest valid thing, the way out.
    """
    document = read_document(path, environment=environment)
    file = validate(ScenarioFile, document)
    _check_callers(document, file)
    rules = _rules(document, file.faults, list(file.providers))
    return Scenario(
        name=file.name,
        path=str(path),
        seed=file.seed,
        providers=tuple(_provider(name, section) for name, section in file.providers.items()),
        chain=file.chain,
        budget=file.budget,
        target=file.target,
        load=_load(document, file.load, Path(path).parent),
        fragmentation=file.fragmentation,
        faults=rules,
        expect=tuple(_expectations(document, file, rules)),
    )


def _check_callers(document: Document, file: ScenarioFile) -> None:
    if not file.providers:
        raise document.error(
            ("providers",), f"`providers`: needs at least one provider, such as `{default_dialect().name}: {{}}`."
        )
    if (file.chain is None) == (file.target is None):
        found = "both are given" if file.chain else "neither is given"
        raise document.error(
            ("target",) if file.chain else (),
            f"a scenario has either a `chain` or a `target`; {found}.\n"
            "To fix: `chain: {providers: [...]}` runs ours, `target: module:callable` runs your own app.",
        )
    if file.target is not None:
        if not _TARGET.fullmatch(file.target):
            raise document.error(
                ("target",), f"`target`: `{file.target}` is not of the form `module:callable`, as in `myapp.agent:ask`."
            )
        if file.budget is not None:
            raise document.error(("budget",), "`budget` limits a chain; a `target` has budgets of its own.")
        return
    assert file.chain is not None
    if file.budget is not None and file.chain.budget is not None:
        raise document.error(("budget",), "`budget` is given twice, here and in `chain`.\nTo fix: keep one of the two.")
    for index, slot in enumerate(file.chain.providers):
        _require_provider(document, ("chain", "providers", index, "provider"), slot.provider, file.providers)


def _require_provider(document: Document, at: Location, name: Any, providers: Iterable[str]) -> None:
    names = list(providers)
    if name not in names:
        raise document.error(
            at,
            f"`{show_location(at)}`: no provider `{name}` in this scenario.{did_you_mean(str(name), names)}"
            f"{known('providers', names)}",
        )


def _rules(document: Document, sections: list[FaultSection], providers: list[str]) -> tuple[FaultSpec, ...]:
    specs: list[FaultSpec] = []
    taken: dict[str, int] = {}
    for index, section in enumerate(sections):
        at: Location = ("faults", index)
        where = section.where.provider
        for name in [where] if isinstance(where, str) else where or []:
            if "*" not in name:
                _require_provider(document, (*at, "where", "provider"), name, providers)
        rule = section.name or section.what.name
        if rule in taken:
            fix = "rename one of them" if section.name else "give them a `name`"
            raise document.error(
                (*at, "name"),
                f"two faults are named `{rule}`, the other one on line {document.line_of(('faults', taken[rule]))}.\n"
                f"To fix: {fix}.",
            )
        taken[rule] = index
        specs.append(FaultSpec(rule, section.arguments(), optional=section.optional))
    return tuple(specs)


def _provider(name: str, section: ProviderSection) -> ProviderSpec:
    limits, price = section.limits, section.price
    return ProviderSpec(
        name=name,
        model=section.model,
        dialect=section.dialect,
        base_url=section.base_url,
        rpm=limits.rpm if limits else None,
        tpm=limits.tpm if limits else None,
        latency=None if section.latency is None else _latency(section.latency),
        price=(price.input, price.output) if price else None,
    )


def _latency(section: LatencySection) -> LatencyModel:
    if section.total is not None:
        return as_latency(section.total)
    return as_latency(ttft=section.ttft, tokens_per_second=section.tokens_per_second)


def _load(document: Document, section: LoadSection, folder: Path) -> Load:
    given = {
        key: value
        for key, value in section
        if value is not None and key not in {"stages", "trace"} and key in Load.__dataclass_fields__
    }
    stages = tuple(Stage(stage.duration, stage.rate, stage.start) for stage in section.stages or ())
    if section.trace is None:
        return Load(**given, stages=stages)
    trace = folder / section.trace
    if not trace.is_file():
        there = sorted(entry.name for entry in trace.parent.iterdir()) if trace.parent.is_dir() else []
        hint = did_you_mean(trace.name, there)
        raise document.error(("load", "trace"), f"`load.trace`: no such file: `{trace}`.{hint}")
    return Load(**given, trace=trace, trace_shown=str(trace))


def _expectations(document: Document, file: ScenarioFile, rules: tuple[FaultSpec, ...]) -> Iterable[Expectation]:
    names = [rule.name for rule in rules]
    for place, check, value in flatten(file.expect):
        at: Location = ("expect", *place)
        try:
            expectation = parse_expectation(check, value, providers=list(file.providers), rules=names)
        except ValueError as error:
            text = str(error)
            raise document.error(at, f"`expect.{check}`: {text}" + ("" if text.endswith(".") else ".")) from None
        _check_measurable(document, at, expectation, file)
        yield expectation


def _check_measurable(document: Document, at: Location, expectation: Expectation, file: ScenarioFile) -> None:
    head = expectation.check.partition(".")[0]
    problem = None
    if head == "ttft" and file.target is not None:
        problem = "the first token of a `target` cannot be seen."
    elif head == "ttft" and not file.load.stream:
        problem = "an answer that is not streamed has no first token.\nTo fix: `load: {stream: true, ...}`."
    elif head == "breaker" and file.chain is None:
        problem = "the circuit breakers of a `target` cannot be seen."
    elif head == "breaker" and not has_breakers(file.chain):
        problem = "the chain's circuit breakers are switched off.\nTo fix: `chain: {circuit_breaker: {...}}`."
    if problem is not None:
        raise document.error(at, f"`expect.{expectation.check}`: {problem}")
