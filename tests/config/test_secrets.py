"""Keys in files: where they come from, what is warned of, and that none is ever shown."""

import json
import warnings

import httpx
import pytest

from llmtest import FallbackChain, LLMClient, OpenAIProvider, Simulation, build_chain, faults, load_config
from llmtest.config import LiteralKeyWarning
from llmtest.errors import AuthenticationError, LLMTestError, ScenarioError

KEY = "sk-proj-1234567890abcdef"


def write(folder, text):
    """Write a chain file, and return its path."""
    path = folder / "chain.yaml"
    path.write_text(text)
    return path


def test_p01_no_repr_of_a_loaded_chain_shows_the_key(tmp_path):
    """The config, its section and slot, the chain and its provider say where a key is, not what it is."""
    path = write(tmp_path, 'providers: [{provider: openai, api_key: "${OPENAI_API_KEY}"}]\n')
    config = load_config(path, environment={"OPENAI_API_KEY": KEY})
    chain = config.build()
    (place,) = chain.places
    shown = [config, config.section, config.section.providers[0], config.document, chain, place, place.provider]
    texts = [text for each in shown for text in (repr(each), str(each))]
    assert [text for text in texts if KEY in text] == []
    assert config.section.providers[0].api_key.reveal() == KEY


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('providers: [{provider: "${OPENAI_API_KEY}"}]\n', id="as-the-provider"),
        pytest.param('providers: [{provider: openai, trigger: "${OPENAI_API_KEY}"}]\n', id="as-a-trigger"),
        pytest.param('providers: [{provider: openai, api_key: ["${OPENAI_API_KEY}"]}]\n', id="in-a-list"),
        pytest.param('retry: {max_attempts: "${OPENAI_API_KEY}"}\nproviders: [{provider: openai}]\n', id="a-number"),
    ],
)
def test_p01_no_message_shows_a_key_in_the_wrong_place(tmp_path, text):
    """A file that is wrong is told of without the key that stands where it does not belong."""
    with pytest.raises(ScenarioError) as caught:
        load_config(write(tmp_path, text), environment={"OPENAI_API_KEY": KEY}).build()
    assert KEY not in str(caught.value)
    assert "chain.yaml:1" in str(caught.value)


def test_p01_no_event_trace_or_error_of_a_call_shows_the_key():
    """What is left of calls that succeed, fail and are refused has the label of the key alone."""
    with Simulation() as sim:
        sim.openai.fails(faults.AuthenticationFailed()).replies("Paris").fails(faults.ServerError())
        client = LLMClient(FallbackChain([OpenAIProvider(KEY)], retry=None, refused_key_interval=0))
        found = []
        for _ in range(3):
            try:
                found.append(repr(client.ask("hi")))
            except LLMTestError as error:
                found += [repr(error), str(error), repr(error.attempts)]
        found += [sim.trace.render(), repr(list(sim.trace)), repr(client.metrics())]
    assert len(found) == 10
    assert [text for text in found if KEY in text] == []


def test_p01_a_server_that_repeats_the_key_does_not_bring_it_into_the_message():
    """A refusal that quotes the key is told without it."""
    body = json.dumps({"error": {"message": f"Incorrect API key provided: {KEY}", "code": "invalid_api_key"}})
    transport = httpx.MockTransport(lambda request: httpx.Response(401, text=body))
    provider = OpenAIProvider(KEY, http_client=httpx.Client(transport=transport))
    with pytest.raises(AuthenticationError) as caught:
        LLMClient(provider).ask("hi")
    assert "Incorrect API key provided: ***" in str(caught.value)
    assert KEY not in repr(caught.value)


def test_p01_a_line_end_after_a_key_is_no_part_of_it():
    """A key that was read with its line end is sent without it, instead of being quoted in an error of the library."""
    seen = []

    def answer(request):
        seen.append(request.headers["authorization"])
        return httpx.Response(200, json={"choices": [{"message": {"role": "assistant", "content": "Paris"}}]})

    client = httpx.Client(transport=httpx.MockTransport(answer))
    assert LLMClient(OpenAIProvider(f"{KEY}\n", http_client=client)).ask("hi") == "Paris"
    assert seen == [f"Bearer {KEY}"]


def test_p10_a_literal_key_warns_with_its_line(tmp_path):
    """A key in plain text in a file is warned of where it stands, with the way out, and is used nevertheless."""
    path = write(tmp_path, f'name: main\nproviders:\n  - provider: openai\n    api_key: "{KEY}"\n')
    with pytest.warns(LiteralKeyWarning) as caught:
        config = load_config(path)
    (warning,) = caught
    assert str(warning.message) == (
        f"{path}:4: `api_key` is written in the file in plain text, where everybody who reads the file reads it.\n"
        "To fix: api_key: ${OPENAI_API_KEY}"
    )
    assert warning.filename == __file__
    assert config.build().places[0].provider.credential.startswith("openai:")


@pytest.mark.parametrize(
    "slot",
    [
        pytest.param('{provider: openai, api_key: "${OPENAI_API_KEY}"}', id="variable"),
        pytest.param("{provider: openai, api_key: env:OPENAI_API_KEY}", id="reference"),
        pytest.param("{provider: openai, api_key_env: OPENAI_API_KEY}", id="api_key_env"),
        pytest.param("{provider: vllm, model: m, api_key: optional-auth-token}", id="needs-no-key"),
    ],
)
def test_p10_what_is_no_literal_key_is_not_warned_of(tmp_path, slot):
    """References are silent, and so is a word for a server that asks for no key."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        chain = load_config(write(tmp_path, f"providers: [{slot}]\n"), environment={"OPENAI_API_KEY": KEY}).build()
    assert len(chain.places) == 1


def test_secrets_are_read_where_the_file_says(tmp_path):
    """`env:` reads a variable, `file:` a file beside the chain file, both also as a mapping."""
    (tmp_path / "key.txt").write_text(f"{KEY}\n")
    one = load_config(write(tmp_path, "providers: [{provider: openai, api_key: env:A}]\n"), environment={"A": KEY})
    two = load_config(write(tmp_path, "providers: [{provider: openai, api_key: file:key.txt}]\n"))
    three = load_config(
        write(tmp_path, "providers: [{provider: openai, api_key: {source: file, path: key.txt}}]\n"),
    )
    labels = {config.build().places[0].provider.credential for config in (one, two, three)}
    assert labels == {OpenAIProvider(KEY).credential}


def test_a_source_of_secrets_is_an_entry_point(tmp_path, monkeypatch):
    """Caxton's `source: vault` asks the function that a package announced for it."""

    class Announced:
        name = "vault"

        @staticmethod
        def load():
            return lambda what: KEY if what == {"path": "caxton/llm/openai", "key": "api_key"} else "other-" + what

    monkeypatch.setattr("llmtest.config._secrets.entry_points", lambda group: [Announced])
    text = "providers: [{provider: openai, api_key: {source: vault, path: caxton/llm/openai, key: api_key}}]\n"
    (place,) = load_config(write(tmp_path, text)).build().places
    assert place.provider.credential == OpenAIProvider(KEY).credential
    (place,) = load_config(write(tmp_path, "providers: [{provider: openai, api_key: vault:x}]\n")).build().places
    assert place.provider.credential == OpenAIProvider("other-x").credential


@pytest.mark.parametrize(
    ("slot", "message"),
    [
        pytest.param(
            {"api_key": "env:OPENAI_KEI"},
            "`providers[0].api_key`: the environment variable `OPENAI_KEI` is not set.",
            id="no-variable",
        ),
        pytest.param(
            {"api_key": "file:no/such"},
            "`providers[0].api_key`: the file `no/such` of a key cannot be read: No such file or directory",
            id="no-file",
        ),
        pytest.param(
            {"api_key": {"source": "vaullt", "path": "x"}},
            "`providers[0].api_key`: no source of secrets `vaullt`.",
            id="no-source",
        ),
        pytest.param(
            {"api_key": {"source": "env"}}, "`providers[0].api_key`: the source `env` needs `name`", id="bare"
        ),
        pytest.param(
            {"api_key": "env:A", "api_key_env": "A"},
            "`providers[0]`: takes `api_key` or `api_key_env`, not both.",
            id="twice",
        ),
        pytest.param(
            {"api_key": {"path": "x"}}, "`providers[0].api_key`: names no `source`; write", id="no-source-key"
        ),
        pytest.param({"api_key_env": "NOT_SET"}, "`providers[0].api_key_env`: the environment variable", id="env-key"),
    ],
)
def test_a_secret_that_is_not_there(slot, message):
    """A reference that leads nowhere is told with its place and what is known."""
    with pytest.raises(ScenarioError) as caught:
        build_chain({"providers": [{"provider": "openai", **slot}]})
    assert str(caught.value).startswith(message)


def test_an_empty_file_of_a_key_is_told(tmp_path):
    """A file without a key in it is an error, not an empty key."""
    (tmp_path / "key.txt").write_text("\n")
    with pytest.raises(ScenarioError, match="of a key is empty"):
        load_config(write(tmp_path, "providers: [{provider: openai, api_key: file:key.txt}]\n")).build()


@pytest.mark.parametrize(
    ("load", "message"),
    [
        pytest.param(lambda what: 1 / 0, "failed: ZeroDivisionError: division by zero", id="raises"),
        pytest.param(lambda what: None, "gave no text, but NoneType", id="nothing"),
    ],
)
def test_a_source_of_secrets_that_fails_is_told(monkeypatch, load, message):
    """What a source raises, or does not give, is an error of the configuration."""

    class Announced:
        name = "vault"

    Announced.load = staticmethod(lambda: load)
    monkeypatch.setattr("llmtest.config._secrets.entry_points", lambda group: [Announced])
    with pytest.raises(ScenarioError) as caught:
        build_chain({"providers": [{"provider": "openai", "api_key": "vault:x"}]})
    assert message in str(caught.value)
