"""The harness's error texts: what happened, the facts, how to fix it. They are part of the interface."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from llmtest.errors import ConfigurationError, SimulationStateError, UnscriptedRequestError, UnusedStepsError
from llmtest.simulation._call_site import call_site
from llmtest.simulation.plan._wire_edit import UnappliedEditError
from llmtest.simulation.script._script import Script, Step, UnusedStep
from llmtest.simulation.script._service_answers import answers_to
from llmtest.wire import Endpoint, dialects

__all__ = [
    "broken_callable",
    "broken_dialect",
    "handle_text",
    "never_played",
    "spelled",
    "unapplied_edit",
    "unscripted",
    "unused_steps",
    "wordless",
    "wrong_result",
]

_ORDINALS = ("zeroth", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")
SHOWN_STEPS = 10


def spelled(number: int) -> str:
    """Return `third`, `12th`, `21st`."""
    if 0 < number < len(_ORDINALS):
        return _ORDINALS[number]
    suffix = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"


def handle_text(provider: str, fixture: str = "llm_sim") -> str:
    """Return how a test writes the handle of a provider."""
    known = dialects().get(provider)
    if known is not None and known.is_provider:
        return f"{fixture}.{provider}"
    return f"{fixture}.provider({json.dumps(provider)})"


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _listed(numbers: Sequence[int]) -> str:
    if len(numbers) == 1:
        return f"request {numbers[0]}"
    return f"requests {', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"


def _script_line(steps: list[Step]) -> str:
    if not steps:
        return "script: empty"
    left = sum(1 for step in steps if step.left is None or step.left > 0)
    used = sorted({number for step in steps for number in step.used_by})
    if left:
        return f"script: {_plural(len(steps), 'step')}, {left} of them left, all in rules that do not match"
    every = {1: "", 2: "both "}.get(len(steps), "all ")
    return f"script: {_plural(len(steps), 'step')}, {every}used by {_listed(used)}"


def unscripted(
    script: Script,
    *,
    provider: str,
    method: str,
    path: str,
    model: str | None,
    stream: bool,
    request_number: int,
    fixture: str = "llm_sim",
    operation: str | None = None,
) -> UnscriptedRequestError:
    """Make the error of a request without a step; `operation` is what is asked for, if that is no conversation."""
    steps = script.steps
    handle = handle_text(provider, fixture)
    said, always = '"..."', "echoes()"
    if operation is not None:
        verb, _, place = operation.partition(" ")
        rule = f'on("{verb}", "{place}")' if place else f'when(operation="{verb}")'
        handle, said, always = f"{handle}.{rule}", "Json({})", "replies(Json({}), times=None)"
    site = call_site()
    lines = [
        f"`{provider}` received a request that its script has no step for.",
        "",
        f"  {method} {path}   model={model}  stream={str(stream).lower()}   (request {request_number})",
        f"  {_script_line(steps)}",
    ]
    waiting = [rule for rule in script.rules if rule.criteria.specificity and rule.has_something_left]
    lines += [f"  does not match: {rule.criteria.describe()}" for rule in waiting[:3]]
    lines.append("")
    if steps and not waiting:
        lines.append("  This usually means the code under test made one call more than expected.")
        if site:
            lines.append(f"  Extra call made at: {site}")
        lines.append("")
    elif site:
        lines += [f"  Call made at: {site}", ""]
    if steps and not waiting:
        lines += [
            "To fix, one of:",
            f"  1. {f'add a {spelled(len(steps) + 1)} step:':<27}{handle}.replies({said})",
            f"  2. let the last step repeat:  {handle}.replies({said}, times=None)",
        ]
    elif waiting:
        lines += [
            "To fix, one of:",
            f"  1. add a step for every other request:  {handle}.replies({said})",
            "  2. widen the rule that should have matched",
        ]
    else:
        lines += [
            "To fix, one of:",
            f"  1. add a step:            {handle}.replies({said})",
            f"  2. answer every request:  {handle}.{always}",
        ]
    return UnscriptedRequestError("\n".join(lines))


def unused_steps(
    provider: str,
    unused: Sequence[UnusedStep],
    *,
    total: int,
    requests: int,
    has_url: bool = True,
    unmet: Sequence[str] = (),
) -> UnusedStepsError:
    """Make the error of steps that were never played."""
    width = max(len(f"step {step.number}: {step.label}") for step in unused)
    noun = "step" if total == 1 else "steps"
    lines = [f"`{provider}` still had {len(unused)} of {total} scripted {noun} to play when the test ended.", ""]
    for step in unused[:SHOWN_STEPS]:
        times = "   (for ever)" if step.for_ever else f"   ({step.left} times)" if step.left > 1 else ""
        lines.append(f"  {f'step {step.number}: {step.label}':<{width}}   {step.site}{times}".rstrip())
    if len(unused) > SHOWN_STEPS:
        lines.append(f"  ... and {len(unused) - SHOWN_STEPS} more")
    if requests == 0 and not has_url:
        lines += [
            "",
            f"No URL leads to `{provider}`, so that the code under test cannot reach it.",
            f'To fix: {handle_text(provider)}.at("http://localhost:8000"), with the base URL that the code calls.',
        ]
        return UnusedStepsError("\n".join(lines))
    if unmet:
        lines += ["", *(f"  {line}" for line in unmet[:SHOWN_STEPS])]
    told = "sent it no request" if requests == 0 else f"stopped after {_plural(requests, 'request')}"
    which = "that step" if len(unused) == 1 else "those steps"
    lines += ["", f"The code under test {told}. If that is on purpose, mark {which} `optional=True`."]
    return UnusedStepsError("\n".join(lines))


def broken_dialect(endpoint: Endpoint, error: Exception, *, reading: bool) -> SimulationStateError:
    """Make the error of a dialect that failed in Python's words, at a request or at an answer."""
    does, way = (
        ("read a request", "let `decode_call` raise WireFormatError for what the API refuses, and read all else")
        if reading
        else ("write this answer", "script an answer that the API can give, or let `encode_answer` write this one")
    )
    return SimulationStateError(
        f"the dialect `{endpoint.dialect.name}` could not {does} at {endpoint.label}: {type(error).__name__}: {error}"
        f"\n\nTo fix: {way}"
    )


def no_value(provider: str, error: Exception) -> SimulationStateError:
    """Make the error of a schema for which no answer can be generated."""
    return SimulationStateError(
        f"`{provider}`: no answer can be generated for the schema of this request: {error}.\n\n"
        'To fix: mend the schema, or script the answer: replies(\'{"name": "Ada"}\'), or '
        'calls_tool("name", {"argument": "value"})'
    )


def broken_callable(provider: str, what: str, error: Exception, gives: str = "completion") -> SimulationStateError:
    """Make the error of a test's own function that failed inside a simulated provider.

    Args:
        provider: Its name.
        what: What the function is: `reply` or `predicate`.
        error: How it failed.
        gives: What kind of request it was called with.
    """
    wanted = "a bool" if what == "predicate" else f"{', '.join(answers_to(gives))} or a fault"
    return SimulationStateError(
        f"`{provider}`: the test's own {what} function failed: {type(error).__name__}: {error}\n\n"
        f"To fix: make the function return {wanted} for every request it may see."
    )


def wrong_result(result: object, gives: str) -> TypeError:
    """Make the error of a function that returned what answers no request of its kind."""
    return TypeError(f"it returned {type(result).__name__}, not {', '.join(answers_to(gives))} or a fault")


def never_played(what: str, operation: str, gives: str) -> ConfigurationError:
    """Make the error of a step that answers no request of the kind that its rule is for."""
    example = {"completion": 'replies("Paris")', "embeddings": "replies(Embedding([0.1, 0.2]))"}
    way = example.get(gives, 'replies(Json({"data": []}))')
    return ConfigurationError(
        f"{what} would never be played: it is no answer to `{operation}`, which takes "
        f"{', '.join(answers_to(gives))} or a fault.\n\nTo fix: {way}"
    )


def wordless(provider: str, reason: str, words: Iterable[str]) -> ConfigurationError:
    """Make the error of a finish reason that an API has no word for."""
    return ConfigurationError(
        f"`{provider}` has no word for the finish reason `{reason}`. It has one for: {', '.join(words)}.\n\n"
        'To fix: Reply(text, finish_reason="stop")'
    )


def unapplied_edit(provider: str, problem: UnappliedEditError) -> SimulationStateError:
    """Make the error of an edit that found nothing to change: what it was to provoke never happened."""
    what = "" if problem.edit is None else f"{problem.edit!r}: "
    return SimulationStateError(f"`{provider}`: {what}{problem.reason}.\n\nTo fix: {problem.fix}")
