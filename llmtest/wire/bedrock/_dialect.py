"""Bedrock's dialect."""

from __future__ import annotations

import re
from collections.abc import Mapping

from llmtest.wire import _ids
from llmtest.wire._dialect import Dialect, Unserved, Variables
from llmtest.wire._headers import bearer_token, header
from llmtest.wire._records import Headers, ResponseMeta
from llmtest.wire._vocabulary import Vocabulary
from llmtest.wire.anthropic import ANTHROPIC
from llmtest.wire.bedrock._converse import CONVERSE, CONVERSE_STREAM
from llmtest.wire.bedrock._errors import BedrockErrors
from llmtest.wire.bedrock._invoke import INVOKE, STREAM

__all__ = ["BEDROCK"]

_SIGNED_BY = re.compile(r"^AWS4-HMAC-SHA256 Credential=([^/,\s]+)/")


def _read_key(headers: Mapping[str, str]) -> str | None:
    """Read the key that came with a request: a bearer token, or the id of the key that signed it."""
    signed = _SIGNED_BY.match(header(headers, "authorization") or "")
    return signed[1] if signed else bearer_token(headers)


def _head(meta: ResponseMeta) -> Headers:
    return (
        *(() if meta.request_id is None else (("x-amzn-requestid", meta.request_id),)),
        ("x-amzn-bedrock-invocation-latency", str(meta.processing_ms or 0)),
    )


def _request_id(number: int) -> str:
    text = _ids.hexadecimal(number, 32)
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


BEDROCK = Dialect(
    "bedrock",
    title="Amazon Bedrock",
    telemetry_name="aws.bedrock",
    base_url="https://bedrock-runtime.us-east-1.amazonaws.com",
    hosts=(
        "https://bedrock-runtime.*.amazonaws.com",
        "https://bedrock-runtime-fips.*.amazonaws.com",
        "https://bedrock-mantle.*.api.aws",
    ),
    endpoints=(INVOKE, STREAM, CONVERSE, CONVERSE_STREAM),
    mounts={"/anthropic": ANTHROPIC},
    read_key=_read_key,
    variables=Variables(
        keys=("AWS_BEARER_TOKEN_BEDROCK",),
        base_urls=("ANTHROPIC_BEDROCK_BASE_URL",),
        served={"ANTHROPIC_BEDROCK_BASE_URL": "{url}"},
        dummies=("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
        other_keys=(
            "AWS_PROFILE",
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        ),
    ),
    errors=BedrockErrors(),
    head=_head,
    response_id=lambda number: "msg_bdrk_01" + _ids.base58(number, 22),
    request_id=_request_id,
    tool_call_id=lambda number: "toolu_bdrk_01" + _ids.base58(number, 22),
    default_model="us.anthropic.claude-sonnet-4-6",
    unserved=(Unserved("POST", "/model/{model}/count-tokens", ""),),
    vocabulary=Vocabulary(too_long=(re.compile(r"Input is too long for requested model"),)),
    settings={**ANTHROPIC.settings, "own_fields": ANTHROPIC.name},
)
"""Claude where Amazon hosts it; below `/anthropic` of its other address (`bedrock-mantle`) it speaks as at home."""
