"""A provider class of a user's own, with as little as a name and one method."""

import asyncio

import pytest

from llmtest import AsyncLLMClient, CompletionRequest, CompletionResponse, FallbackChain, LLMClient, build_chain
from llmtest.errors import ConfigurationError, ServerError
from llmtest.resilience import FallbackSlot
from llmtest.types import StreamEvent, TextPart, ToolCall, Usage

REQUEST = CompletionRequest.ask("Capital of France?", system="Be brief.")


class Least:
    """The least that a provider has."""

    name = "mine"

    def complete(self, request):
        """Answer with the prompt."""
        text = f"{request.messages[-1].text} Paris"
        return CompletionResponse(parts=(TextPart(text), ToolCall("c1", "look")), usage=Usage(3, 4), model="m-1")


class Coroutines:
    """The same, asynchronous alone."""

    name = "mine"

    async def complete(self, request):
        """Answer with the prompt."""
        await asyncio.sleep(0)
        return Least().complete(request)


class Texts:
    """MoFA's shape: prompts and answers are texts, and a system prompt has a method of its own."""

    name = "mine"
    model = "m-2"

    def complete(self, prompt: str) -> str:
        """Answer with the prompt."""
        return f"{prompt} Paris"

    def complete_with_system(self, system: str, prompt: str) -> str:
        """Answer with both."""
        return f"[{system}] {prompt} Paris"


ways = pytest.mark.parametrize(
    ("made", "text"),
    [
        pytest.param(Least, "Capital of France? Paris", id="least"),
        pytest.param(Coroutines, "Capital of France? Paris", id="coroutines"),
        pytest.param(Texts, "[Be brief.] Capital of France? Paris", id="texts"),
    ],
)


@ways
def test_p04_name_and_complete_are_enough(made, text):
    """It is asked by clients and chains, blocking and on the loop, whole and as a stream."""
    client, other = LLMClient(made()), AsyncLLMClient(FallbackChain([made()]))
    assert client.complete(REQUEST).content == text
    assert client.complete(REQUEST).provider == "mine"
    assert "".join(event.text for event in client.stream(REQUEST) if event.kind == "text") == text

    async def story():
        whole = await other.complete(REQUEST)
        return whole.content, [event async for event in other.stream(REQUEST)][-1].response.content

    assert asyncio.run(story()) == (text, text)


@pytest.mark.parametrize(
    "use",
    [
        pytest.param(lambda mine: FallbackChain([mine]), id="chain"),
        pytest.param(lambda mine: FallbackChain([FallbackSlot(provider=mine)]), id="slot"),
        pytest.param(lambda mine: FallbackChain.builder().add_last(mine).build(), id="builder"),
        pytest.param(lambda mine: build_chain({"providers": [{"provider": mine}]}), id="mapping"),
        pytest.param(lambda mine: build_chain({"providers": [{"provider": "x"}]}, {"x": mine}), id="by-name"),
        pytest.param(lambda mine: FallbackChain([FallbackChain([mine])]), id="nested"),
    ],
)
def test_p04_it_is_accepted_everywhere(use):
    """Wherever a provider may stand, the least of one may stand."""
    assert use(Least()).complete(REQUEST).tool_calls == (ToolCall("c1", "look"),)


def test_p04_its_failures_are_those_of_a_provider():
    """What it raises is retried and handed on like everybody's."""

    class Broken:
        name = "broken"

        def complete(self, request):
            raise ServerError("down", status=503)

    chain = FallbackChain([Broken(), Least()], retry=None)
    answer = chain.complete(REQUEST)
    assert [attempt.outcome for attempt in answer.attempts] == ["503", "200"]
    assert answer.provider == "mine"


def test_p04_its_own_stream_is_used():
    """Texts of its stream are the answer piece by piece; events are handed on as they are."""

    class Streams(Least):
        def stream(self, request, timeouts=None):
            yield from ("Par", "is")

    class Events(Least):
        async def stream_async(self, request, *, timeouts):
            yield StreamEvent("text", text="Rome")
            yield StreamEvent("end", response=CompletionResponse(parts=(TextPart("Rome"),)))

    events = list(LLMClient(Streams()).stream(REQUEST))
    assert [event.text for event in events] == ["Par", "is", ""]
    assert events[-1].response.content == "Paris"

    async def story(provider):
        return [event.text async for event in AsyncLLMClient(provider).stream(REQUEST)]

    assert asyncio.run(story(Events())) == ["Rome", ""]
    assert asyncio.run(story(Streams())) == ["Par", "is", ""]
    assert [event.kind for event in LLMClient(Events()).stream(REQUEST)][-1] == "end"


def test_p04_what_else_it_has_is_there():
    """A list of models and a count of its own stay within reach, and limits are handed over where it takes them."""
    seen = []

    class More(Least):
        def complete(self, request, timeouts):
            seen.append(timeouts.total)
            return super().complete(request)

        def list_models(self):
            return ["m-1"]

    client = LLMClient(FallbackChain([More()]))
    client.ask("hi")
    assert (client.list_models(), seen) == (["m-1"], [120.0])
    with pytest.raises(AttributeError):
        client.provider.places[0].provider.no_such_thing  # noqa: B018 - that it is not there is what is asked


@pytest.mark.parametrize(
    "given",
    [
        pytest.param("openai", id="text"),
        pytest.param(Least, id="class"),
        pytest.param(type("Nameless", (), {"complete": print})(), id="nameless"),
        pytest.param(type("Silent", (), {"name": "silent"})(), id="silent"),
    ],
)
def test_p04_less_is_refused(given):
    """Without a name or a way to be asked, it is no provider, and the text says what one has."""
    with pytest.raises(ConfigurationError, match="a provider has `name`, a text, and `complete"):
        FallbackChain([given])


@pytest.mark.parametrize("way", ["complete", "stream"])
def test_p04_an_answer_that_is_none_is_told(way):
    """What is neither a text nor an answer is a mistake of the class, said with its type."""

    class Numbers:
        name = "numbers"

        def complete(self, request):
            return 5

        def stream(self, request):
            return iter([5])

    with pytest.raises(ConfigurationError, match="int, where its"):
        list(getattr(LLMClient(Numbers()), way)(REQUEST))


def test_p04_one_object_twice_is_refused():
    """The same object in two slots is one provider, however it was made one."""
    mine = Least()
    with pytest.raises(ConfigurationError, match="has provider `mine` twice"):
        FallbackChain([mine, mine])


def test_f036_a_slot_says_what_a_request_does_not():
    """Limits and temperature of a slot are sent where the request has none; its window decides whether it is asked."""
    seen = []

    class Seen(Least):
        def complete(self, request):
            seen.append((request.max_tokens, request.temperature))
            return super().complete(request)

    chain = FallbackChain([FallbackSlot(provider=Seen(), max_tokens=2048, temperature=0.1, name="dev")])
    chain.complete(REQUEST)
    chain.complete(REQUEST.with_max_tokens(5).with_temperature(1.0))
    assert seen == [(2048, 0.1), (5, 1.0)]
    assert chain.breaker("dev").name == "dev"
    small = FallbackSlot(provider=Texts(), context_window=3)
    assert FallbackChain([small, Seen()]).complete(REQUEST).model == "m-1"
