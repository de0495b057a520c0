"""`llmtest costs` reads spans of OpenTelemetry, what a server tells, and calls at hosts of compatible providers."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from llmtest import FallbackChain, LLMClient, Simulation, export_spans
from llmtest.costs import CostLedger, Prices, SqliteLedgerStore
from llmtest.events import facts_of
from llmtest.faults import Overloaded
from llmtest.reporting import billed_calls
from llmtest.serving import Server, served_world
from llmtest.types import Usage
from tests.cli.cassette_samples import CHAT, asked, ours
from tests.cli.cost_samples import answered, groups, write

START = "1767225600000000000"  # 2026-01-01
EACH = Prices().require("openai", "gpt-4o", Usage(1000, 100), datetime(2026, 1, 1, tzinfo=UTC))


def attribute(name, value):
    """Return an attribute as OTLP writes it: whole numbers are text."""
    kind, shown = ("intValue", str(value)) if isinstance(value, int) else ("stringValue", value)
    return {"key": name, "value": {kind: shown}}


def span(number, parent=None, status=None, **facts):
    """Return a span of a call as OTLP writes it; `gen_ai` facts by their last words, others as they are."""
    told = {"operation.name": "chat", "provider.name": "openai", "request.model": "gpt-4o"}
    told |= {"usage.input_tokens": 1000, "usage.output_tokens": 100, **facts.pop("gen_ai", {})}
    facts |= {f"gen_ai.{name}": value for name, value in told.items() if value is not None}
    found = {"traceId": "ab" * 16, "spanId": f"{number:016x}", "name": "chat gpt-4o", "startTimeUnixNano": START}
    found["attributes"] = [attribute(name.replace("__", "."), value) for name, value in facts.items()]
    if parent is not None:
        found["parentSpanId"] = f"{parent:016x}"
    return found if status is None else {**found, "status": {"code": status}}


def otlp(*spans, service="shop"):
    """Return spans as OTLP writes them in JSON."""
    resource = {"attributes": [attribute("service.name", service)]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": "x"}, "spans": list(spans)}]}]}


def printed(number, **attributes):
    """Return a span as Python's SDK prints it."""
    return {
        "name": "chat gpt-4o",
        "context": {"trace_id": f"0x{'ab' * 16}", "span_id": f"0x{number:016x}", "trace_state": "[]"},
        "kind": "SpanKind.CLIENT",
        "parent_id": None,
        "start_time": "2026-01-01T05:30:00.000000Z",
        "end_time": "2026-01-01T05:30:01.000000Z",
        "status": {"status_code": "UNSET"},
        "attributes": attributes,
        "events": [],
        "links": [],
        "resource": {"attributes": {"service.name": "shop"}, "schema_url": ""},
    }


OLD_NAMES = {
    "gen_ai.system": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.prompt_tokens": 1000,
    "gen_ai.usage.completion_tokens": 100,
}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(json.dumps(otlp(span(1), span(2))), id="one-document"),
        pytest.param(json.dumps(otlp(span(1), span(2)), indent=2), id="a-document-on-many-lines"),
        pytest.param(f"{json.dumps(otlp(span(1)))}\n{json.dumps(otlp(span(2)))}\n", id="a-line-each"),
        pytest.param(json.dumps([otlp(span(1)), otlp(span(2))]), id="a-list"),
        pytest.param(
            json.dumps(printed(1, **OLD_NAMES), indent=4) + "\n" + json.dumps(printed(2, **OLD_NAMES), indent=4) + "\n",
            id="as-python-prints-them",
        ),
        pytest.param(
            f"{json.dumps(printed(1, **OLD_NAMES))}\n{json.dumps(printed(2, **OLD_NAMES))}\n",
            id="printed-on-a-line-each",
        ),
    ],
)
def test_spans_are_priced_however_they_are_laid_out(costs, tmp_path, text):
    """OTLP in JSON and in lines, and what Python's SDK prints, in today's names and in those before."""
    (tmp_path / "spans.json").write_text(text)
    found = groups(costs("spans.json", "--json"))
    assert {name: (calls, Decimal(usd)) for name, (calls, usd) in found.items()} == {"openai:gpt-4o": (2, 2 * EACH)}
    assert list(groups(costs("spans.json", "--by", "hour", "--json"))) in (["2026-01-01T00"], ["2026-01-01T05"])


def test_a_call_that_is_told_twice_counts_once(costs, tmp_path):
    """Agents and frameworks tell again what the spans of SDKs within them tell; calls that failed cost nothing."""
    agent = {"operation.name": "invoke_agent"}
    spans = [span(4, 3), span(3, 2, gen_ai={"operation.name": "POST", "usage.input_tokens": None}), span(2, 1)]
    spans[1]["attributes"] = []
    failed = span(5, 1, status=2, gen_ai={"usage.input_tokens": None, "usage.output_tokens": None})
    lines = [otlp(each) for each in (*spans, failed, span(1, gen_ai=agent))]
    (tmp_path / "lines.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    (tmp_path / "parents_first.json").write_text(json.dumps(otlp(span(1, gen_ai=agent), *reversed(spans))))
    for name in ("lines.jsonl", "parents_first.json"):
        assert [calls for calls, _ in groups(costs(name, "--json")).values()] == [1]


def test_spans_tell_cached_tokens_tiers_labels_and_tests(costs, tmp_path):
    """Cached tokens are within the prompt, or beside it where an instrumentation writes Anthropic's own numbers."""
    cached = {
        "usage.cache_read.input_tokens": 600,
        "usage.cache_creation.input_tokens": 200,
        "response.model": "gpt-4o",
    }
    beside = {"provider.name": "anthropic", "request.model": "claude-sonnet-4-5", "usage.cache_read_input_tokens": 5000}
    facts = {"team": "search", "http.status_code": 200, "test.case.name": "tests/test_app.py::test_search"}
    spans = [span(1, gen_ai=cached, **facts), span(2, gen_ai=beside, **{"openai.response.service_tier": "batch"})]
    (tmp_path / "spans.json").write_text(json.dumps(otlp(*spans)))
    total = json.loads(costs("spans.json", "--json")[1])["groups"]
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    usages = [Usage(1000, 100, 600, 200), Usage(6000, 100, 5000)]
    assert [(group["input_tokens"], Decimal(group["usd"])) for group in total] == [
        (1000, Prices().require("openai", "gpt-4o", usages[0], moment)),
        (6000, Prices().require("anthropic", "claude-sonnet-4-5", usages[1], moment, tier="batch")),
    ]
    assert list(groups(costs("spans.json", "--by", "tag", "--json"))) == [
        "service.name=shop, team=search",
        "service.name=shop",
    ]
    assert list(groups(costs("spans.json", "--by", "test", "--json"))) == [
        "tests/test_app.py::test_search",
        "spans.json",
    ]


def test_who_is_asked_is_who_is_at_the_address(costs, tmp_path):
    """Compatible servers are asked by others' SDKs: the address says who charges, where anybody is known there."""
    places = [
        ("api.groq.com", 443),
        ("localhost", 11434),
        ("api.novita.ai", None),
        ("gateway.corp", None),
        (None, None),
    ]
    spans = []
    for number, (host, port) in enumerate(places, 1):
        where = {"server.address": host, "server.port": port}
        spans.append(span(number, **{name: value for name, value in where.items() if value is not None}))
    (tmp_path / "spans.json").write_text(json.dumps(otlp(*spans)))
    assert {name: calls for name, (calls, _) in groups(costs("spans.json", "--by", "provider", "--json")).items()} == {
        "groq": 1,
        "ollama": 1,
        "api.novita.ai": 1,
        "openai": 2,
    }


@pytest.mark.parametrize(
    ("convention", "known"),
    [("gcp.vertex_ai", "google"), ("aws.bedrock", "aws"), ("mistral_ai", "mistral"), ("x_ai", "x-ai")],
)
def test_providers_have_the_prices_of_their_names_in_the_conventions(convention, known):
    """OpenTelemetry's names of providers are those of the price list by another name."""
    models = {
        "google": "gemini-2.5-pro",
        "aws": "amazon.nova-pro-v1:0",
        "mistral": "mistral-large-latest",
        "x-ai": "grok-3",
    }
    price = Prices().cost(convention, models[known], Usage(1000, 100))
    assert price == Prices().cost(known, models[known], Usage(1000, 100)) > 0


def test_spans_of_our_own_cost_what_the_run_cost(costs, tmp_path):
    """What `export_spans` makes of a simulated session is priced as the session says, provider by provider."""
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

    tracing = TracerProvider()
    with (tmp_path / "spans.json").open("w") as file, Simulation() as sim:
        tracing.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(out=file)))
        sim.openai.fails(Overloaded(), times=None)
        sim.gemini.replies("Paris", times=None)
        chain = FallbackChain([sim.openai.as_provider("gpt-4o"), sim.gemini.as_provider("gemini-2.5-flash")])
        for _ in range(3):
            LLMClient(chain).ask("Capital of France?")
        assert export_spans(sim, tracing) > 6
        spent = sim.costs.by_provider()
    found = groups(costs("spans.json", "--by", "provider", "--json"))
    assert {name: Decimal(usd) for name, (_, usd) in found.items()} == spent
    assert found["gemini"][0] == 3


def test_a_span_without_tokens_is_unknown_and_never_zero(costs, tmp_path):
    """A call that was answered and whose tokens nobody counted is named."""
    uncounted = {"usage.input_tokens": None, "usage.output_tokens": None}
    (tmp_path / "spans.json").write_text(json.dumps(otlp(span(1), span(2, gen_ai=uncounted))))
    status, out, _ = costs("spans.json")
    assert status == 0
    assert "openai:gpt-4o: nobody counted the tokens of 1 call; its cost is unknown, not zero." in out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            '{"resourceSpans": [{"resource":',
            "spans.json:1: this is not JSON: Expecting value; the file ends within it.",
        ),
        (
            json.dumps(otlp(span(1))) + "\n" + json.dumps(otlp(span(2, gen_ai={"usage.input_tokens": "many"}))) + "\n",
            "spans.json:2: this is no span: `gen_ai.usage.input_tokens` is a number of tokens, got 'many'.",
        ),
        ('{"resourceMetrics": []}', "spans.json:1: this is no span: it holds metrics; calls are told by spans."),
        (json.dumps(otlp()), "spans.json: there is no call in it that anybody was charged for."),
    ],
)
def test_broken_spans_are_one_readable_error(costs, tmp_path, text, words):
    """File and line are named, and how spans are exported again."""
    (tmp_path / "spans.json").write_text(text)
    status, out, err = costs("spans.json")
    assert (status, out) == (2, "")
    assert words in err
    assert "To fix:" in err


@pytest.fixture(scope="module")
def server_log():
    """Return what a server tells after three requests, one of them refused: requests, and the trace."""
    import httpx2

    world, set_up = served_world(seed=3)
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}], "metadata": {"team": "search"}}
    body["store"] = True
    with Server(world, on_reset=set_up) as server, httpx2.Client(base_url=server.base_url) as client:
        client.post("/v1/chat/completions", json=body)
        client.post("/v1/messages", json={"model": "claude-sonnet-4-5", "messages": body["messages"], "max_tokens": 5})
        client.post("/v1/messages", content=b"nonsense")
        told = client.get("/_llmtest/costs").json()["by_provider"]
        return told, {name: client.get(f"/_llmtest/{name}").text for name in ("requests", "trace")}


@pytest.mark.parametrize("form", ["requests", "trace", "lines", "indented"])
def test_what_a_server_tells_is_priced(costs, tmp_path, server_log, form):
    """What `/_llmtest/requests` and `/_llmtest/trace` export costs what the server itself says, labels included."""
    told, texts = server_log
    text = texts.get(form) or texts["requests"]
    if form == "lines":
        text = "".join(f"{json.dumps(entry)}\n" for entry in json.loads(text)["requests"])
    if form == "indented":
        text = json.dumps(json.loads(text), indent=2)
    (tmp_path / "server.json").write_text(text)
    found = groups(costs("server.json", "--by", "provider", "--json"))
    assert {name: Decimal(usd) for name, (_, usd) in found.items()} == {
        name: Decimal(usd) for name, usd in told.items() if usd is not None and Decimal(usd)
    }
    assert groups(costs("server.json", "--by", "tag:team", "--json"))["search"][0] == 1
    assert groups(costs("server.json", "--by", "hour", "--json")).keys() == {"+0h"}


def test_a_server_tells_rare_tokens_and_tiers(costs, tmp_path):
    """Cached tokens and tools keep their prices on the way through an export."""
    usage = {"input_tokens": 1000, "output_tokens": 100, "cache_read_tokens": 600, "server_tools": {"web_search": 2}}
    entry = {"provider": "anthropic", "number": 1, "at_s": 1.5, "model": "claude-sonnet-4-5", "outcome": "200"}
    entry |= {"usage": usage, "cost_usd": None, "service_tier": "batch", "body": None}
    (tmp_path / "server.json").write_text(json.dumps({"requests": [entry]}))
    each = Prices().require(
        "anthropic", "claude-sonnet-4-5", Usage(1000, 100, 600, server_tools=(("web_search", 2),)), tier="batch"
    )
    assert Decimal(groups(costs("server.json", "--json"))["anthropic:claude-sonnet-4-5"][1]) == each


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"requests": [{"provider": "openai", "at_s": 1}]}', "server.json: request 1: lacks 'usage'."),
        ('{"requests": [{"provider": "openai", ', "server.json:1: this is not JSON"),
        (json.dumps({"events": [{"at_s": 1, "facts": {"kind": "answer"}}]}), "server.json: event 1: lacks 'provider'."),
    ],
)
def test_a_broken_export_of_a_server_is_one_readable_error(costs, tmp_path, text, words):
    """The entry is named, and how it is had again."""
    (tmp_path / "server.json").write_text(text)
    status, _, err = costs("server.json")
    assert status == 2
    assert words in err
    assert "/_llmtest/" in err


def test_hosts_of_compatible_providers_have_their_prices(costs, tmp_path):
    """A recorded call at a host that the price list knows costs what its provider asks; elsewhere it is unknown."""
    body = {"id": "c1", "object": "chat.completion", "created": 1, "model": "deepseek/deepseek-r1", "choices": []}
    body["usage"] = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
    told = {"body": json.dumps(body).encode()}
    hosts = ("api.novita.ai", "llm.example.com")
    recorded = [asked(uri=CHAT.replace("api.openai.com", host), **told) for host in hosts]
    (tmp_path / "a.yaml").write_text(ours(*recorded))
    price = Prices().require("novita", "deepseek/deepseek-r1", Usage(1000, 100), datetime(2026, 1, 1, tzinfo=UTC))
    assert groups(costs("a.yaml", "--by", "provider", "--json")) == {
        "api.novita.ai": (1, f"{price:f}"),
        "llm.example.com": (1, None),
    }


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("provider", None, "`provider`"),
        ("model", {}, "`model`"),
        ("at_ns", None, "`at_ns`"),
        ("cost_usd", "NaN", "`cost_usd`"),
        ("cost_usd", "1E+999", "`cost_usd`"),
        ("cost_usd", "-1", "`cost_usd`"),
        ("service_tier", 7, "`service_tier`"),
        ("metadata", "search", "`metadata`"),
        ("usage", {"input_tokens": -5, "output_tokens": 1}, "`input_tokens` is a whole number of 0 or more, got -5"),
        ("usage", {"input_tokens": 5, "output_tokens": 1, "cache_read_tokens": True}, "`cache_read_tokens`"),
        ("usage", {"input_tokens": 5, "output_tokens": 1, "server_tools": {"web_search": "2"}}, "web_search"),
        ("usage", {"input_tokens": 5, "output_tokens": 1, "source": "guessed"}, "`source`"),
    ],
)
def test_facts_of_another_kind_are_one_readable_error(costs, tmp_path, field, value, words):
    """No fact of a file, however odd, is summed as something else or breaks the command; the line is named."""
    write(tmp_path / "run.jsonl", answered(1))
    head, answer, *_ = (tmp_path / "run.jsonl").read_text().splitlines()
    (tmp_path / "run.jsonl").write_text(f"{head}\n{json.dumps({**json.loads(answer), field: value})}\n")
    status, out, err = costs("run.jsonl", "--by", "hour")
    assert (status, out) == (2, "")
    assert err.startswith("ConfigurationError: run.jsonl:2: ")
    assert words in err
    trace = {"events": [{"at_s": 0.0, "facts": {**json.loads(answer), field: value}}]}
    (tmp_path / "trace.json").write_text(json.dumps(trace))
    assert costs("trace.json", "--by", "hour")[0] == 2


def test_a_folder_holds_spans_servers_and_events_together(costs, tmp_path):
    """Everything in a folder that tells of calls is priced; what is something else is passed over."""
    (tmp_path / "spans.jsonl").write_text(json.dumps(otlp(span(1))) + "\n")
    (tmp_path / "trace.json").write_text(
        json.dumps({"events": [{"at_s": 0.0, "call": 1, "facts": facts_of(answered(1))}], "text": ""})
    )
    (tmp_path / "cassette.yaml").write_text(ours(asked()))
    (tmp_path / "package.json").write_text('{"name": "web"}')
    found = groups(costs(".", "--by", "test", "--json"))
    assert {name: calls for name, (calls, _) in found.items()} == {
        "spans.jsonl": 1,
        "trace.json": 1,
        "cassette.yaml": 1,
    }


def test_the_share_that_is_read_goes_up_to_one_over_all_files(tmp_path):
    """Who watches is told of all bytes and all calls together, whatever kinds of files there are."""
    write(tmp_path / "run.jsonl", *(answered(number) for number in range(1, 5000)))
    (tmp_path / "spans.json").write_text(json.dumps(otlp(span(1))))
    (tmp_path / "a.yaml").write_text(ours(asked()))
    (tmp_path / "t.csv").write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n2026-01-01 00:00:00.0,1000,100\n")
    told = []
    paths = [tmp_path / "t.csv", tmp_path / "run.jsonl", tmp_path / "spans.json", tmp_path / "a.yaml"]
    calls = sum(1 for _ in billed_calls(paths, lambda share, count: told.append((share, count))))
    assert calls == 4999 + 3
    assert told == sorted(told)
    assert told[-1] == (1.0, calls)
    assert len({share for share, _ in told}) > 5


def test_an_account_in_a_file_is_priced_by_test(costs, tmp_path):
    """Entries that processes have kept tell their tests and labels; what was not billed is left out."""
    with SqliteLedgerStore(tmp_path / "costs.db") as store:
        ledger = CostLedger(store=store, test="test_search")
        ledger.record("openai", "gpt-4o", Usage(1000, 100), Decimal("0.0035"), metadata={"team": "search"})
        ledger.record("openai", "gpt-4o", Usage(1000, 100), Decimal("0.0035"), test="test_other")
        ledger.record("openai", "gpt-4o", Usage(1000, 100), Decimal("0.0035"), billed=False)
    assert groups(costs("costs.db", "--by", "test", "--json")) == {
        "test_search": (1, "0.0035"),
        "test_other": (1, "0.0035"),
    }
    assert groups(costs("costs.db", "--by", "tag:team", "--json"))["search"] == (1, "0.0035")
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE sales (amount)")
    status, out, err = costs("other.db")
    assert (status, out) == (2, "")
    assert "other.db" in err
    assert "To fix:" in err
