"""What the settings file of pytest says of cassettes, for the commands that read them without pytest."""

from __future__ import annotations

import configparser
import tomllib
from pathlib import Path

__all__ = ["listed_setting"]

PLACES = (("pytest.ini", "pytest"), ("tox.ini", "pytest"), ("setup.cfg", "tool:pytest"))


def listed_setting(name: str, folder: Path | None = None) -> list[str]:
    """Return the lines of a setting in the nearest project that has one; nothing where none does.

    Args:
        name: Name of the setting: `llmtest_cassette_keep`.
        folder: Where to look first; this folder by default, then each one around it.
    """
    start = (folder or Path.cwd()).resolve()
    for place in (start, *start.parents):
        found = _in_toml(place / "pyproject.toml", name)
        for file, section in PLACES if found is None else ():
            found = _in_ini(place / file, section, name) if found is None else found
        if found is not None:
            return found
        if _is_a_checkout(place):
            break
    return []


def _is_a_checkout(folder: Path) -> bool:
    try:
        return (folder / ".git").exists()
    except OSError:  # a folder that may not be looked into: whoever is to read it says so
        return False


def _in_toml(path: Path, name: str) -> list[str] | None:
    try:
        pytest = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {}).get("pytest", {})
    except (OSError, ValueError, AttributeError):
        return None
    value = pytest.get("ini_options", pytest).get(name) if isinstance(pytest, dict) else None
    if isinstance(value, str):
        return _lines(value)
    return [str(line) for line in value] if isinstance(value, list) else None


def _in_ini(path: Path, section: str, name: str) -> list[str] | None:
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):
        return None
    return _lines(parser.get(section, name)) if parser.has_option(section, name) else None


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]
