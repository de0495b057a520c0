"""The fixture `llm_server` under an application in Node: its script, its faults, its assertions."""

import pytest

from llmtest import faults
from tests.node.node_process import Node, require

require("openai", "@anthropic-ai/sdk")
pytestmark = pytest.mark.slow


@pytest.fixture
def app(llm_server):
    """A Node process whose SDKs know of us by their environment alone."""
    app = Node(environment=llm_server.environment)
    yield app
    assert app.stop() == 0


def test_the_environment_sends_the_sdks_to_the_fixture(llm_server, app):
    """No word about the server in the application's code; the fixture sees what it did."""
    llm_server.openai.replies("Paris")
    llm_server.anthropic.replies("Paris too")
    assert app.value("chat")["choices"][0]["message"]["content"] == "Paris"
    assert app.value("message")["content"][0]["text"] == "Paris too"
    llm_server.assert_sequence("openai/gpt-4o:200", "anthropic/claude-sonnet-4-6:200")
    assert llm_server.openai.requests[0].headers["user-agent"].startswith("OpenAI/JS ")


def test_the_patience_of_an_application_is_asserted(llm_server, app):
    """Its SDK retries as we told it to, and the log has every attempt."""
    llm_server.openai.fails(faults.Overloaded(retry_after=0.01), times=2).replies("Paris")
    assert app.value("chat")["choices"][0]["message"]["content"] == "Paris"
    llm_server.assert_sequence("openai:503", "openai:503", "openai:200")
    llm_server.assert_attempts("openai", exactly=3)


def test_a_request_without_a_step_is_asked_once(llm_server, app):
    """The SDK is told that asking again changes nothing; a test that does not expect it fails at its end."""
    llm_server.openai.replies("Paris")
    app.value("chat")
    told = app.call("chat")
    assert told["requests"] == 1
    assert told["error"]["classes"][0] == "InternalServerError"
    assert "UnscriptedRequestError" in told["error"]["message"]
    (error,) = llm_server.world.harness_errors
    assert str(error).startswith("`openai` received a request that its script has no step for")
    llm_server.world.harness_errors.clear()
