"""Web pages: an app in a browser may ask the providers, and no page may look into the control plane."""

import httpx2
import pytest

from llmtest import Json, faults

CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}
PAGE = {"origin": "http://localhost:3000"}
ASKS = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type,x-stainless-lang",
}


@pytest.fixture
def client(llm_server):
    """Return a client of a server that echoes."""
    llm_server.openai.echoes()
    with httpx2.Client(base_url=llm_server.base_url, headers=PAGE) as found:
        yield found


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/vllm/v1/models", "/nowhere"])
def test_a_browser_may_send_what_it_asks_for(llm_server, client, path):
    """A preflight is allowed its method and its headers, and reaches no provider."""
    answer = client.options(path, headers=ASKS)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-allow-methods"] == "POST"
    assert answer.headers["access-control-allow-headers"] == ASKS["access-control-request-headers"]
    assert "access-control-allow-private-network" not in answer.headers
    assert not len(llm_server.trace)


def test_a_page_of_a_public_site_may_reach_this_machine(client):
    """Browsers that ask before they reach into a private network get their permission."""
    answer = client.options("/v1/messages", headers={**ASKS, "access-control-request-private-network": "true"})
    assert answer.headers["access-control-allow-private-network"] == "true"


@pytest.mark.parametrize("stream", [False, True])
def test_a_page_may_read_an_answer(llm_server, client, stream):
    """Answers, whole or streamed, are open to every page that asked, with their headers."""
    answer = client.post("/v1/chat/completions", json={**CHAT, "stream": stream})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-expose-headers"] == "*"
    assert "Hi" in answer.text
    llm_server.assert_sequence("openai:200")


def test_a_page_may_read_a_refusal(llm_server, client):
    """Faults, bad requests and unknown paths are open as well, else a page could not tell them from an outage."""
    llm_server.openai.fails(faults.RateLimited(retry_after=1))
    llm_server.openai.on("POST", "/nowhere").replies(Json({}, status=404))
    for path, status in (("/v1/chat/completions", 429), ("/v1/messages", 400), ("/nowhere", 404)):
        answer = client.post(path, json=CHAT)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (status, "*")


def test_a_page_may_read_that_a_body_is_too_large(client):
    """So is the refusal of a body over the limit."""
    answer = client.post("/v1/messages", content=b" " * (32 * 1024 * 1024 + 1))
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (413, "*")


def test_who_is_no_page_gets_no_such_header(llm_server):
    """An answer to anybody else has the provider's own headers only."""
    llm_server.openai.echoes()
    answer = httpx2.post(f"{llm_server.base_url}/v1/chat/completions", json=CHAT)
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_no_page_sees_the_control_plane(client):
    """What the providers saw is kept from pages, and a preflight to the control plane is refused."""
    assert "access-control-allow-origin" not in client.get("/_llmtest/requests").headers
    answer = client.options("/_llmtest/script", headers=ASKS)
    assert answer.status_code == 405
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("endpoint", ["script", "reset"])
def test_no_page_changes_what_providers_say(llm_server, client, endpoint):
    """A page may post plain text without asking first; the control plane refuses it, and says who may."""
    answer = client.post(f"/_llmtest/{endpoint}", content=b"openai: [{replies: Rome}]")
    assert answer.status_code == 403
    assert answer.json()["error"]["message"] == (
        "a web page may not change what the providers say. To fix: ask from the test itself, without the header "
        "`Origin`."
    )
    assert client.post("/v1/chat/completions", json=CHAT).json()["choices"][0]["message"]["content"] == "Hi"
