"""The house of the README, enforced: levels, siblings, budgets of imports and lines, one place for time and chance."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from llmtest.wire import dialects

PACKAGE = Path(__file__).parent.parent / "llmtest"

LEVELS = {
    "errors": 0,
    "types": 0,
    "events": 0,
    "clock": 1,
    "wire": 1,
    "faults": 1,
    "costs": 1,
    "interception": 1,
    "providers": 2,
    "resilience": 2,
    "simulation": 2,
    "cassettes": 2,
    "conduct": 3,
    "config": 3,
    "stores": 3,
    "scenarios": 4,
    "reporting": 5,
    "serving": 5,
    "testing": 6,
    "pytest_plugin": 7,
    "cli": 7,
}
"""Rooms by level. Imports only point down, and rooms of one level do not import each other, except on the ground."""

GROUND = {
    "types": {"errors"},
    "events": {"types"},
    "errors": {"types"},
    "costs": {"clock"},
    "faults": {"clock"},
    "interception": {"clock"},
    "config": {"stores"},
}
"""The lower floors' own order: `types` raises `errors`, `events` carries `types`, `errors` names `types` in hints;
prices and budgets have days, and the day is the clock's; so are the dice that let a fault strike; libraries that are
imported late are heard of in one way. Files name the stores of the same floor, which know nothing of files."""

THIRD_PARTY_LIMIT = {
    "yaml": 3,
    "httpx": 4,
    "httpx2": 4,
    "genai_prices": 2,
    "faker": 1,
    "freezegun": 1,
    "vcr": 6,
    "typer": 13,
    "rich": 6,
    "quicktok": 1,
    "redis": 1,
    "prometheus_client": 1,
    "opentelemetry": 2,
    "starlette": 2,
    "uvicorn": 2,
}
"""In how many files a library may be imported."""

LONG_FILES: dict[str, str] = {
    "errors.py": "the whole tree, drawn and defined on one page",
}
"""Files over 400 lines, each with its reason."""

INNER: dict[str, list[set[str]]] = {
    "resilience": [
        {
            "cache._cache_stats",
            "cache._cached_answer",
            "cache._similarity",
            "cache._text_marks",
            "health._health_store",
            "health._watch",
        },
        {
            "health._health_config",
            "health._memory_health",
            "cache._answer_codec",
            "cache._cache_key",
            "cache._cache_store",
            "cache._embedder",
            "cache._flights",
        },
        {"cache._cache_config", "cache._memory_store", "cache._sqlite_store", "health._alerts"},
        {"cache._keepable", "cache._response_cache"},
        {
            "_classification",
            "_http_guard",
            "_own_provider",
            "_stream_start",
            "_timeout",
            "breaker._breaker_config",
            "retry._retry_budget",
        },
        {
            "assembly._relevance",
            "assembly._requirements",
            "pipeline._sync_async",
            "pipeline._call_mark",
            "pipeline._partial_bill",
            "breaker._breaker_store",
            "breaker._windows",
            "fallback._key_store",
            "health._criterion",
            "pipeline._stream_pace",
            "retry._retry_condition",
        },
        {"breaker._memory_circuit", "assembly._source", "assembly._turns"},
        {
            "breaker._breaker",
            "retry._retry",
            "hedging._hedging",
            "assembly._assembled",
            "assembly._block",
            "context._token_budget_config",
            "context._compression",
            "fallback._refused_keys",
            "fallback._trigger",
            "limiting._limits",
            "limiting._window",
            "limiting._waiting",
            "pipeline._completion_stream",
            "routing._score",
            "routing._tasks",
        },
        {
            "assembly._selection",
            "context._summary",
            "_metrics",
            "_own_prices",
            "fallback._slot",
            "limiting._store",
            "routing._smart_config",
        },
        {"_shared_state", "assembly._gathering", "pipeline._running_slot", "fallback._one_policy"},
        {"assembly._assembler", "pipeline._running_call", "fallback._start_slots", "health._slot_health"},
        {"cache._chain_identity", "fallback._log_records"},
        {"pipeline._visit", "hedging._branch", "context._compressor"},
        {"pipeline._running_attempt"},
        {"pipeline._open_stream"},
        {"pipeline._layers", "hedging._lanes"},
        {"cache._cache_hit", "cache._cache_lookup", "health._prober"},
        {
            "_budget_guard",
            "pipeline._sender",
            "breaker._breaker_layer",
            "retry._prompt_retry",
            "retry._retry_layer",
            "fallback._listed_order",
            "routing._context_caps",
        },
        {"pipeline._pipeline", "fallback._walk", "fallback._strategies", "breaker._chain_circuit"},
        {"fallback._measured_order", "fallback._weights", "_description", "_order", "health._chain_health"},
        {
            "context._context_layer",
            "health._health_order",
            "hedging._hedge_layer",
            "limiting._limiter",
            "routing._adaptive",
            "routing._smart_layer",
        },
        {"cache._cache_layer"},
        {"_chain"},
        {"assembly._assembled_provider", "cache._cached_provider"},
        {
            "_builder",
            "_client",
            "fallback._failover",
            "fallback._strict_mofa",
            "hedging._hedged_provider",
            "breaker._breaker_provider",
            "retry._retry_provider",
            "limiting._limited_provider",
            "routing._smart_provider",
            "routing._task_router",
        },
        {"_chat_session", "routing._task_flow"},
        {"_agent"},
    ],
}
"""The floors of a room, the ground first: a file imports from lower floors of its room only, in hints too."""

CIRCLES = {
    ("resilience._chain", "resilience._builder"): "`FallbackChain.builder()` is a word of the source systems",
}
"""Imports against the order of the floors, late or in hints alone, each with its reason."""

AT_IMPORT: dict[str, list[set[str]]] = {
    "wire": [
        {
            "_batches",
            "_foreign",
            "_headers",
            "_ids",
            "_json",
            "_records",
            "_served",
            "_variables",
            "_vocabulary",
            "anthropic._without_effect",
            "anthropic.messages._citations",
            "anthropic.messages._options",
            "azure._filter_results",
            "framing._sse",
            "framing._words",
            "openai._pictures",
            "openai._shared_words",
            "openai._sounds",
            "openai._without_effect",
            "cohere._without_effect",
            "gemini._without_effect",
            "ollama._without_effect",
            "openai.chat._logprobs",
        },
        {
            "_answer_bodies",
            "_classify",
            "_logprobs",
            "_store",
            "anthropic._checks",
            "anthropic._limits",
            "anthropic._shutdowns",
            "anthropic._vocabulary",
            "anthropic.messages._parts",
            "anthropic.messages._usage",
            "azure._headers",
            "framing._event_stream",
            "framing._json_array",
            "framing._ndjson",
            "gemini._checks",
            "gemini._shutdowns",
            "gemini._vocabulary",
            "gemini.generate._parts",
            "ollama._checks",
            "ollama.native._parts",
            "openai._checks",
            "openai._limits",
            "openai._shutdowns",
            "openai._vocabulary",
            "openai.chat._options",
            "openai.chat._parts",
            "openai.chat._usage",
            "openai.responses._options",
            "openai.responses._usage",
        },
        {
            "_batch_api",
            "groq._unknown",
            "mistral._unknown",
            "cohere._likely",
            "gemini.generate._likely",
            "anthropic._bodies",
            "anthropic._errors",
            "bedrock.converse._blocks",
            "anthropic._strict",
            "anthropic.messages._response",
            "anthropic.messages._tools",
            "framing._framing",
            "gemini.generate._contents",
            "gemini.generate._options",
            "ollama.native._messages",
            "ollama.native._options",
            "openai._bodies",
            "openai._errors",
            "openai._forms",
            "openai._strict_options",
            "openai._strict_schema",
            "openai.chat._answer_in_kind",
            "openai.chat._media",
            "openai.chat._tools",
            "openai.responses._items",
        },
        {
            "anthropic._batch_api",
            "anthropic.messages._request",
            "bedrock.converse._messages",
            "framing._event_decoder",
            "gemini.generate._request",
            "gemini.generate._response",
            "ollama.native._request",
            "ollama.native._response",
            "openai._batch_api",
            "openai._strict",
            "openai.chat._response",
            "openai.responses._checks",
            "openai.responses._input",
            "openai.responses._response",
            "openai.responses._tools",
        },
        {
            "_endpoint",
            "_json_errors",
            "_worded_errors",
            "anthropic.messages._stream",
            "gemini.generate._stream",
            "ollama.native._stream",
            "openai.chat._request",
            "openai.chat._stream",
            "openai.chat._stream_writer",
            "openai.responses._request",
            "openai.responses._stream_decoder",
            "openai.responses._stream_writer",
        },
        {
            "_dialect",
            "_model_lists",
            "anthropic._hosted",
            "anthropic._services",
            "azure._filtered_chat",
            "bedrock._errors",
            "bedrock.converse._answer",
            "bedrock.converse._request",
            "cohere._request",
            "gemini._errors",
            "openai._embeddings",
            "openai._services",
            "openai._spoken_errors",
        },
        {
            "_custom",
            "_own_words",
            "_registry",
            "anthropic._batches",
            "anthropic._files",
            "anthropic._models",
            "bedrock._invoke",
            "bedrock.converse._stream",
            "cohere._answer",
            "cohere._services",
            "cohere.v1._request",
            "gemini._generate",
            "ollama._errors",
            "openai._audio",
            "openai._file_table",
            "openai._images",
            "openai._models",
            "openai._moderations",
            "openai._stored_chat",
            "openai._trained_models",
            "openai._voices",
            "openai.completions._request",
            "openai.responses._errors",
            "openai.responses._kept",
            "openrouter._errors",
            "vllm._errors",
        },
        {
            "_owners",
            "anthropic._chat",
            "cohere._errors",
            "cohere._stream",
            "cohere.v1._answer",
            "gemini._batches",
            "gemini._services",
            "ollama._chat",
            "openai._batch_files",
            "openai._chat",
            "openai._responses",
            "openai.completions._response",
            "vllm._server",
        },
        {
            "bedrock._converse",
            "_shutdowns",
            "cohere._chat",
            "cohere.v1._stream",
            "gemini._batch_api",
            "mistral._models",
            "ollama._embeddings",
            "ollama._models",
            "openai._batches",
            "openai._completions",
            "openai._files",
            "openai._own_fields",
        },
        {
            "anthropic._dialect",
            "azure._filtered_responses",
            "cohere._first_version",
            "openai._dialect",
            "openrouter._chat",
            "vertex._predict",
            "vllm._chat",
        },
        {
            "azure._errors",
            "bedrock._dialect",
            "cohere._dialect",
            "gemini._dialect",
            "ollama._compatible",
            "openai._relatives",
            "openrouter._account",
            "vertex._errors",
            "vllm._dialect",
        },
        {
            "azure._addresses",
            "deepseek._dialect",
            "groq._dialect",
            "huggingface._dialect",
            "mistral._dialect",
            "near_ai._dialect",
            "ollama._dialect",
            "openrouter._dialect",
            "perplexity._dialect",
            "tinfoil._dialect",
            "together_ai._dialect",
            "vertex._dialect",
            "xai._dialect",
        },
        {
            "azure._dialect",
        },
    ],
    "simulation": [
        {
            "_addresses",
            "_admission",
            "_call_site",
            "_dummy_keys",
            "_gateway",
            "_latency",
            "_own_endpoint",
            "_prompt_cache",
            "_quota",
            "plan._answer",
            "plan._billing",
            "plan._events",
            "plan._plan",
            "plan._refusal",
            "script._criteria",
            "script._generated_text",
            "script._generated_words",
            "script._instead",
            "script._schema",
            "script._service_answers",
            "script._told_schema",
            "script._windows",
        },
        {
            "_batch_work",
            "_endpoints",
            "_fault_effects",
            "_origin",
            "_unmet_conditions",
            "direct._limited_wait",
            "direct._plan_reader",
            "http._blocked_text",
            "plan._fragmentation",
            "plan._performance",
            "plan._recorded_pace",
            "plan._request_log",
            "plan._wire_edit",
            "script._generated_patterns",
            "script._recording",
            "script._schema_merge",
        },
        {
            "http._late_gate",
            "script._generated_json",
            "script._reply",
        },
        {
            "plan._options",
            "plan._render",
            "script._generated_answer",
            "script._script",
        },
        {
            "_script_texts",
            "_spoken_answer",
        },
        {
            "_service_steps",
            "_unserved_text",
        },
        {
            "_recorded_answer",
        },
        {
            "_engine",
        },
        {
            "_receive",
            "_rule_handle",
        },
        {
            "direct._provider",
        },
        {
            "_handle",
        },
        {
            "_provider",
        },
        {
            "_world",
        },
        {
            "http._replayed",
            "http._transport",
        },
        {
            "http._gate",
        },
    ],
}
"""The floors of rooms whose files name each other in hints: what a file needs to be imported is on a lower floor.

A front door of an inner room stands on the floor of the highest file behind it."""

FILES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


def room_of(module: str) -> str:
    """Return the room of a dotted module name inside the package."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    """Return the syntax of a file, flat; parsed once, for every test here asks for it again."""
    return tuple(ast.walk(ast.parse((PACKAGE / path).read_text())))


@cache
def imports_of(path: Path) -> frozenset[str]:
    """Return every module a file imports, late imports and type-checking imports included."""
    found: set[str] = set()
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: write the absolute import, so that the level is visible"
            found.add(node.module or "")
    return frozenset(found)


@pytest.mark.parametrize("path", FILES, ids=str)
def test_imports_only_point_down(path):
    """A room imports from lower levels only, and never from its siblings."""
    room = path.parts[0].removesuffix(".py")
    if room in {"__init__", "__main__"}:
        return
    assert room in LEVELS, f"{room} has no level: add it to LEVELS and to the README"
    for module in imports_of(path):
        if not module.startswith("llmtest.") or room_of(module) == room:
            continue
        target = room_of(module)
        allowed = LEVELS[target] < LEVELS[room] or target in GROUND.get(room, ())
        assert allowed, f"{path} (level {LEVELS[room]}) imports {module} (level {LEVELS[target]})"


def inner_name(path: Path) -> str:
    """Return the name of a file inside its room, such as `pipeline._visit`."""
    return ".".join(path.with_suffix("").parts[1:])


@pytest.mark.parametrize("path", [path for path in FILES if path.parts[0] in INNER], ids=str)
def test_the_files_of_a_room_have_floors(path):
    """Inside a room imports point down as well; the front doors re-export from wherever they like."""
    if path.name == "__init__.py":
        return
    room, name = path.parts[0], inner_name(path)
    floor_of = {each: number for number, floor in enumerate(INNER[room]) for each in floor}
    assert name in floor_of, f"{path} has no floor: add it to INNER"
    for module in imports_of(path):
        if room_of(module) != room:
            continue
        target = module.removeprefix(f"llmtest.{room}.")
        assert target in floor_of, f"{path} imports {module}: name the file, not the room's front door"
        allowed = floor_of[target] < floor_of[name] or (f"{room}.{name}", f"{room}.{target}") in CIRCLES
        assert allowed, f"{path} (floor {floor_of[name]}) imports {target} (floor {floor_of[target]})"


def test_every_floor_and_every_circle_is_real():
    """The tables name no file that is gone, and no import that nobody makes any more."""
    for room, floors in INNER.items():
        known = {inner_name(path) for path in FILES if path.parts[0] == room and path.name != "__init__.py"}
        assert {name for floor in floors for name in floor} == known
    for source, target in CIRCLES:
        assert f"llmtest.{target}" in imports_of(Path(*source.split(".")).with_suffix(".py"))


def needed_by(path: Path) -> set[str]:
    """Return the modules of the package that a file needs to be imported: no hints, nothing late."""
    found: set[str] = set()
    waiting: list[ast.stmt] = list(ast.parse((PACKAGE / path).read_text()).body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("llmtest"):
            below = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {each for each in below if file_of(each)} or {node.module}
        elif isinstance(node, ast.If) and "TYPE_CHECKING" not in ast.dump(node.test):
            waiting += [*node.body, *node.orelse]
        elif isinstance(node, ast.Try | ast.With):
            waiting += node.body
    return found


def file_of(module: str) -> Path | None:
    """Return the file of a dotted module name, a front door included."""
    inside = Path(*module.split(".")[1:])
    return next((each for each in (inside.with_suffix(".py"), inside / "__init__.py") if each in FILES), None)


def needs_inside(path: Path, room: str) -> set[Path]:
    """Return the files of its room that a file needs to be imported, front doors opened."""
    found: set[Path] = set()
    waiting = [file for file in map(file_of, needed_by(path)) if file is not None and file.parts[0] == room]
    while waiting:
        file = waiting.pop()
        if file.name != "__init__.py":
            found.add(file)
        elif len(file.parts) > 2:
            waiting += (inner for inner in map(file_of, needed_by(file)) if inner is not None)
    return found


@pytest.mark.parametrize("path", [path for path in FILES if path.parts[0] in AT_IMPORT], ids=str)
def test_files_are_imported_from_the_ground_up(path):
    """In a room with floors nothing needs what is above it or beside it, so that there is no circle."""
    if path.name == "__init__.py":
        return
    room = path.parts[0]
    floor_of = {each: number for number, floor in enumerate(AT_IMPORT[room]) for each in floor}
    assert inner_name(path) in floor_of, f"{path} has no floor: add it to AT_IMPORT"
    for file in needs_inside(path, room) - {path}:
        lower = floor_of[inner_name(file)] < floor_of[inner_name(path)]
        assert lower, f"{path} (floor {floor_of[inner_name(path)]}) needs {file} (floor {floor_of[inner_name(file)]})"


def test_every_floor_holds_files_that_are_there():
    """The table names no file that is gone."""
    for room, floors in AT_IMPORT.items():
        known = {inner_name(path) for path in FILES if path.parts[0] == room and path.name != "__init__.py"}
        assert {name for floor in floors for name in floor} == known


def test_third_party_libraries_are_imported_in_few_files():
    """Each library has a few files that know it."""
    for library, limit in THIRD_PARTY_LIMIT.items():
        users = [str(path) for path in FILES if library in {name.split(".")[0] for name in imports_of(path)}]
        assert len(users) <= limit, f"{library} is imported in {len(users)} files, {limit} allowed: {users}"


BANNED_CALLS = {
    "time": {"time", "time_ns", "sleep", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"},
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
    "uuid": {"uuid1", "uuid4"},
    "random": {"random", "choice", "choices", "uniform", "randint", "shuffle", "gauss", "sample", "seed"},
    "os": {"urandom"},
    "secrets": {"token_hex", "token_bytes", "choice"},
}


@pytest.mark.parametrize("path", [path for path in FILES if path.parts[0] != "clock"], ids=str)
def test_time_and_chance_are_read_in_the_clock_alone(path):
    """No wall clock, no sleep, no global randomness outside `clock/`."""
    for node in nodes_of(path):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            banned = node.attr in BANNED_CALLS.get(node.value.id, ())
            assert not banned, f"{path}:{node.lineno}: {node.value.id}.{node.attr}: take it from llmtest.clock"
        if isinstance(node, ast.ImportFrom) and node.module in BANNED_CALLS:
            names = {alias.name for alias in node.names} & BANNED_CALLS[node.module]
            assert not names, f"{path}:{node.lineno}: from {node.module} import {names}: take it from llmtest.clock"


@pytest.mark.parametrize("path", FILES, ids=str)
def test_files_and_functions_can_be_read_in_one_sitting(path):
    """Files stay under 400 lines and functions under 70, or say why not; no file is named for being a rest."""
    source = (PACKAGE / path).read_text()
    assert path.name not in {"utils.py", "helpers.py", "core.py", "base.py", "misc.py", "common.py"}
    assert source.count("\n") <= 400 or str(path) in LONG_FILES, f"{path} has {source.count(chr(10))} lines"
    for node in nodes_of(path):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= 70, f"{path}:{node.lineno}: {node.name} has {length} lines"


@pytest.mark.parametrize(
    "path", [path for path in FILES if len(path.parts) > 1 and path.name == "__init__.py"], ids=str
)
def test_a_room_s_front_door_only_re_exports(path):
    """`__init__.py` of a room holds a docstring, imports, `__all__`, the lazy `__getattr__`; code is behind it."""
    for node in ast.parse((PACKAGE / path).read_text()).body:
        code = isinstance(node, ast.ClassDef) or (
            isinstance(node, ast.FunctionDef) and node.name not in {"__getattr__", "__dir__", "main"}
        )
        assert not code, f"{path}:{node.lineno}: move this into a file of its own"


def test_a_plain_pytest_run_pays_nothing():
    """Importing the plugin loads at most 10 modules and none of a third party."""
    code = (
        "import pytest, sys; before = set(sys.modules); import llmtest.pytest_plugin; "
        "print('\\n'.join(sorted(set(sys.modules) - before)))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "llmtest.pytest_plugin" in loaded
    assert len(loaded) <= 10, loaded
    foreign = [name for name in loaded if name.split(".")[0] not in {"llmtest", *sys.stdlib_module_names}]
    assert foreign == []


def strings_of(path: Path) -> list[tuple[int, str]]:
    """Return the texts a file writes, docstrings left out."""
    documented = {
        id(node.body[0].value)
        for node in nodes_of(path)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    described = {id(node.value) for node in nodes_of(path) if isinstance(node, ast.Expr)}
    return [
        (node.lineno, node.value)
        for node in nodes_of(path)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documented | described
    ]


SPOKEN_OF = {
    "costs/_prices.py": "names of the price list, which is another registry",
    "costs/_added_prices.py": "an example in an error text, on a low floor",
    "costs/_simulated_prices.py": "names of another system's table",
    "costs/_snapshot.py": "the same",
    "costs/_tiers.py": "the same",
    "costs/_unknown.py": "advice that names a switch of one API",
    "costs/_windows.py": "families of models",
    "cassettes/_shapes.py": "shapes of keys, of many more vendors",
    "types/_extra.py": "an example in an error text, on the ground floor",
    "scenarios/_profiles.py": "the names of published traces",
    "simulation/http/_blocked_text.py": "a variable of litellm",
    "interception/_telemetry.py": "hosts that libraries report to",
    "cli/_init.py": "modules of SDKs that a first test can be about",
    "cli/_init_files.py": "a first test for each of them",
    "cli/_init_survey.py": "modules of SDKs that a project may import",
}
"""Files outside the dialects' own folders that may write the name of one."""


@pytest.mark.parametrize("path", [path for path in FILES if path.parts[0] != "wire" or len(path.parts) == 2], ids=str)
def test_a_dialect_s_name_is_written_in_its_own_folder(path):
    """What is known of an API stands in its record; everybody else asks the registry."""
    if path.as_posix() in SPOKEN_OF:
        return
    names = {name for name in dialects() if name != "openai_compatible"}
    for line, text in strings_of(path):
        found = names & set(re.split(r"[^a-z0-9]+", text.lower()))
        assert not found, f"{path}:{line} writes {sorted(found)} in {text!r}: take it from the record"
