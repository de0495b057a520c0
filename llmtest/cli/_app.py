"""The command line as a whole: its commands, `--version`, and what happens to errors."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from llmtest.cli._cassette_convert import convert
from llmtest.cli._cassette_diff import diff
from llmtest.cli._cassette_inspect import inspect
from llmtest.cli._cassette_prune import prune
from llmtest.cli._cassette_scrub import scrub
from llmtest.cli._cassette_verify import verify
from llmtest.cli._costs import costs
from llmtest.cli._init import init
from llmtest.cli._serve import serve
from llmtest.cli._simulate import simulate
from llmtest.errors import ConfigurationError, HarnessError

__all__ = ["app", "run"]

app = typer.Typer(
    name="llmtest",
    help="Test how LLM applications behave when their providers do not: simulated providers, faults, virtual time.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(simulate)
app.command()(serve)
app.command()(init)
app.command()(costs)
cassette_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Look into recorded sessions, and tend them."
)
cassette_app.command()(inspect)
cassette_app.command()(verify)
cassette_app.command()(scrub)
cassette_app.command()(convert)
cassette_app.command()(diff)
cassette_app.command()(prune)
app.add_typer(cassette_app, name="cassette")


def _show_version(wanted: bool) -> None:
    if wanted:
        try:
            number = version("llmtest-sim")
        except PackageNotFoundError:
            number = "unknown (not installed)"
        typer.echo(f"llmtest {number}")
        raise typer.Exit


@app.callback()
def _options(
    version_wanted: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


def run(arguments: list[str] | None = None) -> None:
    """Run a command and exit: 0 all is well, 1 an expectation failed, 2 an invalid file or usage.

    Args:
        arguments: What follows the command's name; the process's own by default.
    """
    try:
        app(arguments)
    except ConfigurationError as error:
        _fail(f"{type(error).__name__}: {error}", 2)
    except HarnessError as error:
        _fail(f"{type(error).__name__}: {error}", 1)


def _fail(text: str, status: int) -> None:
    sys.stderr.write(text.rstrip() + "\n")
    sys.exit(status)
