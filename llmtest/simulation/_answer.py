"""What a simulated provider decided about one request, before it is written in any format.

The HTTP path renders it as a `Plan` in the provider's dialect; the direct path hands it over as it is. So both see the
same decision.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llmtest.types import Usage

if TYPE_CHECKING:
    from decimal import Decimal

    from llmtest.errors import ProviderError
    from llmtest.simulation._plan import FailureKind
    from llmtest.simulation.faults import Fault
    from llmtest.types import CompletionRequest, CompletionResponse, StreamEvent
    from llmtest.wire import EmbeddingRequest, RateLimits

__all__ = ["Answer", "RequestRecord"]


@dataclass(slots=True)
class RequestRecord:
    """One request as a simulated provider saw it, and what came of it.

    Args:
        number: Its number at this provider, from 1.
        operation: `chat`, `embeddings`, `models`, `model` or `count_tokens`.
        request: The request, decoded.
        model: Model that was asked for.
        stream: Whether the answer was to be a stream.
        at_ns: When it arrived, in nanoseconds of the clock.
        method: `POST`; empty where the request came without HTTP.
        path: Path of its URL; empty without HTTP.
        headers: Its headers, names in lower case.
        body: Its body as sent.
        outcome: Status code or word, as in `RequestAnswered`; None while it is under way.
        usage: Tokens of the answer.
        cost_usd: Its price; None where nothing was billed or the price is unknown.
    """

    number: int
    operation: str
    request: CompletionRequest | EmbeddingRequest | None
    model: str | None
    stream: bool
    at_ns: int
    method: str = ""
    path: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    outcome: str | None = None
    usage: Usage | None = None
    cost_usd: Decimal | None = None

    @property
    def at(self) -> float:
        """Seconds since the clock's start."""
        return self.at_ns / 1e9

    @property
    def json(self) -> Any:
        """The body, parsed as JSON."""
        import json

        return json.loads(self.body)


class Answer:
    """One decision, as it is made; what nobody decides stays as the class has it.

    Attributes:
        number: Number of the request at its provider.
        exchange: Number of the request in the trace.
        call: Number of its logical call; 0 = none.
        start_ns: When the request arrived.
        operation: What was asked for.
        model: Model that was asked for.
        stream: Whether the answer is a stream.
        record: Where the outcome is noted for the user, if it is.
        error: What is answered instead.
        failure: How the connection fails before any answer.
        response: What is answered.
        chunks: Pieces of the text, where the script says them.
        head_ns: Wait before the answer begins.
        slow_ns: Silence between the opening of a stream and its first piece.
        body_ns: From the first token to the last.
        body_fault: What is wrong with the body.
        stream_fault: How the stream breaks.
        silent: Whether the stream opens and never says anything.
        fault: The fault that decided it.
        headers: Headers on top of the provider's own.
        limits: Quotas to tell of in the headers.
        prompt_tokens: Estimate of the prompt, which is billed where the answer was not handed over whole.
        max_tokens: Most tokens that the request allows the answer to have; None: no limit.
        taken: Pieces of a streamed body that the client has taken.
        told: Events of a stream that the client was told.
    """

    record: RequestRecord | None = None
    error: ProviderError | None = None
    failure: FailureKind | None = None
    response: CompletionResponse | None = None
    chunks: tuple[str, ...] | None = None
    head_ns: int = 0
    slow_ns: int = 0
    body_ns: int = 0
    body_fault: Fault | None = None
    stream_fault: Fault | None = None
    silent: bool = False
    fault: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    limits: RateLimits | None = None
    prompt_tokens: int = 0
    max_tokens: int | None = None
    taken: list[bytes] | None = None
    told: list[StreamEvent] | None = None

    def __init__(
        self, number: int, exchange: int, call: int, start_ns: int, operation: str, model: str | None, stream: bool
    ) -> None:
        self.number = number
        self.exchange = exchange
        self.call = call
        self.start_ns = start_ns
        self.operation = operation
        self.model = model
        self.stream = stream

    @property
    def is_plain(self) -> bool:
        """Whether the answer is a whole response in which nothing is wrong."""
        return (
            self.response is not None
            and self.error is None
            and self.failure is None
            and self.body_fault is None
            and self.stream_fault is None
            and not self.silent
        )
