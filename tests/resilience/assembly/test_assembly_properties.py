"""What holds of every request with a context, whatever conversation, items and budget there are."""

from itertools import combinations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from llmtest import (
    ChatMessage,
    CompletionRequest,
    ContextAssembler,
    ContextItem,
    ContextRequirements,
    ContextSource,
    ToolCall,
    ToolDefinition,
)
from llmtest.costs import estimate_request_tokens
from llmtest.errors import ContextLengthExceededError
from llmtest.resilience import ContextFormat, MemorySearch, likeness

WORDS = st.sampled_from(["sales", "report", "not", "3", "4", "blue", "red", "safe", "the", "销售", "données"])
TEXTS = st.lists(WORDS, min_size=1, max_size=12).map(" ".join)
ITEMS = st.builds(
    ContextItem,
    text=TEXTS,
    title=st.sampled_from(["", "Note"]),
    relevance=st.none() | st.sampled_from([0.0, 0.5, 1.0]),
    required=st.sampled_from([False, False, False, True]),
)


@st.composite
def requests(draw):
    """Return a conversation with prompts, tool calls and results, or without a message of the user at all."""
    messages = [ChatMessage.system(draw(TEXTS))] if draw(st.booleans()) else []
    for number in range(draw(st.integers(0, 8))):
        kind = draw(st.sampled_from(["user", "assistant", "system", "calls"]))
        if kind == "calls":
            call = ToolCall(f"c{number}", "pdf", "{}")
            messages += [ChatMessage.assistant_with_tool_calls(None, (call,)), ChatMessage.tool_result(call.id, "ok")]
        else:
            messages.append(ChatMessage(kind, draw(TEXTS)))
    messages.append(ChatMessage.user(draw(TEXTS)))
    tools = (ToolDefinition("pdf", draw(st.none() | TEXTS)),) if draw(st.booleans()) else ()
    return CompletionRequest(messages=tuple(messages), tools=tools)


@st.composite
def assemblers(draw):
    """Return an assembler with sources of every kind."""
    search = MemorySearch(max_results=draw(st.integers(1, 6)), min_similarity=draw(st.sampled_from([0.0, 0.3])))
    form = ContextFormat(data_in_tools=draw(st.booleans()), layout=draw(st.sampled_from(["list", "line"])))
    requirements = ContextRequirements(
        name="pdf",
        conversation_depth=draw(st.integers(0, 7)),
        memory_search=draw(st.sampled_from([None, search])),
        capability_context=draw(st.booleans()),
        tool_data=("styles",),
        provider_optimization={"openai": form},
    )
    own = tuple(draw(st.lists(ITEMS, max_size=5)))
    sources = [
        ContextSource.memory(draw(st.lists(ITEMS, max_size=8))),
        ContextSource.tools({"styles": draw(TEXTS)}),
        ContextSource.capabilities({"draws": draw(TEXTS)}),
        ContextSource("own", lambda need: own, draw(st.integers(0, 40))),
    ]
    return ContextAssembler(
        requirements,
        sources=sources,
        max_context_tokens=draw(st.integers(20, 220)),
        redundancy_threshold=draw(st.sampled_from([0.5, 0.9, 1.0])),
    )


def assembled(assembler, request):
    """Return a request with its context; what is required may not fit, which another property is about."""
    try:
        return assembler.assemble(request, provider="openai")
    except ContextLengthExceededError:
        assume(False)


@settings(deadline=None, max_examples=15)
@given(assemblers(), requests())
def test_f158_never_over_the_budget_and_counted_as_it_is_sent(assembler, request):
    """The prompt has at most as many tokens as it may, and as many as the metadata says."""
    context = assembled(assembler, request)
    tokens = estimate_request_tokens(context.request)
    assert tokens == context.metadata.total_context_tokens <= assembler.max_context_tokens
    assert 0 < context.metadata.token_utilization_rate <= 1


@settings(deadline=None, max_examples=15)
@given(assemblers(), requests())
def test_f158_assembled_twice_it_is_the_same(assembler, request):
    """The same input gives the same request, and a request that has its context already gets it anew."""
    context = assembled(assembler, request)
    assert assembled(assembler, request) == context
    assert assembled(assembler, context.request).request == context.request


@settings(deadline=None, max_examples=15)
@given(assemblers(), requests())
def test_f158_nothing_is_said_twice(assembler, request):
    """No two items are as alike as the threshold, but for required ones, of which none is there twice word for word."""
    context = assembled(assembler, request)
    for one, other in combinations(context.items, 2):
        if other.required:
            assert one.line != other.line
        else:
            assert likeness(one.text, other.text) < assembler.redundancy_threshold


@settings(deadline=None, max_examples=15)
@given(assemblers(), requests())
def test_f158_the_conversation_stays_a_conversation(assembler, request):
    """Messages keep their order, prompts and the current turn stay, earlier turns go whole, the oldest first."""
    context = assembled(assembler, request)
    kept = [message for message in context.request.messages if not message.text.startswith("[Context]")]
    asked = list(request.messages)
    system = [message for message in asked if message.role == "system"]
    body = [message for message in asked if message.role != "system"]
    kept_body = [message for message in kept if message.role != "system"]
    assert [message for message in kept if message.role == "system"] == system
    assert kept_body == body[len(body) - len(kept_body) :]
    assert kept_body[0] == body[0] or kept_body[0].role == "user"
    places = iter(asked)
    assert all(message in places for message in kept)


@settings(deadline=None, max_examples=15)
@given(assemblers(), requests())
def test_f158_what_is_required_is_there_or_nothing_is_sent(assembler, request):
    """Required items of asked sources go along; where they do not fit, the error has the numbers."""
    required = {item.line for item in assembler.sources[-1].gather(None) if item.required}
    error, context = None, None
    try:
        context = assembler.assemble(request, provider="openai")
    except ContextLengthExceededError as raised:
        error = raised
    if context is None:
        assert error.requested_tokens > error.max_tokens == assembler.max_context_tokens
    else:
        assert required <= {item.line for item in context.items}


@given(st.lists(WORDS, max_size=8).map(" ".join), st.lists(WORDS, max_size=8).map(" ".join))
def test_likeness_is_symmetric_and_whole_only_for_the_same_words(one, other):
    """It is from 0 to 1, and 1 of a text and itself."""
    assert 0 <= likeness(one, other) == likeness(other, one) <= 1
    assert likeness(one, one) == pytest.approx(1.0)
