"""What a simulated provider says: `Reply`, and the same prepared for answering."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any, cast

from llmtest.costs import count_tokens
from llmtest.errors import ConfigurationError
from llmtest.faults import Fault, Timeout, WireEdit
from llmtest.faults._headers import check_header
from llmtest.simulation._latency import LatencyModel, Seconds, as_latency
from llmtest.simulation.plan._fragmentation import Fragmentation, as_fragmentation
from llmtest.simulation.plan._wire_edit import Edits
from llmtest.types import (
    UNKNOWN_USAGE,
    CompletionRequest,
    CompletionResponse,
    FinishReason,
    ResponsePart,
    TextPart,
    ThinkingPart,
    ToolCall,
    Usage,
)
from llmtest.types._spelling import words_tell_near_arguments

__all__ = ["Answerable", "Prepared", "Reply", "as_arguments", "lets_answer_begin", "pieces_of", "prepare"]

TOOL_CALL_TOKENS = 3
"""Framing of a tool call, on top of its name and arguments."""

HEADERS = 'Reply(text, headers={"x-note": "..."})'

_PIECE = re.compile(r"\s*\S+(?:\s+$)?|\s+$")


@words_tell_near_arguments
@dataclass(frozen=True, slots=True)
class Reply:
    """One answer of a simulated provider.

    Args:
        text: What it says; None for nothing.
        tool_calls: Tools it calls. An empty id gets one in the provider's form; arguments go out as they are written.
        usage: Tokens it bills; counted from prompt and answer by default.
        finish_reason: Why it stopped; by default `tool_use` with tool calls, else `stop`. A reply that says neither
            this nor `usage` is cut to the request's `max_tokens` (`length`) and at its stop sequences, as a provider's
            is; one that says either is played as it is written.
        thinking: What it thinks before it answers.
        chunks: The pieces in which a stream delivers the text, word by word by default. Without `text` they are the
            text; with it their concatenation must equal it.
        headers: Headers of this answer, on top of the provider's own.
        latency: Seconds until this answer, or a distribution, instead of the handle's latency.
        fault: What goes wrong with this very answer: a fault that lets it begin, such as `StreamDropped(2)`,
            `MalformedBody()` or `SlowFirstToken(20)`.
        events: What is streamed, exactly, instead of what the API's codec writes: mappings, which are framed as the API
            frames events, and bytes, which go out as they are. Nothing is added, no terminator either; it is billed
            what the events tell, else what they say. Only a request for a stream may meet it.
        edit: What is changed in what the codec wrote: a `faults.WireEdit`, or several.
        fragmentation: How this answer is cut into network pieces, where it is streamed, instead of the handle's way:
            `events`, `whole`, `random`, or a number of bytes.

    Raises:
        ConfigurationError: `chunks` do not add up to `text`, the finish reason is unknown, a header cannot be sent or
            says how the body travels, a latency is negative, a fault leaves nothing of the answer, or `events` stand
            beside what they replace.

    Example:
        >>> Reply("Paris", finish_reason="length", usage=Usage(12, 1))  # doctest: +ELLIPSIS
        Reply(text='Paris', ...)
    """

    text: str | None = None
    _: KW_ONLY
    tool_calls: Sequence[ToolCall] = ()
    usage: Usage | None = None
    finish_reason: FinishReason | str | None = None
    thinking: str | None = None
    chunks: Sequence[str] | None = None
    headers: Mapping[str, str] | None = None
    latency: Seconds | LatencyModel | None = None
    fault: Fault | None = None
    events: Sequence[Mapping[str, Any] | bytes] | None = None
    edit: WireEdit | Sequence[WireEdit] | None = None
    fragmentation: Fragmentation | None = None
    prepared: Prepared | None = field(default=None, init=False, repr=False, compare=False)
    """What `prepare` made of it, which is the same every time it is given."""

    def __post_init__(self) -> None:
        if self.chunks is not None:
            joined = "".join(self.chunks)
            if self.text is None:
                object.__setattr__(self, "text", joined)
            elif joined != self.text:
                raise ConfigurationError(
                    f"Reply: chunks must add up to the text.\n\n  text:    {self.text!r}\n  chunks:  {joined!r}\n\n"
                    "To fix: leave `text` out; the chunks are the text"
                )
        if self.finish_reason is not None and self.finish_reason not in set(FinishReason):
            known = ", ".join(FinishReason)
            raise ConfigurationError(
                f"Reply: unknown finish_reason {self.finish_reason!r}. Known reasons: {known}.\n\n"
                'To fix: Reply(text, finish_reason="length")'
            )
        if self.usage is not None and not self.usage.is_possible:
            raise ConfigurationError(
                f"Reply: usage counts what was used, and a count of {self.usage} is below zero.\n\n"
                "To fix: Reply(text, usage=Usage(12, 1))"
            )
        if self.headers:
            for name, value in self.headers.items():
                check_header("Reply", HEADERS, name, value)
        if self.fault is not None:
            _check_fault(self.fault)
        if self.events is not None:
            _check_events(self)
        if self.edit is not None:
            _check_edits(self)
        if self.fragmentation is not None:
            object.__setattr__(self, "fragmentation", as_fragmentation(self.fragmentation))


def _check_fault(fault: Any) -> None:
    """Refuse what is no fault, or leaves nothing of an answer."""
    if not isinstance(fault, Fault):
        shown = fault.__name__ if isinstance(fault, type) else repr(fault)
        raise ConfigurationError(
            f"Reply: fault must be a fault of llmtest.faults, got {shown}.\n\n"
            "To fix: Reply(text, fault=faults.StreamDropped(after_chunks=2))"
        )
    if not lets_answer_begin(fault):
        raise ConfigurationError(
            f"Reply: after {fault!r} nothing of the answer would come.\n\nTo fix: fails(faults.{fault!r})"
        )


def edits_of(edit: WireEdit | Sequence[WireEdit] | None) -> tuple[WireEdit, ...]:
    """Return the edits of a reply."""
    if edit is None:
        return ()
    return tuple(edit) if isinstance(edit, list | tuple) else (cast("WireEdit", edit),)


def _check_edits(reply: Reply) -> None:
    """Refuse edits that are none."""
    for edit in edits_of(reply.edit):
        if not isinstance(edit, WireEdit):
            raise ConfigurationError(
                f"Reply: edit must be a faults.WireEdit, or several, got {edit!r}.\n\n"
                'To fix: Reply(text, edit=faults.WireEdit(comment="PROCESSING"))'
            )


def _check_events(reply: Reply) -> None:
    """Refuse events that cannot be sent, or that stand beside what they replace."""
    replaced = ("text", "tool_calls", "finish_reason", "thinking", "chunks")
    beside = [name for name in replaced if getattr(reply, name) not in (None, ())]
    if beside:
        raise ConfigurationError(
            f"Reply: events are all that is streamed, and `{beside[0]}` would never be said.\n\n"
            f"To fix: leave `{beside[0]}` out, or change what the codec writes: Reply(text, edit=faults.WireEdit(...))"
        )
    events: Sequence[Any] = reply.events or ()
    for event in events:
        if isinstance(event, bytes):
            continue
        try:
            valid = isinstance(event, Mapping) and bool(json.dumps(event))
        except (TypeError, ValueError):
            valid = False
        if not valid:
            hint = f"{event.encode()!r} goes out as it is" if isinstance(event, str) else 'b"data: [DONE]\\n\\n"'
            raise ConfigurationError(
                f"Reply: an event is a mapping that JSON can hold, or bytes, got {event!r}.\n\nTo fix: {hint}"
            )


def lets_answer_begin(fault: Fault) -> bool:
    """Tell whether a fault breaks an answer, rather than coming instead of one."""
    return fault.stage != "abort" or (isinstance(fault, Timeout) and fault.phase == "first_token")


Answerable = str | Reply | Callable[[CompletionRequest], Any]
"""What a script step may be made of: a text, a `Reply`, or a function of the request that returns either or a fault."""


@dataclass(slots=True)
class Prepared:
    """A reply with everything worked out that does not depend on the request."""

    parts: tuple[ResponsePart, ...]
    output_tokens: int
    reasoning_tokens: int
    finish_reason: FinishReason
    usage: Usage | None
    chunks: tuple[str, ...] | None
    headers: tuple[tuple[str, str], ...]
    latency: LatencyModel | None
    needs_ids: bool
    fault: Fault | None = None
    fragmentation: Fragmentation | None = None
    events: tuple[Mapping[str, Any] | bytes, ...] | None = None
    edits: Edits = ()
    is_odd: bool = False
    """Whether there is more than the parts: pieces, headers, events, edits."""
    is_final: bool = False
    """Whether the reply says itself what it bills or why it ended, so that no option of a request cuts it."""
    says_why: bool = False
    """Whether the reply says itself why it ended."""
    stop_sequence: str | None = None
    """The text of the request that ended it."""
    fitted: tuple[tuple[int | None, tuple[str, ...]], Prepared] | None = None
    """Limits it was cut to last, and what was left."""
    said: CompletionResponse | None = None
    """The last response made of it, without an id: equal requests get the same one."""

    def with_ids(self, make_id: Callable[[int], str]) -> tuple[ResponsePart, ...]:
        """Return the parts, with an id for every tool call that has none."""
        return tuple(
            replace(part, id=make_id(index)) if isinstance(part, ToolCall) and not part.id else part
            for index, part in enumerate(self.parts)
        )


def prepare(reply: str | Reply) -> Prepared:
    """Work out what an answer consists of and what it bills."""
    if isinstance(reply, str):
        return _work_out_text(reply)
    prepared = reply.prepared
    if prepared is None:
        prepared = _work_out(reply)
        object.__setattr__(reply, "prepared", prepared)
    return prepared


def _work_out_text(text: str) -> Prepared:
    """Work out what a mere text is: by far the most of what is generated, and the same as of `Reply(text)`."""
    return Prepared((TextPart(text),), count_tokens(text), 0, FinishReason.STOP, None, None, (), None, False)


def _is_mere_text(reply: Reply) -> bool:
    """Tell whether a reply says nothing but a text, and what it bills."""
    return (
        reply.text is not None
        and reply.thinking is None
        and not reply.tool_calls
        and reply.finish_reason is None
        and reply.chunks is None
        and reply.headers is None
        and reply.latency is None
        and reply.fault is None
        and reply.events is None
        and reply.edit is None
        and reply.fragmentation is None
    )


def _work_out(reply: Reply) -> Prepared:
    if _is_mere_text(reply):
        prepared = _work_out_text(reply.text or "")
        prepared.usage = reply.usage
        prepared.is_final = reply.usage is not None
        return prepared
    parts: list[ResponsePart] = []
    tokens = reasoning = 0
    if reply.thinking is not None:
        parts.append(ThinkingPart(reply.thinking))
        tokens = reasoning = count_tokens(reply.thinking)
    if reply.text is not None:
        parts.append(TextPart(reply.text))
        tokens += count_tokens(reply.text)
    for call in reply.tool_calls:
        parts.append(call)
        tokens += TOOL_CALL_TOKENS + count_tokens(call.name) + count_tokens(call.arguments)
    default = FinishReason.TOOL_USE if reply.tool_calls else FinishReason.STOP
    return Prepared(
        parts=tuple(parts),
        output_tokens=tokens,
        reasoning_tokens=reasoning,
        finish_reason=default if reply.finish_reason is None else FinishReason(reply.finish_reason),
        usage=UNKNOWN_USAGE if reply.events is not None and reply.usage is None else reply.usage,
        chunks=None if reply.chunks is None else tuple(reply.chunks),
        headers=tuple((name.lower(), value) for name, value in reply.headers.items()) if reply.headers else (),
        latency=None if reply.latency is None else as_latency(reply.latency),
        needs_ids=bool(reply.tool_calls) and not all(call.id for call in reply.tool_calls),
        fault=reply.fault,
        fragmentation=reply.fragmentation,
        events=None if reply.events is None else tuple(reply.events),
        edits=tuple((edit, None) for edit in edits_of(reply.edit)),
        is_odd=any(each is not None for each in (reply.chunks, reply.headers, reply.events, reply.edit)),
        is_final=reply.usage is not None or reply.finish_reason is not None,
        says_why=reply.finish_reason is not None,
    )


def as_arguments(arguments: Mapping[str, Any] | str) -> str:
    """Return the arguments of a tool call as JSON text; text stays as it is, malformed text included."""
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)


def pieces_of(text: str) -> list[str]:
    """Cut a text into words with the space before them, which is about how a model's tokens arrive."""
    return _PIECE.findall(text)
