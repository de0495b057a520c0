"""One record per dialect: all that this package knows about an API stands in it (design D14).

`llmtest.wire.register` makes a dialect known; then it is intercepted, scripted, faulted, served on a port, recorded and
replayed, named in files, and used by a chain, without another line anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple, Protocol

from llmtest.errors import ConfigurationError, InvalidRequestError, ProviderError, RateLimitedError, RateLimitKind
from llmtest.wire import _ids
from llmtest.wire._batch_api import BatchApi
from llmtest.wire._endpoint import Endpoint
from llmtest.wire._headers import bearer_token
from llmtest.wire._json_errors import JsonErrors
from llmtest.wire._records import Headers, RateLimits, ResponseMeta, WireCall, WireFormatError
from llmtest.wire._variables import Variables
from llmtest.wire._vocabulary import Vocabulary
from llmtest.wire.framing import Framing

__all__ = ["Dialect", "Errors", "Match", "Unserved", "Variables"]

MOST_MATCHES = 1024
_JSON: Headers = (("content-type", "application/json"),)
_NO_CACHE = ("cache-control", "no-cache")
_OWN = {"root", "hosts", "is_default", "is_common", "shutdowns"}
"""What a dialect does not have below another address."""
_NAME = re.compile(r"[a-z][a-z0-9_]*")


class Errors(Protocol):
    """The errors of an API in its own words, both directions."""

    def decode(self, status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> ProviderError:
        """Read an error of any make; never fails."""
        ...

    def worded(self, error: ProviderError, meta: ResponseMeta) -> ProviderError:
        """Fill in status, code, message and request id where the error has none; returns the same error."""
        ...

    def encode(self, error: ProviderError, meta: ResponseMeta, headers: Headers) -> tuple[int, Headers, bytes]:
        """Write an error as status, headers and body; `error.body` goes out verbatim where it is set."""
        ...

    def encode_event(self, error: ProviderError, meta: ResponseMeta, framing: Framing) -> bytes:
        """Write an error as an event inside a stream."""
        ...

    def not_found(self, method: str, path: str) -> InvalidRequestError:
        """Say that nothing is at a path."""
        ...

    def not_allowed(self, method: str, path: str) -> InvalidRequestError:
        """Say that a path has other methods."""
        ...


@dataclass(frozen=True, slots=True)
class Unserved:
    """An endpoint that the real API has and the simulated one has not.

    Args:
        method: `GET`.
        pattern: Path below the dialect's root.
        instead: What the code under test may do instead, as a sentence's end; empty where nothing does the same.
    """

    method: str
    pattern: str
    instead: str = ""


class Match(NamedTuple):
    """What a method and a path lead to.

    Args:
        dialect: The dialect that is spoken there, whose words a refusal is in.
        endpoint: What is asked for; None where nothing here answers it.
        parameters: What the path says: `model`, where it is a part of it.
        allowed: Methods that the path has, where it has others than the one asked for.
        unserved: What the real API has there, where the simulated one has it not.
        is_native: Whether the path belongs to an API that nobody here speaks at all.
    """

    dialect: Dialect
    endpoint: Endpoint | None = None
    parameters: Mapping[str, str] = {}
    allowed: tuple[str, ...] = ()
    unserved: Unserved | None = None
    is_native: bool = False


def _unread(
    endpoint: Endpoint, headers: Mapping[str, str], body: bytes, parameters: Mapping[str, str]
) -> WireCall:  # nobody reads what nobody answers
    del headers, body, parameters
    return WireCall(endpoint)


def _unsaid(answer: Any, call: WireCall, meta: ResponseMeta) -> bytes:
    del answer, call, meta
    return b""


def _plain_headers(meta: ResponseMeta) -> Headers:
    return () if meta.request_id is None else (("x-request-id", meta.request_id),)


def _bearer(api_key: str | None) -> Headers:
    return () if api_key is None else (("authorization", f"Bearer {api_key}"),)


def _refused(model: str | None, kind: RateLimitKind, wait: float | None) -> ProviderError:
    error = RateLimitedError("", model=model, status=429, retry_after=wait)
    error.limit_kind = kind
    return error


class Dialect:
    """An API: where it is, what can be asked of it, and how it speaks of errors, limits and ids.

    Args:
        name: What files, traces and handles call it, and a provider that speaks it: lower-case letters, digits, `_`.
        title: What a sentence calls it; the name by default.
        root: What stands before every pattern in the path of its own address, such as `/v1`.
        base_url: Address that a provider of our own layer asks; paths of calls continue it.
        hosts: Addresses at which a simulated provider of this name is reached from the start; a `*` stands for any
            text, as in `https://*.example.org` for every subdomain.
        any_port: Whether those are reached on every port.
        endpoints: What can be asked of it.
        mounts: Other dialects that it speaks below a part of its address: `{"/v1": compatible}`.
        auth: Writes the headers that carry a key.
        read_key: Reads the key out of the headers of a request.
        variables: Its variables of the environment.
        errors: Its errors; by default those of the dialect it is mounted with, where it has no endpoint of its
            own, else `{"error": {"message", "type", "code"}}`.
        head: Headers of every answer beside `content-type` and rate limits.
        write_limits: Writes rate limits as headers; by default none are told.
        read_limits: Reads them.
        usual_limits: Limits a minute that a 429 tells of where a provider has none of its own, those of a small
            account: `requests`, `tokens`, `input_tokens`, `output_tokens`.
        over_quota: Makes the refusal of a quota: `(model, kind, seconds to wait or None) -> error`; None waits never
            help. By default a `RateLimitedError`.
        response_id: Makes the id of an answer of a number.
        request_id: Makes the id of a request.
        tool_call_id: Makes the id of a tool call.
        private_headers: Its headers that tell who the caller is; no recording keeps their values.
        marks: Tells from headers whether only a client of this API can have sent them.
        models: Models that its list names from the start.
        default_model: Model that a provider of our own layer asks for where nobody names one.
        needs_key: Whether such a provider refuses to be made without a key.
        unserved: What the real API has beyond `endpoints`.
        vocabulary: The words of its failures.
        settings: What its endpoints want to know beside the call, such as a version of the API.
        is_provider: Whether there is a provider of this name: False for a manner of speaking that several have.
        is_default: Whether paths that say nothing else are taken to be its own.
        is_common: Whether providers of names that nobody knows are taken to speak it.
        aliases: Other names by which files ask for its provider, such as that of its models' family.
        batches: How a client has many requests answered over a day; None: it cannot.
        telemetry_name: What OpenTelemetry's conventions call its provider (`gen_ai.provider.name`); None: as `name`.
        shutdowns: Models by the day on which they are shut down, as it is announced: `{"2027-01-31": ("model-1",)}`.

    Raises:
        ValueError: The name is none that files and handles can write.
    """

    def __init__(  # noqa: PLR0913 - everything there is to know, by name
        self,
        name: str,
        *,
        title: str | None = None,
        root: str = "",
        base_url: str | None = None,
        hosts: tuple[str, ...] = (),
        any_port: bool = True,
        endpoints: tuple[Endpoint, ...] = (),
        mounts: Mapping[str, Dialect] | None = None,
        auth: Callable[[str | None], Headers] = _bearer,
        read_key: Callable[[Mapping[str, str]], str | None] = bearer_token,
        variables: Variables | None = None,
        errors: Errors | None = None,
        head: Callable[[ResponseMeta], Headers] = _plain_headers,
        write_limits: Callable[[RateLimits, datetime], Headers] | None = None,
        read_limits: Callable[[Mapping[str, str], datetime], RateLimits | None] | None = None,
        usual_limits: Mapping[str, int] | None = None,
        over_quota: Callable[[str | None, RateLimitKind, float | None], ProviderError] = _refused,
        response_id: Callable[[int], str] = lambda number: "resp_" + _ids.letters(number, 24),
        request_id: Callable[[int], str] = lambda number: "req_" + _ids.hexadecimal(number, 32),
        tool_call_id: Callable[[int], str] = lambda number: "call_" + _ids.letters(number, 24),
        private_headers: tuple[str, ...] = (),
        marks: Callable[[Mapping[str, str]], bool] | None = None,
        models: tuple[str, ...] = (),
        default_model: str | None = None,
        needs_key: bool = True,
        unserved: tuple[Unserved, ...] = (),
        vocabulary: Vocabulary | None = None,
        settings: Mapping[str, Any] | None = None,
        is_provider: bool = True,
        is_default: bool = False,
        is_common: bool = False,
        aliases: tuple[str, ...] = (),
        batches: BatchApi | None = None,
        telemetry_name: str | None = None,
        shutdowns: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        if not _NAME.fullmatch(name):
            raise ValueError(f"`{name}` is no name of a dialect: lower-case letters, digits and `_`, such as `my_api`")
        self.name = name
        self.title = title or name
        self.root = root
        self.base_url, self.hosts, self.any_port = base_url, hosts, any_port
        self.auth = auth
        self.read_key = read_key
        self.variables = variables or Variables()
        self.head = head
        self.write_limits, self.read_limits = write_limits, read_limits
        self.usual_limits = usual_limits or {}
        self.over_quota = over_quota
        self.response_id = response_id
        self.request_id = request_id
        self.tool_call_id = tool_call_id
        self.private_headers = private_headers
        self.marks = marks
        self.models, self.default_model = models, default_model
        self.needs_key, self.unserved = needs_key, unserved
        self.vocabulary = vocabulary or Vocabulary()
        self.settings = settings or {}
        self.is_provider, self.is_default, self.is_common = is_provider, is_default, is_common
        self.aliases, self.batches, self.telemetry_name = aliases, batches, telemetry_name
        self.shutdowns = shutdowns or {}
        self.endpoints = tuple(endpoint.of(self) for endpoint in endpoints)
        self.mounts = {prefix: dialect.below(prefix) for prefix, dialect in (mounts or {}).items()}
        self.errors: Errors = errors or (JsonErrors() if self.spoken is self else self.spoken.errors)
        self._static = {(each.method, each.pattern): each for each in self.endpoints if "{" not in each.pattern}
        self._matches: dict[tuple[str, str, bool, bool], Match] = {}

    def __repr__(self) -> str:
        return f"<dialect `{self.name}`: {len(self.endpoints)} endpoints>"

    def below(self, root: str) -> Dialect:
        """Return the same dialect as it is spoken below another part of an address."""
        return self.derived(root=root)

    def derived(self, **changes: Any) -> Dialect:
        """Return the same dialect with other arguments of `Dialect`; addresses are not taken over."""
        given = {name: getattr(self, name) for name in (Dialect.__init__.__kwdefaults__ or {}) if name not in _OWN}
        return Dialect(self.name, **{**given, **changes})

    @cached_property
    def nothing(self) -> Endpoint:
        """What is asked for where nothing is: the operation `unserved`."""
        return Endpoint("unserved", "", "", decode_call=_unread, encode_answer=_unsaid, needs_script=True).of(self)

    @property
    def spoken(self) -> Dialect:
        """The dialect that answers are in where no path tells: its own, or the first it is mounted with."""
        return next(iter(self.mounts.values()), self) if self._talks_below else self

    @cached_property
    def _talks_below(self) -> bool:
        """Whether only the dialects that it is mounted with complete conversations."""
        return bool(self.mounts) and not any(each.gives == "completion" for each in self.endpoints)

    @property
    def own_fields(self) -> str:
        """Under which name `extra` keeps what only this API says: that of the API whose words it speaks."""
        return str(self.settings.get("own_fields", self.name))

    @property
    def served(self) -> tuple[Endpoint, ...]:
        """Every endpoint, those of the mounted dialects included."""
        return (*self.endpoints, *(each for dialect in self.mounts.values() for each in dialect.endpoints))

    @property
    def chat(self) -> Endpoint:
        """The endpoint that completes a conversation: its own, or that of the first dialect it is mounted with.

        Raises:
            ConfigurationError: It has none.
        """
        found = next((each for each in self.served if each.gives == "completion"), None)
        if found is None:
            raise ConfigurationError(
                f"the dialect `{self.name}` completes no conversation: no endpoint of it gives completions.\n\n"
                'To fix: Dialect(endpoints=(Endpoint("chat", "POST", "/chat", gives="completion", ...),))'
            )
        return found

    def conversation(self, operation: str | None = None) -> Endpoint | None:
        """Return the endpoint of an operation that completes conversations; the first one by default.

        Args:
            operation: `chat`, `responses`, or another that `gives` completions.
        """
        if operation is None:
            return self.chat
        found = self.endpoint(operation)
        return found if found is not None and found.gives == "completion" else None

    def endpoint(self, operation: str) -> Endpoint | None:
        """Return the endpoint of an operation, mounted dialects included; None where there is none."""
        return next((each for each in self.served if each.operation == operation), None)

    def match(self, method: str, path: str, *, below: bool = False, anywhere: bool = False) -> Match:
        """Find what a method and a path lead to.

        Args:
            method: Upper case.
            path: Path of the URL, without the query.
            below: Whether the path may also continue a base URL, so that it lacks `root`.
            anywhere: Whether anything may stand before it, as in the address of a gateway.
        """
        key = (method, path, below, anywhere)
        found = self._matches.get(key)
        if found is None:
            found = self._found(method, path.rstrip("/"), below=below, anywhere=anywhere)
            if len(self._matches) >= MOST_MATCHES:
                self._matches.clear()
            self._matches[key] = found
        return found

    def _found(self, method: str, path: str, *, below: bool, anywhere: bool) -> Match:
        for prefix, dialect in self.mounts.items():
            start = path.find(f"{prefix}/") if anywhere else 0 if path.startswith(f"{prefix}/") else -1
            if start >= 0:
                return dialect._found(method, path[start:], below=False, anywhere=anywhere)  # noqa: SLF001 - its own
        if not self.endpoints:
            return Match(self, is_native=True)
        allowed: list[str] = []
        for endpoint in (*self._static.values(), *(each for each in self.endpoints if "{" in each.pattern)):
            parameters = self._leads(endpoint, path, below=below, anywhere=anywhere)
            if parameters is None:
                continue
            if endpoint.method == method:
                return Match(self, endpoint, parameters)
            allowed.append(endpoint.method)
        for other in self.unserved:
            if other.method == method and _ends(other.pattern, path, self.root, anywhere=anywhere or below):
                return Match(self, unserved=other)
        return Match(self, allowed=tuple(allowed), is_native=self._talks_below and not allowed)

    def _leads(self, endpoint: Endpoint, path: str, *, below: bool, anywhere: bool) -> Mapping[str, str] | None:
        """Return what a path says, where it leads to an endpoint."""
        if anywhere:
            found = endpoint.end.search(path)
            return None if found is None else found.groupdict()
        for root in (self.root, "") if below else (self.root,):
            if path.startswith(root):
                found = endpoint.end.fullmatch(path[len(root) :])
                if found is not None:
                    return found.groupdict()
        return None

    def read(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> WireCall:  # noqa: ARG002 - no endpoint looks at the query yet
        """Read a request to this dialect, at whatever address.

        Raises:
            WireFormatError: The provider would refuse it; `.error` is its answer.
        """
        found = self.match(method, path, anywhere=True)
        if found.endpoint is not None:
            return found.endpoint.read(headers, body, found.parameters)
        errors = found.dialect.errors
        raise WireFormatError(errors.not_allowed(method, path) if found.allowed else errors.not_found(method, path))

    def response_headers(self, meta: ResponseMeta, stream: str | None = None) -> Headers:
        """Write the headers of an answer, rate limits included.

        Args:
            meta: What surrounds the answer.
            stream: The content type of a stream; None for a whole answer.
        """
        opening: Headers = _JSON if stream is None else (("content-type", stream), _NO_CACHE)
        if meta.limits is not None and self.write_limits is not None:
            opening = (*opening, *self.write_limits(meta.limits, meta.now))
        return (*opening, *self.head(meta))

    def encode_error(self, error: ProviderError, meta: ResponseMeta) -> tuple[int, Headers, bytes]:
        """Write an error as status, headers and body."""
        return self.errors.encode(error, meta, self.response_headers(meta))


def _ends(pattern: str, path: str, root: str, *, anywhere: bool) -> bool:
    end = re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(pattern)))
    if anywhere:
        return re.search(f"{end.pattern}$", path) is not None
    return path.startswith(root) and end.fullmatch(path[len(root) :]) is not None
