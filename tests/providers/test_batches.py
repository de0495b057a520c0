"""Batches that our own providers ask for, against the simulated APIs, in virtual time."""

import asyncio

import pytest

from llmtest import (
    AnthropicProvider,
    AzureOpenAIProvider,
    BatchRequest,
    CompletionRequest,
    GeminiProvider,
    OllamaProvider,
    OpenAIProvider,
    faults,
)
from llmtest.errors import ConfigurationError, InvalidRequestError, NotSupportedError, RateLimitedError

KEY = "sk-test-key"
PROVIDERS = {
    "openai": lambda: OpenAIProvider(KEY),
    "openai-responses": lambda: OpenAIProvider(KEY, api="responses"),
    "anthropic": lambda: AnthropicProvider(KEY, max_tokens=100),
    "gemini": lambda: GeminiProvider(KEY),
    "azure": lambda: AzureOpenAIProvider(KEY, endpoint="https://mine.openai.azure.com", deployment="gpt-4o"),
    "azure-dated": lambda: AzureOpenAIProvider(
        KEY, endpoint="https://mine.openai.azure.com", deployment="gpt-4o", api_version="2024-10-21"
    ),
}
ASKED = [BatchRequest(f"r{number}", CompletionRequest.ask(f"question {number}")) for number in range(3)]


@pytest.fixture(params=PROVIDERS)
def provider(request):
    """Run the test with each provider that takes batches."""
    return PROVIDERS[request.param]()


@pytest.fixture
def handle(llm_sim, provider):
    """Return who answers it, within ten minutes."""
    return getattr(llm_sim, provider.name).batches(takes="10m")


def test_f025_a_batch_is_worked_off_and_read(llm_sim, handle, provider):
    """It is handed over, looked at, and its answers are found by what the requests were called."""
    handle.echoes()
    job = provider.create_batch(ASKED)
    assert (job.is_over, provider.supports_batch) == (False, True)
    with pytest.raises(InvalidRequestError, match="it has no results yet"):
        provider.get_batch_results(job.id)
    llm_sim.clock.advance(700)
    job = provider.get_batch(job.id)
    assert (job.status, job.total, job.succeeded, job.failed) == ("completed", 3, 3, 0)
    found = {each.custom_id: each for each in provider.get_batch_results(job.id)}
    assert {name: each.response.content for name, each in found.items()} == {
        f"r{number}": f"question {number}" for number in range(3)
    }
    assert {(each.outcome, each.response.provider, each.error) for each in found.values()} == {
        ("succeeded", provider.name, None)
    }
    assert [each.id for each in provider.list_batches()] == [job.id]


def test_f025_on_an_event_loop_too(llm_sim, handle, provider):
    """Each method has a twin."""
    handle.echoes()

    async def story():
        job = await provider.create_batch_async(ASKED)
        await asyncio.sleep(700)
        assert (await provider.get_batch_async(job.id)).is_over
        found = await provider.get_batch_results_async(job.id)
        listed = await provider.list_batches_async(limit=1)
        return len(found), [each.id for each in listed] == [job.id]

    assert llm_sim.run(story()) == (3, True)


def test_f025_a_request_that_fails_has_its_error(llm_sim, handle, provider):
    """A line's failure is the typed error of its kind, beside the answers of the others."""
    handle.echoes()
    handle.when(prompt_contains="question 0").fails(faults.RateLimited())
    job = provider.create_batch(ASKED)
    llm_sim.clock.advance(700)
    job = provider.get_batch(job.id)
    assert (job.total, job.succeeded, job.failed) == (3, 2, 1)
    failed = [each for each in provider.get_batch_results(job.id) if each.outcome == "failed"]
    assert [(each.custom_id, type(each.error), each.response) for each in failed] == [("r0", RateLimitedError, None)]


def test_f025_a_batch_is_called_off(llm_sim, handle, provider):
    """What was answered by then stays; the rest is cancelled, and says so."""
    handle.echoes()
    job = provider.create_batch(ASKED)
    llm_sim.clock.advance(250)
    assert provider.cancel_batch(job.id).status == "cancelling"
    llm_sim.clock.advance(60)
    assert provider.get_batch(job.id).status == "cancelled"
    outcomes = sorted(each.outcome for each in provider.get_batch_results(job.id))
    assert outcomes == ["cancelled", "cancelled", "succeeded"]


def test_f025_lists_are_read_page_by_page(llm_sim, handle, provider):
    """A list longer than a page is turned over; a limit ends it."""
    handle.echoes()
    for _ in range(3):
        provider.create_batch(ASKED[:1])
    assert len(provider.list_batches(limit=2)) == 2
    before = len(handle.requests)
    assert len({each.id for each in provider.list_batches(limit=200)}) == 3
    assert len(handle.requests) == before + 1


def test_f025_what_can_be_no_batch_is_refused(llm_sim):
    """Nothing, two of one name, a limit of nothing, and an API without batches."""
    provider = OpenAIProvider(KEY)
    with pytest.raises(ConfigurationError, match="has no requests"):
        provider.create_batch([])
    with pytest.raises(ConfigurationError, match="two requests called `r0`"):
        provider.create_batch([ASKED[0], ASKED[0]])
    with pytest.raises(ConfigurationError, match="limit must be 1 or more"):
        provider.list_batches(limit=0)
    with pytest.raises(NotSupportedError, match="`ollama` takes no batches"):
        OllamaProvider().create_batch(ASKED)
    models = [BatchRequest(name, CompletionRequest.ask("hi", model=name)) for name in ("gemini-a", "gemini-b")]
    with pytest.raises(
        ConfigurationError, match="a batch has one model here, and its requests name `gemini-a`, `gemini-b`"
    ):
        GeminiProvider(KEY).create_batch(models)
    assert llm_sim.openai.requests == ()


def test_f025_a_batch_that_is_not_there_is_an_error(llm_sim, provider):
    """The provider's own words, with its name."""
    words = "Requested entity was not found" if provider.name == "gemini" else "batch_none"
    with pytest.raises(InvalidRequestError, match=words) as error:
        provider.get_batch("batch_none")
    assert error.value.provider == provider.name
