"""A recorded session that answers a provider of a chain, whatever the load asks: its prompts are lengths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from llmtest.cassettes import Cassette, note_use
from llmtest.errors import ProviderError, ScenarioError
from llmtest.scenarios._played_recording import as_answer
from llmtest.wire import WireFormatError

if TYPE_CHECKING:
    from llmtest.cassettes import Interaction
    from llmtest.scenarios._spec import ProviderSpec
    from llmtest.simulation import World
    from llmtest.simulation.script._recording import Recorded
    from llmtest.types import CompletionRequest
    from llmtest.wire import Endpoint

__all__ = ["ChainRecording"]


class ChainRecording:
    """Says what was recorded, answer after answer, and begins anew after the last: a function for `replies`.

    Args:
        spec: The provider, which plays a session.
        world: The world, which knows whose address is whose.
        streams: Whether the load asks for streams; only answers that came as the load asks are played.
        file: The scenario, for errors.

    Raises:
        CassetteFileError: The session cannot be read.
        ScenarioError: It has no such answer of that provider.
    """

    def __init__(self, spec: ProviderSpec, world: World, *, streams: bool, file: str | None) -> None:
        assert spec.plays is not None
        self._cassette = Cassette(spec.plays, "none")
        self._next = 0
        provider = world.simulated(spec.name)
        chat = provider.dialect.chat
        # The recorded pauses are the latency where the file gives no other.
        speed = 1.0 if spec.latency is None else None
        self._answers: list[Recorded] = []
        texts: set[str] = set()
        others = False
        for number in range(1, len(self._cassette) + 1):
            found = self._cassette.interaction(number)
            url = urlsplit(found.request.uri)
            endpoint = provider.dialect.match(found.request.method, url.path, anywhere=True)
            if world.provider_at(url.hostname or "") not in {spec.name, None}:
                continue
            if endpoint.endpoint is None or endpoint.endpoint.operation != chat.operation:
                continue
            if _asks_for_stream(found, endpoint.endpoint, endpoint.parameters) != streams:
                others = True
                continue
            answer = as_answer(found, speed)
            if answer.status < 400 and answer.is_complete:
                said = _said(answer, chat, streams=streams)
                if said is None:  # Another version of the API said it.
                    continue
                texts.add(said)
            self._answers.append(answer)
        self.texts = frozenset(texts)
        """What it says when it is well, each answer in full."""
        if not self._answers:
            raise _nothing(spec, file, streams=streams, others=others)

    def __call__(self, _: CompletionRequest) -> Recorded:
        """Return the next answer."""
        note_use(self._cassette)
        answer = self._answers[self._next]
        self._next = (self._next + 1) % len(self._answers)
        return answer


def _asks_for_stream(found: Interaction, endpoint: Endpoint, parameters: Any) -> bool | None:
    """Tell whether a recorded request asks for a stream; None where it cannot be read."""
    headers = {name.lower(): values[0] for name, values in found.request.headers.items() if values}
    try:
        return endpoint.read(headers, found.request.body, parameters).stream
    except WireFormatError:
        return None


def _said(answer: Recorded, chat: Endpoint, *, streams: bool) -> str | None:
    """Return the text of a recorded answer; None where the chat of a provider could not have said it."""
    headers = dict(answer.lines)
    try:
        if not streams:
            return chat.decode_answer(answer.data, headers).content or ""
        decoder = chat.stream_decoder(headers)
        told = [*decoder.feed(answer.data), *decoder.close()]
    except (ProviderError, WireFormatError):
        return None
    return "".join(event.text for event in told if event.kind == "text")


def _nothing(spec: ProviderSpec, file: str | None, *, streams: bool, others: bool) -> ScenarioError:
    kind, other = ("streamed", "whole") if streams else ("whole", "streamed")
    what = f"{spec.plays} has no {kind} answer that `{spec.name}` could give a chain"
    if others:
        fix = f"`load: {{stream: {'false' if streams else 'true'}}}`, because it has {other} ones"
    else:
        fix = "play a session in which its chat was asked; or `target: module:callable`, which sends what is recorded"
    return ScenarioError(f"{file}: `providers.{spec.name}.plays`: {what}.\nTo fix: {fix}.")
