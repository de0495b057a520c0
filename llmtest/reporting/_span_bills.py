"""What was charged, read from OpenTelemetry spans of GenAI clients.

| form | who writes it |
|---|---|
| `{"resourceSpans": [...]}`, one or one a line | OTLP in JSON: the collector's file exporter, exporters over HTTP |
| `{"name": ..., "context": {...}, ...}`, one after the other | `ConsoleSpanExporter`, `ReadableSpan.to_json()` |

Sources: the OTLP file exporter (opentelemetry-specification, `protocol/file-exporter.md`); names and meanings of the
GenAI semantic conventions (semantic-conventions-genai, and those of v1.36 that it replaced). Cached tokens are within
`gen_ai.usage.input_tokens`, reasoning within `gen_ai.usage.output_tokens`; where cached ones are more than the prompt,
an instrumentation has written Anthropic's own numbers, and they are added.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from llmtest.costs import priced_host
from llmtest.errors import ConfigurationError
from llmtest.reporting._billed_call import BilledCall, OnBytes, checked
from llmtest.types import UNKNOWN_USAGE, Usage, UsageSource
from llmtest.wire import dialects, owner_of

__all__ = ["SpanFileError", "is_span_file", "span_bills"]

Facts = Mapping[str, Any]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
STEP = 256
"""Documents between two words about how far the reading is."""
ENVELOPES = ("resourceSpans", "resource_spans")
SCOPES = ("scopeSpans", "scope_spans", "instrumentationLibrarySpans")
OTHER_SIGNALS = {"resourceMetrics": "metrics", "resourceLogs": "log records"}
CALLS = frozenset({"chat", "text_completion", "generate_content", "embeddings"})
"""Operations that providers charge for, whether or not the span has tokens."""
NO_CALLS = frozenset({"create_agent", "invoke_agent", "execute_tool", "invoke_workflow", "retrieval"})
"""Operations that tell again what the calls within them have used."""

USAGE = "gen_ai.usage."
INPUT = (f"{USAGE}input_tokens", f"{USAGE}prompt_tokens")
OUTPUT = (f"{USAGE}output_tokens", f"{USAGE}completion_tokens")
CACHE_READ = (f"{USAGE}cache_read.input_tokens", f"{USAGE}cache_read_input_tokens", f"{USAGE}details.cache_read_tokens")
CACHE_WRITE = (
    f"{USAGE}cache_creation.input_tokens",
    f"{USAGE}cache_write.input_tokens",
    f"{USAGE}cache_creation_input_tokens",
    f"{USAGE}details.cache_write_tokens",
)
REASONING = (f"{USAGE}reasoning.output_tokens", f"{USAGE}reasoning_tokens", f"{USAGE}details.reasoning_tokens")
MEDIA = tuple(f"{USAGE}{kind}.{side}_tokens" for kind in ("audio", "image") for side in ("input", "output"))
SOURCE = "llmtest.usage.source"
"""How well the tokens are known, in spans of our own."""
TIER = ".response.service_tier"
CONVENTION = frozenset({
    "aws", "client", "code", "deployment", "enduser", "error", "event", "exception", "gen_ai", "host", "http", "llm",
    "llmtest", "logfire", "net", "network", "os", "otel", "peer", "process", "rpc", "server", "service", "session",
    "telemetry", "test", "thread", "url", "user", "user_agent",
})  # fmt: skip
"""First words of names that are no labels of the caller's own."""
LABELS = ("service.name", "gen_ai.agent.name")
ASSOCIATED = "traceloop.association.properties."
"""How OpenLLMetry writes the labels of a caller."""
LONGEST_LABEL = 200


class SpanFileError(ConfigurationError):
    """A file of spans that cannot be read; the text has file and line."""


class Span(NamedTuple):
    """One span, whoever has written it."""

    id: str
    parent: str
    start_ns: int
    failed: bool
    attributes: Facts
    resource: Facts


def is_span_file(start: bytes) -> bool:
    """Tell from the beginning of a file, without spaces, whether it holds spans, or others of OTLP's signals."""
    if any(f'"{name}"'.encode() in start[:200] for name in (*ENVELOPES, *OTHER_SIGNALS)):
        return True
    return b'"trace_id":"' in start and b'"span_id":"' in start and b'"context":{' in start


def span_bills(path: Path, on_bytes: OnBytes | None = None) -> Iterator[BilledCall]:
    """Yield what was charged, as the spans of a file tell.

    Where a call is told twice, because the span of a framework is around that of an SDK, the inner one counts. Spans
    of agents and tools are left out, and so are calls that failed and used nothing.

    Args:
        path: The file.
        on_bytes: Is told what is read.

    Raises:
        SpanFileError: It cannot be read, holds no spans, or a number in it is none; file and line are named.
    """
    told: set[str] = set()
    bill_of = _Bills(str(path)).bill
    done = count = 0
    for number, (line, size, document) in enumerate(_documents(path)):
        done += size
        if on_bytes is not None and not number % STEP:
            on_bytes(done, count)
        try:
            spans = list(_spans(document))
            charged = [(span, bill_of(span, usage)) for span in spans if (usage := _usage(span)) is not None]
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
            raise _broken(path, line, f"this is no span: {str(error) or type(error).__name__}") from None
        parents = {span.id: span.parent for span in spans}
        for first in [span.parent for span, _ in charged] + [span.parent for span in spans if span.id in told]:
            above = first
            while above and above not in told:
                told.add(above)
                above = parents.get(above, "")
        for span, bill in charged:
            if span.id not in told:
                count += 1
                yield bill
    if on_bytes is not None:
        on_bytes(done, count)


def _documents(path: Path) -> Iterator[tuple[int, int, Any]]:
    """Yield every JSON value of a file with the line that it begins in and its bytes, however it is laid out."""
    lines: list[bytes] = []
    first = 1
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not lines:
                    if not line.strip():
                        continue
                    first = number
                lines.append(line)
                # A value ends where a line is one, or where a bracket stands at the very left.
                if line[:1] in b"}]" or (len(lines) == 1 and line.rstrip()[-1:] in b"}]"):
                    found = _parsed(path, first, lines, is_whole=False)
                    if found is not None:
                        yield found
                        lines = []
    except OSError as error:
        raise SpanFileError(f"{path}: cannot be read: {error.strerror}.") from None
    if lines:
        found = _parsed(path, first, lines, is_whole=True)
        assert found is not None
        yield found


def _parsed(path: Path, first: int, lines: list[bytes], *, is_whole: bool) -> tuple[int, int, Any] | None:
    text = b"".join(lines)
    try:
        return first, len(text), json.loads(text)
    except UnicodeDecodeError:
        raise _broken(path, first, "this is not text in UTF-8") from None
    except RecursionError:
        raise _broken(path, first, "this is nested too deeply") from None
    except json.JSONDecodeError as error:
        if not is_whole and error.pos >= len(error.doc.rstrip()):
            return None
        cut = "; the file ends within it" if error.pos >= len(error.doc.rstrip()) else ""
        raise _broken(path, first + error.lineno - 1, f"this is not JSON: {error.msg}{cut}") from None


def _spans(document: Any) -> Iterator[Span]:
    if isinstance(document, list):
        for each in document:
            yield from _spans(each)
        return
    envelopes = next((document[name] for name in ENVELOPES if name in document), None)
    if envelopes is None:
        signal = next((words for name, words in OTHER_SIGNALS.items() if name in document), None)
        if signal is not None:
            raise ValueError(f"it holds {signal}; calls are told by spans")
        yield _printed(document)
        return
    for envelope in envelopes:
        resource = _named((envelope.get("resource") or {}).get("attributes") or ())
        for scope in next((envelope[name] for name in SCOPES if name in envelope), ()):
            for span in scope.get("spans") or ():
                status = (span.get("status") or {}).get("code")
                yield Span(
                    str(span.get("spanId") or span.get("span_id") or ""),
                    str(span.get("parentSpanId") or span.get("parent_span_id") or ""),
                    int(span.get("startTimeUnixNano") or span.get("start_time_unix_nano") or 0),
                    status in {2, "STATUS_CODE_ERROR"},
                    _named(span.get("attributes") or ()),
                    resource,
                )


def _printed(span: Facts) -> Span:
    """Return a span as Python's SDK prints it."""
    context, start = span["context"], span.get("start_time")
    return Span(
        str(context["span_id"]),
        str(span.get("parent_id") or ""),
        0 if not start else (datetime.fromisoformat(start) - EPOCH) // timedelta(microseconds=1) * 1000,
        (span.get("status") or {}).get("status_code") == "ERROR",
        span.get("attributes") or {},
        (span.get("resource") or {}).get("attributes") or {},
    )


def _named(attributes: Any) -> dict[str, Any]:
    """Return attributes of OTLP by name: `{"key": ..., "value": {"intValue": "12"}}`, where whole numbers are text."""
    found: dict[str, Any] = {}
    for attribute in attributes:
        for kind, value in (attribute.get("value") or {}).items():
            found[attribute["key"]] = int(value) if kind in {"intValue", "int_value"} else value
    return found


def _usage(span: Span) -> Usage | None:
    """Return what a call has used; None where the span is no call, or one that failed and used nothing."""
    facts = span.attributes
    operation = facts.get("gen_ai.operation.name")
    if operation in NO_CALLS:
        return None
    asked, said = _count(facts, INPUT), _count(facts, OUTPUT)
    if asked is None and said is None:
        return UNKNOWN_USAGE if operation in CALLS and not span.failed and "error.type" not in facts else None
    if asked is None or (said is None and operation in CALLS - {"embeddings"}):
        return UNKNOWN_USAGE
    read, write = _count(facts, CACHE_READ) or 0, _count(facts, CACHE_WRITE) or 0
    if read + write > asked:
        asked += read + write
    source: UsageSource = "estimated" if facts.get(SOURCE) == "estimated" else "exact"
    heard, spoken, seen, drawn = (_count(facts, (name,)) or 0 for name in MEDIA)
    reasoning = _count(facts, REASONING) or 0
    return Usage(asked, said or 0, read, write, reasoning, source, 0, heard, spoken, (), None, seen, drawn)


def _count(facts: Facts, names: tuple[str, ...]) -> int | None:
    for name in names:
        value = facts.get(name)
        if value is None:
            continue
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if type(value) is not int or value < 0:
            raise ValueError(f"`{name}` is a number of tokens, got {value!r}")
        return value
    return None


class _Bills:
    """Makes calls of the spans of one file: what thousands of them have in common is found out once.

    Args:
        source: The file.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._conventions = CONVENTION | dialects().keys()
        self._own: dict[str, bool] = {}
        self._providers: dict[tuple[Any, Any, Any], str] = {}

    def bill(self, span: Span, usage: Usage) -> BilledCall:
        """Return the call that a span tells of."""
        facts = span.attributes
        name = facts.get("gen_ai.provider.name") or facts.get("gen_ai.system")
        who = (name, facts.get("server.address"), facts.get("server.port"))
        provider = self._providers.get(who)
        if provider is None:
            provider = self._providers[who] = _provider(*who)
        return checked(
            BilledCall(
                provider,
                facts.get("gen_ai.response.model") or facts.get("gen_ai.request.model"),
                usage,
                time_ns=span.start_ns,
                service_tier=next((str(value) for name, value in facts.items() if name.endswith(TIER)), None),
                metadata=self._labels(span),
                test=str(facts.get("test.case.name") or span.resource.get("test.case.name") or self._source),
                source=self._source,
            )
        )

    def _labels(self, span: Span) -> dict[str, str]:
        """Return the labels of a call: what no convention names, and which service and which agent made it."""
        facts: dict[str, Any] = {name: span.resource[name] for name in LABELS if name in span.resource}
        facts |= {name: value for name, value in span.attributes.items() if self._is_own(name)}
        return {
            name.removeprefix(ASSOCIATED): str(value)
            for name, value in facts.items()
            if isinstance(value, str | int) and len(str(value)) <= LONGEST_LABEL
        }

    def _is_own(self, name: str) -> bool:
        known = self._own.get(name)
        if known is None:
            is_named = name.partition(".")[0] in self._conventions or name.endswith(TIER)
            known = self._own[name] = name in LABELS or not is_named
        return known


def _provider(told: Any, host: Any, port: Any) -> str:
    """Return who was asked: who is known to be at the address, because compatible servers are asked by others' SDKs."""
    name = next((each.name for each in dialects().values() if told and each.telemetry_name == told), told)
    if not host:
        return str(name or "")
    scheme = "https" if port in {None, 443} else "http"
    owner = owner_of(f"{scheme}://{host}" + ("" if port is None else f":{port}"))
    if owner is not None:
        return owner.name
    return str(host) if name is None or priced_host(str(host)) else str(name)


def _broken(path: Path, line: int, what: str) -> SpanFileError:
    return SpanFileError(
        f"{path}:{line}: {what}.\n"
        "To fix: export the spans again, as OTLP in JSON, or as Python's console exporter prints them."
    )
