"""Fallback, breakers, retries, caches, routing, health, metrics: what the five systems do when a provider does not."""

from tests.feature_rows.row import Feature

__all__ = ["RESILIENCE"]

FALLBACK, BREAKER, RETRY = (
    "resilience/test_fallback.py",
    "resilience/test_breaker.py",
    "resilience/test_retry.py",
)
FAILOVER, STRATEGIES, RULES = (
    "resilience/test_fallback_failover.py",
    "resilience/test_fallback_strategies.py",
    "resilience/test_breaker_rules.py",
)
AGAIN, CACHE, ROUTING, TASKS = (
    "resilience/test_retry_strategies.py",
    "resilience/cache/test_cache.py",
    "resilience/test_routing.py",
    "resilience/test_task_routing.py",
)
PROBES, ALERTS = "resilience/health/test_probes.py", "resilience/health/test_alerts.py"
MOFA, CAXTON, VAPORA = "seeds/test_mofa.py", "seeds/test_caxton.py", "seeds/test_vapora.py"
IRONCLAW, LLMKIT = "seeds/test_ironclaw.py", "seeds/test_llmkit.py"

RESILIENCE = {
    60: Feature(
        "A chain of providers that is itself a provider",
        (f"{FALLBACK}::test_the_next_provider_answers", f"{MOFA}::test_fallback_chain_code_usage"),
    ),
    61: Feature("A chain built step by step", (f"{FALLBACK}::test_the_builder_makes_the_same_chain",)),
    62: Feature(
        "Triggers: conditions, any error, never",
        (f"{FALLBACK}::test_fb06_never_is_obeyed_in_every_mode", f"{MOFA}::test_fallback_conditions"),
    ),
    63: Feature("MoFA's eight conditions", (f"{FALLBACK}::test_a_condition_hands_on_its_own_kind_of_failure_only",)),
    64: Feature("MoFA's default trigger", (f"{FALLBACK}::test_mofa_s_trigger_knows_no_server_errors",)),
    65: Feature(
        "An open circuit is passed over; what no trigger matches ends the call",
        (
            f"{FALLBACK}::test_metrics_count_what_happened",
            f"{FALLBACK}::test_fb12_the_primary_is_back_within_the_probe_interval",
        ),
    ),
    66: Feature("The last provider's error is the caller's", (f"{FALLBACK}::test_fb06_never_is_obeyed_in_every_mode",)),
    67: Feature(
        "MoFA's chain file",
        (f"{MOFA}::test_p03_yaml_configuration", "config/test_chain_files.py::test_yaml_and_toml_say_the_same"),
    ),
    68: Feature("Every circuit open is one error", (f"{BREAKER}::test_b18_all_circuits_open_is_one_typed_error",)),
    69: Feature(
        "llmkit's triggers",
        (f"{FAILOVER}::test_f069_a_trigger_matches_its_own_errors", f"{LLMKIT}::test_failover_trigger_matches"),
    ),
    70: Feature(
        "Names of models by provider, others refused or passed on",
        (
            f"{FAILOVER}::test_f070_a_fallback_provider_has_its_own_names_of_models",
            f"{STRATEGIES}::test_f070_unmapped_models_are_passed_on_where_the_slot_says_so",
        ),
    ),
    71: Feature(
        "llmkit's `FailoverConfig`",
        (
            f"{FAILOVER}::test_f071_a_config_is_built_step_by_step",
            f"{FAILOVER}::test_f071_max_attempts_counts_fallbacks_and_0_is_all",
            f"{FAILOVER}::test_f071_the_primary_is_asked_again_first_where_that_is_said",
        ),
    ),
    72: Feature("Triggers for the primary alone", (f"{FAILOVER}::test_f072_triggers_are_the_primary_s_alone",)),
    73: Feature("Failover of streams", (f"{LLMKIT}::test_streams_fail_over_before_their_first_piece",)),
    74: Feature(
        "The primary's name, and who answered",
        (f"{FAILOVER}::test_f074_the_composite_has_the_primary_s_name_and_tells_who_served",),
    ),
    75: Feature("llmkit's presets", (f"{FAILOVER}::test_f075_the_presets_know_models_and_triggers",)),
    76: Feature(
        "IronClaw's cooldown",
        (
            f"{FAILOVER}::test_f076_a_cooldown_leaves_a_provider_alone",
            f"{FAILOVER}::test_f076_the_numbers_are_ironclaw_s",
        ),
    ),
    77: Feature(
        "Never all are passed over; who served is known of each call",
        (
            f"{FAILOVER}::test_f077_when_all_are_cooling_the_oldest_is_asked",
            f"{FALLBACK}::test_h04_concurrent_calls_know_who_served_them",
        ),
    ),
    78: Feature(
        "Nothing is put behind what was visible, unless the stream is held",
        (
            f"{RETRY}::test_r08_nothing_is_retried_after_visible_text",
            "resilience/test_fallback_held_streams.py::test_f078_a_stream_that_breaks_is_replaced_as_a_whole",
        ),
    ),
    79: Feature(
        "Caxton's priorities and strategies",
        (
            f"{STRATEGIES}::test_f079_without_a_strategy_the_first_one_is_asked",
            f"{CAXTON}::test_f079_another_fallback_strategy_is_read",
        ),
    ),
    80: Feature("Caxton's policies of fallback", (f"{STRATEGIES}::test_f080_caxton_s_fallback_policies",)),
    81: Feature(
        "VAPORA's 30 s for each, and every failure",
        (
            f"{STRATEGIES}::test_f081_each_is_tried_for_30_seconds_and_every_failure_is_told",
            f"{VAPORA}::test_all_providers_failed",
        ),
    ),
    82: Feature(
        "Weights, and a gradual shift",
        (
            f"{STRATEGIES}::test_f082_weighted_shares_are_kept_from_the_first_call_on",
            f"{STRATEGIES}::test_f082_a_gradual_shift_is_exact",
            f"{STRATEGIES}::test_f082_a_shift_in_steps_keeps_each_step_s_share",
            f"{STRATEGIES}::test_f082_shares_hold_across_many_small_changes",
            f"{STRATEGIES}::test_f082_weights_that_cannot_be_are_refused_in_one_text",
        ),
    ),
    84: Feature(
        "Limits of our own: a queue, refusals at once, another provider",
        (
            "resilience/test_limiting.py::test_f084_requests_wait_for_their_turn",
            "resilience/test_limiting.py::test_f084_a_wait_that_cannot_end_in_time_is_refused_at_once",
            "resilience/test_limiting.py::test_f084_another_provider_is_asked_where_one_has_no_room",
        ),
    ),
    85: Feature("Load balancing", (f"{STRATEGIES}::test_f085_load_balance_spreads_calls_that_come_at_once",)),
    86: Feature(
        "Log records of fallbacks",
        (
            "resilience/test_log_records.py::test_f086_a_failed_primary_is_a_warning_and_the_fallback_that_answers_an_info",
            "resilience/test_log_records.py::test_f086_a_fallback_that_fails_is_a_warning_too",
        ),
    ),
    87: Feature("Names of the primary and the fallbacks", (f"{FAILOVER}::test_f087_names_of_a_plain_list",)),
    90: Feature("MoFA's breaker", (f"{RULES}::test_f090_mofa_opens_after_three_failures_for_thirty_seconds",)),
    91: Feature("Its states", (f"{RULES}::test_f091_the_state_machine_goes_every_way",)),
    92: Feature(
        "IronClaw's breaker",
        (
            f"{RULES}::test_f092_f093_ironclaw_has_two_half_open_numbers_and_tokens",
            f"{IRONCLAW}::test_circuit_breaker_provider",
        ),
    ),
    93: Feature(
        "Admissions of an earlier epoch change nothing",
        (
            f"{RULES}::test_f092_f093_ironclaw_has_two_half_open_numbers_and_tokens",
            f"{BREAKER}::test_b03_a_late_success_of_an_old_epoch_changes_nothing",
        ),
    ),
    94: Feature(
        "What counts and what is retried",
        (
            f"{RULES}::test_f094_what_is_retried_and_what_counts_are_two_questions",
            "resilience/test_conduct.py::test_the_table_of_conduct_is_kept",
        ),
    ),
    95: Feature(
        "llmkit's breaker by z-score",
        (
            f"{RULES}::test_f095_a_z_score_opens_at_what_is_unusual",
            f"{RULES}::test_f095_ten_probes_are_tried_and_eight_must_succeed",
        ),
    ),
    96: Feature(
        "Caxton's gradual restoration",
        (
            "resilience/test_breaker_control.py::test_f096_traffic_is_restored_gradually",
            "config/test_breaker_keys.py::test_f096_caxton_s_own_names_are_read",
        ),
    ),
    100: Feature(
        "IronClaw's `max_retries`",
        (
            f"{AGAIN}::test_f100_max_retries_do_not_count_the_first_attempt",
            f"{IRONCLAW}::test_retry_provider",
        ),
    ),
    101: Feature(
        "IronClaw's waits, and Retry-After in every form",
        (
            f"{AGAIN}::test_f101_ironclaw_s_waits",
            f"{RETRY}::test_r03_every_form_of_retry_after_is_obeyed_clamped_or_refused",
        ),
    ),
    102: Feature("llmkit's presets of retrying", (f"{AGAIN}::test_f102_llmkit_s_presets",)),
    103: Feature(
        "Caxton's policy of retrying, and its flat keys",
        (
            f"{AGAIN}::test_f103_caxton_s_policy",
            f"{AGAIN}::test_f103_only_the_named_failures_are_retried",
            "config/test_retry_keys.py::test_f103_caxton_s_own_names_are_read",
        ),
    ),
    104: Feature(
        "MoFA's policy of retrying, with `PromptRetry`",
        (
            f"{AGAIN}::test_f104_mofa_s_policy",
            f"{AGAIN}::test_f104_waits_grow_as_they_are_told",
            "resilience/test_prompt_retry.py::test_f104_an_answer_that_cannot_be_used_is_asked_for_again",
        ),
    ),
    105: Feature(
        "Limits of connecting, of silence, of an attempt, of a call",
        (
            "resilience/test_stream_pace.py::test_f105_f106_the_limits_of_other_systems",
            f"{CAXTON}::test_timeout_behavior",
        ),
    ),
    106: Feature("VAPORA's 30 s", ("resilience/test_stream_pace.py::test_f105_f106_the_limits_of_other_systems",)),
    110: Feature(
        "IronClaw's cache",
        (
            f"{CACHE}::test_f110_an_equal_request_is_answered_without_asking",
            f"{CACHE}::test_f110_the_defaults_are_an_hour_and_a_thousand_answers",
            "config/test_cache_section.py::test_f110_a_file_has_every_setting",
        ),
    ),
    111: Feature(
        "What is in its key, what is kept, and its counts",
        (
            f"{CACHE}::test_f111_the_log_has_a_line_for_every_hundred_calls",
            "resilience/cache/test_in_simulation.py::test_f111_a_hit_is_an_attempt_of_the_sequence",
        ),
    ),
    112: Feature(
        "llmkit's cache: a share that goes, streams, excluded fields",
        (
            "resilience/cache/test_stores.py::test_f112_a_share_of_the_answers_goes_at_once",
            f"{CACHE}::test_f112_streams_pass_by_where_they_are_not_kept",
            f"{CACHE}::test_f112_excluded_fields_make_no_difference",
        ),
    ),
    113: Feature(
        "Caxton's semantic cache",
        (
            "resilience/cache/test_semantic.py::test_f113_an_alike_request_gets_the_answer",
            "config/test_cache_section.py::test_f113_caxton_s_section_is_read",
        ),
    ),
    114: Feature(
        "Answers that go by time, by configuration, by hand",
        (
            f"{CACHE}::test_f114_an_answer_goes_by_hand",
            f"{CACHE}::test_f114_another_configuration_begins_anew",
        ),
    ),
    115: Feature(
        "One request for many equal calls",
        (
            "resilience/cache/test_single_flight.py::test_k04_fifty_equal_tasks_make_one_request",
            "resilience/cache/test_single_flight.py::test_k04_a_cancelled_leader_hands_over",
        ),
    ),
    120: Feature(
        "IronClaw's smart routing",
        (
            f"{ROUTING}::test_f120_simple_prompts_go_to_the_cheap_provider_and_others_to_the_primary_one",
            f"{IRONCLAW}::test_f120_smart_routing_provider",
        ),
    ),
    121: Feature(
        "A score of several parts, tiers, hints, overrides",
        (
            f"{ROUTING}::test_f121_a_score_is_the_sum_of_its_parts",
            f"{ROUTING}::test_f121_tiers_are_the_score_in_four_steps",
            f"{ROUTING}::test_f121_a_hint_goes_before_the_score",
            f"{ROUTING}::test_f121_an_override_goes_before_the_score_and_after_a_hint",
        ),
    ),
    122: Feature(
        "A cascade on uncertain answers",
        (
            f"{ROUTING}::test_f122_an_uncertain_answer_cascades",
            f"{ROUTING}::test_f122_streams_skip_the_cascade_on_uncertainty",
        ),
    ),
    123: Feature(
        "VAPORA's routing of tasks",
        (
            f"{TASKS}::test_f123_a_task_goes_to_the_cheapest_that_is_good_enough",
            f"{TASKS}::test_f123_a_router_is_loaded_from_a_file",
            f"{VAPORA}::test_f123_routing_with_mock_by_the_router",
        ),
    ),
    124: Feature(
        "llmkit's routing by moving averages",
        (
            f"{ROUTING}::test_f124_the_fastest_is_asked",
            f"{ROUTING}::test_f124_after_a_failure_the_next_two_are_asked",
        ),
    ),
    125: Feature("Counts of routing", (f"{ROUTING}::test_f125_stats",)),
    126: Feature(
        "VAPORA's tasks from request to answer",
        (
            f"{TASKS}::test_f126_a_task_is_routed_asked_paid_for_and_counted",
            f"{VAPORA}::test_f126_end_to_end_by_the_orchestrator",
        ),
    ),
    160: Feature("Counts of a chain and of each provider", (f"{FALLBACK}::test_metrics_count_what_happened",)),
    161: Feature(
        "Metrics for Prometheus",
        ("reporting/test_prometheus.py::test_f161_requests_tokens_errors_and_durations_have_caxton_s_labels",),
    ),
    162: Feature(
        "Health checks at intervals",
        (
            f"{PROBES}::test_f162_providers_are_asked_every_interval_on_a_loop",
            f"{PROBES}::test_f162_a_dead_provider_is_found_between_the_calls",
            f"{PROBES}::test_f162_blocking_calls_make_one_probe_that_is_due",
            "seeds/test_caxton.py::test_f162_provider_health_checks",
        ),
    ),
    163: Feature(
        "Alerts of downtime, error rate, cost and degradation",
        (
            f"{ALERTS}::test_f163_downtime",
            f"{ALERTS}::test_f163_error_rate",
            f"{ALERTS}::test_f163_cost",
            f"{ALERTS}::test_f163_degradation",
            "seeds/test_caxton.py::test_f163_alerting",
        ),
    ),
    164: Feature(
        "A chain is healthy while one circuit is closed",
        (
            f"{BREAKER}::test_a_chain_is_healthy_while_one_provider_may_be_asked",
            f"{PROBES}::test_f164_a_chain_is_healthy_while_one_provider_is_well",
        ),
    ),
    165: Feature("Counts of tasks and failures", (f"{TASKS}::test_f126_a_task_is_routed_asked_paid_for_and_counted",)),
    166: Feature(
        "llmkit's strategies of a pool, and its numbers of health checks",
        (
            f"{STRATEGIES}::test_f166_least_latency_finds_the_fastest_and_stays_with_it",
            f"{STRATEGIES}::test_f166_load_balance_takes_the_one_with_the_fewest_calls_under_way",
            f"{STRATEGIES}::test_f166_random_draws_by_the_seed",
            f"{PROBES}::test_f166_llmkit_s_numbers",
            "resilience/health/test_calls.py::test_f166_failures_in_a_row_make_ill_and_successes_well",
        ),
    ),
    170: Feature("VAPORA's mock", (f"{VAPORA}::test_mock_responses_come_in_turn",)),
    171: Feature(
        "VAPORA's tests of fallback, routing and cost",
        (f"{VAPORA}::test_fallback_chain_with_mocks", f"{VAPORA}::test_cost_tracking_with_mocks"),
    ),
    172: Feature(
        "IronClaw's decorators, one around the other",
        (
            "resilience/test_composition.py::test_f172_the_order_of_ironclaw_is_written_by_its_decorators",
            "resilience/test_order.py::test_f172_the_circuit_around_all_opens_on_calls_that_fail",
            f"{IRONCLAW}::test_f172_build_provider_chain_applies_the_decorators_in_ironclaw_s_order",
            f"{IRONCLAW}::test_failover_provider_with_cooldown",
        ),
    ),
    173: Feature("IronClaw's stub and fault injector", ("simulation/test_rules.py", "simulation/test_script.py")),
    174: Feature(
        "Mocks at home, recordings in CI, the real thing in production",
        ("config/test_other_systems.py::test_f016_the_mode_makes_a_chain_simulated",),
    ),
    176: Feature("Redaction of what is recorded", ("cassettes/test_redaction.py",)),
}
