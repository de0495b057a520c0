"""Hooks, fixtures and options for pytest; bodies import, so that a run without llmtest's fixtures pays nothing.

The world of a test is started in `pytest_runtest_setup`, before pytest-asyncio and the anyio plugin make their event
loops, so that these loops are virtual; it is stopped after every fixture of the test has been torn down.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from llmtest.cassettes import Cassette
    from llmtest.testing import Simulation
    from llmtest.testing._plugin_server import ServedSimulation
    from llmtest.testing._plugin_session import PluginSession

SESSION = pytest.StashKey["PluginSession"]()
"""What the plugin knows of a run; made on first use."""

FIXTURES = ("llm_sim", "llm_sim_module", "llm_sim_session", "llm_server")
MARKERS = ("llm_budget", "llm_scenario")
"""Markers that give a test a world even where no fixture asks for one."""


SETTINGS = (
    "llmtest_seed",
    "llmtest_time",
    "llmtest_fragmentation",
    "llmtest_record",
    "llmtest_vcr_marker",
    "llmtest_cassette_keep",
    "llmtest_cassette_scrub",
    "llmtest_cassette_mask",
    "llmtest_cassette_usage",
    "llmtest_cassette_match_on",
    "llmtest_cassette_before_record",
    "llmtest_cassette_max_age",
    "llmtest_cassette_when_old",
    "llmtest_block_network",
    "llmtest_allowed_hosts",
    "llmtest_dummy_keys",
    "llmtest_prices",
    "llmtest_tokenizer",
    "llmtest_scenarios",
)
"""What an ini file may say."""

OWN_MARKERS = frozenset({*MARKERS, "llm_time", "llm_cassette", "llm_prices"})


class Hooks:
    """What a conftest may say."""

    @staticmethod
    @pytest.hookspec
    def pytest_llmtest_scrub(config: pytest.Config) -> list[str] | None:
        """Return regular expressions of what no cassette is to hold; see `Redactor`."""


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the hooks of the plugin."""
    pluginmanager.add_hookspecs(Hooks)


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare flags and ini settings; what each means is said once, here."""
    group = parser.getgroup("llmtest", "LLM simulation (llmtest)")
    group.addoption("--llmtest-seed", type=int, metavar="N", help="seed of every simulated world (default 0)")
    group.addoption(
        "--llmtest-time", metavar="MODE", help="`virtual` (default), or `real` to let waits take their time"
    )
    group.addoption(
        "--llmtest-block-network",
        action="store_true",
        default=None,
        help="refuse live requests in every test, not only in those that use a simulation",
    )
    group.addoption(
        "--llmtest-record",
        metavar="MODE",
        help="cassettes: `none` (default) plays; `once`, `new_episodes`, `all`, `rewrite` record; `verify` compares",
    )
    group.addoption(
        "--llmtest-fragmentation",
        metavar="MODE",
        help="how streams are cut into network pieces: `events` (default), `whole`, `random`, or a number of bytes",
    )
    group.addoption(
        "--llmtest-cassette-usage", metavar="FILE", help="write what was played of each cassette, for `cassette prune`"
    )
    group.addoption("--llmtest-costs", type=int, metavar="N", help="list the N dearest tests at the end")
    parser.addini("llmtest_seed", "seed of every simulated world", default=None)
    parser.addini("llmtest_fragmentation", "`events`, `whole`, `random`, or a number of bytes", default=None)
    parser.addini("llmtest_time", "`virtual` or `real`", default=None)
    parser.addini("llmtest_record", "mode of every cassette", default=None)
    parser.addini("llmtest_vcr_marker", "run suites of pytest-recording as they are", type="bool", default=False)
    parser.addini("llmtest_cassette_keep", "what no cassette replaces as a credential", type="linelist", default=[])
    parser.addini("llmtest_cassette_mask", "what requests are compared without", type="linelist", default=[])
    parser.addini("llmtest_cassette_scrub", "patterns of what cassettes replace", type="linelist", default=[])
    parser.addini("llmtest_cassette_usage", "file for what was played of each cassette", default=None)
    parser.addini("llmtest_cassette_match_on", "what requests are compared by", type="args", default=[])
    parser.addini("llmtest_cassette_before_record", "hooks on what is recorded", type="args", default=[])
    parser.addini("llmtest_cassette_max_age", "oldest recording that is still good, such as 90d", default=None)
    parser.addini("llmtest_cassette_when_old", "`warn` (default) or `fail`", default=None)
    parser.addini("llmtest_block_network", "refuse live requests in every test", type="bool", default=False)
    parser.addini("llmtest_allowed_hosts", "hosts that requests may reach", type="linelist", default=[])
    parser.addini("llmtest_dummy_keys", "set dummy API keys before collection", type="bool", default=False)
    parser.addini("llmtest_prices", "price file of every test, over the published prices", default=None)
    parser.addini("llmtest_tokenizer", "what counts tokens: a vocabulary, `bytes`, an entry point", default=None)
    parser.addini("llmtest_scenarios", "globs of scenario files to collect as tests", type="args", default=[])
    config = pluginmanager.get_plugin("pytestconfig")
    # Before the command line is read, so that pytest-recording's flags are known; a plugin that was handed to
    # `pytest.main` is asked before the ini file is found.
    if config is not None and hasattr(config, "rootpath") and _says_true(config, "llmtest_vcr_marker"):
        from llmtest.testing._plugin_vcr_choice import bring_fixtures, may_recording_come

        if not may_recording_come(pluginmanager):
            bring_fixtures(pluginmanager)


def pytest_configure(config: pytest.Config) -> None:
    """Describe the markers; their text is their signature and one sentence."""
    for line in (
        'llm_time(mode, start): "real" turns virtual time off for this test; start="2026-03-01" sets its first date.',
        'llm_budget(usd): the test fails if it spends more than usd="0.05" in simulated calls.',
        'llm_prices(path): go by the prices of a file, such as "prices.toml", over the published ones.',
        "llm_cassette(path, mode, match_on, keep_failures, allowed_hosts): replay a recorded session, or record one.",
        "llm_scenario(path, check): run the test in a scenario's world, without its load; check=True judges it.",
    ):
        config.addinivalue_line("markers", line)
    # Nothing public tells which settings a file has: `getini` knows only those that were declared.
    for name in vars(config).get("_inicfg", vars(config).get("inicfg", ())):
        if name.startswith("llmtest_") and name not in SETTINGS:
            from llmtest.testing._plugin_options import unknown_setting

            raise unknown_setting(name, SETTINGS)
    if _switch(config, "llmtest_vcr_marker"):
        from llmtest.testing._plugin_vcr_tests import VcrTests

        config.pluginmanager.register(VcrTests(config), "llmtest-vcr-tests")
    if config.getoption("llmtest_cassette_usage") or _ini(config, "llmtest_cassette_usage"):
        from llmtest.testing._plugin_usage import UsageOfCassettes

        config.pluginmanager.register(UsageOfCassettes(config), "llmtest-cassette-usage")


def pytest_load_initial_conftests(early_config: pytest.Config, parser: pytest.Parser, args: list[str]) -> None:
    """Set dummy keys and block the network before any conftest or test module can make a client."""
    if _says_true(early_config, "llmtest_vcr_marker"):
        from llmtest.testing._plugin_vcr_choice import bring_fixtures, is_recording_there

        if not is_recording_there(early_config.pluginmanager) and bring_fixtures(early_config.pluginmanager):
            early_config.known_args_namespace = parser.parse_known_args(args, namespace=copy(early_config.option))
    options = early_config.known_args_namespace
    if _switch(early_config, "llmtest_dummy_keys"):
        from llmtest.testing._environment import set_dummy_keys

        set_dummy_keys()
    if options.llmtest_block_network or _switch(early_config, "llmtest_block_network"):
        _session(early_config).block_network(_ini(early_config, "llmtest_allowed_hosts"))


def _ini(config: pytest.Config, name: str) -> Any:
    """Return a setting of the ini file, or of the variable that goes before it."""
    if name.upper() not in os.environ:
        return config.getini(name)
    from llmtest.testing._plugin_options import ini_of

    return ini_of(config, name)


def _switch(config: pytest.Config, name: str) -> bool:
    """Return a setting that is true or false; pytest's own complaint of any other word names no setting."""
    try:
        return bool(_ini(config, name))
    except (pytest.UsageError, TypeError, ValueError) as error:
        raise pytest.UsageError(f"{name}: {error}.\nTo fix: {name} = true, or false.") from None


def _says_true(config: pytest.Config, name: str) -> bool:
    """Tell whether a setting is true; what is neither true nor false is told later, as an error of the ini file."""
    try:
        return _switch(config, name)
    except pytest.UsageError:
        return False


def _session(config: pytest.Config) -> PluginSession:
    session = config.stash.get(SESSION, None)
    if session is None:
        from llmtest.testing._plugin_session import PluginSession

        session = config.stash[SESSION] = PluginSession(config)
    return session


def _wants_world(item: pytest.Item) -> bool:
    names = getattr(item, "fixturenames", ())
    return any(name in names for name in FIXTURES) or any(item.get_closest_marker(name) for name in MARKERS)


def _wants_cassette(item: pytest.Item) -> bool:
    return "llm_cassette" in getattr(item, "fixturenames", ()) or item.get_closest_marker("llm_cassette") is not None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Start the world and the cassette of a test that asks for them, before anybody makes an event loop for it."""
    for mark in item.iter_markers():
        if mark.name.startswith("llm_") and mark.name not in OWN_MARKERS:
            _session(item.config).refuse_slip(item, mark.name, OWN_MARKERS)
    named = _ini(item.config, "llmtest_prices") or _ini(item.config, "llmtest_tokenizer")
    if named or item.get_closest_marker("llm_prices"):
        _session(item.config).prices.begin(item)
    world, cassette = _wants_world(item), _wants_cassette(item)
    if world or cassette:
        _session(item.config).arm(item, world=world, cassette=cassette)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Take harness errors out of exception groups, and hold the test to its budget and its scenario."""
    __tracebackhide__ = True
    session = item.config.stash.get(SESSION, None)
    if session is None:
        return (yield)
    return (yield from session.call(item))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, Any, Any]:
    """Stop the world after every fixture is gone, and fail the test for what the code under test swallowed."""
    session = item.config.stash.get(SESSION, None)
    if session is None and "llmtest.testing._totals" not in sys.modules:
        return (yield)
    return (yield from _session(item.config).teardown(item, nextitem))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Remember failures, and add what the simulation can say about them."""
    report = yield
    # Without a fixture of ours a test may have made a world by itself, which has told its errors what to say.
    if SESSION in item.config.stash or "llmtest.testing._failure_section" in sys.modules:
        _session(item.config).reported(item, call, report)
    return report


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect scenario files that the ini setting matches or the command line names."""
    if file_path.suffix not in {".yaml", ".yml"}:
        return None
    globs = _ini(parent.config, "llmtest_scenarios")
    if not globs and not parent.session.isinitpath(file_path):
        return None
    from llmtest.testing._plugin_scenarios import collect_scenario

    return collect_scenario(file_path, parent, globs)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Stop what an interrupted run left behind, fail for what came late, send a worker's counts to its controller."""
    plugin = session.config.stash.get(SESSION, None)
    if plugin is not None and not plugin.finish() and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_unconfigure(config: pytest.Config) -> None:
    """Let live requests through again, for whoever runs pytest in his own process."""
    plugin = config.stash.get(SESSION, None)
    if plugin is not None:
        plugin.unblock_network()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add the counts of a worker of pytest-xdist to the controller's."""
    data = getattr(node, "workeroutput", {}).get("llmtest")
    if data is not None:
        _session(node.config).add_worker(data)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print one line of what all simulations came to, and the dearest tests where that was asked for."""
    plugin = config.stash.get(SESSION, None)
    if plugin is not None:
        plugin.summarise(terminalreporter)


@pytest.fixture
def llm_sim(request: pytest.FixtureRequest) -> Simulation:
    """Give the test a simulated world: providers on a script, virtual time, a trace, and assertions over it."""
    return _session(request.config).simulation(request)


@pytest.fixture(scope="module")
def llm_sim_module(request: pytest.FixtureRequest) -> Simulation:
    """Give the tests of a module one simulated world; scripts and trace are reset between tests."""
    return _session(request.config).simulation(request)


@pytest.fixture(scope="session")
def llm_sim_session(request: pytest.FixtureRequest) -> Simulation:
    """Give the whole run one simulated world; scripts and trace are reset between tests."""
    return _session(request.config).simulation(request)


@pytest.fixture
def llm_server(request: pytest.FixtureRequest) -> ServedSimulation:
    """Give the test simulated providers behind a loopback port, in real time, for other processes and languages."""
    return _session(request.config).simulation(request)  # type: ignore[return-value]  # as its name decides


@pytest.fixture
def llm_cassette(request: pytest.FixtureRequest) -> Cassette:
    """Replay a recorded session to the test, or record one; the marker of the same name says which, and how."""
    return _session(request.config).cassette(request)
