"""What reading and writing costs: one chat answer and one event of a stream, in each dialect, measured in one run.

Run `python benchmarks/codec.py [--short]`. Beside what our dialects take stands what `json.loads` takes for the same
bytes, which is the floor of every reader of JSON, and what the provider's own SDK takes to make its object of them,
where it has one that can be called alone. An answer is decoded and encoded whole, no two of them alike; a stream as its
events, of which the figure is that of one. What counts is the fastest round of each, in processor time, and sides take
turns.

Bar: decode plus encode of one chat answer under 50 µs, of one event of a stream under 15 µs.
"""

import argparse
import gc
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle
from time import process_time
from typing import Any

import anthropic
import openai

from llmtest import ChatMessage, CompletionRequest, CompletionResponse, FinishReason, TextPart, Usage
from llmtest.wire import Endpoint, ResponseMeta, WireCall, dialect

MOST_ANSWER_US, MOST_EVENT_US = 50.0, 15.0
NAMES = ("openai", "anthropic", "gemini", "ollama", "cohere", "mistral")
KEY = "benchmark"
TEXT = "The capital of France is Paris. It lies on the Seine, has two million people, and a tower of iron. " * 2
SDK_TYPES: dict[str, tuple[Any, str]] = {
    "openai": (openai.types.chat.ChatCompletion, "chat.completion.chunk"),
    "anthropic": (anthropic.types.Message, ""),
}
CALLS = 50


@dataclass
class Chat:
    """A chat endpoint with a call that it has read, and an answer to it."""

    endpoint: Endpoint
    call: WireCall
    streamed: WireCall
    answer: CompletionResponse
    others: Iterator[CompletionResponse]
    """The same with other numbers in their text, for whoever remembers what was written last."""
    meta: ResponseMeta


def saying(text: str) -> CompletionResponse:
    """Return an answer."""
    return CompletionResponse(
        parts=(TextPart(text),), finish_reason=FinishReason.STOP, usage=Usage(12, 50), model="m-1", id="id-1"
    )


def chat_of(name: str) -> Chat:
    """Return what is measured of a dialect: its first endpoint that answers conversations."""
    record = dialect(name)
    own = record if record.endpoints else next(each for each in record.mounts.values() if each.name == name)
    endpoint = next(each for each in own.endpoints if each.gives == "completion" and each.streams)
    request = CompletionRequest(messages=(ChatMessage.user("Capital of France?"),), model="m-1", max_tokens=400)
    others = cycle([saying(f"{number} {TEXT}") for number in range(100)])
    meta = ResponseMeta(id=record.response_id(1), created_s=1, model="m-1", request_id="req-1", number=1)
    return Chat(endpoint, read(endpoint, request), read(endpoint, request, stream=True), saying(TEXT), others, meta)


def read(endpoint: Endpoint, request: CompletionRequest, *, stream: bool = False) -> WireCall:
    """Return a request as the server half reads what the client half wrote."""
    wire = endpoint.encode_call(request, stream=stream)
    path, _, query = wire.path.partition("?")
    match = endpoint.dialect.match(wire.method, path, below=True)
    assert match.endpoint is not None, f"{wire.path} leads nowhere"
    headers = {name.lower(): value for name, value in (*wire.headers, *endpoint.dialect.auth(KEY))}
    call = match.endpoint.read(headers, wire.body, match.endpoint.with_query(match.parameters, query))
    call.include_usage = True
    return call


def works(name: str) -> Iterator[tuple[str, str, int, Callable[[], object]]]:
    """Yield what is done for one dialect: of what, by whom, how many events, and the function."""
    chat = chat_of(name)
    endpoint, meta = chat.call.endpoint, chat.meta
    body = endpoint.encode_answer(chat.answer, chat.call, meta)
    headers = {key.lower(): value for key, value in endpoint.response_headers(meta)}
    assert endpoint.decode_answer(body, headers).content == TEXT
    yield "answer", "decode", 1, lambda: endpoint.decode_answer(body, headers)
    yield "answer", "encode", 1, lambda: endpoint.encode_answer(next(chat.others), chat.call, meta)
    yield "answer", "json", 1, lambda: json.loads(body)
    if name in SDK_TYPES:
        made = SDK_TYPES[name][0]
        yield "answer", "sdk", 1, lambda: made.construct(**json.loads(body))
    served = chat.streamed.endpoint
    pieces = served.encode_stream(chat.answer, chat.streamed, meta)
    whole = len(pieces)
    heads = {key.lower(): value for key, value in served.response_headers(meta, stream=True)}

    def decode() -> object:
        decoder = served.stream_decoder(heads)
        for piece in pieces:
            decoder.feed(piece)
        return decoder.close()

    yield "event", "decode", whole, decode
    yield "event", "encode", whole, lambda: served.encode_stream(next(chat.others), chat.streamed, meta)
    texts = [line for piece in pieces for line in piece.decode().split("\n") if "{" in line]
    loads = [text[text.index("{") :] for text in texts]
    yield "event", "json", whole, lambda: [json.loads(text) for text in loads]


def measure(functions: list[Callable[[], object]], rounds: int) -> list[float]:
    """Return the microseconds of the fastest round of each, the sides taking turns."""
    best = [float("inf")] * len(functions)
    for _ in range(rounds):
        gc.collect()
        for index, function in enumerate(functions):
            start = process_time()
            for _ in range(CALLS):
                function()
            best[index] = min(best[index], (process_time() - start) / CALLS * 1e6)
    return best


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="give up sooner, for CI")
    rounds = 10 if parser.parse_args().short else 60
    print(f"{'':<20}{'decode µs':>10}{'encode µs':>10}{'both':>8}{'json.loads':>12}{'SDK':>8}   bar")
    for name in NAMES:
        all_works = list(works(name))
        times = measure([function for *_, function in all_works], rounds)
        found = {(of, by): us / events for (of, by, events, _), us in zip(all_works, times, strict=True)}
        for of, most in (("answer", MOST_ANSWER_US), ("event", MOST_EVENT_US)):
            decode, encode = found[of, "decode"], found[of, "encode"]
            sdk = f"{found[of, 'sdk']:.1f}" if (of, "sdk") in found else "-"
            verdict = "ok" if decode + encode <= most else "ABOVE"
            print(
                f"{f'{name}, one {of}':<20}{decode:>10.1f}{encode:>10.1f}{decode + encode:>8.1f}"
                f"{found[of, 'json']:>12.1f}{sdk:>8}   {most:.0f} {verdict}"
            )


if __name__ == "__main__":
    main()
