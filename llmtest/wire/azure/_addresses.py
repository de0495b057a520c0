"""Where Azure has OpenAI's endpoints: below a deployment, below `/openai` and below `/openai/v1`.

The first two need `?api-version=`, and a deployment's URL names the model; at v1 the body does, as at OpenAI
(learn.microsoft.com/azure/foundry/openai/api-version-lifecycle). Which endpoints are a deployment's own is what the
official SDK takes for them (`AzureOpenAI`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from llmtest.wire._endpoint import Endpoint
from llmtest.wire._json import dumps
from llmtest.wire._records import WireCall, WireRequest
from llmtest.wire.azure._errors import API_VERSION, ERRORS, refuse
from llmtest.wire.openai._bodies import asked

__all__ = ["addressed"]

_OF_DEPLOYMENTS = re.compile(r"/(?:chat/completions|completions|embeddings|audio/.+|images/(?:generations|edits))")
_PARAMETER = re.compile(r"\{(\w+)\}")
_DATED = re.compile(r"\d{4}-\d{2}-\d{2}(?:-preview)?")
VERSION = "api-version"

Decode = Callable[[Endpoint, Mapping[str, str], bytes, Mapping[str, str]], WireCall]


def addressed(endpoint: Endpoint, **changed: Any) -> tuple[Endpoint, Endpoint]:
    """Return an endpoint of OpenAI's at its two places at Azure: below v1, and where a version is needed.

    Args:
        endpoint: The endpoint.
        changed: Functions of it that are others at Azure.
    """
    own = endpoint.own_errors
    if own is not None:
        changed.setdefault("errors", ERRORS.passing_on(own))
    of_deployment = _OF_DEPLOYMENTS.fullmatch(endpoint.pattern) is not None
    prefix = "/deployments/{model}" if of_deployment else ""
    return (
        _placed(endpoint, "/v1", _decode_new, "", changed),
        _placed(endpoint, prefix, _decode_of_deployment if of_deployment else _decode_dated, API_VERSION, changed),
    )


def _placed(
    endpoint: Endpoint,
    prefix: str,
    reader: Callable[[Endpoint], Decode],
    version: str,
    changed: Mapping[str, Any],
) -> Endpoint:
    more = dict(changed)
    if endpoint.has("encode_call"):
        more["encode_call"] = _encoding(endpoint, prefix, version)
    pattern = prefix + endpoint.pattern
    return endpoint.at(pattern, decode_call=reader(endpoint), reads_query=True, **more)


def _encoding(endpoint: Endpoint, prefix: str, version: str) -> Callable[..., WireRequest]:
    """Return how a call is written there; a provider of our own layer may name another version."""
    query = f"?{VERSION}={version}" if version else ""

    def encode_call(request: Any, *, stream: bool = False) -> WireRequest:
        wire = endpoint.encode_call(request, stream=stream)
        model = getattr(request, "model", None) or ""
        return replace(wire, path=prefix.replace("{model}", model) + wire.path + query)

    return encode_call


def _passed(endpoint: Endpoint, parameters: Mapping[str, str]) -> Mapping[str, str]:
    """Return what OpenAI's own endpoint would see of path and query."""
    if endpoint.reads_query:
        return {name: value for name, value in parameters.items() if name != VERSION}
    named = _PARAMETER.findall(endpoint.pattern)
    return {name: parameters[name] for name in named}


def _decode_new(endpoint: Endpoint) -> Decode:
    """Read what is asked at v1, where a dated version is refused."""

    def decode_call(
        placed: Endpoint, headers: Mapping[str, str], body: bytes, parameters: Mapping[str, str]
    ) -> WireCall:
        if _DATED.fullmatch(parameters.get(VERSION, "")):
            raise refuse(400, "BadRequest", "API version not supported")
        return endpoint.decode_call(placed, headers, body, _passed(endpoint, parameters))

    return decode_call


def _decode_dated(endpoint: Endpoint) -> Decode:
    """Read what is asked below `/openai`, where a version must be named."""

    def decode_call(
        placed: Endpoint, headers: Mapping[str, str], body: bytes, parameters: Mapping[str, str]
    ) -> WireCall:
        version = parameters.get(VERSION, "")
        if not version:
            raise refuse(400, "BadRequest", f"Missing required query parameter: {VERSION}")
        if not _DATED.fullmatch(version):
            raise refuse(400, "BadRequest", "API version not supported")
        return endpoint.decode_call(placed, headers, body, _passed(endpoint, parameters))

    return decode_call


def _decode_of_deployment(endpoint: Endpoint) -> Decode:
    """Read what is asked of a deployment: its name in the path is the model, whatever the body says."""

    def decode_call(
        placed: Endpoint, headers: Mapping[str, str], body: bytes, parameters: Mapping[str, str]
    ) -> WireCall:
        if not _DATED.fullmatch(parameters.get(VERSION, "")):
            raise refuse(404, "404", "Resource not found")
        deployment = parameters["model"]
        if headers.get("content-type", "application/json").startswith("application/json"):
            parsed = asked(body)
            if parsed.get("model") != deployment:
                body = dumps({**parsed, "model": deployment})
        return endpoint.decode_call(placed, headers, body, _passed(endpoint, parameters))

    return decode_call
