"""Features of the five systems: which tests show each, and what is missing.

The ids are those of the list that this project was begun with. A row that is not whole says what is missing, and a row
without a test is open. `python -m tests.test_features > docs/reference/features.md` writes the page of the docs.
"""

import ast
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.feature_rows.costs import COSTS
from tests.feature_rows.resilience import RESILIENCE
from tests.feature_rows.row import Feature

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "reference" / "features.md"
BLOCKS = [(1, 18), (20, 42), (50, 56), (60, 87), (90, 96), (100, 106), (110, 115), (120, 127), (130, 143), (150, 166)]
NUMBERS = [number for first, last in [*BLOCKS, (170, 177)] for number in range(first, last + 1)]
"""The ids there are; F057 and F178 are out of scope: untyped errors, and agents' runtimes."""


MOFA, CAXTON, VAPORA = "seeds/test_mofa.py", "seeds/test_caxton.py", "seeds/test_vapora.py"
IRONCLAW, LLMKIT = "seeds/test_ironclaw.py", "seeds/test_llmkit.py"
OTHERS, CUSTOM, DEFAULTS = (
    "config/test_other_systems.py",
    "providers/test_custom_provider.py",
    "providers/test_defaults.py",
)
MEMBERS, BATCHES, FACTS = "providers/test_members.py", "providers/test_batches.py", "providers/test_error_facts.py"

PROVIDERS = {
    1: Feature("OpenAI by its three variables", (f"{MOFA}::test_openai_configuration_and_usage",)),
    2: Feature("Anthropic by its variables", (f"{MOFA}::test_anthropic_configuration_and_usage",)),
    3: Feature("Ollama by `OPENAI_BASE_URL`", (f"{MOFA}::test_the_same_provider_at_other_addresses",)),
    4: Feature("OpenRouter by `OPENAI_BASE_URL`", (f"{MOFA}::test_the_same_provider_at_other_addresses",)),
    5: Feature(
        "vLLM by `OPENAI_BASE_URL`, and by its own block of a file",
        (
            f"{MOFA}::test_the_same_provider_at_other_addresses",
            f"{CAXTON}::test_local_llm_integration_vllm",
        ),
    ),
    6: Feature("Azure by deployment and version of the API", (f"{CAXTON}::test_f006_azure_openai",)),
    7: Feature(
        "A custom API by a mapping of fields, with three ways to send a key",
        (
            f"{CUSTOM}::test_f007_a_mapping_says_where_everything_is",
            f"{CUSTOM}::test_f007_paths_are_dotted_and_reach_into_lists",
            f"{CUSTOM}::test_f007_oauth2_gets_a_token_once_and_again_when_it_is_over",
            f"{CAXTON}::test_custom_provider_integration",
        ),
    ),
    8: Feature(
        "VAPORA's custom endpoint",
        (
            f"{CUSTOM}::test_f008_vapora_s_custom_endpoint_is_the_default",
            f"{CUSTOM}::test_f008_a_status_that_is_no_success_is_an_error_of_its_kind",
            f"{VAPORA}::test_f008_adding_a_new_provider",
        ),
    ),
    9: Feature(
        "OpenAI-compatible providers, NEAR AI, Tinfoil",
        (
            "providers/test_addresses_tell_who.py::test_p02_a_compatible_provider_from_the_environment_is_named_too",
            f"{OTHERS}::test_f009_near_ai_and_tinfoil_by_name",
        ),
    ),
    10: Feature("Default models and their windows", (f"{MOFA}::test_f010_available_models",)),
    11: Feature(
        "Models of one's own machine",
        (f"{MOFA}::test_f011_recommended_models", f"{DEFAULTS}::test_p08_models_of_one_s_own_machine_have_windows"),
    ),
    12: Feature("A missing key is an error", (f"{MOFA}::test_a_missing_key_is_an_error",)),
    13: Feature("`${VAR}` in files", ("config/test_chain_files.py::test_yaml_and_toml_say_the_same",)),
    14: Feature(
        "A registry of providers for files",
        ("config/test_chain_files.py::test_a_loaded_chain_is_built_either_way", f"{VAPORA}::test_routing_with_mock"),
    ),
    15: Feature(
        "Providers by name, `mock` among them",
        (f"{OTHERS}::test_f015_a_mock_answers_without_network_or_keys", f"{VAPORA}::test_f015_create_provider_by_name"),
    ),
    16: Feature(
        "Simulated, recorded or live, without a change of code",
        (
            f"{OTHERS}::test_f016_the_mode_makes_a_chain_simulated",
            f"{OTHERS}::test_f016_a_recording_answers_in_replay",
            f"{OTHERS}::test_f016_a_simulation_answers_whatever_the_mode",
        ),
    ),
    17: Feature(
        "`build_provider_chain`",
        (
            f"{OTHERS}::test_f017_a_pair_of_providers_is_built",
            f"{IRONCLAW}::test_f017_build_provider_chain",
            f"{IRONCLAW}::test_f017_the_pair_with_routing_between",
            f"{IRONCLAW}::test_f172_build_provider_chain_applies_the_decorators_in_ironclaw_s_order",
        ),
    ),
    18: Feature(
        "`llm-providers.toml`",
        (
            f"{VAPORA}::test_p06_configuration_example",
            f"{VAPORA}::test_p06_the_default_endpoint_of_a_custom_provider",
            f"{DEFAULTS}::test_f018_a_price_that_is_given_is_what_calls_cost",
        ),
    ),
    20: Feature(
        "`ask`, `ask_with_system`, `stream`, `count_tokens`",
        (
            f"{MOFA}::test_openai_configuration_and_usage",
            f"{MOFA}::test_token_management",
            "resilience/test_stream_start.py::test_f020_a_stream_is_written_in_chained_words",
            "resilience/test_stream_start.py::test_f020_on_an_event_loop_too",
        ),
    ),
    21: Feature(
        "A provider of two methods that take texts",
        (
            f"{MOFA}::test_f021_custom_provider",
            "resilience/test_own_provider.py::test_p04_name_and_complete_are_enough",
        ),
    ),
    22: Feature(
        "What a provider can do: tools, streams, its model",
        (
            f"{DEFAULTS}::test_p08_a_window_that_is_given_goes_before_the_published_one",
            f"{MEMBERS}::test_f022_get_model_info_asks_the_provider",
            f"{MEMBERS}::test_f022_a_list_with_prices_tells_one_model",
            f"{MEMBERS}::test_f022_what_it_can_do_is_asked_by_name",
        ),
    ),
    23: Feature(
        "VAPORA's client: complete, stream, price, availability",
        (
            f"{DEFAULTS}::test_f026_available_is_true_iff_there_is_a_key",
            f"{VAPORA}::test_mock_responses_come_in_turn",
            f"{MEMBERS}::test_f024_cost_per_token_is_exact_money_by_side",
            f"{MEMBERS}::test_f023_a_mock_tells_its_latency",
        ),
    ),
    24: Feature(
        "IronClaw's provider: price by token, models, metadata",
        (
            "providers/test_providers.py::test_models_are_listed",
            f"{MEMBERS}::test_f024_cost_per_token_is_exact_money_by_side",
            f"{MEMBERS}::test_f024_a_price_that_nobody_knows_is_an_error_and_no_zero",
            f"{MEMBERS}::test_f024_model_metadata_is_known_without_asking",
        ),
    ),
    25: Feature(
        "llmkit's provider, with batches",
        (
            f"{LLMKIT}::test_streams_fail_over_before_their_first_piece",
            f"{BATCHES}::test_f025_a_batch_is_worked_off_and_read",
            f"{BATCHES}::test_f025_a_request_that_fails_has_its_error",
            f"{BATCHES}::test_f025_a_batch_is_called_off",
            f"{MEMBERS}::test_f025_an_adapter_supplies_what_a_class_of_one_s_own_lacks",
        ),
    ),
    26: Feature(
        "Available iff there is a key",
        (
            f"{DEFAULTS}::test_f026_available_is_true_iff_there_is_a_key",
            "resilience/health/test_probes.py::test_f026_who_has_no_key_is_not_asked",
        ),
    ),
    27: Feature("Messages by their constructors", (f"{IRONCLAW}::test_chat_message_example",)),
    28: Feature(
        "Requests, changed one thing at a time",
        (
            f"{IRONCLAW}::test_completion_request_example",
            "test_types.py::test_p12_what_is_no_list_of_messages_is_told_the_form",
        ),
    ),
    29: Feature("Answers with their tokens and their end", (f"{IRONCLAW}::test_completion_request_example",)),
    30: Feature("Why an answer ends", ("test_types.py::test_what_an_answer_says_of_itself",)),
    31: Feature("Requests with tools and a choice", (f"{IRONCLAW}::test_tool_completion_request_example",)),
    32: Feature("Answers with tool calls", (f"{IRONCLAW}::test_tool_completion_request_example",)),
    33: Feature(
        "Tool calls, definitions, results",
        (f"{IRONCLAW}::test_tool_call_types", f"{IRONCLAW}::test_tool_completion_request_example"),
    ),
    34: Feature(
        "Tokens and their cost in USD",
        (f"{IRONCLAW}::test_token_usage", f"{DEFAULTS}::test_a_cost_that_nobody_knows_is_none"),
    ),
    35: Feature(
        "Types of batches and token counts",
        (
            "wire/test_batch_job.py",
            f"{BATCHES}::test_f025_a_batch_is_worked_off_and_read",
            f"{MEMBERS}::test_f035_tokens_are_counted_by_the_api_that_counts",
            f"{MEMBERS}::test_f035_tokens_are_estimated_where_nobody_counts",
        ),
    ),
    36: Feature(
        "Defaults of each provider and each slot",
        (
            f"{CAXTON}::test_openai_configuration",
            f"{DEFAULTS}::test_f036_defaults_of_a_provider_are_sent_where_a_request_does_not_say",
            "resilience/test_own_provider.py::test_f036_a_slot_says_what_a_request_does_not",
        ),
    ),
    37: Feature("VAPORA's limits and temperature", (f"{VAPORA}::test_f037_client_defaults",)),
    38: Feature(
        "Formats of tools, the older `functions` among them",
        (
            f"{CAXTON}::test_openai_function_calling_format",
            f"{CAXTON}::test_anthropic_tool_use_format",
            f"{CAXTON}::test_local_llm_optimized_format",
        ),
    ),
    39: Feature(
        "Parameters mapped, or refused before they are sent",
        (
            "wire/test_options.py::test_p09_what_a_target_does_not_support_is_refused_before_it_is_sent",
            f"{CUSTOM}::test_what_a_mapping_has_no_field_for_is_refused_before_it_is_sent",
        ),
    ),
    40: Feature("A version of a model, never upgraded", (f"{CAXTON}::test_model_versioning",)),
    41: Feature("Streams that break are errors", (f"{VAPORA}::test_f041_a_stream_that_breaks_is_an_error",)),
    42: Feature(
        "Settings of streams",
        (
            f"{CAXTON}::test_f042_real_time_feedback",
            "providers/test_gathered.py::test_f042_texts_are_gathered_into_pieces_of_a_size",
            "providers/test_gathered.py::test_f042_a_piece_is_handed_over_after_a_time",
            "providers/test_gathered.py::test_f042_what_is_held_comes_before_the_error",
        ),
    ),
    50: Feature("MoFA's errors", (f"{MOFA}::test_error_handling",)),
    51: Feature("MoFA's further errors", (f"{MOFA}::test_fallback_conditions",)),
    52: Feature("IronClaw's errors with their facts", (f"{IRONCLAW}::test_f052_llm_error",)),
    53: Feature(
        "Errors whose pages are withheld, and those of sessions",
        (
            f"{DEFAULTS}::test_p05_a_page_of_html_is_withheld",
            f"{CUSTOM}::test_f053_a_session_whose_new_token_is_refused_too_has_ended",
            f"{CUSTOM}::test_f053_a_renewal_that_fails_is_tried_again_and_remembers_no_key",
        ),
    ),
    54: Feature("llmkit's errors", (f"{LLMKIT}::test_failover_trigger_matches",)),
    55: Feature(
        "Classes by the provider's words", ("wire/test_errors.py::test_an_error_is_told_by_status_code_and_words",)
    ),
    56: Feature(
        "Caxton's facts of errors",
        (
            "providers/test_providers.py::test_a_refusal_becomes_the_error_of_its_kind",
            f"{FACTS}::test_f056_a_rate_limit_says_which_limit",
            f"{FACTS}::test_f056_requests_of_a_day_are_counted_until_midnight",
            f"{FACTS}::test_f056_requests_at_once_are_counted",
            f"{FACTS}::test_f056_no_credit_says_how_much_and_until_when",
            f"{FACTS}::test_f056_a_missing_model_tells_which_there_are",
            f"{FACTS}::test_f056_a_broken_stream_tells_how_much_had_come",
        ),
    ),
    83: Feature(
        "Providers of each agent",
        (
            f"{CAXTON}::test_f083_capability_specific_providers",
            f"{CAXTON}::test_f083_an_agent_must_be_named_and_known",
        ),
    ),
    175: Feature(
        "Caxton's profiles: development, production, enterprise, whose demands on a deployment are checked and kept",
        (
            f"{CAXTON}::test_f175_development_configuration",
            f"{CAXTON}::test_f175_production_configuration",
            f"{CAXTON}::test_f175_enterprise_configuration",
            f"{CAXTON}::test_a_file_that_is_wrong_is_told_of_as_any_other",
        ),
    ),
    177: Feature(
        "Tokens of sessions, renewed when they are refused",
        (
            f"{CUSTOM}::test_f177_a_session_is_renewed_on_a_401",
            f"{CUSTOM}::test_f177_a_session_may_be_renewed_by_a_coroutine",
        ),
    ),
}

FEATURES = PROVIDERS | RESILIENCE | COSTS


@cache
def functions_of(path):
    """Return the names of the tests in a file."""
    tree = ast.parse((ROOT / "tests" / path).read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, kinds) and node.name.startswith("test_")}


def page():
    """Return the page of the docs."""
    rows = [
        f"| F{number:03} | {each.what} | {each.state} | {each.missing} |" for number, each in sorted(FEATURES.items())
    ]
    counts = ", ".join(
        f"{sum(each.state == word for each in FEATURES.values())} {word}" for word in ("works", "partly", "open")
    )
    return (
        "# Features of the five systems\n\n"
        "The package stands for what MoFA, Caxton, VAPORA, IronClaw and llmkit document. "
        f"Of {len(FEATURES)} rows: {counts}.\n"
        "`tests/test_features.py` names the tests of each row, and writes this page.\n\n"
        "| row | what | state | missing |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"
    )


def test_the_table_has_no_hole():
    """Every row of the block is there, and nothing else."""
    assert sorted(FEATURES) == NUMBERS


@pytest.mark.parametrize("number", sorted(FEATURES), ids="F{:03}".format)
def test_a_row_names_tests_that_exist(number):
    """A row without a test says what is missing; a test that is named is there."""
    row = FEATURES[number]
    assert row.tests or row.missing
    for test in row.tests:
        path, _, name = test.partition("::")
        assert (ROOT / "tests" / path).is_file(), f"{path} is no file of tests"
        assert functions_of(path), f"{path} has no tests"
        assert not name or name in functions_of(path), f"{path} has no test `{name}`"


def test_the_page_shows_the_table():
    """The page of the docs is what the table prints."""
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "run `python -m tests.test_features > docs/reference/features.md`"
    )


if __name__ == "__main__":
    sys.stdout.write(page())
