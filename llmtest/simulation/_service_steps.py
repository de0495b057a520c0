"""What a script may say, and what it decides about requests that are no conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmtest.errors import ConfigurationError, SimulationStateError
from llmtest.faults import Fault
from llmtest.faults._refusals import NotThere
from llmtest.simulation._fault_effects import lay_on
from llmtest.simulation._own_endpoint import own_endpoint
from llmtest.simulation._script_texts import never_played, wordless
from llmtest.simulation.script._reply import Prepared
from llmtest.simulation.script._service_answers import Embedding, Json, Raw
from llmtest.types import EmbeddingRequest

if TYPE_CHECKING:
    from llmtest.simulation._engine import Engine
    from llmtest.simulation.plan._answer import Answer
    from llmtest.wire import WireCall

__all__ = ["check_fits", "not_there", "operation_at", "sayable", "send_raw", "serve_step"]


def serve_step(engine: Engine, content: Any, call: WireCall, answer: Answer, key: tuple[object, ...]) -> None:
    """Let a step decide about what is no conversation; without one the endpoint answers as it always does."""
    if content is not None and callable(content) and not isinstance(content, Fault):
        content = engine.called(content, call.request, answer, call.endpoint.gives)
    if isinstance(content, Fault):
        lay_on(content, answer, engine)
        if answer.error is not None or answer.failure is not None:
            return
    elif isinstance(content, Json | Raw):
        send_raw(engine, content.raw, answer, key)
        return
    elif isinstance(content, Embedding):
        answer.scripted = content
        _check_vectors(engine, content, call, answer)
    _take_time(engine, answer, key)


def _check_vectors(engine: Engine, content: Embedding, call: WireCall, answer: Answer) -> None:
    request, vectors = call.request, content.vectors
    if not isinstance(request, EmbeddingRequest) or vectors is None:
        return
    if len(vectors) not in {1, len(request.inputs)}:
        engine.note(answer, "harness_error")
        raise engine.world.record_harness_error(
            SimulationStateError(
                f"`{engine.name}`: a step gives {len(vectors)} vectors, and the request has {len(request.inputs)} "
                "inputs.\n\nTo fix: one vector for all of them, Embedding([0.1, 0.2]), or one for each"
            )
        )


def send_raw(engine: Engine, raw: Raw, answer: Answer, key: tuple[object, ...]) -> None:
    """Answer with bytes as they are."""
    answer.raw = raw
    answer.headers = tuple((name.lower(), value) for name, value in (raw.headers or {}).items())
    _take_time(engine, answer, key)


def _take_time(engine: Engine, answer: Answer, key: tuple[object, ...]) -> None:
    if engine.latency is not None:
        drawn = key or ("reply", answer.number)
        answer.head_ns, _ = engine.latency.draw_ns(0, engine.world.seed, "latency", engine.name, *drawn)


def operation_at(engine: Engine, method: str, path: str) -> str:
    """Return what is asked for at an endpoint; one that nobody serves is served from now on.

    Raises:
        ConfigurationError: No method, or no path.
    """
    verb = str(method).upper()
    if not verb.isalpha() or not str(path).startswith("/"):
        raise ConfigurationError(
            f"on() takes a method and a path, got {method!r} and {path!r}.\n\n"
            'To fix: on("POST", "/v1/images/generations")'
        )
    known = engine.dialect.match(verb, path).endpoint
    if known is not None:
        return known.operation
    engine.own[verb, path] = known_endpoint = own_endpoint(engine.spoken, verb, path)
    engine.world.forget_matches()
    return known_endpoint.operation


def check_fits(engine: Engine, operation: str | None, content: Any, label: str) -> None:
    """Refuse a step that answers no request of the kind that its rule is for.

    Args:
        engine: The provider.
        operation: What the rule is for; None, and a pattern: anything.
        content: What is answered.
        label: The step as error texts show it.

    Raises:
        ConfigurationError: It would never be played.
    """
    gives = None if operation is None else _given_by(engine, operation)
    if gives is None or isinstance(content, Fault):
        return
    is_said = isinstance(content, Prepared)
    if (is_said and gives != "completion") or (isinstance(content, Embedding) and gives != "embeddings"):
        raise never_played(label, operation or "", gives)


def _given_by(engine: Engine, operation: str) -> str | None:
    """Return what the endpoint of an operation answers with; None where there is none of that name."""
    own = (each for each in engine.own.values() if each.operation == operation)
    found = next(own, None) or engine.dialect.endpoint(operation)
    return None if found is None else found.gives


def not_there(operation: str | None, engine: Engine, status: int) -> Fault | None:
    """Return the 404 of an endpoint that only a script knows, in the words of its API; None of any other."""
    method, _, path = (operation or "").partition(" ")
    if status != 404 or not path:
        return None
    return NotThere(engine.spoken.errors.not_found(method, path))


def sayable(engine: Engine, prepared: Prepared) -> Prepared:
    """Return a prepared answer as it is.

    Raises:
        ConfigurationError: The API has no word for the reason why it ends.
    """
    words = engine.spoken.settings.get("finish_words")
    if words is not None and prepared.finish_reason not in words:
        raise wordless(engine.name, prepared.finish_reason, words)
    return prepared
