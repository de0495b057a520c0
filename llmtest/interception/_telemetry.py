"""What libraries around LLMs report about themselves: no request of the code under test, so no error of its test.

An exporter's thread wakes whenever its time has come, and virtual time comes soon. What it sends is kept from leaving,
answered as if it had arrived, and noted; nothing else at these hosts is. A table that a library fetches and has a copy
of is not found, so the copy is read, whichever day the test runs on; a failed connection would be tried again.

| library | what it sends | read in |
|---|---|---|
| openai-agents | traces, to OpenAI itself, by httpx2 | 0.24, `agents/tracing/processors.py` |
| langsmith (LangChain, LangGraph) | runs, by requests or httpx | 0.15, `langsmith/client.py` |
| langfuse | traces by OTLP, scores by httpx | 5.0, `langfuse/_client` |
| crewai | usage by OTLP, which is requests | 1.x, `crewai/telemetry/constants.py` |
| posthog (mem0, browser-use, chromadb, deepeval, haystack) | usage, by requests | its ingest hosts |
| traceloop (OpenLLMetry) | traces and metrics by OTLP, which is requests | `traceloop/sdk/__init__.py` |
| litellm | nothing, but it fetches prices and headers, by httpx | 1.9x, `litellm/__init__.py` |
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["ANSWER", "HEAD", "Telemetry", "kept_connection", "telemetry_at", "telemetry_transport"]


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What one library sends to a host.

    Args:
        library: Who sends it.
        requests: `METHOD path` of its requests, as an expression.
        whole_host: Whether nothing else is asked of the host, so that a connection of any kind is its report too.
        has_copy: Whether it asks for something that it has a copy of, and does without.
    """

    library: str
    requests: str
    whole_host: bool = True
    has_copy: bool = False

    def covers(self, method: str, path: str) -> bool:
        """Tell whether a request is such a report."""
        return re.fullmatch(self.requests, f"{method} {path}") is not None


_LANGSMITH = Telemetry("langsmith", r"(POST|PATCH) (/api/v1)?/runs(/[\w-]+)*|GET (/api/v1)?/info")
_LANGFUSE = Telemetry("langfuse", r"POST /api/public/(otel/v1/traces|ingestion)", whole_host=False)
_POSTHOG = Telemetry("posthog", r"(POST|GET) /.*")
_LITELLM_TABLES = (
    r"GET /BerriAI/litellm/[\w.-]+/(model_prices_and_context_window\w*|litellm/anthropic_beta_headers_config"
    r"|litellm/proxy/public_endpoints/autorouter_presets)\.json"
)

HOSTS: Mapping[str, Telemetry] = {
    "api.openai.com": Telemetry("openai-agents", r"POST /v1/traces/ingest", whole_host=False),
    "api.smith.langchain.com": _LANGSMITH,
    "eu.api.smith.langchain.com": _LANGSMITH,
    "cloud.langfuse.com": _LANGFUSE,
    "us.cloud.langfuse.com": _LANGFUSE,
    "telemetry.crewai.com": Telemetry("crewai", r"POST /v1/traces"),
    "app.posthog.com": _POSTHOG,
    "eu.i.posthog.com": _POSTHOG,
    "eu.posthog.com": Telemetry("posthog", r"POST /(batch|capture|e|i/v0/e|decide|flags)/?", whole_host=False),
    "us.i.posthog.com": _POSTHOG,
    "api.traceloop.com": Telemetry("traceloop", r"POST /v1/(traces|metrics|logs)", whole_host=False),
    "raw.githubusercontent.com": Telemetry("litellm", _LITELLM_TABLES, whole_host=False, has_copy=True),
}
"""Who reports where."""

ANSWER = b"{}"
HEAD: tuple[tuple[str, str], ...] = (("content-type", "application/json"), ("content-length", str(len(ANSWER))))


def telemetry_at(host: str, method: str | None = None, path: str = "") -> str | None:
    """Return which library reports about itself by a request, or by any connection to a host; None: it is no report.

    Args:
        host: Where it goes.
        method: Method of the request; None: it is a connection whose requests nobody here reads.
        path: Path of its URL.
    """
    known = HOSTS.get(host.lower())
    if known is None:
        return None
    is_report = known.whole_host if method is None else known.covers(method, path)
    return known.library if is_report else None


def telemetry_transport(library: Any, host: str) -> Any:
    """Return a transport of `httpx` or `httpx2` that takes every report and says thank you, or has not found the table.

    Args:
        library: The module of the client.
        host: Where the reports go.
    """
    status = 404 if HOSTS[host.lower()].has_copy else 200
    return library.MockTransport(lambda _: library.Response(status, headers=list(HEAD), content=ANSWER))


def kept_connection(library: str, host: str) -> OSError:
    """Make the error of a connection that is another library's report: what its exporter expects of a bad network."""
    return ConnectionRefusedError(
        111, f"{library} reports about itself to {host}; under a simulation that does not leave the process"
    )
