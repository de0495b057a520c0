"""`Budget.guard()`: code on an official SDK, or on a bare client, held to a budget by its transport."""

import asyncio
import gzip
import json
from decimal import Decimal

import anthropic
import httpx
import httpx2
import openai
import pytest

from llmtest import Budget, BudgetConfig, BudgetExceededError, CostLedger, Prices, Usage, faults
from llmtest.errors import ConfigurationError
from llmtest.simulation import Reply
from llmtest.testing import Simulation

ASK = {"messages": [{"role": "user", "content": "Capital of France?"}], "max_tokens": 50}


def openai_client(budget, **settings):
    """Return OpenAI's SDK over a guarded transport."""
    return openai.OpenAI(http_client=httpx.Client(transport=budget.guard(**settings)))


def crowd_of(count, ask):
    """Return what comes of so many calls at the same time."""

    async def crowd():
        return await asyncio.gather(*(ask() for _ in range(count)), return_exceptions=True)

    return crowd()


def test_an_sdk_is_refused_before_anything_is_sent_and_does_not_try_again():
    """The refusal is OpenAI's own answer to an empty account; what was spent is the bill."""
    with Simulation() as sim:
        sim.openai.replies("Paris", times=None)
        ledger = CostLedger()
        budget = Budget(BudgetConfig(max_cost_per_session="0.0007"), ledger=ledger)
        client = openai_client(budget)
        client.chat.completions.create(model="gpt-4o", **ASK)
        client.chat.completions.create(model="gpt-4o", **ASK)
        with pytest.raises(openai.RateLimitError, match=r"budget exceeded: session limit \$0\.0007") as caught:
            client.chat.completions.create(model="gpt-4o", **ASK)
        assert caught.value.code == "insufficient_quota"
        sim.assert_attempts("openai", 2)
        assert sim.waited == 0
        assert budget.balance().spent_usd == ledger.total_usd == sim.costs.total_usd > 0
        assert budget.balance().reserved_usd == 0


def test_another_sdk_is_refused_in_its_own_api_s_words():
    """Anthropic's is a bad request about credit, which its SDK does not try again either."""
    with Simulation() as sim:
        sim.anthropic.replies("Paris", optional=True)
        budget = Budget(BudgetConfig(max_cost_per_call=0))
        client = anthropic.Anthropic(http_client=httpx2.Client(transport=budget.guard(library="httpx2")))
        with pytest.raises(anthropic.APIStatusError, match="budget exceeded: call limit"):
            client.messages.create(model="claude-opus-5", **ASK)
        sim.assert_attempts("anthropic", 0)


def test_a_bare_client_gets_the_error_itself_where_it_asks_for_that():
    """`refusal="error"` raises what a chain would raise."""
    with Simulation() as sim:
        sim.openai.replies("Paris", optional=True)
        guard = Budget(BudgetConfig(max_tokens_per_call=10)).guard(refusal="error")
        with httpx.Client(transport=guard) as client, pytest.raises(BudgetExceededError, match="call limit 10 tokens"):
            client.post("https://api.openai.com/v1/chat/completions", json={"model": "gpt-4o", **ASK})
        sim.assert_attempts("openai", 0)


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
def test_a_crowd_of_an_asynchronous_sdk_never_passes_the_limit(streams):
    """60 calls at once: spent is at most the limit and equals the bill, and nothing is left reserved."""
    with Simulation() as sim:
        sim.openai.replies(Reply("Paris is it", usage=Usage(12, 30)), times=None)
        budget = Budget(BudgetConfig(max_cost_per_session="0.0100"))
        guard = budget.guard(is_async=True)
        client = openai.AsyncOpenAI(http_client=httpx.AsyncClient(transport=guard))

        async def ask():
            more = {"stream": True, "stream_options": {"include_usage": True}} if streams else {}
            answer = await client.chat.completions.create(model="gpt-4o", **ASK, **more)
            return [piece async for piece in answer] if streams else answer

        results = sim.run(crowd_of(60, ask))
        refused = [each for each in results if isinstance(each, openai.RateLimitError)]
        assert 0 < len(refused) < 60
        assert not [each for each in results if isinstance(each, BaseException) and each not in refused]
        assert budget.balance().spent_usd == sim.costs.total_usd <= Decimal("0.01")
        assert (budget.balance().reserved_usd, budget.balance().reserved_tokens) == (0, 0)


def test_a_stream_that_is_left_is_charged_what_had_come_as_it_is_billed():
    """The account of the guard is the bill of the provider, estimated by the same rule."""
    with Simulation() as sim:
        sim.openai.replies(Reply(chunks=["Paris ", "is ", "the ", "capital."]))
        budget = Budget()
        with openai_client(budget).chat.completions.create(model="gpt-4o", stream=True, **ASK) as stream:
            for piece in stream:
                if piece.choices[0].delta.content:
                    break
        balance = budget.balance()
        assert balance.reserved_tokens == 0
        assert 9 < balance.spent_tokens < 9 + 50
        assert balance.spent_usd > 0


@pytest.mark.parametrize(
    ("fault", "charged"), [(faults.ServerError(), False), (faults.ConnectionRefused(), False), (faults.Timeout(), True)]
)
def test_a_failure_is_charged_only_where_the_provider_has_begun(fault, charged):
    """A refusal and a lost connection give everything back; a timeout has cost its prompt."""
    with Simulation() as sim:
        sim.openai.fails(fault)
        budget = Budget()
        client = openai.OpenAI(max_retries=0, http_client=httpx.Client(transport=budget.guard()))
        with pytest.raises(openai.APIError):
            client.chat.completions.create(model="gpt-4o", **ASK)
        balance = budget.balance()
        assert balance.reserved_tokens == 0
        assert balance.spent_usd == sim.costs.total_usd
        assert (balance.spent_usd > 0) is charged


def test_embeddings_are_held_to_it_and_lists_of_models_are_not():
    """What costs nothing passes a limit of zero."""
    with Simulation() as sim:
        client = openai_client(Budget(BudgetConfig(max_cost_per_session=0)))
        assert client.models.list().data
        with pytest.raises(openai.RateLimitError):
            client.embeddings.create(model="text-embedding-3-small", input="Paris")
        assert "embeddings" not in [request.operation for request in sim.openai.requests]


class Answers(httpx.BaseTransport):
    """A transport that answers with one body, packed, piece by piece."""

    def __init__(self, body, **headers):
        self.body, self.headers, self.closed = body, headers, False

    def handle_request(self, request):
        pieces = [self.body[start : start + 7] for start in range(0, len(self.body), 7)]
        return httpx.Response(200, headers=self.headers, content=iter(pieces))

    def close(self):
        self.closed = True


def answer(**usage):
    """Return a chat completion with a usage."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Paris"}}
    body = {"id": "c", "object": "chat.completion", "created": 1, "model": "gpt-4o", "choices": [choice], **usage}
    return json.dumps(body).encode()


def test_packed_answers_are_read_and_a_gateway_has_a_name():
    """The transport is one's own; an unknown host is held to the budget where somebody says who it is."""
    body = gzip.compress(answer(usage={"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}))
    transport = Answers(body, **{"content-encoding": "gzip", "content-type": "application/json"})
    budget = Budget(BudgetConfig(max_cost_per_day=1))
    url, sent = "https://gateway.example/v1/chat/completions", {"model": "gpt-4o", **ASK}
    with httpx.Client(transport=budget.guard(transport, provider="openai")) as client:
        assert client.post(url, json=sent).json()["id"] == "c"
    assert (budget.balance().spent_tokens, transport.closed) == (15, True)
    with httpx.Client(transport=budget.guard(transport)) as client:
        client.post(url, json=sent)
    assert budget.balance().spent_tokens == 15  # nobody knows whose address it is


def test_what_an_answer_does_not_say_is_charged_as_it_was_reserved():
    """No usage, or nothing that can be read: the upper bound stays charged, never nothing."""
    prices = Prices()
    prices.add("openai:*", input_usd_per_mtok=1, output_usd_per_mtok=1)
    for body in (answer(), b"<html>"):
        budget = Budget(prices=prices)
        with httpx.Client(transport=budget.guard(Answers(body))) as client:
            client.post("https://api.openai.com/v1/chat/completions", json={"model": "m", **ASK})
        assert budget.balance().spent_tokens == 52 + 50
        assert budget.balance().reserved_tokens == 0


@pytest.mark.parametrize(
    ("arguments", "settings", "said"),
    [
        ((3,), {}, "a guard sends by a transport, and 3 is none"),
        ((), {"refusal": "silence"}, '`refusal` must be "answer" or "error", got \'silence\''),
    ],
)
def test_a_wrong_guard_is_refused_when_it_is_made(arguments, settings, said):
    """A mistake shows before the first request."""
    with pytest.raises(ConfigurationError, match=said):
        Budget().guard(*arguments, **settings)
