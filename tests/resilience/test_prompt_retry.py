"""Answers that cannot be used: asked for again with the reason, charged, tagged, and only so often."""

import json
from decimal import Decimal

import pytest
from pydantic import BaseModel

from llmtest.costs import Budget, BudgetConfig, Prices
from llmtest.errors import ConfigurationError, InvalidResponseError
from llmtest.events import AttemptEnded, RetryScheduled
from llmtest.resilience import BREAKER, RETRY, FallbackChain, Pipeline, PromptRetry, RetryConfig
from llmtest.types import CompletionRequest, CompletionResponse, ToolCall
from tests.resilience.scripted_provider import REQUEST, Cut, ScriptedProvider, down

GOOD = '{"amount": 12}'
BAD = '{"amount": "twelve"}'
SCHEMA = {"type": "object", "properties": {"amount": {"type": "integer"}}, "required": ["amount"]}


class Invoice(BaseModel):
    """What answers have to be."""

    amount: int


def chain_of(*providers, check=json.loads, **settings):
    """Return a chain that checks answers."""
    settings.setdefault("retry", None)
    return FallbackChain(providers, prompt_retry=PromptRetry(check), **settings)


@pytest.mark.parametrize("check", [json.loads, Invoice, SCHEMA], ids=["function", "pydantic", "schema"])
def test_f104_an_answer_that_cannot_be_used_is_asked_for_again(world, mode, check):
    """The second request carries the answer and the reason; both answers are in the attempts, the second tagged."""
    provider = ScriptedProvider("a", "no json", GOOD)
    response = world.ask(chain_of(provider, check=check), mode)
    assert response.content.strip() == GOOD
    assert [attempt.purpose for attempt in response.attempts] == ["call", "prompt_retry"]
    assert [event.attempt.purpose for event in world.events(AttemptEnded)] == ["call", "prompt_retry"]
    first, second = provider.requests
    assert first.messages == REQUEST.messages
    assert [message.role for message in second.messages] == ["user", "assistant", "user"]
    assert second.messages[1].content == "no json"
    assert second.messages[2].content.startswith("Your answer cannot be used: ")
    (event,) = world.events(RetryScheduled)
    assert (event.number, event.delay, event.cause) == (1, 0.0, "malformed")


@pytest.mark.parametrize(
    ("check", "reason"), [(Invoice, "amount"), (SCHEMA, "$.amount: 'twelve' is not of type 'integer'")]
)
def test_the_reason_names_the_field(world, mode, check, reason):
    """The model is told which field is wrong, and how."""
    provider = ScriptedProvider("a", BAD, GOOD)
    world.ask(chain_of(provider, check=check), mode)
    assert reason in provider.requests[1].messages[-1].content


def test_it_is_asked_only_so_often_and_then_the_next_one_is(world, mode):
    """Three answers, then the next slot, whose request is the caller's own again."""
    first, second = ScriptedProvider("a", "bad"), ScriptedProvider("b", GOOD)
    response = world.ask(chain_of(first, second), mode)
    assert (len(first.requests), response.provider) == (3, "b")
    assert second.requests[0].messages == REQUEST.messages
    assert [attempt.purpose for attempt in response.attempts] == ["call", "prompt_retry", "prompt_retry", "call"]


def test_the_last_answer_s_reason_is_the_error(world, mode):
    """Where nobody is left, the caller is told what was wrong with the last answer, and has every attempt."""
    chain = chain_of(ScriptedProvider("a", "bad"))
    error = world.fail(chain, mode)
    assert type(error) is InvalidResponseError
    assert str(error).startswith("`a`: each of 3 answers cannot be used; the last one: Expecting value")
    assert len(error.attempts) == 3
    assert chain.breaker("a").failures == 0


def test_every_answer_is_charged(world, mode):
    """Those that could not be used cost what they cost."""
    prices = Prices()
    prices.add("a:m", input_usd_per_mtok="1000000", output_usd_per_mtok="0")
    budget = Budget(BudgetConfig(max_cost_per_session=10**9), prices=prices)
    world.ask(chain_of(ScriptedProvider("a", "bad", "bad", GOOD), budget=budget), mode)
    balance = budget.balance()
    assert (balance.spent_usd, balance.reserved_usd) == (Decimal(30), Decimal(0))


def test_a_failed_request_is_retried_and_begins_anew(world, mode):
    """A 503 while the model is asked again is the retry policy's business; it sends the caller's own request."""
    provider = ScriptedProvider("a", "bad", down(), GOOD)
    response = world.ask(chain_of(provider, retry=RetryConfig(jitter=False)), mode)
    assert response.content.strip() == GOOD
    assert [len(request.messages) for request in provider.requests] == [1, 3, 1]


def test_a_cap_on_attempts_holds(world, mode):
    """`max_attempts` of the chain counts these as well."""
    provider = ScriptedProvider("a", "bad")
    error = world.fail(chain_of(provider, max_attempts=2), mode)
    assert len(provider.requests) == 2
    assert "each of 2 answers" in str(error)


def test_a_stream_is_handed_over_when_it_is_valid(world):
    """Nothing of an answer that cannot be used is shown; a stream that breaks meanwhile is retried."""
    provider = ScriptedProvider("a", "bad answer", Cut("half an"), GOOD)
    chain = chain_of(provider, retry=RetryConfig(jitter=False))

    async def read():
        return [event.text async for event in chain.stream_async(REQUEST) if event.kind == "text"]

    assert "".join(world.run(read())).strip() == GOOD
    assert len(provider.requests) == 3
    assert chain.breaker("a").state == "closed"


def test_r11_another_request_has_another_name(world):
    """A request with the reason in it is not the first one sent twice, so it is not named like it."""
    provider = ScriptedProvider("a", "bad", GOOD)
    provider.idempotency_header = "Idempotency-Key"
    world.ask(chain_of(provider), request=REQUEST.with_idempotency_key("mine"))
    assert [request.idempotency_key for request in provider.requests] == ["mine", "mine-prompt1"]


def test_a_call_of_tools_is_not_checked():
    """It has no text that could be wrong."""
    response = CompletionResponse(parts=(ToolCall("1", "pay", "{}"),))
    assert PromptRetry(json.loads).fault_of(response) is None


def test_it_may_stand_where_a_pipeline_says(world):
    """As a place layer: around the retries, each of which it may cause anew; a stream has to be held then."""
    provider = ScriptedProvider("a", "bad", GOOD, "bad", GOOD)
    layers = (BREAKER, PromptRetry(json.loads), RETRY)
    chain = FallbackChain([provider], pipeline=Pipeline(place_layers=layers), stream_commit="end")
    assert world.ask(chain).content == GOOD
    assert world.ask(chain, "stream").content.strip() == GOOD
    loose = FallbackChain([ScriptedProvider("b", "bad one")], pipeline=Pipeline(place_layers=layers))
    error = world.fail(loose, "stream")
    assert isinstance(error, ConfigurationError)
    assert 'stream_commit="end"' in str(error)


def test_the_builder_has_it(world):
    """`with_prompt_retry` says the same."""
    provider = ScriptedProvider("a", "bad", GOOD)
    chain = FallbackChain.builder().with_prompt_retry(PromptRetry(json.loads)).add(provider).build()
    assert world.ask(chain, request=CompletionRequest.ask("x")).content == GOOD


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("x",), "PromptRetry takes a function, a pydantic model or a JSON Schema, got `'x'`."),
        ((json.loads, 1), "max_attempts must be 2 or more, got 1"),
        ((json.loads, 3, "again"), "instruction has no place for the reason, got 'again'."),
        (({"type": "thing"},), "PromptRetry: the JSON Schema is wrong: 'thing' is not valid"),
    ],
)
def test_what_is_no_check_is_refused_when_built(arguments, message):
    """The option, the value, and what to write."""
    with pytest.raises(ConfigurationError) as refused:
        PromptRetry(*arguments)
    assert str(refused.value).startswith(message)
