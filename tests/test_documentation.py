"""The documentation is run: every Python block, every file and option it shows, every link, the first command.

Rules for a page. A Python block whose first line is `# name.py` is a file: the files of a page lie in one folder, where
those called `test_*.py` are run by pytest. `# test_name.py, which fails` is a test that fails, and the text after it is
what pytest prints. Every other Python block is a script. A YAML, TOML or ini block is a
scenario, a chain, a script of the server or settings of pytest, and is read by what reads such a file; one that leaves
out what is not the point is completed.
"""

import re
import shlex
import shutil
import sys
import textwrap
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from llmtest import errors, faults, load_config, load_scenario, wire
from llmtest.resilience import conduct_of
from llmtest.scenarios import Scenario, scenario_schema
from llmtest.serving import load_script
from tests.test_architecture import LEVELS

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
DOCS = ROOT / "docs"
PAGES = [
    README,
    ROOT / "CONTRIBUTING.md",
    *sorted(DOCS.rglob("*.md")),
    *sorted((ROOT / "examples").glob("*/README.md")),
]
LINKED = [*PAGES, ROOT / "CHANGELOG.md", ROOT / "SECURITY.md", ROOT / "examples" / "README.md"]
FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w+)[^\n]*\n(?P<body>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
ANY_FENCE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^(?:\$ )?(?:\.venv/bin/)?(llmtest|pytest) ")
LEFT_OUT = ("cacheprovider", "hypothesispytest", "looptime_plugin", "recording")
QUIET = ("-q", *(part for name in LEFT_OUT for part in ("-p", f"no:{name}")))


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    body: str

    @property
    def name(self):
        """Return the name of the file it is, or nothing."""
        match = re.match(r"# ([\w/.-]+\.\w+)(?:, which fails)?\n", self.body)
        return match[1] if match else ""

    @property
    def fails(self):
        """Tell whether it is a test that fails."""
        return self.body.startswith(f"# {self.name}, which fails\n")

    def __str__(self):
        return f"{shown(self.page)}:{self.line}"


def shown(page):
    """Return how the path of a page is written."""
    return page.relative_to(ROOT).as_posix()


def blocks_of(page):
    """Return the fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(page, text.count("\n", 0, match.start()) + 1, match["language"], textwrap.dedent(match["body"]))
        for match in FENCE.finditer(text)
    ]


BLOCKS = [block for page in PAGES for block in blocks_of(page)]


def of(*languages):
    """Return the blocks in a language."""
    return [block for block in BLOCKS if block.language in languages]


def files_of(page):
    """Return the files that a page shows, by name; a name means one file."""
    files = {}
    for block in BLOCKS:
        if block.page == page and block.name:
            assert files.setdefault(block.name, block.body) == block.body, (
                f"{block}: `{block.name}` is another file too"
            )
    return files


def lay_out(pytester, page):
    """Put the files of a page, and the cassettes that are shipped, into the folder of the test."""
    shutil.copytree(ROOT / "cassettes", pytester.path / "cassettes")
    for name, body in files_of(page).items():
        path = pytester.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body, encoding="utf-8")


TESTS = [block for block in BLOCKS if block.name.startswith("test_")]
TESTED = [page for page in PAGES if any(block.page == page for block in TESTS)]
SCRIPTS = [block for block in of("python") if not block.name]


def run(pytester, *arguments):
    """Run pytest in the folder of the test and return its outcome, without what this run has configured."""
    if not (pytester.path / "pytest.ini").exists() and not (pytester.path / "pyproject.toml").exists():
        pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function")
    return pytester.runpytest_inprocess(*QUIET, *arguments)


@pytest.fixture
def own_faults():
    """Forget the faults that a page defines: the catalogue is the process's, and so are these small runs."""
    before = dict(faults.FAULTS)
    yield
    faults.FAULTS.clear()
    faults.FAULTS.update(before)


@pytest.fixture
def own_dialects():
    """Forget the dialects that a page registers, for the same reason."""
    before = set(wire.dialects())
    yield
    for name in set(wire.dialects()) - before:
        wire.unregister(name)


@pytest.mark.usefixtures("preloaded", "own_faults", "own_dialects")
@pytest.mark.parametrize("page", TESTED, ids=shown)
def test_the_tests_of_a_page_do_what_it_says(pytester, page):
    """The tests that a page shows pass as they stand; those that are said to fail print what the page shows."""
    lay_out(pytester, page)
    tests = {block.name: block for block in TESTS if block.page == page}
    printed = run(pytester, *tests).stdout.str()
    failed = set(re.findall(r"^(?:FAILED|ERROR) ([^:\s]+)", printed, flags=re.MULTILINE))
    assert failed == {name for name, block in tests.items() if block.fails}, printed
    for block in tests.values():
        if block.fails:
            following = next(each for each in BLOCKS[BLOCKS.index(block) :] if each.language == "text")
            assert_printed(following.body, printed)


@pytest.mark.parametrize("block", SCRIPTS, ids=str)
def test_a_script_runs(pytester, block):
    """A Python block that is no file runs as a script; `# prints: ...` behind a `print` is what it prints."""
    lay_out(pytester, block.page)
    result = pytester.runpython(pytester.makepyfile(script=block.body))
    assert result.ret == 0, result.stderr.str()
    said = re.findall(r"# prints: (.*)$", block.body, flags=re.MULTILINE)
    assert not said or result.stdout.lines == said


LOAD = {"profile": "azure-conv-2023", "duration": "1m"}
COMPLETE = {
    "version": 1,
    "name": "example",
    "providers": {"openai": {"model": "gpt-4o"}, "anthropic": {"model": "claude-sonnet-4-6"}},
    "chain": {"providers": [{"provider": "openai"}, {"provider": "anthropic"}]},
    "load": LOAD,
}


def read_yaml(path, block):
    """Read a file as what it is: a scenario, a chain, or a script of the server."""
    data = yaml.safe_load(block.body)
    if isinstance(data.get("providers"), list):
        return load_config(path, environment={"GATEWAY_KEY": "x"})
    if not data.keys() <= set(scenario_schema()["properties"]):
        return load_script(path)
    if data.get("version") != 1:
        base = {key: value for key, value in COMPLETE.items() if key != "chain" or "target" not in data}
        path.write_text(yaml.safe_dump({**base, **data}), encoding="utf-8")
    return load_scenario(path)


@pytest.mark.parametrize("block", of("yaml"), ids=str)
def test_a_file_in_yaml_is_valid(tmp_path, block):
    """A YAML block is a scenario, a chain or a script that the package reads."""
    path = tmp_path / "file.yaml"
    path.write_text(block.body, encoding="utf-8")
    (tmp_path / "traffic.csv").write_text(
        "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,374,44\n", encoding="utf-8"
    )
    assert read_yaml(path, block)


@pytest.mark.parametrize("block", of("toml", "ini"), ids=str)
def test_settings_are_valid(pytester, preloaded, block):
    """An ini or TOML block is a chain file, or holds settings that pytest and the plugin take."""
    if block.language == "toml" and "providers" in tomllib.loads(block.body):
        path = pytester.path / "chain.toml"
        path.write_text(block.body, encoding="utf-8")
        assert load_config(path, environment={})
        return
    name = "pyproject.toml" if block.language == "toml" else "pytest.ini"
    own = "asyncio_default_fixture_loop_scope = "
    own += '"function"' if block.language == "toml" else "function"
    body = re.sub(r"^\[.*pytest.*\]$", rf"\g<0>\n{own}", block.body, flags=re.MULTILINE)
    (pytester.path / name).write_text(body, encoding="utf-8")
    result = run(pytester, "--collect-only")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED, result.stdout.str() + result.stderr.str()


INNER_COMMANDS = {
    "simulate",
    "serve",
    "init",
    "costs",
    "cassette",
    "inspect",
    "verify",
    "scrub",
    "convert",
    "diff",
    "prune",
}


def test_every_option_shown_exists(pytester, monkeypatch):
    """Every `--option` of a shown `llmtest` or `pytest` command is listed in the help of that command."""
    monkeypatch.setenv("COLUMNS", "200")
    helps = {}
    for block in of("bash", "console"):
        for line in block.body.replace("\\\n", " ").splitlines():
            match = COMMAND.match(line.partition(" && ")[2] or line)
            if not match:
                continue
            words = shlex.split((line.partition(" && ")[2] or line).removeprefix("$ "), comments=True)
            inner = [word for word in words[1:3] if word in INNER_COMMANDS]
            command = ("pytest",) if match[1] == "pytest" else ("llmtest", *inner)
            if command not in helps:
                helps[command] = pytester.run(sys.executable, "-m", *command, "--help").stdout.str()
            for word in words[1:]:
                if word.startswith("--"):
                    option = word.partition("=")[0]
                    assert re.search(rf"{option}\b", helps[command]), (
                        f"{block}: `{' '.join(command)}` has no `{option}`"
                    )
    assert ("llmtest", "simulate") in helps


@pytest.mark.parametrize("command", ["simulate", "serve", "init", "costs", "cassette inspect", "cassette verify"])
def test_the_reference_has_every_option(pytester, monkeypatch, command):
    """Every option of a command stands in the reference."""
    monkeypatch.setenv("COLUMNS", "200")
    text = (DOCS / "reference" / "command-line.md").read_text(encoding="utf-8")
    shown_help = pytester.run(sys.executable, "-m", "llmtest", *command.split(), "--help").stdout.str()
    for option in set(re.findall(r"^ +(--[a-z-]+)", shown_help, flags=re.MULTILINE)) - {"--help"}:
        assert f"`{option}" in text, f"{command}: {option}"
    assert f"## llmtest {command}" in text


def test_the_reference_has_every_setting(pytester):
    """Every flag and ini setting of the plugin stands in the reference."""
    text = (DOCS / "reference" / "settings.md").read_text(encoding="utf-8")
    shown_help = pytester.run(sys.executable, "-m", "pytest", "--help").stdout.str()
    settings = set(re.findall(r"--llmtest-[a-z-]+|llmtest_[a-z_]+", shown_help))
    assert len(settings) > 10
    for setting in settings - {"llmtest_sim"}:
        assert f"`{setting}" in text, setting


@pytest.mark.parametrize("page", ["reference/faults.md", "how-to/inject-faults.md"])
def test_the_catalogue_of_faults_is_whole(page):
    """Every fault is named where people choose one, and those of a stage but the first in the table of stages."""
    text = (DOCS / page).read_text(encoding="utf-8")
    for kind in faults.FAULTS.values():
        if page.startswith("how-to") or kind.stage != "abort":
            assert f"`{kind.__name__}" in text, kind.__name__


def test_the_failure_of_the_readme_is_the_failure_printed(pytester, preloaded):
    """The text shown for one call too many is, line by line, what pytest prints."""
    pytester.makepyfile(
        app=files_of(README)["app.py"],
        test_app="""
        import app

        def test_asks_once(llm_sim):
            llm_sim.openai.replies("Paris")
            app.ask("Capital of France?")
            app.ask("Are you sure?")
        """,
    )
    assert_printed(shown_text(README, "UnscriptedRequestError"), run(pytester).stdout.str())


def test_the_miss_shown_is_the_miss_printed(pytester, preloaded):
    """The text shown for a request that drifted from its recording is, line by line, what pytest prints."""
    page = DOCS / "how-to" / "record-sessions.md"
    session = files_of(page)["test_session.py"].replace("Capital of France?", "Capital of Spain?")
    pytester.makepyfile(test_session=session)
    shutil.copytree(ROOT / "cassettes", pytester.path / "cassettes")
    assert_printed(shown_text(page, "no interaction in"), run(pytester).stdout.str())


def shown_text(page, word):
    """Return the text block of a page that has a word in it."""
    return next(block.body for block in of("text") if block.page == page and word in block.body)


def assert_printed(text, printed):
    """Look for every line of a text in what was printed."""
    for line in text.strip().splitlines():
        assert line.strip() in printed, f"{line!r} is not in:\n{printed}"


def test_the_conduct_shown_is_the_one_in_the_code():
    """The table of what is done about each error is the table by which the provider layer decides."""
    text = (DOCS / "explanation" / "conduct.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (\w+) \| (\w+) \|$", text, flags=re.MULTILINE)
    assert len(rows) > 10
    word = {True: "yes", False: "no"}
    for name, *row in rows:
        kind = getattr(errors, name)
        conduct = conduct_of(kind.__new__(kind))
        assert [word[conduct.retry], conduct.fall_back, word[conduct.counts]] == row, name


SECTIONS = {
    "scenario-file.md": "Provider Limits Latency Price Load Stage Fault Where When Calls",
    "costs.md": "PriceFile ModelPrice",
    "chain-file.md": (
        "Chain Slot Streaming SlotPrice Retry RetryBudget CircuitBreaker Timeouts Budget SpendLimits Store Health "
        "Alert Hedging RateLimit Routing"
    ),
}


@pytest.mark.parametrize("page", SECTIONS)
def test_the_reference_has_every_key_of_a_file(page):
    """Every key of a file stands in the reference with the words of its schema, which come from the code."""
    schema = scenario_schema()
    text = (DOCS / "reference" / page).read_text(encoding="utf-8")
    sections = [schema["$defs"][f"{name}Section"] for name in SECTIONS[page].split()]
    for section in [schema, *sections] if page == "scenario-file.md" else sections:
        for key, value in section["properties"].items():
            assert f"| `{key}` | {value['description']} |" in text, f"{section['title']}.{key}"


def test_the_error_tree_shown_is_the_one_in_the_code():
    """The tree of errors in the reference is the tree in the docstring of `llmtest.errors`."""
    tree = [
        line for line in errors.__doc__.splitlines() if "──" in line or re.match(r"LLMTestError|HarnessError \(", line)
    ]
    assert (
        "\n".join(tree) == re.sub(r"\n\n", "\n", shown_text(DOCS / "reference" / "errors.md", "LLMTestError")).strip()
    )


def test_the_cassettes_that_are_shipped_have_no_findings(pytester):
    """What is shipped as an example passes the check that users are told to make."""
    result = pytester.run(sys.executable, "-m", "llmtest", "cassette", "verify", ROOT / "cassettes")
    assert result.ret == 0, result.stdout.str() + result.stderr.str()


def test_the_first_command_tells_of_an_outage_survived(pytester):
    """The first command of the README exits with 0 and prints the breaker's story."""
    command = next(line for line in commands() if "simulate" in line)
    arguments = shlex.split(command.rpartition("llmtest ")[2])
    scenario = ROOT / arguments[1]
    result = pytester.run(sys.executable, "-m", "llmtest", arguments[0], scenario)
    assert result.ret == 0, result.stdout.str() + result.stderr.str()
    printed = result.stdout.str()
    assert "half_open" in printed
    assert "primary outage" in printed


def commands():
    """Return the README's lines that begin with an environment of their own; `.ci/run` finds them by that too."""
    return [line for line in README.read_text(encoding="utf-8").splitlines() if line.startswith("python3 -m venv")]


def test_the_readme_has_its_two_commands_and_one_screenful_each():
    """The README has exactly the two commands, and at most 200 lines."""
    simulate = ".venv/bin/llmtest simulate scenarios/primary_outage.yaml"
    assert commands() == [
        f"python3 -m venv .venv && .venv/bin/pip install -q -e . && {simulate}",
        "python3 -m venv .venv && .venv/bin/pip install -q -e '.[test]' && .venv/bin/python -m pytest",
    ]
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 200


def headings_of(page):
    """Return the anchors of a page's headings."""
    text = ANY_FENCE.sub("", page.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\s-]", "", title).strip().lower().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", LINKED, ids=shown)
def test_every_link_leads_somewhere(page):
    """Every relative link names a file that is there, and a heading that it has."""
    text = re.sub(r"`[^`\n]*`", "", ANY_FENCE.sub("", page.read_text(encoding="utf-8")))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        aim = (page.parent / path).resolve() if path else page
        assert aim.exists(), f"{shown(page)}: {target} leads nowhere"
        if DOCS in page.parents:
            assert aim.is_relative_to(DOCS), f"{shown(page)}: {target} is no page of the site; name the path instead"
        if anchor:
            assert anchor in headings_of(aim), f"{shown(page)}: {target}: no such heading"


def test_the_navigation_lists_every_page():
    """The navigation of the site has every page below `docs/`, once."""

    def pages(entry):
        if isinstance(entry, str):
            return [entry]
        entries = entry.values() if isinstance(entry, dict) else entry
        return [page for each in entries for page in pages(each)]

    listed = pages(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"])
    assert sorted(listed) == sorted(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))


@pytest.mark.parametrize("page", [README, DOCS / "explanation" / "house.md"], ids=shown)
def test_the_house_shown_is_the_house_enforced(page):
    """The rooms and their levels are those that `tests/test_architecture.py` enforces."""
    rows = re.findall(r"^\| (\d) \| (`[^|]+`) \|", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    rooms = {room.strip("/"): int(level) for level, row in rows for room in re.findall(r"`([^`]+)`", row)}
    assert rooms == LEVELS


@pytest.mark.parametrize("page", LINKED, ids=shown)
def test_every_path_named_is_there(page):
    """A path of the repository that a page names exists."""
    text = ANY_FENCE.sub("", page.read_text(encoding="utf-8"))
    for path in re.findall(r"`((?:tests|llmtest|benchmarks|examples)/[\w./-]*)`", text):
        assert (ROOT / path).exists(), f"{shown(page)}: there is no {path}"


@pytest.mark.parametrize("page", LINKED, ids=shown)
def test_nobody_is_sent_to_another_project(page):
    """No page installs `llmtest` from an index, where that name is another project's."""
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"pip install (-\w+ )*['\"]?llmtest", text)


def test_a_scenario_is_read_as_one(tmp_path):
    """A block without a version is completed to a scenario, one with a list of steps is a script."""
    block = Block(README, 1, "yaml", "load: {rate: 5/s, duration: 1m}\n")
    path = tmp_path / "file.yaml"
    path.write_text(block.body, encoding="utf-8")
    assert isinstance(read_yaml(path, block), Scenario)
