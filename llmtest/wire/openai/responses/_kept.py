"""What OpenAI keeps of responses and conversations, and how a request goes on from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from llmtest.types import CompletionRequest, CompletionResponse
from llmtest.wire._records import ResponseMeta, WireCall
from llmtest.wire._store import Store
from llmtest.wire.openai._checks import refuse
from llmtest.wire.openai._services import missing
from llmtest.wire.openai.responses._checks import check_calls
from llmtest.wire.openai.responses._input import decode_input
from llmtest.wire.openai.responses._response import body_of, new_id

__all__ = ["conversation_id", "items_in", "keep", "kept", "listed", "recall"]


def items_in(value: object) -> list[dict[str, Any]]:
    """Return what `input` holds as items."""
    if isinstance(value, str):
        return [{"role": "user", "content": value}]
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def listed(item: Mapping[str, Any], identity: str) -> dict[str, Any]:
    """Return an item of a prompt as lists of items show it: with an id, and its content as parts."""
    found = {"id": identity, "type": "message", **item}
    if found["type"] != "message":
        return found
    content = found.get("content")
    if isinstance(content, str):
        kind = "output_text" if found.get("role") == "assistant" else "input_text"
        found["content"] = [{"type": kind, "text": content}]
    return {"status": "completed", **found}


def kept(store: Store, response_id: object) -> dict[str, Any]:
    """Return a response that was kept.

    Raises:
        WireFormatError: There is none of this id.
    """
    found = store.table("responses").get(str(response_id))
    if found is None:
        raise missing(f"Response with id '{response_id}' not found.")
    return found  # type: ignore[no-any-return]  # what `keep` put there


def conversation_id(value: object) -> str | None:
    """Return the id of a conversation, which a request names by its id or as an object."""
    if isinstance(value, dict):
        value = value.get("id")
    return value if isinstance(value, str) else None


def recall(call: WireCall, store: Store) -> WireCall:
    """Put what was said before in front of a request that goes on from it.

    Raises:
        WireFormatError: What it goes on from is not there, or a call of a function has no output.
    """
    asked = call.shaping
    own = [_resolved(item, store) for item in items_in(asked.get("input"))]
    before = _before(asked, store)
    items = [*before, *own]
    check_calls(items)
    request = call.request
    assert isinstance(request, CompletionRequest)
    if before or own != items_in(asked.get("input")):
        request = replace(request, messages=decode_input(items, asked.get("instructions")))
    return call.with_request(request, items)


def _before(asked: Mapping[str, Any], store: Store) -> Sequence[dict[str, Any]]:
    previous = asked.get("previous_response_id")
    if previous is not None:
        found = store.table("responses").get(previous)
        if found is None:
            raise refuse(
                f"Previous response with id '{previous}' not found.",
                "previous_response_id",
                "previous_response_not_found",
            )
        return found["items"]  # type: ignore[no-any-return]  # what `keep` put there
    identity = conversation_id(asked.get("conversation"))
    if identity is None:
        return ()
    conversation = store.table("conversations").get(identity)
    if conversation is None:
        raise missing(f"Conversation with id '{identity}' not found.")
    return list(conversation["items"].values())


def _resolved(item: dict[str, Any], store: Store) -> dict[str, Any]:
    if item.get("type") != "item_reference":
        return item
    for response in store.table("responses").values():
        for known in response["items"]:
            if known.get("id") == item.get("id"):
                return known  # type: ignore[no-any-return]  # what `keep` put there
    raise missing(
        f"Item with id '{item.get('id')}' not found. Items are not persisted when `store` is set to false. Try again "
        "with `store` set to true, or remove this item from your input.",
        "input",
    )


def keep(response: CompletionResponse, call: WireCall, meta: ResponseMeta, store: Store) -> None:
    """Keep a response, unless the request says not to, and add it to its conversation."""
    asked = call.shaping
    body = body_of(response, meta, asked)
    own = [listed(item, new_id("msg", meta, 1000 + place)) for place, item in enumerate(items_in(asked.get("input")))]
    identity = conversation_id(asked.get("conversation"))
    conversation = store.table("conversations").get(identity or "")
    if conversation is not None:
        conversation["items"].update((item["id"], item) for item in (*own, *body["output"]))
    if asked.get("store") is False:
        return
    store.table("responses")[body["id"]] = {
        "body": body,
        "input": own,
        "items": [*(call.recalled or ()), *body["output"]],
        "background": asked.get("background") is True,
        "said": (response, call, meta),
    }
