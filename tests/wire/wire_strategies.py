"""Hypothesis strategies for what a dialect can say."""

import json

from hypothesis import strategies as st

from llmtest.types import (
    ChatMessage,
    CompletionRequest,
    CompletionResponse,
    FinishReason,
    ImagePart,
    OpaquePart,
    RefusalPart,
    TextPart,
    ThinkingPart,
    ToolCall,
    ToolDefinition,
    Usage,
)

texts = st.text(min_size=1, max_size=40)
names = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=12)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9999, 9999) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
json_objects = st.dictionaries(names, json_values, max_size=3)
counts = st.integers(0, 10**7)


@st.composite
def usages(draw):
    """Counts in which the parts do not exceed the whole."""
    read, written, rest, reasoning, visible = (draw(counts) for _ in range(5))
    return Usage(read + written + rest, reasoning + visible, read, written, reasoning)


def compact(value) -> str:
    """Write JSON as a decoded object is written."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


exact_arguments = st.one_of(
    json_objects.map(compact), st.just('{"a": '), st.just("[1]"), st.text(min_size=1, max_size=9)
)
"""Arguments as a model writes them, well formed or not."""


def _is_canonical(text: str) -> bool:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return True
    return not isinstance(value, dict) or compact(value) == text


tool_calls = st.builds(ToolCall, id=names, name=names, arguments=exact_arguments.filter(_is_canonical))
_OPENAI_FINISH = {
    "stop": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "tool_calls": FinishReason.TOOL_USE,
    "content_filter": FinishReason.CONTENT_FILTER,
    "something_new": FinishReason.UNKNOWN,
}
_ANTHROPIC_FINISH = {
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "tool_use": FinishReason.TOOL_USE,
    "pause_turn": FinishReason.UNKNOWN,
}


@st.composite
def _openai_answers(draw):
    parts = []
    if draw(st.booleans()):
        parts.append(ThinkingPart(draw(texts)))
    if draw(st.booleans()):
        parts.append(TextPart(draw(texts)))
    refused = draw(st.booleans())
    if refused:
        parts.append(RefusalPart(draw(texts)))
    custom = st.builds(
        lambda id_, text: OpaquePart({"id": id_, "type": "custom", "custom": {"name": "sql", "input": text}}, "openai"),
        names,
        texts,
    )
    parts += draw(st.lists(tool_calls | custom, max_size=3, unique_by=_id_of))
    raw = draw(st.sampled_from(sorted(_OPENAI_FINISH)))
    finish = FinishReason.REFUSAL if refused and raw == "stop" else _OPENAI_FINISH[raw]
    return tuple(parts), finish, raw


def _id_of(part):
    return part.id if isinstance(part, ToolCall) else part.data["id"]


@st.composite
def openai_responses(draw):
    """Answers of Chat Completions, with alternatives and fields nobody knows."""
    identity = {"id": draw(names), "model": draw(names)}
    extra = draw(
        st.fixed_dictionaries({"created": st.integers(1, 10**9)}, optional={"provider": texts, "x_new": json_objects})
    )
    (parts, finish, raw), *others = draw(st.lists(_openai_answers(), min_size=1, max_size=3))
    return CompletionResponse(
        parts=parts,
        finish_reason=finish,
        raw_finish_reason=raw,
        usage=draw(usages()),
        alternatives=tuple(
            CompletionResponse(parts=parts, finish_reason=finish, raw_finish_reason=raw, **identity)
            for parts, finish, raw in others
        ),
        extra={"openai": extra},
        **identity,
    )


@st.composite
def anthropic_responses(draw):
    """Answers of Messages, blocks in any order, with blocks and fields nobody knows."""
    block = st.one_of(
        texts.map(TextPart),
        st.builds(ThinkingPart, texts, st.none() | names),
        st.builds(ThinkingPart, st.just(""), names, st.just(value=True)),
        tool_calls,
        json_objects.map(lambda data: OpaquePart({**data, "type": "brand_new"}, "anthropic")),
    )
    raw = draw(st.sampled_from([*sorted(_ANTHROPIC_FINISH), "refusal"]))
    extra = draw(st.fixed_dictionaries({}, optional={"container": json_objects, "x_new": texts}))
    if raw == "refusal":
        extra["stop_details"] = {"type": "refusal", "category": "cyber", "explanation": draw(texts)}
    if raw == "stop_sequence":
        extra["stop_sequence"] = draw(texts)
    return CompletionResponse(
        parts=tuple(draw(st.lists(block, max_size=4))),
        finish_reason=FinishReason.REFUSAL if raw == "refusal" else _ANTHROPIC_FINISH[raw],
        raw_finish_reason=raw,
        usage=draw(usages()),
        id=draw(names),
        model=draw(names),
        extra={"anthropic": extra} if extra else {},
    )


images = st.builds(ImagePart, url=names.map("https://example.test/{}.png".format)) | st.builds(
    ImagePart, data=st.just("iVBORw0KGgo="), media_type=st.just("image/png")
)
tools = st.builds(
    ToolDefinition,
    name=names,
    description=st.none() | texts,
    parameters=json_objects.map(lambda extra: {"type": "object", "properties": {}, **extra}),
    strict=st.none() | st.booleans(),
)


def _prompts(blocks):
    user = st.builds(ChatMessage.user, texts | st.lists(blocks, min_size=1, max_size=3).map(tuple))
    calls = st.lists(tool_calls, min_size=1, max_size=3).map(tuple)
    assistant = st.builds(ChatMessage.assistant, texts) | st.builds(
        ChatMessage.assistant_with_tool_calls, st.none() | texts, calls
    )
    return user, assistant


@st.composite
def openai_requests(draw):
    """Requests of Chat Completions."""
    user, assistant = _prompts(texts.map(TextPart) | images)
    result = st.builds(ChatMessage.tool_result, names, texts)
    message = st.one_of(user, assistant, result, texts.map(ChatMessage.system))
    return CompletionRequest(
        messages=tuple(draw(st.lists(message, min_size=1, max_size=5))),
        model=draw(names | st.just("gpt-5.2") | st.just("gpt-oss-20b")),
        seed=draw(st.none() | counts),
        temperature=draw(st.none() | st.floats(0, 2)),
        extra=draw(_own("openai", {"n": st.integers(1, 3), "user": texts, "x_new": json_objects})),
        **draw(_options()),
    )


@st.composite
def anthropic_requests(draw):
    """Requests of Messages."""
    thinking = st.builds(ThinkingPart, texts, names)
    user, assistant = _prompts(texts.map(TextPart) | images)
    assistant |= st.builds(
        lambda thought, text, calls: ChatMessage("assistant", (thought, TextPart(text)), calls),
        thinking,
        texts,
        st.lists(tool_calls, max_size=2).map(tuple),
    )
    result = st.builds(ChatMessage.tool_result, names, texts, is_error=st.booleans())
    system = draw(st.lists(texts.map(ChatMessage.system), max_size=2))
    return CompletionRequest(
        messages=(*system, *draw(st.lists(st.one_of(user, assistant, result), min_size=1, max_size=5))),
        model=draw(names),
        temperature=draw(st.none() | st.floats(0, 1)),
        extra=draw(_own("anthropic", {"top_k": counts, "thinking": json_objects})),
        **{
            "max_tokens": draw(st.integers(1, 10**6)),
            **{k: v for k, v in draw(_options()).items() if k != "max_tokens"},
        },
    )


def _own(dialect, fields):
    """Return fields of one dialect, under its name."""
    return st.fixed_dictionaries({}, optional=fields).map(lambda found: {dialect: found} if found else {})


def _options():
    return st.fixed_dictionaries(
        {
            "max_tokens": st.none() | st.integers(1, 10**6),
            "top_p": st.none() | st.floats(0, 1),
            "stop_sequences": st.lists(texts, max_size=3).map(tuple),
            "tools": st.lists(tools, max_size=2).map(tuple),
            "tool_choice": st.none() | st.sampled_from(["auto", "required", "none"]) | names,
            "stream": st.booleans(),
        }
    )
