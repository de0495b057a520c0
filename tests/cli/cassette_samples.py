"""Small cassettes, ours and vcrpy's, whole and broken, for the tests of the commands that read them."""

import json

from llmtest.cassettes import Interaction, RecordedRequest, RecordedResponse, write_document

CHAT = "https://api.openai.com/v1/chat/completions"
JSON = {"content-type": ["application/json"]}
SSE = {"content-type": ["text/event-stream; charset=utf-8"]}
SECRET = "sk-proj-" + "a1B2c3D4e5F6g7H8"


def chat(prompt, **more):
    """Make the body of a chat request."""
    return json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": prompt}], **more}).encode()


def answer(text):
    """Make the body of a chat answer."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    usage = {"prompt_tokens": 14, "completion_tokens": 3, "total_tokens": 17}
    return json.dumps(
        {"id": "c1", "object": "chat.completion", "created": 1, "model": "gpt-4o-2024-08-06"}
        | {"choices": [choice], "usage": usage}
    ).encode()


def events(*texts, done=True):
    """Make the body of a streamed chat answer, one event for each text."""
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-2024-08-06"}
    deltas = [{"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]} for text in texts]
    deltas.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    body = "".join(f"data: {json.dumps(head | delta)}\n\n" for delta in deltas)
    return (body + ("data: [DONE]\n\n" if done else "")).encode()


def asked(prompt="Capital of France?", said="Paris.", *, at="2026-01-01T00:00:00Z", uri=CHAT, **response):
    """Make an interaction: a question and an answer."""
    request = RecordedRequest("POST", uri, dict(JSON), chat(prompt))
    facts = {"status": 200, "reason": "OK", "headers": dict(JSON), "body": answer(said), **response}
    return Interaction(request, RecordedResponse(**facts), at)


def streamed(*texts, at="2026-02-01T12:30:00Z", done=True, **response):
    """Make an interaction whose answer was streamed in two pieces."""
    body = events(*texts, done=done)
    request = RecordedRequest("POST", CHAT, dict(JSON), chat("Count.", stream=True))
    facts = {"status": 200, "reason": "OK", "headers": dict(SSE), "body": body}
    facts["chunks"] = ((120, 40), (480, len(body) - 40))
    return Interaction(request, RecordedResponse(**facts | response), at)


def ours(*interactions):
    """Write a cassette as llmtest does."""
    return write_document(interactions)


VCRPY = """\
interactions:
- request:
    body: '{"model":"claude-sonnet-4-5","max_tokens":64,"messages":[{"role":"user","content":"Hello"}]}'
    headers:
      x-api-key:
      - REDACTED
    method: POST
    uri: https://api.anthropic.com/v1/messages
  response:
    body:
      string: '{"type":"message","id":"m1","role":"assistant","model":"claude-sonnet-4-5","content":[{"type":"text","text":"Hi."}],"stop_reason":"end_turn","usage":{"input_tokens":8,"output_tokens":4}}'
    headers:
      content-type:
      - application/json
      date:
      - Tue, 30 Dec 2025 18:44:02 GMT
    status:
      code: 200
      message: OK
version: 1
"""  # noqa: E501 - vcrpy writes bodies on one line
