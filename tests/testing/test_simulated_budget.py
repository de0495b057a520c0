"""`llm_sim.budget(...)`: code on official SDKs is held to a limit, refused before it asks, charged what is billed."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import anthropic
import openai
import pytest

from llmtest import BudgetConfig, FallbackChain, LLMClient, Reply, faults
from llmtest.errors import BudgetExceededError, ConfigurationError
from llmtest.events import BudgetRejected
from llmtest.types import Usage

ASK = {"model": "gpt-4o", "max_tokens": 50, "messages": [{"role": "user", "content": "Capital of France?"}]}
CLAUDE = {**ASK, "model": "claude-sonnet-4-6"}
ENOUGH_FOR_TWO = "0.0007"
"""One call may need $0.00063 and costs a tenth of that."""


def test_f136_the_sdk_is_refused_before_it_asks(llm_sim):
    """A limit that is near refuses in the API's own words: nothing is sent, no step is played, nothing tried again."""
    llm_sim.openai.replies("Paris", times=None)
    budget = llm_sim.budget(usd=ENOUGH_FOR_TWO)
    client = openai.OpenAI()
    for _ in range(2):
        assert client.chat.completions.create(**ASK).choices[0].message.content == "Paris"
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(**ASK)
    assert caught.value.code == "insufficient_quota"
    assert "budget exceeded" in str(caught.value)
    llm_sim.assert_sequence("openai:200", "openai:200")
    assert [event.scope for event in llm_sim.trace if isinstance(event, BudgetRejected)] == ["session"]
    assert len(llm_sim.openai.requests) == 2
    budget.assert_refused(exactly=1)
    budget.assert_kept()
    budget.assert_spend(at_most=ENOUGH_FOR_TWO, at_least="0.00008")
    assert budget.balance().spent_usd == budget.ledger.total_usd == llm_sim.costs.total_usd


@pytest.mark.parametrize("whole", [True, False], ids=["read", "left"])
def test_a_stream_is_charged_what_is_billed_of_it(llm_sim, whole):
    """Read to its end or left, the account is the bill, and nothing stays set aside."""
    llm_sim.openai.replies("one two three four five six")
    budget = llm_sim.budget(usd="0.01")
    with openai.OpenAI().chat.completions.create(**ASK, stream=True) as stream:
        for chunk in stream:
            assert budget.balance().reserved_usd > 0
            if not whole and chunk.choices[0].delta.content:
                break
    assert budget.balance().spent_usd == llm_sim.costs.total_usd > 0
    budget.assert_kept()


def test_the_asynchronous_sdk_in_a_crowd_never_passes_the_limit(llm_sim):
    """Forty calls at once, whole and streamed, to two providers: what is spent and set aside stays within the limit."""
    llm_sim.openai.latency(1).replies("Paris", times=None)
    llm_sim.anthropic.latency(2).replies("Rome", times=None)
    budget = llm_sim.budget(usd="0.004")
    ends = []

    async def ask(number):
        try:
            if number % 2:
                await anthropic.AsyncAnthropic(max_retries=0).messages.create(**CLAUDE)
            else:
                async for _ in await openai.AsyncOpenAI().chat.completions.create(**ASK, stream=True):
                    balance = budget.balance()
                    assert balance.spent_usd + balance.reserved_usd <= Decimal("0.004")
        except (openai.RateLimitError, anthropic.APIStatusError) as error:
            ends.append(type(error))
        else:
            ends.append("answered")

    async def main():
        await asyncio.gather(*(ask(number) for number in range(40)))

    llm_sim.run(main())
    assert 0 < ends.count("answered") < 40
    budget.assert_refused(exactly=40 - ends.count("answered"))
    budget.assert_kept()
    assert budget.balance().spent_usd == llm_sim.costs.total_usd < Decimal("0.004")


def test_threads_never_pass_the_limit(llm_sim):
    """Blocking clients in eight threads are held to one limit."""
    llm_sim.anthropic.replies("Rome", times=None)
    budget = llm_sim.budget(tokens=250)
    client = anthropic.Anthropic(max_retries=0)

    def ask(_):
        try:
            client.messages.create(**CLAUDE)
        except anthropic.APIStatusError:
            return 0
        return 1

    with ThreadPoolExecutor(8) as pool:
        answered = sum(pool.map(ask, range(30)))
    assert 0 < answered < 30
    budget.assert_refused(exactly=30 - answered)
    budget.assert_kept()
    assert budget.balance().spent_tokens <= 250


@pytest.mark.parametrize("fault", [faults.ServerError(), faults.InvalidRequest(), faults.ConnectionReset()])
def test_what_is_not_billed_is_given_back(llm_sim, fault):
    """A failure that costs nothing leaves the budget as it was."""
    llm_sim.openai.fails(fault, times=None)
    budget = llm_sim.budget(usd="0.001")
    with pytest.raises(openai.OpenAIError):
        openai.OpenAI(max_retries=0).chat.completions.create(**ASK)
    assert budget.balance().spent_usd == llm_sim.costs.total_usd
    budget.assert_kept()


def test_a_timeout_is_charged_as_it_is_billed(llm_sim):
    """The provider bills its prompt, and so does the account."""
    llm_sim.openai.fails(faults.Timeout())
    budget = llm_sim.budget(usd="0.001")
    with pytest.raises(openai.APITimeoutError):
        openai.OpenAI(max_retries=0).chat.completions.create(**ASK)
    assert budget.balance().spent_usd == llm_sim.costs.total_usd > 0
    budget.assert_kept()


def test_a_refusal_may_be_the_error_itself(llm_sim):
    """It comes out of the SDK with its numbers, and is not tried again."""
    llm_sim.openai.echoes()
    budget = llm_sim.budget(usd="0.0001", refusal="error")
    with pytest.raises(BudgetExceededError) as caught:
        openai.OpenAI().chat.completions.create(**ASK)
    assert budget.refused == [caught.value]
    assert (caught.value.limit, caught.value.requested) == (Decimal("0.0001"), Decimal("0.00063"))


def test_a_block_ends_its_budget_and_blocks_stand_inside_each_other(llm_sim):
    """Each request is held to all budgets around it, and to none after them."""
    llm_sim.openai.replies("Paris", times=None)
    client = openai.OpenAI()
    with llm_sim.budget(usd="1") as outer:
        with llm_sim.budget(usd="0.0001") as inner, pytest.raises(openai.RateLimitError):
            client.chat.completions.create(**ASK)
        client.chat.completions.create(**ASK)
    client.chat.completions.create(**ASK)
    inner.assert_refused(exactly=1)
    assert inner.balance().spent_usd == 0
    assert outer.balance().spent_usd * 2 == llm_sim.costs.total_usd
    outer.assert_kept()


def test_limits_of_single_models_and_tasks_hold(llm_sim):
    """It has all words of a budget; the limit of a model refuses that model alone."""
    llm_sim.openai.replies("Paris", times=None)
    budget = llm_sim.budget(per_model={"gpt-4o": BudgetConfig(max_cost_per_day="0.0001")})
    client = openai.OpenAI()
    with pytest.raises(openai.RateLimitError):
        client.chat.completions.create(**ASK)
    with budget.task("geography"):
        client.chat.completions.create(**{**ASK, "model": "gpt-4o-mini"})
    assert list(budget.ledger.by("task")) == [("geography",)]


def test_embeddings_are_held_to_it_and_a_list_of_models_is_not(llm_sim):
    """What costs tokens is counted; whatever else a client asks for passes."""
    budget = llm_sim.budget(tokens=3)
    client = openai.OpenAI()
    client.models.list()
    with pytest.raises(openai.RateLimitError):
        client.embeddings.create(model="text-embedding-3-small", input="a text of more than three tokens in all")
    budget.assert_refused(exactly=1)


def test_clients_on_a_port_are_held_to_it_too(llm_server):
    """A process that asks the server is refused in the same words."""
    llm_server.openai.replies("Paris", times=None)
    budget = llm_server.budget(usd=ENOUGH_FOR_TWO)
    client = openai.OpenAI(base_url=f"{llm_server.base_url}/v1", api_key="any", max_retries=0)
    for _ in range(2):
        client.chat.completions.create(**ASK)
    with pytest.raises(openai.RateLimitError, match="budget exceeded"):
        client.chat.completions.create(**ASK)
    assert len(llm_server.openai.requests) == 2
    assert budget.balance().spent_usd == llm_server.costs.total_usd > 0
    budget.assert_kept()


def test_a_chain_on_the_direct_path_has_a_budget_of_its_own(llm_sim):
    """Requests that no SDK sends are not held to it."""
    llm_sim.openai.replies("Paris")
    budget = llm_sim.budget(tokens=1)
    assert LLMClient(FallbackChain([llm_sim.openai.as_provider("gpt-4o")])).ask("Capital of France?") == "Paris"
    budget.assert_refused(exactly=0)


def test_a_request_that_the_script_does_not_know_leaves_nothing_set_aside(llm_sim):
    """The error of the test comes as always."""
    budget = llm_sim.budget(usd="1")
    with pytest.raises(BaseException, match="no step") as caught:
        openai.OpenAI().chat.completions.create(**ASK)
    assert type(caught.value).__name__ == "UnscriptedRequestError"
    llm_sim.reset()
    assert (budget.balance().reserved_usd, budget.balance().spent_usd) == (0, 0)


def test_what_a_failed_assertion_says(llm_sim):
    """What was expected, what happened, why, and the trace."""
    llm_sim.openai.replies(Reply("Paris", usage=Usage(14, 5_000)))
    budget = llm_sim.budget(tokens=200)
    with pytest.raises(AssertionError) as caught:
        budget.assert_refused()
    assert str(caught.value).startswith(
        "assert_refused: the budget refused 0 requests, expected at least 1.\n\n  spent so far: 0 tokens, $0\n\nTrace:"
    )
    openai.OpenAI().chat.completions.create(**ASK)
    with pytest.raises(AssertionError) as caught:
        budget.assert_kept()
    assert str(caught.value).startswith(
        "assert_kept: more was spent than a limit allows.\n\n"
        "  session limit of 200 tokens: 5,014 tokens were spent\n\nTrace:"
    )
    with pytest.raises(AssertionError, match=r"assert_spend: \$0.050035 was spent, expected at most \$0.01"):
        budget.assert_spend(at_most="0.01")


def test_a_stream_that_nobody_ends_is_told(llm_sim):
    """What is still set aside is not at rest."""
    llm_sim.openai.replies("one two three four")
    budget = llm_sim.budget(usd="1")
    stream = openai.OpenAI().chat.completions.create(**ASK, stream=True)
    next(stream)
    with pytest.raises(AssertionError, match="are still set aside, for answers that nobody has read to their end"):
        budget.assert_kept()
    stream.close()
    budget.assert_kept()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, 'a budget without a limit refuses nothing.\nTo fix: llm_sim.budget(usd="0.05")'),
        ({"usd": "a lot"}, "`max_cost_per_session` must be a number such as \"0.05\", got 'a lot'"),
        ({"usd": 1, "refusal": "no"}, '`refusal` must be "answer" or "error", got \'no\''),
    ],
)
def test_a_budget_that_makes_no_sense_is_refused(llm_sim, settings, said):
    """One error says what to write."""
    with pytest.raises(ConfigurationError) as caught:
        llm_sim.budget(**settings)
    assert str(caught.value) == said
