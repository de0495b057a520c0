"""What the README and the tutorial show, copied into a new project: a folder with nothing else, and no settings."""

import sys

import pytest

from tests.test_documentation import BLOCKS, DOCS, README, assert_printed, files_of

FIRST = DOCS / "tutorial" / "first-test.md"
SHOWN = {"readme": README, "first-test": FIRST, "fallback": DOCS / "tutorial" / "fallback.md"}
PASSES = {"readme": 3, "first-test": 2, "fallback": 7}
"""How many of the tests that are shown are to pass; those that are said to fail are tried by themselves."""


@pytest.fixture
def run_pytest(pytester, preloaded):
    """Return a function that runs pytest in the new project: no settings, no plugins that the tutorial has not."""
    left_out = [part for name in ("hypothesispytest", "asyncio", "recording") for part in ("-p", f"no:{name}")]
    return lambda *arguments: pytester.runpytest_inprocess(*left_out, *arguments)


def copy(pytester, page, *names):
    """Copy files that a page shows, all of them or those of a name."""
    for name, body in files_of(page).items():
        if not names or name in names:
            (pytester.path / name).write_text(body, encoding="utf-8")


@pytest.mark.parametrize("page", SHOWN)
def test_t25_what_is_shown_passes_in_a_new_project(pytester, run_pytest, page):
    """The files of a page, and nothing beside them: no settings, no cassettes, no server."""
    copy(pytester, SHOWN[page])
    for block in BLOCKS:
        if block.page == SHOWN[page] and block.fails:
            (pytester.path / block.name).unlink()

    run_pytest().assert_outcomes(passed=PASSES[page])


@pytest.mark.parametrize("name", ["test_too_few.py", "test_too_many.py"])
def test_t25_what_is_shown_to_fail_says_what_to_do(pytester, run_pytest, name):
    """One call too few and one too many fail in a new project with the text that the tutorial shows."""
    copy(pytester, FIRST, "app.py", name)

    printed = run_pytest(name)

    assert printed.ret == pytest.ExitCode.TESTS_FAILED
    at = next(number for number, block in enumerate(BLOCKS) if block.page == FIRST and block.name == name)
    assert_printed(next(block.body for block in BLOCKS[at:] if block.language == "text"), printed.stdout.str())


def test_t25_a_cassette_that_is_not_there_says_how_to_record_it(pytester, run_pytest):
    """A recorded session is not copied with the test, whose failure names the file and the command that makes it."""
    copy(pytester, DOCS / "how-to" / "record-sessions.md", "test_session.py")

    result = run_pytest("test_session.py")

    assert result.parseoutcomes().keys() <= {"failed", "errors"}
    result.stdout.fnmatch_lines(["*cassettes/capital.yaml*", "*--llmtest-record=once*"])


def test_t25_a_server_that_is_not_installed_says_what_to_install(pytester, run_pytest, monkeypatch):
    """The fixture `llm_server` needs the extra `[server]`; without it the text is the command that installs it."""
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    pytester.makepyfile("def test_it(llm_server):\n    llm_server.openai.echoes()\n")

    result = run_pytest()

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*To fix: pip install -e '.[[]server]'*"])
