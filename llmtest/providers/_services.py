"""What a provider is asked beside conversations: its models, token counts, and embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from llmtest.clock import run_blocking
from llmtest.costs import estimate_request_tokens
from llmtest.errors import ConfigurationError, ModelNotFoundError, NotSupportedError, ProviderError
from llmtest.providers._http_clients import Door
from llmtest.providers._http_exchange import HttpExchange
from llmtest.types import (
    NO_TIMEOUTS,
    CompletionRequest,
    EmbeddingRequest,
    EmbeddingResponse,
    ModelCard,
    ModelMetadata,
    Timeouts,
    TokenCountRequest,
    TokenCountResult,
)

__all__ = ["LACKING", "ServiceCalls"]

LACKING = frozenset({404, 405, 501})
"""Statuses of an endpoint that a server does not have, although its API has it."""

Countable = CompletionRequest | TokenCountRequest | str
Embeddable = EmbeddingRequest | Sequence[str] | str


class ServiceCalls(HttpExchange):
    """The calls of a provider that complete nothing; blocking, and with `_async` behind the name on the event loop."""

    def list_models(self) -> list[str]:
        """Return the ids of the provider's models, blocking.

        Raises:
            ProviderError: The provider, or the way to it, failed.
            NotSupportedError: Its API has no such list.
        """
        return run_blocking(self._list_models(self._blocking))

    async def list_models_async(self) -> list[str]:
        """Return the ids of the provider's models, on the event loop; errors as of `list_models`."""
        return await self._list_models(self._async)

    def get_model_info(self, model: str | None = None) -> ModelMetadata:
        """Return what the provider itself tells of a model, completed by what is known without asking; blocking.

        Args:
            model: The model; default: the provider's.

        Raises:
            ModelNotFoundError: It has no such model.
            ProviderError: The provider, or the way to it, failed.
            NotSupportedError: Its API tells nothing of one model.
        """
        return run_blocking(self._get_model_info(model, self._blocking))

    async def get_model_info_async(self, model: str | None = None) -> ModelMetadata:
        """Return what the provider tells of a model, on the event loop; errors as of `get_model_info`."""
        return await self._get_model_info(model, self._async)

    @property
    def supports_token_counting(self) -> bool:
        """Whether its API counts the tokens of a prompt; if not, `count_tokens` estimates them."""
        return self._giving("token_count") is not None

    def count_tokens(self, request: Countable) -> TokenCountResult:
        """Count the tokens of a prompt, blocking: by the API where it counts, else by the estimate of `count_tokens`.

        Args:
            request: A request, a `TokenCountRequest`, or the text of a prompt.

        Returns:
            The tokens, and whether they are `exact` or `estimated`.

        Raises:
            ProviderError: The provider, or the way to it, failed. A server that lacks the endpoint is no failure.
        """
        return run_blocking(self._count_tokens(request, self._blocking))

    async def count_tokens_async(self, request: Countable) -> TokenCountResult:
        """Count the tokens of a prompt, on the event loop; errors as of `count_tokens`."""
        return await self._count_tokens(request, self._async)

    def embed(self, inputs: Embeddable, model: str | None = None) -> EmbeddingResponse:
        """Return texts as vectors, blocking.

        Args:
            inputs: A text, several, or an `EmbeddingRequest`.
            model: Model that embeds; no model of conversations does.

        Raises:
            ConfigurationError: No model is named.
            NotSupportedError: Its API embeds nothing.
            ProviderError: The provider, or the way to it, failed.
        """
        return run_blocking(self._embed(inputs, model, self._blocking))

    async def embed_async(self, inputs: Embeddable, model: str | None = None) -> EmbeddingResponse:
        """Return texts as vectors, on the event loop; errors as of `embed`."""
        return await self._embed(inputs, model, self._async)

    async def _cards(self, model: str | None, door: Door, timeouts: Timeouts = NO_TIMEOUTS) -> list[ModelCard]:
        endpoint = self._asked_for("models" if model is None or not self._tells_one_model else "model")
        if not endpoint.has("encode_call", "decode_answer"):
            raise NotSupportedError(f"`{self.name}` tells nothing of its models", provider=self.name)
        try:
            wire = self._placed(endpoint.encode_call(model if self._tells_one_model else None), endpoint)
            _, body = await self._fetch(wire, self._limits(timeouts, streaming=False), door)
            return list(endpoint.decode_answer(body, {}))
        except ProviderError as error:
            raise self._named(error, model) from error.__cause__

    @property
    def _tells_one_model(self) -> bool:
        return any(each.operation == "model" and each.has("encode_call", "decode_answer") for each in self._reachable)

    async def _list_models(self, door: Door) -> list[str]:
        self._models = tuple(card.id for card in await self._cards(None, door))
        return list(self._models)

    async def _get_model_info(self, model: str | None, door: Door) -> ModelMetadata:
        known = self.model_metadata(model)
        cards = await self._cards(known.id, door)
        only = cards[0] if self._tells_one_model and len(cards) == 1 else None  # an alias is told by its own name
        card = next((each for each in cards if each.id == known.id), only)
        if card is None:
            raise ModelNotFoundError(f"`{self.name}` has no model `{known.id}`", provider=self.name, model=known.id)
        return replace(
            known,
            context_length=card.max_input_tokens or known.context_length,
            max_output_tokens=card.max_tokens or known.max_output_tokens,
            input_cost_per_token=_either(card.input_cost_per_token, known.input_cost_per_token),
            output_cost_per_token=_either(card.output_cost_per_token, known.output_cost_per_token),
            display_name=card.display_name,
        )

    async def _count_tokens(self, asked: Countable, door: Door) -> TokenCountResult:
        request = _completion(asked)
        endpoint = self._giving("token_count")
        if endpoint is not None:
            request = self._addressed(request)
            try:
                wire = self._placed(endpoint.encode_call(request), endpoint)
                headers, body = await self._fetch(wire, self._limits(NO_TIMEOUTS, streaming=False), door)
                return TokenCountResult(endpoint.decode_answer(body, headers), "exact", request.model)
            except ProviderError as error:
                if error.status not in LACKING or isinstance(error, ModelNotFoundError):
                    raise self._named(error, request.model) from error.__cause__
        return TokenCountResult(estimate_request_tokens(request), "estimated", request.model or self.model)

    async def _embed(self, inputs: Embeddable, model: str | None, door: Door) -> EmbeddingResponse:
        endpoint = self._giving("embeddings")
        if endpoint is None:
            raise NotSupportedError(f"`{self.name}` embeds nothing", provider=self.name)
        request = inputs if isinstance(inputs, EmbeddingRequest) else _texts(inputs)
        if model is not None:
            request = replace(request, model=model)
        if request.model is None:
            raise ConfigurationError(
                f"`{self.name}` was not told which model embeds; none of those that answer does.\n\n"
                'To fix: provider.embed("text", model="...")'
            )
        try:
            wire = self._placed(endpoint.encode_call(request), endpoint)
            headers, body = await self._fetch(wire, self._limits(NO_TIMEOUTS, streaming=False), door)
            answer: EmbeddingResponse = endpoint.decode_answer(body, headers)
        except ProviderError as error:
            raise self._named(error, request.model) from error.__cause__
        return answer if answer.model else replace(answer, model=request.model)


def _either(told: Decimal | None, known: Decimal | None) -> Decimal | None:
    return known if told is None else told


def _completion(asked: Countable) -> CompletionRequest:
    if isinstance(asked, CompletionRequest):
        return asked
    if isinstance(asked, TokenCountRequest):
        return asked.as_completion()
    return CompletionRequest.ask(asked)


def _texts(inputs: Sequence[str] | str) -> EmbeddingRequest:
    return EmbeddingRequest((inputs,) if isinstance(inputs, str) else tuple(inputs))
