"""Alike requests: which of them get each other's answers, and which never do (K08)."""

from dataclasses import replace
from decimal import Decimal

import pytest

from llmtest import ChatMessage, CompletionRequest, ImagePart, ResponseCacheConfig, TextPart, WordEmbedder
from llmtest.errors import ConfigurationError, ServerError
from llmtest.events import AttemptEnded, CacheFailed, CacheHit
from llmtest.types import EmbeddingResponse, Usage
from tests.resilience.cache.test_cache import cached
from tests.resilience.scripted_provider import ScriptedProvider

LONG = (
    "I keep my documents on a shared drive and would like to know whether moving the whole archive of our "
    "company with all contracts, invoices, letters and photographs of the last decades to the storage of another "
    "vendor in a different country is {} for a small business that has customers everywhere"
)
POLARITY = {
    "not": ("is aspirin safe", "is aspirin not safe"),
    "contraction": ("Which foods can dogs eat?", "Which foods can't dogs eat?"),
    "is-isnt": ("why is the sky blue", "why isn't the sky blue"),
    "curly": ("why is the sky blue", "why isn\u2019t the sky blue"),
    "never": ("should I mix them", "should I never mix them"),
    "without": ("a recipe with eggs", "a recipe without eggs"),
    "no": ("are there side effects", "are there no side effects"),
    "prefix": ("is it safe to eat", "is it unsafe to eat"),
    "contrary": ("how do I increase the volume", "how do I decrease the volume"),
    "order": ("does Alice owe Bob money", "does Bob owe Alice money"),
    "from-to": ("flights from Rome to Paris", "flights from Paris to Rome"),
    "before-after": ("take it before meals", "take it after meals"),
    "number": ("what is 17 plus 4", "what is 17 plus 5"),
    "version": ("what is new in Python 3.11", "what is new in Python 3.12"),
    "year": ("who won in 1998", "who won in 2002"),
    "unit": ("convert 10 km", "convert 10 miles"),
    "name": ("who was the wife of Henry", "who was the wife of Harry"),
    "long-negation": (LONG.format("safe and legal"), LONG.format("not safe and legal")),
    "long-one-word": (LONG.format("expensive"), LONG.format("cheap")),
}
ALIKE = {
    "case": ("Capital of France", "capital of france"),
    "punctuation": ("Capital of France?", "Capital of France!"),
    "spaces": ("Capital of France?", "  Capital   of\nFrance ?"),
    "politeness": ("What is the capital of France?", "Please, could you tell me what the capital of France is?"),
    "contraction": ("What is the capital of France?", "What's the capital of France"),
}


def requests(texts, **settings):
    """Return a request for each text, behind one system prompt."""
    return [CompletionRequest((ChatMessage.system("Be brief."), ChatMessage.user(text)), **settings) for text in texts]


def contents(world, pair, mode="complete", **settings):
    """Ask both of a pair of requests, and return the answers."""
    provider = ScriptedProvider("a", "one", "two")
    chain = cached(provider, cache=ResponseCacheConfig(**{"similarity_threshold": 0.95, **settings}))
    return [world.ask(chain, mode, request).content for request in pair]


@pytest.mark.parametrize("pair", ALIKE.values(), ids=ALIKE)
def test_f113_an_alike_request_gets_the_answer(world, mode, pair):
    """Case, punctuation and fillers make no difference; the trace tells how alike they were."""
    assert contents(world, requests(pair), mode) == ["one", "one"]
    (hit,) = world.events(CacheHit)
    assert hit.similarity == pytest.approx(1.0)


@pytest.mark.parametrize("pair", POLARITY.values(), ids=POLARITY)
def test_k08_what_means_something_else_is_not_alike(world, pair):
    """A denial, a contrary, another number, name or order: a miss, however long the rest is, and in both orders."""
    assert contents(world, requests(pair)) == ["one", "two"]
    assert contents(world, requests(pair[::-1])) == ["one", "two"]


class Flattering:
    """An embedder to whom everything is the same, as a poor model's vectors may be."""

    name = "flattering"

    def __init__(self, *, fails=False, usage=None):
        self.fails = fails
        self.usage = usage or Usage()
        self.asked = []

    def embed(self, request):
        self.asked.append(request)
        if self.fails:
            raise ServerError("down", status=503)
        return EmbeddingResponse(((3.0, 4.0),), request.model, self.usage)

    async def embed_async(self, request):
        return self.embed(request)


@pytest.mark.parametrize(
    "name",
    ["not", "contraction", "is-isnt", "never", "without", "no", "prefix", "contrary", "before-after", "number", "year"],
)
def test_k08_denials_and_numbers_count_whatever_the_vectors_say(world, name):
    """No embedder can make two texts alike that deny each other or have other numbers."""
    assert contents(world, requests(POLARITY[name]), embedder=Flattering()) == ["one", "two"]
    assert contents(world, requests(ALIKE["case"]), embedder=Flattering()) == ["one", "one"]


ONE, OTHER = requests(ALIKE["case"])
SAME_ELSE = {
    "model": replace(OTHER, model="m-2"),
    "temperature": replace(OTHER, temperature=0.5),
    "seed": replace(OTHER, seed=3),
    "system": replace(OTHER, messages=(ChatMessage.system("Be long."), OTHER.messages[1])),
    "history": replace(OTHER, messages=(*OTHER.messages[:1], ChatMessage.assistant("Hi"), OTHER.messages[1])),
    "user": replace(OTHER, extra={"openai": {"user": "u-1"}}),
    "name": replace(OTHER, messages=(OTHER.messages[0], replace(OTHER.messages[1], name="ann"))),
    "image": replace(
        OTHER,
        messages=(
            OTHER.messages[0],
            ChatMessage.user((TextPart("capital of france"), ImagePart(url="https://a/1"))),
        ),
    ),
    "role": replace(OTHER, messages=(OTHER.messages[0], ChatMessage.assistant("capital of france"))),
}


@pytest.mark.parametrize("other", SAME_ELSE.values(), ids=SAME_ELSE)
def test_k08_all_but_the_last_text_must_be_equal(world, other):
    """Model, parameters, system prompt, history, images and who speaks are no matter of similarity."""
    assert contents(world, (ONE, other), embedder=Flattering()) == ["one", "two"]


def test_k08_tenants_are_kept_apart(world):
    """However alike: nobody gets the answer that another tenant asked for."""
    pair = [replace(request, metadata={"org": org}) for request, org in zip((ONE, OTHER), "xy", strict=True)]
    assert contents(world, pair, tenant="org") == ["one", "two"]
    same = [replace(request, metadata={"org": "x"}) for request in (ONE, OTHER)]
    assert contents(world, same, tenant="org") == ["one", "one"]


def test_f113_a_lower_threshold_takes_what_is_less_alike(world):
    """Texts that share most of their words, in a test that wants it so."""
    pair = requests(["describe the old town hall of Rome", "describe the old town square of Rome"])
    assert contents(world, pair) == ["one", "two"]
    assert contents(world, pair, similarity_threshold=0.5) == ["one", "one"]


def test_f113_an_exact_hit_needs_no_vector(world):
    """The embedder is asked after an exact miss alone, with the text and the model that embeds."""
    embedder = Flattering()
    chain = cached(
        ScriptedProvider("a"), cache=ResponseCacheConfig(embedder=embedder, embedding_model="text-embedding-3-small")
    )
    for _ in range(3):
        world.ask(chain, request=ONE)
    (request,) = embedder.asked
    assert (request.inputs, request.model) == (("Capital of France",), "text-embedding-3-small")
    assert chain.cache.config.similarity_threshold == 0.95


def test_f113_the_nearest_of_several_answers(world, make_cache):
    """Of all that are alike enough, in memory and in a file; it counts as a use, and ends with its time."""
    provider = ScriptedProvider("a", "one", "two", "three", "four")
    chain = cached(provider, cache=make_cache(ResponseCacheConfig(similarity_threshold=0.3, ttl=10)))
    texts = ["alpha beta gamma delta", "sigma tau phi chi psi", "alpha beta gamma epsilon", "SIGMA tau phi chi psi!"]
    answers = [world.ask(chain, request=request).content for request in requests(texts)]
    assert answers == ["one", "two", "one", "two"]
    world.clock.advance(10)
    assert world.ask(chain, request=requests(texts)[3]).content == "three"
    assert chain.cache.stats().semantic_hits == 2


def test_f113_a_stream_needs_pieces(world):
    """An alike request that wants a stream gets one that was kept as such."""
    provider = ScriptedProvider("a", "one", "two", "three")
    chain = cached(provider, cache=ResponseCacheConfig(similarity_threshold=0.95))
    answers = [
        world.ask(chain, mode, request).content
        for mode, request in (("complete", ONE), ("stream", OTHER), ("stream", ONE))
    ]
    assert answers == ["one", "two", "two"]


def test_f113_a_broken_embedder_stands_in_nobody_s_way(world, mode):
    """The call is answered, and kept for equal requests; the trace has the reason."""
    provider = ScriptedProvider("a", "one", "two")
    chain = cached(provider, cache=ResponseCacheConfig(embedder=Flattering(fails=True)))
    assert [world.ask(chain, mode, request).content for request in (ONE, OTHER, ONE)] == ["one", "two", "one"]
    assert [event.operation for event in world.events(CacheFailed)] == ["embed", "embed"]


def test_f113_what_a_vector_costs_is_told(world, mode):
    """An attempt of its own, tagged, with tokens and price, before that of the answer or the hit."""
    embedder = Flattering(usage=Usage(1000))
    embedder.name = "openai"
    config = ResponseCacheConfig(embedder=embedder, embedding_model="text-embedding-3-small")
    chain = cached(ScriptedProvider("a"), cache=config)
    first, second = world.ask(chain, mode, ONE), world.ask(chain, mode, OTHER)
    for response, outcome in ((first, "200"), (second, "cache_hit")):
        vector, answer = response.attempts
        assert (vector.purpose, vector.provider, vector.model) == ("embedding", "openai", "text-embedding-3-small")
        assert (vector.billed, vector.cost_usd) == (True, Decimal("0.00002"))
        assert answer.outcome == outcome
    assert second.cost_usd == 0
    assert [event.attempt.purpose for event in world.events(AttemptEnded)] == ["embedding", "call", "embedding"]


def test_f113_the_vectors_of_words_are_the_same_everywhere():
    """They have length 1, depend on the words alone, and are as long as one likes."""
    embedder = WordEmbedder()
    one = embedder.vector("Capital of France?")
    assert sum(value * value for value in one) == pytest.approx(1.0)
    assert [round(value, 6) for value in one[:3]] == [0.01421, -0.018811, -0.028014]
    assert len(WordEmbedder(16).vector("")) == 16
    with pytest.raises(ConfigurationError, match="dimensions must be 16 or more, got 3"):
        WordEmbedder(3)
