"""What an endpoint that is no conversation answers, where plain JSON does not say all of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llmtest.types import Usage

__all__ = ["Served"]


@dataclass(frozen=True, slots=True)
class Served:
    """An answer of an endpoint that `gives` JSON, with what surrounds it; a `default` may return one.

    Args:
        content: What `encode_answer` takes.
        usage: What is billed; None: nothing is, for the API charges nothing. An answer that costs what no count of
            tokens says (images, seconds, letters) is billed `UNKNOWN_USAGE`, whose price is unknown, never zero.
        content_type: Its content type; None: that of JSON, or of the endpoint's streams.
        pieces: The pieces of a streamed answer, which goes out instead of `content`; None: it comes whole.
    """

    content: Any = b""
    usage: Usage | None = None
    content_type: str | None = None
    pieces: tuple[bytes, ...] | None = None
