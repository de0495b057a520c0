"""Anthropic's dialect."""

from __future__ import annotations

from collections.abc import Mapping

from llmtest.errors import InvalidRequestError
from llmtest.wire import _ids
from llmtest.wire._dialect import Dialect, Unserved, Variables
from llmtest.wire._records import Headers, ResponseMeta
from llmtest.wire._worded_errors import WordedErrors
from llmtest.wire.anthropic import _errors
from llmtest.wire.anthropic._batch_api import MessageBatches
from llmtest.wire.anthropic._batches import BATCHES
from llmtest.wire.anthropic._bodies import read_key
from llmtest.wire.anthropic._chat import COUNT_TOKENS, MESSAGES
from llmtest.wire.anthropic._files import FILES
from llmtest.wire.anthropic._limits import limit_headers, parse_limits
from llmtest.wire.anthropic._models import MODEL, MODELS
from llmtest.wire.anthropic._shutdowns import SHUTDOWNS
from llmtest.wire.anthropic._vocabulary import VOCABULARY
from llmtest.wire.anthropic._without_effect import WITHOUT_EFFECT
from llmtest.wire.anthropic.messages import _stream
from llmtest.wire.anthropic.messages._response import RAW_FINISH

__all__ = ["ANTHROPIC"]


class _Errors(WordedErrors):
    """Anthropic's errors; see `Errors` for the contract."""

    def __init__(self) -> None:
        super().__init__(_errors, _stream.encode_stream_error)

    def not_found(self, method: str, path: str) -> InvalidRequestError:
        """Say that nothing is at a path, in fewer words than others."""
        del method, path
        return InvalidRequestError("Not Found", status=404, code="not_found_error")

    def not_allowed(self, method: str, path: str) -> InvalidRequestError:
        """Say that a path has other methods."""
        del method, path
        return InvalidRequestError("Method Not Allowed", status=405, code="invalid_request_error")


def _auth(api_key: str | None) -> Headers:
    return () if api_key is None else (("x-api-key", api_key),)


def _head(meta: ResponseMeta) -> Headers:
    return (
        ("anthropic-organization-id", meta.organization),
        *(() if meta.request_id is None else (("request-id", meta.request_id),)),
    )


def _marks(headers: Mapping[str, str]) -> bool:
    return "anthropic-version" in headers or "x-api-key" in headers


ANTHROPIC = Dialect(
    "anthropic",
    title="Anthropic",
    base_url="https://api.anthropic.com",
    hosts=("https://api.anthropic.com", "https://aws-external-anthropic.*.api.aws"),
    endpoints=(MESSAGES, COUNT_TOKENS, MODELS, MODEL, *BATCHES, *FILES),
    auth=_auth,
    read_key=read_key,
    variables=Variables(
        keys=("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
        base_urls=("ANTHROPIC_BASE_URL",),
        model="ANTHROPIC_MODEL",
        served={"ANTHROPIC_BASE_URL": "{url}"},
    ),
    errors=_Errors(),
    head=_head,
    private_headers=("anthropic-organization-id",),
    write_limits=limit_headers,
    read_limits=parse_limits,
    usual_limits={"requests": 50, "tokens": 48_000, "input_tokens": 40_000, "output_tokens": 8_000},
    response_id=lambda number: "msg_01" + _ids.base58(number, 22),
    request_id=lambda number: "req_011C" + _ids.base58(number, 20),
    tool_call_id=lambda number: "toolu_01" + _ids.base58(number, 22),
    marks=_marks,
    shutdowns=SHUTDOWNS,
    models=("claude-sonnet-4-6", "claude-haiku-4-5"),
    default_model="claude-sonnet-4-6",
    aliases=("claude",),
    batches=MessageBatches(),
    unserved=(Unserved("POST", "/v1/complete", "have the code call the Messages API: POST /v1/messages"),),
    vocabulary=VOCABULARY,
    settings={
        "is_anthropic": True,
        "warms_up": True,
        "finish_words": RAW_FINISH,
        "stop_field": "stop_sequence",
        "without_effect": WITHOUT_EFFECT,
    },
)
"""Anthropic itself."""
