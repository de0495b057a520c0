"""The schema of a script file, as sections; `_script` has the format in words."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from llmtest.config import Duration, Positive, Section, Text, one_of
from llmtest.errors import ConfigurationError
from llmtest.scenarios._fault_section import What, read_fault
from llmtest.scenarios._file import LatencySection, LimitsSection, Pieces, Time
from llmtest.serving._script_answers import SERVICE_KEYS, Headers, Tokens, check_keys, service_answer
from llmtest.simulation import Reply
from llmtest.types import FinishReason, ToolCall, Usage
from llmtest.wire import dialects

__all__ = ["ProviderSection", "StepSection", "WhenSection"]

FOR_EVER = (None, "forever")
ACTIONS = ("replies", "calls_tool", "calls_tools", "fails", "echoes", "generates")
BEHAVIOURS = ("echoes", "generates")


def _dialect(value: Any) -> Any:
    if value not in dialects():
        raise ValueError(one_of("dialect", value, list(dialects())))
    return value


def _reason(value: Any) -> Any:
    if value not in list(FinishReason):
        raise ValueError(one_of("finish reason", value, list(FinishReason)))
    return value


def _times(value: Any) -> int | None:
    if value in FOR_EVER:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"`{value}` is neither a whole number of 1 or more nor `forever`")
    return value


def _texts(value: Any) -> Any:
    if not isinstance(value, list) or not value or not all(isinstance(item, str) for item in value):
        raise ValueError("must be a list of texts")
    return tuple(value)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"`{value}` is not a whole number")  # noqa: TRY004 - pydantic collects ValueErrors
    return value


class UsageSection(Section):
    """What an answer bills."""

    input_tokens: Tokens
    """Tokens of the prompt."""
    output_tokens: Tokens
    """Tokens of the answer."""


def _events(value: Any) -> Any:
    if not isinstance(value, list) or not all(isinstance(item, dict | str) for item in value):
        raise ValueError("must be a list of mappings and texts")
    return tuple(item.encode() if isinstance(item, str) else item for item in value)


def _edits(value: Any) -> Any:
    return tuple(read_fault({"wire_edit": item}) for item in (value if isinstance(value, list) else [value]))


class ReplySection(Section):
    """An answer with more than a text."""

    text: str | None = None
    """What it says."""
    thinking: str | None = None
    """What it thinks before it answers."""
    chunks: Annotated[Any, BeforeValidator(_texts)] = None
    """The pieces in which a stream delivers the text."""
    finish_reason: Annotated[Any, BeforeValidator(_reason)] = None
    """Why it stopped."""
    usage: UsageSection | None = None
    """What it bills; counted by default."""
    headers: Headers = None
    """Headers on top of the provider's own."""
    latency: Time | None = None
    """How long it takes."""
    fault: What | None = None
    """What goes wrong with it, where a fault lets it begin: `{stream_dropped: {after_chunks: 2}}`."""
    events: Annotated[Any, BeforeValidator(_events)] = None
    """What is streamed exactly, instead: mappings, framed as the API does it, and texts that go out as they are."""
    edit: Annotated[Any, BeforeValidator(_edits)] = None
    """What is changed in what the API would write: the arguments of a `wire_edit`, or a list of them."""
    fragmentation: Pieces | None = None
    """How it is cut into network pieces, where it is streamed: `events`, `whole`, `random`, a number of bytes."""

    def reply(self) -> Reply:
        """Return the reply."""
        usage = None if self.usage is None else Usage(self.usage.input_tokens, self.usage.output_tokens)
        return Reply(
            self.text,
            thinking=self.thinking,
            chunks=self.chunks,
            finish_reason=self.finish_reason,
            usage=usage,
            headers=self.headers,
            latency=self.latency,
            fault=self.fault,
            events=self.events,
            edit=self.edit,
            fragmentation=self.fragmentation,
        )


def _replies(value: Any) -> Any:
    """Read a text, a mapping, or a list of either."""
    if isinstance(value, list) and value:
        return tuple(_one_reply(item) for item in value)
    return (_one_reply(value),)


def _one_reply(value: Any) -> Any:
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and any(key in value for key in SERVICE_KEYS):
        return service_answer(value)
    if isinstance(value, dict):
        check_keys(ReplySection, value, more=SERVICE_KEYS)
        try:
            return ReplySection.model_validate(value).reply()
        except ConfigurationError as error:
            raise ValueError(str(error).partition("\n")[0].rstrip(".")) from None
    raise ValueError("must be a text (put numbers in quotes), a mapping such as `{text: Paris}`, or a list of them")


def _arguments(value: Any) -> Any:
    if not isinstance(value, dict | str):
        raise ValueError("must be a mapping, or JSON text that goes out as it is")  # noqa: TRY004 - pydantic collects ValueErrors
    return value


class ToolCallSection(Section):
    """A tool call."""

    name: Text
    """Name of the tool."""
    arguments: Annotated[Any, BeforeValidator(_arguments)] = Field(default_factory=dict)
    """Its arguments."""
    id: Text | None = None
    """Its id; in the provider's form by default."""

    def call(self) -> ToolCall:
        """Return the tool call."""
        import json

        text = self.arguments if isinstance(self.arguments, str) else json.dumps(self.arguments, ensure_ascii=False)
        return ToolCall(self.id or "", self.name, text)


class GeneratesSection(Section):
    """Generated text."""

    words: Positive = 40
    """How many words."""
    seed: Annotated[int, BeforeValidator(_whole)] | None = None
    """Seed of the text; the server's by default."""


def _generates(value: Any) -> Any:
    if value is True:
        return GeneratesSection()
    if not isinstance(value, dict):
        raise ValueError("must be `true`, or a mapping such as `{words: 40}`")  # noqa: TRY004 - pydantic collects ValueErrors
    return value


def _echoes(value: Any) -> Any:
    if value is not True:
        raise ValueError("must be `true`")
    return value


class WhenSection(Section):
    """Which requests a step is for; every key must match."""

    prompt_contains: Text | None = None
    """Text in any user or system message."""
    model: Text | None = None
    """Model that is asked for; `gpt-4*` works too."""
    turn: Positive | None = None
    """1 plus the number of assistant messages in the request."""
    tool_result_contains: Text | None = None
    """Text in any tool result."""
    api_key: Text | None = None
    """The key that came with the request."""
    operation: Text | None = None
    """What is asked for: `chat`, `embeddings`, `models`, ...; `*` works too."""

    @model_validator(mode="after")
    def _say_something(self) -> WhenSection:
        if not self.conditions():
            raise ValueError("needs at least one condition, such as `{prompt_contains: weather}`")
        return self

    def conditions(self) -> dict[str, Any]:
        """Return what `when` of a handle takes."""
        return {name: value for name, value in self if value is not None}


def _endpoint(value: Any) -> tuple[str, str]:
    method, _, path = value.partition(" ") if isinstance(value, str) else ("", "", "")
    if not method.isalpha() or not path.strip().startswith("/"):
        raise ValueError(f"`{value}` is no method and path, such as `POST /v1/images/generations`")
    return method.upper(), path.strip()


class StepSection(Section):
    """One step of a script: exactly one of its actions, and how often and for whom it is played."""

    replies: Annotated[Any, BeforeValidator(_replies)] = None
    """A text, a mapping with more than a text or with what is no conversation, or a list of them, one a request."""
    calls_tool: ToolCallSection | None = None
    """A tool call."""
    calls_tools: list[ToolCallSection] | None = None
    """Several tool calls in one answer."""
    fails: What | None = None
    """A fault."""
    echoes: Annotated[bool, BeforeValidator(_echoes)] | None = None
    """Answers with the last user message, where no step is left."""
    generates: Annotated[GeneratesSection, BeforeValidator(_generates)] | None = None
    """Answers with generated text, where no step is left."""
    times: Annotated[int | None, BeforeValidator(_times)] = 1
    """How often the step is played; `forever`."""
    for_: Duration | None = Field(None, alias="for")
    """How long `fails` lasts instead, however many requests come meanwhile."""
    on: Annotated[Any, BeforeValidator(_endpoint)] = None
    """Only for requests to this endpoint, also one that nobody models: `POST /v1/images/generations`."""
    when: WhenSection | None = None
    """Only for these requests."""

    @property
    def is_behaviour(self) -> bool:
        """Whether it answers where no step is left, and so is no step itself."""
        return self.action in BEHAVIOURS

    @property
    def action(self) -> str:
        """What it does."""
        return next(name for name in ACTIONS if getattr(self, name) is not None)

    @model_validator(mode="after")
    def _make_sense(self) -> StepSection:
        given = [name for name in ACTIONS if getattr(self, name) is not None]
        if len(given) != 1:
            found = "none is given" if not given else f"`{'` and `'.join(given)}` are given"
            raise ValueError(f"a step needs exactly one of `{'`, `'.join(ACTIONS)}`; {found}")
        if given[0] in BEHAVIOURS and "times" in self.model_fields_set:
            raise ValueError(f"`{given[0]}` answers whenever no step is left, and has no `times`")
        if self.for_ is not None and (given[0] != "fails" or "times" in self.model_fields_set):
            raise ValueError("`for` goes with `fails`, and without `times`")
        if self.on is not None and self.when is not None and self.when.operation is not None:
            raise ValueError("`on` says which operation is meant already, so that `when` has no `operation` beside it")
        if self.calls_tools == []:
            raise ValueError("`calls_tools` needs at least one call")
        return self


class ProviderSection(Section):
    """One provider whose script needs more than steps."""

    dialect: Annotated[Any, BeforeValidator(_dialect)] = None
    """The API it speaks; needed by a provider whose name says nothing."""
    limits: LimitsSection | None = None
    """Its quotas."""
    latency: LatencySection | None = None
    """How long its answers take."""
    fragmentation: Pieces | None = None
    """How its streamed answers are cut into network pieces."""
    steps: list[Any] = Field(default_factory=list)
    """Its steps."""
