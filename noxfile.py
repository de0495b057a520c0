"""What a contributor can run alone: `nox -l` lists the sessions, `nox -s lint types` runs two of them.

`.ci/run` runs the same and more from a bare checkout; what it installs (Redis, a recent Node), a session expects.
"""

import os
import shutil
from pathlib import Path

import nox

nox.options.sessions = ["lint", "types", "architecture", "tests"]
nox.options.reuse_existing_virtualenvs = True
nox.needs_version = ">=2024.10"

PYTHONS = ["3.11", "3.12", "3.13"]
SERVICE_TESTS = ("tests/node", "tests/interception", "tests/integration")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the test suite on every supported Python; arguments go to pytest."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session(python="3.11")
def lint(session: nox.Session) -> None:
    """Check style and format; `nox -s lint -- --fix` mends what can be mended."""
    session.install("-e", ".[dev]")
    session.run("ruff", "check", ".", *session.posargs)
    session.run("ruff", "format", *(() if "--fix" in session.posargs else ("--check",)), ".")


@nox.session(python="3.11")
def types(session: nox.Session) -> None:
    """Check types."""
    session.install("-e", ".[dev,bench]")
    session.run("mypy", *session.posargs)


@nox.session(python="3.11")
def architecture(session: nox.Session) -> None:
    """Check the levels of the house."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "pytest", "-q", "tests/test_architecture.py", *session.posargs)


@nox.session(python="3.11")
def docs(session: nox.Session) -> None:
    """Build the site, strictly, and run what it shows; `nox -s docs -- serve` serves it instead."""
    session.install("-e", ".[test,docs]")
    session.env["NO_MKDOCS_2_WARNING"] = "1"
    if session.posargs:
        session.run("mkdocs", *session.posargs)
        return
    session.run("mkdocs", "build", "--strict")
    session.run("python", "-m", "pytest", "-q", "tests/test_documentation.py")


@nox.session(python="3.11")
def examples(session: nox.Session) -> None:
    """Run the tests of the examples."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "pytest", "-q", "tests/test_examples.py", *session.posargs)


@nox.session(python="3.11")
def services(session: nox.Session) -> None:
    """Run the tests that need Redis, Node with its packages, litellm or instructor; says what is missing."""
    session.install("-e", ".[test]")
    for program in ("redis-server", "node", "npm"):
        if shutil.which(program) is None:
            session.warn(f"{program} is not installed: its tests are skipped")
    folder = Path(session.create_tmp()).resolve()
    if shutil.which("npm"):
        shutil.copy("tests/node/package.json", folder)
        quiet = ("--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error")
        session.run("npm", "install", "--prefix", str(folder), *quiet, external=True)
        session.env["LLMTEST_NODE_MODULES"] = str(folder)
    # litellm needs openai 2, the suite needs openai 3; instructor pins what openai needs: each has an environment.
    needs = {
        "litellm": ("litellm", "openai<3", "-e", "."),
        "instructor": ("instructor", "anthropic", "-e", ".[server]"),
    }
    for name, packages in needs.items():
        python = folder / name / ("Scripts" if os.name == "nt" else "bin") / "python"
        if not python.exists():
            session.run("python", "-m", "venv", str(folder / name))
        session.run(str(python), "-m", "pip", "install", "-q", "pytest", *packages, external=True)
        session.env[f"LLMTEST_{name.upper()}_PYTHON"] = str(python)
    session.env["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    session.run("python", "-m", "pytest", "-q", *SERVICE_TESTS, *session.posargs)


@nox.session(venv_backend="none")
def detection(session: nox.Session) -> None:
    """Run the publicly reported faults of other libraries; makes an environment for each group of them."""
    session.run("bash", ".ci/run", "detection", external=True)


@nox.session(venv_backend="none")
def frameworks(session: nox.Session) -> None:
    """Run the clients and frameworks that people use; makes an environment for each group of them."""
    session.run("bash", ".ci/run", "frameworks", external=True)


@nox.session(python="3.11")
def benchmarks(session: nox.Session) -> None:
    """Run the benchmarks in their short form; they print ratios and never fail."""
    session.install("-e", ".[bench]")
    for path in sorted(Path("benchmarks").glob("*.py")):
        if "--short" in path.read_text(encoding="utf-8"):
            session.run("python", str(path), "--short", *session.posargs)
