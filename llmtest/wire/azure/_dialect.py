"""The record of Azure OpenAI."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtest.errors import ContentFilteredError, ModelNotFoundError
from llmtest.wire import _ids
from llmtest.wire._dialect import Dialect, Variables
from llmtest.wire._endpoint import Endpoint
from llmtest.wire._headers import header
from llmtest.wire._records import Headers
from llmtest.wire._vocabulary import Vocabulary
from llmtest.wire.anthropic import ANTHROPIC
from llmtest.wire.azure import _filtered_chat, _filtered_responses
from llmtest.wire.azure._addresses import addressed
from llmtest.wire.azure._errors import ERRORS, responses_errors
from llmtest.wire.azure._headers import head, limit_headers
from llmtest.wire.framing import SSE, Framing
from llmtest.wire.openai import OPENAI
from llmtest.wire.openai._batch_api import FileBatches
from llmtest.wire.openai._responses import RESPONSES

__all__ = ["AZURE"]

_STREAM = Framing("sse", "text/event-stream", SSE.separator, SSE.parser, SSE.starts)
"""Azure names no charset."""


def _auth(api_key: str | None) -> Headers:
    return () if api_key is None else (("api-key", api_key),)


def _is_azure(headers: Mapping[str, str]) -> bool:
    return header(headers, "api-key") is not None


def _complete(value: str) -> str:
    """Complete what `AZURE_OPENAI_ENDPOINT` may be: the resource's address, or with a part of a path behind it."""
    address = value.rstrip("/")
    return address.removesuffix("/v1").removesuffix("/openai")


_LACKING = frozenset({"moderations", "images.variation", "models.delete"})
"""What OpenAI has and Azure has not."""


def _endpoints() -> tuple[Endpoint, ...]:
    judged: dict[str, dict[str, Any]] = {
        each.operation: {"encode_answer": room.encode_answer, "encode_stream": room.encode_stream}
        for each, room in ((OPENAI.chat, _filtered_chat), (RESPONSES, _filtered_responses))
    }
    judged[RESPONSES.operation]["errors"] = responses_errors(RESPONSES.own_errors or OPENAI.errors)
    placed = []
    for endpoint in OPENAI.endpoints:
        if endpoint.operation in _LACKING:
            continue
        changed = {"framing": _STREAM} if endpoint.framing is SSE and endpoint.streams else {}
        placed.append(addressed(endpoint, **changed, **judged.get(endpoint.operation, {})))
    # A path below v1 ends like one that is not, so those below v1 are looked at first.
    return tuple(new for new, _ in placed) + tuple(dated for _, dated in placed)


AZURE = Dialect(
    "azure",
    title="Azure OpenAI",
    telemetry_name="azure.ai.openai",
    root="/openai",
    hosts=(
        "https://*.openai.azure.com",
        "https://*.cognitiveservices.azure.com",
        "https://*.services.ai.azure.com",
    ),
    endpoints=_endpoints(),
    mounts={"/anthropic": ANTHROPIC},
    auth=_auth,
    read_key=OPENAI.read_key,
    variables=Variables(
        keys=("AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN"),
        base_urls=("AZURE_OPENAI_ENDPOINT",),
        model="AZURE_OPENAI_DEPLOYMENT",
        served={"AZURE_OPENAI_ENDPOINT": "{url}"},
        complete_url=_complete,
    ),
    errors=ERRORS,
    head=head,
    write_limits=limit_headers,
    read_limits=OPENAI.read_limits,
    usual_limits={"requests": 300, "tokens": 50_000},
    over_quota=OPENAI.over_quota,
    response_id=OPENAI.response_id,
    request_id=_ids.uuid,
    marks=_is_azure,
    vocabulary=Vocabulary(
        codes={"DeploymentNotFound": ModelNotFoundError, "content_filter": ContentFilteredError},
        filtered=("content management policy", "ResponsibleAIPolicyViolation"),
    ),
    batches=FileBatches("/v1"),
    settings={
        "dated_batches": FileBatches(),
        "further_fields": frozenset({"data_sources", "dataSources", "enhancements", "user_security_context"}),
        **{name: value for name, value in OPENAI.settings.items() if name not in {"is_openai", "obfuscates"}},
        "version_variables": ("OPENAI_API_VERSION", "AZURE_OPENAI_API_VERSION"),
        "deployment_variables": ("AZURE_OPENAI_DEPLOYMENT", "AZURE_OPENAI_DEPLOYMENT_NAME"),
    },
)
"""Every endpoint of OpenAI's, at Azure's addresses; below `/anthropic` Foundry speaks as Anthropic does at home."""
