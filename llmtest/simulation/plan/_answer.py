"""What a simulated provider decided about one request, before it is written in any format.

The HTTP path renders it as a `Plan` in the provider's dialect; the direct path hands it over as it is. So both see the
same decision.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from llmtest.errors import ProviderError
    from llmtest.faults import FailureKind, Fault, FaultRule, HeaderChanges
    from llmtest.simulation._admission import Permit
    from llmtest.simulation._quota import Quota
    from llmtest.simulation.plan._fragmentation import Cutter
    from llmtest.simulation.plan._plan import Exchange
    from llmtest.simulation.plan._wire_edit import Edits
    from llmtest.simulation.script._service_answers import Embedding, Raw
    from llmtest.types import CompletionRequest, CompletionResponse, StreamEvent, Usage
    from llmtest.wire import RateLimits, WireCall
from llmtest.types import EmbeddingRequest

__all__ = ["Answer", "RequestRecord"]


class RequestRecord:
    """One request as a simulated provider saw it, and what came of it.

    It holds what came as it came: what a test does not look at is not decoded.

    Attributes:
        number: Its number at this provider, from 1.
        at_ns: When it arrived, in nanoseconds of the clock.
        outcome: Status code or word, as in `RequestAnswered`; None while it is under way.
        usage: Tokens of the answer.
        cost_usd: Its price; None where nothing was billed or the price is unknown.
        actor: The task or thread that sent it, where nobody marked its call; None where that is not known.
        is_after_cancellation: Whether the task that sent it had been cancelled, and has not ended for it.
        follows: Number of the failed request in the trace that the same running code had sent; 0 where none is known.
        error: What it was refused with, or told inside its stream; None where it was not.
        response: What was decided to answer, whole even where its stream broke; None where that is no conversation.
    """

    __slots__ = (
        "_call",
        "_exchange",
        "actor",
        "at_ns",
        "cost_usd",
        "error",
        "follows",
        "is_after_cancellation",
        "number",
        "outcome",
        "response",
        "usage",
    )

    def __init__(self, number: int, call: WireCall, at_ns: int, exchange: Exchange | None) -> None:
        self.number = number
        self.at_ns = at_ns
        self.outcome: str | None = None
        self.usage: Usage | None = None
        self.cost_usd: Decimal | None = None
        self.actor: object = None
        self.follows = 0
        self.is_after_cancellation = False
        self.error: ProviderError | None = None
        self.response: CompletionResponse | None = None
        self._call = call
        self._exchange = exchange

    def __repr__(self) -> str:
        return f"<request {self.number}: {self.operation} of `{self.model}`, {self.outcome or 'under way'}>"

    @property
    def operation(self) -> str:
        """What was asked for: `chat`, `embeddings`, `models`, `model` or `count_tokens`."""
        return self._call.operation

    @property
    def request(self) -> CompletionRequest | EmbeddingRequest | None:
        """The request, decoded."""
        return self._call.request

    @property
    def model(self) -> str | None:
        """Model that was asked for."""
        return self._call.model

    @property
    def stream(self) -> bool:
        """Whether the answer was to be a stream."""
        return self._call.stream

    @property
    def api_key(self) -> str | None:
        """The key that came with it; None where there was none."""
        return self._call.api_key

    @property
    def read_timeout(self) -> float | None:
        """How many seconds its client waits for the next piece; None where it waits for ever, or came without HTTP."""
        return None if self._exchange is None else self._exchange.timeouts.read

    @property
    def method(self) -> str:
        """`POST`; empty where the request came without HTTP."""
        return "" if self._exchange is None else self._exchange.method

    @property
    def path(self) -> str:
        """Path of its URL; empty without HTTP."""
        return "" if self._exchange is None else self._exchange.path

    @property
    def headers(self) -> Mapping[str, str]:
        """Its headers, names in lower case."""
        return {} if self._exchange is None else self._exchange.headers

    @property
    def body(self) -> bytes:
        """Its body as sent."""
        return b"" if self._exchange is None else self._exchange.body

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
        recorded_error: What a recorded answer refuses with, in its own bytes.
        failure: How the connection fails before any answer.
        response: What is answered; of what is no conversation only what it bills.
        content: What an endpoint that is no conversation answers, as its type has it.
        raw: What goes out as it is, whatever was asked.
        scripted: The vectors that a script gives.
        chunks: Pieces of the text, where the script says them.
        pieces: The events of a stream that is no conversation, or the pieces of a recorded one.
        due_ns: When each piece of a recorded stream is due, in nanoseconds since its head.
        head_ns: Wait before the answer begins.
        slow_ns: Silence between the opening of a stream and its first piece.
        body_ns: From the first token to the last.
        body_fault: What is wrong with the body.
        stream_fault: How the stream breaks.
        silent: Whether the stream opens and never says anything.
        fault: The fault that decided it.
        told_error: The error that a stream tells as an event.
        edits: Edits of what the codec writes, each with the rule it comes from.
        events: What is streamed exactly, instead of what the codec writes.
        struck: Rules whose edits were made; None: there are no edits.
        cutter: Cuts the stream into network pieces; None: one for each event.
        headers: Headers on top of the provider's own.
        is_conversation: Whether a completion was asked for.
        fault_headers: What a fault says about the headers; None takes one away.
        limits: Quotas to tell of in the headers.
        prompt_tokens: Estimate of the prompt, which is billed where the answer was not handed over whole.
        max_tokens: Most tokens that the request allows the answer to have; None: no limit.
        taken: Pieces of a streamed body that the client has taken.
        told: Events of a stream that the client was told.
        service_tier: The tier that serves it; None: the standard one.
        metadata: The caller's own labels of the request.
        place: The quota that counts it among the requests under way, if one does.
        permit: What has to be settled with what it is billed, where somebody counts.
        is_flawed: Whether it is anything but a whole answer as the codec writes it: an error, a failure, a body or a
            stream that breaks, a silence, an edit.
    """

    record: RequestRecord | None = None
    error: ProviderError | None = None
    recorded_error: ProviderError | None = None
    failure: FailureKind | None = None
    response: CompletionResponse | None = None
    content: Any = None
    raw: Raw | None = None
    scripted: Embedding | None = None
    chunks: tuple[str, ...] | None = None
    pieces: tuple[bytes, ...] | None = None
    due_ns: tuple[int, ...] = ()
    head_ns: int = 0
    slow_ns: int = 0
    body_ns: int = 0
    body_fault: Fault | None = None
    stream_fault: Fault | None = None
    silent: bool = False
    fault: str | None = None
    told_error: ProviderError | None = None
    edits: Edits = ()
    events: tuple[Mapping[str, Any] | bytes, ...] | None = None
    struck: list[FaultRule] | None = None
    cutter: Cutter | None = None
    headers: tuple[tuple[str, str], ...] = ()
    is_conversation: bool = True
    fault_headers: HeaderChanges = ()
    limits: RateLimits | None = None
    prompt_tokens: int = 0
    max_tokens: int | None = None
    taken: list[bytes] | None = None
    told: list[StreamEvent] | None = None
    service_tier: str | None = None
    metadata: Mapping[str, str] = MappingProxyType({})
    is_flawed: bool = False
    place: Quota | None = None
    permit: Permit | None = None

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

    def leave(self) -> None:
        """Stand no longer among the requests under way."""
        if self.place is not None:
            self.place.leave()
            self.place = None

    def refuse(self, error: ProviderError) -> None:
        """Answer with an error instead."""
        self.error = error
        self.is_flawed = True

    @property
    def is_spoken(self) -> bool:
        """Whether what is answered is what was decided, and neither a failure nor bytes as they are."""
        return self.error is None and self.failure is None and self.raw is None

    @property
    def is_plain(self) -> bool:
        """Whether the answer is a whole response in which nothing is wrong."""
        return not self.is_flawed and (self.response is not None or self.content is not None or self.raw is not None)
