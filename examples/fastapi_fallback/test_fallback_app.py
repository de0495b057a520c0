"""What the app promises when its providers fail."""

import openai
import pytest
from fallback_app import app
from fastapi.testclient import TestClient

from llmtest import faults

UNAVAILABLE = [
    faults.ServerError(500),
    faults.Overloaded(),
    faults.ConnectionRefused(),
    faults.ConnectionReset(),
    faults.Timeout(),
]


@pytest.fixture
def client(llm_sim):
    """Return a client of the running app; its lifespan begins and ends inside the simulated world."""
    with TestClient(app) as client:
        yield client


def ask(client, text="Capital of France?"):
    """Ask a question and return the app's response."""
    return client.post("/ask", json={"text": text})


def test_openai_answers(llm_sim, client):
    """Where nothing is wrong only OpenAI is asked, once."""
    llm_sim.openai.replies("Paris")

    response = ask(client)

    assert (response.status_code, response.json()) == (200, {"text": "Paris", "provider": "openai"})
    llm_sim.assert_sequence("openai:200")
    assert llm_sim.openai.requests[0].request.messages[0].text == "Capital of France?"


def test_a_short_rate_limit_is_waited_for(llm_sim, client):
    """The SDK obeys `Retry-After`; nobody falls back."""
    llm_sim.openai.fails(faults.RateLimited(retry_after=20)).replies("Paris")

    assert ask(client).json()["provider"] == "openai"
    llm_sim.assert_sequence("openai:429", "openai:200")
    llm_sim.assert_waited(at_least=20)
    llm_sim.assert_resilient()


@pytest.mark.parametrize("fault", UNAVAILABLE)
def test_anthropic_answers_where_openai_cannot(llm_sim, client, fault):
    """An outage of any kind is answered by Anthropic, after OpenAI was tried three times."""
    llm_sim.openai.fails(fault, times=3)
    llm_sim.anthropic.replies("Paris")

    assert ask(client).json() == {"text": "Paris", "provider": "anthropic"}
    llm_sim.assert_fallback("openai", "anthropic", because=fault)
    llm_sim.assert_attempts("openai", 3)


def test_an_empty_account_is_an_outage(llm_sim, client):
    """An account without credit is answered with a 429, like a rate limit, and falls back."""
    llm_sim.openai.fails(faults.QuotaExceeded(), times=None)
    llm_sim.anthropic.replies("Paris")

    assert ask(client).json()["provider"] == "anthropic"


def test_silence_costs_seconds(llm_sim, client):
    """A provider that never answers is left within 40 seconds, not after the SDK's half an hour."""
    llm_sim.openai.fails(faults.Timeout(), times=3)
    llm_sim.anthropic.replies("Paris")

    ask(client)

    llm_sim.assert_waited(at_most=40)


@pytest.mark.parametrize("fault", [faults.InvalidRequest(), faults.ContextLengthExceeded(), faults.ContentFiltered()])
def test_a_wrong_request_goes_nowhere_else(llm_sim, client, fault):
    """What OpenAI refuses for good is a 400 for the caller; Anthropic is not asked."""
    llm_sim.openai.fails(fault)

    assert ask(client).status_code == 400
    llm_sim.assert_attempts("openai", 1)
    llm_sim.assert_no_fallback()


def test_a_refused_key_does_not_hide_behind_the_fallback(llm_sim, client):
    """A wrong key is an error of ours: it is raised, so that somebody is told."""
    llm_sim.openai.fails(faults.AuthenticationFailed())

    with pytest.raises(openai.AuthenticationError):
        ask(client)
    llm_sim.assert_no_fallback()


def test_two_outages_are_a_503(llm_sim, client):
    """Where nobody can answer the caller is told when to come back."""
    llm_sim.openai.fails(faults.ServerError(503), times=3)
    llm_sim.anthropic.fails(faults.Overloaded(), times=2)

    response = ask(client)

    assert (response.status_code, response.headers["retry-after"]) == (503, "30")
    llm_sim.assert_sequence("openai:503", "openai:503", "openai:503", "anthropic:529", "anthropic:529")


def test_an_empty_question_asks_nobody(llm_sim, client):
    """What FastAPI refuses never reaches a provider."""
    assert ask(client, "").status_code == 422
    assert llm_sim.openai.requests == ()


@pytest.mark.llm_budget(usd="0.001")
def test_an_answer_is_cheap(llm_sim, client):
    """A short question costs less than a tenth of a cent."""
    llm_sim.openai.replies("Paris")

    ask(client)
