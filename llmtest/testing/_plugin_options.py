"""The plugin's settings, and who wins where several speak: flag, marker, environment, ini file, default."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import pytest

from llmtest.errors import ConfigurationError
from llmtest.testing._failure import did_you_mean

if TYPE_CHECKING:
    from llmtest.simulation import Fragmentation

__all__ = [
    "fragmentation_of",
    "ini_of",
    "marker_slip",
    "refuse_another_start",
    "seed_of",
    "setting",
    "start_of",
    "time_of",
    "unknown_setting",
]

TIMES = ("virtual", "real")
SWITCH = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


def setting(config: pytest.Config, name: str, *, marker: Any = None, default: Any = None) -> Any:
    """Return a setting: the flag beats the marker, that the environment, that the ini file, and that the default.

    The variable of the environment has the ini setting's name in capitals: `LLMTEST_SEED`.
    """
    flag = config.getoption(f"llmtest_{name}", None)
    if flag is not None:
        return flag
    if marker is not None:
        return marker
    if value := os.environ.get(f"LLMTEST_{name.upper()}"):
        return value
    try:
        ini = config.getini(f"llmtest_{name}")
    except (KeyError, ValueError):
        ini = None  # The setting exists as a flag only.
    return default if ini is None or ini == "" else ini


def ini_of(config: pytest.Config, name: str) -> Any:
    """Return a setting that has no flag: the variable of its name in capitals goes before the ini file.

    Args:
        config: The run.
        name: `llmtest_allowed_hosts`, whose variable is `LLMTEST_ALLOWED_HOSTS`. A list is written with commas or in
            lines; a switch is `true` or `false`.

    Raises:
        ValueError: The variable of a switch says something else.
    """
    text = os.environ.get(name.upper())
    if not text:
        return config.getini(name)
    if not isinstance(config.getini(name), bool):
        return [part.strip() for part in re.split(r"[,\n]", text) if part.strip()]
    if text.lower() not in SWITCH:
        raise ValueError(f"{name.upper()}={text} is neither `true` nor `false`")
    return SWITCH[text.lower()]


def seed_of(config: pytest.Config, marker: int | None = None) -> int:
    """Return the seed of simulated worlds.

    Args:
        config: The run.
        marker: The seed of the scenario that a test's marker names.

    Raises:
        ConfigurationError: The ini file has no whole number there.
    """
    value = setting(config, "seed", marker=marker, default=0)
    try:
        return int(value)
    except ValueError:
        raise ConfigurationError(
            f"llmtest_seed = {value}: a seed is a whole number.\nTo fix: llmtest_seed = 7"
        ) from None


def time_of(item: pytest.Item | None, config: pytest.Config) -> Literal["virtual", "real"]:
    """Return whether a test lives in virtual or in real time.

    Raises:
        ConfigurationError: The word is neither.
    """
    mark = item.get_closest_marker("llm_time") if item is not None else None
    marked = None
    if mark is not None:
        marked = mark.args[0] if mark.args else mark.kwargs.get("mode")
        if marked is None and "start" not in mark.kwargs:
            raise ConfigurationError(
                '`llm_time` needs a mode or a date.\nTo fix: @pytest.mark.llm_time("real"), or '
                '@pytest.mark.llm_time(start="2026-03-01T23:59").'
            )
        if marked == "real" and "start" in mark.kwargs:
            raise ConfigurationError(
                '`llm_time("real")` takes no start: the machine\'s clock has a date of its own.\n'
                "To fix: leave one of the two out."
            )
    value = setting(config, "time", marker=marked, default="virtual")
    if value not in TIMES:
        raise ConfigurationError(
            f"llmtest_time = {value}: there is no such time.{did_you_mean(str(value), TIMES)}\n"
            "To fix: llmtest_time = virtual, or real."
        )
    return "real" if value == "real" else "virtual"


def start_of(item: pytest.Item) -> Any:
    """Return the date on which the marker of a test lets virtual time begin; None where it says none."""
    mark = item.get_closest_marker("llm_time")
    return None if mark is None else mark.kwargs.get("start")


def refuse_another_start(fixture: str, began: datetime, start: Any) -> None:
    """Raise where a test wants another date than the world has that it shares.

    Raises:
        ConfigurationError: It does.
    """
    if start is None or start == "now":
        return
    from llmtest.clock import epoch_of

    if epoch_of(start) != began:
        raise ConfigurationError(
            f"@pytest.mark.llm_time(start={start!r}): `{fixture}` has begun already, at {began:%Y-%m-%dT%H:%M:%S}.\n"
            "To fix: use `llm_sim`, or give every test that shares the world the same start, as by `pytestmark`."
        )


def fragmentation_of(config: pytest.Config, marker: Fragmentation | None = None) -> Fragmentation:
    """Return how the simulated worlds of a run cut their streams into network pieces.

    Args:
        config: The run.
        marker: What the scenario says that a test's marker names.

    Raises:
        ConfigurationError: There is no such fragmentation.
    """
    from llmtest.simulation import as_fragmentation

    value = setting(config, "fragmentation", marker=marker, default="events")
    try:
        return as_fragmentation(value)
    except ConfigurationError as error:
        text = str(error).partition("\n")[0]
        raise ConfigurationError(
            f"llmtest_fragmentation = {value}: {text}\nTo fix: llmtest_fragmentation = random"
        ) from None


def unknown_setting(name: str, known: Sequence[str]) -> pytest.UsageError:
    """Make the error of a setting that nobody would ever read."""
    return pytest.UsageError(
        f"there is no setting `{name}`.{did_you_mean(name, known)}\n"
        f"To fix: correct it in the ini file. Settings: {', '.join(known)}."
    )


def marker_slip(config: pytest.Config, name: str, known: Iterable[str]) -> ConfigurationError | None:
    """Make the error of a marker that is almost one of ours and would do nothing; None where it is somebody's own."""
    hint = did_you_mean(name, known)
    if not hint or any(line.partition(":")[0].partition("(")[0].strip() == name for line in config.getini("markers")):
        return None
    return ConfigurationError(
        f"there is no marker `{name}`.{hint}\n"
        "To fix: correct it, or register a marker of your own under `markers` in the ini file."
    )
