"""What a provider is told about its model: limits, temperature, window, price; and that it can be closed."""

import asyncio
import json
from decimal import Decimal

import httpx
import pytest

from llmtest import (
    AnthropicProvider,
    AzureOpenAIProvider,
    Budget,
    BudgetConfig,
    CompletionRequest,
    CustomProvider,
    FallbackChain,
    GeminiProvider,
    LLMClient,
    OllamaProvider,
    OpenAICompatibleProvider,
    OpenAIProvider,
    OpenRouterProvider,
    VLLMProvider,
)
from llmtest.costs import default_prices
from llmtest.errors import BudgetExceededError, ConfigurationError, ServerError

REQUEST = CompletionRequest.ask("hi")
PRICE = {"input_usd_per_mtok": "15", "output_usd_per_mtok": "15"}


def answering(seen):
    """Return a client whose every answer has ten tokens each way."""

    def answer(request):
        seen.append(json.loads(request.content))
        usage = {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20}
        choice = {"index": 0, "message": {"role": "assistant", "content": "Paris"}, "finish_reason": "stop"}
        return httpx.Response(200, json={"id": "1", "model": "mine-1", "choices": [choice], "usage": usage})

    return httpx.Client(transport=httpx.MockTransport(answer))


def test_f036_defaults_of_a_provider_are_sent_where_a_request_does_not_say():
    """A request has the last word, and what nobody says is not sent."""
    seen = []
    provider = OpenAIProvider("k", http_client=answering(seen), model="mine-1", max_tokens=2048, temperature=0.1)
    provider.complete(REQUEST)
    provider.complete(REQUEST.with_max_tokens(5))
    OpenAIProvider("k", http_client=answering(seen), model="mine-1").complete(REQUEST)
    sent = [(body.get("max_tokens"), body.get("temperature")) for body in seen]
    assert sent == [(2048, 0.1), (5, 0.1), (None, None)]


def test_p08_a_window_that_is_given_goes_before_the_published_one():
    """An argument says what a model of your own machine holds."""
    assert OpenAIProvider("k", model="gpt-4o", context_window=9).capabilities.context_window == 9
    assert VLLMProvider(model="mine", context_window=8192).capabilities.context_window == 8192


def test_f018_a_price_that_is_given_is_what_calls_cost():
    """It counts in attempts and in budgets, and in no other chain."""
    seen = []
    provider = OpenAIProvider("k", http_client=answering(seen), model="mine-1", price=PRICE)
    answer = LLMClient(provider).complete(REQUEST)
    assert answer.attempts[0].cost_usd == answer.cost_usd == Decimal("0.0003")
    assert not default_prices().is_known("openai", "mine-1")
    for budget in (BudgetConfig(max_cost_per_session="0.001"), Budget(BudgetConfig(max_cost_per_session="0.001"))):
        chain = FallbackChain([FallbackChain([provider])], budget=budget)
        with pytest.raises(BudgetExceededError):
            chain.complete(REQUEST.with_max_tokens(100))
        assert chain.complete(REQUEST.with_max_tokens(10)).cost_usd == Decimal("0.0003")


def test_a_cost_that_nobody_knows_is_none():
    """An answer without attempts, or of an unknown price, costs nobody knows what."""
    provider = OpenAIProvider("k", http_client=answering([]), model="mine-1")
    assert provider.complete(REQUEST).cost_usd is None
    assert LLMClient(provider).complete(REQUEST).cost_usd is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param(
            {"price": {"input": 3}, "model": "m"}, "the price of `openai:m` has not the arguments", id="words"
        ),
        pytest.param({"price": PRICE}, "`local` has a `price` and no model", id="no-model"),
    ],
)
def test_a_price_that_says_nothing_is_refused(settings, message):
    """A price has a model, and the words of the price list."""
    made = OpenAIProvider("k", **settings) if "model" in settings else VLLMProvider(name="local", **settings)
    with pytest.raises(ConfigurationError, match=message):
        FallbackChain([made])


def test_a_provider_closes_what_it_opened():
    """Its own clients are closed and made anew on the next use; one that was given stays open."""
    given = answering([])
    provider = OpenAIProvider("k", http_client=given)
    provider.close()
    provider.complete(REQUEST)
    assert not given.is_closed
    own = OpenAIProvider("k")
    first = own._blocking.client()
    own.close()
    assert first.is_closed
    assert own._blocking.client() is not first
    own.close()

    async def story():
        client = own._async.client()
        await own.aclose()
        await own.aclose()
        return client.is_closed

    assert asyncio.run(story())


def test_f026_available_is_true_iff_there_is_a_key():
    """A key makes it available, and so does needing none; nothing is asked for it."""
    assert [OpenAIProvider("k").available(), OpenAIProvider("").available(), OpenAIProvider().available()] == [
        True,
        False,
        False,
    ]
    assert VLLMProvider(model="m").available()


@pytest.mark.parametrize(
    ("model", "window"),
    [
        ("llama3.1:8b", 131_072),
        ("codellama", 16_384),
        ("gemma2:9b", 8_192),
        ("microsoft/Phi-3.5-mini-instruct", 131_072),
        ("meta-llama/Llama-2-7b-chat-hf", 4_096),
        ("deepseek-coder:6.7b", 16_384),
        ("qwen2.5", 32_768),
        ("nobody-knows:1b", None),
    ],
)
def test_p08_models_of_one_s_own_machine_have_windows(model, window):
    """A small table knows them by the family of their names; others have none, and only local ones are looked up."""
    assert VLLMProvider(model=model).capabilities.context_window == window
    assert OpenAIProvider("k", model="llama-3.1-of-mine", name="mine").capabilities.context_window is None


@pytest.mark.parametrize("model", ["claude-haiku-3-5-latest", "claude-3-5-haiku-20241022", "claude-haiku-3-5"])
def test_p08_aliases_and_dated_names_are_the_same_model(model):
    """MoFA's name of a model, its dated one and its maker's have one window and one price."""
    assert default_prices().context_window("anthropic", model) == 200_000
    assert default_prices().rates("anthropic", model).input == Decimal("0.8")


@pytest.mark.parametrize("name", ["openai", "anthropic"])
def test_p05_a_page_of_html_is_withheld(name):
    """A gateway's page is told of by its title, in one line, and kept whole in `.body`."""
    page = f"<!DOCTYPE html><html><title>502\n Bad Gateway</title><body>{'x' * 5000}</body></html>"
    client = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(502, text=page)))
    made = {"openai": OpenAIProvider, "anthropic": AnthropicProvider}[name]
    with pytest.raises(ServerError) as caught:
        LLMClient(made("k", http_client=client)).ask("hi")
    text = "HTTP 502 with a page of HTML titled `502 Bad Gateway` instead of an error; its 5072 bytes are in `.body`"
    assert str(caught.value) == text
    assert caught.value.body == page.encode()


@pytest.mark.parametrize(
    "made",
    [
        lambda: OpenAIProvider("k", modle="gpt-4o"),
        lambda: OpenAIProvider.from_env(api_key="k", modle="gpt-4o"),
        lambda: OpenAICompatibleProvider("ours", base_url="http://localhost:8000", modle="m"),
        lambda: OpenAICompatibleProvider.preset("groq", "k", modle="m"),
        lambda: AnthropicProvider("k", modle="claude-opus-5"),
        lambda: GeminiProvider("k", modle="gemini-2.5-flash"),
        lambda: OllamaProvider(modle="llama3.2"),
        lambda: VLLMProvider(modle="m"),
        lambda: OpenRouterProvider("k", modle="m"),
        lambda: AzureOpenAIProvider("k", endpoint="https://a.openai.azure.com", deployment="d", modle="gpt-4o"),
        lambda: CustomProvider("http://localhost:8000", modle="m"),
    ],
)
def test_an_argument_that_no_provider_has_is_refused(made):
    """A misspelt argument was taken for a default and lost: what was meant was never asked for."""
    with pytest.raises(TypeError, match=r"^\w+\(\) has no argument `modle`\. Did you mean `model`\? Arguments: "):
        made()


def test_a_misspelt_default_names_the_default():
    """Defaults are named among the arguments, and what a class fills in itself is not."""
    with pytest.raises(TypeError, match=r"no argument `max_token`\. Did you mean `max_tokens`\?") as caught:
        OpenAIProvider("k", max_token=3)
    assert "dialect" not in str(caught.value)
