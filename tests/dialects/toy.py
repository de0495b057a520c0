"""A dialect that nobody else knows: the example of `docs/contributing/add-a-dialect.md`, which its test follows."""

import json

from llmtest.errors import InvalidRequestError
from llmtest.types import ChatMessage, CompletionRequest, CompletionResponse, FinishReason, StreamEvent, TextPart, Usage
from llmtest.wire import (
    NDJSON,
    Dialect,
    Endpoint,
    EventDecoder,
    Variables,
    WireCall,
    WireFormatError,
    WireRequest,
    call_without_body,
)
from llmtest.wire.openai import COMPATIBLE

WHYS = {"end": FinishReason.STOP, "full": FinishReason.LENGTH}
WORDS = {reason: word for word, reason in WHYS.items()}


def encode_call(request, *, stream):
    """Write a question; one that streams says so."""
    said = [{"who": message.role, "say": message.text} for message in request.messages]
    body = {"model": request.model, "talk": said, "most": request.max_tokens, "stream": stream}
    return WireRequest("POST", "/talk", (("content-type", "application/json"),), json.dumps(body).encode())


def decode_call(endpoint, headers, body, parameters):
    """Read a question, or refuse it in the API's words."""
    asked = json.loads(body)
    if not asked.get("talk"):
        raise WireFormatError(InvalidRequestError("talk must not be empty", status=400, code="invalid_request"))
    request = CompletionRequest(
        messages=tuple(ChatMessage(each["who"], each["say"]) for each in asked["talk"]),
        model=asked["model"],
        max_tokens=asked.get("most"),
        stream=asked.get("stream", False),
    )
    return WireCall(endpoint, request, request.model, request.stream, endpoint.dialect.read_key(headers))


def encode_answer(response, call, meta):
    """Write an answer."""
    return json.dumps(
        {"id": response.id or meta.id, "model": response.model, "say": response.content or "", **ending(response)}
    ).encode()


def ending(response):
    """Return why an answer ends, and what it took."""
    usage = response.usage
    return {"why": WORDS[response.finish_reason], "tokens": [usage.input_tokens, usage.output_tokens]}


def decode_answer(body, headers):
    """Read an answer."""
    return read(json.loads(body))


def read(said):
    """Return an answer that has been parsed."""
    return CompletionResponse(
        parts=(TextPart(said["say"]),) if said["say"] else (),
        finish_reason=WHYS[said["why"]],
        usage=Usage(*said["tokens"]),
        model=said["model"],
        id=said["id"],
    )


def encode_stream(response, call, meta, chunks):
    """Write an answer in lines; the last one says why it ends, and no other terminator follows."""
    text = response.content or ""
    pieces = list(chunks) if chunks is not None else [text[start : start + 4] for start in range(0, len(text), 4)]
    last = {"id": response.id or meta.id, "model": response.model, "piece": "".join(pieces[-1:]), **ending(response)}
    lines = [*({"piece": piece} for piece in pieces[:-1]), last]
    return [json.dumps(line).encode() + b"\n" for line in lines]


class TalkDecoder(EventDecoder):
    """Reads the lines of a streamed answer."""

    def __init__(self):
        super().__init__(None, NDJSON)
        self.said = []
        self.last = {}

    def take(self, event, out):
        """Read one line."""
        line = json.loads(event.data)
        if "error" in line:
            raise self.failed(TOY.errors.decode(200, {}, event.data.encode(), None))
        found = [StreamEvent("text", line["piece"])] if line["piece"] else []
        self.said.append(line["piece"])
        if "why" in line:
            self.last, self.done = line, True
        self.note(found)
        out += found

    def assemble(self):
        """Return the whole answer."""
        return read({**self.last, "say": "".join(self.said)})


TALK = Endpoint(
    "chat",
    "POST",
    "/talk",
    gives="completion",
    decode_call=decode_call,
    encode_answer=encode_answer,
    encode_call=encode_call,
    decode_answer=decode_answer,
    framing=NDJSON,
    encode_stream=encode_stream,
    stream_decoder=lambda headers: TalkDecoder(),
)

STATUS = Endpoint(
    "status",
    "GET",
    "/status",
    decode_call=call_without_body,
    encode_answer=lambda answer, call, meta: json.dumps(answer).encode(),
    default=lambda call, meta, store: {"up": True},
)

TOY = Dialect(
    "toy",
    title="Toy",
    root="/v2",
    base_url="https://api.toy.test/v2",
    hosts=("https://api.toy.test",),
    endpoints=(TALK, STATUS),
    mounts={"/compat/v1": COMPATIBLE},
    variables=Variables(
        keys=("TOY_API_KEY",), base_urls=("TOY_URL",), model="TOY_MODEL", served={"TOY_URL": "{url}/toy/v2"}
    ),
    default_model="toy-1",
    models=("toy-1",),
)
