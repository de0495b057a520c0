"""The README is run: every Python block, the failure it shows, and its first command."""

import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"
TEXT = README.read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL)
APP = next(body for language, body in BLOCKS if language == "python" and body.startswith("# app.py"))
TESTS = [body for language, body in BLOCKS if language == "python" and body.startswith("# test_")]
SCRIPTS = [body for language, body in BLOCKS if language == "python" and not body.startswith(("# test_", "# app.py"))]


def name_of(body):
    """Return the file name on a block's first line."""
    return body.partition("\n")[0].removeprefix("# ").strip()


@pytest.mark.parametrize("body", TESTS, ids=name_of)
def test_each_test_of_the_readme_passes(pytester, body):
    """A test shown in the README passes as it stands, on the app shown in the README."""
    pytester.makepyfile(app=APP, **{name_of(body).removesuffix(".py"): body})
    shutil.copytree(README.parent / "cassettes", pytester.path / "cassettes")
    result = pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider")
    assert result.ret == 0, result.stdout.str()


@pytest.mark.parametrize("body", SCRIPTS, ids=lambda body: body.strip().splitlines()[0])
def test_each_script_of_the_readme_runs(pytester, body):
    """A Python block that is no test runs as a script of its own."""
    result = pytester.runpython(pytester.makepyfile(script=body))
    assert result.ret == 0, result.stderr.str()


def test_the_failure_shown_is_the_failure_printed(pytester):
    """The text shown for one call too many is, line by line, what pytest prints."""
    shown = next(body for language, body in BLOCKS if language == "text" and "UnscriptedRequestError" in body)
    pytester.makepyfile(
        app=APP,
        test_app="""
        import app

        def test_asks_once(llm_sim):
            llm_sim.openai.replies("Paris")
            app.ask("Capital of France?")
            app.ask("Are you sure?")
        """,
    )
    result = pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider")
    printed = result.stdout.str()
    for line in shown.strip().splitlines():
        assert line.strip() in printed, f"{line!r} is not in:\n{printed}"


def test_the_miss_shown_is_the_miss_printed(pytester):
    """The text shown for a request that drifted from its recording is, line by line, what pytest prints."""
    shown = next(body for language, body in BLOCKS if language == "text" and "no interaction in" in body)
    session = next(body for body in TESTS if name_of(body) == "test_session.py")
    pytester.makepyfile(test_session=session.replace("Capital of France?", "Capital of Spain?"))
    shutil.copytree(README.parent / "cassettes", pytester.path / "cassettes")
    result = pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider")
    printed = result.stdout.str()
    for line in shown.strip().splitlines():
        assert line.strip() in printed, f"{line!r} is not in:\n{printed}"


def test_the_cassettes_of_the_readme_have_no_findings(pytester):
    """What is shipped as an example passes the check that users are told to make."""
    result = pytester.run(sys.executable, "-m", "llmtest", "cassette", "verify", README.parent / "cassettes")
    assert result.ret == 0, result.stdout.str() + result.stderr.str()


def test_the_first_command_tells_of_an_outage_survived(pytester):
    """The first command of the README exits with 0 and prints the breaker's story."""
    command = next(line for line in TEXT.splitlines() if line.startswith("python3 -m venv") and "simulate" in line)
    arguments = shlex.split(command.rpartition("llmtest ")[2])
    scenario = README.parent / arguments[1]
    result = pytester.run(sys.executable, "-m", "llmtest", arguments[0], scenario)
    assert result.ret == 0, result.stdout.str() + result.stderr.str()
    printed = result.stdout.str()
    assert "half_open" in printed
    assert "primary outage" in printed
