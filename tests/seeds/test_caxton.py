"""Caxton, `llm-provider-integration`: every configuration of the document, as its users have it."""

import asyncio
import json

import pytest
from openai import OpenAI

from llmtest import (
    AsyncLLMClient,
    ChatMessage,
    CompletionRequest,
    FallbackChain,
    Json,
    LLMClient,
    Simulation,
    ToolDefinition,
    build_chain,
    faults,
    load_config,
)
from llmtest.config import UnreadSettingWarning
from llmtest.errors import AllProvidersFailedError, ConfigurationError, ScenarioError
from llmtest.resilience import ContextCaps, Pipeline
from llmtest.wire import dialect

KEYS = {
    "OPENAI_API_KEY": "sk-openai-1234",
    "ANTHROPIC_API_KEY": "sk-ant-1234",
    "CUSTOM_LLM_TOKEN": "custom-token-1",
}


def load(tmp_path, text, **settings):
    """Read a configuration of the document."""
    path = tmp_path / "caxton.yaml"
    path.write_text(text)
    return load_config(path, environment=KEYS, **settings)


def only_slot(config):
    """Return the one slot of a configuration, built."""
    (place,) = config.build().places
    return place


def test_openai_configuration(tmp_path):
    """Model, key, address, limits, times and retries of the reference implementation."""
    place = only_slot(
        load(
            tmp_path,
            """
llm:
  provider: "openai"
  model: "gpt-4o"
  api_key: "${OPENAI_API_KEY}"
  base_url: "https://api.openai.com/v1"  # Optional: for proxies
  max_tokens: 4096
  temperature: 0.7
  timeout_seconds: 30
  retry_attempts: 3
  retry_delay_ms: 1000
""",
        )
    )
    assert (place.name, place.provider.model, place.provider.base_url) == (
        "openai",
        "gpt-4o",
        "https://api.openai.com/v1",
    )
    assert (place.config.max_tokens, place.config.temperature) == (4096, 0.7)
    assert (place.timeouts.total, place.retry.max_attempts, place.retry.base_delay) == (30.0, 4, 1.0)


def test_anthropic_configuration(tmp_path):
    """Times, and the large window of the model."""
    place = only_slot(
        load(
            tmp_path,
            """
llm:
  provider: "anthropic"
  model: "claude-3-5-sonnet-20241022"
  api_key: "${ANTHROPIC_API_KEY}"
  max_tokens: 4096
  temperature: 0.7
  timeout_seconds: 45
  system_context_limit: 200000  # Claude's large context window
""",
        )
    )
    assert (place.provider.model, place.timeouts.total) == ("claude-3-5-sonnet-20241022", 45.0)
    assert place.config.context_window == 200_000


AZURE = """
llm:
  provider: "azure"
  deployment_name: "gpt-4o-deployment"
  api_key: "${OPENAI_API_KEY}"
  endpoint: "https://your-resource.openai.azure.com"
  api_version: "2024-05-01-preview"
  max_tokens: 4096
  temperature: 0.7
"""


def test_f006_azure_openai(tmp_path):
    """Deployment, address and version of the API are where the file says, and the key goes as Azure wants it."""
    with Simulation() as sim:
        sim.azure.replies("Paris")
        assert LLMClient(load(tmp_path, AZURE).build()).ask("Capital of France?") == "Paris"
        (seen,) = sim.azure.requests
    assert seen.path == "/openai/deployments/gpt-4o-deployment/chat/completions"
    assert seen.headers["api-key"] == KEYS["OPENAI_API_KEY"]
    assert seen.request.max_tokens == 4096


def test_local_llm_integration_ollama(tmp_path):
    """The address without `/v1`, a small window; who computes is the server's affair, and is told so."""
    with pytest.warns(UnreadSettingWarning, match="`llm.gpu_acceleration` is not read: the server of the model"):
        config = load(
            tmp_path,
            """
llm:
  provider: "ollama"
  model: "llama3.1:8b"
  base_url: "http://localhost:11434"
  max_tokens: 2048
  temperature: 0.7
  context_window: 8192
  gpu_acceleration: true
""",
        )
    assert config.notes == ("`llm.gpu_acceleration` is not read: the server of the model decides about it",)
    with Simulation() as sim:
        sim.ollama.replies("Paris")
        chain = config.build()
        assert LLMClient(chain).ask("Capital of France?") == "Paris"
        assert sim.ollama.requests[0].request.max_tokens == 2048
        assert sim.costs.total_usd == 0
    assert chain.places[0].config.context_window == 8192


def test_local_llm_integration_vllm(tmp_path):
    """A server of one's own, with a token that it may ask for."""
    with pytest.warns(UnreadSettingWarning, match="tensor_parallel_size"):
        config = load(
            tmp_path,
            """
llm:
  provider: "vllm"
  model: "microsoft/Phi-3.5-mini-instruct"
  base_url: "http://localhost:8000/v1"
  api_key: "optional-auth-token"
  max_tokens: 4096
  temperature: 0.7
  tensor_parallel_size: 2  # Multi-GPU support
""",
        )
    place = only_slot(config)
    assert (place.name, place.provider.base_url) == ("vllm", "http://localhost:8000/v1")


def test_custom_provider_integration(tmp_path):
    """A proprietary API by its fields: what is sent, and with which key."""
    config = load(
        tmp_path,
        """
llm:
  provider: "custom"
  provider_config:
    base_url: "https://api.yourcompany.com/llm"
    auth_type: "bearer"  # bearer, api_key, oauth2
    auth_token: "${CUSTOM_LLM_TOKEN}"
    model_field: "model_name"
    prompt_field: "input_text"
    response_field: "generated_text"
  model: "custom-model-v1"
  max_tokens: 4096
  temperature: 0.7
""",
    )
    with Simulation() as sim:
        corp = sim.provider("corp", base_url="https://api.yourcompany.com")
        corp.on("POST", "/llm").replies(Json({"generated_text": "Paris"}))
        assert LLMClient(config.build()).ask("Capital of France?") == "Paris"
        (request,) = corp.requests
    assert json.loads(request.body) == {
        "model_name": "custom-model-v1",
        "input_text": "Capital of France?",
        "max_tokens": 4096,
        "temperature": 0.7,
    }
    assert request.headers["authorization"] == "Bearer custom-token-1"


CHAIN = """
llm:
  providers:
    - name: "primary"
      provider: "openai"
      model: "gpt-4o"
      api_key: "${OPENAI_API_KEY}"
      priority: 100
    - name: "fallback"
      provider: "anthropic"
      model: "claude-3-5-haiku-20241022"
      api_key: "${ANTHROPIC_API_KEY}"
      priority: 50
    - name: "local"
      provider: "ollama"
      model: "llama3.1:8b"
      base_url: "http://localhost:11434"
      priority: 10
  fallback_strategy: "priority"  # priority, round_robin, load_balance
"""


def test_provider_fallback_chain(tmp_path):
    """The highest priority first; each circuit has the name of its slot, and the last one answers when others fail."""
    config = load(tmp_path, CHAIN)
    assert config.notes == ()
    with Simulation() as sim:
        sim.openai.fails(faults.ServerError(503), times=None)
        sim.anthropic.fails(faults.Overloaded(), times=None)
        sim.ollama.replies("Paris")
        chain = config.build()
        assert LLMClient(chain).ask("Capital of France?") == "Paris"
        sim.assert_fallback("openai", "ollama")
    assert [place.breaker.name for place in chain.places] == ["primary", "fallback", "local"]


@pytest.mark.parametrize("strategy", ["round_robin", "load_balance"])
def test_f079_another_fallback_strategy_is_read(tmp_path, strategy):
    """The other strategies share the calls; the slots keep the order of their priority."""
    config = load(tmp_path, CHAIN.replace('"priority"  #', f'"{strategy}"  #'))
    assert config.notes == ()
    with Simulation() as sim:
        for handle in (sim.openai, sim.anthropic, sim.ollama):
            handle.replies("Paris")
        chain = config.build()
        client = LLMClient(chain)
        assert [client.ask("Capital of France?") for _ in range(3)] == ["Paris"] * 3
        sim.assert_sequence("openai:200", "anthropic:200", "ollama:200")
    assert [place.name for place in chain.places] == ["openai", "anthropic", "ollama"]


AGENTS = """
agents:
  - name: CodeReviewer
    capabilities: ["code-analysis"]
    llm:
      provider: "openai"
      model: "gpt-4o"  # Strong reasoning for code
  - name: DataAnalyzer
    capabilities: ["data-processing"]
    llm:
      provider: "anthropic"
      model: "claude-3-5-sonnet-20241022"  # Large context for data
  - name: ContentGenerator
    capabilities: ["content-generation"]
    llm:
      provider: "ollama"
      model: "llama3.1:8b"  # Cost-effective for content
"""


@pytest.mark.parametrize(
    ("agent", "model"),
    [("CodeReviewer", "gpt-4o"), ("DataAnalyzer", "claude-3-5-sonnet-20241022"), ("ContentGenerator", "llama3.1:8b")],
)
def test_f083_capability_specific_providers(tmp_path, monkeypatch, agent, model):
    """Each agent has a chain of its own, by its name."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    config = load(tmp_path, AGENTS, agent=agent)
    assert (config.name, only_slot(config).provider.model) == (agent, model)


def test_f083_an_agent_must_be_named_and_known(tmp_path):
    """A file of agents alone says who there is, with the call that was meant."""
    with pytest.raises(ScenarioError, match="To fix: name one of them as the argument `agent`"):
        load(tmp_path, AGENTS)
    with pytest.raises(ScenarioError, match=r"no agent `CodeReviwer`\. Did you mean `CodeReviewer`"):
        load(tmp_path, AGENTS, agent="CodeReviwer")


def test_openai_function_calling_format():
    """The older `functions` and `function_call` are read, and a call is answered in their form."""
    body = {
        "model": "gpt-4o",
        "messages": [
            {"role": "system", "content": "You are a report generation expert."},
            {"role": "user", "content": "Please generate the final PDF report now."},
        ],
        "functions": [
            {
                "name": "generate_pdf_report",
                "description": "Generate a PDF report from data with templating support.",
                "parameters": {
                    "type": "object",
                    "properties": {"template": {"type": "string", "enum": ["quarterly-summary", "executive-brief"]}},
                },
            }
        ],
        "function_call": "auto",
        "max_tokens": 4000,
    }
    with Simulation() as sim:
        sim.openai.calls_tool("generate_pdf_report", {"template": "quarterly-summary"})
        answer = OpenAI(api_key="k", max_retries=0).chat.completions.create(**body)
    message = answer.choices[0].message
    assert message.function_call.name == "generate_pdf_report"
    assert json.loads(message.function_call.arguments) == {"template": "quarterly-summary"}


def test_anthropic_tool_use_format():
    """`system` at the top, tools with `input_schema`: what our request becomes."""
    schema = {"type": "object", "properties": {"template": {"type": "string"}}}
    request = CompletionRequest(
        CompletionRequest.ask("Please generate the final PDF report now.", system="You are an expert.").messages,
        model="claude-3-5-sonnet-20241022",
        max_tokens=4000,
        tools=(ToolDefinition("generate_pdf_report", "Generate a PDF report", schema),),
    )
    body = json.loads(dialect("anthropic").chat.encode_call(request).body)
    assert body["system"] == "You are an expert."
    assert body["messages"] == [{"role": "user", "content": "Please generate the final PDF report now."}]
    (tool,) = body["tools"]
    assert (tool["name"], tool["input_schema"], body["max_tokens"]) == ("generate_pdf_report", schema, 4000)


def test_local_llm_optimized_format(tmp_path):
    """A small limit and a low temperature by the slot, for a request that says neither."""
    config = load(tmp_path, "llm: {provider: ollama, model: 'llama3.1:8b', max_tokens: 2048, temperature: 0.1}\n")
    with Simulation() as sim:
        sim.ollama.replies("done")
        LLMClient(config.build()).ask("Create Q3 sales report")
        (seen,) = sim.ollama.requests
    assert (seen.request.max_tokens, seen.request.temperature) == (2048, 0.1)


def test_environment_variables(tmp_path, monkeypatch):
    """Keys in the variables of the environment need no word in the file."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    for provider in ("openai", "anthropic"):
        assert only_slot(load(tmp_path, f"llm: {{provider: {provider}}}\n")).provider.available()


def test_secrets_management_integration(tmp_path, monkeypatch):
    """`source: vault` with its path and key goes to the function that a package announced."""
    asked = []

    class Vault:
        name = "vault"

        @staticmethod
        def load():
            return lambda what: asked.append(what) or "sk-from-the-vault"

    monkeypatch.setattr("llmtest.config._secrets.entry_points", lambda group: [Vault])
    text = """
llm:
  provider: "openai"
  api_key:
    source: "vault"  # vault, aws_secrets, azure_keyvault
    path: "caxton/llm/openai"
    key: "api_key"
"""
    assert only_slot(load(tmp_path, text)).provider.available()
    assert asked == [{"path": "caxton/llm/openai", "key": "api_key"}]


def test_timeout_behavior(tmp_path):
    """Three limits of an attempt."""
    text = """
llm:
  provider: "openai"
  timeout_seconds: 30
  read_timeout_seconds: 60  # For streaming responses
  connect_timeout_seconds: 10
"""
    limits = load(tmp_path, text).section.providers[0].timeouts
    assert (limits.total, limits.read, limits.connect) == (30.0, 60.0, 10.0)


RETRIES = """
llm:
  provider: openai
  retry_policy:
    max_attempts: 3
    initial_delay_ms: 1000
    max_delay_ms: 10000
    backoff_multiplier: 2.0
    retry_on_errors: ["timeout", "rate_limit", "server_error"]
"""


def test_retry_strategies(tmp_path):
    """Attempts and waits are ours under other names; the errors are those that are retried anyway."""
    config = load(tmp_path, RETRIES)
    retry = config.section.retry
    assert (retry.max_attempts, retry.base_delay, retry.max_delay, retry.multiplier) == (3, 1.0, 10.0, 2.0)
    assert config.notes == ()


def test_f103_the_errors_to_retry_are_read(tmp_path):
    """The file's choice of errors holds, in Caxton's words."""
    config = load(tmp_path, RETRIES.replace('"timeout", ', ""))
    assert config.section.retry.config().retry_on == ("rate_limited", "server_error")
    assert config.notes == ()


@pytest.mark.parametrize(
    ("section", "note"),
    [
        pytest.param(
            'caching: {enabled: true, ttl_seconds: 3600, similarity_threshold: 0.95, cache_backend: "redis"}',
            "`llm.caching.cache_backend: redis` is read as `memory`: each process keeps its own answers",
            id="semantic-caching",
        ),
        pytest.param(
            "streaming: {enabled: false}",
            "`llm.streaming.enabled` is not read: a stream is asked for by whoever calls `stream`",
            id="no-streaming",
        ),
    ],
)
def test_sections_that_nothing_stands_for_are_named(tmp_path, section, note):
    """A section that is not here is a note and a warning; the rest of the file holds."""
    with pytest.warns(UnreadSettingWarning):
        config = load(tmp_path, f'llm:\n  provider: openai\n  api_key: "${{OPENAI_API_KEY}}"\n  {section}\n')
    assert config.notes == (note,)
    assert only_slot(config).name == "openai"


def test_f162_provider_health_checks(tmp_path, llm_sim):
    """The section of the document: every 60 s, for 10 s, with its prompt; an outage is found without a call."""
    text = """
llm:
  providers:
    - {provider: "openai", model: "gpt-4o", api_key: "${OPENAI_API_KEY}"}
    - {provider: "anthropic", model: "claude-opus-5", api_key: "${ANTHROPIC_API_KEY}"}
  health_check:
    enabled: true
    interval_seconds: 60
    timeout_seconds: 10
    test_prompt: "Hello, respond with 'OK'"
"""
    config = load(tmp_path, text)
    assert config.notes == ()
    llm_sim.openai.replies("Paris").fails(faults.ServerError(503), times=None)
    llm_sim.anthropic.replies("OK", times=None)
    chain = config.build()
    asked = chain.health.config
    assert (asked.interval, asked.timeout, asked.prompt) == (60.0, 10.0, "Hello, respond with 'OK'")

    async def scenario():
        client = AsyncLLMClient(chain)
        first = await client.complete(CompletionRequest.ask("hi"))
        await asyncio.sleep(200)
        second = await client.complete(CompletionRequest.ask("hi"))
        await chain.aclose()
        return first.provider, second.provider

    assert asyncio.run(scenario()) == ("openai", "anthropic")
    probe = llm_sim.openai.requests[1]
    assert (probe.request.messages[0].text, probe.at) == ("Hello, respond with 'OK'", pytest.approx(60, abs=1))
    assert [each.state for each in chain.health.report()] == ["unhealthy", "healthy"]


def test_f163_alerting(tmp_path):
    """The alerts of the document are those of `monitoring.alerts`; without checks they go by the calls."""
    text = """
llm:
  provider: "openai"
  api_key: "${OPENAI_API_KEY}"
  monitoring:
    metrics_enabled: true
    alerts: {downtime: 60, error_rate: 25%, cost_usd: 5, slow: 20}
"""
    chain = load(tmp_path, text).build()
    asked = chain.health.config
    assert (asked.active, asked.passive) == (False, True)
    assert (asked.alerts.downtime, asked.alerts.error_rate, asked.alerts.cost_usd, asked.alerts.slow) == (
        60,
        0.25,
        5,
        20,
    )
    with pytest.raises(ScenarioError, match=r"caxton.yaml:7: .*alerts.*Did you mean `error_rate`"):
        load(tmp_path, text.replace("error_rate", "eror_rate"))
    off = text.replace("  monitoring:", "  health_check: {enabled: false}\n  monitoring:")
    assert load(tmp_path, off).build().health is None
    with pytest.raises(ScenarioError, match="takes `health` or `health_check`, not both"):
        load(tmp_path, text.replace("  monitoring:", "  health_check: {}\n  health: {}\n  monitoring:"))
    with pytest.raises(ScenarioError, match="`health` leaves no place for it"):
        load(tmp_path, text.replace("  monitoring:", "  health: llmkit\n  monitoring:"))


def test_f042_real_time_feedback(tmp_path, llm_sim):
    """Streaming Responses: pieces of 64 characters, none later than a tenth of a second."""
    text = """
llm:
  provider: "openai"
  api_key: "${OPENAI_API_KEY}"
  streaming:
    enabled: true
    chunk_size: 64
    buffer_timeout_ms: 100
"""
    llm_sim.openai.replies("word " * 40)
    chain = load(tmp_path, text).build()
    pieces = [event.text for event in chain.stream(CompletionRequest.ask("hi")) if event.kind == "text"]
    assert "".join(pieces) == "word " * 40
    assert len(pieces) == 4
    assert all(len(piece) >= 64 for piece in pieces[:-1])


def test_f175_development_configuration(tmp_path):
    """`caxton-dev.yaml`: a local model, cool and short."""
    text = """
# caxton-dev.yaml
llm:
  provider: "ollama"
  model: "llama3.1:8b"
  base_url: "http://localhost:11434"
  temperature: 0.1
  max_tokens: 2048
  caching:
    enabled: true
    ttl_seconds: 1800
"""
    config = load(tmp_path, text)
    place = only_slot(config)
    assert config.notes == ()
    assert config.build().cache.config.ttl == 1800
    assert (place.name, place.config.temperature, place.config.max_tokens) == ("ollama", 0.1, 2048)


def test_f175_production_configuration(tmp_path):
    """`caxton-prod.yaml`: two providers by priority with their own times, retries, and a limit on money."""
    text = """
# caxton-prod.yaml
llm:
  providers:
    - name: "primary"
      provider: "openai"
      model: "gpt-4o"
      api_key: "${OPENAI_API_KEY}"
      priority: 100
      timeout_seconds: 30
    - name: "fallback"
      provider: "anthropic"
      model: "claude-3-5-haiku-20241022"
      api_key: "${ANTHROPIC_API_KEY}"
      priority: 50
      timeout_seconds: 45
  retry_policy:
    max_attempts: 3
    initial_delay_ms: 1000
    backoff_multiplier: 2.0
  caching:
    enabled: true
    ttl_seconds: 3600
    backend: "redis"
  monitoring:
    metrics_enabled: true
    cost_tracking: true
    budget_limit_usd: 1000
"""
    with pytest.warns(UnreadSettingWarning):
        config = load(tmp_path, text)
    assert len(config.notes) == 2
    assert config.notes[1].startswith("`llm.monitoring.budget_limit_usd` is read as `budget.max_cost_per_month`")
    first, second = (chain := config.build()).places
    assert (first.timeouts.total, second.timeouts.total, first.retry.max_attempts) == (30.0, 45.0, 3)
    assert chain.cache.config.ttl == 3600
    assert [(limit.scope, limit.amount) for limit in chain.budget.limits] == [("month", 1000)]


def test_f175_enterprise_configuration(tmp_path, monkeypatch):
    """`caxton-enterprise.yaml`: Azure with a key of a vault; what nothing here stands for is named."""

    class Vault:
        name = "azure_keyvault"

        @staticmethod
        def load():
            return lambda what: f"key of {what['secret_name']} in {what['vault_url']}"

    monkeypatch.setattr("llmtest.config._secrets.entry_points", lambda group: [Vault])
    text = """
# caxton-enterprise.yaml
llm:
  provider: "azure"
  deployment_name: "gpt-4o-enterprise"
  endpoint: "https://caxton.openai.azure.com"
  api_key:
    source: "azure_keyvault"
    vault_url: "https://caxton-vault.vault.azure.net"
    secret_name: "openai-api-key"
  security:
    content_filtering: true
    pii_redaction: true
    audit_logging: true
  compliance:
    data_residency: "us-east"
    encryption_at_rest: true
    network_isolation: true
"""
    with pytest.warns(UnreadSettingWarning):
        config = load(tmp_path, text)
    assert config.notes == (
        "`llm.security` is not read: nothing is filtered, redacted or logged",
        "`llm.compliance` is not read: nothing is checked",
    )
    assert config.demands == {
        "security": {"content_filtering": True, "pii_redaction": True, "audit_logging": True},
        "compliance": {"data_residency": "us-east", "encryption_at_rest": True, "network_isolation": True},
    }
    with Simulation() as sim:
        sim.azure.replies("Paris")
        assert LLMClient(config.build()).ask("hi") == "Paris"
        (seen,) = sim.azure.requests
    assert seen.headers["api-key"] == "key of openai-api-key in https://caxton-vault.vault.azure.net"


def test_model_versioning(tmp_path):
    """A version is the model that is asked for; nothing is ever upgraded."""
    text = """
llm:
  provider: "openai"
  model: "gpt-4o"
  model_version: "gpt-4o-2024-05-13"  # Pin to specific version
  auto_upgrade: false  # Prevent automatic updates
"""
    config = load(tmp_path, text)
    assert config.section.providers[0].model == "gpt-4o-2024-05-13"
    assert config.notes == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            "llm:\n  provider: openai\n  max_tokns: 5\n", "caxton.yaml:3: unknown key `max_tokns`", id="misspelt"
        ),
        pytest.param(
            "llm:\n  provider: openai\n  monitoring: {budget: 5}\n",
            "unknown key `budget` in `llm.monitoring`",
            id="deep",
        ),
        pytest.param("llm: openai\n", "`llm` must be a mapping", id="text"),
        pytest.param(
            "llm:\n  provider: openai\n  retry_policy: {attempts: 3}\n", "unknown key `attempts` in `retry`", id="retry"
        ),
        pytest.param(
            "llm:\n  provider: openai\n  security: {pii_redacton: true}\n",
            "unknown key `pii_redacton` in `llm.security`. Did you mean `pii_redaction`",
            id="f175-demand",
        ),
        pytest.param(
            "llm:\n  provider: openai\n  compliance: {data_residency: true}\n",
            "`llm.compliance.data_residency` is text, got True",
            id="f175-kind",
        ),
        pytest.param(
            "llm:\n  provider: openai\n  security: strict\n", "`llm.security` must be a mapping", id="f175-shape"
        ),
        pytest.param("llm:\n  provider: openai\n  timeout_seconds: soon\n", "`soon` is not a duration", id="time"),
    ],
)
def test_a_file_that_is_wrong_is_told_of_as_any_other(tmp_path, text, message):
    """What neither system knows is an error with its line."""
    with pytest.raises(ScenarioError) as caught:
        load(tmp_path, text)
    assert message in str(caught.value)


def test_a_mapping_in_this_shape_is_built():
    """`build_chain` takes the shape of the file, too."""
    chain = build_chain({"llm": {"provider": "ollama", "model": "llama3.2"}})
    assert chain.places[0].provider.model == "llama3.2"


PDF_TOOL = {
    "name": "pdf_generator",
    "context_requirements": {
        "conversation_depth": 3,
        "provider_optimization": {
            "openai": {"structured_output": True, "max_context_tokens": 6000},
            "anthropic": {"tool_use_format": True, "max_context_tokens": 8000},
        },
    },
}


def test_f127_context_caps_of_a_tool():
    """6000 tokens at OpenAI, 8000 at Anthropic: a larger request goes on, and beyond both nobody is asked."""
    pipeline = Pipeline(guards=[ContextCaps.from_tools([PDF_TOOL])])
    tool = ToolDefinition("pdf_generator", "Generate a PDF", {"type": "object", "properties": {}})
    with Simulation() as sim:
        sim.openai.echoes()
        sim.anthropic.echoes()
        chain = FallbackChain(
            [sim.openai.as_provider("gpt-4o"), sim.anthropic.as_provider("claude-opus-4")], pipeline=pipeline
        )

        def ask(words, tools=(tool,)):
            return chain.complete(CompletionRequest([ChatMessage.user("word " * words)], tools=tools)).provider

        assert [ask(4500), ask(5500), ask(5500, tools=())] == ["openai", "anthropic", "openai"]
        with pytest.raises(AllProvidersFailedError) as caught:
            ask(9000)
    assert [error.max_tokens for _, error in caught.value.errors] == [6000, 8000]
    with pytest.raises(ConfigurationError, match="must be a whole number, 1 or more, got 0"):
        ContextCaps({"pdf_generator": {"openai": 0}})
