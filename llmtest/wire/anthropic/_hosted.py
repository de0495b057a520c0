"""Messages where a cloud hosts them: the model is in the URL, and the version and the betas are in the body."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from llmtest.types import CompletionRequest
from llmtest.wire._endpoint import Endpoint
from llmtest.wire._headers import header
from llmtest.wire._records import WireCall
from llmtest.wire.anthropic._bodies import asked
from llmtest.wire.anthropic._checks import refuse
from llmtest.wire.anthropic._strict import wrong_betas
from llmtest.wire.anthropic.messages._request import decode_call, encode_body

__all__ = ["hosted_body", "hosted_call", "plain_model"]

_OWN = frozenset({"anthropic_version", "anthropic_beta"})
_CLOUD = re.compile(r"^(?:.*/)?(?:[a-z]+\.)?(?:anthropic\.)?|(?:-v\d+)?(?::\d+)?(?:@[\w-]+)?$")


def plain_model(model: str | None) -> str | None:
    """Return a model's name as its answers have it: without region, vendor and version of the cloud."""
    if model is None:
        return None
    snapshot = re.search(r"@(\d{8})$", model)
    return _CLOUD.sub("", model) + (f"-{snapshot[1]}" if snapshot else "")


def hosted_body(request: CompletionRequest, version: str, *, stream: bool) -> dict[str, Any]:
    """Write the body of a request without what the URL says.

    Raises:
        NotSupportedError: Something of it cannot be said here.
    """
    body = encode_body(request, stream=stream)
    del body["model"]
    return {"anthropic_version": version, **body}


def hosted_call(
    endpoint: Endpoint,
    headers: Mapping[str, str],
    body: bytes,
    model: str | None,
    *,
    stream: bool,
    limit_required: bool = True,
    wrong_beta: str | None = None,
) -> WireCall:
    """Read a request.

    Args:
        endpoint: What is asked for.
        headers: What came with it.
        body: The body, as it came.
        model: The model in the URL; None where the body has to name it.
        stream: Whether the URL asks for a stream.
        limit_required: Whether `max_tokens` must be there.
        wrong_beta: What the cloud says to what is no name of a beta; None: what Anthropic says.

    Raises:
        WireFormatError: Anthropic would refuse it; the error has Anthropic's words.
    """
    sent = asked(body)
    if not isinstance(sent.get("anthropic_version"), str):
        problem = "Field required" if sent.get("anthropic_version") is None else "Input should be a valid string"
        raise refuse(f"anthropic_version: {problem}")
    if model is not None and "model" in sent:
        raise refuse("model: Extra inputs are not permitted")
    betas = sent.get("anthropic_beta")
    if not isinstance(betas, list | None):
        raise refuse("anthropic_beta: Input should be a valid list")
    strict = dict(headers)
    if betas:
        named = header(headers, "anthropic-beta")
        strict["anthropic-beta"] = ",".join([*([named] if named else []), *map(str, betas)])
    if wrong_beta is not None and wrong_betas(strict.get("anthropic-beta", "")):
        raise refuse(wrong_beta)
    parsed = {name: value for name, value in sent.items() if name not in _OWN}
    if model is not None:
        parsed["model"] = model
    if stream:
        parsed["stream"] = True
    request, unread = decode_call(parsed, limit_required=limit_required, strict=strict)
    key = endpoint.dialect.read_key(headers)
    return WireCall(endpoint, request, parsed["model"], stream, key, include_usage=True, unread=unread)
