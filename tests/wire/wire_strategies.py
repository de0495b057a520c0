"""Hypothesis strategies for what a dialect can say."""

import json
from dataclasses import replace
from decimal import Decimal

from hypothesis import strategies as st

from llmtest.types import (
    AudioPart,
    ChatMessage,
    Citation,
    CompletionRequest,
    CompletionResponse,
    FilePart,
    FinishReason,
    ImagePart,
    OpaquePart,
    RefusalPart,
    ResponseFormat,
    TextPart,
    ThinkingPart,
    TokenLogprob,
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
def _usages(draw):
    """Counts in which the parts do not exceed the whole."""
    read, written, rest, reasoning, visible = (draw(counts) for _ in range(5))
    return Usage(read + written + rest, reasoning + visible, read, written, reasoning)


@st.composite
def openai_usages(draw):
    """Usage with sound, and with a cost that the provider states."""
    return replace(
        draw(_usages()),
        input_audio_tokens=draw(counts),
        output_audio_tokens=draw(counts),
        cost_usd=draw(st.none() | st.floats(0, 10**6).map(repr).map(Decimal)),
    )


@st.composite
def anthropic_usages(draw):
    """Usage with cache writes of an hour, and with tools that the provider ran."""
    usage = draw(_usages())
    tools = st.dictionaries(st.sampled_from(["web_search", "web_fetch", "code"]), st.integers(1, 99))
    return replace(
        usage,
        cache_write_1h_tokens=draw(st.integers(0, usage.cache_write_tokens)),
        server_tools=tuple(sorted(draw(tools).items())),
    )


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


_tokens = st.builds(TokenLogprob, texts, st.floats(-99, 0), st.none() | st.binary(max_size=4))
_pages = st.builds(Citation, names.map("https://example.test/{}".format), names, start=counts, end=counts)
_openai_texts = st.builds(
    TextPart,
    texts,
    st.lists(_pages, max_size=2).map(tuple),
    st.lists(st.builds(replace, _tokens, top=st.lists(_tokens, max_size=2).map(tuple)), max_size=4).map(tuple),
)
_sounds = st.builds(AudioPart, st.just("UklG"), id=names, transcript=texts, expires_s=counts)
_anthropic_citations = st.builds(
    Citation,
    title=st.none() | names,
    text=texts,
    document=counts,
    unit=st.sampled_from(["char", "page", "block"]),
    source_start=counts,
    source_end=counts,
    file_id=st.none() | names,
) | st.builds(Citation, names.map("https://example.test/{}".format), st.none() | names, texts, proof=names)


@st.composite
def _openai_answers(draw):
    parts = []
    if draw(st.booleans()):
        parts.append(ThinkingPart(draw(texts)))
    if draw(st.booleans()):
        parts.append(draw(_openai_texts))
    refused = draw(st.booleans())
    if refused:
        parts.append(RefusalPart(draw(texts)))
    parts += draw(st.lists(images, max_size=2)) + draw(st.lists(_sounds, max_size=1))
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
    tier = draw(st.none() | st.sampled_from(["default", "flex", "priority"]))
    (parts, finish, raw), *others = draw(st.lists(_openai_answers(), min_size=1, max_size=3))
    return CompletionResponse(
        parts=parts,
        finish_reason=finish,
        raw_finish_reason=raw,
        usage=draw(openai_usages()),
        service_tier=tier,
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
        st.builds(TextPart, texts, st.lists(_anthropic_citations, max_size=2).map(tuple)),
        st.builds(ThinkingPart, texts, names),
        st.builds(ThinkingPart, st.just(""), names, st.just(value=True)),
        tool_calls,
        st.builds(ToolCall, names, names, json_objects.map(compact), server=st.just(value=True)),
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
        usage=draw(anthropic_usages()),
        service_tier=draw(st.none() | st.sampled_from(["priority", "batch"])),
        id=draw(names),
        model=draw(names),
        extra={"anthropic": extra} if extra else {},
    )


_ttls = st.sampled_from([None, "5m", "1h"])
_documents = st.one_of(
    st.builds(FilePart, st.just("JVBE"), st.just("application/pdf"), st.none() | names),
    st.builds(FilePart, name=st.none() | names, text=texts),
    st.builds(FilePart, name=st.none() | names, url=names.map("https://example.test/{}.pdf".format)),
    st.builds(FilePart, name=st.none() | names, file_id=names),
)
_marked_systems = st.builds(
    lambda text, ttl: ChatMessage("system", (TextPart(text, cache_ttl=ttl),)), texts, st.sampled_from(["5m", "1h"])
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
schemas = json_objects.map(lambda extra: {"type": "object", **extra})


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
    files = st.builds(FilePart, st.just("JVBE"), st.just("application/pdf"), names)
    files |= st.builds(FilePart, name=st.none() | names, file_id=names)
    sounds = st.builds(AudioPart, st.just("UklG"), st.sampled_from(["audio/wav", "audio/mp3"]))
    user, assistant = _prompts(texts.map(TextPart) | images | files | sounds)
    result = st.builds(ChatMessage.tool_result, names, texts)
    message = st.one_of(user, assistant, result, texts.map(ChatMessage.system))
    model = draw(names | st.just("gpt-5.2") | st.just("gpt-oss-20b"))
    stored = draw(st.booleans())
    extra = draw(st.fixed_dictionaries({}, optional={"user": texts, "x_new": json_objects}))
    if stored:
        extra["store"] = True
    labels = st.dictionaries(names, names, min_size=1, max_size=2)
    return CompletionRequest(
        messages=tuple(draw(st.lists(message, min_size=1, max_size=5))),
        model=model,
        seed=draw(st.none() | counts),
        metadata=draw(labels) if stored else {},
        response_format=draw(
            st.none()
            | st.sampled_from(["text", "json_object"]).map(ResponseFormat)
            | st.builds(ResponseFormat.json_schema, schemas, name=names, strict=st.none() | st.booleans())
        ),
        n=draw(st.none() | st.integers(1, 128)),
        parallel_tool_calls=draw(st.none() | st.booleans()),
        reasoning_effort=draw(st.none() | st.sampled_from(["none", "minimal", "low", "xhigh"])),
        logprobs=draw(st.none() | st.booleans()),
        top_logprobs=draw(st.none() | st.integers(0, 20)),
        service_tier=draw(st.none() | st.sampled_from(["auto", "default", "flex", "priority"])),
        top_k=None if model.startswith("gpt-5") else draw(st.none() | counts),
        temperature=draw(st.none() | st.floats(0, 2)),
        extra={"openai": extra} if extra else {},
        **draw(_options()),
    )


@st.composite
def anthropic_requests(draw):
    """Requests of Messages."""
    thinking = st.builds(ThinkingPart, texts, names)
    options = draw(_options())
    marked = st.builds(lambda part, ttl: replace(part, cache_ttl=ttl), texts.map(TextPart) | images | _documents, _ttls)
    user, assistant = _prompts(marked)
    assistant |= st.builds(
        lambda thought, text, calls: ChatMessage("assistant", (thought, TextPart(text)), calls),
        thinking,
        texts,
        st.lists(tool_calls, max_size=2).map(tuple),
    )
    result = st.builds(ChatMessage.tool_result, names, texts, is_error=st.booleans())
    system = draw(st.lists(texts.map(ChatMessage.system) | _marked_systems, max_size=2))
    return CompletionRequest(
        messages=(*system, *draw(st.lists(st.one_of(user, assistant, result), min_size=1, max_size=5))),
        model=draw(names),
        temperature=draw(st.none() | st.floats(0, 1)),
        extra=draw(_own("anthropic", {"inference_geo": texts, "thinking": json_objects})),
        top_k=draw(st.none() | counts),
        metadata=draw(st.just({}) | st.builds(dict, user_id=names)),
        service_tier=draw(st.none() | st.sampled_from(["auto", "default"])),
        response_format=draw(st.none() | st.builds(ResponseFormat.json_schema, schemas)),
        reasoning_effort=draw(st.none() | st.sampled_from(["low", "medium", "high", "xhigh", "max"])),
        parallel_tool_calls=None if options["tool_choice"] in (None, "none") else draw(st.none() | st.booleans()),
        **{
            "max_tokens": draw(st.integers(0, 10**6)),
            **{k: v for k, v in options.items() if k != "max_tokens"},
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
