"""What a simulated provider answers, in which order: steps, grouped into rules."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from llmtest.errors import ConfigurationError
from llmtest.faults import Fault
from llmtest.simulation.script._criteria import ANY, Criteria
from llmtest.simulation.script._reply import Prepared
from llmtest.types import CompletionRequest, is_whole

__all__ = ["Rule", "Script", "Step", "UnusedStep"]

Content = Prepared | Fault | Callable[[CompletionRequest], Any]
REMEMBERED = 8
"""How many request numbers a step remembers for error texts."""


@dataclass(slots=True)
class Step:
    """One step of a script, played `left` more times; None: for ever.

    Args:
        content: The answer, the fault, or a function of the request.
        label: The step as error texts show it.
        left: How often it is still played.
        optional: Whether the test may end without it.
        number: Its position among all steps of the provider, from 1.
        site: `file:line` where it was written.
        used_by: Numbers of the requests it answered, the first few.
    """

    content: Content
    label: str
    left: int | None
    optional: bool
    number: int
    site: str
    used_by: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class UnusedStep:
    """A step that was still to be played when the test ended."""

    provider: str
    number: int
    label: str
    left: int
    site: str


@dataclass(slots=True)
class Rule:
    """Steps for the requests that meet some criteria, and what to do when they are used up."""

    criteria: Criteria = ANY
    steps: list[Step] = field(default_factory=list)
    position: int = 0
    default: Callable[[CompletionRequest], str] | None = None
    specificity: int = 0

    @property
    def has_something_left(self) -> bool:
        """Whether this rule can answer."""
        return self.position < len(self.steps) or self.default is not None

    def take(self, request_number: int) -> Step | None:
        """Play the next step; None where only the default is left."""
        if self.position >= len(self.steps):
            return None
        step = self.steps[self.position]
        if len(step.used_by) < REMEMBERED:
            step.used_by.append(request_number)
        if step.left is not None:
            step.left -= 1
            if step.left == 0:
                self.position += 1
        return step


class Script:
    """The rules of one provider; the first is for every request."""

    __slots__ = ("_ordered", "base", "rules", "total")

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget every rule and step."""
        self.base = Rule()
        self.rules: list[Rule] = [self.base]
        self._ordered: list[Rule] = [self.base]
        self.total = 0

    def add_rule(self, criteria: Criteria) -> Rule:
        """Add a rule; of two equally specific ones the earlier answers first."""
        rule = Rule(criteria, specificity=criteria.specificity)
        self.rules.append(rule)
        insort(self._ordered, rule, key=lambda each: -each.specificity)
        return rule

    def add_steps(
        self,
        rule: Rule,
        steps: Sequence[tuple[Content, str]],
        *,
        times: int | None,
        optional: bool,
        site: str,
    ) -> None:
        """Append steps `times` times over; with None the last of them repeats for ever.

        Raises:
            ConfigurationError: `times` is below 1, or the step before repeats for ever.
        """
        if times is not None and not is_whole(times, 1):
            raise ConfigurationError(
                f"times must be a whole number, 1 or more, or None for ever, got {times!r}.\n\nTo fix: times=2"
            )
        if rule.steps and rule.steps[-1].left is None:
            raise ConfigurationError(
                f"this step is never reached: step {rule.steps[-1].number} before it, {rule.steps[-1].label}, repeats "
                f"for ever.\n\n  step {rule.steps[-1].number}: {rule.steps[-1].site}\n\n"
                "To fix: give that step a number of `times`, or put the new step before it"
            )
        rounds = [steps] if times is None or len(steps) == 1 else [steps] * times
        count = times if len(steps) == 1 else 1
        for each in rounds:
            for content, label in each:
                self.total += 1
                rule.steps.append(Step(content, label, count, optional, self.total, site))
        if times is None:
            rule.steps[-1].left = None

    def select(self, request: CompletionRequest, model: str | None, api_key: str | None) -> Rule | None:
        """Return the most specific matching rule that has something left."""
        for rule in self._ordered:
            if rule.has_something_left and (rule.criteria is ANY or rule.criteria.matches(request, model, api_key)):
                return rule
        return None

    @property
    def steps(self) -> list[Step]:
        """Every step, in the order of declaration."""
        return sorted((step for rule in self.rules for step in rule.steps), key=lambda step: step.number)

    def unused(self, provider: str) -> list[UnusedStep]:
        """Return the steps that had to be played and were not."""
        return [
            UnusedStep(provider, step.number, step.label, step.left, step.site)
            for step in self.steps
            if step.left is not None and step.left > 0 and not step.optional
        ]
