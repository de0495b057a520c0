"""What an application's log has of failures and fallbacks."""

import logging

import pytest

from llmtest import FallbackChain
from llmtest.errors import AllProvidersFailedError, AuthenticationError
from llmtest.types import CompletionRequest
from tests.resilience.scripted_provider import ScriptedProvider, down

LOGGER = "llmtest.fallback"


def chain_of(*providers):
    """Return a chain that asks each of its providers once."""
    return FallbackChain(providers, retry=None)


def test_f086_a_failed_primary_is_a_warning_and_the_fallback_that_answers_an_info(world, mode, caplog):
    """The warning has provider, attempt and error; the info the provider and the model that was meant first."""
    caplog.set_level(logging.INFO, LOGGER)
    world.ask(chain_of(ScriptedProvider("a", down()), ScriptedProvider("b", "Paris", model="n")), mode)
    failed, answered = caplog.records
    assert (failed.levelname, failed.provider, failed.attempt) == ("WARNING", "a", 1)
    assert (failed.outcome, failed.error, failed.provider_model) == ("503", "ServerError", "m")
    assert failed.getMessage() == "chain `fallback-chain`: primary `a` failed: 503 (ServerError)"
    assert (answered.levelname, answered.provider, answered.original_model) == ("INFO", "b", "m")
    assert (answered.provider_model, answered.attempt) == ("n", 2)


def test_f086_a_fallback_that_fails_is_a_warning_too(world, mode, caplog):
    """Each provider of a call that fails has its warning, and nobody is said to have answered."""
    caplog.set_level(logging.INFO, LOGGER)
    with pytest.raises(AllProvidersFailedError):
        world.ask(chain_of(ScriptedProvider("a", down()), ScriptedProvider("b", down(500))), mode)
    assert [(record.levelname, record.attempt, record.outcome) for record in caplog.records] == [
        ("WARNING", 1, "503"),
        ("WARNING", 2, "500"),
    ]
    assert "fallback `b` failed" in caplog.messages[1]


def test_a_call_that_goes_well_writes_nothing(world, mode, caplog):
    """An answer of the primary is no news."""
    caplog.set_level(logging.DEBUG, LOGGER)
    world.ask(chain_of(ScriptedProvider("a"), ScriptedProvider("b")), mode)
    assert caplog.records == []


def test_infos_are_off_by_default(world, caplog):
    """Without a word of the application a fallback that answers writes no record; the failure before it does."""
    caplog.set_level(logging.NOTSET, LOGGER)
    world.ask(chain_of(ScriptedProvider("a", down()), ScriptedProvider("b")), "complete")
    assert [record.levelname for record in caplog.records if record.name == LOGGER] == ["WARNING"]


def test_neither_a_key_nor_a_prompt_is_in_a_record(world, caplog):
    """The text of an error, in which providers repeat them, is no part of any field of a record."""
    caplog.set_level(logging.DEBUG, LOGGER)
    error = AuthenticationError("wrong key sk-planted-123 for `planted prompt`", status=401)
    chain = chain_of(ScriptedProvider("a", error, credential="x"), ScriptedProvider("b", credential="y"))
    world.ask(chain, "complete", CompletionRequest.ask("planted prompt"))
    assert len(caplog.records) == 2
    assert all("planted" not in f"{record.getMessage()} {vars(record)}" for record in caplog.records)
