"""Vertex AI's dialect."""

from __future__ import annotations

from llmtest.wire import _ids
from llmtest.wire._dialect import Dialect, Variables
from llmtest.wire._records import Headers, ResponseMeta
from llmtest.wire._vocabulary import Vocabulary
from llmtest.wire.anthropic import ANTHROPIC
from llmtest.wire.vertex._errors import VertexErrors
from llmtest.wire.vertex._predict import COUNT_TOKENS, PREDICT, STREAM

__all__ = ["VERTEX"]


def _head(meta: ResponseMeta) -> Headers:
    return (
        *(() if meta.request_id is None else (("request-id", meta.request_id),)),
        ("vary", "Origin, X-Origin, Referer"),
        ("server", "scaffolding on HTTPServer2"),
        ("x-content-type-options", "nosniff"),
    )


VERTEX = Dialect(
    "vertex",
    title="Vertex AI",
    telemetry_name="gcp.vertex_ai",
    root="/v1",
    hosts=(
        "https://*-aiplatform.googleapis.com",
        "https://aiplatform.googleapis.com",
        "https://aiplatform.*.rep.googleapis.com",
    ),
    endpoints=(*COUNT_TOKENS, *PREDICT, *STREAM),
    variables=Variables(
        base_urls=("ANTHROPIC_VERTEX_BASE_URL",),
        served={"ANTHROPIC_VERTEX_BASE_URL": "{url}/v1"},
    ),
    errors=VertexErrors(),
    head=_head,
    response_id=lambda number: "msg_vrtx_01" + _ids.base58(number, 22),
    request_id=lambda number: "req_vrtx_011C" + _ids.base58(number, 20),
    tool_call_id=lambda number: "toolu_vrtx_01" + _ids.base58(number, 22),
    default_model="claude-sonnet-4-6",
    needs_key=False,
    vocabulary=Vocabulary(no_credit=("requires billing to be enabled",)),
    settings={**ANTHROPIC.settings, "own_fields": ANTHROPIC.name},
)
"""Claude where Google hosts it; a base URL for our own layer ends in project and location."""
