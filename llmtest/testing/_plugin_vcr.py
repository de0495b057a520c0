"""pytest-recording's flags, markers, fixtures and hook, for a suite that has them and runs without that plugin.

Names, scopes and the order of precedence are those of pytest-recording 0.14, so that a suite overrides them as before.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

RECORD_MODES = ("once", "new_episodes", "none", "all", "rewrite")
BLOCK_OPTIONS = ("allowed_hosts",)
FORBIDDEN = r"<>?%*:|\"'/\\"
"""What no name of a cassette may hold; each is written `-`."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare pytest-recording's flags."""
    group = parser.getgroup("recording")
    group.addoption("--record-mode", default=None, choices=RECORD_MODES, help="mode of vcrpy (default `none`)")
    group.addoption(
        "--block-network", action="store_true", default=False, help="refuse connections, except where vcrpy records"
    )
    group.addoption(
        "--allowed-hosts", default=None, help="regular expressions, with commas, of hosts that may be connected to"
    )
    group.addoption("--disable-recording", action="store_true", default=False, help="use no cassette of vcrpy")


class Hooks:
    """What a suite may hook into."""

    def pytest_recording_configure(self, config: pytest.Config, vcr: Any) -> None:
        """Register matchers, serializers and a persister on the `vcr.VCR` of a test."""


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare pytest-recording's hook."""
    pluginmanager.add_hookspecs(Hooks)


def pytest_configure(config: pytest.Config) -> None:
    """Describe pytest-recording's markers."""
    if config.pluginmanager.has_plugin("vcr"):
        raise pytest.UsageError(
            "llmtest_vcr_marker = true: pytest-vcr is there too, and both would play tests marked `vcr`.\n"
            "To fix: uninstall pytest-vcr, or run pytest with `-p no:vcr`."
        )
    for line in (
        "vcr(path, ...): play vcrpy's cassette of the test, and further ones; keywords are options of vcrpy.",
        "block_network(allowed_hosts): refuse connections, except where vcrpy records.",
        "default_cassette(name): the name of the test's cassette.",
        "allowed_hosts: hosts that may be connected to, as regular expressions.",
    ):
        config.addinivalue_line("markers", line)


@pytest.fixture(scope="session")
def record_mode(request: pytest.FixtureRequest) -> str:
    """Return the mode that the command line asks for; `none` if it asks for none."""
    options = request.config.option
    return options.record_mode or options.llmtest_record or "none"


@pytest.fixture(scope="session")
def disable_recording(request: pytest.FixtureRequest) -> bool:
    """Return whether cassettes are turned off."""
    return bool(request.config.option.disable_recording)


@pytest.fixture
def vcr_config() -> dict[str, Any]:
    """Return options of vcrpy; a suite overrides this."""
    return {}


@pytest.fixture
def allowed_hosts(request: pytest.FixtureRequest, vcr_config: dict[str, Any]) -> list[str] | None:
    """Return the hosts that may be connected to: the marker's go before the flag's, those before `vcr_config`'s."""
    mark = request.node.get_closest_marker("block_network")
    marked = None if mark is None else mark.kwargs.get("allowed_hosts")
    hosts = marked or request.config.option.allowed_hosts or vcr_config.get("allowed_hosts")
    return hosts.split(",") if isinstance(hosts, str) else hosts


@pytest.fixture
def vcr_markers(request: pytest.FixtureRequest) -> list[pytest.Mark]:
    """Return the markers `vcr` of a test, the closest first."""
    return list(request.node.iter_markers(name="vcr"))


@pytest.fixture(autouse=True)
def block_network(request: pytest.FixtureRequest, record_mode: str, vcr_markers: list[pytest.Mark]) -> Iterator[None]:
    """Refuse connections where a marker or the flag asks for it, and nothing is recorded."""
    mark = request.node.get_closest_marker("block_network")
    if mark is not None and (mark.args or any(name not in BLOCK_OPTIONS for name in mark.kwargs)):
        raise pytest.UsageError(
            "Invalid arguments to `block_network`. It accepts only the following keyword arguments: `allowed_hosts`. "
            f"Got args: {mark.args!r}; kwargs: {dict(mark.kwargs)!r}"
        )
    if mark is None and not request.config.option.block_network:
        yield
        return
    if vcr_markers and request.config.option.record_mode is None:
        from llmtest.cassettes.vcr import merged

        options = merged(request.getfixturevalue("vcr_config"), vcr_markers)
        record_mode = options.get("record_mode", record_mode)
    if vcr_markers and record_mode != "none":
        yield
        return
    from llmtest.testing._plugin_vcr_block import connections_refused

    with connections_refused(request.getfixturevalue("allowed_hosts")):
        yield


@pytest.fixture(autouse=True)
def vcr(
    request: pytest.FixtureRequest,
    vcr_markers: list[pytest.Mark],
    vcr_cassette_dir: str,
    record_mode: str,
    disable_recording: bool,
    pytestconfig: pytest.Config,
) -> Iterator[Any]:
    """Give a test that is marked `vcr` its cassette of vcrpy; None where it has none, or one of `llm_cassette`."""
    ours = "llm_cassette" in request.fixturenames or request.node.get_closest_marker("llm_cassette") is not None
    if disable_recording or not vcr_markers or ours:
        yield None
        return
    from llmtest.cassettes.vcr import suite_cassette

    hook = pytestconfig.hook.pytest_recording_configure
    with suite_cassette(
        request.getfixturevalue("default_cassette_name"),
        vcr_cassette_dir,
        record_mode,
        marks=vcr_markers,
        config=request.getfixturevalue("vcr_config"),
        configure=lambda vcr: hook(config=pytestconfig, vcr=vcr),
    ) as cassette:
        yield cassette


@pytest.fixture(scope="module")
def vcr_cassette_dir(request: pytest.FixtureRequest) -> str:
    """Return the folder of a module's cassettes: `cassettes/<module>` beside it."""
    module = request.node.path
    return str(module.parent / "cassettes" / module.stem)


@pytest.fixture
def default_cassette_name(request: pytest.FixtureRequest) -> str:
    """Return the name of a test's cassette: its own, or what the marker `default_cassette` says."""
    mark = request.node.get_closest_marker("default_cassette")
    if mark is None:
        return cassette_name(request.cls, request.node.name)
    if not mark.args:
        raise pytest.UsageError(
            "You should pass the cassette name as an argument to the `pytest.mark.default_cassette` marker"
        )
    name: str = mark.args[0]
    return name


def cassette_name(owner: type | None, test: str) -> str:
    """Return the name that pytest-recording gives the cassette of a test."""
    name = f"{owner.__name__}.{test}" if owner else test
    for character in FORBIDDEN:
        name = name.replace(character, "-")
    return name
