"""One thing that can be asked of an API: its address, and how question and answer are written, in both directions.

An endpoint serves two users (design D1). A provider of our own layer uses the *client half*: it encodes calls and
decodes answers. A simulated provider uses the *server half*: it decodes calls and encodes answers. All functions are
pure: bytes and types in, bytes and types out. No I/O, no clock (a time that matters is passed in), no randomness (ids
are built from numbers passed in).

**Nothing is lost.** What the types do not model stays verbatim: fields of the body in `extra`, by dialect and under
their own name, content blocks in `OpaquePart`. What is of one dialect is never written in another. Where a modelled
field (`messages`, `choices`, `content`, `usage`, ...) holds more than its type can say, `extra` keeps the JSON of that
whole field beside the typed form, and encoding writes that JSON again as long as the typed form still says the same. So
`decode(encode(x)) == x`, and what was recorded is said again in full.

**Headers** come in as any mapping with lower-case keys or without regard to case, and go out as pairs.

**Streams.** `feed` returns the events that a piece of bytes completes. It raises what the stream says is wrong only
after the events before it have been returned (at the next `feed` or at `close`), so that no chunk boundary loses an
event. A stream that breaks raises `StreamInterruptedError`: `kind="error"` for an error event (its `__cause__` is the
typed error, with status 200), `malformed` for an event that cannot be read, `truncated` at `close` where the terminator
never came. `done` tells that the last event was seen; whatever follows it is ignored. `close` returns the `end` event.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from copy import copy
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qsl

from llmtest.errors import ProviderError, SimulationStateError
from llmtest.wire._classify import gateway_page
from llmtest.wire._records import Headers, ResponseMeta, StreamDecoder, WireCall, WireRequest
from llmtest.wire._store import Store
from llmtest.wire.framing import SSE, Framing

if TYPE_CHECKING:
    from llmtest.wire._dialect import Dialect, Errors

__all__ = ["Endpoint", "Gives", "call_without_body"]

Gives = Literal["completion", "embeddings", "models", "token_count", "json"]
"""What an endpoint answers with: the type that `encode_answer` takes and `decode_answer` returns.

`completion`: a `CompletionResponse`, which a script says. `embeddings`: an `EmbeddingResponse`. `models`: a sequence of
`ModelCard`. `token_count`: an `int`. `json`: whatever JSON can say, made by `default` where no script says it.
"""

_CANNOT = {
    "encode_call": "write a request",
    "decode_answer": "read an answer",
    "encode_stream": "write a streamed answer",
    "stream_decoder": "read a streamed answer",
}
"""What a dialect cannot do without one of the functions that it need not have."""

_PARAMETER = re.compile(r"\\\{(\w+)\\\}")


def _part(found: re.Match[str]) -> str:
    """Return the pattern of a parameter: names of models have slashes in them, other parts of a path have none."""
    return f"(?P<{found[1]}>{'.+' if found[1] == 'model' else '[^/]+'})"


class Endpoint:
    """One endpoint of an API; `Dialect(endpoints=...)` takes them.

    Args:
        operation: What is asked for, as traces, scripts and fault rules call it: `chat`, `embeddings`, `models`, or a
            word of your own.
        method: `POST`, upper case.
        pattern: Path below the dialect's `root`; `{model}` takes the rest of the path, and is the model asked for.
        gives: What it answers with.
        decode_call: Server half: `(endpoint, headers, body, parameters) -> WireCall`; raises `WireFormatError` for what
            the provider would refuse.
        encode_answer: Server half: `(answer, call, meta) -> bytes`.
        encode_call: Client half: `(request, stream=...) -> WireRequest`, its path relative to the base URL; None where
            no client of ours asks.
        decode_answer: Client half: `(body, headers) -> answer`.
        refuse_unsayable: Client half: `(request)`; raises `NotSupportedError` for what `encode_call` has no word for,
            without writing the request, which the way without HTTP never does. None: it asks nothing.
        framing: How a streamed answer is cut into events.
        encode_stream: Server half: `(response, call, meta, chunks) -> list[bytes]`, one element per event, the last one
            included; `chunks` are the pieces in which the text arrives, None cuts it into words.
        stream_decoder: Client half: `(headers) -> StreamDecoder`.
        keep_alive: Bytes of an event that says nothing but that the stream is alive; None where the API has none of its
            own.
        default: For `json`: `(call, meta, store) -> Any`, what is answered where no script says it; raises
            `WireFormatError` for what the provider would refuse.
        recall: Completes a call from what the provider keeps: `(call, store) -> WireCall`; raises `WireFormatError`
            where that is not there.
        keep: For completions: `(response, call, meta, store) -> None`, keeps what was answered for later calls.
        reads_query: Whether the query of the URL counts; its fields are `parameters` beside those of the path.
        errors: Its errors, where they are not worded like those of the whole dialect.
        needs_script: Whether a call that no step answers is an error of the test; the default is yes for completions.
        tells_names: Whether its answers tell their id and which model gave them.
    """

    def __init__(  # noqa: PLR0913 - both halves, by name
        self,
        operation: str,
        method: str,
        pattern: str,
        *,
        gives: Gives = "json",
        decode_call: Callable[[Endpoint, Mapping[str, str], bytes, Mapping[str, str]], WireCall],
        encode_answer: Callable[[Any, WireCall, ResponseMeta], bytes],
        encode_call: Callable[..., WireRequest] | None = None,
        decode_answer: Callable[[bytes, Mapping[str, str]], Any] | None = None,
        refuse_unsayable: Callable[[Any], None] | None = None,
        framing: Framing = SSE,
        encode_stream: Callable[..., list[bytes]] | None = None,
        stream_decoder: Callable[[Mapping[str, str] | None], StreamDecoder] | None = None,
        keep_alive: bytes | None = None,
        default: Callable[[WireCall, ResponseMeta, Store], Any] | None = None,
        recall: Callable[[WireCall, Store], WireCall] | None = None,
        keep: Callable[[Any, WireCall, ResponseMeta, Store], None] | None = None,
        reads_query: bool = False,
        errors: Errors | None = None,
        needs_script: bool | None = None,
        tells_names: bool = True,
    ) -> None:
        self.operation = operation
        self.method = method
        self.pattern = pattern
        self.gives: Gives = gives
        self.decode_call = decode_call
        self.encode_answer = encode_answer
        self.framing = framing
        self.keep_alive = keep_alive
        self.refuse_unsayable = refuse_unsayable
        self.default = default
        self.recall = recall
        self.keep = keep
        self.reads_query = reads_query
        self._errors = errors
        self.needs_script = gives == "completion" if needs_script is None else needs_script
        self.tells_names = tells_names
        self._encode_call = encode_call
        self._decode_answer = decode_answer
        self._encode_stream = encode_stream
        self._stream_decoder = stream_decoder
        self._dialect: Dialect | None = None

    def __repr__(self) -> str:
        return f"<endpoint {self.label}: {self.operation}>"

    @property
    def label(self) -> str:
        """Method and path as a text shows them: `POST /v1/chat/completions`."""
        root = "" if self._dialect is None else self._dialect.root
        return f"{self.method} {root}{self.pattern}"

    @cached_property
    def errors(self) -> Errors:
        """Its errors: its own, or those of the dialect."""
        return self.dialect.errors if self._errors is None else self._errors

    @cached_property
    def dialect(self) -> Dialect:
        """The dialect it belongs to, whose words its errors are."""
        assert self._dialect is not None, f"{self!r} belongs to no dialect"
        return self._dialect

    def of(self, dialect: Dialect) -> Endpoint:
        """Return the same endpoint as part of a dialect."""
        placed = self.at(self.pattern)
        placed._dialect = dialect  # noqa: SLF001 - a copy of this one
        return placed

    def at(self, pattern: str, **changed: Any) -> Endpoint:
        """Return the same endpoint at another path of its own, for an API that has it there too.

        Args:
            pattern: Path below the root of the dialect that is to have it.
            changed: Arguments of the class that are others there.
        """
        given: dict[str, Any] = {
            "gives": self.gives,
            "decode_call": self.decode_call,
            "encode_answer": self.encode_answer,
            "encode_call": self._encode_call,
            "decode_answer": self._decode_answer,
            "refuse_unsayable": self.refuse_unsayable,
            "framing": self.framing,
            "keep_alive": self.keep_alive,
            "encode_stream": self._encode_stream,
            "stream_decoder": self._stream_decoder,
            "default": self.default,
            "recall": self.recall,
            "keep": self.keep,
            "reads_query": self.reads_query,
            "errors": self._errors,
            "needs_script": self.needs_script,
            "tells_names": self.tells_names,
        }
        return Endpoint(self.operation, self.method, pattern, **{**given, **changed})

    @property
    def own_errors(self) -> Errors | None:
        """Its errors, where they are not those of the whole dialect."""
        return self._errors

    @cached_property
    def end(self) -> re.Pattern[str]:
        """A pattern of the end of a path."""
        return re.compile(_PARAMETER.sub(_part, re.escape(self.pattern)) + "$")

    @staticmethod
    def with_query(parameters: Mapping[str, str], query: str) -> Mapping[str, str]:
        """Return what a path says together with what the query says, of which the path has the last word.

        Of a field that comes several times the last counts, but for lists: `ids[]=a&ids[]=b` is `a,b`.
        """
        if not query:
            return parameters
        found: dict[str, str] = {}
        for name, value in parse_qsl(query, keep_blank_values=True):
            found[name] = f"{found[name]},{value}" if name.endswith("[]") and name in found else value
        return {**found, **parameters}

    def read(self, headers: Mapping[str, str], body: bytes, parameters: Mapping[str, str]) -> WireCall:
        """Read a request that came here.

        Raises:
            WireFormatError: The provider would refuse it; `.error` is its answer.
        """
        return self.decode_call(self, headers, body, parameters)

    def encode_call(self, request: Any, *, stream: bool = False) -> WireRequest:
        """Write a request."""
        return self._has("encode_call")(request, stream=stream)  # type: ignore[no-any-return]  # as declared

    def decode_answer(self, body: bytes, headers: Mapping[str, str]) -> Any:
        """Read a whole answer.

        Raises:
            EmptyResponseError: The body has no answer in it.
            InvalidResponseError: The body is not of this dialect.
            ProviderError: The body is an error although the status was a success.
        """
        return self._has("decode_answer")(body, headers)

    @property
    def streams(self) -> bool:
        """Whether its answers can come as a stream."""
        return self._encode_stream is not None

    def encode_stream(self, response: Any, call: WireCall, meta: ResponseMeta, chunks: Any = None) -> list[bytes]:
        """Write a streamed answer, one element per event, the last one included."""
        return self._has("encode_stream")(response, call, meta, chunks)  # type: ignore[no-any-return]  # as declared

    def stream_decoder(self, headers: Mapping[str, str] | None = None) -> StreamDecoder:
        """Start to read a streamed answer."""
        return self._has("stream_decoder")(headers)  # type: ignore[no-any-return]  # as declared

    def has(self, *halves: str) -> bool:
        """Tell whether it has some functions: `encode_call`, `decode_answer`, `encode_stream`, `stream_decoder`."""
        return all(getattr(self, f"_{half}") is not None for half in halves)

    def _has(self, half: str) -> Callable[..., Any]:
        """Return one of the functions that a dialect need not have.

        Raises:
            SimulationStateError: It has it not, which is the mistake of whoever uses it so: no code under test may
                swallow it.
        """
        function: Callable[..., Any] | None = getattr(self, f"_{half}")
        if function is None:
            raise SimulationStateError(
                f"the dialect `{self.dialect.name}` cannot {_CANNOT[half]} at {self.label}: its endpoint has no "
                f"`{half}`.\n\nTo fix: Endpoint({self.operation!r}, {self.method!r}, {self.pattern!r}, {half}=...)"
            )
        return function

    def response_headers(self, meta: ResponseMeta, *, stream: bool = False) -> Headers:
        """Write the headers of a successful answer, rate limits included."""
        return self.dialect.response_headers(meta, self.framing.content_type if stream else None)

    def encode_error(self, error: ProviderError, meta: ResponseMeta) -> tuple[int, Headers, bytes]:
        """Write an error as status, headers and body."""
        return self.errors.encode(error, meta, self.dialect.response_headers(meta))

    def encode_stream_error(self, error: ProviderError, meta: ResponseMeta) -> bytes:
        """Write an error as an event inside a stream.

        No gateway speaks there: an error with its status and no words is told in the provider's own.
        """
        if not error.message and error.status is not None and gateway_page(error.status) is not None:
            error = copy(error)
            error.status = 500
        return self.errors.encode_event(error, meta, self.framing)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes, *, now: datetime) -> ProviderError:
        """Read an error of any make; the class follows from status, code and wording."""
        return self.errors.decode(status, headers, body, now)


def call_without_body(
    endpoint: Endpoint, headers: Mapping[str, str], body: bytes, parameters: Mapping[str, str]
) -> WireCall:
    """Read a request of which the path says everything: the model that it names, if any; a `decode_call`."""
    del body
    return WireCall(endpoint, None, parameters.get("model"), api_key=endpoint.dialect.read_key(headers))
