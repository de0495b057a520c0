"""A base URL tells who it is: our own providers and the official client, at somebody else's address."""

from decimal import Decimal

import openai
import pytest

from llmtest import LLMClient, OpenAICompatibleProvider, OpenAIProvider, Simulation, build_chain
from llmtest.types import CompletionRequest
from llmtest.wire import owner_of

PLACES = (
    ("http://localhost:11434/v1", "ollama", "llama3.2"),
    ("http://127.0.0.1:8000/v1", "vllm", "meta-llama/Llama-3.1-8B-Instruct"),
    ("https://openrouter.ai/api/v1", "openrouter", "openai/gpt-4o"),
)
ASKED = [{"role": "user", "content": "Hi"}]


@pytest.mark.parametrize(("url", "name", "model"), PLACES)
def test_p02_our_provider_is_who_its_address_says(monkeypatch, url, name, model):
    """`OPENAI_BASE_URL` names the provider, and its price is known."""
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    monkeypatch.setenv("OPENAI_MODEL", model)
    with Simulation() as sim:
        sim.provider(name).replies("Paris")
        provider = OpenAIProvider.from_env()
        answer = LLMClient(build_chain({"providers": [{"provider": provider}]})).complete(CompletionRequest.ask("Hi"))
        assert (provider.name, answer.provider, answer.content) == (name, name, "Paris")
        assert sim.provider(name).received == 1
        assert sim.costs.total_usd == 0 if name != "openrouter" else sim.costs.total_usd > 0


@pytest.mark.parametrize(("url", "name", "model"), PLACES)
def test_p02_the_official_client_reaches_who_is_there(monkeypatch, url, name, model):
    """The handle of that name sees the request, and bills it as that provider."""
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    with Simulation() as sim:
        sim.provider(name).replies("Paris")
        answer = openai.OpenAI().chat.completions.create(model=model, messages=ASKED)
        assert answer.choices[0].message.content == "Paris"
        assert (sim.provider(name).received, sim.openai.received) == (1, 0)
        assert list(sim.costs.by_provider()) == [name]
        assert isinstance(sim.costs.total_usd, Decimal)


def test_p02_a_name_of_one_s_own_goes_before_the_address():
    """`name=` says it otherwise, and so does a handle at that address."""
    assert OpenAIProvider("k", base_url="http://localhost:11434/v1", name="mine").name == "mine"
    with Simulation() as sim:
        sim.openai.at("http://localhost:11434/v1").replies("Paris")
        client = openai.OpenAI(api_key="k", base_url="http://localhost:11434/v1")
        assert client.chat.completions.create(model="m", messages=ASKED).choices[0].message.content == "Paris"
        assert sim.openai.received == 1


def test_p02_the_default_model_is_that_of_who_is_there():
    """Ollama is not asked for `gpt-4o`."""
    assert OpenAIProvider("k", base_url="http://localhost:11434/v1").model == "llama3.2"
    assert OpenAIProvider("k", base_url="https://llm.corp/v1").model == "gpt-4o"
    assert OpenAIProvider("k").name == "openai"


def test_p02_a_compatible_provider_from_the_environment_is_named_too(monkeypatch):
    """Where nobody gives it a name."""
    monkeypatch.setenv("OPENAI_BASE_URL", "https://openrouter.ai/api/v1")
    assert OpenAICompatibleProvider.from_env().name == "openrouter"
    assert OpenAICompatibleProvider.from_env("mine").name == "mine"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://[::1]:11434", "ollama"),
        ("http://0.0.0.0:11434/v1", "ollama"),
        ("https://mine.openai.azure.com/openai/v1", "azure"),
        ("https://api.openai.com/v1", "openai"),
        ("http://localhost:9999/v1", None),
        ("http://gpu.corp:11434/v1", None),
        ("nonsense", None),
        ("http://x:port", None),
        (None, None),
    ],
)
def test_an_address_is_somebody_s_or_nobody_s(url, name):
    """Hosts and ports are those of the records of the dialects."""
    owner = owner_of(url)
    assert (owner and owner.name) == name
