"""What a provider does beside chat: models, embeddings, token counts. Answered without any script."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from llmtest.clock import stream
from llmtest.costs import estimate_request_tokens
from llmtest.simulation._gateway import priced
from llmtest.types import (
    CompletionRequest,
    CompletionResponse,
    EmbeddingRequest,
    EmbeddingResponse,
    FinishReason,
    ModelCard,
    Usage,
)
from llmtest.wire import MODELS_KEPT, ResponseMeta, Served, WireCall, dialects

if TYPE_CHECKING:
    from llmtest.simulation._engine import Engine
    from llmtest.simulation.plan._answer import Answer

__all__ = ["embedding", "serve"]

DIMENSIONS = {"text-embedding-3-large": 3072}
DEFAULT_DIMENSIONS = 1536


def serve(engine: Engine, answer: Answer, call: WireCall, meta: ResponseMeta) -> None:
    """Decide what an endpoint that is no conversation answers, and note what it bills."""
    request = call.request
    match call.endpoint.gives:
        case "embeddings":
            assert isinstance(request, EmbeddingRequest)
            answer.content = _embed(answer, request)
        case "token_count":
            assert isinstance(request, CompletionRequest)
            answer.content = estimate_request_tokens(request)
        case "models":
            answer.content = _models(engine, call)
        case _:
            default = call.endpoint.default
            _note(answer, call, {} if default is None else default(call, meta, engine.store))


def _note(answer: Answer, call: WireCall, found: Any) -> None:
    """Note what a service answers, and what it bills."""
    if not isinstance(found, Served):
        answer.content, answer.stream = found, False
        return
    answer.content, answer.pieces, answer.stream = found.content, found.pieces, found.pieces is not None
    if found.content_type is not None:
        answer.headers = (("content-type", found.content_type), *answer.headers)
    if found.usage is not None:
        answer.response = CompletionResponse(finish_reason=FinishReason.STOP, usage=found.usage, model=call.model)


def _models(engine: Engine, call: WireCall) -> list[ModelCard]:
    if call.model:
        names = [call.model]
    else:
        known = dialects().get(engine.name)
        names = [] if known is None else list(known.models)
        talks = {endpoint.operation for endpoint in engine.dialect.served if endpoint.gives == "completion"}
        asked = sorted({record.model for record in engine.records if record.operation in talks and record.model})
        kept = engine.store.table(MODELS_KEPT)
        names = [name for name in dict.fromkeys((*names, *asked, *kept)) if kept.get(name, True)]
    created = int(engine.world.clock.now().timestamp())
    cards = [ModelCard(name, created, engine.name, max_input_tokens=engine.window) for name in names]
    owner = call.endpoint.dialect.settings.get("states_cost")
    return cards if owner is None else [priced(engine, card, owner) for card in cards]


def _embed(answer: Answer, request: EmbeddingRequest) -> EmbeddingResponse:
    size = request.dimensions or DIMENSIONS.get(request.model or "", DEFAULT_DIMENSIONS)
    scripted = answer.scripted
    usage = Usage(answer.prompt_tokens, 0)
    vectors: tuple[tuple[float, ...], ...]
    if scripted is not None and scripted.usage is not None:
        usage = scripted.usage
    if scripted is not None and scripted.vectors is not None:
        given = [tuple(map(float, vector)) for vector in scripted.vectors]
        vectors = tuple(given * len(request.inputs)) if len(given) == 1 else tuple(given)
    else:
        vectors = tuple(embedding(text, request.model, size) for text in request.inputs)
    # Embeddings are billed like answers; an empty response carries the usage to the account.
    answer.response = CompletionResponse(finish_reason=FinishReason.STOP, usage=usage, model=request.model)
    return EmbeddingResponse(vectors, request.model, usage)


def embedding(text: object, model: str | None, size: int) -> tuple[float, ...]:
    """Return a unit vector that depends on the input and the model alone."""
    draws = stream(0, "embedding", model, text)
    values = [draws.gauss(0.0, 1.0) for _ in range(size)]
    length = math.sqrt(math.fsum(value * value for value in values)) or 1.0
    return tuple(value / length for value in values)
