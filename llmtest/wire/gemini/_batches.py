"""Gemini's batches: made, looked at, called off and deleted; each is an operation, with its answers inside.

https://ai.google.dev/api/batch-api
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from llmtest.errors import InvalidRequestError
from llmtest.wire import _ids
from llmtest.wire._batches import DAY, BatchLine, BatchWork, LineResult
from llmtest.wire._endpoint import Endpoint
from llmtest.wire._json import dumps
from llmtest.wire._records import ResponseMeta, WireCall, WireFormatError
from llmtest.wire._store import Store
from llmtest.wire.gemini._checks import asked, refuse
from llmtest.wire.gemini._errors import NO_ENTITY
from llmtest.wire.gemini._generate import model_in

__all__ = ["BATCHES", "CODES"]

WINDOW = 2 * DAY
"""Seconds after which a batch expires: https://ai.google.dev/gemini-api/docs/batch-api"""
USUALLY_LISTED = 50
CODES = {
    "CANCELLED": 1,
    "INVALID_ARGUMENT": 3,
    "DEADLINE_EXCEEDED": 4,
    "NOT_FOUND": 5,
    "PERMISSION_DENIED": 7,
    "RESOURCE_EXHAUSTED": 8,
    "FAILED_PRECONDITION": 9,
    "ABORTED": 10,
    "UNIMPLEMENTED": 12,
    "INTERNAL": 13,
    "UNAVAILABLE": 14,
    "UNAUTHENTICATED": 16,
}
"""Numbers of `google.rpc.Code`, which an error inside a batch has in place of an HTTP status."""
_STATES = {"validating": "PENDING", "failed": "FAILED", "completed": "SUCCEEDED", "cancelled": "CANCELLED"}
_STATES["expired"] = "EXPIRED"
"""Google's words; everything else is RUNNING."""
_KINDS = {"generateContent": "GenerateContentBatch", "embedContent": "EmbedContentBatch"}
_TYPE = "type.googleapis.com/google.ai.generativelanguage.v1main."
_GIVEN_UP = {"code": CODES["CANCELLED"], "message": "The operation was cancelled."}
_BROKEN = {"code": CODES["INTERNAL"], "message": "Internal error encountered."}


def _of(given: Any, *names: str) -> Any:
    """Return a field of an object, by any of its spellings; None where there is none."""
    found = given if isinstance(given, dict) else {}
    return next((found[name] for name in names if name in found), None)


def _lines(call: WireCall, method: str) -> list[BatchLine]:
    """Return what is asked; each is looked at when its turn comes.

    Raises:
        WireFormatError: Google would refuse the batch.
    """
    batch = call.shaping["sent"].get("batch")
    source = _of(batch, "inputConfig", "input_config")
    file = _of(source, "fileName", "file_name")
    if file is not None:
        message = (
            f"You do not have permission to access the File {str(file).removeprefix('files/')} or it may not exist."
        )
        raise WireFormatError(InvalidRequestError(message, status=403, code="PERMISSION_DENIED"))
    given = _of(_of(source, "requests"), "requests")
    if not isinstance(given, list) or not given:
        raise refuse("* BatchGenerateContentRequest.batch.input_config: input_config is not specified\n")
    path = f"{call.endpoint.dialect.root}/models/{call.model}:{method}"
    kept = (("x-goog-api-key", call.api_key),) if call.api_key else ()
    found = []
    for place, each in enumerate(given):
        request = _of(each, "request")
        if not isinstance(request, dict):
            raise refuse(f"* BatchGenerateContentRequest.batch.requests[{place}].request: request is not specified\n")
        key = _of(_of(each, "metadata"), "key")
        found.append(BatchLine(str(place) if key is None else str(key), "POST", path, request, kept))
    return found


def _creating(method: str) -> Callable[[WireCall, ResponseMeta, Store], dict[str, Any]]:
    def create(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
        lines = _lines(call, method)
        batch = call.shaping["sent"]["batch"]
        given = _of(_of(_of(batch, "inputConfig", "input_config"), "requests"), "requests")
        facts = {
            "name": f"batches/{_ids.letters(meta.number or 0, 36).lower()}",
            "kind": _KINDS[method],
            "model": f"models/{call.model}",
            "title": _of(batch, "displayName", "display_name"),
            "metadata": [_of(each, "metadata") for each in given],
        }
        job = BatchWork(
            facts["name"].partition("/")[2],
            lines,
            meta.created_s,
            store.batch_seconds,
            WINDOW,
            validating_s=0.0,
            finalizing_s=0.0,
            facts=facts,
        )
        store.begin(job)
        return _shown(job, meta.created_s)

    return create


def _shown(job: BatchWork, now: float) -> dict[str, Any]:
    """Write a batch as the operation that it is."""
    facts, stage = job.facts, job.stage(now)
    stats = {
        "requestCount": len(job.lines),
        "successfulRequestCount": job.succeeded,
        "failedRequestCount": job.failed,
        "pendingRequestCount": 0 if job.is_over(now) else len(job.lines) - len(job.results),
    }
    metadata: dict[str, Any] = {
        "@type": _TYPE + facts["kind"],
        "model": facts["model"],
        **({} if facts["title"] is None else {"displayName": facts["title"]}),
        "createTime": _instant(job.made_s),
        "updateTime": _instant(now),
        "batchStats": {name: str(number) for name, number in stats.items() if number},
        "state": f"BATCH_STATE_{_STATES.get(stage, 'RUNNING')}",
        "name": facts["name"],
    }
    found: dict[str, Any] = {"name": facts["name"], "metadata": metadata}
    if not job.is_over(now):
        return found
    metadata["endTime"] = _instant(job.given_up_s if job.given_up_s is not None else min(job.done_s, job.expires_s))
    if stage == "expired":
        message = "The batch expired before it was done."
        return {**found, "done": True, "error": {"code": CODES["DEADLINE_EXCEEDED"], "message": message}}
    results: list[LineResult | None] = [*job.results, *(None for _ in job.undone())]
    told = [
        {**_result(result), **({} if own is None else {"metadata": own})}
        for result, own in zip(results, facts["metadata"], strict=True)
    ]
    output = {"inlinedResponses": {"inlinedResponses": told}}
    metadata["output"] = output
    if stage == "cancelled":
        return {**found, "done": True, "error": _GIVEN_UP}
    return {**found, "done": True, "response": {"@type": f"{_TYPE}{facts['kind']}Output", **output}}


def _result(result: LineResult | None) -> dict[str, Any]:
    if result is None:
        return {"error": _GIVEN_UP}
    if result.succeeded:
        return {"response": result.body}
    error = _of(result.body, "error")
    if not isinstance(error, dict):
        return {"error": _BROKEN}
    # Google's SDK reads details as texts alone, so that those of an answer are not handed on.
    code = CODES.get(str(error.get("status")), CODES["INTERNAL"])
    return {"error": {"code": code, "message": str(error.get("message") or "")}}


def _instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _found(call: WireCall, store: Store) -> BatchWork:
    """Return the batch that a path names.

    Raises:
        WireFormatError: There is none.
    """
    job = store.table("batches").get(call.shaping["batch"])
    if not isinstance(job, BatchWork):
        raise WireFormatError(InvalidRequestError(NO_ENTITY, status=404, code="NOT_FOUND"))
    return job


def _get(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    return _shown(_found(call, store), meta.created_s)


def _cancel(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    _found(call, store).cancel(meta.created_s)
    return {}


def _delete(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    del meta
    job = _found(call, store)
    if job in store.under_way:
        store.under_way.remove(job)
    del store.table("batches")[job.id]
    return {}


def _list(call: WireCall, meta: ResponseMeta, store: Store) -> dict[str, Any]:
    jobs = [each for each in reversed(store.table("batches").values()) if isinstance(each, BatchWork)]
    size, token = (str(call.shaping.get(name) or default) for name, default in (("pageSize", 50), ("pageToken", 0)))
    if not size.isdecimal() or not token.isdecimal():
        raise refuse("* ListBatchesRequest: page_size and page_token must be those of an earlier list\n")
    end = int(token) + (int(size) or USUALLY_LISTED)
    found = {"operations": [_shown(job, meta.created_s) for job in jobs[int(token) : end]]}
    return {**found, "nextPageToken": str(end)} if end < len(jobs) else found


def _decode_call(
    endpoint: Endpoint, headers: Mapping[str, str], body: bytes, parameters: Mapping[str, str]
) -> WireCall:
    sent = asked(body) if body and endpoint.method == "POST" else {}
    key = endpoint.dialect.read_key(headers) or parameters.get("key")
    model = model_in(parameters.get("model"))
    return WireCall(endpoint, model=model, api_key=key, shaping={"sent": sent, **parameters})


def _encode_answer(data: Any, call: WireCall, meta: ResponseMeta) -> bytes:
    del call, meta
    return data if isinstance(data, bytes) else dumps(data)


def _service(
    operation: str, method: str, pattern: str, default: Callable[[WireCall, ResponseMeta, Store], Any]
) -> Endpoint:
    return Endpoint(
        operation,
        method,
        pattern,
        decode_call=_decode_call,
        encode_answer=_encode_answer,
        default=default,
        reads_query=True,
    )


BATCHES = (
    _service("batch_create", "POST", "/models/{model}:batchGenerateContent", _creating("generateContent")),
    _service("embedding_batch_create", "POST", "/models/{model}:asyncBatchEmbedContent", _creating("embedContent")),
    _service("batches", "GET", "/batches", _list),
    _service("batch_cancel", "POST", "/batches/{batch}:cancel", _cancel),
    _service("batch", "GET", "/batches/{batch}", _get),
    _service("batch_delete", "DELETE", "/batches/{batch}", _delete),
)
"""`batchGenerateContent`, `asyncBatchEmbedContent`, and `/v1beta/batches`."""
