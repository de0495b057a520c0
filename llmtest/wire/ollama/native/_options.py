"""What Ollama may be asked for beside its conversation: `options`, `format`, `think`, log probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmtest.errors import NotSupportedError
from llmtest.types import CompletionRequest, ResponseFormat
from llmtest.wire.ollama.native._parts import DIALECT

__all__ = ["OWN_OPTIONS", "decode_options", "encode_options", "refuse_unsayable"]

OWN_OPTIONS = {
    "num_predict": "max_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "seed": "seed",
    "stop": "stop_sequences",
}
"""Fields of `options` that mean the same under our names."""
_EFFORTS: dict[str, bool | str] = {"none": False, "low": "low", "medium": "medium", "high": "high", "max": "max"}
_RANGES = {"temperature": (0.0, 2.0), "top_p": (0.0, 1.0), "top_k": (0, 1 << 31), "num_predict": (1, 1 << 31)}
"""What a request of ours can say; what Ollama takes beyond it stays as it is written."""


def refuse_unsayable(request: CompletionRequest) -> None:
    """Refuse what Ollama's own API has no word for and what would change the answer.

    Raises:
        NotSupportedError: The request asks for such a thing.
    """
    refused = ""
    if request.n is not None and request.n > 1:
        refused = f"there is one answer to a request; `n={request.n}` is not possible"
    elif request.tool_choice not in (None, "auto"):
        refused = f"the model chooses its tools itself; `tool_choice={request.tool_choice!r}` is not possible"
    elif request.parallel_tool_calls is False:
        refused = "the model calls as many tools at once as it likes; `parallel_tool_calls=False` is not possible"
    elif request.max_tokens == 0:
        refused = "an answer has tokens; `max_tokens=0` is Anthropic's"
    elif request.reasoning_effort is not None and request.reasoning_effort not in _EFFORTS:
        refused = f"no effort `{request.reasoning_effort}`; there is {', '.join(_EFFORTS)}"
    if refused:
        raise NotSupportedError(f"{DIALECT}: {refused}", model=request.model)


def encode_options(request: CompletionRequest) -> dict[str, Any]:
    """Write the fields of a body that are options of a request.

    Raises:
        NotSupportedError: Ollama has no word for one of them.
    """
    refuse_unsayable(request)
    found: dict[str, Any] = {}
    form = request.response_format
    if form is not None and form.type != "text":
        found["format"] = form.schema if form.type == "json_schema" else "json"
    if request.reasoning_effort is not None:
        found["think"] = _EFFORTS[request.reasoning_effort]
    if request.logprobs is not None:
        found["logprobs"] = request.logprobs
    if request.top_logprobs is not None:
        found["top_logprobs"] = request.top_logprobs
    options = {own: getattr(request, name) for own, name in OWN_OPTIONS.items()}
    options = {own: value for own, value in options.items() if value is not None and value != ()}
    if "stop" in options:
        options["stop"] = list(options["stop"])
    if options:
        found["options"] = options
    return found


def decode_options(body: Mapping[str, Any]) -> dict[str, Any]:
    """Read the options of a body that has been checked, as arguments of a request."""
    given = body.get("options")
    given = given if isinstance(given, dict) else {}
    found = {
        name: given[own]
        for own, name in OWN_OPTIONS.items()
        if given.get(own) is not None and _sayable(own, given[own])
    }
    if "stop_sequences" in found:
        found["stop_sequences"] = tuple(found["stop_sequences"])
    form = body.get("format")
    if isinstance(form, dict):
        found["response_format"] = ResponseFormat.json_schema(form)
    elif form == "json":
        found["response_format"] = ResponseFormat("json_object")
    think = body.get("think")
    effort = next((word for word, value in _EFFORTS.items() if type(value) is type(think) and value == think), None)
    if effort is not None:
        found["reasoning_effort"] = effort
    for name in ("logprobs", "top_logprobs"):
        if body.get(name) is not None:
            found[name] = body[name]
    return found


def _sayable(own: str, value: Any) -> bool:
    least, most = _RANGES.get(own, (None, None))
    return least is None or most is None or least <= value <= most
