"""Our own provider of Azure OpenAI: where it sends, how it signs, and what its answers cost."""

from decimal import Decimal

import pytest

from llmtest import AzureOpenAIProvider, FallbackChain, LLMClient, Simulation, build_chain, faults
from llmtest.errors import (
    AuthenticationError,
    ConfigurationError,
    ContentFilteredError,
    ContextLengthExceededError,
    ModelNotFoundError,
    OverloadedError,
    PermissionDeniedError,
    RateLimitedError,
    ServerError,
)
from llmtest.types import ChatMessage, CompletionRequest, ToolDefinition

ENDPOINT = "https://my-resource.openai.azure.com"
SEARCH = ToolDefinition("search", "Searches.", {"type": "object", "properties": {"q": {"type": "string"}}})


@pytest.fixture
def llm(monkeypatch):
    """A simulation that our provider asks, in an environment that says nothing of Azure."""
    for name in ("ENDPOINT", "API_KEY", "AD_TOKEN", "API_VERSION", "DEPLOYMENT", "DEPLOYMENT_NAME"):
        monkeypatch.delenv(f"AZURE_OPENAI_{name}", raising=False)
    monkeypatch.delenv("OPENAI_API_VERSION", raising=False)
    with Simulation() as llm_sim:
        yield llm_sim


def provider(**settings):
    """Return a provider of a deployment of gpt-4o."""
    given = {"endpoint": ENDPOINT, "deployment": "my-gpt", "api_key": "k", "model": "gpt-4o", **settings}
    return AzureOpenAIProvider(**given)


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ({"api_version": "2024-10-21"}, "/openai/deployments/my-gpt/chat/completions"),
        ({}, "/openai/v1/chat/completions"),
        ({"api_version": "2025-03-01-preview", "api": "responses"}, "/openai/responses"),
        ({"api": "responses"}, "/openai/v1/responses"),
        ({"endpoint": f"{ENDPOINT}/openai/v1/"}, "/openai/v1/chat/completions"),
        ({"endpoint": None, "base_url": ENDPOINT}, "/openai/v1/chat/completions"),
    ],
    ids=["dated", "v1", "dated-responses", "v1-responses", "whole-address", "base-url"],
)
def test_f006_a_call_goes_to_its_deployment(llm, settings, path):
    """With a version the URL names the deployment, without one the body does; streams go there too."""
    llm.azure.replies("Paris.", "Rome it is.")
    ours = provider(**settings)
    assert ours.complete(CompletionRequest.ask("Capital of France?")).content == "Paris."
    *_, end = ours.stream(CompletionRequest.ask("Of Italy?"))
    assert (end.response.content, end.response.provider, end.response.model) == ("Rome it is.", "azure", "gpt-4o")
    assert [(each.path, each.model) for each in llm.azure.requests] == [(path, "my-gpt")] * 2


def test_another_deployment_can_be_asked_by_name(llm):
    """A request's own model is the name of a deployment; the model that is deployed leads to the provider's own."""
    llm.azure.echoes()
    ours = provider(api_version="2024-10-21")
    for model in ("gpt-4o", "my-mini"):
        ours.complete(CompletionRequest.ask("hi").with_model(model))
    assert [each.model for each in llm.azure.requests] == ["my-gpt", "my-mini"]


def test_what_it_costs_is_what_the_deployed_model_costs(llm):
    """Prices and windows are those of `model`, whatever the deployment is called."""
    llm.azure.replies("Paris.")
    ours = provider(api_version="2024-10-21")
    told = FallbackChain([ours]).complete(CompletionRequest.ask("Capital of France?"))
    assert told.attempts[0].cost_usd > Decimal(0)
    assert ours.capabilities.context_window == 128_000


@pytest.mark.parametrize("is_async", [False, True])
def test_a_token_is_asked_for_before_every_request(llm, is_async):
    """A token of Entra ID may expire, so each request has a fresh one; the provider of tokens may be asynchronous."""
    asked = []

    def fresh():
        asked.append(len(asked))
        return f"token-{len(asked)}"

    async def fresh_later():
        return fresh()

    llm.azure.when(api_key="token-1").replies("one")
    llm.azure.when(api_key="token-2").replies("two")
    ours = provider(api_key=None, token_provider=fresh_later if is_async else fresh)
    assert [ours.complete(CompletionRequest.ask("hi")).content for _ in range(2)] == ["one", "two"]
    assert ours.credential == "azure:token"


def test_tools_and_the_list_of_models_work(llm):
    """A call of a tool comes back typed, and models are listed at the same kind of address."""
    llm.azure.calls_tool("search", {"q": "x"}, times=2)
    for ours in (provider(), provider(api_version="2024-10-21")):
        told = ours.complete(CompletionRequest(messages=(ChatMessage.user("Find x"),), tools=(SEARCH,)))
        assert (told.tool_calls[0].name, told.tool_calls[0].parsed_arguments()) == ("search", {"q": "x"})
        assert ours.list_models() == ["my-gpt"]
    assert [each.path for each in llm.azure.requests if each.operation == "models"] == [
        "/openai/v1/models",
        "/openai/models",
    ]


FAULTS = [
    (faults.RateLimited(retry_after=2), RateLimitedError),
    (faults.AuthenticationFailed(), AuthenticationError),
    (faults.PermissionDenied(), PermissionDeniedError),
    (faults.ModelNotFound(), ModelNotFoundError),
    (faults.ContextLengthExceeded(), ContextLengthExceededError),
    (faults.ContentFiltered(), ContentFilteredError),
    (faults.ServerError(500), ServerError),
    (faults.Overloaded(), OverloadedError),
]


@pytest.mark.parametrize("version", [None, "2024-10-21"])
@pytest.mark.parametrize(("fault", "kind"), FAULTS, ids=[row[1].__name__ for row in FAULTS])
def test_a_fault_of_azure_is_raised_as_what_it_is(llm, version, fault, kind):
    """Azure's own words lead to the same classes as everybody else's."""
    llm.azure.fails(fault)
    with pytest.raises(kind) as caught:
        provider(api_version=version).complete(CompletionRequest.ask("hi"))
    assert (type(caught.value), caught.value.provider) == (kind, "azure")


def test_a_wait_and_its_kind_are_read_from_azure_s_words(llm):
    """The limit that was reached and the seconds stand in the text and the headers."""
    llm.azure.echoes()
    llm.azure.limits(tpm=10)
    with pytest.raises(RateLimitedError) as caught:
        [provider().complete(CompletionRequest.ask("hi")) for _ in range(9)]
    assert caught.value.limit_kind == "tokens"
    assert 0 < caught.value.retry_after <= 60


def test_it_is_made_from_the_environment(llm, monkeypatch):
    """The variables of the official SDK are read, and one of ours for the deployment; arguments go before them."""
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", ENDPOINT)
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "k-1")
    monkeypatch.setenv("OPENAI_API_VERSION", "2024-06-01")
    monkeypatch.setenv("AZURE_OPENAI_DEPLOYMENT", "from-env")
    ours = AzureOpenAIProvider.from_env()
    assert (ours.deployment, ours.model, ours.api_version) == ("from-env", "from-env", "2024-06-01")
    assert AzureOpenAIProvider.from_env(deployment="mine").deployment == "mine"
    assert "k-1" not in repr(ours) + ours.credential
    llm.azure.when(api_key="entra").replies("Paris.")
    monkeypatch.delenv("AZURE_OPENAI_API_KEY")
    monkeypatch.setenv("AZURE_OPENAI_AD_TOKEN", "entra")
    assert LLMClient(AzureOpenAIProvider.from_env()).ask("Capital?") == "Paris."


NEEDS = "`azure` needs {}.\nTo fix: pass `{}`, or export AZURE_OPENAI_{}=... and use `AzureOpenAIProvider.from_env()`"
SIGNS = "`azure` signs with a key or with tokens, and was given {}.\nTo fix: pass either `api_key` or `token_provider`"


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (
            {"endpoint": None},
            NEEDS.format("the address of its resource", 'endpoint="https://my-resource.openai.azure.com"', "ENDPOINT"),
        ),
        ({"deployment": None, "model": None}, NEEDS.format("a deployment", 'deployment="..."', "DEPLOYMENT")),
        ({"api_key": None}, SIGNS.format("neither")),
        ({"token_provider": lambda: "t"}, SIGNS.format("both")),
    ],
    ids=["endpoint", "deployment", "no-key", "two-keys"],
)
def test_what_is_missing_is_named(settings, text):
    """Each wrong set of arguments has one clear error."""
    with pytest.raises(ConfigurationError) as caught:
        provider(**settings)
    assert str(caught.value) == text


def test_a_missing_variable_is_named(monkeypatch):
    """The error names the variable of the key."""
    for name in AzureOpenAIProvider.dialect.variables.keys:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigurationError, match="export AZURE_OPENAI_API_KEY="):
        AzureOpenAIProvider.from_env(endpoint=ENDPOINT, deployment="d", api_key="")


def test_a_chain_file_names_it(llm, monkeypatch):
    """`provider: azure` is the resource of the environment."""
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", ENDPOINT)
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "k")
    llm.azure.replies("Paris.")
    chain = build_chain({"providers": [{"provider": "azure", "model": "gpt-4o"}]})
    assert chain.complete(CompletionRequest.ask("Capital?")).content == "Paris."
