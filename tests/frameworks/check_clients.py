"""Run in an environment of `environments/`, by `.ci/run frameworks`: each client works, and fails as its row says.

`LLMTEST_FRAMEWORKS=current python -m pytest -c /dev/null --rootdir=. --noconftest tests/frameworks/check_clients.py`
With `LLMTEST_FRAMEWORKS_WRITE=1` the rows are written anew.
"""

import importlib
import os
import pkgutil
import warnings
from contextlib import suppress

import pydantic
import pytest

from llmtest import Simulation
from llmtest.errors import HarnessError, VirtualTimeStalledError
from tests.frameworks import clients
from tests.frameworks._behaviour import SITUATIONS, read_rows, write_row
from tests.frameworks._client import Client

ENVIRONMENT = os.environ["LLMTEST_FRAMEWORKS"]
WRITES = "LLMTEST_FRAMEWORKS_WRITE" in os.environ
warnings.simplefilter("ignore")  # the libraries' own, about each other


def clients_here():
    """Return the clients of this environment, by name."""
    package = importlib.import_module(f"{clients.__name__}.{ENVIRONMENT}")
    files = [
        importlib.import_module(f"{package.__name__}.{each.name}") for each in pkgutil.iter_modules(package.__path__)
    ]
    return {
        name: each
        for file in files
        for name, each in vars(file).items()
        if isinstance(each, type) and issubclass(each, Client) and each.__module__ == file.__name__ and name[0] != "_"
    }


CLIENTS = clients_here()


def those_who(ability):
    """Return a parameter of those clients that can do something."""
    return pytest.mark.parametrize("name", [name for name, each in CLIENTS.items() if each.can(ability)])


def rows_here():
    """Return each client with each situation that it can come into."""
    return [
        (name, each) for name, client in CLIENTS.items() for each, (act, _) in SITUATIONS.items() if client.can(act)
    ]


class Capital(pydantic.BaseModel):
    """What an answer is to be."""

    city: str
    inhabitants: int


@pytest.mark.parametrize("name", CLIENTS)
def test_it_reads_an_answer(name, llm_sim):
    """The text of the answer is what was scripted."""
    client = CLIENTS[name]()
    getattr(llm_sim, client.provider).replies("It is Paris.")
    assert client.ask("What is the capital of France?") == "It is Paris."


@those_who("stream")
def test_it_reads_a_stream(name, llm_sim):
    """The pieces of the answer are what was scripted, however the network cuts them."""
    client = CLIENTS[name]()
    handle = getattr(llm_sim, client.provider).fragmentation("random")
    handle.replies(client.streamed("It is Paris, naïvely."))
    assert client.stream("What is the capital of France?") == "It is Paris, naïvely."


@those_who("use_tool")
def test_it_calls_a_tool(name, llm_sim):
    """It calls the tool with the arguments that were scripted, and sends the result back."""
    client = CLIENTS[name]()
    handle = getattr(llm_sim, client.provider)
    client.script_tool(handle)
    assert client.use_tool("How is the weather in Paris?") == "Take no umbrella."
    assert "sunny in Paris" in str(handle.requests[-1].body)


@those_who("fill")
def test_it_fills_a_form(name, llm_sim):
    """An object is made of a generated answer that is valid against the schema it sends."""
    client = CLIENTS[name]()
    getattr(llm_sim, client.provider).generates()
    found = client.fill("What is the capital of France?", Capital)
    assert isinstance(found, Capital)


@pytest.mark.parametrize(("name", "situation"), rows_here())
def test_it_fails_as_its_row_says(name, situation):
    """The class of the error, how often it asked, and how long it took are those of the table."""
    client = CLIENTS[name]()
    act, fault = SITUATIONS[situation]
    row = see(client, act, fault)
    if WRITES:
        write_row(ENVIRONMENT, name, situation, row)
    assert row == read_rows(ENVIRONMENT)[name][situation]


def see(client, act, fault):
    """Return how a client fails that meets nothing but a fault, after how many requests and virtual seconds."""
    row = []
    with suppress(VirtualTimeStalledError), Simulation(strict=False) as sim:
        handle = getattr(sim, client.provider)
        handle.fails(fault, times=None)
        try:
            getattr(client, act)("What is the capital of France?")
            outcome = "no error"
        except VirtualTimeStalledError:
            outcome = "waits for ever"
        except HarnessError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever the library makes of it
            outcome = f"{type(error).__module__.partition('.')[0]}.{type(error).__qualname__}"
        row = [outcome, len(handle.requests), round(sim.clock.elapsed(), 3)]
    return row
