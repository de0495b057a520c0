"""What a run writes of the cassettes it played, and what `llmtest cassette prune` makes of it."""

import json

import pytest
import yaml

from llmtest.cassettes import Document
from llmtest.cli._app import run as run_command
from tests.cli.cassette_samples import CHAT, SECRET, VCRPY, asked, ours

ASKING = f"""
import httpx
import pytest
from llmtest.cassettes import use_cassette

def ask(prompt):
    body = {{"model": "gpt-4o", "messages": [{{"role": "user", "content": prompt}}]}}
    return httpx.post("{CHAT}", json=body).status_code
"""

TESTS = (
    ASKING
    + """
@pytest.mark.llm_cassette("cassettes/a.yaml")
def test_one():
    assert ask("One?") == 200

@pytest.mark.llm_cassette("cassettes/a.yaml")
def test_three():
    assert ask("Three?") == 200

def test_by_hand():
    with use_cassette("cassettes/b.yaml"):
        assert ask("B?") == 200
"""
)


@pytest.fixture
def project(pytester, monkeypatch):
    """A project of three cassettes: one partly played, one wholly, and one that no test uses."""
    folder = pytester.mkdir("cassettes")
    (folder / "a.yaml").write_text(ours(asked("One?"), asked("Two?"), asked("Three?")))
    (folder / "b.yaml").write_text(ours(asked("B?")))
    (folder / "old.yaml").write_text(ours(asked("Old?"), asked("Older?")))
    monkeypatch.chdir(pytester.path)
    return folder


@pytest.fixture
def prune(capsys):
    """Return a function that runs `llmtest cassette prune`."""

    def command(*arguments, usage="usage.json"):
        capsys.readouterr()
        code = 0
        try:
            run_command(["cassette", "prune", *arguments, "--usage", usage])
        except SystemExit as ended:
            code = ended.code or 0
        printed = capsys.readouterr()
        return code, printed.out.splitlines(), printed.err

    return command


def prompts(path):
    """Return what is asked in a cassette."""
    document = Document(path.read_text(), str(path))
    bodies = [json.loads(document[at].request.body) for at in range(len(document))]
    return [body["messages"][0]["content"] for body in bodies]


def test_unused_interactions_are_pruned_and_orphans_named(run_tests, project, prune):
    """What the marker and `use_cassette` played stays; the rest of a file goes, a whole file is only named."""
    run_tests(TESTS, "--llmtest-cassette-usage=usage.json").assert_outcomes(passed=3)
    before = (project / "b.yaml").stat().st_mtime_ns
    assert prune("cassettes") == (
        0,
        [
            f"cassettes/a.yaml: no test played interaction 2, POST {CHAT}",
            "cassettes/old.yaml: no test played anything of it (2 interactions)",
            "1 unused interaction removed in 3 cassettes, 1 orphaned file left where it is.",
            "To remove orphaned files too, pass --delete-orphans.",
        ],
        "",
    )
    assert prompts(project / "a.yaml") == ["One?", "Three?"]
    assert (project / "b.yaml").stat().st_mtime_ns == before
    assert (project / "old.yaml").exists()
    run_tests(TESTS).assert_outcomes(passed=3)


@pytest.mark.parametrize("word", ["--dry-run", "--check"])
def test_a_check_says_what_is_unused_and_writes_nothing(run_tests, project, prune, word):
    """It exits with 1, as CI wants it; and with 0 where every file named is played whole."""
    run_tests(TESTS, ini="llmtest_cassette_usage = usage.json").assert_outcomes(passed=3)
    before = {path: path.read_bytes() for path in project.iterdir()}
    code, lines, _ = prune("cassettes", word, "--delete-orphans")
    assert code == 1
    assert lines[-1] == "1 unused interaction to be removed in 3 cassettes, 1 orphaned file to be removed."
    assert {path: path.read_bytes() for path in project.iterdir()} == before
    assert prune("cassettes/b.yaml", word) == (0, ["0 unused interactions to be removed in 1 cassette."], "")


def test_orphans_are_deleted_when_asked_and_told_as_json(run_tests, project, prune):
    """One object for each cassette."""
    run_tests(TESTS, "--llmtest-cassette-usage=usage.json").assert_outcomes(passed=3)
    code, lines, _ = prune("cassettes", "--delete-orphans", "--json")
    assert code == 0
    assert [json.loads(line) for line in lines] == [
        {
            "path": "cassettes/a.yaml",
            "interactions": 3,
            "unused": [{"interaction": 2, "request": f"POST {CHAT}"}],
            "orphan": False,
        },
        {"path": "cassettes/b.yaml", "interactions": 1, "unused": [], "orphan": False},
        {"path": "cassettes/old.yaml", "interactions": 2, "unused": [], "orphan": True},
    ]
    assert not (project / "old.yaml").exists()


def test_workers_of_xdist_are_summed_up(run_tests, project, prune):
    """Two workers play one cassette, and what both played stays."""
    outcome = run_tests(TESTS, "-p", "xdist", "-n2", "--llmtest-cassette-usage=usage.json")
    outcome.assert_outcomes(passed=3)
    usage = json.loads((project.parent / "usage.json").read_text())
    assert (usage["whole"], usage["left_out"]) == (True, {})
    assert {name: facts["played"] for name, facts in usage["cassettes"].items()} == {
        "cassettes/a.yaml": [1, 3],
        "cassettes/b.yaml": [1],
    }


def test_what_simulated_providers_play_is_counted(run_tests, project, prune):
    """By `plays`, in the process and on a port; of a file that is only opened nothing is played."""
    code = (
        ASKING
        + """
def test_in_process(llm_sim):
    llm_sim.openai.plays("cassettes/a.yaml", optional=True)
    assert ask("Two?") == 200

def test_on_a_port(llm_server):
    llm_server.openai.plays("cassettes/old.yaml", optional=True, match_on=["path", "body"])
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Older?"}]}
    assert httpx.post(f"{llm_server.base_url}/v1/chat/completions", json=body).status_code == 200

def test_asks_nothing(llm_sim):
    llm_sim.openai.plays("cassettes/b.yaml", optional=True)
"""
    )
    run_tests(code, "--llmtest-cassette-usage=usage.json").assert_outcomes(passed=3)
    code, lines, error = prune("cassettes", "--check", "--json")
    assert error == ""
    assert code == 1
    found = {told["path"]: told for told in map(json.loads, lines)}
    unused = {path: [each["interaction"] for each in told["unused"]] for path, told in found.items()}
    assert unused == {"cassettes/a.yaml": [1, 3], "cassettes/b.yaml": [], "cassettes/old.yaml": [1]}
    assert [path for path, told in found.items() if told["orphan"]] == ["cassettes/b.yaml"]


MORE = {
    "failed": "def test_more(): assert False",
    "skipped or expected to fail": "@pytest.mark.skip\ndef test_more(): pass",
    "played by vcrpy, which is not counted": "@pytest.mark.vcr\ndef test_more(): pass",
}


@pytest.mark.parametrize("why", MORE)
def test_a_run_that_was_not_whole_is_refused(run_tests, project, prune, why):
    """With the names of the tests, because these may need what looks unused; `--partial` overrules it."""
    run_tests(f"{TESTS}\n{MORE[why]}\n", "--llmtest-cassette-usage=usage.json", ini="markers = vcr\n")
    before = (project / "a.yaml").read_bytes()
    code, lines, error = prune("cassettes")
    assert (code, lines) == (2, [])
    assert f"\n  {why}: test_it.py::test_more\n" in error
    assert "To fix: run every test, without paths and filters: pytest --llmtest-cassette-usage=usage.json" in error
    assert (project / "a.yaml").read_bytes() == before
    assert prune("cassettes/a.yaml", "--partial")[0] == 0
    assert prompts(project / "a.yaml") == ["One?", "Three?"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["-k", "not three"], "deselected: test_it.py::test_three"),
        (["test_it.py"], "run of these paths alone: test_it.py"),
        (["test_it.py::test_one"], "run of these paths alone: test_it.py::test_one"),
        (["--lf"], "run with: --lf"),
        (["--collect-only"], "run with: --collect-only"),
    ],
)
def test_a_run_of_some_tests_is_no_whole_one(run_tests, project, arguments, told):
    """Whatever left the others out."""
    run_tests(TESTS, "-p", "cacheprovider", "--llmtest-cassette-usage=usage.json", *arguments)
    why, _, names = told.partition(": ")
    usage = json.loads((project.parent / "usage.json").read_text())
    assert usage["whole"] is False
    assert usage["left_out"][why] == [names]


def test_what_testpaths_names_is_every_test(pytester, run_tests, project):
    """A run of all of `testpaths` is whole, whether the command line names them or not."""
    tests = pytester.mkdir("tests")
    (tests / "test_more.py").write_text("def test_more(): pass\n")
    for arguments in (["tests"], []):
        run_tests("", "--llmtest-cassette-usage=usage.json", *arguments, ini="testpaths = tests\n")
        assert json.loads((project.parent / "usage.json").read_text())["left_out"] == {}


def test_a_cassette_that_changed_since_the_run_is_left_alone(run_tests, project, prune):
    """Its numbers mean other interactions now; the others are pruned all the same."""
    run_tests(TESTS, "--llmtest-cassette-usage=usage.json").assert_outcomes(passed=3)
    changed = ours(asked("Zero?"), asked("One?"), asked("Three?"))
    (project / "a.yaml").write_text(changed)
    code, lines, error = prune("cassettes", "--delete-orphans")
    assert code == 2
    assert "cassettes/a.yaml: it has changed since the run" in error
    assert (project / "a.yaml").read_text() == changed
    assert lines[-1] == "0 unused interactions removed in 2 cassettes, 1 orphaned file removed."


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "the usage cannot be read: No such file or directory"),
        ("interactions: []", "this is no usage of cassettes"),
        ('{"llmtest_cassette_usage": 2}', "usage of version 2, not 1"),
        ('{"llmtest_cassette_usage": 1, "left_out": {}, "cassettes": {}}', "no cassette was used in the run"),
        (
            '{"llmtest_cassette_usage": 1, "left_out": {}, "cassettes": {"x.yaml": {"played": [1], "sha256": ""}}}',
            "no cassette it names is there",
        ),
    ],
)
def test_a_usage_that_says_nothing_removes_nothing(project, prune, text, told):
    """A file that is missing, of something else, or moved away from its cassettes would make everything an orphan."""
    if text is not None:
        (project.parent / "usage.json").write_text(text)
    code, lines, error = prune("cassettes", "--delete-orphans")
    assert (code, lines) == (2, [])
    assert told in error
    assert len(list(project.iterdir())) == 3


def test_a_cassette_of_vcrpy_stays_one(run_tests, project, prune):
    """Its other keys too; only the entry is gone that no test played."""
    first = yaml.safe_load(VCRPY)["interactions"][0]
    second = json.loads(json.dumps(first)) | {"note": "mine"}
    second["request"]["uri"] += "/second"
    path = project / "vcrpy.yaml"
    path.write_text(yaml.safe_dump({"interactions": [first, second], "metadata": {"a": "b"}, "version": 1}))
    request = second["request"]
    code = (
        ASKING
        + f"""
@pytest.mark.filterwarnings("ignore:interaction 2")
def test_second():
    with use_cassette("cassettes/vcrpy.yaml"):
        httpx.request({request["method"]!r}, {request["uri"]!r}, content={request["body"]!r})
"""
    )
    run_tests(code, "--llmtest-cassette-usage=usage.json").assert_outcomes(passed=1)
    assert prune("cassettes/vcrpy.yaml")[0] == 0
    left = yaml.safe_load(path.read_text())
    assert [entry["request"]["uri"] for entry in left["interactions"]] == [request["uri"]]
    assert (left["interactions"][0]["note"], left["metadata"]) == ("mine", {"a": "b"})


def test_no_credential_of_an_unused_request_is_printed(run_tests, project, prune):
    """The address of what is removed is shown as a cassette would keep it."""
    uri = f"{CHAT}?key={SECRET}"
    (project / "a.yaml").write_text(ours(asked("One?"), asked("Three?"), asked("Two?", uri=uri)))
    run_tests(TESTS, "--llmtest-cassette-usage=usage.json").assert_outcomes(passed=3)
    _, lines, error = prune("cassettes/a.yaml")
    assert lines[0].startswith(f"cassettes/a.yaml: no test played interaction 3, POST {CHAT}?key=")
    assert SECRET not in "\n".join(lines) + error


def test_a_usage_that_cannot_be_written_ends_the_run_with_an_error(run_tests, project):
    """As an error of usage, which names the file."""
    result = run_tests(TESTS, "--llmtest-cassette-usage=cassettes")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*cassettes: the usage of the cassettes cannot be written.*"])
