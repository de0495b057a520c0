"""Script files: what the providers answer, and how they fail.

YAML or JSON, the same in a file of `llmtest serve --script` and in the body of `POST /_llmtest/script`. A mapping of
provider names to lists of steps, which are played one for each request, in order:

```yaml
openai:
  - replies: Paris                                     # one answer
  - {replies: [one, two], times: 2}                    # one, two, one, two
  - replies: {text: Paris, finish_reason: length, usage: {input_tokens: 9, output_tokens: 1}, latency: 200ms}
  - {calls_tool: {name: weather, arguments: {city: Paris}}}
  - {calls_tools: [{name: weather}, {name: news, arguments: '{"q": '}]}      # text goes out as it is
  - {fails: {rate_limited: {retry_after: 20s}}, times: 2}                    # faults as scenario files name them
  - {fails: {server_error: {status: 503}}, for: 60s}                         # every request for a minute, then back
  - {fails: overloaded, when: {prompt_contains: weather}}
  - replies: {embedding: [0.6, 0.8]}                   # the next request for vectors
  - {on: POST /v1/images/generations, replies: {json: {data: []}}}           # an endpoint that nobody models
  - {on: "GET /v1/files/{id}", replies: {raw: "a,b", headers: {content-type: text/csv}}}
  - {replies: Bye, times: forever}
anthropic:
  - echoes: true                                       # where no step is left: the last user message
my-model:                                              # a name of your own says what it speaks
  dialect: openai
  limits: {rpm: 60}
  latency: {ttft: 200ms, tokens_per_second: 80}
  fragmentation: random                                # events (the default), whole, random, or a number of bytes
  steps: [{generates: {words: 12}}]                    # where no step is left: generated text, which is the default
```

`when` takes `prompt_contains`, `model`, `turn`, `tool_result_contains`, `api_key` and `operation`; the most specific
rule with steps left answers. A script adds to what is there: `POST /_llmtest/reset` goes back to the beginning.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from llmtest.clock import SystemClock
from llmtest.config import Document, Location, Mistakes, did_you_mean, known, parse_yaml, read_document, show_location
from llmtest.errors import ConfigurationError, ScenarioError
from llmtest.events import Trace
from llmtest.serving._application import CONTROL
from llmtest.serving._script_sections import ProviderSection, StepSection
from llmtest.simulation import ProviderHandle, RuleHandle, World
from llmtest.wire import default_dialect, dialects

__all__ = ["ServedScript", "load_script", "parse_script"]

MOST_STEPS = 10_000
"""Steps that one script may have."""


def _example() -> str:
    return f'{{"{default_dialect().name}": [{{"replies": "Paris"}}]}}'


class ServedScript:
    """The steps of a file, checked; they can be given to any world.

    Args:
        document: The file.

    Raises:
        ScenarioError: Something in it is wrong.
    """

    def __init__(self, document: Document) -> None:
        self._document = document
        self._providers: dict[str, tuple[ProviderSection, list[tuple[Location, StepSection]]]] = {}
        self._require_few()
        mistakes = Mistakes(document)
        for name, value in document.data.items():
            at: Location = (name,)
            section: ProviderSection | None = ProviderSection()
            if isinstance(value, dict):
                section, at = mistakes.validate(ProviderSection, at), (name, "steps")
            elif not isinstance(value, list):
                mistakes.note(at, f"`{name}`: must be a list of steps, such as `[{{replies: Paris}}]`.")
            steps = value if isinstance(value, list) else section.steps if section is not None else []
            if isinstance(value, dict) and (mistakes.touches(at) or "steps" not in value):
                steps = []  # What stands there instead has been told.
            found = [((*at, index), mistakes.validate(StepSection, (*at, index))) for index in range(len(steps))]
            if section is not None:
                self._providers[name] = section, [(place, step) for place, step in found if step is not None]
        mistakes.raise_all()

    def _require_few(self) -> None:
        """Refuse a script of so many steps that checking them would take the server's time from its clients."""
        total = 0
        for name, value in self._document.data.items():
            steps = value.get("steps") if isinstance(value, dict) else value
            total += len(steps) if isinstance(steps, list) else 0
            if total > MOST_STEPS:
                raise self._document.error(
                    (name,),
                    f"a script may have {MOST_STEPS:,} steps.\n"
                    "To fix: `times: 1000` repeats a step, `times: forever` for as long as requests come; or post the "
                    "script in parts, each when the one before it was played.",
                )

    def counts(self) -> dict[str, int]:
        """Return how many steps each provider gets."""
        return {name: len(steps) for name, (_, steps) in self._providers.items()}

    def apply(self, world: World) -> None:
        """Add the steps to the providers of a world; either all of them or, where one is wrong, none.

        Raises:
            ScenarioError: A provider is unknown, or a step would never be reached.
        """
        self.check(world)
        self.add(world)

    def check(self, world: World) -> None:
        """Try the steps out on providers like those of a world.

        Raises:
            ScenarioError: A provider is unknown, or has no address.
        """
        self._require_addresses()
        trial = World(SystemClock(), Trace(keep=False), world.seed, world.prices)
        for handle in world.handles:
            trial.provider(handle.name, dialect=handle.dialect)
        self._give_to(trial, [handle.name for handle in world.handles])

    def add(self, world: World) -> None:
        """Add the steps, which have been checked, to the providers of a world.

        Raises:
            ScenarioError: A step would never be reached.
        """
        self._require_reachable(world)
        self._give_to(world, [handle.name for handle in world.handles])

    def _give_to(self, world: World, names: list[str]) -> None:
        mistakes = Mistakes(self._document)
        for name, (section, steps) in self._providers.items():
            with mistakes.collected():
                self._furnish(world, name, section, names)
                rules: dict[tuple[Any, ...], RuleHandle] = {}
                for place, step in steps:
                    with mistakes.collected():
                        self._add(world.provider(name), place, step, rules)
        mistakes.raise_all()

    def _require_addresses(self) -> None:
        for name in self._providers:
            if not name or "/" in name or name == CONTROL.strip("/"):
                raise self._document.error(
                    (name,),
                    f"no URL leads to a provider named `{name}`: its name is the first part of a path.\n"
                    "To fix: a name without slashes, such as `my-model`.",
                )

    def _require_reachable(self, world: World) -> None:
        for provider in world.providers:
            _, steps = self._providers.get(provider.name, (None, []))
            before = provider.engine.script.base.steps
            if not before or not before[-1].lasts_for_ever:
                continue
            for place, step in steps:
                if step.when is None and step.on is None and not step.is_behaviour:
                    raise self._document.error(
                        place,
                        f"`{show_location(place)}` is never reached: the script has {before[-1].label} already, which "
                        "repeats for ever.\nTo fix: POST /_llmtest/reset first, which forgets what was posted; a "
                        "script that the server was started with stays, so let that one end.",
                    )

    def _furnish(self, world: World, name: str, section: ProviderSection, names: list[str]) -> None:
        known_names = {each.name for each in dialects().values() if each.is_provider}
        if name not in names and name not in known_names and section.dialect is None:
            choices = sorted({*names, *known_names})
            raise self._document.error(
                (name,),
                f"unknown provider `{name}`.{did_you_mean(name, choices)}{known('providers', choices)}\n"
                "To fix: a provider of your own says what it speaks: "
                f"`{name}: {{dialect: {default_dialect().name}, steps: [...]}}`.",
            )
        try:
            handle = world.provider(name, dialect=section.dialect)
            if name not in names:
                handle.generates()
            if section.limits is not None:
                handle.limits(**section.limits.given)
            if section.latency is not None:
                latency = section.latency
                handle.latency(latency.total, ttft=latency.ttft, tokens_per_second=latency.tokens_per_second)
            if section.fragmentation is not None:
                handle.fragmentation(section.fragmentation)
        except ConfigurationError as error:
            raise self._wrong((name,), error) from None

    def _add(
        self,
        handle: ProviderHandle,
        place: Location,
        step: StepSection,
        rules: dict[tuple[Any, ...], RuleHandle],
    ) -> None:
        conditions = {} if step.when is None else step.when.conditions()
        key = (step.on, *conditions.items())
        target: RuleHandle | None = rules.get(key)
        if target is None:
            target = handle if step.on is None else handle.on(*step.on)
            target = rules[key] = target.when(**conditions) if conditions else target
        try:
            _play(target, step)
        except ConfigurationError as error:
            raise self._wrong(place, error) from None

    def _wrong(self, at: Location, error: ConfigurationError) -> ScenarioError:
        text = str(error).partition("\n")[0].rstrip(".")
        return self._document.error(at, f"`{show_location(at)}`: {text}.")


def _play(target: RuleHandle, step: StepSection) -> None:
    """Add one step to a handle."""
    times = step.times
    match step.action:
        case "replies":
            target.replies(*step.replies, times=times)
        case "calls_tool" | "calls_tools":
            sections = [*(step.calls_tools or ()), *(() if step.calls_tool is None else (step.calls_tool,))]
            target.calls_tools(*(section.call() for section in sections), times=times)
        case "fails":
            assert step.fails is not None
            target.fails(step.fails, times=times, for_=step.for_)
        case "echoes":
            target.echoes()
        case _:
            assert step.generates is not None
            target.generates(step.generates.seed, step.generates.words)


def load_script(path: str | Path) -> ServedScript:
    """Read a script file, YAML or JSON.

    Raises:
        ScenarioError: Anything is wrong with it; the text has file and line.
    """
    return ServedScript(read_document(path, least=f"`{default_dialect().name}: [{{replies: Paris}}]`"))


def parse_script(body: bytes) -> ServedScript:
    """Read a script that came over the wire, as JSON or YAML.

    Raises:
        ScenarioError: Anything is wrong with it.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ScenarioError("the body is not text in UTF-8.") from None
    try:
        return ServedScript(_document_of(text))
    except RecursionError:
        raise ScenarioError("the body is nested too deeply.") from None


def _document_of(text: str) -> Document:
    mistakes: list[ScenarioError] = []

    def mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            for key, times in Counter(key for key, _ in pairs).items():
                if times > 1:
                    mistakes.append(ScenarioError(f"the key `{key}` is given twice.\nTo fix: keep one of the two."))
        return found

    try:
        document = Document(json.loads(text, object_pairs_hook=mapping), mistakes=mistakes)
    except ValueError as not_json:
        try:
            document = parse_yaml(text, "script")
        except ScenarioError:
            if text.lstrip().startswith(("{", "[")):
                raise ScenarioError(f"not valid JSON: {not_json}.") from None
            raise
    if not isinstance(document.data, dict) or not document.data:
        raise ScenarioError(f"a script is a mapping of providers to steps.\nTo fix: {_example()}")
    return document
