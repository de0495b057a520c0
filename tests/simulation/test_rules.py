"""Fault rules: when x where x what, with dice that no other rule can shift."""

import pytest

from llmtest import events, faults
from llmtest.errors import ConfigurationError, ServerError
from llmtest.events import FaultFired, LogicalCall, current_call
from llmtest.faults import FaultRule
from llmtest.types import CompletionRequest
from tests.simulation.sim_calls import make_world, post

SECOND = 1_000_000_000


def statuses(world, handle, count, *, every=1.0):
    """Return the outcomes of requests that come at an even pace."""
    found = []
    for _ in range(count):
        found.append(post(handle).outcome)
        world.clock.advance(every)
    return found


def world_with(*rules, seed=0):
    """Return a world with an echoing provider under rules."""
    world = make_world(seed=seed)
    handle = world.provider("openai").echoes()
    for rule in rules:
        world.add_fault_rule(rule)
    return world, handle


def test_a_window_opens_and_closes():
    """A rule strikes from `at_ns` for `for_ns`, its end not included."""
    world, handle = world_with(FaultRule("outage", faults.ServerError(503), at_ns=2 * SECOND, for_ns=2 * SECOND))
    assert statuses(world, handle, 6) == ["200", "200", "503", "503", "200", "200"]
    assert world.fired() == {"outage": 2}


def test_a_window_repeats():
    """With `every_ns` the window comes back after its period."""
    world, handle = world_with(
        FaultRule("hiccup", faults.ServerError(), at_ns=SECOND, for_ns=SECOND, every_ns=3 * SECOND)
    )
    assert statuses(world, handle, 8) == ["200", "500", "200", "200", "500", "200", "200", "500"]


def test_calls_count_matching_requests():
    """`calls=(2, 3)` strikes the second and third matching request."""
    world, handle = world_with(FaultRule("burst", faults.ServerError(), where={"model": "gpt-4o"}, calls=(2, 3)))
    assert post(handle, model="other").outcome == "200"
    assert statuses(world, handle, 4) == ["200", "500", "500", "200"]


def test_calls_may_be_open():
    """`calls=(2, None)` strikes from the second request on."""
    world, handle = world_with(FaultRule("late", faults.ServerError(), calls=(2, None)))
    assert statuses(world, handle, 3) == ["200", "500", "500"]


def test_times_limits_how_often_a_rule_strikes():
    """After `times` strikes the rule is spent."""
    world, handle = world_with(FaultRule("once", faults.ServerError(), times=1))
    assert statuses(world, handle, 2) == ["500", "200"]


@pytest.mark.parametrize(
    ("where", "hit"),
    [
        ({"provider": "openai"}, True),
        ({"provider": ["anthropic", "openai"]}, True),
        ({"provider": "anthropic"}, False),
        ({"model": "gpt-*"}, True),
        ({"model": "claude-*"}, False),
        ({"operation": "chat"}, True),
        ({"operation": "embeddings"}, False),
        ({"stream": False}, True),
        ({"stream": True}, False),
        ({"prompt_contains": "hi"}, True),
        ({"prompt_contains": ["yo", "hi"]}, True),
        ({"prompt_contains": "yo"}, False),
        ({"api_key": "sk-test"}, True),
        ({"api_key": "sk-other"}, False),
    ],
    ids=str,
)
def test_where_says_which_requests(where, hit):
    """Every key of `where` selects what it names."""
    world, handle = world_with(FaultRule("here", faults.ServerError(), where=where))
    assert post(handle).outcome == ("500" if hit else "200")
    assert [rule.name for rule in world.unfired_rules()] == ([] if hit else ["here"])


def test_a_rule_added_before_its_provider_holds_for_it():
    """A provider that is first used later is under the rules that were there before."""
    world = make_world()
    world.add_fault_rule(FaultRule("down", faults.ServerError(), where={"provider": "anthropic"}))
    assert post(world.provider("openai").echoes()).outcome == "200"
    assert post(world.provider("anthropic").echoes()).outcome == "500"


def dice(*names, seed=1, count=200):
    """Return which of many requests the rule `noise` strikes, with further rules beside it."""
    rules = [FaultRule(name, faults.SlowFirstToken(1), probability=0.3) for name in names]
    rules.append(FaultRule("noise", faults.ServerError(), probability=0.2))
    _, handle = world_with(*rules, seed=seed)
    return [post(handle).outcome == "500" for _ in range(count)]


def test_probability_is_a_share_of_requests():
    """A rule with probability 0.2 strikes about a fifth of the requests; another seed strikes others."""
    struck = dice()
    assert 20 <= sum(struck) <= 60
    assert dice(seed=2) != struck


def test_taking_a_rule_away_shifts_no_other_decision():
    """The dice of a rule do not know of other rules, nor of their order."""
    assert dice("a", "b") == dice("b") == dice("b", "a") == dice()


def test_the_dice_of_a_marked_call_do_not_depend_on_other_calls():
    """A decision belongs to its call and attempt, so that more traffic before it changes nothing."""

    def struck(calls):
        _, handle = world_with(FaultRule("noise", faults.ServerError(), probability=0.5), seed=4)
        provider, found = handle.as_provider("m"), {}
        for call in calls:
            token = current_call.set(LogicalCall(call, "x"))
            try:
                for attempt in (1, 2):
                    try:
                        provider.complete(CompletionRequest.ask("hi"))
                        found[call, attempt] = False
                    except ServerError:
                        found[call, attempt] = True
            finally:
                current_call.reset(token)
        return found

    alone, among = struck([7, 9]), struck([1, 2, 3, 9, 7, 8])
    assert {key: among[key] for key in alone} == alone
    assert len(set(among.values())) == 2


def test_stages_have_a_fixed_order():
    """Quota, abort, latency, body, stream: what aborts leaves the others nothing, and they do not count as fired."""
    world, handle = world_with(
        FaultRule("cut", faults.StreamTruncated(1)),
        FaultRule("slow", faults.SlowFirstToken(3)),
        FaultRule("down", faults.ServerError(), calls=(1, 1)),
        FaultRule("slower", faults.SlowFirstToken(9)),
    )
    assert post(handle, "one two", stream=True).outcome == "500"
    assert world.fired() == {"cut": 0, "slow": 0, "down": 1, "slower": 0}
    answered = post(handle, "one two", stream=True)
    assert (answered.outcome, answered.waits) == ("truncated", [3.0])
    assert world.fired() == {"cut": 1, "slow": 1, "down": 1, "slower": 0}
    assert [rule.name for rule in world.unfired_rules()] == ["slower"]


def test_a_quota_comes_before_every_rule():
    """A request over the quota meets no fault."""
    world, handle = world_with(FaultRule("down", faults.ServerError(), calls=(2, None)))
    handle.limits(rpm=1)
    assert [post(handle).outcome, post(handle).outcome] == ["200", "429"]
    assert world.fired() == {"down": 0}


def test_an_abort_by_rule_plays_no_step():
    """The script goes on after the outage where it was."""
    world, handle = world_with(FaultRule("down", faults.ServerError(), times=1))
    handle.replies("scripted")
    assert [post(handle).outcome, post(handle).outcome] == ["500", "200"]
    assert world.unused_steps() == []


def test_a_strike_is_an_event():
    """The trace tells which rule struck which request."""
    world, handle = world_with(FaultRule("down", faults.ServerError(), times=1))
    post(handle)
    assert [(each.rule, each.provider, each.exchange) for each in world.trace.of(FaultFired)] == [("down", "openai", 1)]
    assert [event.fault for event in world.trace.of(events.RequestAnswered)] == ["server_error"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            {"where": {"modle": "x"}},
            (
                "fault rule `r`: unknown key `modle` in `where`, did you mean `model`?\n\n"
                "To fix: known keys: provider, model, operation, stream, prompt_contains, last_role, api_key"
            ),
        ),
        (
            {"for_ns": 0},
            "fault rule `r`: the window must start at 0 or later and be longer than 0.\n\nTo fix: at_ns=0, for_ns=None",
        ),
        (
            {"every_ns": 5},
            (
                "fault rule `r`: a window that repeats needs a length, and the period must not be shorter.\n\n"
                "To fix: for_ns=1_000_000_000, every_ns=60_000_000_000"
            ),
        ),
        (
            {"probability": 2},
            "fault rule `r`: probability must be from 0 to 1, got 2.\n\nTo fix: probability=0.02",
        ),
        ({"times": 0}, "fault rule `r`: times must be 1 or more, got 0.\n\nTo fix: times=1, or None for no limit"),
        (
            {"calls": (3, 1)},
            "fault rule `r`: calls must be first and last, from 1, got (3, 1).\n\nTo fix: calls=(1, 3)",
        ),
        (
            {"fault": "rate_limited"},
            (
                "fault rule `r`: fault must be a fault, got 'rate_limited'.\n\n"
                "To fix: fault=faults.ServerError(status=503)"
            ),
        ),
    ],
    ids=["where", "window", "period", "probability", "times", "calls", "fault"],
)
def test_a_rule_that_makes_no_sense_is_refused(arguments, text):
    """Each wrong value has one clear error."""
    with pytest.raises(ConfigurationError) as caught:
        FaultRule("r", **{"fault": faults.ServerError(), **arguments})
    assert str(caught.value) == text


def test_two_rules_of_one_name_are_refused():
    """Their dice and their counts could not be told apart."""
    world, _ = world_with(FaultRule("down", faults.ServerError()))
    with pytest.raises(ConfigurationError) as caught:
        world.add_fault_rule(FaultRule("down", faults.Overloaded()))
    assert str(caught.value) == "two fault rules are named `down`.\n\nTo fix: rename one of them"
