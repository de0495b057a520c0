"""Which libraries are answered in process, and whether refusals list just those."""

import asyncio
import http.client
import json
import re
import socket

import aiohttp
import httpx
import httpx2
import pytest
import requests
import urllib3

from llmtest import Simulation
from llmtest.errors import NetworkBlockedError

transports = pytest.importorskip("lm15.transports")
URL = "https://api.openai.com/v1/chat/completions"
JSON = {"content-type": "application/json"}
BODY = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}).encode()


def by_aiohttp():
    """Send by aiohttp."""

    async def main():
        async with aiohttp.ClientSession() as session, session.post(URL, data=BODY, headers=JSON) as answer:
            return await answer.read()

    return asyncio.run(main())


def by_http_client():
    """Send by the standard library."""
    connection = http.client.HTTPSConnection("api.openai.com")
    connection.request("POST", "/v1/chat/completions", BODY, JSON)
    return connection.getresponse().read()


def by_lm15():
    """Send by lm15."""
    with transports.StdlibTransport() as transport:
        return transport.stream(transports.TransportRequest("POST", URL, list(JSON.items()), BODY)).read()


SENDERS = {
    "httpx": lambda: httpx.post(URL, content=BODY, headers=JSON).content,
    "httpx2": lambda: httpx2.post(URL, content=BODY, headers=JSON).content,
    "aiohttp": by_aiohttp,
    "requests": lambda: requests.post(URL, data=BODY, headers=JSON, timeout=9).content,
    "urllib3": lambda: urllib3.PoolManager().request("POST", URL, body=BODY, headers=JSON).data,
    "http.client": by_http_client,
    "lm15": by_lm15,
}
"""A way to send by each."""


def listed():
    """Return the libraries that the text of a refused connection lists."""
    with pytest.raises(NetworkBlockedError) as caught, Simulation():
        socket.getaddrinfo("api.openai.com", 443)
    text = re.search(r"answered in process are requests of (.+)", str(caught.value)).group(1)
    return text.replace(" and ", ", ").split(", ")


def test_a_refusal_lists_each_library_that_is_answered():
    """No other, and each once."""
    assert listed() == list(SENDERS)


@pytest.mark.parametrize("library", SENDERS)
def test_each_library_of_the_list_is_answered(llm_sim, library):
    """A request of it reaches the simulated provider."""
    llm_sim.openai.replies("Paris.")
    assert json.loads(SENDERS[library]())["choices"][0]["message"]["content"] == "Paris."
