"""What a provider tells and is asked beside conversations: prices, models, tokens, vectors, and whether it is well."""

import asyncio
from decimal import Decimal

import pytest

from llmtest import (
    AnthropicProvider,
    AzureOpenAIProvider,
    ChatMessage,
    CompletionRequest,
    EmbeddingRequest,
    GeminiProvider,
    Json,
    Lognormal,
    OllamaProvider,
    OpenAICompatibleProvider,
    OpenAIProvider,
    OpenRouterProvider,
    Raw,
    TokenCountRequest,
    ToolDefinition,
    VLLMProvider,
    faults,
)
from llmtest.errors import (
    AuthenticationError,
    ConfigurationError,
    InvalidRequestError,
    ModelNotFoundError,
    NotSupportedError,
    ProviderConnectionError,
    ServerError,
    UnknownPriceError,
)
from llmtest.resilience._own_provider import as_provider

KEY = "sk-test-key"
TOOL = ToolDefinition("weather", "Tells the weather", {"type": "object", "properties": {"city": {"type": "string"}}})
ASKED = CompletionRequest([ChatMessage.system("Be brief."), ChatMessage.user("Weather in Paris?")], tools=(TOOL,))


def azure(**settings):
    """Return a provider of a resource of Azure."""
    return AzureOpenAIProvider(KEY, endpoint="https://mine.openai.azure.com", deployment="gpt-4o", **settings)


COUNTING = {
    "openai": lambda: OpenAIProvider(KEY),
    "anthropic": lambda: AnthropicProvider(KEY),
    "gemini": lambda: GeminiProvider(KEY),
    "azure": azure,
    "azure-dated": lambda: azure(api_version="2024-10-21"),
    "vllm": lambda: VLLMProvider(model="mine", base_url="http://localhost:8000/v1"),
}


def test_f024_cost_per_token_is_exact_money_by_side():
    """Both sides in USD, as decimals; a thousand tokens cost what the dearer side does, as VAPORA's numbers have it."""
    claude = AnthropicProvider(KEY, model="claude-sonnet-4-5")
    assert claude.cost_per_token() == (Decimal("0.000003"), Decimal("0.000015"))
    assert claude.cost_per_1k_tokens() == Decimal("0.015")
    assert OpenAIProvider(KEY).cost_per_token("gpt-4-turbo") == (Decimal("0.00001"), Decimal("0.00003"))
    assert OpenAIProvider(KEY).cost_per_1k_tokens("gpt-4-turbo") == Decimal("0.030")
    assert OllamaProvider().cost_per_token() == (0, 0)


def test_f024_a_price_of_one_s_own_counts_for_its_model_alone():
    """`price` is what its model costs; another model costs what is published."""
    price = {"input_usd_per_mtok": "2", "output_usd_per_mtok": "5"}
    mine = OpenAIProvider(KEY, model="mine-1", price=price)
    assert mine.cost_per_token() == (Decimal("0.000002"), Decimal("0.000005"))
    assert mine.cost_per_token("gpt-4o") == OpenAIProvider(KEY).cost_per_token()


def test_f024_a_price_that_nobody_knows_is_an_error_and_no_zero():
    """A number that is not known is not made up; the metadata says None."""
    unknown = OpenAIProvider(KEY, model="mine-1")
    with pytest.raises(UnknownPriceError, match="mine-1"):
        unknown.cost_per_1k_tokens()
    told = unknown.model_metadata()
    assert (told.id, told.provider, told.context_length, told.input_cost_per_token) == ("mine-1", "openai", None, None)


def test_f024_model_metadata_is_known_without_asking():
    """A window and prices of the list; no request is sent, which the guard against live requests proves."""
    told = OpenAIProvider(KEY).model_metadata()
    assert (told.id, told.context_length) == ("gpt-4o", 128_000)
    assert (told.input_cost_per_token, told.output_cost_per_token) == (Decimal("0.0000025"), Decimal("0.00001"))
    assert OpenAIProvider(KEY, context_window=9).model_metadata().context_length == 9
    with pytest.raises(ConfigurationError, match="has no model of its own"):
        VLLMProvider().model_metadata()


def test_f022_get_model_info_asks_the_provider(llm_sim):
    """What its list tells comes first, and what is known completes it; an unknown model is the error of its kind."""
    told = GeminiProvider(KEY).get_model_info()
    assert (told.context_length, told.max_output_tokens) == (1_048_576, 65_536)
    assert told.input_cost_per_token == Decimal("3E-7")
    llm_sim.openai.when(operation="model").fails(faults.ModelNotFound())
    with pytest.raises(ModelNotFoundError):
        OpenAIProvider(KEY).get_model_info("gpt-99")


def test_f022_a_list_with_prices_tells_one_model(llm_sim):
    """OpenRouter has no endpoint for one model, and prices of them all."""
    card = {"id": "acme/large", "name": "Acme Large", "created": 1, "context_length": 4096}
    pricing = {"prompt": "0.000002", "completion": "-1"}
    llm_sim.openrouter.when(operation="models").replies(Json({"data": [{**card, "pricing": pricing}]}), times=None)
    told = OpenRouterProvider(KEY).get_model_info("acme/large")
    assert (told.context_length, told.display_name) == (4096, "Acme Large")
    assert (told.input_cost_per_token, told.output_cost_per_token) == (Decimal("0.000002"), None)
    with pytest.raises(ModelNotFoundError, match="acme/small"):
        OpenRouterProvider(KEY).get_model_info("acme/small")


def test_f022_what_it_can_do_is_asked_by_name():
    """Caxton's and llmkit's questions are members; what the API lacks is a no."""
    openai, cohere = OpenAIProvider(KEY), OpenAICompatibleProvider.preset("cohere", api_key=KEY)
    able = (openai.supports_function_calling, openai.supports_tools, openai.supports_streaming, openai.supports_vision)
    assert able == (True, True, True, True)
    assert (openai.supports_token_counting, cohere.supports_token_counting) == (True, False)
    assert (openai.supports_batch, cohere.supports_batch) == (True, False)


@pytest.mark.parametrize("make", COUNTING.values(), ids=COUNTING)
def test_f035_tokens_are_counted_by_the_api_that_counts(llm_sim, make):
    """System prompt and tools are counted too, in either world; the answer says that it is exact."""
    llm_sim.vllm.at("http://localhost:8000")
    provider = make()
    plain = provider.count_tokens("Weather in Paris?")
    assert (plain.is_exact, plain.input_tokens) == (True, 9)
    asked = TokenCountRequest(ASKED.messages, tools=ASKED.tools)
    counted = asyncio.run(provider.count_tokens_async(asked))
    assert counted.source == "exact"
    assert counted.input_tokens > plain.input_tokens
    assert counted == provider.count_tokens(ASKED)


def test_f035_tokens_are_estimated_where_nobody_counts(llm_sim):
    """An API without such an endpoint asks nobody, a server without it is asked; either way the result says so."""
    groq = OpenAICompatibleProvider.preset("groq", api_key=KEY, model="m")
    assert groq.count_tokens("Capital of France?").source == "estimated"
    assert llm_sim.groq.requests == ()
    llm_sim.openai.when(operation="input_tokens").replies(Raw(404, {}, b'{"detail": "Not Found"}'))
    counted = OpenAIProvider(KEY).count_tokens("Capital of France?")
    assert (counted.source, counted.input_tokens, counted.model) == ("estimated", 9, "gpt-4o")


def test_f035_a_refused_count_is_the_error_of_its_kind(llm_sim):
    """Only a missing endpoint is estimated; a wrong key, or a model that is not there, is told."""
    llm_sim.anthropic.when(operation="count_tokens").fails(faults.AuthenticationFailed())
    llm_sim.anthropic.when(operation="count_tokens").fails(faults.ModelNotFound())
    for kind in (AuthenticationError, ModelNotFoundError):
        with pytest.raises(kind) as error:
            AnthropicProvider(KEY).count_tokens("hi")
        assert error.value.provider == "anthropic"


EMBEDDING = {
    "openai": COUNTING["openai"],
    "gemini": COUNTING["gemini"],
    "azure": COUNTING["azure"],
    "vllm": COUNTING["vllm"],
    "ollama": OllamaProvider,
    "ollama-native": lambda: OllamaProvider(api="native"),
    "cohere": lambda: OpenAICompatibleProvider.preset("cohere", api_key=KEY),
    "mistral": lambda: OpenAICompatibleProvider.preset("mistral", api_key=KEY),
}


@pytest.mark.parametrize("make", EMBEDDING.values(), ids=EMBEDDING)
def test_texts_are_embedded(llm_sim, make):
    """Several texts are as many vectors, in their order, in either world; a text alone is one."""
    llm_sim.vllm.at("http://localhost:8000")
    provider = make()
    found = provider.embed(["one", "two"], model="embed-1")
    assert (len(found.vectors), found.model) == (2, "embed-1")
    again = asyncio.run(provider.embed_async(EmbeddingRequest(("one", "two"), model="embed-1")))
    assert again.vectors == found.vectors
    assert provider.embed("two", model="embed-1").vectors == found.vectors[1:]


def test_what_embeds_nothing_says_so():
    """An API without embeddings, or no model, is refused before anything is sent."""
    with pytest.raises(NotSupportedError, match="`anthropic` embeds nothing"):
        AnthropicProvider(KEY).embed("hi", model="m")
    with pytest.raises(ConfigurationError, match="which model embeds"):
        OpenAIProvider(KEY).embed("hi")


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        pytest.param(faults.InvalidRequest(), InvalidRequestError, id="400"),
        pytest.param(faults.AuthenticationFailed(), AuthenticationError, id="401"),
        pytest.param(faults.ServerError(status=503), ServerError, id="503"),
        pytest.param(faults.ConnectionRefused(), ProviderConnectionError, id="refused"),
    ],
)
def test_h01_a_probe_takes_no_refusal_for_health(llm_sim, fault, kind):
    """A 400 means that calls are refused, as much as a 503 does; what was wrong is told, and nothing is raised."""
    llm_sim.openai.fails(fault, times=2).replies("unused", optional=True)
    llm_sim.openai.when(operation="models").fails(fault, times=2)
    provider = OpenAIProvider(KEY)
    told = provider.probe()
    assert (told.healthy, told.asked, told.provider) == (False, "models", "openai")
    assert isinstance(told.error, kind)
    assert not provider.is_available()
    assert not provider.probe(CompletionRequest.ask("hi")).healthy
    assert not asyncio.run(provider.probe_async(CompletionRequest.ask("hi"))).healthy


def test_h01_a_well_provider_is_well(llm_sim):
    """The list of models is free and enough; a call of one's own proves the model."""
    llm_sim.openai.replies("pong").latency(0.25)
    provider = OpenAIProvider(KEY)
    assert provider.is_available()
    assert asyncio.run(provider.is_available_async())
    told = provider.probe(CompletionRequest.ask("ping"))
    assert (told.healthy, told.asked, told.seconds, told.error) == (True, "chat", 0.25, None)
    assert not OpenAIProvider("").is_available()


def test_h01_a_server_without_a_list_is_asked_for_an_answer(llm_sim):
    """The shortest call has room for a model that thinks before it answers."""
    llm_sim.openai.on("GET", "/v1/models").fails(status=404)
    llm_sim.openai.replies("pong")
    told = OpenAIProvider(KEY).probe()
    assert (told.healthy, told.asked) == (True, "chat")
    assert llm_sim.openai.requests[-1].request.max_tokens == 16


def test_f023_a_mock_tells_its_latency(llm_sim):
    """Milliseconds until its answers begin, as they were set; the same draw whenever it is asked."""
    mock = llm_sim.openai.as_provider("gpt-4o")
    assert mock.latency_ms() == 0.0
    llm_sim.openai.latency(0.25)
    assert mock.latency_ms() == 250.0
    llm_sim.openai.latency(Lognormal(median=0.4, p99=2.0))
    assert mock.latency_ms() == mock.latency_ms() > 0
    assert mock.available()
    assert mock.cost_per_1k_tokens() == Decimal("0.010")
    assert not hasattr(OpenAIProvider(KEY), "latency_ms")


def test_f035_a_mock_counts_as_it_bills(llm_sim):
    """What it says that a prompt has is what the answer is billed for."""
    llm_sim.openai.replies("Sunny")
    mock = llm_sim.openai.as_provider("gpt-4o")
    counted = mock.count_tokens(TokenCountRequest(ASKED.messages, tools=ASKED.tools))
    assert counted.is_exact
    assert counted.input_tokens == mock.complete(ASKED).usage.input_tokens


class Least:
    """The least of a provider."""

    name = "openai"
    model = "gpt-4o"

    def complete(self, request):
        """Answer."""
        return "hi"

    def list_models(self):
        """Tell its models."""
        return ["mine"]


def test_f025_an_adapter_supplies_what_a_class_of_one_s_own_lacks():
    """Its own members are used, and the rest is made of what is known of its model."""
    provider = as_provider(Least())
    assert provider.list_models() == ["mine"]
    assert provider.available()
    assert provider.cost_per_token()[0] == Decimal("0.0000025")
    assert provider.model_metadata().context_length is None
    assert (provider.count_tokens("hi there").source, provider.supports_tools) == ("estimated", True)
    with pytest.raises(AttributeError, match="no attribute 'create_batch'"):
        provider.create_batch([])
