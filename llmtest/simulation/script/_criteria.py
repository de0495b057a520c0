"""Which requests a rule is for. Matching reads the request alone, so that it is the same in any order of arrival."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from llmtest.errors import ConfigurationError
from llmtest.types import CompletionRequest

__all__ = ["ANY", "Criteria", "criteria", "turn_of"]


def turn_of(request: CompletionRequest) -> int:
    """Return 1 plus the number of assistant messages: which turn of the conversation is asked for."""
    return 1 + sum(message.role == "assistant" for message in request.messages)


@dataclass(frozen=True, slots=True)
class Criteria:
    """What a request must have; None does not care."""

    prompt_contains: tuple[str, ...] = ()
    model: str | None = None
    turn: int | None = None
    tool_result_contains: tuple[str, ...] = ()
    api_key: str | None = None
    predicates: tuple[Callable[[CompletionRequest], bool], ...] = ()
    operation: str | None = None

    @property
    def specificity(self) -> int:
        """How many conditions there are; of two matching rules the one with more answers."""
        single = (self.model, self.turn, self.api_key, self.operation)
        several = len(self.prompt_contains) + len(self.tool_result_contains) + len(self.predicates)
        return several + sum(value is not None for value in single)

    @property
    def reads_conversation(self) -> bool:
        """Whether only a conversation can have it."""
        return bool(self.prompt_contains or self.tool_result_contains or self.predicates) or self.turn is not None

    def matches(self, request: object, operation: str, model: str | None, api_key: str | None) -> bool:
        """Tell whether a request has everything."""
        facts = (
            self.operation is None or fnmatchcase(operation, self.operation),
            self.model is None or (model is not None and fnmatchcase(model, self.model)),
            self.api_key is None or api_key == self.api_key,
        )
        if not all(facts):
            return False
        return not self.reads_conversation or (isinstance(request, CompletionRequest) and self._is_said_in(request))

    def _is_said_in(self, request: CompletionRequest) -> bool:
        if self.turn is not None and turn_of(request) != self.turn:
            return False
        if self.prompt_contains:
            prompts = [message.text for message in request.messages if message.role in {"user", "system"}]
            if not all(any(part in prompt for prompt in prompts) for part in self.prompt_contains):
                return False
        if self.tool_result_contains:
            results = [message.text for message in request.messages if message.role == "tool"]
            if not all(any(part in result for result in results) for part in self.tool_result_contains):
                return False
        return all(predicate(request) for predicate in self.predicates)

    def describe(self) -> str:
        """Return the conditions as they are written in `when(...)`."""
        found = [f"prompt_contains={text!r}" for text in self.prompt_contains]
        found += [
            f"{name}={value!r}" for name, value in (("model", self.model), ("turn", self.turn)) if value is not None
        ]
        found += [f"tool_result_contains={text!r}" for text in self.tool_result_contains]
        if self.api_key is not None:
            # The key may be a real one, and error texts end up in public logs.
            found.append("api_key=...")
        if self.operation is not None:
            found.append(f"operation={self.operation!r}")
        found += [f"predicate={getattr(each, '__name__', type(each).__name__)}" for each in self.predicates]
        return f"when({', '.join(found)})"


ANY = Criteria()


def criteria(
    parent: Criteria,
    prompt_contains: str | None,
    model: str | None,
    turn: int | None,
    tool_result_contains: str | None,
    api_key: str | None,
    predicate: Callable[[CompletionRequest], bool] | None,
    operation: str | None = None,
) -> Criteria:
    """Add conditions to those of a parent rule.

    Raises:
        ConfigurationError: No condition is given, or `turn` is below 1.
    """
    given = (prompt_contains, model, turn, tool_result_contains, api_key, predicate, operation)
    if all(value is None for value in given):
        raise ConfigurationError(
            "when() needs at least one condition: prompt_contains, model, turn, tool_result_contains, api_key, "
            'predicate or operation.\n\nTo fix: when(prompt_contains="France")'
        )
    if turn is not None and turn < 1:
        raise ConfigurationError(f"when: turn must be 1 or more, got {turn}.\n\nTo fix: the first turn is when(turn=1)")
    return Criteria(
        parent.prompt_contains + (() if prompt_contains is None else (prompt_contains,)),
        parent.model if model is None else model,
        parent.turn if turn is None else turn,
        parent.tool_result_contains + (() if tool_result_contains is None else (tool_result_contains,)),
        parent.api_key if api_key is None else api_key,
        parent.predicates + (() if predicate is None else (predicate,)),
        parent.operation if operation is None else operation,
    )
