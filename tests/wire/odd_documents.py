"""One document of each kind with everything in it, and every way to put something odd into one place of it."""

import json

OPENAI_REQUEST = {
    "model": "gpt-4o",
    "messages": [
        {"role": "system", "content": "s"},
        {
            "role": "user",
            "name": "n",
            "content": [
                {"type": "text", "text": "x"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "t", "content": "r"},
    ],
    "temperature": 1,
    "max_tokens": 5,
    "stop": ["a"],
    "tools": [
        {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}},
    ],
    "tool_choice": {"type": "function", "function": {"name": "f"}},
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}},
    "stream": True,
    "stream_options": {"include_usage": True},
    "n": 1,
    "seed": 1,
    "top_p": 1,
    "user": "u",
}
EMBEDDING_REQUEST = {"model": "e", "input": ["a", "b"], "dimensions": 3, "encoding_format": "float"}
COUNT_REQUEST = {
    "model": "claude",
    "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "x"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "h", "signature": "s"},
                {"type": "tool_use", "id": "t", "name": "f", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "t",
                    "content": [{"type": "text", "text": "r"}],
                    "is_error": True,
                },
            ],
        },
    ],
    "tools": [{"name": "f", "description": "d", "input_schema": {"type": "object"}}],
    "tool_choice": {"type": "tool", "name": "f"},
    "thinking": {"type": "enabled", "budget_tokens": 1024},
}
ANTHROPIC_REQUEST = {
    **COUNT_REQUEST,
    "max_tokens": 5,
    "temperature": 1,
    "top_p": 1,
    "stop_sequences": ["a"],
    "stream": True,
    "metadata": {"user_id": "u"},
}
OPENAI_ANSWER = {
    "id": "c1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4o",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "Hi",
                "refusal": None,
                "annotations": [],
                "reasoning_content": "hm",
                "function_call": {"name": "f", "arguments": "{}"},
                "tool_calls": [
                    {"id": "t", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
                    {"id": "t", "type": "custom", "custom": {"name": "g", "input": "x"}},
                ],
            },
            "logprobs": {"content": [{"token": "a", "logprob": -1}]},
            "finish_reason": "stop",
        }
    ],
    "usage": {
        "prompt_tokens": 5,
        "completion_tokens": 2,
        "total_tokens": 7,
        "prompt_tokens_details": {"cached_tokens": 1},
        "completion_tokens_details": {"reasoning_tokens": 1},
    },
    "system_fingerprint": "fp",
}
ANTHROPIC_ANSWER = {
    "id": "m",
    "type": "message",
    "role": "assistant",
    "model": "claude",
    "content": [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "redacted_thinking", "data": "x"},
        {"type": "text", "text": "Hi", "citations": [{"a": 1}]},
        {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}},
        {"type": "server_tool_use", "id": "s", "name": "web", "input": {}},
    ],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 5,
        "cache_creation_input_tokens": 1,
        "cache_read_input_tokens": 2,
        "output_tokens": 3,
        "server_tool_use": {"web_search_requests": 1},
    },
}
EMBEDDING_ANSWER = {
    "object": "list",
    "data": [
        {"object": "embedding", "index": 0, "embedding": [0.5, 1]},
        {"object": "embedding", "index": 1, "embedding": "AAAAPw=="},
    ],
    "model": "e",
    "usage": {"prompt_tokens": 1, "total_tokens": 1},
}
OPENAI_MODELS = {"object": "list", "data": [{"id": "m", "object": "model", "created": 1, "owned_by": "o"}]}
ANTHROPIC_MODELS = {
    "data": [{"type": "model", "id": "m", "display_name": "M", "created_at": "2026-01-01T00:00:00Z"}],
    "has_more": False,
    "first_id": "m",
    "last_id": "m",
}
OPENAI_ERROR = {"error": {"message": "m", "type": "t", "param": "p", "code": "c"}}
ANTHROPIC_ERROR = {
    "type": "error",
    "error": {"type": "rate_limit_error", "message": "m", "details": {"error_code": "x"}},
    "request_id": "r",
}


def _chunk(**delta):
    return {"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}


OPENAI_EVENTS = [
    _chunk(role="assistant", content=""),
    _chunk(reasoning_content="hm"),
    {"id": "c", "choices": [{"index": 0, "delta": {"content": "Hi"}, "logprobs": {"content": [{"token": "a"}]}}]},
    _chunk(content=[{"type": "text", "text": "x"}]),
    _chunk(refusal="no"),
    _chunk(function_call={"name": "f", "arguments": "{"}),
    _chunk(function_call={"arguments": "}"}),
    _chunk(tool_calls=[{"index": 0, "id": "t", "type": "function", "function": {"name": "f", "arguments": ""}}]),
    _chunk(tool_calls=[{"index": 0, "function": {"arguments": "{}"}}]),
    _chunk(tool_calls=[{"index": 1, "id": "u", "type": "custom", "custom": {"name": "g", "input": "x"}}]),
    _chunk(tool_calls=[{"index": 1, "custom": {"input": "y"}}]),
    _chunk(audio={"data": "x"}),
    {"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    {"id": "c", "choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}},
]


def _block(index, start, *deltas):
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


ANTHROPIC_EVENTS = [
    {"type": "message_start", "message": {**ANTHROPIC_ANSWER, "content": [], "stop_reason": None}},
    *_block(
        0,
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "thinking_delta", "thinking": "hm"},
        {"type": "signature_delta", "signature": "s"},
    ),
    {"type": "ping"},
    *_block(
        1,
        {"type": "text", "text": ""},
        {"type": "text_delta", "text": "Hi"},
        {"type": "citations_delta", "citation": {"a": 1}},
    ),
    *_block(
        2,
        {"type": "tool_use", "id": "t", "name": "f", "input": {}},
        {"type": "input_json_delta", "partial_json": '{"a":'},
        {"type": "input_json_delta", "partial_json": "1}"},
    ),
    *_block(3, {"type": "redacted_thinking", "data": "x"}),
    *_block(4, {"type": "server_tool_use", "id": "s", "name": "web", "input": {}}),
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 3},
    },
    {"type": "message_stop"},
]

MISSING = object()
ODD = (None, True, False, 0, -1, 1.5, 10**30, float("nan"), "", "x", "\ud800x", [], {}, [1], {"a": 1}, [None], [[]])


def _places(value, path=()):
    yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield from _places(inner, (*path, key))


def odd_versions(document):
    """Yield `(path, odd value, document)` with one place of the document replaced, or missing."""
    for path in _places(document):
        for odd in (*ODD, MISSING):
            if not path:
                if odd is not MISSING:
                    yield path, odd, odd
                continue
            copy = json.loads(json.dumps(document))
            holder = copy
            for key in path[:-1]:
                holder = holder[key]
            if odd is MISSING:
                del holder[path[-1]]
            else:
                holder[path[-1]] = odd
            yield path, odd, copy


def as_stream(events, dialect):
    """Write events as a body; Anthropic names each beside its data."""
    lines = []
    for event in events:
        if dialect == "anthropic":
            kind = event.get("type") if isinstance(event, dict) else None
            lines.append(f"event: {json.dumps(kind)[1:-1] if isinstance(kind, str) else 'odd'}")
        lines += [f"data: {json.dumps(event)}", ""]
    end = ["data: [DONE]", ""] if dialect == "openai" else []
    return ("\n".join([*lines, *end]) + "\n").encode()
