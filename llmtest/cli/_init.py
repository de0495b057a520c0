"""`llmtest init`: a first test, a scenario and the settings, in a project that has none of them."""

from __future__ import annotations

import tomllib
from configparser import ConfigParser
from configparser import Error as IniError
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmtest.errors import ConfigurationError

if TYPE_CHECKING:
    from llmtest.cli._init_survey import Survey

__all__ = ["init"]

TEST = "test_first_simulation.py"
SCENARIO_FILE = "scenarios/first_outage.yaml"
_WITH_TESTS = ("openai", "anthropic", "google.genai")
"""SDKs that a first test can be about, the most common one first."""
_INI_FILES = {"pytest.ini": "pytest", ".pytest.ini": "pytest", "tox.ini": "pytest", "setup.cfg": "tool:pytest"}
_TOML_FILES = ("pytest.toml", ".pytest.toml")


@dataclass(frozen=True, slots=True)
class _Step:
    """One file of the plan.

    Args:
        name: Its name, seen from the project.
        text: What is written; None: it is left alone.
        note: What is said of it.
        appends: Whether the text goes behind what is there.
    """

    name: str
    text: str | None
    note: str = ""
    appends: bool = False


def init(
    directory: Annotated[
        Path, typer.Argument(metavar="[DIRECTORY]", help="The project; this directory by default.", show_default=False)
    ] = Path(),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be written, and write nothing.")] = False,
) -> None:
    """Add a first test, a scenario and the settings of pytest to a project.

    Tells which SDKs the project imports and which clients it makes at import. No file is overwritten: what is there is
    left alone, and named.
    """
    from llmtest.cli._init_survey import survey

    if not directory.is_dir():
        raise ConfigurationError(
            f"`{directory}` is no directory.\n\nTo fix: give the directory of a project, or none for this one: "
            "llmtest init"
        )
    found = survey(directory)
    steps = _plan(directory, found)
    if not dry_run:
        _write(directory, steps)
    typer.echo(_told(found, steps, dry_run=dry_run), nl=False)


def _plan(project: Path, found: Survey) -> list[_Step]:
    """Return what is to be done, without doing it."""
    from llmtest.cli._init_files import SCENARIO, first_test

    sdk = next((each for each in _WITH_TESTS if each in found.imported and each in found.installed), None)
    sdk = sdk or next((each for each in _WITH_TESTS if each in found.installed), None)
    folder = "test" if (project / "test").is_dir() and not (project / "tests").exists() else "tests"
    return [
        _new(project, f"{folder}/{TEST}", first_test(sdk)),
        _new(project, SCENARIO_FILE, SCENARIO),
        _settings_step(project, found),
    ]


def _new(project: Path, name: str, text: str) -> _Step:
    if (project / name).exists():
        return _Step(name, None, "is there already")
    return _Step(name, text)


def _settings_step(project: Path, found: Survey) -> _Step:
    """Return where the settings go: where pytest reads them, unless it reads others there."""
    from llmtest.cli._init_files import settings

    folder = project / "scenarios"
    others = folder.is_dir() and any(
        each.suffix in {".yaml", ".yml"} and each.name != Path(SCENARIO_FILE).name for each in folder.iterdir()
    )
    pattern = SCENARIO_FILE if others else "scenarios/*.yaml"

    def section(*, toml: bool) -> str:
        return settings(pattern, dummy_keys=bool(found.made_at_import), block_network=not found.tests, toml=toml)

    for name in _TOML_FILES:
        if (project / name).exists():
            return _left_alone(project, name, section(toml=True))
    for name, title in _INI_FILES.items():
        # pytest takes a pytest.ini even where it is empty; of the others it wants the section.
        if (project / name).exists() and (name.endswith("pytest.ini") or _has_section(project / name, title)):
            return _left_alone(project, name, section(toml=False))
    path = project / "pyproject.toml"
    if not path.exists():
        return _Step("pytest.ini", section(toml=False))
    before = path.read_text(encoding="utf-8")
    after = f"{before}{'' if before.endswith(chr(10)) or not before else chr(10)}\n{section(toml=True)}"
    try:
        has_settings = "pytest" in tomllib.loads(before).get("tool", {})
        tomllib.loads(after if not has_settings else before)
    except (tomllib.TOMLDecodeError, AttributeError) as error:
        return _Step("pyproject.toml", None, f"is not valid TOML: {error}")
    if has_settings:
        return _left_alone(project, "pyproject.toml", section(toml=True))
    return _Step("pyproject.toml", after[len(before) :], "[tool.pytest.ini_options] added", appends=True)


def _left_alone(project: Path, name: str, section: str) -> _Step:
    """Leave a file of settings alone, and say which lines it lacks."""
    present = (project / name).read_text(encoding="utf-8", errors="replace")
    lines = [line for line in section.splitlines() if line[:1] not in {"[", "#"}]
    lacking = [line for line in lines if line.partition(" ")[0] not in present]
    if not lacking:
        return _Step(name, None, "has the settings already")
    return _Step(name, None, "\n      ".join(["has settings of its own; add to them by hand:", *lacking]))


def _has_section(path: Path, title: str) -> bool:
    parser = ConfigParser(interpolation=None, strict=False)
    try:
        parser.read(path, encoding="utf-8")
    except (IniError, UnicodeDecodeError):
        return True
    return parser.has_section(title)


def _write(project: Path, steps: list[_Step]) -> None:
    """Write what the plan says.

    Raises:
        ConfigurationError: A file cannot be written.
    """
    done: list[str] = []
    for step in steps:
        if step.text is None:
            continue
        path = project / step.name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a" if step.appends else "x", encoding="utf-8") as file:
                file.write(step.text)
        except OSError as error:
            so_far = f"\n\nWritten before that: {', '.join(done)}." if done else ""
            raise ConfigurationError(
                f"`{step.name}` cannot be written in `{project}`: {error.strerror or error}.{so_far}\n\n"
                "To fix: run `llmtest init` in a directory that you may write to, or see what it would write: "
                "llmtest init --dry-run"
            ) from error
        done.append(step.name)


def _told(found: Survey, steps: list[_Step], *, dry_run: bool) -> str:
    """Return the report."""
    blocks = [_block("SDKs", _told_sdks(found) or ["none that is known; the first test uses httpx2"])]
    if found.made_at_import:
        lines = [f"{place}   {call}" for place, call in found.made_at_import]
        blocks.append(
            _block("Made at import, so keys are needed while tests are collected (llmtest_dummy_keys)", lines)
        )
    if found.unread:
        blocks.append(_block("Not read", [f"{name}   {reason}" for name, reason in found.unread]))
    written = [f"{step.name}{f'   {step.note}' if step.note else ''}" for step in steps if step.text is not None]
    if written:
        blocks.append(_block("Would write" if dry_run else "Written", written))
    left = [f"{step.name}   {step.note}" for step in steps if step.text is None]
    if left:
        blocks.append(_block("Left alone", left))
    if not dry_run and written:
        blocks.append("Next: python -m pytest\n")
    return "\n".join(blocks)


def _told_sdks(found: Survey) -> list[str]:
    from llmtest.cli._init_survey import SDKS

    lines = []
    for sdk in SDKS:
        number, place = found.installed.get(sdk.module), found.imported.get(sdk.module)
        if number is None and place is None:
            continue
        where = f"imported in {place}" if place else "not imported"
        lines.append(
            f"{sdk.distribution} {number}   {where}" if number else f"{sdk.distribution}   {where}, not installed here"
        )
    return lines


def _block(title: str, lines: list[str]) -> str:
    return "\n".join([title, *(f"  {line}" for line in lines)]) + "\n"
