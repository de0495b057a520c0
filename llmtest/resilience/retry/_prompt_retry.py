"""Ask again with what was wrong: an answer that cannot be used goes back to the model together with the reason."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any

from llmtest.errors import ConfigurationError, InvalidResponseError
from llmtest.events import RetryScheduled, publish
from llmtest.resilience.pipeline._layers import AskPlace, Result
from llmtest.resilience.pipeline._open_stream import OpenStream
from llmtest.resilience.pipeline._running_slot import RunningSlot
from llmtest.resilience.pipeline._visit import Visit
from llmtest.types import ChatMessage, CompletionResponse
from llmtest.types._spelling import settings_tell_near_arguments

__all__ = ["PromptRetry"]

INSTRUCTION = "Your answer cannot be used: {error}\nAnswer again, with the corrected answer and nothing else."
Check = Callable[[str], object]


@settings_tell_near_arguments
@dataclass(frozen=True, slots=True)
class PromptRetry:
    """Ask a provider again with the reason, when its answer cannot be used.

    The answer and the reason are added to the messages, for this one request. Every answer is charged, and those after
    the first carry the purpose `prompt_retry`. When the last allowed one cannot be used either, the call goes on as
    after any answer that cannot be read: to the next slot, or to the caller as an `InvalidResponseError`. A call of
    tools is no text to be checked, and passes. Streams are handed over when they are whole and have passed.

    Args:
        check: What an answer has to be: a function that takes its text and raises a `ValueError` with the reason, such
            as `json.loads`; a pydantic model; or a JSON Schema, which needs the package `jsonschema`.
        max_attempts: Answers that are asked for in one attempt of the retry policy, the first included; 2 or more.
        instruction: What the model is told, with `{error}` for the reason.

    Raises:
        ConfigurationError: The check is none of these, or a value is out of its range.

    Example:
        >>> import json
        >>> from llmtest import FallbackChain, OpenAIProvider
        >>> chain = FallbackChain([OpenAIProvider(api_key="k")], prompt_retry=PromptRetry(json.loads))
    """

    check: Check | Mapping[str, Any] | type
    max_attempts: int = 3
    instruction: str = INSTRUCTION
    _raises: Check = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.max_attempts < 2:
            raise ConfigurationError(f"max_attempts must be 2 or more, got {self.max_attempts}")
        if "{error}" not in self.instruction:
            raise ConfigurationError(
                f"instruction has no place for the reason, got {self.instruction!r}.\nTo fix: write {{error}} into it"
            )
        object.__setattr__(self, "_raises", _check_of(self.check))

    def fault_of(self, response: CompletionResponse) -> str | None:
        """Return why an answer cannot be used; None where it can be."""
        text = response.content
        if response.tool_calls:
            return None
        try:
            self._raises(text or "")
        except ValueError as error:
            return str(error) or type(error).__name__
        return None

    def around(self, place: RunningSlot | None, further: AskPlace) -> AskPlace:  # noqa: ARG002 - the same for each place
        """Put the check around what asks a place."""
        return _Checked(self, further).ask


class _Checked:
    """What asks one place until its answer can be used, or asking again is no use.

    Args:
        settings: What an answer has to be, and how often it is asked for.
        further: What asks the place once.
    """

    __slots__ = ("_further", "_settings")

    def __init__(self, settings: PromptRetry, further: AskPlace) -> None:
        self._settings = settings
        self._further = further

    async def ask(self, visit: Visit) -> Result:
        settings, call, place = self._settings, visit.call, visit.place
        first, purpose, made = visit.request, call.purpose, 0
        try:
            while True:
                made += 1
                result = await self._further(visit)
                response = _whole(result)
                fault = settings.fault_of(response)
                if fault is None:
                    return result
                if isinstance(result, OpenStream):
                    await _refuse(result, response)
                if made >= settings.max_attempts or call.is_spent:
                    answers = "its answer" if made == 1 else f"each of {made} answers"
                    raise InvalidResponseError(
                        f"`{place.name}`: {answers} cannot be used; the last one: {fault}",
                        provider=place.name,
                        model=visit.model,
                        status=200,
                    )
                publish(
                    RetryScheduled(
                        call.clock.now_ns(),
                        call.id,
                        place.name,
                        visit.model,
                        made,
                        0.0,
                        "malformed",
                        InvalidResponseError.__name__,
                    )
                )
                place.retries += 1
                visit.slept = 0.0
                call.purpose = "prompt_retry"
                told = ChatMessage.user(settings.instruction.replace("{error}", fault))
                request = visit.request
                answer = ChatMessage.assistant(response.content or "")
                visit.request = replace(request, messages=(*request.messages, answer, told))
                if first.idempotency_key is not None:
                    # Another request under the same name would be taken for the first one sent twice.
                    visit.request = visit.request.with_idempotency_key(f"{first.idempotency_key}-prompt{made}")
        finally:
            visit.request = first
            call.purpose = purpose


def _whole(result: Result) -> CompletionResponse:
    if not isinstance(result, OpenStream):
        return result
    response = result.held[-1].response if result.held else None
    if response is None:
        raise ConfigurationError(
            "an answer is checked when it is whole, and this chain hands streams over piece by piece.\n"
            'To fix: FallbackChain(..., prompt_retry=PromptRetry(...)), or stream_commit="end"'
        )
    return response


async def _refuse(stream: OpenStream, response: CompletionResponse) -> None:
    """Record a whole stream that is not handed over: it is charged, and its provider is well."""
    stream.is_over = True
    if stream.attempt is not None:
        response = stream.attempt.succeeded(response)
    await stream.source.aclose()
    stream.tell(response)


def _check_of(check: Any) -> Check:
    """Return a function that raises a `ValueError` for a text that is not as it has to be."""
    if isinstance(check, Mapping):
        return _schema_check(check)
    read: Any = getattr(check, "model_validate_json", None)
    if read is not None:
        return read  # type: ignore[no-any-return]  # pydantic's errors are ValueErrors
    if callable(check):
        return check  # type: ignore[no-any-return]  # a function of the caller's
    raise ConfigurationError(
        f"PromptRetry takes a function, a pydantic model or a JSON Schema, got `{check!r}`.\n"
        "To fix: PromptRetry(json.loads)"
    )


def _schema_check(schema: Mapping[str, Any]) -> Check:
    try:
        jsonschema: Any = import_module("jsonschema")
    except ImportError:
        raise ConfigurationError(
            "PromptRetry checks a JSON Schema with the package `jsonschema`, which is not installed.\n"
            "To fix: pip install jsonschema, or give it a pydantic model"
        ) from None
    kind = jsonschema.validators.validator_for(schema)
    try:
        kind.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise ConfigurationError(f"PromptRetry: the JSON Schema is wrong: {error.message}") from None
    validator = kind(schema)

    def check(text: str) -> None:
        found = jsonschema.exceptions.best_match(validator.iter_errors(json.loads(text)))
        if found is not None:
            raise ValueError(f"{found.json_path}: {found.message}")

    return check
