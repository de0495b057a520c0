"""Arguments with which an assertion can never hold, or never fail: mistakes of the test, told as such."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from llmtest.errors import ConfigurationError
from llmtest.events import Trace
from llmtest.types import is_number, is_whole
from llmtest.types._spelling import nearest
from llmtest.wire import default_dialect, dialects

if TYPE_CHECKING:
    from llmtest.simulation import World

__all__ = ["check_counts", "check_most", "check_providers", "check_seconds", "never_holds", "require_states"]


def check_counts(assertion: str, exactly: int | None, at_least: int | None, at_most: int | None) -> None:
    """Refuse bounds on a count that are none.

    Raises:
        ConfigurationError: None is given, one is no whole number, 0 or more, or no number lies within them all.
    """
    bounds = {"exactly": exactly, "at_least": at_least, "at_most": at_most}
    given = {name: value for name, value in bounds.items() if value is not None}
    example = f'"{default_dialect().name}", 2' if assertion == "assert_attempts" else "at_most=2"
    if not given:
        raise ConfigurationError(
            f"{assertion} was given no number, so it would accept anything.\nTo fix: {assertion}({example})"
        )
    for name, value in given.items():
        if not is_whole(value, 0):
            raise ConfigurationError(
                f"{assertion}: {name} must be a whole number, 0 or more, got {value!r}.\nTo fix: {name}=2"
            )
    for (low, least), (high, most) in (
        (("exactly", exactly), ("at_most", at_most)),
        (("at_least", at_least), ("exactly", exactly)),
        (("at_least", at_least), ("at_most", at_most)),
    ):
        if least is not None and most is not None and least > most:
            raise never_holds(assertion, f"{low}={least}", f"{high}={most}")


def check_most(assertion: str, number: int) -> None:
    """Refuse a limit that is no whole number.

    Raises:
        ConfigurationError: It is none, or below 0.
    """
    if not is_whole(number, 0):
        raise ConfigurationError(f"{assertion}: n must be a whole number, 0 or more, got {number!r}.\nTo fix: n=4")


def check_seconds(assertion: str, at_least: float | None, at_most: float | None) -> None:
    """Refuse bounds on a time that are none.

    Raises:
        ConfigurationError: None is given, one is no finite number of seconds, 0 or more, or no time lies within both.
    """
    if at_least is None and at_most is None:
        raise ConfigurationError(
            f"{assertion} was given no number, so it would accept anything.\nTo fix: {assertion}(at_most=30)"
        )
    for name, value in (("at_least", at_least), ("at_most", at_most)):
        if value is not None and not is_number(value):
            raise ConfigurationError(
                f"{assertion}: {name} must be seconds, 0 or more, got {value!r}.\nTo fix: {name}=30"
            )
    if at_least is not None and at_most is not None and at_least > at_most:
        raise never_holds(assertion, f"at_least={at_least!r}", f"at_most={at_most!r}")


def require_states(states: Sequence[str]) -> None:
    """Refuse to compare the states of a circuit with none: they begin with `closed`, whatever happened.

    Raises:
        ConfigurationError: No state is given.
    """
    if not states:
        raise ConfigurationError(
            "assert_breaker was given no state, and a circuit has one at least.\n"
            f'To fix: name the states, from "closed" on: assert_breaker("{default_dialect().name}", "closed")'
        )


def never_holds(assertion: str, low: str, high: str) -> ConfigurationError:
    """Make the error of two bounds with nothing between them."""
    return ConfigurationError(
        f"{assertion}: nothing is {low} and {high} at once, so it would never hold.\nTo fix: {high}"
    )


def check_providers(assertion: str, targets: Iterable[str], world: World, trace: Trace) -> None:
    """Refuse the name of a provider that this simulation cannot have asked: the assertion would hold of nothing.

    Args:
        assertion: Who asks, for the error.
        targets: `provider` or `provider/model`, each.
        world: The providers there are.
        trace: What happened, in which providers of our own layer may speak that nobody simulates.

    Raises:
        ConfigurationError: A name is no text, or nobody's.
    """
    for target in targets:
        if not isinstance(target, str):
            raise ConfigurationError(
                f"{assertion}: a provider is named by a text, got {target!r}.\n"
                f"To fix: write `{default_dialect().name}`."
            )
        name = target.partition("/")[0]
        own = {each for each, dialect in dialects().items() if dialect.is_provider}
        if name in own or name in world.names:
            continue
        known = sorted(own | world.names | _told(trace))
        if name not in known:
            near = nearest(name, known)
            hint = "" if near is None else f" Did you mean `{near}`?"
            raise ConfigurationError(
                f"{assertion}: there is no provider `{name}` in this simulation, so it would prove nothing.{hint}\n"
                f"Providers: {', '.join(known)}.\n"
                f"To fix: write `{near or known[0]}`."
            )


def _told(trace: Trace) -> set[str]:
    """Return every provider that an event names."""
    found: set[str] = set()
    for event in trace:
        for field in ("provider", "from_provider", "to_provider"):
            name = getattr(event, field, None)
            if isinstance(name, str) and name:
                found.add(name)
        attempt = getattr(event, "attempt", None)
        if attempt is not None:
            found.add(attempt.provider)
    return found
