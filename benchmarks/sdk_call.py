"""What the simulation adds to a call of an official SDK, measured in one run.

Run `python benchmarks/sdk_call.py [--short]`. Each row makes the same call twice: on a bare `httpx2.MockTransport` that
hands out fixed bytes, and through a running simulation, which decodes the request, plays its script, writes the answer
in the provider's dialect, prices it and records the trace. Both run in virtual time and take turns, so that the
machine's mood hits both; the ratio is that of the best rounds.

Bar (design section 4): at most 1.10 times the bare call.
"""

import argparse
import asyncio
import gc
from collections.abc import Awaitable, Callable
from time import process_time
from typing import Any

import anthropic
import httpx2
import openai

from llmtest import Simulation

MOST = 1.10
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


def seconds(client: Any, ask: Callable[[Any], Any], calls: int, *, wait: bool) -> float:
    """Return CPU seconds per call, on a virtual loop where the client is asynchronous."""

    async def asynchronously() -> float:
        start = process_time()
        for _ in range(calls):
            waiting: Awaitable[Any] = ask(client)
            await waiting
        return process_time() - start

    if wait:
        return asyncio.run(asynchronously()) / calls
    start = process_time()
    for _ in range(calls):
        ask(client)
    return (process_time() - start) / calls


def measure(provider: str, make: Callable[..., Any], ask: Any, calls: int, rounds: int, *, wait: bool) -> list[float]:
    """Return the best seconds per call, bare and simulated."""
    bare, simulated = bare_client(make, provider, wait=wait), make(api_key=KEY)
    best = [float("inf"), float("inf")]
    for number in range(rounds + 1):
        with Simulation(strict=False) as sim:
            sim.provider(provider).replies("Paris", times=None)
            gc.collect()
            for index, client in enumerate((bare, simulated)):
                spent = seconds(client, ask, calls, wait=wait)
                if number:  # the first round warms up
                    best[index] = min(best[index], spent)
    return best


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="fewer calls, for CI; figures are rougher")
    calls, rounds = (100, 5) if parser.parse_args().short else (300, 15)
    print(f"{'one call':<22}{'bare µs':>10}{'simulated µs':>14}{'ratio':>8}   bar {MOST:.2f}")
    for provider, wait, make, ask in ROWS:
        bare, simulated = measure(provider, make, ask, calls, rounds, wait=wait)
        ratio = simulated / bare
        verdict = "ok" if ratio <= MOST else "ABOVE"
        name = f"{provider}, {'async' if wait else 'sync'}"
        print(f"{name:<22}{bare * 1e6:>10.0f}{simulated * 1e6:>14.0f}{ratio:>8.2f}   {verdict}")


if __name__ == "__main__":
    main()
