"""What a simulated provider answers, in which order: steps, grouped into rules."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from llmtest.errors import ConfigurationError
from llmtest.faults import Fault
from llmtest.simulation.script._criteria import ANY, Criteria
from llmtest.simulation.script._recording import Played
from llmtest.simulation.script._reply import Prepared
from llmtest.simulation.script._service_answers import Embedding, Json, Raw
from llmtest.types import CompletionRequest, is_whole
from llmtest.wire import WireCall

__all__ = ["Rule", "Script", "Step", "UnusedStep"]

Content = Prepared | Fault | Embedding | Json | Raw | Callable[[CompletionRequest], Any]
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
        for_ns: It is played for so long, however often that is; None: as often as `left` says.
        until_ns: When that ends; None: it has not begun.
        gives: What kind of request it answers, `completion` or `embeddings`; None: any.
    """

    content: Content
    label: str
    left: int | None
    optional: bool
    number: int
    site: str
    used_by: list[int] = field(default_factory=list)
    for_ns: int | None = None
    until_ns: int | None = None
    gives: str | None = None

    @property
    def lasts_for_ever(self) -> bool:
        """Whether no step after it is ever reached."""
        return self.left is None and self.for_ns is None

    @property
    def has_to_be_played(self) -> bool:
        """Whether it was written for requests that have not come; one without a number is for one at least."""
        if self.left is None or self.for_ns is not None:
            return not self.used_by
        return self.left > 0


@dataclass(frozen=True, slots=True)
class UnusedStep:
    """A step that was still to be played when the test ended."""

    provider: str
    number: int
    label: str
    left: int
    site: str
    for_ever: bool = False


@dataclass(slots=True)
class Rule:
    """Steps for the requests that meet some criteria, and what to do when they are used up."""

    criteria: Criteria = ANY
    steps: list[Step] = field(default_factory=list)
    position: int = 0
    default: Callable[[CompletionRequest], Any] | None = None
    specificity: int = 0

    @property
    def has_something_left(self) -> bool:
        """Whether this rule can answer."""
        return self.position < len(self.steps) or self.default is not None

    def next_for(self, gives: str) -> Step | None:
        """Return the step that the next request of a kind plays; None where there is none.

        A row of steps is the conversation's. Vectors in it wait for a request for vectors, whenever that comes, and a
        conversation passes them over. What is for any request (a fault, JSON) is met by others when it is the next one.
        """
        steps, position = self.steps, self.position
        for index in range(position, len(steps)):
            step = steps[index]
            if step.left == 0:
                continue
            if step.gives == gives:
                return step
            if step.gives is None:
                return step if gives == "completion" or index == position else None
        return None

    def can_answer(self, gives: str) -> bool:
        """Tell whether this rule has something for a request of a kind."""
        return (gives == "completion" and self.default is not None) or self.next_for(gives) is not None

    def take(self, gives: str, request_number: int, now_ns: int) -> Step | None:
        """Play the next step; None where only the default is left."""
        steps, position = self.steps, self.position
        if position >= len(steps):
            return None
        step = steps[position]
        if step.left == 0 or (step.gives != gives and step.gives is not None):
            # Nearly always the next step in the row is the one; only where it is not, the others are looked at.
            later = self.next_for(gives)
            if later is None:
                return None
            step = later
        if len(step.used_by) < REMEMBERED:
            step.used_by.append(request_number)
        if step.left is not None:
            step.left -= 1
            if step.left == 0:
                self._move_on(now_ns)
        return step

    def _move_on(self, now_ns: int) -> None:
        """Leave the steps behind that are used up."""
        begun = self.position
        while self.position < len(self.steps) and self.steps[self.position].left == 0:
            self.position += 1
        if self.position != begun:
            self.begin(now_ns)

    def begin(self, now_ns: int) -> None:
        """Start the time of the step that is to be played from now on, where it is one that has a time."""
        if self.position < len(self.steps):
            step = self.steps[self.position]
            if step.for_ns is not None and step.until_ns is None:
                step.until_ns = now_ns + step.for_ns

    def pass_time(self, now_ns: int) -> None:
        """Leave the steps behind whose time is over; the one after begins where it ended."""
        while self.position < len(self.steps):
            until = self.steps[self.position].until_ns
            if until is None or now_ns < until:
                return
            self.steps[self.position].left = 0
            self.position += 1
            self.begin(until)


class Script:
    """The rules of one provider; the first is for every request."""

    __slots__ = ("_ordered", "base", "has_windows", "recordings", "rules", "total")

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget every rule and step."""
        self.base = Rule()
        self.rules: list[Rule] = [self.base]
        self._ordered: list[Rule] = [self.base]
        self.total = 0
        self.recordings: list[Played] = []
        """Sessions that answer where no step is left."""
        self.has_windows = False
        """Whether any step is played for a time instead of a number of times."""

    def pass_time(self, now_ns: int) -> None:
        """Leave the steps behind whose time is over."""
        for rule in self.rules:
            rule.pass_time(now_ns)

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
        now_ns: int = 0,
        for_ns: int | None = None,
    ) -> None:
        """Append steps `times` times over; with None the last of them repeats for ever.

        Args:
            rule: Where.
            steps: What is answered, and how error texts show it.
            times: How often.
            optional: Whether the test may end without them.
            site: Where they were written.
            now_ns: The time of the clock, at which a step that is the next one begins.
            for_ns: They are played for so long instead, in nanoseconds.

        Raises:
            ConfigurationError: `times` is below 1, or the step before repeats for ever.
        """
        if times is not None and not is_whole(times, 1):
            raise ConfigurationError(
                f"times must be a whole number, 1 or more, or None for ever, got {times!r}.\n\nTo fix: times=2"
            )
        if rule.steps and rule.steps[-1].lasts_for_ever:
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
                step = Step(content, label, count, optional, self.total, site, gives=_gives(content, rule))
                rule.steps.append(step)
        if times is None or for_ns is not None:
            rule.steps[-1].left = None
        if for_ns is not None:
            self.has_windows = True
            rule.steps[-1].for_ns = for_ns
            if rule.position == len(rule.steps) - 1:
                rule.begin(now_ns)

    def select(self, call: WireCall) -> Rule | None:
        """Return the most specific matching rule that has something left for a request."""
        gives = call.endpoint.gives
        for rule in self._ordered:
            if not rule.can_answer(gives):
                continue
            criteria = rule.criteria
            request = call.request if criteria.reads_conversation else None
            if criteria is ANY or criteria.matches(request, call.operation, call.model, call.api_key):
                return rule
        return None

    @property
    def steps(self) -> list[Step]:
        """Every step, in the order of declaration."""
        return sorted((step for rule in self.rules for step in rule.steps), key=lambda step: step.number)

    def unused(self, provider: str) -> list[UnusedStep]:
        """Return the steps that had to be played and were not."""
        unused = [
            UnusedStep(provider, step.number, step.label, step.left or 1, step.site, step.lasts_for_ever)
            for step in self.steps
            if not step.optional and step.has_to_be_played
        ]
        for played in self.recordings:
            unused += (UnusedStep(provider, number, label, 1, played.site) for number, label in played.left())
        return unused


def _gives(content: Content, rule: Rule) -> str | None:
    """Return what kind of request a step answers; None: any."""
    if isinstance(content, Embedding):
        return "embeddings"
    if isinstance(content, Fault | Json | Raw):
        return None
    # A function is called with whatever its rule is for.
    return None if rule.criteria.operation is not None and not isinstance(content, Prepared) else "completion"
