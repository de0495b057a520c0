"""The exact bytes of each dialect, as recorded from the providers."""

from llmtest.types import CompletionResponse, FinishReason, TextPart, ThinkingPart, ToolCall, Usage
from llmtest.wire import ResponseMeta, WireCall
from llmtest.wire import dialect as dialect_of

META = ResponseMeta(id="chatcmpl-1", created_s=1_754_432_618, model="gpt-4o-2024-08-06")
PARIS = CompletionResponse(parts=(TextPart("In Paris"),), usage=Usage(364, 40))
ZEROS = '"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}'
USAGE = (
    '"usage":{"prompt_tokens":364,"completion_tokens":40,"total_tokens":404,'
    '"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},'
    f'"completion_tokens_details":{{"reasoning_tokens":0,"audio_tokens":0,{ZEROS}'
)
HEAD = (
    'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1754432618,"model":"gpt-4o-2024-08-06",'
    '"service_tier":"default","system_fingerprint":"fp_llmtest",'
)
END = '"logprobs":null,"finish_reason":null}]'


def test_openai_s_complete_answer():
    """Every field that OpenAI sends, in its order."""
    call = WireCall(dialect_of("openai").chat)
    assert dialect_of("openai").chat.encode_answer(PARIS, call, META).decode() == (
        '{"id":"chatcmpl-1","object":"chat.completion","created":1754432618,"model":"gpt-4o-2024-08-06",'
        '"choices":[{"index":0,"message":{"role":"assistant","content":"In Paris","refusal":null,"annotations":[]},'
        f'"logprobs":null,"finish_reason":"stop"}}],{USAGE},'
        '"service_tier":"default","system_fingerprint":"fp_llmtest"}'
    )


def test_openai_s_stream_with_usage():
    """With `include_usage` every chunk has a null usage, and the last has the usage and no choice."""
    call = WireCall(dialect_of("openai").chat, stream=True, include_usage=True, include_obfuscation=False)
    pieces = dialect_of("openai").chat.encode_stream(PARIS, call, META)
    first = '{"role":"assistant","content":"","refusal":null}'
    assert [piece.decode() for piece in pieces] == [
        f'{HEAD}"choices":[{{"index":0,"delta":{first},{END},"usage":null}}\n\n',
        f'{HEAD}"choices":[{{"index":0,"delta":{{"content":"In"}},{END},"usage":null}}\n\n',
        f'{HEAD}"choices":[{{"index":0,"delta":{{"content":" Paris"}},{END},"usage":null}}\n\n',
        f'{HEAD}"choices":[{{"index":0,"delta":{{}},"logprobs":null,"finish_reason":"stop"}}],"usage":null}}\n\n',
        f'{HEAD}"choices":[],{USAGE}}}\n\n',
        "data: [DONE]\n\n",
    ]


def test_openai_s_padding_is_there_by_default_and_repeats():
    """Without switches there is no usage, every chunk is padded, and the same answer gives the same bytes."""
    call = WireCall(dialect_of("openai").chat, stream=True)
    pieces = dialect_of("openai").chat.encode_stream(PARIS, call, META)
    assert all(b'"obfuscation":"' in piece for piece in pieces[:-1])
    assert not any(b'"usage"' in piece for piece in pieces)
    assert dialect_of("openai").chat.encode_stream(PARIS, call, META) == pieces


def test_openai_s_tool_call_begins_with_empty_arguments():
    """The first delta of a call has id, type and name; later ones only index and arguments; content is null."""
    answer = CompletionResponse(
        parts=(ToolCall("call_1", "f", "{}"),), finish_reason=FinishReason.TOOL_USE, usage=Usage(1, 1)
    )
    call = WireCall(dialect_of("openai").chat, stream=True, include_obfuscation=False)
    deltas = [piece.decode() for piece in dialect_of("openai").chat.encode_stream(answer, call, META)]
    assert '"delta":{"role":"assistant","content":null,"refusal":null}' in deltas[0]
    start = '{"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":""}}'
    assert f'"delta":{{"tool_calls":[{start}]}}' in deltas[1]
    assert '"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}' in deltas[2]
    assert '"delta":{},"logprobs":null,"finish_reason":"tool_calls"' in deltas[3]


def test_anthropic_s_stream():
    """Named events, a ping after the first block's start, padding before the last brace, cumulative usage."""
    answer = CompletionResponse(parts=(ThinkingPart("Hm", "sig"), TextPart("Yes")), usage=Usage(43, 282))
    meta = ResponseMeta(id="msg_1", model="claude")
    pieces = dialect_of("anthropic").chat.encode_stream(answer, WireCall(dialect_of("openai").chat), meta)
    cache = '"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0}'
    zeros = '"input_tokens":43,"cache_creation_input_tokens":0,"cache_read_input_tokens":0'
    start = '{"type":"message_start","message":{"model":"claude","id":"msg_1","type":"message","role":"assistant",'
    start += '"content":[],"stop_reason":null,"stop_sequence":null,"stop_details":null,'
    start += f'"usage":{{{zeros},{cache},"output_tokens":1,"service_tier":"standard"}}}}'
    block = "content_block_start", "content_block_delta", "content_block_stop"
    stop = '"stop_reason":"end_turn","stop_sequence":null,"stop_details":null'
    expected = [
        ("message_start", start),
        (
            block[0],
            f'{{"type":"{block[0]}","index":0,"content_block":{{"type":"thinking","thinking":"","signature":""}}',
        ),
        (block[1], f'{{"type":"{block[1]}","index":0,"delta":{{"type":"thinking_delta","thinking":"Hm"}}'),
        (block[1], f'{{"type":"{block[1]}","index":0,"delta":{{"type":"signature_delta","signature":"sig"}}'),
        (block[2], f'{{"type":"{block[2]}","index":0'),
        (block[0], f'{{"type":"{block[0]}","index":1,"content_block":{{"type":"text","text":""}}'),
        (block[1], f'{{"type":"{block[1]}","index":1,"delta":{{"type":"text_delta","text":"Yes"}}'),
        (block[2], f'{{"type":"{block[2]}","index":1'),
        ("message_delta", f'{{"type":"message_delta","delta":{{{stop}}},"usage":{{{zeros},"output_tokens":282}}'),
        ("message_stop", '{"type":"message_stop"'),
    ]
    assert pieces.pop(2) == b'event: ping\ndata: {"type": "ping"}\n\n'
    for piece, (name, data) in zip(pieces, expected, strict=True):
        text = piece.decode()
        assert text.endswith(" }\n\n")
        assert text.removesuffix("}\n\n").rstrip(" ") == f"event: {name}\ndata: {data}"
