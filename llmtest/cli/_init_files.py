"""What `llmtest init` writes: a first test, a scenario, and settings; each is complete and passes as it is."""

from __future__ import annotations

__all__ = ["SCENARIO", "first_test", "settings"]

_DOC = '''"""A first test with llmtest: the provider fails twice, and the code gets its answer all the same.

No key, no network, no cost; the minute of waiting takes no time. Call your own code where `ask` is called.
"""

'''

_OPENAI = '''from llmtest import faults
from openai import OpenAI


def ask(question: str) -> str:
    """Stand for your own code."""
    client = OpenAI()
    answer = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": question}])
    return answer.choices[0].message.content or ""


def test_survives_a_rate_limit(llm_sim):
    llm_sim.openai.fails(faults.RateLimited(retry_after=30), times=2).replies("Paris")

    assert ask("Capital of France?") == "Paris"

    llm_sim.assert_sequence("openai:429", "openai:429", "openai:200")
    assert llm_sim.clock.elapsed() == 60.0  # virtual seconds
'''

_ANTHROPIC = '''from anthropic import Anthropic
from llmtest import faults


def ask(question: str) -> str:
    """Stand for your own code."""
    client = Anthropic()
    messages = [{"role": "user", "content": question}]
    answer = client.messages.create(model="claude-opus-5", max_tokens=100, messages=messages)
    return "".join(block.text for block in answer.content if block.type == "text")


def test_survives_a_rate_limit(llm_sim):
    llm_sim.anthropic.fails(faults.RateLimited(retry_after=30), times=2).replies("Paris")

    assert ask("Capital of France?") == "Paris"

    llm_sim.assert_sequence("anthropic:429", "anthropic:429", "anthropic:200")
    assert llm_sim.clock.elapsed() == 60.0  # virtual seconds
'''

_GOOGLE = '''from google import genai
from google.genai import types
from llmtest import faults


def ask(question: str) -> str:
    """Stand for your own code."""
    retries = types.HttpRetryOptions(attempts=3)
    client = genai.Client(http_options=types.HttpOptions(retry_options=retries))
    return client.models.generate_content(model="gemini-2.5-flash", contents=question).text or ""


def test_survives_an_outage(llm_sim):
    llm_sim.gemini.fails(faults.ServerError(503), times=2).replies("Paris")

    assert ask("Capital of France?") == "Paris"

    llm_sim.assert_sequence("gemini:503", "gemini:503", "gemini:200")
'''

_PLAIN = '''import time

import httpx2
from llmtest import faults


def ask(question: str) -> str:
    """Stand for your own code."""
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": question}]}
    for _ in range(3):
        answer = httpx2.post("https://api.openai.com/v1/chat/completions", json=body)
        if answer.status_code == 429:
            time.sleep(float(answer.headers["retry-after"]))
            continue
        return answer.raise_for_status().json()["choices"][0]["message"]["content"]
    raise RuntimeError("no answer")


def test_survives_a_rate_limit(llm_sim):
    llm_sim.openai.fails(faults.RateLimited(retry_after=30), times=2).replies("Paris")

    assert ask("Capital of France?") == "Paris"

    llm_sim.assert_sequence("openai:429", "openai:429", "openai:200")
    assert llm_sim.clock.elapsed() == 60.0  # virtual seconds
'''

_BY_SDK = {"openai": _OPENAI, "anthropic": _ANTHROPIC, "google.genai": _GOOGLE}

SCENARIO = """\
# Ten minutes of traffic; the first provider is down for two of them.
# Run it: llmtest simulate scenarios/first_outage.yaml
version: 1
name: first outage
seed: 7

providers:
  openai: {model: gpt-4o}
  anthropic: {model: claude-opus-5}

chain:
  retry: {max_attempts: 2}
  circuit_breaker: {failure_threshold: 3, cooldown_secs: 30}
  providers:
    - {provider: openai}
    - {provider: anthropic, trigger: any_error}

load: {rate: 1/s, duration: 10m}

faults:
  - name: outage
    at: 2m
    for: 2m
    where: {provider: openai}
    what: {server_error: {status: 503}}

expect:
  availability: ">= 99.9%"
  fallbacks: ">= 1"
  breaker.openai: [closed, open, half_open, closed]
"""


def first_test(sdk: str | None) -> str:
    """Return the text of a first test.

    Args:
        sdk: Module of the SDK that it calls; any other gets a client of httpx2, which is always there.
    """
    return _DOC + _BY_SDK.get(sdk or "", _PLAIN)


def settings(scenarios: str, *, dummy_keys: bool, block_network: bool, toml: bool) -> str:
    """Return a section of settings.

    Args:
        scenarios: Files to collect as tests.
        dummy_keys: Whether clients are made at import, which needs keys while tests are collected.
        block_network: Whether no other test can be hurt by refusing live requests.
        toml: Whether it is for `pyproject.toml`; else for `pytest.ini`.
    """
    lines = [
        "[tool.pytest.ini_options]" if toml else "[pytest]",
        f'llmtest_scenarios = ["{scenarios}"]' if toml else f"llmtest_scenarios = {scenarios}",
    ]
    if dummy_keys:
        lines.append("llmtest_dummy_keys = true")
    lines.append("llmtest_block_network = true" if block_network else "# llmtest_block_network = true")
    return "\n".join(lines) + "\n"
