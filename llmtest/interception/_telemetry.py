"""What libraries around LLMs report about themselves: no request of the code under test, so no error of its test.

An exporter's thread wakes whenever its time has come, and virtual time comes soon. What it sends is kept from leaving,
answered as if it had arrived, and noted; nothing else at these hosts is.

| library | what it sends | read in |
|---|---|---|
| openai-agents | traces, to OpenAI itself, by httpx2 | 0.24, `agents/tracing/processors.py` |
| langsmith (LangChain, LangGraph) | runs, by requests or httpx | 0.15, `langsmith/client.py` |
| langfuse | traces by OTLP, scores by httpx | 5.0, `langfuse/_client` |
| crewai | usage by OTLP, which is requests | 1.x, `crewai/telemetry/constants.py` |
| posthog (mem0, browser-use, chromadb, deepeval) | usage, by requests | its ingest hosts |

litellm reports nothing about itself; the tables that it fetches have their own advice in the error.
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
    """

    library: str
    requests: str
    whole_host: bool = True

    def covers(self, method: str, path: str) -> bool:
        """Tell whether a request is such a report."""
        return re.fullmatch(self.requests, f"{method} {path}") is not None


_LANGSMITH = Telemetry("langsmith", r"(POST|PATCH) (/api/v1)?/runs(/[\w-]+)*|GET (/api/v1)?/info")
_LANGFUSE = Telemetry("langfuse", r"POST /api/public/(otel/v1/traces|ingestion)", whole_host=False)
_POSTHOG = Telemetry("posthog", r"(POST|GET) /.*")

HOSTS: Mapping[str, Telemetry] = {
    "api.openai.com": Telemetry("openai-agents", r"POST /v1/traces/ingest", whole_host=False),
    "api.smith.langchain.com": _LANGSMITH,
    "eu.api.smith.langchain.com": _LANGSMITH,
    "cloud.langfuse.com": _LANGFUSE,
    "us.cloud.langfuse.com": _LANGFUSE,
    "telemetry.crewai.com": Telemetry("crewai", r"POST /v1/traces"),
    "app.posthog.com": _POSTHOG,
    "eu.i.posthog.com": _POSTHOG,
    "us.i.posthog.com": _POSTHOG,
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


def telemetry_transport(library: Any) -> Any:
    """Return a transport of `httpx` or `httpx2` that takes every report and says thank you."""
    return library.MockTransport(lambda _: library.Response(200, headers=list(HEAD), content=ANSWER))


def kept_connection(library: str, host: str) -> OSError:
    """Make the error of a connection that is another library's report: what its exporter expects of a bad network."""
    return ConnectionRefusedError(
        111, f"{library} reports about itself to {host}; under a simulation that does not leave the process"
    )
