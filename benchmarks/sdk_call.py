"""What the simulation adds to a call of an official SDK, measured in one run.

Run `python benchmarks/sdk_call.py [--short]`. Each row makes the same call twice: on a bare `httpx2.MockTransport` that
hands out fixed bytes, and through a running simulation, which decodes the request, plays its script, writes the answer
in the provider's dialect, prices it and records the trace. Both run in virtual time, and in turns of a few calls. What
counts is the fastest call of each: on a machine that others use as well, any other figure (a mean, even a low quantile)
says more about them. Collections of garbage are not in it; a call adds about 20 objects to be collected.

Bar (design section 4): at most 1.10 times the bare call.
"""

import argparse
import asyncio
import gc
from collections.abc import Callable, Sequence
from time import process_time
from typing import Any

import anthropic
import httpx2
import openai

from llmtest import Simulation
from llmtest.clock import run_blocking

MOST = 1.10
WARM, CALLS, TURNS = 2, 8, 20
"""Calls of a turn that do not count, the other side having emptied the processor's caches, those that do, and turns."""

NOTABLE = 0.997
"""A round that makes the best call faster by less than that did not improve it."""

MOST_ROUNDS = 100

MESSAGES: list[Any] = [{"role": "user", "content": "Capital of France?"}]
KEY = "benchmark"


def ask_openai(client: Any) -> Any:
    """Call the chat endpoint of either client of openai."""
    return client.chat.completions.create(model="gpt-4o", messages=MESSAGES)


def ask_anthropic(client: Any) -> Any:
    """Call the messages endpoint of either client of anthropic."""
    return client.messages.create(model="claude-sonnet-4-6", max_tokens=50, messages=MESSAGES)


ROWS: list[tuple[str, bool, Callable[..., Any], Callable[[Any], Any]]] = [
    ("openai", False, openai.OpenAI, ask_openai),
    ("openai", True, openai.AsyncOpenAI, ask_openai),
    ("anthropic", False, anthropic.Anthropic, ask_anthropic),
    ("anthropic", True, anthropic.AsyncAnthropic, ask_anthropic),
]


def recorded(provider: str) -> tuple[dict[str, str], bytes]:
    """Return the head and body that the simulation itself answers with: both sides decode the same bytes."""
    places: dict[str, tuple[str, dict[str, Any]]] = {
        "openai": ("https://api.openai.com/v1/chat/completions", {"model": "gpt-4o"}),
        "anthropic": ("https://api.anthropic.com/v1/messages", {"model": "claude-sonnet-4-6", "max_tokens": 50}),
    }
    url, body = places[provider]
    with Simulation(strict=False) as sim:
        sim.provider(provider).replies("Paris", times=None)
        response = httpx2.post(url, json={**body, "messages": MESSAGES}, headers={"authorization": f"Bearer {KEY}"})
    assert response.status_code == 200, response.text
    return dict(response.headers), response.content


def bare_client(make: Callable[..., Any], provider: str, *, wait: bool) -> Any:
    """Return an SDK client on a mock transport."""
    headers, body = recorded(provider)
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, headers=headers, content=body))
    http: Any = httpx2.AsyncClient(transport=transport) if wait else httpx2.Client(transport=transport)
    return make(api_key=KEY, http_client=http)


async def take_turns(clients: Sequence[Any], ask: Callable[[Any], Any], best: list[float], *, wait: bool) -> None:
    """Let both clients make a few calls each, in turn, and keep the CPU seconds of the fastest call of each."""
    for number in range(TURNS):
        for index in (0, 1) if number % 2 else (1, 0):
            client = clients[index]
            for call in range(WARM + CALLS):
                start = process_time()
                answer = ask(client)
                if wait:
                    await answer
                spent = process_time() - start
                if call >= WARM and spent < best[index]:
                    best[index] = spent


def measure(provider: str, make: Callable[..., Any], ask: Any, rounds: int, *, wait: bool) -> list[float]:
    """Return the seconds of the fastest call, bare and simulated; measures until rounds in a row improve neither."""
    clients = [bare_client(make, provider, wait=wait), make(api_key=KEY)]
    best = [float("inf"), float("inf")]
    idle = 0
    for _ in range(MOST_ROUNDS):
        known = list(best)
        with Simulation(strict=False) as sim:
            sim.provider(provider).replies("Paris", times=None)
            gc.collect()
            turns = take_turns(clients, ask, best, wait=wait)
            if wait:
                asyncio.run(turns)
            else:
                run_blocking(turns)
        improved = any(new < NOTABLE * old for new, old in zip(best, known, strict=True))
        idle = 0 if improved else idle + 1
        if idle == rounds:
            break
    return best


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="give up sooner, for CI")
    rounds = 4 if parser.parse_args().short else 12
    print(f"{'one call':<22}{'bare µs':>10}{'simulated µs':>14}{'ratio':>8}   bar {MOST:.2f}")
    for provider, wait, make, ask in ROWS:
        bare, simulated = measure(provider, make, ask, rounds, wait=wait)
        ratio = simulated / bare
        verdict = "ok" if ratio <= MOST else "ABOVE"
        name = f"{provider}, {'async' if wait else 'sync'}"
        print(f"{name:<22}{bare * 1e6:>10.0f}{simulated * 1e6:>14.0f}{ratio:>8.2f}   {verdict}")


if __name__ == "__main__":
    main()
