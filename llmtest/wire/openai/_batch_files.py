"""The files around a batch: the lines of its input, and the results that are written when it is over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from llmtest.wire import _ids
from llmtest.wire._batches import BatchLine, BatchWork, LineResult
from llmtest.wire._json import count, dumps, loads
from llmtest.wire._records import ResponseMeta
from llmtest.wire._store import Store
from llmtest.wire.openai._file_table import add_file

__all__ = ["read_lines", "settle", "usage_of"]

_FIELDS = ("custom_id", "method", "url", "body")
_UNDONE = {
    "expired": ("batch_expired", "This request could not be executed before the completion window expired."),
    "cancelled": ("batch_cancelled", "This request was not executed because the batch was cancelled."),
}
"""What is told of the lines that nobody came to; the first is the example of the guide to the batch API."""
MOST_LINES = 50_000


def _problem(code: str, message: str, line: int | None = None, param: str | None = None) -> dict[str, Any]:
    return {"code": code, "message": message, "param": param, "line": line}


def read_lines(data: bytes, endpoint: str) -> tuple[list[BatchLine], list[dict[str, Any]]]:
    """Read the input of a batch.

    Args:
        data: The file.
        endpoint: Path that every line must be for.

    Returns:
        The lines, and what is wrong with them, as a batch tells of it; lines with something wrong are left out.
    """
    found: list[BatchLine] = []
    problems: list[dict[str, Any]] = []
    known: set[str] = set()
    models: set[object] = set()
    written = [(place, text) for place, text in enumerate(data.splitlines(), 1) if text.strip()]
    for place, text in written:
        problem = _line_problem(text, place, endpoint)
        if problem is not None:
            problems.append(problem)
            continue
        line = loads(text)
        models.add(line["body"].get("model"))
        if line["custom_id"] in known:
            words = f"The custom_id '{line['custom_id']}' for this request is a duplicate of another request. "
            words += "The custom_id parameter must be unique for each request in a batch."
            problems.append(_problem("duplicate_custom_id", words, place, "custom_id"))
        elif len(models) > 1:
            words = "The provided model does not match the rest of the batch. "
            words += "Each batch must contain requests for a single model."
            problems.append(_problem("mismatched_model", words, place, "body.model"))
        else:
            path = endpoint if endpoint.startswith("/v1/") else f"/v1{endpoint}"
            found.append(BatchLine(line["custom_id"], "POST", path, _whole(line["body"])))
        known.add(line["custom_id"])
    if not written:
        words = "The input file is empty. Please ensure that the batch contains at least one request."
        problems.append(_problem("empty_file", words))
    elif len(written) > MOST_LINES:
        words = f"The batch has {len(written)} requests, which is more than the limit of {MOST_LINES} for one batch."
        problems.append(_problem("too_many_tasks", words))
    return found, problems


def _whole(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a body that asks for a whole answer; nothing is streamed into a file."""
    return {name: value for name, value in body.items() if name not in {"stream", "stream_options"}}


def _line_problem(text: bytes, place: int, endpoint: str) -> dict[str, Any] | None:
    """Return what is wrong with a line by itself; None where nothing is."""
    try:
        line = loads(text)
    except ValueError:
        line = None
    if not isinstance(line, dict):
        return _problem("invalid_json_line", "This line is not parseable as valid JSON.", place)
    for name in _FIELDS:
        if line.get(name) is None:
            words = f"Missing required parameter: '{name}'."
            return _problem("missing_required_parameter", words, place, name)
    if not isinstance(line["custom_id"], str) or not isinstance(line["body"], dict):
        name, kind = ("body", "an object") if isinstance(line["custom_id"], str) else ("custom_id", "a string")
        return _problem("invalid_type", f"Invalid type for '{name}': expected {kind}.", place, name)
    if line["method"] != "POST":
        words = f"Invalid value: '{line['method']}'. Supported values are: 'POST'."
        return _problem("invalid_value", words, place, "method")
    if line["url"] != endpoint:
        words = "The URL provided for this request does not match the batch endpoint."
        return _problem("invalid_url", words, place, "url")
    return None


def settle(store: Store, meta: ResponseMeta) -> None:
    """Write the results of the batches that are over and have none yet, in files as old as their end."""
    now = meta.created_s
    for job in store.table("batches").values():
        stage = job.stage(now)
        if "files" in job.facts or stage not in {"completed", "expired", "cancelled"}:
            continue
        ended = job.given_up_s if stage == "cancelled" else job.expires_s if stage == "expired" else job.done_s
        lines = list(_written(job, stage))
        good = [text for is_good, text in lines if is_good]
        bad = [text for is_good, text in lines if not is_good]
        then, number, seconds = replace(meta, created_s=int(ended or now)), job.facts["number"], job.facts["seconds"]
        job.facts["files"] = tuple(
            add_file(store, then, (number << 1) + place, f"{job.id}_{kind}.jsonl", "batch_output", data, seconds)["id"]
            if data
            else None
            for place, (kind, data) in enumerate((("output", b"".join(good)), ("error", b"".join(bad))), 1)
        )


def _written(job: BatchWork, stage: str) -> Iterable[tuple[bool, bytes]]:
    for place, (line, result) in enumerate(zip(job.lines, job.results, strict=False)):
        yield result.succeeded, _row(job, place, line, result)
    done = len(job.results)
    for place, line in enumerate(job.undone()):
        code, message = _UNDONE.get(stage, _UNDONE["cancelled"])
        yield False, _row(job, done + place, line, None, {"code": code, "message": message})


def _row(
    job: BatchWork, place: int, line: BatchLine, result: LineResult | None, error: Mapping[str, str] | None = None
) -> bytes:
    response = None
    if result is not None and result.failure is None:
        response = {"status_code": result.status, "request_id": result.request_id, "body": result.body}
    elif result is not None:
        words = f"The request was not answered ({result.failure})."
        error = {"code": "request_timeout" if result.failure == "timeout" else "server_error", "message": words}
    identity = "batch_req_" + _ids.hexadecimal((job.facts["number"] << 20) + place, 32)
    return dumps({"id": identity, "custom_id": line.custom_id, "response": response, "error": error}) + b"\n"


def usage_of(results: Sequence[LineResult]) -> dict[str, Any]:
    """Return what all answers of a batch used together."""
    sums = dict.fromkeys(("input", "cached", "output", "reasoning"), 0)
    for result in results:
        usage = result.body.get("usage") if result.succeeded and isinstance(result.body, dict) else None
        usage = usage if isinstance(usage, dict) else {}
        told, said = _details(usage, "input", "prompt"), _details(usage, "output", "completion")
        sums["input"] += count(usage.get("input_tokens", usage.get("prompt_tokens")))
        sums["output"] += count(usage.get("output_tokens", usage.get("completion_tokens")))
        sums["cached"] += count(told.get("cached_tokens"))
        sums["reasoning"] += count(said.get("reasoning_tokens"))
    return {
        "input_tokens": sums["input"],
        "input_tokens_details": {"cached_tokens": sums["cached"]},
        "output_tokens": sums["output"],
        "output_tokens_details": {"reasoning_tokens": sums["reasoning"]},
        "total_tokens": sums["input"] + sums["output"],
    }


def _details(usage: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    found = (usage.get(f"{name}_tokens_details") for name in names)
    return next((each for each in found if isinstance(each, dict)), {})
