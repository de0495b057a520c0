"""`llmtest init`: what it writes, what it finds, and what it leaves alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from llmtest.cli import main
from llmtest.cli._init_files import first_test
from llmtest.scenarios import load_scenario, run_scenario

WRITTEN = ["pytest.ini", "scenarios/first_outage.yaml", "tests/test_first_simulation.py"]


@pytest.fixture
def init(tmp_path, monkeypatch, capsys):
    """Run the command in a fresh directory; returns what it prints."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["llmtest", "init", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        return ended.value.code or 0, told.out, told.err

    return run


def files(folder):
    """Return the names of all files below a folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_an_empty_project_gets_a_test_a_scenario_and_settings(init, tmp_path):
    """Each is named, and so is the next step."""
    code, out, err = init()
    assert (code, err) == (0, "")
    assert files(tmp_path) == WRITTEN
    for name in WRITTEN:
        assert f"  {name}\n" in out
    assert out.endswith("Next: python -m pytest\n")
    assert (tmp_path / "pytest.ini").read_text() == (
        "[pytest]\nllmtest_scenarios = scenarios/*.yaml\nllmtest_block_network = true\n"
    )


@pytest.mark.slow
def test_what_was_written_passes_at_once(init, tmp_path):
    """The first run of pytest is green: the test and the scenario."""
    init()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "ignore"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


@pytest.mark.parametrize("sdk", ["openai", "anthropic", "google.genai", None], ids=str)
def test_the_first_test_of_each_sdk_passes(llm_sim, sdk):
    """Whichever SDK a project has, its test is complete."""
    written = {"__name__": "test_first_simulation"}
    exec(compile(first_test(sdk), "test_first_simulation.py", "exec"), written)
    (name,) = [name for name in written if name.startswith("test_")]
    written[name](llm_sim)
    assert " #3 chat" in llm_sim.trace.render()  # it has asked again, after a wait
    assert llm_sim.clock.elapsed() > 0


def test_the_first_scenario_holds(init, tmp_path):
    """Every expectation of the file is met."""
    init()
    result = run_scenario(load_scenario(tmp_path / "scenarios/first_outage.yaml"))
    assert all(expectation.ok for expectation in result.expectations)
    assert len(result.expectations) == 3


def test_a_dry_run_writes_nothing(init, tmp_path):
    """It says what would be written."""
    code, out, _ = init("--dry-run")
    assert code == 0
    assert "Would write\n  tests/test_first_simulation.py\n" in out
    assert "Next:" not in out
    assert files(tmp_path) == []


def test_nothing_is_overwritten(init, tmp_path):
    """A second run changes no byte, and says what it left alone."""
    init()
    (tmp_path / "tests/test_first_simulation.py").write_text("# mine\n")
    before = {name: (tmp_path / name).read_bytes() for name in files(tmp_path)}
    code, out, _ = init()
    assert code == 0
    assert {name: (tmp_path / name).read_bytes() for name in files(tmp_path)} == before
    assert (
        "Left alone\n"
        "  tests/test_first_simulation.py   is there already\n"
        "  scenarios/first_outage.yaml   is there already\n"
        "  pytest.ini   has the settings already\n"
    ) in out
    assert "Written" not in out


def test_settings_go_behind_what_a_pyproject_has(init, tmp_path):
    """The rest of the file is as it was, and the project's own tests are not cut off from the network."""
    before = '[project]\nname = "mine"\nversion = "1"'
    (tmp_path / "pyproject.toml").write_text(before)
    (tmp_path / "test_mine.py").write_text("def test_it(): pass\n")
    assert "  pyproject.toml   [tool.pytest.ini_options] added\n" in init()[1]
    assert (tmp_path / "pyproject.toml").read_text() == (
        f"{before}\n\n[tool.pytest.ini_options]\n"
        'llmtest_scenarios = ["scenarios/*.yaml"]\n'
        "# llmtest_block_network = true\n"
    )


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("pyproject.toml", "[tool.pytest.ini_options]\naddopts = '-q'\n", 'llmtest_scenarios = ["scenarios/*.yaml"]'),
        ("pyproject.toml", "[tool.pytest]\naddopts = ['-q']\n", 'llmtest_scenarios = ["scenarios/*.yaml"]'),
        ("pytest.ini", "", "llmtest_scenarios = scenarios/*.yaml"),
        ("tox.ini", "[pytest]\naddopts = -q\n", "llmtest_scenarios = scenarios/*.yaml"),
        ("setup.cfg", "[tool:pytest]\naddopts = -q\n", "llmtest_scenarios = scenarios/*.yaml"),
        ("pytest.toml", "[pytest]\n", 'llmtest_scenarios = ["scenarios/*.yaml"]'),
    ],
    ids=["ini-options", "pytest-9", "pytest.ini", "tox.ini", "setup.cfg", "pytest.toml"],
)
def test_settings_that_are_there_are_left_alone(init, tmp_path, name, text, line):
    """The lines that are lacking are told, in the form of that file."""
    (tmp_path / name).write_text(text)
    out = init()[1]
    assert f"  {name}   has settings of its own; add to them by hand:\n      {line}\n" in out
    assert (tmp_path / name).read_text() == text
    assert files(tmp_path) == sorted([name, *WRITTEN[1:]])


def test_a_file_of_another_purpose_is_no_settings(init, tmp_path):
    """A tox.ini without a section for pytest is not read by it."""
    (tmp_path / "tox.ini").write_text("[tox]\nenvlist = py311\n")
    init()
    assert "pytest.ini" in files(tmp_path)


def test_a_pyproject_that_is_broken_is_left_alone(init, tmp_path):
    """What cannot be read cannot be added to."""
    (tmp_path / "pyproject.toml").write_text("[project\n")
    out = init()[1]
    assert "  pyproject.toml   is not valid TOML: " in out
    assert (tmp_path / "pyproject.toml").read_text() == "[project\n"


SOURCES = {
    "app/clients.py": (
        "import anthropic as claude\n"
        "import google.genai\n"
        "from openai import AsyncOpenAI, OpenAI as Client\n"
        "\n"
        "client = Client(api_key='k')\n"
        "class Holder:\n"
        "    held = claude.Anthropic()\n"
        "def make(default=AsyncOpenAI()):\n"
        "    return Client()\n"
        "lazily = lambda: Client()\n"
        "if True:\n"
        "    other = google.genai.Client(api_key='k')\n"
        "if __name__ == '__main__':\n"
        "    Client()\n"
    ),
    "app/agent.py": "from together import Together\n\n\ndef ask():\n    return Together()\n",
    "venv/pyvenv.cfg": "",
    "venv/lib/elsewhere.py": "import ollama\nollama.Client()\n",
    ".hidden/elsewhere.py": "import ollama\nollama.Client()\n",
    "app/broken.py": "def (:\n",
}


def test_what_a_project_has_is_told(init, tmp_path):
    """SDKs with where they are imported, and clients that are made at import, line by line."""
    for name, text in SOURCES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    out = init()[1]
    told = [line.split() for line in out.splitlines()]
    assert ["together", "imported", "in", "app/agent.py:1,", "not", "installed", "here"] in told
    found = {line[0]: line[-1] for line in told if "imported" in line}
    assert (found["openai"], found["anthropic"], found["google-genai"]) == (
        "app/clients.py:3",
        "app/clients.py:1",
        "app/clients.py:2",
    )
    assert "elsewhere" not in out
    assert (
        "Made at import, so keys are needed while tests are collected (llmtest_dummy_keys)\n"
        "  app/clients.py:5   Client(...)\n"
        "  app/clients.py:7   claude.Anthropic()\n"
        "  app/clients.py:8   AsyncOpenAI()\n"
        "  app/clients.py:12   google.genai.Client(...)\n"
    ) in out
    assert "Not read\n  app/broken.py   SyntaxError: " in out
    assert "llmtest_dummy_keys = true\n" in (tmp_path / "pytest.ini").read_text()


def test_another_directory_can_be_named(init, tmp_path):
    """The project need not be the working directory."""
    (tmp_path / "project" / "test").mkdir(parents=True)
    assert init("project")[0] == 0
    assert files(tmp_path) == sorted(
        [f"project/{WRITTEN[0]}", f"project/{WRITTEN[1]}", "project/test/test_first_simulation.py"]
    )


def test_scenarios_of_another_kind_are_not_collected(init, tmp_path):
    """Where the folder holds other files, only the new one is named."""
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios/compose.yaml").write_text("services: {}\n")
    init()
    assert "llmtest_scenarios = scenarios/first_outage.yaml\n" in (tmp_path / "pytest.ini").read_text()


def test_a_place_that_cannot_be_written_to_is_one_clear_error(init, tmp_path):
    """What was in the way, what was done before, and what to do; no traceback."""
    (tmp_path / "scenarios").write_text("a file, not a folder\n")
    code, out, err = init()
    assert (code, out) == (2, "")
    assert err == (
        "ConfigurationError: `scenarios/first_outage.yaml` cannot be written in `.`: File exists.\n\n"
        "Written before that: tests/test_first_simulation.py.\n\n"
        "To fix: run `llmtest init` in a directory that you may write to, or see what it would write: "
        "llmtest init --dry-run\n"
    )


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a directory that nobody may write to")
def test_a_directory_that_nobody_may_write_to_is_one_clear_error(init):
    """Not even root writes there."""
    code, out, err = init("/proc/self/fdinfo")
    assert (code, out) == (2, "")
    assert err.startswith(
        "ConfigurationError: `tests/test_first_simulation.py` cannot be written in `/proc/self/fdinfo`: "
    )


def test_what_is_no_directory_is_one_clear_error(init):
    """The advice works."""
    code, _, err = init("nowhere")
    assert code == 2
    assert err == (
        "ConfigurationError: `nowhere` is no directory.\n\n"
        "To fix: give the directory of a project, or none for this one: llmtest init\n"
    )
