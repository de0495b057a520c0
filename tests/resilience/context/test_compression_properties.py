"""What holds of every conversation that is made shorter."""

from hypothesis import given
from hypothesis import strategies as st

from llmtest import ChatMessage, CompletionRequest, ToolCall
from llmtest.costs import estimate_request_tokens
from llmtest.resilience.context import within
from llmtest.types import ImagePart, TextPart, ThinkingPart

TEXTS = st.integers(1, 60).map(lambda count: "word " * count)


@st.composite
def turns(draw):
    """Draw what a user says and what comes of it: an answer, tool calls and their results, thoughts, pictures."""
    number = draw(st.integers(0, 10**6))
    kind = draw(st.sampled_from(["answer", "tools", "thoughts", "picture", "unanswered"]))
    text = draw(TEXTS)
    if kind == "picture":
        parts = (TextPart(text), ImagePart(data="aGk=", media_type="image/png"))
        return [ChatMessage.user(parts), ChatMessage.assistant(draw(TEXTS))]
    found = [ChatMessage.user(text)]
    if kind == "tools":
        calls = tuple(ToolCall(f"c{number}-{each}", "look", '{"x": 1}') for each in range(draw(st.integers(1, 3))))
        found.append(ChatMessage.assistant_with_tool_calls(draw(st.sampled_from([None, "Looking."])), calls))
        found += [ChatMessage.tool_result(call.id, draw(TEXTS)) for call in calls]
        if draw(st.booleans()):
            found.append(ChatMessage.assistant(draw(TEXTS)))
    elif kind == "thoughts":
        found.append(ChatMessage("assistant", (ThinkingPart(draw(TEXTS)), TextPart(draw(TEXTS)))))
    elif kind == "answer":
        found.append(ChatMessage.assistant(draw(TEXTS)))
    return found


@st.composite
def requests(draw):
    """Draw a conversation."""
    system = [ChatMessage.system(draw(TEXTS))] if draw(st.booleans()) else []
    body = [message for turn in draw(st.lists(turns(), min_size=1, max_size=8)) for message in turn]
    last = [ChatMessage.user(draw(TEXTS))] if draw(st.booleans()) else []
    return CompletionRequest(messages=tuple(system + body + last))


@given(requests(), st.integers(1, 600), st.integers(0, 6))
def test_m01_m02_m03_what_is_left_is_a_conversation_that_fits(request, limit, keep):
    """Order and pairs are kept, system prompt and current turn stay; it fits, or is the current turn alone."""
    shorter = within(request, limit, keep)
    left = list(shorter.messages)
    places = iter(enumerate(request.messages))
    kept = [next(place for place, message in places if message is each) for each in left]
    assert kept == sorted(kept)
    systems = [[each for each in some if each.role == "system"] for some in (request.messages, left)]
    assert systems[0] == systems[1]
    calls = [call.id for message in left for call in message.tool_calls]
    results = [message.tool_call_id for message in left if message.role == "tool"]
    assert sorted(calls) == sorted(results)
    last = max(place for place, message in enumerate(request.messages) if message.role == "user")
    assert all(place in kept for place in range(last, len(request.messages)))
    body = [message for message in left if message.role != "system"]
    assert body[0].role == "user" or shorter is request
    if estimate_request_tokens(shorter) > limit:
        assert len(body) == len(request.messages) - last


@given(requests(), st.integers(1, 600), st.integers(0, 6))
def test_making_it_shorter_twice_is_making_it_shorter_once(request, limit, keep):
    """Nothing more goes, and nothing at all where it fits."""
    shorter = within(request, limit, keep)
    assert within(shorter, limit, keep) is shorter
    assert within(request, estimate_request_tokens(request), keep) is request
