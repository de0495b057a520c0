"""Small cassettes as other tools write them, for the tests that read them."""

import base64
import json

CHAT = "https://api.openai.com/v1/chat/completions"
QUESTION = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Capital of France?"}]}
ANSWER = {
    "id": "c1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4o-2024-08-06",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Paris"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 4, "completion_tokens": 1, "total_tokens": 5},
}

PARSED_BODY = f"""\
interactions:
- request:
    headers:
      content-type:
      - application/json
    method: POST
    parsed_body:
      messages:
      - content: Capital of France?
        role: user
      model: gpt-4o
    uri: {CHAT}
  response:
    headers:
      content-type:
      - application/json
    parsed_body:
      choices:
      - finish_reason: stop
        index: 0
        message:
          content: |-
            Paris,
            of course
          role: assistant
      created: 1
      id: c1
      model: gpt-4o-2024-08-06
      object: chat.completion
    status:
      code: 200
      message: OK
version: 1
"""

AIOHTTP = f"""\
interactions:
- request:
    body:
      model: gpt-4o
      messages:
      - role: user
        content: Capital of France?
    headers:
      ? !!python/object/apply:multidict._multidict.istr
      - Accept
      : - '*/*'
      ? !!python/object/apply:multidict._multidict.istr [Content-Type]
      : - application/json
      User-Agent:
      - Python/3.12 aiohttp/3.11.16
    method: POST
    uri: {CHAT}
  response:
    body:
      string: '{json.dumps(ANSWER)}'
    headers:
      Content-Type:
      - application/json
    status:
      code: 200
      message: OK
    url: !!python/object/new:yarl.URL
      state: !!python/tuple
      - {CHAT}
version: 1
"""

RUBY_VCR = f"""\
---
http_interactions:
- request:
    method: post
    uri: {CHAT}
    body:
      encoding: UTF-8
      string: '{json.dumps(QUESTION)}'
    headers:
      Authorization:
      - Bearer <AUTH_TOKEN>
      Content-Type:
      - application/json
  response:
    status:
      code: 200
      message: OK
    headers:
      Content-Type:
      - application/json
      !binary "U2VydmVy":
      - cloudflare
    body:
      encoding: ASCII-8BIT
      string: !binary |-
        BODY
  recorded_at: Thu, 11 Jun 2026 20:16:01 GMT
recorded_with: VCR 6.4.0
"""

BETAMAX = {
    "http_interactions": [
        {
            "recorded_at": "2026-06-11T20:16:01",
            "request": {
                "body": {"encoding": "utf-8", "string": json.dumps(QUESTION)},
                "headers": {"Content-Type": ["application/json"]},
                "method": "POST",
                "uri": CHAT,
            },
            "response": {
                "body": {"encoding": "UTF-8", "base64_string": base64.b64encode(json.dumps(ANSWER).encode()).decode()},
                "headers": {"Content-Type": ["application/json"]},
                "status": {"code": 200, "message": "OK"},
                "url": CHAT,
            },
        }
    ],
    "recorded_with": "betamax/0.9.0",
}

GO_VCR = f"""\
---
version: 2
interactions:
- id: 0
  request:
    proto: HTTP/1.1
    proto_major: 1
    proto_minor: 1
    content_length: 12
    transfer_encoding: []
    trailer: {{}}
    host: api.openai.com
    remote_addr: ""
    request_uri: ""
    body: '{json.dumps(QUESTION)}'
    form: {{}}
    headers:
      Content-Type:
      - application/json
    url: {CHAT}
    method: POST
  response:
    proto: HTTP/2.0
    proto_major: 2
    proto_minor: 0
    transfer_encoding: []
    trailer: {{}}
    content_length: -1
    uncompressed: true
    body: '{json.dumps(ANSWER)}'
    headers:
      Content-Type:
      - application/json
    status: 200 OK
    code: 200
    duration: 801.5ms
"""

WEB_SOCKET = """\
version: 1
interactions:
- kind: message
  direction: received
  data:
    type: session.created
- kind: message
  direction: sent
  data:
    type: session.update
"""

AIMOCK = {
    "fixtures": [
        {
            "match": {"userMessage": "weather", "hasToolResult": False},
            "response": {"blocks": [{"type": "toolCall", "name": "get_weather", "arguments": {"city": "NYC"}}]},
        },
        {"match": {"toolResultContains": "18"}, "response": {"content": "18 degrees"}},
        {"match": {"userMessage": "again", "sequenceIndex": 0}, "response": {"content": "one"}},
        {"match": {"userMessage": "again", "sequenceIndex": 1}, "response": {"content": "two"}},
        {"match": {"userMessage": "deep", "turnIndex": 0}, "response": {"content": "turn 1"}},
        {"match": {"userMessage": "deep", "turnIndex": 1}, "response": {"content": "turn 2"}},
        {"match": {"userMessage": "slow down"}, "response": {"error": {"message": "slow"}, "status": 429}},
        {"match": {"inputText": "Paris"}, "response": {"embedding": [0.5, 1]}},
        {
            "match": {"userMessage": "Capital", "model": "gpt-4o", "systemMessage": ["geo", "short"]},
            "response": {"content": "Paris", "usage": {"prompt_tokens": 4, "completion_tokens": 1}},
        },
    ]
}
