"""`stream_commit="end"`: a stream is handed over when all of it has come, and may be replaced until then."""

import pytest

from llmtest.config import build_chain
from llmtest.errors import (
    AllProvidersFailedError,
    ConfigurationError,
    InvalidResponseError,
    ProviderConnectionError,
    StreamInterruptedError,
)
from llmtest.events import AttemptEnded, CallEnded, FallbackTaken, RetryScheduled
from llmtest.resilience import CircuitBreakerConfig, FallbackChain, RetryConfig
from tests.resilience.scripted_provider import REQUEST, Cut, ScriptedProvider, World

STREAMS = ("stream", "stream_async")


def chain_of(*providers, **options):
    """Return a chain that holds streams, without retries and circuits."""
    return FallbackChain(providers, **{"retry": None, "circuit_breaker": None, "stream_commit": "end", **options})


def texts(world, chain, mode):
    """Return what the reader of a stream sees."""

    async def story():
        if mode == "stream":
            return [event.text for event in chain.stream(REQUEST) if event.kind == "text"]
        return [event.text async for event in chain.stream_async(REQUEST) if event.kind == "text"]

    return world.run(story())


@pytest.mark.parametrize("mode", STREAMS)
@pytest.mark.parametrize(
    "broken",
    [
        Cut("The capital"),
        Cut("The capital", ProviderConnectionError("gone")),
        Cut("The capital", InvalidResponseError("?")),
        Cut("The capital", StreamInterruptedError("cut")),
    ],
    ids=["no terminator", "dropped", "malformed", "interrupted"],
)
def test_f078_a_stream_that_breaks_is_replaced_as_a_whole(world, mode, broken):
    """The reader sees the other answer alone, from its first word on (FB13)."""
    chain = chain_of(ScriptedProvider("a", broken), ScriptedProvider("b", "Paris it is"))
    assert texts(world, chain, mode) == ["Paris ", "it ", "is "]
    (ended,) = world.events(CallEnded)
    assert (ended.outcome, ended.provider) == ("ok", "b")
    assert len(world.events(FallbackTaken)) == 1


@pytest.mark.parametrize("mode", STREAMS)
def test_f078_a_stream_that_breaks_is_retried_where_that_helps(world, mode):
    """A broken connection is asked again at the same place, and both attempts are told."""
    a = ScriptedProvider("a", Cut("The capital", ProviderConnectionError("gone")), "Paris")
    chain = chain_of(a, retry=RetryConfig(max_attempts=2, jitter=False))
    response = world.ask(chain, mode)
    assert (response.content, len(response.attempts)) == ("Paris", 2)
    assert [event.provider for event in world.events(RetryScheduled)] == ["a"]


@pytest.mark.parametrize("mode", STREAMS)
def test_f078_what_was_billed_of_a_replaced_stream_is_told(world, mode):
    """The pieces that nobody saw were paid for all the same."""
    chain = chain_of(ScriptedProvider("a", Cut("The capital")), ScriptedProvider("b", "Paris"))
    response = world.ask(chain, mode)
    assert [attempt.billed for attempt in response.attempts] == [True, True]
    assert len(world.events(AttemptEnded)) == 2


@pytest.mark.parametrize("mode", STREAMS)
def test_f078_broken_streams_open_the_circuit(world, mode):
    """A stream that breaks counts against its provider, held or not."""
    breaker = CircuitBreakerConfig(failure_threshold=2)
    chain = chain_of(ScriptedProvider("a", Cut("The")), ScriptedProvider("b"), circuit_breaker=breaker)
    for _ in range(3):
        world.ask(chain, mode)
    assert chain.breaker("a").state == "open"


@pytest.mark.parametrize("mode", STREAMS)
def test_f078_where_all_break_the_error_has_every_cause(world, mode):
    """Nothing was shown, so nothing is called visible."""
    error = world.fail(chain_of(ScriptedProvider("a", Cut("The")), ScriptedProvider("b", Cut("Paris"))), mode)
    assert isinstance(error, AllProvidersFailedError)
    assert [each.visible for _, each in error.errors] == [False, False]


@pytest.mark.parametrize("mode", STREAMS)
def test_f078_an_inner_chain_that_shows_early_is_held_by_the_outer_one(world, mode):
    """What the inner chain showed was shown to the outer one alone."""
    inner = FallbackChain([ScriptedProvider("a", Cut("The capital"))], retry=None, name="inner")
    assert world.ask(chain_of(inner, ScriptedProvider("b", "Paris")), mode).content == "Paris"


def test_f078_whole_answers_are_what_they_were():
    """Without a stream the option says nothing."""
    digests = set()
    for commit in ("first_token", "end"):
        world = World()
        world.ask(chain_of(ScriptedProvider("a"), stream_commit=commit), "complete_async")
        digests.add(world.trace.digest())
    assert len(digests) == 1


def test_f078_the_builder_and_a_file_say_it_too(world):
    """`with_stream_commit` and `stream_commit:` are the same."""
    a, b = ScriptedProvider("a", Cut("The")), ScriptedProvider("b", "Paris")
    built = FallbackChain.builder().with_retry(None).with_stream_commit("end").add(a).add(b).build()
    config = {"stream_commit": "end", "retry": None, "providers": [{"provider": a}, {"provider": b}]}
    for chain in (built, build_chain(config)):
        assert world.ask(chain, "stream_async").content == "Paris"


def test_a_wrong_commit_point_is_refused():
    """There are two."""
    with pytest.raises(ConfigurationError) as error:
        chain_of(ScriptedProvider("a"), stream_commit="last")
    assert str(error.value) == "stream_commit of chain `fallback-chain` is `first_token` or `end`, got 'last'"
