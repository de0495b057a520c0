"""The world: who answers which URL, what harness errors say, and that equal worlds have equal histories."""

import json
import os
import re
import subprocess
import sys
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from llmtest import faults
from llmtest.costs import Prices
from llmtest.errors import (
    ConfigurationError,
    ContextLengthExceededError,
    ProviderError,
    SimulationStateError,
    UnknownPriceError,
    UnscriptedRequestError,
)
from llmtest.events import HarnessErrorRecorded, RequestAnswered, RequestReceived, describe
from llmtest.faults import FaultRule
from llmtest.simulation import Exchange, Lognormal, Reply
from llmtest.types import CompletionRequest, ToolCall, Usage
from llmtest.wire import dialect as dialect_of
from tests.simulation.sim_calls import Answered, exchange, make_world, post, text_of

ADDRESSES = [
    ("https", "api.openai.com", 443, "/v1/chat/completions", "openai"),
    ("https", "API.OpenAI.com", 443, "/v1/models", "openai"),
    ("https", "api.anthropic.com", 443, "/v1/messages", "anthropic"),
    ("https", "res.openai.azure.com", 443, "/openai/v1/chat/completions", "azure"),
    ("https", "res.openai.azure.com", 443, "/openai/deployments/gpt/chat/completions", "azure"),
    ("https", "res.cognitiveservices.azure.com", 443, "/openai/deployments/gpt/chat/completions", "azure"),
    ("https", "res.services.ai.azure.com", 443, "/openai/v1/responses", "azure"),
    ("https", "openai.azure.com", 443, "/", None),
    ("https", "generativelanguage.googleapis.com", 443, "/v1beta/openai/chat/completions", "gemini"),
    ("http", "localhost", 11434, "/v1/chat/completions", "ollama"),
    ("http", "127.0.0.1", 11434, "/api/chat", "ollama"),
    ("http", "::1", 11434, "/api/chat", "ollama"),
    ("http", "localhost", 8000, "/v1/chat/completions", None),
    ("https", "openrouter.ai", 443, "/api/v1/chat/completions", "openrouter"),
    ("https", "example.org", 443, "/", None),
]


@pytest.mark.parametrize(
    ("scheme", "host", "port", "path", "name"), ADDRESSES, ids=[f"{row[1]}:{row[2]}" for row in ADDRESSES]
)
def test_known_hosts_are_routed(monkeypatch, scheme, host, port, path, name):
    """The builtin providers answer at their own hosts, and nobody answers elsewhere."""
    clear_environment(monkeypatch)
    handle = make_world().route(scheme, host, port, path)
    assert (handle and handle.name) == name


def clear_environment(monkeypatch):
    """Forget what this machine says about where providers are."""
    for name in [name for name in os.environ if name.endswith(("_BASE_URL", "_HOST", "_ENDPOINT", "_API_BASE"))]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("variable", "value", "host", "port", "path", "name"),
    [
        ("OPENAI_BASE_URL", "https://llm.corp/openai/v1", "llm.corp", 443, "/openai/v1/chat/completions", "openai"),
        ("ANTHROPIC_BASE_URL", "http://localhost:9000", "localhost", 9000, "/v1/messages", "anthropic"),
        ("OLLAMA_HOST", "0.0.0.0", "127.0.0.1", 11434, "/api/chat", "ollama"),
        ("OLLAMA_HOST", "gpu.corp", "gpu.corp", 11434, "/v1/models", "ollama"),
        ("OLLAMA_HOST", "gpu.corp:9999", "gpu.corp", 9999, "/v1/models", "ollama"),
        ("OLLAMA_HOST", "https://gpu.corp", "gpu.corp", 443, "/v1/models", "ollama"),
        ("OLLAMA_HOST", "[::1]:7000", "::1", 7000, "/v1/models", "ollama"),
        ("AZURE_OPENAI_ENDPOINT", "https://mine.example.com", "mine.example.com", 443, "/openai/v1/", "azure"),
        ("OPENAI_BASE_URL", "http://localhost:11434/v1", "localhost", 11434, "/v1/chat/completions", "ollama"),
        ("OPENAI_BASE_URL", "http://127.0.0.1:8000/v1", "127.0.0.1", 8000, "/v1/chat/completions", "vllm"),
        ("OPENAI_BASE_URL", "https://openrouter.ai/api/v1", "openrouter.ai", 443, "/api/v1/models", "openrouter"),
        ("OPENAI_BASE_URL", "nonsense", "nonsense", 443, "/", None),
    ],
)
def test_the_environment_says_where_providers_are(monkeypatch, variable, value, host, port, path, name):
    """Base URLs of the environment are registered when the world begins."""
    clear_environment(monkeypatch)
    monkeypatch.setenv(variable, value)
    handle = make_world().route("https", host, port, path)
    assert (handle and handle.name) == name


def test_a_base_url_can_be_registered():
    """`at` adds a URL; the longest prefix answers, and a later owner of the same URL replaces the earlier."""
    world = make_world()
    vllm = world.provider("vllm").at("http://localhost:8000")
    mine = world.provider("mine", base_url="http://localhost:8000/mine/v1")
    assert world.route("http", "localhost", 8000, "/v1/chat/completions").handle is vllm
    assert world.route("http", "localhost", 8000, "/mine/v1/chat/completions").handle is mine
    assert world.route("http", "localhost", 8000, "/mine/v10").handle is vllm
    assert world.route("http", "localhost", 8001, "/v1") is None
    other = world.provider("other", dialect="anthropic").at("http://localhost:8000/")
    assert world.route("http", "localhost", 8000, "/v1/messages").handle is other
    assert world.route("http", "localhost", 8000, "/v1/chat/completions").handle is other
    assert world.handles == (vllm, mine, other)


def test_hosts_can_be_allowed():
    """Allowed hosts match exactly, or by a leading wildcard."""
    world = make_world()
    world.allow("Internal.corp")
    world.allow("*.example.org")
    assert world.is_allowed("internal.CORP")
    assert world.is_allowed("a.example.org")
    assert not world.is_allowed("example.org")
    assert not world.is_allowed("api.openai.com")


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda world: world.provider("x", dialect="antropic"),
            (
                "provider `x`: unknown dialect `antropic`. Did you mean `anthropic`?\n"
                "Known dialects: openai, anthropic, azure, bedrock, cohere, deepseek, gemini, groq, huggingface, "
                "mistral, near_ai, ollama, openai_compatible, openrouter, perplexity, tinfoil, "
                "together_ai, vertex, vllm, xai."
            ),
        ),
        (
            lambda world: world.provider("openai") and world.provider("openai", dialect="anthropic"),
            (
                "provider `openai` speaks `openai` already and cannot speak `anthropic` too.\n\n"
                "To fix: give the second one a name of its own"
            ),
        ),
    ],
    ids=["unknown-dialect", "other-dialect"],
)
def test_a_provider_that_makes_no_sense_is_refused(make, text):
    """Each wrong provider has one clear error."""
    with pytest.raises(ConfigurationError) as caught:
        make(make_world())
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("ollama", "/v1/chat/completions"),
        ("vllm", "/v1/chat/completions"),
        ("openrouter", "/api/v1/chat/completions"),
        ("gemini", "/v1beta/openai/chat/completions"),
    ],
)
def test_compatible_endpoints_ride_on_the_openai_dialect(name, path):
    """Providers with an OpenAI-compatible endpoint answer there, under their own name."""
    handle = make_world().provider(name).replies("Paris")
    assert text_of(Answered(handle._provider.receive(exchange(path=path)))) == "Paris"
    assert handle.requests[0].outcome == "200"


def told(error):
    """Return an error's text without the line of this file that it names."""
    return re.sub(r"from tests/simulation/test_world\.py:\d+ in `(ask|test_\w+)`", "from HERE", str(error))


@pytest.mark.parametrize(
    ("name", "origin", "path", "base_url"),
    [
        ("ollama", ("http", "localhost", 11434), "/elsewhere/chat", "http://localhost:11434/v1"),
        ("vllm", ("http", "gpu.internal", 80), "/chat/completions", "http://gpu.internal/v1"),
    ],
)
def test_a_native_api_that_nobody_speaks_is_one_clear_error(name, origin, path, base_url):
    """A request in a format without a codec never passes silently; the text names the base URL that would work."""
    world = make_world()
    handle = world.provider(name).echoes()
    with pytest.raises(SimulationStateError) as caught:
        handle._provider.receive(Exchange("POST", *origin, path, "", {}, b"{}"))
    assert told(caught.value) == (
        f"`{name}` received a request to its native API, which is not simulated.\n\n"
        f"  POST {path}   from HERE\n"
        f"  simulated: its OpenAI-compatible API, below {urlsplit(base_url).path}\n\n"
        "To fix, one of:\n"
        f'  1. have the code use that one: base_url="{base_url}" with an OpenAI client\n'
        f'  2. answer it by a script: llm_sim.{name}.on("POST", "{path}").replies(Json({{}}))\n'
        "  3. let it be missing, as the code may expect: "
        f'llm_sim.{name}.on("POST", "{path}").fails(status=404)\n'
        "  4. replay a recorded session, which can hold any endpoint: @pytest.mark.llm_cassette\n"
        f'  5. let the host answer itself: llm_sim.allow("{origin[1]}")   (llm_sim.{name} then sees nothing)'
    )
    assert world.harness_errors == [caught.value]


def test_an_endpoint_that_is_not_simulated_is_one_clear_error():
    """An unknown path is the test's problem, not a 404 that code under test may handle."""
    world = make_world()
    with pytest.raises(SimulationStateError) as caught:
        world.provider("openai").echoes()._provider.receive(exchange(path="/v1/videos"))
    assert told(caught.value) == (
        "`openai` received a request to an endpoint that is not simulated.\n\n"
        "  POST /v1/videos   from HERE\n"
        "  simulated: GET /v1/models, POST /v1/moderations, POST /v1/files, GET /v1/files, POST /v1/chat/completions, "
        "POST /v1/responses, and 47 more\n\n"
        "To fix, one of:\n"
        '  1. answer it by a script: llm_sim.openai.on("POST", "/v1/videos").replies(Json({}))\n'
        "  2. let it be missing, as the code may expect: "
        'llm_sim.openai.on("POST", "/v1/videos").fails(status=404)\n'
        "  3. replay a recorded session, which can hold any endpoint: @pytest.mark.llm_cassette\n"
        '  4. let the host answer itself: llm_sim.allow("api.openai.com")   (llm_sim.openai then sees nothing)'
    )


@pytest.mark.parametrize(
    ("provider", "path", "way"),
    [
        ("openai", "/v1/assistants", "have the code call Responses: POST /v1/responses"),
        ("anthropic", "/v1/complete", "have the code call the Messages API: POST /v1/messages"),
    ],
)
def test_an_endpoint_with_a_simulated_twin_names_it(provider, path, way):
    """An older API that a newer one has replaced names the newer one."""
    with pytest.raises(SimulationStateError) as caught:
        make_world().provider(provider).echoes()._provider.receive(exchange(path=path))
    assert f"To fix, one of:\n  1. {way}\n  2. answer it by a script: " in str(caught.value)


def test_a_request_that_the_provider_would_refuse_gets_its_400():
    """A wrong request is answered as the provider does, plays no step and is logged."""
    handle = make_world().provider("openai").replies("unplayed")
    answered = Answered(handle._provider.receive(exchange(body={"model": "gpt-4o"})))
    assert answered.status == 400
    assert answered.json["error"]["type"] == "invalid_request_error"
    assert handle.requests[0].outcome == "400"
    assert len(handle._provider.unused_steps()) == 1


def call_of(provider):
    """Return the error of one call too many, made in a function of its own."""

    def summarise():
        return provider._provider.receive(exchange())

    with pytest.raises(UnscriptedRequestError) as caught:
        summarise()
    return str(caught.value)


def test_an_unscripted_request_tells_what_was_left_and_how_to_fix_it():
    """The text names the request, the script, the line that called, and two ways out."""
    handle = make_world().provider("openai").replies("one", "two")
    post(handle)
    post(handle)
    text = call_of(handle)
    site = text.splitlines()[6].partition("at: ")[2]
    assert site == f"tests/simulation/test_world.py:{call_of.__code__.co_firstlineno + 4} in `summarise`"
    assert text == (
        "`openai` received a request that its script has no step for.\n"
        "\n"
        "  POST /v1/chat/completions   model=gpt-4o  stream=false   (request 3)\n"
        "  script: 2 steps, both used by requests 1 and 2\n"
        "\n"
        "  This usually means the code under test made one call more than expected.\n"
        f"  Extra call made at: {site}\n"
        "\n"
        "To fix, one of:\n"
        '  1. add a third step:          llm_sim.openai.replies("...")\n'
        '  2. let the last step repeat:  llm_sim.openai.replies("...", times=None)'
    )


def test_an_empty_script_says_how_to_begin():
    """Without any step the advice is to add one, or to answer everything."""
    world = make_world()
    text = call_of(world.provider("mine"))
    assert text.splitlines()[3] == "  script: empty"
    assert text.endswith(
        "To fix, one of:\n"
        '  1. add a step:            llm_sim.provider("mine").replies("...")\n'
        '  2. answer every request:  llm_sim.provider("mine").echoes()'
    )
    (recorded,) = world.trace.of(HarnessErrorRecorded)
    assert describe(recorded)[1] == "`mine` received a request that its script has no step for."
    assert world.provider("mine").requests[0].outcome == "unscripted"


def test_rules_that_did_not_match_are_named():
    """Where steps are left in rules that do not match, the text shows their conditions; keys are not shown."""
    handle = make_world().provider("openai")
    handle.when(prompt_contains="France", model="gpt-4o").replies("x")
    handle.when(api_key="sk-secret").replies("y")
    text = call_of(handle)
    assert text.splitlines()[3:6] == [
        "  script: 2 steps, 2 of them left, all in rules that do not match",
        "  does not match: when(prompt_contains='France', model='gpt-4o')",
        "  does not match: when(api_key=...)",
    ]
    assert text.endswith(
        "To fix, one of:\n"
        '  1. add a step for every other request:  llm_sim.openai.replies("...")\n'
        "  2. widen the rule that should have matched"
    )


def test_the_direct_path_names_itself():
    """A call without HTTP has no method and no path to show."""
    with pytest.raises(UnscriptedRequestError) as caught:
        make_world().provider("openai").as_provider("gpt-4o").complete(CompletionRequest.ask("hi"))
    assert str(caught.value).splitlines()[2] == "  direct call   model=gpt-4o  stream=false   (request 1)"


def test_unused_steps_are_listed_with_their_lines():
    """At the end of a test each leftover step is named with the line that wrote it."""
    world = make_world()
    handle = world.provider("openai").replies("one").fails(faults.RateLimited(retry_after=2.0), times=2)
    handle.replies("maybe", optional=True).replies("for ever", times=None)
    world.provider("anthropic").echoes()
    post(handle)
    (error,) = world.unused_steps()
    lines = str(error).splitlines()
    assert lines[0] == "`openai` still had 2 of 4 scripted steps to play when the test ended."
    assert lines[2].startswith("  step 2: rate_limited(retry_after=2.0)   tests/simulation/test_world.py:")
    assert lines[2].endswith("   (2 times)")
    assert lines[3].startswith("  step 4: replies('for ever')")
    assert lines[3].endswith("   (for ever)")
    assert lines[5] == (
        "The code under test stopped after 1 request. If that is on purpose, mark those steps `optional=True`."
    )


def test_many_unused_steps_are_counted():
    """A long list of leftovers is cut."""
    world = make_world()
    world.provider("openai").replies(*map(str, range(13))).calls_tools(ToolCall("", "a"), ToolCall("", "b")).calls_tool(
        "c"
    ).replies(Reply("x" * 90), len)
    (error,) = world.unused_steps()
    lines = str(error).splitlines()
    assert lines[0] == "`openai` still had 17 of 17 scripted steps to play when the test ended."
    assert lines[12] == "  ... and 7 more"
    assert lines[-1].startswith("The code under test sent it no request. If")
    labels = [step.label for step in world.simulated("openai").unused_steps()]
    assert labels[13:] == [
        "calls_tools('a', 'b')",
        "calls_tool('c')",
        "replies(Reply('" + "x" * 37 + "...'))",
        "replies(len)",
    ]


def test_a_context_window_is_kept():
    """A prompt that does not fit gets the genuine 400, with the numbers."""
    handle = make_world().provider("openai").context_window(20).echoes()
    answered = post(handle, "x" * 100)
    assert answered.status == 400
    assert answered.json["error"]["code"] == "context_length_exceeded"
    provider = handle.as_provider("gpt-4o")
    assert provider.capabilities.context_window == 20
    with pytest.raises(ContextLengthExceededError) as caught:
        provider.complete(CompletionRequest.ask("x" * 100))
    assert (caught.value.requested_tokens, caught.value.max_tokens) == (29, 20)
    assert provider.complete(CompletionRequest.ask("hi")).content == "hi"


def test_spend_is_exact_and_the_unknown_is_not_zero():
    """The account holds the price of every billed answer, and refuses to sum what it does not know."""
    prices = Prices()
    prices.add("openai:mine", input_usd_per_mtok="1", output_usd_per_mtok="2")
    world = make_world(prices=prices)
    handle = world.provider("openai").replies(Reply("x", usage=Usage(1000, 500)), times=None)
    post(handle, model="mine")
    assert world.costs.total_usd == Decimal("0.002")
    (event,) = world.trace.of(RequestAnswered)
    assert (event.usage, event.billed, event.cost_usd) == (Usage(1000, 500), True, Decimal("0.002"))
    post(handle, model="nobody-knows-this")
    assert world.trace.of(RequestAnswered)[-1].cost_usd is None
    with pytest.raises(UnknownPriceError):
        world.costs.total_usd  # noqa: B018 - reading it is the act


def test_what_the_client_did_with_the_answer_is_the_outcome():
    """An abandoned stream is noted as such, and bills what was taken of it; a whole answer nobody got, its prompt."""
    world = make_world()
    handle = world.provider("openai").replies("one two three four", times=None)
    plan = handle._provider.receive(exchange(stream=True))
    steps = iter(plan.steps)
    for _ in range(4):
        next(steps)
    plan.on_end("abandoned")
    record = handle.requests[0]
    assert record.outcome == "abandoned"
    assert record.usage == Usage(5, 1, source="estimated")
    plan = handle._provider.receive(exchange())
    plan.on_end("timeout")
    assert (handle.requests[1].outcome, handle.requests[1].usage) == ("timeout", Usage(5, 0, source="estimated"))


def test_events_carry_the_logical_call():
    """Requests inside a marked call carry its number."""
    from llmtest.events import current_call

    world = make_world()
    handle = world.provider("openai").echoes()
    token = current_call.set(world.trace.next_call("mine"))
    try:
        post(handle)
    finally:
        current_call.reset(token)
    post(handle)
    assert [event.call for event in world.trace.of(RequestReceived, RequestAnswered)] == [1, 1, 0, 0]
    assert world.current_call() is None


def get(handle, path, provider="openai"):
    """Send a request without a body."""
    return Answered(handle._provider.receive(exchange(provider, path=path, method="GET", body={})))


def test_models_are_listed_without_a_script():
    """The list holds a few well-known models and those that were asked for."""
    handle = make_world().provider("openai").echoes()
    post(handle, model="my-finetune")
    listed = [model["id"] for model in get(handle, "/v1/models").json["data"]]
    assert {"gpt-4o", "my-finetune"} <= set(listed)
    assert get(handle, "/v1/models/gpt-4o").json["id"] == "gpt-4o"
    assert [record.operation for record in handle.requests] == ["chat", "models", "model"]


def test_embeddings_are_unit_vectors_of_the_input():
    """The same text gives the same vector, another text another; tokens are billed."""
    world = make_world()
    handle = world.provider("openai")
    body = {"model": "text-embedding-3-small", "input": ["a", "b", "a"], "encoding_format": "float"}
    vectors = [
        row["embedding"]
        for row in Answered(handle._provider.receive(exchange(path="/v1/embeddings", body=body))).json["data"]
    ]
    assert [len(vector) for vector in vectors] == [1536] * 3
    assert vectors[0] == vectors[2] != vectors[1]
    assert sum(value * value for value in vectors[0]) == pytest.approx(1.0)
    assert world.costs.entries[0].usage == Usage(3, 0)
    small = {**body, "input": "a", "dimensions": 8}
    (row,) = Answered(handle._provider.receive(exchange(path="/v1/embeddings", body=small))).json["data"]
    assert len(row["embedding"]) == 8


def test_anthropic_counts_tokens_without_a_script():
    """`count_tokens` answers with the estimate that is billed too, and bills nothing itself."""
    world = make_world()
    handle = world.provider("anthropic").echoes()
    counted = Answered(
        handle._provider.receive(exchange("anthropic", "Capital of France?", path="/v1/messages/count_tokens"))
    )
    assert counted.json == {"input_tokens": 9}
    assert len(world.costs) == 0
    assert post(handle, "Capital of France?").json["usage"]["input_tokens"] == 9


def test_an_outage_hits_every_operation():
    """Fault rules hold for models and embeddings too."""
    world = make_world()
    world.add_fault_rule(FaultRule("down", faults.ServerError(503)))
    handle = world.provider("openai")
    assert get(handle, "/v1/models").status == 503


def test_ids_come_from_the_seed():
    """Equal seeds give equal ids, other seeds and other requests other ids."""

    def ids(seed):
        handle = make_world(seed=seed).provider("openai").echoes()
        return [post(handle).json["id"] for _ in range(2)]

    assert ids(1) == ids(1)
    assert len({*ids(1), *ids(2)}) == 4


HISTORY = """
import sys
sys.path.insert(0, sys.argv[1])
from tests.simulation.sim_calls import make_world, post
from llmtest import faults
from llmtest.faults import FaultRule
from llmtest.simulation import Lognormal
world = make_world(seed=11)
world.add_fault_rule(FaultRule("noise", faults.RateLimited(retry_after=2), probability=0.2))
world.add_fault_rule(FaultRule("cut", faults.StreamTruncated(2), where={"stream": True}, probability=0.3))
handle = world.provider("openai").limits(rpm=30).generates(words=6)
handle.latency(ttft=Lognormal(0.4, 2), tokens_per_second=50)
for number in range(40):
    answered = post(handle, f"prompt {number}", stream=number % 2 == 0)
    world.clock.advance(sum(answered.waits) + 0.5)
print(world.trace.digest(), world.costs.total_usd)
"""


@pytest.mark.slow
def test_equal_seeds_give_equal_histories_in_any_process():
    """The digest depends on the seed alone: not on the process, nor on the order of sets."""
    here = str(Path(__file__).parents[2])
    found = {
        subprocess.run(
            [sys.executable, "-c", HISTORY, here],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


def test_both_paths_have_the_same_history():
    """The direct path writes the same events as the wire: same draws, same faults, same quota, same bill."""

    def history(*, direct):
        world = make_world(seed=5)
        world.add_fault_rule(FaultRule("noise", faults.ServerError(503), probability=0.3))
        handle = world.provider("openai").limits(rpm=20).latency(Lognormal(0.4, 2)).echoes()
        provider = handle.as_provider("gpt-4o")
        for number in range(40):
            if direct:
                with suppress(ProviderError):
                    provider.complete(CompletionRequest.ask(f"prompt {number}"))
            else:
                plan = handle._provider.receive(exchange(prompt=f"prompt {number}"))
                for step in plan.steps:
                    if type(step).__name__ == "Wait":
                        world.clock.advance(step.ns / 1e9)
                plan.on_end(plan.outcome)
        return world.trace.render()

    assert history(direct=True) == history(direct=False)


def test_the_openai_body_is_read_back_by_the_codec():
    """What the world writes is what the codec reads: tool calls, thinking and usage included."""
    handle = (
        make_world()
        .provider("anthropic")
        .replies(Reply("see", thinking="hmm", tool_calls=[ToolCall("", "f", '{"a": 1}')], usage=Usage(10, 20)))
    )
    answered = post(handle)
    response = dialect_of("anthropic").chat.decode_answer(answered.body, answered.headers)
    assert (response.thinking, response.content, response.usage.output_tokens) == ("hmm", "see", 20)
    assert json.loads(response.tool_calls[0].arguments) == {"a": 1}
    assert response.tool_calls[0].id.startswith("toolu_")
