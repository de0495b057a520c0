"""Event loops that were made before the world of a test: they keep real time, so using them is an error, said early."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator

import pytest

from llmtest.clock import is_virtual_loop
from llmtest.errors import SimulationStateError

__all__ = ["refuse_wider_loops"]

SCOPES = ("function", "class", "module", "package", "session")
FIXTURE_SCOPES = {"llm_sim": "function", "llm_sim_module": "module", "llm_sim_session": "session"}


def refuse_wider_loops(item: pytest.Item, fixture: str) -> None:
    """Raise where the loop of a test, or of one of its fixtures, lives longer than its simulation.

    Raises:
        SimulationStateError: It does; the text names the setting that decides the loop's scope.
    """
    own = SCOPES.index(FIXTURE_SCOPES.get(fixture, "function"))
    for scope, who, setting in (*_asyncio_loops(item), *_anyio_loops(item)):
        if scope in SCOPES and SCOPES.index(scope) > own:
            raise SimulationStateError(
                f"{who} runs on a loop of scope `{scope}`, which is made before `{fixture}` and keeps real time.\n"
                f"The scope comes from: {setting}\n"
                f"To fix: give it the scope `{SCOPES[own]}`, or use "
                f"{_wider_fixtures(own)} so that the simulation lives as long as the loop."
            )
        if own and _has_real_loop(item, scope):
            raise SimulationStateError(
                f"{who} runs on a loop that was made before `{fixture}` and keeps real time.\n"
                f"To fix: let the first test on that loop use `{fixture}` too, as with an autouse fixture."
            )


def _has_real_loop(item: pytest.Item, scope: str) -> bool:
    """Tell whether pytest-asyncio keeps a loop of this scope that was made before any simulation."""
    manager = item.session._fixturemanager  # noqa: SLF001 - the only way to a fixture before it is asked for
    for definition in manager.getfixturedefs(f"_{scope}_scoped_runner", item) or ():
        cached = definition.cached_result
        if cached is not None and cached[0] is not None and not is_virtual_loop(cached[0].get_loop()):
            return True
    return False


def _wider_fixtures(own: int) -> str:
    names = [name for name, scope in FIXTURE_SCOPES.items() if SCOPES.index(scope) > own]
    return " or ".join(f"`{name}`" for name in names) or '`@pytest.mark.llm_time("real")`'


def _asyncio_loops(item: pytest.Item) -> Iterator[tuple[str, str, str]]:
    """Yield scope, user and setting of each loop that pytest-asyncio will run for this test."""
    if not item.config.pluginmanager.has_plugin("asyncio"):
        return
    mark = item.get_closest_marker("asyncio")
    if mark is not None and inspect.iscoroutinefunction(getattr(item, "obj", None)):
        marked = mark.kwargs.get("loop_scope") or mark.kwargs.get("scope")
        if marked:
            yield marked, f"`{item.name}`", f'@pytest.mark.asyncio(loop_scope="{marked}")'
        else:
            scope = _ini(item, "asyncio_default_test_loop_scope")
            yield scope, f"`{item.name}`", f"asyncio_default_test_loop_scope = {scope}"
    default = _ini(item, "asyncio_default_fixture_loop_scope")
    for name, definition in _fixtures(item):
        function = inspect.unwrap(definition.func)
        if not (inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)):
            continue
        explicit = getattr(definition.func, "_loop_scope", None)
        scope = explicit or (default if default in SCOPES else definition.scope)
        setting = (
            f'@pytest_asyncio.fixture(loop_scope="{explicit}")'
            if explicit
            else f"asyncio_default_fixture_loop_scope = {default}"
            if default in SCOPES
            else f'@pytest_asyncio.fixture(scope="{definition.scope}")'
        )
        yield scope, f"the fixture `{name}`", setting


def _anyio_loops(item: pytest.Item) -> Iterator[tuple[str, str, str]]:
    """Yield the loop that the anyio plugin keeps for an asynchronous fixture of wider scope."""
    plugin = sys.modules.get("anyio.pytest_plugin")
    if plugin is None or item.get_closest_marker("anyio") is None:
        return
    for name, definition in _fixtures(item):
        function = inspect.unwrap(definition.func)
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            yield definition.scope, f"the fixture `{name}`", f'@pytest.fixture(scope="{definition.scope}")'


def _fixtures(item: pytest.Item) -> Iterator[tuple[str, pytest.FixtureDef[object]]]:
    info = getattr(item, "_fixtureinfo", None)
    for name, definitions in getattr(info, "name2fixturedefs", {}).items():
        if definitions:
            yield name, definitions[-1]


def _ini(item: pytest.Item, name: str) -> str:
    try:
        return item.config.getini(name) or "function"
    except (KeyError, ValueError):
        return "function"
