"""`gave_up` at an error that a stream tells after its 200."""

from contextlib import suppress

import openai
import pytest

from llmtest import faults


def read(sim, fault):
    """Read one stream that tells an error, in a marked call that does not try again."""
    sim.openai.fails(fault)
    with suppress(openai.APIError), sim.call("read"):
        stream = openai.OpenAI().chat.completions.create(
            model="gpt-4o", messages=[{"role": "user", "content": "Hi"}], stream=True
        )
        for _ in stream:
            pass


@pytest.mark.parametrize("told", [faults.Overloaded(), faults.RateLimited(), faults.ServerError(500)], ids=str)
def test_what_may_pass_and_is_told_before_a_word_is_given_up_on(llm_sim, told):
    """An overload is one wherever it is told: nothing was said, so another answer spoils nothing."""
    read(llm_sim, faults.StreamError(0, error=told))

    with pytest.raises(AssertionError, match="gave_up"):
        llm_sim.assert_resilient()


@pytest.mark.parametrize(
    "fault",
    [faults.StreamError(0, error=faults.InvalidRequest()), faults.StreamError(2), faults.StreamDropped(0)],
    ids=["final", "after a word", "no reason told"],
)
def test_what_cannot_pass_or_comes_after_a_word_is_not(llm_sim, fault):
    """Where another answer would be refused too, or glued to what was said, to stop is right."""
    read(llm_sim, fault)

    llm_sim.assert_resilient()
