"""What recorded exchanges were charged for: who answered, with which model, and the tokens of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

from llmtest.cassettes._document import Document
from llmtest.cassettes._entry import InteractionError
from llmtest.cassettes._interactions import Interaction
from llmtest.cassettes._reading import answered, called, is_stream, json_of, model_in, reader_of, spoken_to, tokens_in
from llmtest.cassettes._times import dates_of, recorded_time
from llmtest.errors import CassetteFileError
from llmtest.types import UNKNOWN_USAGE, CompletionRequest, Usage
from llmtest.wire import Endpoint, Match, owner_of

__all__ = ["Bill", "bills_in", "owner_in"]

CHARGED = frozenset({"completion", "embeddings"})
"""What endpoints give that providers charge for, whether or not the answer counts tokens."""


@dataclass(frozen=True, slots=True)
class Bill:
    """What one recorded exchange was charged for.

    Args:
        provider: Who answered: a dialect's name, or the host where nobody is known to be there.
        model: The model that answered, or was asked for, where the answer does not say.
        usage: The tokens; of unknown source where the answer does not count them.
        at: When it was recorded, or the date of the answer; None where the file says neither.
        service_tier: The tier that served it, where the answer says so.
        metadata: The caller's own labels of the request.
        requested_model: The model that was asked for.
        request: What was asked, where it is a conversation that can be read.
    """

    provider: str
    model: str | None
    usage: Usage
    at: datetime | None = None
    service_tier: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    requested_model: str | None = None
    request: CompletionRequest | None = None


def bills_in(document: Document) -> Iterator[Bill]:
    """Yield what each exchange of a cassette was charged for; refusals, and what costs nothing, are left out.

    Args:
        document: The cassette.

    Raises:
        CassetteFileError: An interaction cannot be read.
    """
    for position in range(len(document)):
        try:
            interaction = document[position]
        except InteractionError as error:
            raise CassetteFileError(str(error)) from error
        bill = _bill(interaction)
        if bill is not None:
            yield bill


def _bill(interaction: Interaction) -> Bill | None:
    request, response = interaction.request, interaction.response
    if response.status >= 400 or request.method.upper() == "GET":
        return None
    at = recorded_time(interaction) or next(iter(dates_of(interaction)), None)
    match = spoken_to(request)
    if match is None or match.endpoint is None:
        counts = tokens_in(json_of(response.body))
        host = urlsplit(request.uri).hostname or "unknown"
        model = model_in(json_of(response.body)) or model_in(json_of(request.body))
        return None if counts is None else Bill(host, model, Usage(*counts), at)
    endpoint = match.endpoint
    call = called(match, request)
    asked = call.model if call is not None else match.parameters.get("model") or model_in(json_of(request.body))
    sent = call.request if call is not None else None
    asked_for = sent if isinstance(sent, CompletionRequest) else None
    labels = {} if asked_for is None else asked_for.metadata
    provider = owner_in(match, request.uri)
    if endpoint.gives == "completion" and _reads(endpoint, interaction):
        answer, _ = answered(reader_of(endpoint, request), response)
        if answer is not None:
            tier = answer.service_tier
            return Bill(provider, answer.model or asked, answer.usage, at, tier, labels, asked, asked_for)
    counts = tokens_in(json_of(response.body))
    if counts is None:
        is_charged = endpoint.gives in CHARGED
        return Bill(provider, asked, UNKNOWN_USAGE, at, None, labels, asked) if is_charged else None
    if endpoint.gives == "token_count":
        return None
    return Bill(provider, model_in(json_of(response.body)) or asked, Usage(*counts), at, None, labels, asked)


def _reads(endpoint: Endpoint, interaction: Interaction) -> bool:
    return endpoint.has("stream_decoder" if is_stream(interaction.response) else "decode_answer")


def owner_in(match: Match, uri: str) -> str:
    """Return who is at an address: its dialect's provider, unless others speak that dialect at hosts of their own."""
    owner, host = owner_of(uri), urlsplit(uri).hostname
    if owner is not None:
        return owner.name
    return host if host and (match.dialect.is_default or not match.dialect.is_provider) else match.dialect.name
