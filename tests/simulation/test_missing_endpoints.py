"""Endpoints that are missing on purpose, and other mocks beside a simulation: what the texts say is what works."""

import httpx
import httpx2
import openai
import pytest
import respx

from llmtest import Simulation, faults
from llmtest.errors import ConfigurationError, NetworkBlockedError, SimulationStateError

PATH = "/v1/evals"


def ask(client):
    """Ask for something that nobody simulates, as a framework does that has a way around it."""
    return client.post(PATH.removeprefix("/v1"), cast_to=object, body={})


def test_t31_an_endpoint_can_be_said_to_be_missing():
    """`fails(status=404)` answers as the API answers for what it does not have, and the code can catch it."""
    with Simulation() as sim:
        sim.openai.on("POST", PATH).fails(status=404)
        client = openai.OpenAI(max_retries=0)
        with pytest.raises(openai.NotFoundError) as caught:
            ask(client)
        sim.assert_sequence("openai:404")
    assert caught.value.body["message"] == f"Invalid URL (POST {PATH})"
    assert "does not exist" not in str(caught.value)


def test_t31_the_text_of_a_missing_endpoint_offers_that():
    """The line is taken as it stands."""
    with pytest.raises(SimulationStateError) as caught, Simulation():
        ask(openai.OpenAI(max_retries=0))
    (line,) = (line for line in str(caught.value).split("\n") if "let it be missing" in line)
    code = line.partition("expect: ")[2]
    assert code == f'llm_sim.openai.on("POST", "{PATH}").fails(status=404)'
    with Simulation() as llm_sim:
        eval(code, {"llm_sim": llm_sim})
        with pytest.raises(openai.NotFoundError):
            ask(openai.OpenAI(max_retries=0))


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (403, openai.PermissionDeniedError),
        (404, openai.NotFoundError),
        (409, openai.ConflictError),
        (413, openai.APIStatusError),
        (422, openai.UnprocessableEntityError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
    ],
)
def test_t31_a_failure_can_be_said_by_its_status(status, error):
    """The fault of that status, in the words of the API."""
    with Simulation() as sim:
        sim.openai.fails(status=status, times=1)
        with pytest.raises(error) as caught:
            openai.OpenAI(max_retries=0).chat.completions.create(
                model="gpt-4o", messages=[{"role": "user", "content": "Hi"}]
            )
    assert caught.value.status_code == status


@pytest.mark.parametrize("arguments", [{"status": 200}, {"status": 418}, {"status": "404"}])
def test_t31_a_status_that_is_no_failure_is_refused(arguments):
    """The text lists those that are."""
    with (
        Simulation() as sim,
        pytest.raises(ConfigurationError, match=r"^no fault answers with status=.*\nStatuses: 400, "),
    ):
        sim.openai.fails(**arguments)


def test_t31_a_fault_and_a_status_are_two_things():
    """One of them is left out."""
    with Simulation() as sim, pytest.raises(ConfigurationError, match=r"say two different things"):
        sim.openai.fails(faults.RateLimited(), status=429)


def test_t19_the_host_of_a_provider_that_is_allowed_answers_itself():
    """As the text of an endpoint that is not simulated advises; what the simulation answered before goes there too."""
    with respx.mock, Simulation() as llm_sim:
        respx.post(f"https://api.openai.com{PATH}").respond(json={"from": "elsewhere"})
        with pytest.raises(SimulationStateError) as caught:
            httpx.post(f"https://api.openai.com{PATH}", json={})
        llm_sim.world.harness_errors.clear()
        code = str(caught.value).partition("let the host answer itself: ")[2].partition("   (")[0]
        eval(code, {"llm_sim": llm_sim})
        assert httpx.post(f"https://api.openai.com{PATH}", json={}).json() == {"from": "elsewhere"}
        assert llm_sim.openai.received == 1


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_t29_a_request_that_respx_would_answer_says_how(library):
    """Routes of respx are behind the simulation: the first way out lets the request pass to them."""
    with respx.mock, Simulation() as sim:
        respx.get("https://weather.example.com/").respond(text="rain")
        with pytest.raises(NetworkBlockedError) as caught:
            library.get("https://weather.example.com/")
        sim.world.harness_errors.clear()
        way = str(caught.value).partition("To fix, one of:\n  1. ")[2].partition("\n")[0]
        assert way == 'let respx answer it, past the simulation: llm_sim.allow("weather.example.com")'
        eval(way.partition(": ")[2], {"llm_sim": sim})
        if library is httpx:
            assert library.get("https://weather.example.com/").text == "rain"


def test_t29_without_respx_nothing_is_said_of_it():
    """A library that is imported and does nothing has no part in it."""
    with pytest.raises(NetworkBlockedError) as caught, Simulation():
        httpx.get("https://weather.example.com/")
    assert "let respx" not in str(caught.value)
