"""What an answer costs that never came to its end: one estimate, made alike by client and simulated provider.

A provider bills a request from the moment it takes it on: the prompt, and the answer as far as it was generated. A
client that gives up, or whose stream breaks, never learns the numbers; what it can know is its own request, what was
handed over, and what usage the provider told on the way. The estimate is made of these three and of nothing else, so
that the account of a client and the bill of a simulated provider agree to the last digit, whoever ended the call and
when. Of a real provider's bill it may lack what was generated and never sent.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from llmtest.costs._tokenizers import active
from llmtest.costs._tokens import count_tokens
from llmtest.types import StreamEvent, Usage

__all__ = ["partial_usage"]

TOOL_CALL_TOKENS = 3
"""Framing of a tool call, on top of its name and arguments."""


def partial_usage(prompt_tokens: int, events: Iterable[StreamEvent] = (), *, most: int | None = None) -> Usage:
    """Return what is billed for an answer of which only some events were handed over.

    Usage that the provider told is kept, explicit zeros included; the prompt it did not tell is `prompt_tokens`, and
    what was said since it last counted is estimated by its length. Unless the provider had counted everything, the
    result is marked `estimated`.

    Args:
        prompt_tokens: Estimate of the prompt (`estimate_request_tokens`).
        events: The events that were handed over, in order; none of an answer that came whole or not at all.
        most: Most tokens that the request allowed the answer to have, which no estimate exceeds; None: no limit.

    Example:
        >>> usage = partial_usage(9, [StreamEvent("text", "The capital of")])
        >>> usage.input_tokens, usage.output_tokens, usage.source
        (9, 4, 'estimated')
    """
    said = _Said()
    told: Usage | None = None
    has_begun = is_fresh = is_counted = is_finished = False
    for event in events:
        if event.visible:
            has_begun, is_fresh = True, False
            said.add(event)
            continue
        if event.response is not None:
            told, is_total = event.response.usage, True
        elif event.usage is not None and event.usage.source != "unknown":
            # Before the first word, a provider tells what the prompt has cost; after it, what everything has.
            told, is_fresh, is_counted = event.usage, True, False
            is_total = is_finished or (has_begun and told.output_tokens > 0)
        elif event.kind == "finish":
            is_finished, is_total = True, has_begun and is_fresh
        else:
            continue
        if is_total:
            is_counted = True
            said = _Said()
    thinking, output = said.tokens()
    if most is not None:
        output = min(output, max(most - (told.output_tokens if told is not None and is_counted else 0), 0))
        thinking = min(thinking, output)
    if told is None:
        return Usage(prompt_tokens, output, reasoning_tokens=thinking, source="estimated")
    if not is_counted:
        return replace(told, output_tokens=output, reasoning_tokens=thinking, source="estimated")
    if not output:
        return told
    return told + Usage(0, output, reasoning_tokens=thinking, source="estimated")


class _Said:
    """What was said, kept apart as it is counted apart: its lengths, and its texts where another counter is in use."""

    __slots__ = ("arguments", "names", "text", "texts", "thinking")

    def __init__(self) -> None:
        self.text = 0
        self.thinking = 0
        self.names: list[int] = []
        self.arguments: dict[int, int] = {}
        self.texts: dict[object, str] | None = None if active.count is None else {}

    def add(self, event: StreamEvent) -> None:
        """Note what an event says."""
        kind = event.kind
        if self.texts is not None:
            self._keep(self.texts, event)
        elif kind in {"text", "refusal"}:
            self.text += len(event.text)
        elif kind == "thinking":
            self.thinking += len(event.text)
        elif kind == "tool_call":
            self.names.append(len(event.name or ""))
        else:
            self.arguments[event.index] = self.arguments.get(event.index, 0) + len(event.text)

    def _keep(self, texts: dict[object, str], event: StreamEvent) -> None:
        kind = event.kind
        if kind == "tool_call":
            texts["name", len(self.names)] = event.name or ""
            self.names.append(0)
            return
        key = "text" if kind in {"text", "refusal"} else kind if kind == "thinking" else ("arguments", event.index)
        texts[key] = texts.get(key, "") + event.text

    def tokens(self) -> tuple[int, int]:
        """Return the tokens of what was thought, and of everything."""
        framing = TOOL_CALL_TOKENS * len(self.names)
        if self.texts is not None:
            counts = {key: count_tokens(text) for key, text in self.texts.items()}
            return counts.get("thinking", 0), framing + sum(counts.values())
        thinking = _count(self.thinking)
        return thinking, thinking + _count(self.text) + framing + sum(
            map(_count, (*self.names, *self.arguments.values()))
        )


def _count(length: int) -> int:
    """Return the estimate of `count_tokens` for a text of this length."""
    return (length + 3) >> 2
