"""Latency: how long answers take, over the wire and on the direct path, in virtual time."""

import statistics

import pytest

from llmtest.errors import ConfigurationError, ProviderTimeoutError, StreamInterruptedError
from llmtest.simulation import Constant, Gamma, LatencyModel, Lognormal, Reply, Uniform, as_latency
from llmtest.types import CompletionRequest, Timeouts, Usage
from tests.simulation.sim_calls import make_world, post

ASK = CompletionRequest.ask("hi")


def test_the_default_is_no_time_at_all():
    """Without a latency nothing waits."""
    world = make_world()
    handle = world.provider("openai").echoes()
    assert post(handle).waits == []
    handle.as_provider("m").complete(ASK)
    assert world.clock.now_ns() == 0


def test_a_total_is_waited_before_the_head():
    """A constant total delays a whole answer and a stream alike."""
    handle = make_world().provider("openai").latency(0.4).echoes()
    assert post(handle).waits == [0.4]
    assert post(handle, stream=True).waits == [0.4]


def test_tokens_arrive_at_their_speed():
    """First token after `ttft`, the rest at `tokens_per_second`, the end exactly when the last token is due."""
    world = make_world()
    handle = world.provider("openai").latency(ttft=0.5, tokens_per_second=4)
    handle.replies(Reply("one two three four", usage=Usage(1, 8)), times=None)
    stream = post(handle, stream=True)
    assert stream.waits == [0.5, 0.5, 0.5, 0.5, 0.5]
    assert post(handle).waits == [2.5]
    provider = handle.as_provider("m", tokens_per_event=1)
    times = [(event.kind, world.clock.elapsed()) for event in provider.stream(ASK)]
    assert [time for kind, time in times if kind == "text"] == [0.5, 1.0, 1.5, 2.0]
    assert times[-1] == ("end", 2.5)


def test_a_coalesced_stream_has_an_exact_first_token_and_end():
    """Sixteen tokens come as one event, when the last of them is due; the first token comes alone and in time."""
    world = make_world()
    handle = world.provider("openai").latency(ttft=1, tokens_per_second=10)
    handle.replies(Reply(" ".join(["word"] * 33), usage=Usage(1, 33)))
    texts = [
        (event.text.count("word"), round(world.clock.elapsed(), 3))
        for event in handle.as_provider("m").stream(ASK)
        if event.kind == "text"
    ]
    assert texts == [(1, 1.0), (16, 2.6), (16, 4.2)]
    assert world.clock.elapsed() == 4.3


def test_a_reply_may_have_a_latency_of_its_own():
    """The reply's latency replaces the handle's."""
    handle = make_world().provider("openai").latency(5)
    handle.replies(Reply("a", latency=0.25), Reply("b", latency=Uniform(1, 1)), "c")
    assert [post(handle).waits for _ in range(3)] == [[0.25], [1.0], [5.0]]


@pytest.mark.parametrize(
    ("distribution", "mean", "low", "high"),
    [
        (Constant(0.4), 0.4, 0.4, 0.4),
        (Uniform(1, 3), 2.0, 1.0, 3.0),
        (Lognormal(median=1, p99=10), 1.63, 0.001, 1000),
        (Gamma(mean=2, cv=0.5), 2.0, 0.001, 50),
        (Gamma(mean=2), 2.0, 0.0, 50),
    ],
    ids=str,
)
def test_distributions_have_the_shape_they_name(distribution, mean, low, high):
    """Mean and range of two thousand draws are those of the distribution."""
    draws = [distribution.draw(7, number) for number in range(2000)]
    assert all(low <= draw <= high for draw in draws)
    assert statistics.fmean(draws) == pytest.approx(mean, rel=0.12)


def test_a_lognormal_has_its_median_and_its_p99():
    """Half of all draws are below the median, one in a hundred above the p99."""
    draws = sorted(Lognormal(median=0.4, p99=2.0).draw(1, number) for number in range(5000))
    assert draws[2500] == pytest.approx(0.4, rel=0.05)
    assert draws[4950] == pytest.approx(2.0, rel=0.15)


def test_draws_are_functions_of_seed_and_key():
    """The same seed and key give the same number; neither order nor other draws matter."""
    for distribution in (Uniform(0, 1), Lognormal(1, 2), Gamma(1)):
        first = [distribution.draw(3, "openai", number) for number in (1, 2, 3)]
        assert [distribution.draw(3, "openai", number) for number in (3, 2, 1)] == first[::-1]
        assert distribution.draw(4, "openai", 1) != first[0]


def test_the_caller_s_limits_end_a_slow_answer():
    """A whole answer that comes too late is a timeout at exactly the limit, and the provider bills the prompt."""
    world = make_world()
    handle = world.provider("openai").latency(20).echoes()
    provider = handle.as_provider("gpt-4o")
    with pytest.raises(ProviderTimeoutError) as caught:
        provider.complete(ASK, Timeouts(read=10))
    assert (caught.value.phase, caught.value.timeout, str(caught.value)) == (
        "read",
        10,
        "nothing more came within 10 s",
    )
    assert world.clock.elapsed() == 10.0
    assert (handle.requests[0].outcome, handle.requests[0].usage) == ("timeout", Usage(5, 0, source="estimated"))
    with pytest.raises(ProviderTimeoutError) as caught:
        provider.complete(ASK, Timeouts(read=10, total=4))
    assert (caught.value.phase, world.clock.elapsed()) == ("total", 14.0)
    assert provider.complete(ASK, Timeouts(read=20)).content == "hi"


def test_limits_of_a_stream_count_what_they_name():
    """First token, silence and total are told apart; what had arrived before a stall is kept."""
    world = make_world()
    handle = world.provider("openai").latency(ttft=5, tokens_per_second=0.1)
    handle.replies(Reply("one two", usage=Usage(1, 4)), times=None)
    provider = handle.as_provider("gpt-4o", tokens_per_event=1)
    with pytest.raises(ProviderTimeoutError) as caught:
        list(provider.stream(ASK, Timeouts(first_token=4)))
    assert caught.value.phase == "first_token"
    with pytest.raises(StreamInterruptedError) as stalled:
        list(provider.stream(ASK, Timeouts(first_token=6, read=15)))
    assert (stalled.value.kind, stalled.value.partial_text, stalled.value.visible) == ("stalled", "one", True)
    assert [record.outcome for record in handle.requests] == ["timeout", "stalled"]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            as_latency,
            (
                "latency takes either the total, or ttft and tokens_per_second.\n\n"
                "To fix: latency(0.4), or latency(ttft=0.4, tokens_per_second=80)"
            ),
        ),
        (
            lambda: as_latency(1, ttft=2),
            (
                "latency takes either the total, or ttft and tokens_per_second.\n\n"
                "To fix: latency(0.4), or latency(ttft=0.4, tokens_per_second=80)"
            ),
        ),
        (
            lambda: as_latency(-1),
            "a constant latency must be seconds, 0 or more, got -1.\n\nTo fix: latency(0.4)",
        ),
        (
            lambda: as_latency(ttft=1, tokens_per_second=0),
            "tokens_per_second must be above 0, got 0.\n\nTo fix: latency(ttft=0.4, tokens_per_second=80)",
        ),
        (
            lambda: Uniform(3, 1),
            "Uniform needs 0 <= low <= high, got low=3, high=1.\n\nTo fix: Uniform(low=0.2, high=0.6)",
        ),
        (
            lambda: Lognormal(0, 1),
            "Lognormal needs 0 < median <= p99, got median=0, p99=1.\n\nTo fix: Lognormal(median=0.4, p99=2.0)",
        ),
        (
            lambda: Gamma(1, 0),
            "Gamma needs mean > 0 and cv > 0, got mean=1, cv=0.\n\nTo fix: Gamma(mean=0.5, cv=1.0)",
        ),
    ],
    ids=["nothing", "both", "negative", "no-speed", "uniform", "lognormal", "gamma"],
)
def test_a_latency_that_makes_no_sense_is_refused(make, text):
    """Each wrong latency has one clear error."""
    with pytest.raises(ConfigurationError) as caught:
        make()
    assert str(caught.value) == text


def test_a_model_may_be_given_as_it_is():
    """A ready `LatencyModel` is taken unchanged."""
    model = LatencyModel(ttft=Uniform(1, 2))
    assert as_latency(model) is model
