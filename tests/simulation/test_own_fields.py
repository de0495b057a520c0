"""Each provider says what it says itself, and nothing that belongs to another."""

import json

import httpx
import openai
import pytest

from llmtest import Simulation

OWN = {"service_tier", "system_fingerprint"}
OTHERS = {"ollama": "fp_ollama"}
"""Whose fingerprint is whose."""
ASKED = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
ADDRESSES = {
    "openai": "https://api.openai.com/v1",
    "ollama": "http://localhost:11434/v1",
    "openrouter": "https://openrouter.ai/api/v1",
    "groq": "https://api.groq.com/openai/v1",
}


@pytest.mark.parametrize("name", list(ADDRESSES))
def test_e14_what_belongs_to_openai_is_said_by_openai_alone(name):
    """Tier, padding and fingerprint are OpenAI's; who only speaks alike has at most a fingerprint of its own."""
    with Simulation() as sim:
        handle = sim.provider(name, base_url=ADDRESSES[name]).echoes()
        whole = httpx.post(f"{ADDRESSES[name]}/chat/completions", json=ASKED)
        streamed = httpx.post(f"{ADDRESSES[name]}/chat/completions", json={**ASKED, "stream": True})
        chunk = json.loads(streamed.text.splitlines()[0].removeprefix("data: "))
        is_openai = name == "openai"
        answer = whole.json()
        if not is_openai:
            assert [told.pop("system_fingerprint", None) for told in (answer, chunk)] == [OTHERS.get(name)] * 2
        assert (OWN & answer.keys() == OWN) == is_openai
        assert (OWN | {"obfuscation"} <= chunk.keys()) == is_openai
        assert is_openai or not (OWN | {"obfuscation"}) & (answer.keys() | chunk.keys())
        assert ("openai-organization" in whole.headers) == is_openai
        assert handle.dialect == name


def test_e29_vectors_of_who_speaks_alike_have_an_id():
    """Mistral's SDK reads an id and a time in an answer of vectors; OpenAI sends neither."""
    with Simulation() as sim:
        sim.provider("mistral", base_url="https://api.mistral.ai/v1")
        mine = httpx.post("https://api.mistral.ai/v1/embeddings", json={"model": "mistral-embed", "input": ["a"]})
        assert mine.json()["id"].startswith("embd-")
        theirs = httpx.post("https://api.openai.com/v1/embeddings", json={"model": "e", "input": ["a"]})
        assert "id" not in theirs.json()


def test_a_provider_of_any_name_speaks_what_it_is_told():
    """A dialect that is named is spoken whole, its own fields included."""
    with Simulation() as sim:
        sim.provider("openai-eu", dialect="openai", base_url="https://eu.example.com/v1").echoes()
        client = openai.OpenAI(api_key="k", base_url="https://eu.example.com/v1")
        answer = client.chat.completions.create(model="gpt-4o", messages=ASKED["messages"])
        assert answer.system_fingerprint == "fp_llmtest"
