"""What google-auth asks the machine that it runs on is answered in process, so that clients find credentials."""

import importlib
import json
import urllib.request

import anthropic
import pytest

from llmtest import Simulation
from llmtest.errors import NetworkBlockedError
from llmtest.events import TelemetryKept
from llmtest.interception._google_credentials import is_for_credentials

MODEL = "claude-sonnet-4-5@20250929"
ASKED = [{"role": "user", "content": "hi"}]
MACHINE = "http://metadata.google.internal/computeMetadata/v1"


@pytest.fixture(autouse=True)
def _no_credentials(monkeypatch, tmp_path):
    """Let nothing of this machine be found."""
    importlib.import_module("google.auth.compute_engine")
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT", "NO_GCE_CHECK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))


def test_p13_a_client_without_a_token_finds_one():
    """Blocking: the whole way through google-auth, with a token that is a dummy; each question is in the trace."""
    with Simulation() as sim:
        sim.vertex.replies("Paris")
        client = anthropic.AnthropicVertex(region="us-east5", project_id="p")
        assert client.messages.create(model=MODEL, max_tokens=9, messages=ASKED).content[0].text == "Paris"
        (seen,) = sim.vertex.requests
        kept = sim.trace.of(TelemetryKept)
    assert seen.headers["authorization"] == "Bearer ya29.llmtest-dummy-token"
    assert {event.library for event in kept} == {"google-auth"}
    assert kept[0].host == "169.254.169.254"
    assert sim.clock.elapsed() == 0


def test_p13_the_machine_knows_its_project():
    """google-auth reads it where nobody names one; and a client on an event loop finds a token as well."""

    async def story():
        client = anthropic.AsyncAnthropicVertex(region="us-east5", project_id="p")
        return (await client.messages.create(model=MODEL, max_tokens=9, messages=ASKED)).content[0].text

    with Simulation() as sim:
        sim.vertex.replies("Paris")
        credentials, project = importlib.import_module("google.auth").default()
        assert (project, credentials.valid) == ("llmtest-project", False)
        assert sim.run(story()) == "Paris"


def test_p13_a_key_of_gcloud_s_is_exchanged_for_a_token(monkeypatch, tmp_path):
    """Credentials that a machine has are no reason to ask Google: the exchange is answered as well."""
    found = {"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"}
    path = tmp_path / "application_default_credentials.json"
    path.write_text(json.dumps(found))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    with Simulation() as sim:
        sim.vertex.replies("Paris")
        client = anthropic.AnthropicVertex(region="us-east5", project_id="p")
        client.messages.create(model=MODEL, max_tokens=9, messages=ASKED)
        (event,) = sim.trace.of(TelemetryKept)
    assert (event.host, event.method, event.path) == ("oauth2.googleapis.com", "POST", "/token")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/instance/service-accounts/default/email", b"llmtest@llmtest-project.iam.gserviceaccount.com"),
        ("/universe/universe-domain", b"googleapis.com"),
        ("/project/numeric-project-id", b"1234567890"),
    ],
)
def test_it_says_what_such_a_machine_says(path, said):
    """Texts, with the header by which it is known."""
    with Simulation(), urllib.request.urlopen(f"{MACHINE}{path}") as answer:
        assert answer.read() == said
        assert answer.headers["Metadata-Flavor"] == "Google"


def test_it_has_nothing_else():
    """What it is not asked by google-auth is not found."""
    with Simulation(), pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{MACHINE}/instance/attributes/ssh-keys")
    assert caught.value.code == 404


def test_other_questions_at_these_addresses_are_blocked(monkeypatch):
    """Another cloud's machine has the same address; and nobody is answered who has not loaded google-auth."""
    with Simulation() as sim:
        request = urllib.request.Request("http://169.254.169.254/latest/api/token", method="PUT")
        with pytest.raises(NetworkBlockedError):
            urllib.request.urlopen(request)
        sim.world.harness_errors.clear()
    assert is_for_credentials("169.254.169.254", "GET", "/")
    monkeypatch.delitem(importlib.import_module("sys").modules, "google.auth")
    assert not is_for_credentials("169.254.169.254", "GET", "/")
