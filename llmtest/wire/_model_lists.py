"""The two endpoints by which an API tells its models: all of them, and one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llmtest.types import ModelCard
from llmtest.wire._answer_bodies import answered
from llmtest.wire._endpoint import Endpoint, call_without_body
from llmtest.wire._records import ResponseMeta, WireCall, WireRequest

__all__ = ["model_endpoints"]


def model_endpoints(
    path: str,
    listed_under: str,
    *,
    encode_call: Callable[..., WireRequest],
    encode_answer: Callable[[Sequence[ModelCard], WireCall, ResponseMeta], bytes],
    decode_card: Callable[[Mapping[str, Any]], ModelCard],
    decode_call: Callable[[Endpoint, Mapping[str, str], bytes, Mapping[str, str]], WireCall] = call_without_body,
) -> tuple[Endpoint, Endpoint]:
    """Return the endpoint of the list, and that of one model below it.

    Args:
        path: Where the list is, below the root of the dialect.
        listed_under: The field of the answer that has the list.
        encode_call: Writes a request for a model, or for all where it is None.
        encode_answer: Writes the answer to either.
        decode_card: Reads one model.
        decode_call: Reads a request, where its query counts.
    """

    def decode_answer(body: bytes, headers: Mapping[str, str]) -> tuple[ModelCard, ...]:
        del headers
        parsed = answered(body)
        found = parsed.get(listed_under) if isinstance(parsed.get(listed_under), list) else [parsed]
        return tuple(decode_card(card) for card in found or () if isinstance(card, dict))

    def endpoint(operation: str, pattern: str) -> Endpoint:
        return Endpoint(
            operation,
            "GET",
            pattern,
            gives="models",
            decode_call=decode_call,
            encode_answer=encode_answer,
            encode_call=encode_call,
            decode_answer=decode_answer,
            reads_query=decode_call is not call_without_body,
        )

    return endpoint("models", path), endpoint("model", path + "/{model}")
