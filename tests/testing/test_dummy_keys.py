"""API keys during a simulation: missing ones are dummies for as long as it runs, and no longer."""

import os

from llmtest import Simulation


def test_a_missing_key_is_missing_again_afterwards(monkeypatch):
    """A key that was not there is a dummy inside, and gone afterwards."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with Simulation():
        assert os.environ["OPENAI_API_KEY"]
    assert "OPENAI_API_KEY" not in os.environ


def test_an_empty_key_is_empty_again_afterwards(monkeypatch):
    """A key that is set to nothing counts as missing, and is put back as it was."""
    monkeypatch.setenv("OPENAI_API_KEY", "")
    with Simulation():
        assert os.environ["OPENAI_API_KEY"]
    assert os.environ["OPENAI_API_KEY"] == ""


def test_a_key_that_is_set_meanwhile_stays(monkeypatch):
    """What the code under test puts in place of the dummy is not taken away."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with Simulation():
        monkeypatch.setenv("OPENAI_API_KEY", "sk-mine")
    assert os.environ["OPENAI_API_KEY"] == "sk-mine"


def test_a_real_key_is_never_touched(monkeypatch):
    """A key that is there is the one the code under test sees."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-real")
    with Simulation():
        assert os.environ["OPENAI_API_KEY"] == "sk-real"
