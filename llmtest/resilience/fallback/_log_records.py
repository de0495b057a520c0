"""Failures and fallbacks for the log of an application: records of the logger `llmtest.fallback`.

A record names the chain, the provider, how it failed and the class of the error. It has no text of an error, for
providers repeat keys and prompts in theirs.
"""

from __future__ import annotations

import logging

from llmtest.resilience._classification import outcome_of
from llmtest.resilience.pipeline._running_call import RunningCall
from llmtest.resilience.pipeline._running_slot import RunningSlot

__all__ = ["log_failure", "log_rescue"]

logger = logging.getLogger("llmtest.fallback")
# Where an application has set up no logging, nothing is written: a simulated hour has failures by the thousand.
logger.addHandler(logging.NullHandler())


def log_failure(chain: str, place: RunningSlot, call: RunningCall, number: int, error: Exception) -> None:
    """Write a WARNING about a place that did not answer.

    Args:
        chain: Name of the chain.
        place: The place.
        call: The call.
        number: Which place of the call it is, from 1.
        error: How it failed; its text is not written.
    """
    if not logger.isEnabledFor(logging.WARNING):
        return
    role = "primary" if number == 1 else "fallback"
    outcome, name = outcome_of(error), type(error).__name__
    logger.warning(
        "chain `%s`: %s `%s` failed: %s (%s)",
        chain,
        role,
        place.name,
        outcome,
        name,
        extra={
            "chain": chain,
            "provider": place.name,
            "provider_model": place.provider.model,
            "attempt": number,
            "outcome": outcome,
            "error": name,
            "call": call.id,
        },
    )


def log_rescue(chain: str, place: RunningSlot, call: RunningCall, first: RunningSlot, failed: int) -> None:
    """Write an INFO about a place that answered after others had failed.

    Args:
        chain: Name of the chain.
        place: The place that answered.
        call: The call.
        first: The place that was asked first.
        failed: How many had failed before.
    """
    if not logger.isEnabledFor(logging.INFO):
        return
    asked = call.request.model or first.provider.model
    logger.info(
        "chain `%s`: fallback `%s` answered for `%s`",
        chain,
        place.name,
        first.name,
        extra={
            "chain": chain,
            "provider": place.name,
            "provider_model": place.provider.model,
            "original_model": asked,
            "attempt": failed + 1,
            "call": call.id,
        },
    )
