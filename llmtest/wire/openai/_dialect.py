"""OpenAI's dialect, and the manner of speaking of everybody whose API is compatible with it."""

from __future__ import annotations

from llmtest.errors import ProviderError, RateLimitedError, RateLimitKind, RequestTooLargeError
from llmtest.types import FinishReason
from llmtest.wire import _ids
from llmtest.wire._dialect import Dialect, Unserved, Variables
from llmtest.wire._records import Headers, ResponseMeta
from llmtest.wire.openai._audio import AUDIO
from llmtest.wire.openai._batch_api import FileBatches
from llmtest.wire.openai._batches import BATCHES
from llmtest.wire.openai._bodies import read_key
from llmtest.wire.openai._chat import CHAT, COMPATIBLE_CHAT
from llmtest.wire.openai._completions import COMPLETIONS
from llmtest.wire.openai._embeddings import EMBEDDINGS
from llmtest.wire.openai._files import FILES, UPLOADS
from llmtest.wire.openai._images import IMAGES
from llmtest.wire.openai._limits import limit_headers, parse_limits
from llmtest.wire.openai._models import MODEL, MODELS
from llmtest.wire.openai._moderations import MODERATIONS
from llmtest.wire.openai._responses import RESPONSES, STATEFUL
from llmtest.wire.openai._shutdowns import SHUTDOWNS
from llmtest.wire.openai._spoken_errors import OpenAIErrors
from llmtest.wire.openai._stored_chat import STORED_CHAT
from llmtest.wire.openai._trained_models import MODEL_DELETION
from llmtest.wire.openai._vocabulary import VOCABULARY
from llmtest.wire.openai._voices import VOICES
from llmtest.wire.openai._without_effect import WITHOUT_EFFECT
from llmtest.wire.openai.chat._response import RAW_FINISH

__all__ = ["COMPATIBLE", "OPENAI"]


def _over_quota(model: str | None, kind: RateLimitKind, wait: float | None) -> ProviderError:
    if wait is None:
        # OpenAI has words of its own for a request that no wait would help.
        return RequestTooLargeError("", model=model, status=429)
    error = RateLimitedError("", model=model, status=429, retry_after=wait)
    error.limit_kind = kind
    return error


_VERSION = ("openai-version", "2020-10-01")


def _head(meta: ResponseMeta) -> Headers:
    organization, spent = ("openai-organization", meta.organization), str(meta.processing_ms or 0)
    if meta.request_id is None:
        return (organization, ("openai-processing-ms", spent), _VERSION)
    return (organization, ("openai-processing-ms", spent), _VERSION, ("x-request-id", meta.request_id))


_USUAL_LIMITS = {"requests": 500, "tokens": 200_000}
_ENDPOINTS = (CHAT, RESPONSES, COMPLETIONS, EMBEDDINGS, MODELS, MODEL)
_SERVICES = (*STORED_CHAT, MODERATIONS, *FILES, *UPLOADS, *BATCHES, *IMAGES, *AUDIO, MODEL_DELETION)
_UNSERVED = (
    Unserved("POST", "/assistants", "have the code call Responses: POST /v1/responses"),
    Unserved("POST", "/threads", "have the code keep a conversation: POST /v1/conversations"),
    Unserved("POST", "/videos"),
    Unserved("POST", "/vector_stores"),
    Unserved("GET", "/vector_stores"),
    Unserved("DELETE", "/vector_stores/{vector_store}"),
    Unserved("POST", "/fine_tuning/jobs"),
)


def _response_id(number: int) -> str:
    return "chatcmpl-" + _ids.letters(number, 29)


COMPATIBLE = Dialect(
    "openai_compatible",
    title="OpenAI-compatible",
    endpoints=(COMPATIBLE_CHAT, *_ENDPOINTS[1:]),
    read_key=read_key,
    variables=Variables(keys=("OPENAI_API_KEY",), base_urls=("OPENAI_BASE_URL",), model="OPENAI_MODEL"),
    errors=OpenAIErrors(),
    write_limits=limit_headers,
    read_limits=parse_limits,
    usual_limits=_USUAL_LIMITS,
    over_quota=_over_quota,
    response_id=_response_id,
    unserved=_UNSERVED,
    needs_key=False,
    settings={"names_embeddings": True, "finish_words": RAW_FINISH, "tells_logprobs": True},
    is_provider=False,
    is_common=True,
)
"""Chat Completions, embeddings and models as everybody has them: nothing that only OpenAI itself says."""

OPENAI = Dialect(
    "openai",
    title="OpenAI",
    root="/v1",
    base_url="https://api.openai.com/v1",
    hosts=("https://api.openai.com",),
    endpoints=(*_ENDPOINTS, *STATEFUL, *_SERVICES, *VOICES),
    read_key=read_key,
    variables=Variables(
        keys=("OPENAI_API_KEY",),
        base_urls=("OPENAI_BASE_URL", "OPENAI_API_BASE"),
        model="OPENAI_MODEL",
        served={"OPENAI_BASE_URL": "{url}/v1"},
    ),
    errors=OpenAIErrors(),
    head=_head,
    private_headers=("openai-organization", "openai-project"),
    write_limits=limit_headers,
    read_limits=parse_limits,
    usual_limits=_USUAL_LIMITS,
    over_quota=_over_quota,
    response_id=_response_id,
    shutdowns=SHUTDOWNS,
    models=("gpt-4o", "gpt-4o-mini", "text-embedding-3-small"),
    default_model="gpt-4o",
    unserved=_UNSERVED,
    vocabulary=VOCABULARY,
    settings={
        "obfuscates": True,
        "is_openai": True,
        "is_strict": True,
        "finish_words": RAW_FINISH,
        "tells_logprobs": True,
        "named_tool_ends": FinishReason.STOP,
        "without_effect": WITHOUT_EFFECT,
    },
    is_default=True,
    batches=FileBatches(),
)
"""OpenAI itself."""
