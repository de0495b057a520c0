"""What a provider is told about its model, and how long it may take where nobody says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from llmtest.types import Timeouts

__all__ = ["DEFAULT_TIMEOUTS", "Defaults"]

DEFAULT_TIMEOUTS = Timeouts(connect=10.0, read=60.0)


class Defaults(TypedDict, total=False):
    """What a provider is told about its model.

    `max_tokens` and `temperature` are sent where a request does not say; `context_window` is how many tokens prompt and
    answer may hold together, `price` what its model costs, in the arguments of `Prices.add`:
    `{"input_usd_per_mtok": "1.25", "output_usd_per_mtok": "10"}`.
    `chunk_size` gathers the words of a stream into pieces of so many characters at least, of which one is handed over
    after `buffer_timeout_ms` (100) whatever its size; by default a stream is handed over as it comes.
    """

    max_tokens: int | None
    temperature: float | None
    context_window: int | None
    price: Mapping[str, Any] | None
    chunk_size: int | None
    buffer_timeout_ms: float | None
