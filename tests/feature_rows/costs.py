"""Budgets, prices, tokens, and what fits into the window."""

from tests.feature_rows.row import Feature

__all__ = ["COSTS"]

BUDGET, SUBJECTS, PRICES = "costs/test_budget.py", "costs/test_budget_subjects.py", "costs/test_price_files.py"
CONTEXT, SESSION = "resilience/context/test_context.py", "resilience/context/test_chat_session.py"
AGENT = "resilience/context/test_agent.py"
MOFA, CAXTON, VAPORA = "seeds/test_mofa.py", "seeds/test_caxton.py", "seeds/test_vapora.py"
IRONCLAW = "seeds/test_ironclaw.py"
ASSEMBLY = "resilience/assembly/test_assembler.py"
CAXTON_CONTEXT = "seeds/test_caxton_context.py"

COSTS = {
    127: Feature(
        "Caps of context for each tool",
        (
            f"{CAXTON}::test_f127_context_caps_of_a_tool",
            f"{ASSEMBLY}::test_f127_a_chain_s_next_provider_gets_what_fits_there",
        ),
    ),
    130: Feature(
        "MoFA's budget",
        (
            f"{MOFA}::test_budget_enforcement",
            f"{SUBJECTS}::test_f130_every_limit_refuses_what_passes_it",
            "costs/test_budget_limits.py::test_limits_are_built_step_by_step",
        ),
    ),
    131: Feature("Its words of a refusal", (f"{SUBJECTS}::test_f131_a_refusal_has_mofa_s_words",)),
    132: Feature("Refuse, or only tell", (f"{MOFA}::test_halt_on_budget_exceeded_false",)),
    133: Feature(
        "Checked before, recorded after, by UTC day",
        (f"{BUDGET}::test_u09_a_new_day_has_a_new_limit_and_the_old_one_keeps_its_charge",),
    ),
    134: Feature("Prices of our own table", ("costs/test_prices.py::test_a_known_model_has_an_exact_price",)),
    135: Feature(
        "VAPORA's policy of costs",
        (
            f"{SUBJECTS}::test_f135_vapora_s_policy_checks_what_it_is_told_in_its_words",
            f"{VAPORA}::test_cost_management_policy",
        ),
    ),
    136: Feature(
        "What one request may cost",
        (
            f"{SUBJECTS}::test_f136_one_request_may_cost_at_most_what_it_is_given",
            "testing/test_simulated_budget.py::test_f136_the_sdk_is_refused_before_it_asks",
        ),
    ),
    137: Feature("VAPORA's tracker of costs", (f"{VAPORA}::test_sdk_cost_tracker",)),
    138: Feature("Its table of simulated prices", (f"{PRICES}::test_f138_vapora_s_table_is_what_its_mocks_record",)),
    139: Feature("Mocks cost nothing", (f"{PRICES}::test_f139_a_hundred_tasks_of_mocks_cost_nothing",)),
    140: Feature("Its estimates", (f"{PRICES}::test_f140_the_estimates_of_vapora_are_a_table_of_their_own",)),
    141: Feature(
        "A price by token, of prompt and answer",
        ("providers/test_members.py::test_f024_cost_per_token_is_exact_money_by_side",),
    ),
    142: Feature(
        "Alerts before a limit is reached",
        (f"{SUBJECTS}::test_f142_a_share_of_any_limit_is_told_before_it_is_reached",),
    ),
    143: Feature(
        "Estimates of tokens",
        ("costs/test_token_counts.py::test_a_token_is_four_characters_rounded_up",),
    ),
    150: Feature("MoFA's `TokenBudgetConfig`", (f"{CONTEXT}::test_f150_the_defaults_are_mofa_s",)),
    151: Feature(
        "Shorter prompts from a threshold on",
        (
            f"{CONTEXT}::test_f151_a_prompt_below_the_threshold_is_sent_as_it_is",
            f"{CONTEXT}::test_f151_a_long_prompt_is_summed_up_by_the_model",
            f"{CONTEXT}::test_f151_a_sliding_window_leaves_the_oldest_out",
        ),
    ),
    152: Feature("A summary that fails blocks nothing", (f"{CONTEXT}::test_m04_a_summary_that_fails_blocks_nothing",)),
    153: Feature(
        "One more try after a refusal",
        (
            f"{CONTEXT}::test_f153_recovery_answers_where_the_shorter_prompt_fits",
            f"{SESSION}::test_f153_a_refused_prompt_is_sent_once_more",
        ),
    ),
    154: Feature(
        "Which calls remember",
        (
            f"{SESSION}::test_f154_each_message_follows_what_was_said",
            f"{SESSION}::test_f154_a_client_s_ask_has_no_history",
            f"{SESSION}::test_f154_a_stream_is_recorded_when_it_has_ended",
        ),
    ),
    155: Feature(
        "MoFA's agents, built step by step",
        (
            f"{AGENT}::test_f155_both_ways_of_building_hold_the_same_limits",
            f"{MOFA}::test_f155_sync_and_async_construction",
            f"{AGENT}::test_f155b_a_wrong_budget_is_refused_at_once",
        ),
    ),
    156: Feature(
        "Limits, sending, recording, hook, in this order",
        (
            f"{SESSION}::test_f156_limits_of_a_session_hold",
            f"{SESSION}::test_f156_a_hook_is_called_after_each_answer",
        ),
    ),
    157: Feature(
        "A window of so many messages",
        (f"{AGENT}::test_f157_a_sliding_window_keeps_the_latest_messages", f"{MOFA}::test_f157_sliding_window"),
    ),
    158: Feature(
        "Caxton's assembly of a context",
        (
            f"{ASSEMBLY}::test_f158_the_most_relevant_memories_go_along_and_no_duplicate",
            f"{ASSEMBLY}::test_f158_levels_under_a_budget",
            f"{ASSEMBLY}::test_f158_each_provider_gets_it_in_its_form",
            "resilience/assembly/test_assembly_properties.py::test_f158_never_over_the_budget_and_counted_as_it_is_sent",
            f"{CAXTON_CONTEXT}::test_f158_f159_the_files_drive_the_pipeline",
        ),
    ),
    159: Feature(
        "Its YAML of what a tool needs",
        (
            f"{CAXTON_CONTEXT}::test_f159_data_analysis_tool_context_specification",
            f"{CAXTON_CONTEXT}::test_f158_f159_the_files_drive_the_pipeline",
            f"{CAXTON_CONTEXT}::test_f159_request_context_requirements",
        ),
    ),
}
