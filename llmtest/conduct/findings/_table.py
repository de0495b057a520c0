"""All kinds of findings. A new one is a file of its own and a line here; everything else is derived from this table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from difflib import get_close_matches
from numbers import Real

from llmtest.conduct._kind import FindingKind, Limits
from llmtest.conduct.findings import (
    _answers_glued,
    _backoff_synchronised,
    _budget_overshoot,
    _cost_misreported,
    _dead_provider_walked,
    _duplicate_effect,
    _fallback_on_client_error,
    _gave_up,
    _half_open_herd,
    _harness_error,
    _no_backoff,
    _no_fallback_after_break,
    _no_read_timeout,
    _request_mutated,
    _retried_non_retryable,
    _retries_multiplied,
    _retry_after_ignored,
    _retry_after_unbounded,
    _retry_storm,
    _slow_stream_unbounded,
    _timeouts_multiplied,
    _truncated_answer_accepted,
)
from llmtest.errors import ConfigurationError

__all__ = ["FINDINGS", "KINDS", "as_thresholds", "limits_of"]

KINDS: dict[str, FindingKind] = {
    kind.name: kind
    for kind in (
        _retry_after_ignored.KIND,
        _retry_storm.KIND,
        _no_backoff.KIND,
        _retried_non_retryable.KIND,
        _truncated_answer_accepted.KIND,
        _gave_up.KIND,
        _no_read_timeout.KIND,
        _budget_overshoot.KIND,
        _half_open_herd.KIND,
        _fallback_on_client_error.KIND,
        _no_fallback_after_break.KIND,
        _dead_provider_walked.KIND,
        _request_mutated.KIND,
        _duplicate_effect.KIND,
        _answers_glued.KIND,
        _backoff_synchronised.KIND,
        _timeouts_multiplied.KIND,
        _retry_after_unbounded.KIND,
        _retries_multiplied.KIND,
        _slow_stream_unbounded.KIND,
        _cost_misreported.KIND,
        _harness_error.KIND,
    )
}
"""Every kind by its name, in the order in which a verdict tells them."""

FINDINGS = tuple(KINDS)


def limits_of(given: Mapping[str, float]) -> dict[str, Limits]:
    """Return the thresholds of every kind; what is given, as `as_thresholds` checked it, goes before the defaults."""
    return {name: kind.limits(given) for name, kind in KINDS.items()}


def as_thresholds(given: Mapping[str, float], assertion: str) -> dict[str, float]:
    """Check thresholds that somebody wrote: `{"retry_storm": 20}`, or `{"retry_storm.minute_share": 0.5}`.

    Args:
        given: Values by name.
        assertion: Who asks, for the error.

    Raises:
        ConfigurationError: There is no such threshold, or it cannot have this value.
    """
    least: dict[str, float] = {}
    for name, kind in KINDS.items():
        for threshold in kind.thresholds:
            least.setdefault(name, threshold.least)
            least[f"{name}.{threshold.name}"] = threshold.least
    for name, value in given.items():
        if name not in least:
            near = get_close_matches(str(name), least, n=1)
            hint = f" Did you mean `{near[0]}`?" if near else ""
            bare = f"`{name}` has no threshold" if name in KINDS else f"there is no threshold `{name}`"
            raise ConfigurationError(
                f"{assertion}: {bare}.{hint}\nThresholds: {', '.join(key for key in least if '.' in key)}."
            )
        if not isinstance(value, Real) or isinstance(value, bool) or not math.isfinite(value) or value < least[name]:
            raise ConfigurationError(
                f"{assertion}: the threshold `{name}` is a number, {least[name]:g} or more; got {value!r}."
            )
    return {name: float(value) for name, value in given.items()}
