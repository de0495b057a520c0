"""Chat completions that OpenAI keeps where a request says `store: true`, and its endpoints about them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtest.types import CompletionResponse
from llmtest.wire._records import ResponseMeta, WireCall
from llmtest.wire._store import Store
from llmtest.wire.openai._services import missing, page, service
from llmtest.wire.openai.chat._answer_in_kind import in_kind
from llmtest.wire.openai.chat._response import encode_body

__all__ = ["STORED_CHAT", "keep"]

_TABLE = "chat.completions"
_SHOWN = {
    "temperature": 1.0,
    "top_p": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "seed": None,
    "tools": None,
    "tool_choice": None,
    "response_format": None,
}
"""Fields of the request that a completion shows when it is asked for again, and what they are where it had none."""


def keep(response: CompletionResponse, call: WireCall, meta: ResponseMeta, store: Store) -> None:
    """Keep a completion whose request says so."""
    asked = call.shaping.get("stored")
    if asked is None:
        return
    body = encode_body(in_kind(response, call.shaping), meta)
    shown = {name: usual if asked.get(name) is None else asked[name] for name, usual in _SHOWN.items()}
    more = {"request_id": meta.request_id, "input_user": asked.get("user"), "metadata": asked.get("metadata") or {}}
    messages = [_listed(message, f"{body['id']}-{place}") for place, message in enumerate(asked["messages"])]
    store.table(_TABLE)[body["id"]] = {"body": {**body, **shown, **more}, "messages": messages}


def _listed(message: Mapping[str, Any], identity: str) -> dict[str, Any]:
    content = message.get("content")
    parts = content if isinstance(content, list) else None
    return {"name": None, **message, "id": identity, "content": None if parts else content, "content_parts": parts}


def _found(call: WireCall, store: Store) -> dict[str, Any]:
    identity = call.shaping["completion_id"]
    found = store.table(_TABLE).get(identity)
    if found is None:
        raise missing(f"Chat completion with id '{identity}' not found.")
    return found  # type: ignore[no-any-return]  # what `keep` put there


def _list(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    del meta
    fields = call.shaping
    model, labels = fields.get("model"), fields.get("metadata")
    wanted = labels.items() if isinstance(labels, dict) else ()
    bodies = (each["body"] for each in store.table(_TABLE).values())
    found = [
        body
        for body in bodies
        if model in {None, body["model"]} and all(body["metadata"].get(name) == value for name, value in wanted)
    ]
    return page(found, fields, order="asc")


def _retrieve(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    del meta
    return _found(call, store)["body"]  # type: ignore[no-any-return]  # what `keep` put there


def _update(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    body = _retrieve(call, meta, store)
    body["metadata"] = call.shaping.get("metadata") or {}
    return body


def _delete(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    identity = _retrieve(call, meta, store)["id"]
    del store.table(_TABLE)[identity]
    return {"object": "chat.completion.deleted", "id": identity, "deleted": True}


def _messages(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    del meta
    return page(_found(call, store)["messages"], call.shaping, order="asc")


STORED_CHAT = (
    service("chat.list", "GET", "/chat/completions", _list),
    service("chat.retrieve", "GET", "/chat/completions/{completion_id}", _retrieve),
    service("chat.update", "POST", "/chat/completions/{completion_id}", _update),
    service("chat.delete", "DELETE", "/chat/completions/{completion_id}", _delete),
    service("chat.messages", "GET", "/chat/completions/{completion_id}/messages", _messages),
)
"""What OpenAI answers about chat completions that it keeps."""
