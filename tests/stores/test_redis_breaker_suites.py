"""The suites of circuits, on a real Redis: what is true in memory is true there."""

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from llmtest import RedisBreakerStore
from tests.resilience import test_breaker, test_breaker_control, test_breaker_rules
from tests.resilience.kept_elsewhere import kept_in_redis
from tests.resilience.test_breaker_model import CircuitAndReference

IN_MEMORY_ALONE = {
    "test_b02_a_probe_that_ends_in_the_middle_of_an_admission_gives_its_permit_back",
    "test_b04_a_late_failure_does_not_prolong_the_open_period",
    "test_b04_late_failures_belong_to_their_own_epoch",
    "test_b12_a_jump_of_the_wall_clock_changes_nothing",
    "test_b17_a_success_resets_the_escalation",
    "test_b19_the_open_period_grows_up_to_its_cap",
    "test_a_shorter_cooldown_does_not_cut_a_longer_one",
    "test_reset_forgets_everything",
    "test_f095_a_z_score_opens_at_what_is_unusual",
    "test_f091_the_state_machine_goes_every_way",
    "test_a_command_is_told_at_the_time_of_its_simulation",
    "test_two_chains_share_the_circuits_of_a_store",
    "test_a_remote_circuit_is_asked_once_for_each_decision",
    "test_a_cancelled_call_gives_its_permit_back_to_a_remote_circuit",
    "test_a_value_out_of_range_is_refused_when_built",
    "test_settings_that_contradict_each_other_are_refused_with_a_way_out",
    "test_wrong_settings_are_refused",
    "test_the_least_settings_are_allowed",
    "test_the_defaults_are_those_that_are_documented",
    "test_presets_are_those_of_the_source_systems",
    "test_an_unknown_circuit_is_named",
    "test_b18_a_circuit_that_is_not_ours_is_an_error_like_any_other",
    "test_b16_a_slot_without_a_model_is_known_by_its_number",
}
"""What looks into memory, counts on a clock that is not the wall's, makes stores of its own, makes no circuit, or takes
thousands of calls."""
for suite in (test_breaker, test_breaker_control, test_breaker_rules):
    globals().update(
        {name: case for name, case in vars(suite).items() if name.startswith("test_") and name not in IN_MEMORY_ALONE}
    )
FEW = settings(max_examples=6, stateful_step_count=30, deadline=None)


def test_the_state_machine_agrees_with_the_reference_model():
    """Both are told the same calls, ends, commands and waits; they agree on every decision."""
    run_state_machine_as_test(CircuitAndReference, settings=FEW)


@pytest.fixture(params=["complete", "stream_async"])
def mode(request):
    """Run the test in half of the ways to ask, each blocking and on a loop, whole and in pieces once."""
    return request.param


@pytest.fixture(autouse=True)
def in_redis(redis_url):
    """Keep the circuits of each chain in a namespace of its own."""
    with kept_in_redis(redis_url, circuits=RedisBreakerStore):
        yield
