"""Tasks as VAPORA has them: what is known of one before a provider is chosen, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from llmtest.errors import ConfigurationError
from llmtest.types import is_number

__all__ = ["Complexity", "Quality", "Task", "TaskContext", "TaskRequest", "TaskResponse", "TaskType"]


class TaskType(StrEnum):
    """What kind of work a task is."""

    CODE_GENERATION = "code_generation"
    CODE_REVIEW = "code_review"
    ARCHITECTURE = "architecture"
    DOCUMENTATION = "documentation"
    TESTING = "testing"
    ANALYSIS = "analysis"
    GENERAL = "general"


class Complexity(StrEnum):
    """How hard a task is."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Quality(StrEnum):
    """How good its answer has to be."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


def _check_budget(cents: object, name: str) -> None:
    if cents is not None and ((not isinstance(cents, Decimal) and not is_number(cents)) or not cents >= 0):  # type: ignore[operator]  # a number by now
        raise ConfigurationError(f"{name} must be 0 or more cents, or None, got {cents!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskContext:
    """What is known of a task before a provider is chosen.

    Args:
        task_type: Its kind.
        domain: Its field, such as `backend`; for the caller's own rules.
        complexity: How hard it is.
        quality_requirement: How good the answer has to be.
        latency_required_ms: Milliseconds within which it is wanted; None: at any time.
        budget_cents: The most that it may cost, in US cents; None: anything.

    Raises:
        ConfigurationError: A number is negative.
    """

    task_type: TaskType = TaskType.GENERAL
    domain: str = ""
    complexity: Complexity = Complexity.MEDIUM
    quality_requirement: Quality = Quality.MEDIUM
    latency_required_ms: int | None = None
    budget_cents: Decimal | int | None = None

    def __post_init__(self) -> None:
        _check_budget(self.budget_cents, "budget_cents")
        if self.latency_required_ms is not None and not self.latency_required_ms > 0:
            raise ConfigurationError(f"latency_required_ms must be more than 0, got {self.latency_required_ms}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task without a prompt of its own: `prompt`, or what its kind and id say.

    Args:
        id: Its name.
        task_type: Its kind.
        prompt: What is asked; None: its kind and its id.
        context: What else is known of it; None: its kind alone.
    """

    id: str
    task_type: TaskType = TaskType.GENERAL
    prompt: str | None = None
    context: TaskContext | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRequest:
    """A task with its prompt.

    Args:
        task_id: Its name.
        prompt: What is asked.
        task_type: Its kind.
        quality_requirement: How good the answer has to be.
        max_cost_cents: The most that it may cost, in US cents; None: anything.

    Raises:
        ConfigurationError: The cost is negative.
    """

    task_id: str
    prompt: str
    task_type: TaskType = TaskType.GENERAL
    quality_requirement: Quality = Quality.MEDIUM
    max_cost_cents: Decimal | int | None = None

    def __post_init__(self) -> None:
        _check_budget(self.max_cost_cents, "max_cost_cents")

    @property
    def context(self) -> TaskContext:
        """What is known of it before a provider is chosen."""
        return TaskContext(
            task_type=self.task_type,
            quality_requirement=self.quality_requirement,
            budget_cents=self.max_cost_cents,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskResponse:
    """What came of a task.

    Args:
        task_id: Its name.
        result: The answer's text.
        provider: Who gave it.
        cost_cents: What it cost, every billed attempt included, in US cents; None where that is not known.
    """

    task_id: str
    result: str
    provider: str
    cost_cents: Decimal | None
