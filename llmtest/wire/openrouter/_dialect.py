"""OpenRouter, whose API is OpenAI-compatible and tells more: who answered, for how much, and which models there are."""

from __future__ import annotations

import re

from llmtest.wire import _ids
from llmtest.wire._dialect import Dialect, Variables
from llmtest.wire._records import Headers, ResponseMeta
from llmtest.wire._vocabulary import Vocabulary
from llmtest.wire.openai import COMPATIBLE
from llmtest.wire.openai._bodies import NAME
from llmtest.wire.openrouter._account import ACCOUNT, MODELS
from llmtest.wire.openrouter._chat import CHAT
from llmtest.wire.openrouter._errors import OpenRouterErrors

__all__ = ["OPENROUTER"]

_OWN = {each.operation: each for each in (CHAT, MODELS)}
_SHARED = tuple(_OWN.get(each.operation, each) for each in COMPATIBLE.endpoints if each.operation != "model")


def _response_id(number: int) -> str:
    return f"gen-{1_750_000_000 + number % 10_000_000}-{_ids.letters(number, 20)}"


def _head(meta: ResponseMeta) -> Headers:
    return () if meta.id is None else (("x-generation-id", meta.id),)


SPOKEN = COMPATIBLE.derived(
    endpoints=(
        *(_OWN.get(each.operation, each) for each in COMPATIBLE.endpoints if each.operation != "model"),
        *ACCOUNT,
    ),
    errors=OpenRouterErrors(),
    head=_head,
    response_id=_response_id,
    settings={**COMPATIBLE.settings, "states_cost": NAME},
)
"""OpenAI's API as OpenRouter speaks it."""

OPENROUTER = Dialect(
    "openrouter",
    title="OpenRouter",
    base_url="https://openrouter.ai/api/v1",
    hosts=("https://openrouter.ai",),
    mounts={"/api/v1": SPOKEN, "/v1": SPOKEN},
    variables=Variables(keys=("OPENROUTER_API_KEY",), base_urls=("OPENROUTER_BASE_URL",), model="OPENROUTER_MODEL"),
    models=(
        "openai/gpt-4o",
        "openai/gpt-4o-mini",
        "anthropic/claude-sonnet-4.5",
        "google/gemini-2.5-flash",
        "meta-llama/llama-3.3-70b-instruct",
    ),
    vocabulary=Vocabulary(
        too_long=(
            re.compile(
                r"This endpoint's maximum context length is (?P<max>\d+) tokens\. However, you requested about "
                r"(?P<asked>\d+) tokens"
            ),
        ),
        no_credit=("Insufficient credits",),
    ),
)
"""Models carry their vendor's name: `mistralai/mistral-large`."""
