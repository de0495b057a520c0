"""What is in a cassette, as a table in a terminal: the question on the left, the answer on the right."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from llmtest.cassettes import CassetteFacts, InteractionFacts, StreamFacts, in_days
from llmtest.reporting._terminal import PLAIN_WIDTH

__all__ = ["print_cassette"]


def print_cassette(facts: CassetteFacts, now: datetime, console: Console | None = None) -> None:
    """Print what is in a cassette.

    Args:
        facts: The cassette.
        now: The time from which ages are counted.
        console: Where to; standard output by default.
    """
    if console is None:
        console = Console(highlight=False)
        if not console.is_terminal:
            console = Console(highlight=False, width=PLAIN_WIDTH)
    console.print(_cassette(facts, now))


def _cassette(facts: CassetteFacts, now: datetime) -> RenderableType:
    count = len(facts.interactions)
    about = f"{count} interaction{'' if count == 1 else 's'}, {size(facts.size)}, recorded {_when(facts, now)}"
    head = [Text(facts.path, "bold", overflow="fold"), Text(about, "dim")]
    if not count:
        return Group(*head, Text(""))
    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 2, 0, 0), expand=True)
    table.add_column("#", justify="right")
    table.add_column("request", ratio=1, no_wrap=True, overflow="ellipsis")
    table.add_column("answer", ratio=1, no_wrap=True, overflow="ellipsis")
    for number, each in enumerate(facts.interactions):
        table.add_row(str(each.number), _request(each), _answer(each), end_section=number + 1 < count)
    return Group(*head, Padding(table, (1, 0, 1, 1)))


def _request(facts: InteractionFacts) -> RenderableType:
    if not facts.dialect:
        return Text("cannot be read", "bold red")
    call = " ".join(part for part in (facts.dialect, facts.operation, facts.model) if part)
    lines = [Text(call, "cyan"), Text(f"{facts.method} {facts.url}")]
    if facts.prompt:
        lines.append(Text(facts.prompt))
    if facts.recorded_at:
        lines.append(Text(facts.recorded_at, "dim"))
    return Group(*lines)


def _answer(facts: InteractionFacts) -> RenderableType:
    if not facts.dialect:
        return Text(facts.error, "red")
    status = Text(str(facts.status), "green" if facts.status < 400 else "bold red")
    if facts.input_tokens is not None:
        status.append(f"  {facts.input_tokens:,} tokens in, {facts.output_tokens or 0:,} out", "default")
    if facts.head_s is not None and facts.stream is None:
        status.append(f"  after {facts.head_s:.2f} s", "default")
    lines = [status, *([Text(line) for line in _stream(facts.stream)] if facts.stream is not None else [])]
    if facts.answer:
        lines.append(Text(facts.answer))
    if facts.error:
        lines.append(Text(facts.error, "red"))
    return Group(*lines)


def _stream(stream: StreamFacts) -> Iterator[str]:
    text = f"stream: {stream.events:,} event{'' if stream.events == 1 else 's'}"
    if stream.chunks is not None:
        text += f" in {stream.chunks:,} chunk{'' if stream.chunks == 1 else 's'}"
    yield text
    if stream.chunks is not None:
        yield f"first after {stream.first_s:.2f} s, last after {stream.total_s:.2f} s"
    if not stream.complete:
        yield "not heard to its end"


def _when(facts: CassetteFacts, now: datetime) -> str:
    if facts.oldest is None or facts.newest is None:
        dated = f" (answers are dated {facts.dated:%Y-%m-%d})" if facts.dated is not None else ""
        return f"at an unknown time{dated}"
    span = f"{facts.oldest:%Y-%m-%d}"
    if facts.newest.date() != facts.oldest.date():
        span += f" to {facts.newest:%Y-%m-%d}"
    ago = f"{in_days(now - facts.oldest)} ago" if now > facts.oldest else "in the future"
    return f"{span} ({ago})"


def size(count: int) -> str:
    """Return a number of bytes as people write it: `812 B`, `4.1 KB`, `2.3 MB`."""
    if count < 1000:
        return f"{count} B"
    return f"{count / 1000:.1f} KB" if count < 1_000_000 else f"{count / 1_000_000:.1f} MB"
