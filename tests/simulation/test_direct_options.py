"""What a request asks of its answer means the same on the direct path as over the wire."""

import pytest

from llmtest import OpenAIProvider, Simulation, faults
from llmtest.errors import NotSupportedError
from llmtest.events import RequestReceived
from llmtest.simulation import Reply
from llmtest.types import ChatMessage, CompletionRequest, ResponseFormat
from tests.simulation.sim_calls import make_world


def request(**options):
    """Return a request that asks for something."""
    return CompletionRequest((ChatMessage.user("Capital of France?"),), **options)


def logprobs_of(response):
    """Return what each answer of a response tells of its words."""
    return [each.parts[0].logprobs for each in (response, *response.alternatives)]


@pytest.mark.parametrize("script", ["replies", "generates"])
@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("top", [None, 0, 3])
def test_e27_log_probabilities_are_those_of_the_wire(script, n, top):
    """Each word has the same probability and the same rivals, whole and streamed, with and without HTTP."""
    asked = request(logprobs=True, top_logprobs=top, n=n)
    with Simulation() as sim:
        if script == "replies":
            sim.openai.replies("Paris is it.", times=4)
        else:
            sim.openai.generates(words=5)
        direct, wired = sim.openai.as_provider("gpt-4o"), OpenAIProvider(model="gpt-4o")
        found = [logprobs_of(provider.complete(asked)) for provider in (direct, wired)]
        found += [logprobs_of(list(provider.stream(asked))[-1].response) for provider in (direct, wired)]
    assert found[0] == found[1] == found[2] == found[3]
    assert len(found[0]) == n
    assert [len(each.top) for each in found[0][0]] == [top or 0] * len(found[0][0])
    assert all(tokens for tokens in found[0])


def test_a_broken_answer_with_log_probabilities_is_still_one():
    """An answer that goes through the codec, because it is late or odd, tells the same."""
    world = make_world()
    handle = world.provider("openai").replies("Paris", Reply("Paris", edit=faults.WireEdit(set={"id": "x"})))
    provider = handle.as_provider("gpt-4o")
    plain, odd = (provider.complete(request(logprobs=True)) for _ in range(2))
    assert odd.id == "x"
    assert logprobs_of(plain) == logprobs_of(odd) != [()]


def test_nobody_tells_log_probabilities_unasked():
    """Without the option, and with it turned off, an answer tells none."""
    provider = make_world().provider("openai").replies("Paris", times=2).as_provider("gpt-4o")
    assert [logprobs_of(provider.complete(request(logprobs=wanted))) for wanted in (None, False)] == [[()], [()]]


UNSAYABLE = [
    ("anthropic", {"logprobs": True}, "anthropic: there are no log probabilities"),
    ("anthropic", {"n": 2}, "anthropic: one answer at a time, not n=2"),
    (
        "anthropic",
        {"response_format": ResponseFormat("json_object")},
        "anthropic: JSON needs a schema: ResponseFormat.json_schema(...)",
    ),
    ("openai", {"max_tokens": 0}, "openai: an answer has at least one token; `max_tokens=0` is Anthropic's"),
    ("openai", {"model": "gpt-4o", "top_k": 3}, "openai: `gpt-4o` cannot choose among the `top_k` likeliest tokens"),
]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("dialect", "options", "text"), UNSAYABLE, ids=[f"{row[0]}-{[*row[1]][-1]}" for row in UNSAYABLE]
)
def test_what_an_api_has_no_word_for_is_refused_before_it_is_asked(dialect, options, text, stream):
    """A chain would pass here and fail over HTTP, where such a request is never written; no request is counted."""
    world = make_world()
    handle = world.provider(dialect).echoes()
    provider = handle.as_provider("m-1")
    with pytest.raises(NotSupportedError) as caught:
        list(provider.stream(request(**options))) if stream else provider.complete(request(**options))
    assert caught.value.message == text
    assert (caught.value.provider, caught.value.model) == (dialect, options.get("model", "m-1"))
    assert handle.received == 0
    assert world.trace.of(RequestReceived) == []
