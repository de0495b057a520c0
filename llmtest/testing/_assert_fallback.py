"""`assert_fallback`, `assert_no_fallback`: who answered in whose place, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from llmtest.errors import ConfigurationError
from llmtest.events import CallEnded, FallbackTaken, Trace
from llmtest.testing._cause import Cause, cause_hint, cause_name, is_cause
from llmtest.testing._failure import did_you_mean, failure
from llmtest.testing._history import Seen, answered_groups, attempts_of, calls_of, matches_target

__all__ = ["check_fallback", "check_no_fallback"]


def check_fallback(trace: Trace, from_: str, to: str, *, because: Cause | None = None) -> None:
    """Raise AssertionError unless a call that failed on `from_` was answered by `to`."""
    __tracebackhide__ = True
    if from_ == to:
        raise ConfigurationError(f"assert_fallback: a fallback goes from one target to another, got `{from_}` twice.")
    attempts = attempts_of(trace)
    groups = [group for call in calls_of(attempts, "assert_fallback") for group in answered_groups(call)]
    causes = [cause for group in groups for cause in _causes(group, from_, to)]
    reasons = _decided(trace, from_, to)
    if because is None and (causes or reasons):
        return
    if because is not None and (any(is_cause(seen, because) for seen in causes) or cause_name(because) in reasons):
        return
    if causes or reasons:
        found = ", ".join(f"`{word}`" for word in dict.fromkeys([*(seen.outcome for seen in causes), *reasons]))
        headline = (
            f"assert_fallback: `{to}` answered for `{from_}`, but not because of `{cause_name(because)}`: "
            f"the cause was {found}."
        )
    else:
        headline = f"assert_fallback: no call that failed on `{from_}` was answered by `{to}`."
        headline += _unknown([from_, to], attempts)
    if because is not None:
        headline += cause_hint(because).replace("mean", "mean because of", 1)
    raise failure(headline, trace, facts=_summaries(groups))


def check_no_fallback(trace: Trace) -> None:
    """Raise AssertionError if any logical call went to a second provider or model."""
    __tracebackhide__ = True
    for call in calls_of(attempts_of(trace), "assert_no_fallback"):
        first = call[0]
        other = next((seen for seen in call if (seen.provider, seen.model) != (first.provider, first.model)), None)
        if other is not None:
            which = f"logical call {first.call}" if first.call else "the test's one implicit call"
            raise failure(
                f"assert_no_fallback: {which} began on `{first.target}` and went on to `{other.target}`.",
                trace,
                facts=[" -> ".join(seen.step for seen in call)],
                fix=None
                if first.call
                else 'where these are calls of their own, mark each one: `with llm_sim.call("label"):`.',
            )


def _causes(group: Sequence[Seen], from_: str, to: str) -> Iterator[Seen]:
    """Yield the last failure on `from_` of a group that `to` answered."""
    if group[-1].answered and matches_target(group[-1], to):
        failures = [seen for seen in group[:-1] if seen.failed and matches_target(seen, from_)]
        if failures:
            yield failures[-1]


def _decided(trace: Trace, from_: str, to: str) -> list[str]:
    """Return the reasons our own chain gave for leaving `from_` in calls that `to` answered.

    The chain also leaves slots it never asked (no such capability, no budget), of which no provider knows.
    """
    served = {
        event.call
        for event in trace.of(CallEnded)
        if event.outcome == "ok" and event.provider and _named(event.provider, event.model, to)
    }
    return [
        event.cause
        for event in trace.of(FallbackTaken)
        if event.call and event.call in served and _named(event.from_provider, event.from_model, from_)
    ]


def _named(provider: str, model: str | None, target: str) -> bool:
    name, _, wanted = target.partition("/")
    return provider == name and (not wanted or model == wanted)


def _summaries(groups: Sequence[Sequence[Seen]]) -> list[str]:
    lines = [" -> ".join(seen.step for seen in group) for group in groups]
    return [f"call {number}: {line}" for number, line in enumerate(lines, 1)] or ["no attempt was made"]


def _unknown(targets: Sequence[str], attempts: Sequence[Seen]) -> str:
    known = {seen.provider for seen in attempts} | {seen.target for seen in attempts}
    for target in targets:
        if target not in known:
            return f" Nothing was sent to `{target}`." + did_you_mean(target, known)
    return ""
