"""Perplexity, whose answers cite what was found, and whose streams end without `[DONE]`."""

from __future__ import annotations

from typing import Any

from llmtest.errors import AuthenticationError, ModelNotFoundError, RateLimitedError
from llmtest.types import CompletionResponse, Usage
from llmtest.wire import _ids
from llmtest.wire._dialect import Variables
from llmtest.wire._own_words import OwnWords, Said
from llmtest.wire._records import ResponseMeta
from llmtest.wire.openai import COMPATIBLE
from llmtest.wire.openai._relatives import Ways, relative

__all__ = ["PERPLEXITY"]

_WRONG_KEY = (
    b"<html>\r\n<head><title>401 Authorization Required</title></head>\r\n<body>\r\n"
    b"<center><h1>401 Authorization Required</h1></center>\r\n<hr><center>openresty/1.25.3.1</center>\r\n"
    b"</body>\r\n</html>\r\n"
)


def _usage(usage: Usage) -> dict[str, Any]:
    asked, said = usage.input_tokens, usage.output_tokens
    counts = {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}
    cost = {} if usage.cost_usd is None else {"cost": {"total_cost": float(usage.cost_usd)}}
    return {**counts, "search_context_size": "low", **cost}


def _found(response: CompletionResponse, _: ResponseMeta) -> dict[str, Any]:
    """Return what was searched for: the sources that the answer cites, each once."""
    cited = [cited for part in response.parts for cited in getattr(part, "citations", ())]
    sources = {each.url: each.title for each in cited if each.url}
    results = [{"title": title or url, "url": url, "date": None} for url, title in sources.items()]
    return {"citations": list(sources), "search_results": results}


def _error(message: str, kind: str, code: int) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "code": code}}


def _no_model(error: ModelNotFoundError, meta: ResponseMeta) -> dict[str, Any]:
    message = (
        f"Invalid model '{error.model or meta.model}'. Permitted models can be found in the documentation at "
        "https://docs.perplexity.ai/guides/model-cards."
    )
    return _error(message, "invalid_model", 400)


def _rate_limited(_: RateLimitedError, __: ResponseMeta) -> dict[str, Any]:
    return _error("Request rate limit exceeded, please try again later.", "request_rate_limit_exceeded", 429)


_SAID = (
    Said(RateLimitedError, 429, _rate_limited),
    Said(AuthenticationError, 401, lambda _, __: _WRONG_KEY),
    Said(ModelNotFoundError, 400, _no_model),
)

PERPLEXITY = relative(
    "perplexity",
    title="Perplexity",
    base_url="https://api.perplexity.ai",
    hosts=("https://api.perplexity.ai",),
    roots=("/v1", ""),
    variables=Variables(
        keys=("PERPLEXITY_API_KEY", "PPLX_API_KEY"), base_urls=("PERPLEXITY_BASE_URL",), model="PERPLEXITY_MODEL"
    ),
    ways=Ways(usage=_usage, usage_at_the_end=True, more=_found, ends_without_done=True),
    errors=OwnWords(COMPATIBLE.errors, _SAID, meant={"Invalid model '": ModelNotFoundError}),
    default_model="sonar",
    response_id=_ids.uuid,
)
"""It searches before it answers; a script says what it cites."""
