"""The fixture and the marker `llm_cassette`, in small runs of their own against a provider on loopback."""

import sys
from pathlib import Path

import pytest
from vcr.serializers import yamlserializer

from tests.cassettes.live_provider import chat, live_provider
from tests.simulation.recorded_sessions import asked, interaction, whole, write_session

APP = """
import os
import openai

client = openai.OpenAI(base_url=os.environ["LIVE_URL"], api_key="sk-live-0123456789abcdefghij")

def ask(question, **options):
    messages = [{"role": "user", "content": question}]
    return client.chat.completions.create(model="gpt-4o", messages=messages, **options).choices[0].message.content
"""

ASKS = """
    import app

    def test_asks(llm_cassette):
        assert app.ask("Capital of France?") == "answer to Capital of France?"
"""


@pytest.fixture
def live(monkeypatch):
    """A provider on loopback, for the small runs."""
    with live_provider() as provider:
        monkeypatch.setenv("LIVE_URL", provider.base_url)
        yield provider


@pytest.fixture
def run(run_tests, monkeypatch):
    """Run test code beside the app."""
    monkeypatch.delitem(sys.modules, "app", raising=False)

    def run(code, *arguments, **options):
        sys.modules.pop("app", None)
        return run_tests(code, *arguments, app=APP, **options)

    return run


def test_a_session_is_recorded_once_and_replayed_without_the_provider(run, live, pytester):
    """`--llmtest-record=once` writes the file beside the test; the next run plays it, and calls nobody."""
    recording = run(ASKS, "--llmtest-record=once")
    recording.assert_outcomes(passed=1)
    recording.stdout.fnmatch_lines(["llmtest: 0 calls, 0 fallbacks, $0 simulated, 1 cassette used, 1 live request"])
    file = pytester.path / "cassettes/test_it/test_asks.yaml"
    text = file.read_text()
    assert "sk-live" not in text
    assert "authorization: [Bearer <redacted>]" in text

    replay = run(ASKS)
    replay.assert_outcomes(passed=1)
    replay.stdout.fnmatch_lines(["llmtest: 0 calls, 0 fallbacks, $0 simulated, 1 cassette used, 0 live requests"])
    assert len(live.bodies) == 1
    assert file.read_text() == text


def test_without_a_recording_the_request_is_refused_and_the_error_says_how_to_record(run, live):
    """The default mode calls nobody: a missing cassette fails the test, with the command that records it."""
    result = run(ASKS)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E *CassetteMismatchError: there is no cassette cassettes/test_it/test_asks.yaml to answer this request.",
            "E *To fix: record it, which calls *: pytest --llmtest-record=once test_it.py::test_asks",
        ]
    )
    assert live.bodies == []


def test_the_command_that_records_can_be_pasted_into_a_shell(run, live):
    """The name of a test with parameters holds what a shell would read as a pattern, so it is quoted."""
    result = run(
        """
        import pytest
        import app

        @pytest.mark.parametrize("place", ["Paris, France"])
        def test_asks(llm_cassette, place):
            app.ask(place)
        """
    )
    result.stdout.fnmatch_lines(["*: pytest --llmtest-record=once 'test_it.py::test_asks[[]Paris, France[]]'"])


def test_a_changed_request_names_what_differs_at_once_and_again_where_the_app_swallowed_it(run, live):
    """A drifted prompt costs no retries, names the JSON path, and an `except BaseException` does not hide it."""
    run(ASKS, "--llmtest-record=once").assert_outcomes(passed=1)
    result = run(
        """
        import app

        def test_asks(llm_cassette):
            try:
                app.ask("Capital of Spain?")
            except BaseException:
                pass
        """
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*app.py:8: in ask",
            "E *: no interaction in cassettes/test_it/test_asks.yaml matches this request; *, number 1, differs in *.",
            'E     body.messages[[]0].content: recorded "Capital of France?", sent "Capital of Spain?"',
            "E     1. record it again: pytest --llmtest-record=rewrite test_it.py::test_asks",
        ]
    )
    assert len(live.bodies) == 1


def test_a_failed_test_keeps_the_old_file(run, live, pytester):
    """What a failing, skipped or expectedly failing test recorded is thrown away, and the old recording stays."""
    run(ASKS, "--llmtest-record=once").assert_outcomes(passed=1)
    file = pytester.path / "cassettes/test_it/test_asks.yaml"
    before = file.read_bytes()
    for ending in ("assert False", "import pytest; pytest.skip()", "import pytest; pytest.xfail('known')"):
        run(
            f"""
            import app

            def test_asks(llm_cassette):
                app.ask("Something else")
                {ending}
            """,
            "--llmtest-record=rewrite",
        )
        assert file.read_bytes() == before
    assert live.said() == ["Capital of France?"] + ["Something else"] * 3


def test_rewrite_replaces_the_file_once_for_all_tests_that_share_it(run, live, pytester):
    """Two tests that name one file write it together, whichever comes second."""
    shared = """
        import app
        import pytest

        @pytest.mark.llm_cassette("shared.yaml")
        def test_one():
            app.ask("one")

        @pytest.mark.llm_cassette("shared.yaml")
        def test_two():
            app.ask("two")
    """
    for _ in range(2):
        run(shared, "--llmtest-record=rewrite").assert_outcomes(passed=2)
        recorded = yamlserializer.deserialize((pytester.path / "shared.yaml").read_text())["interactions"]
        assert ["one" in each["request"]["body"] for each in recorded] == [True, False]
    run(shared).assert_outcomes(passed=2)


def test_once_records_all_tests_that_share_a_new_file(run, live):
    """`once` means that there was no file before the run; the second test of a class is no stranger to it."""
    shared = """
        import app
        import pytest

        @pytest.mark.llm_cassette("shared.yaml")
        class TestTalk:
            def test_one(self):
                app.ask("one")

            def test_two(self):
                app.ask("two")
    """
    run(shared, "--llmtest-record=once").assert_outcomes(passed=2)
    run(shared).assert_outcomes(passed=2)
    assert live.said() == ["one", "two"]


def test_markers_of_module_class_and_test_add_up(run, live, pytester, monkeypatch):
    """The closest says what it says, and the others the rest."""
    code = """
        import os
        import app
        import pytest

        pytestmark = pytest.mark.llm_cassette(match_on={"body": {"ignore": ["seed"]}})

        @pytest.mark.llm_cassette("class.yaml")
        class TestTalk:
            @pytest.mark.llm_cassette("test.yaml")
            def test_one(self):
                app.ask("one", seed=int(os.environ["SEED"]))

            @pytest.mark.llm_cassette(keep_failures=True)
            def test_two(self):
                app.ask("two", seed=int(os.environ["SEED"]))
    """
    monkeypatch.setenv("SEED", "1")
    run(code, "--llmtest-record=once").assert_outcomes(passed=2)
    assert sorted(path.name for path in pytester.path.glob("*.yaml")) == ["class.yaml", "test.yaml"]
    monkeypatch.setenv("SEED", "2")
    run(code).assert_outcomes(passed=2)


def test_the_marker_sets_mode_path_and_what_is_compared(run, live, pytester):
    """The marker alone is enough; its path is relative to the test file, whatever the working directory."""
    code = """
        import os
        import app
        import pytest

        @pytest.mark.llm_cassette("sessions/a.yaml", mode="once", match_on=["method", "path"])
        def test_asks(monkeypatch, tmp_path):
            monkeypatch.chdir(tmp_path)
            assert app.ask(os.environ["QUESTION"]) == "answer to first"
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUESTION", "first")
        run(code).assert_outcomes(passed=1)
        patch.setenv("QUESTION", "second")
        run(code).assert_outcomes(passed=1)
    assert (pytester.path / "sessions/a.yaml").is_file()
    assert live.said() == ["first"]


@pytest.mark.parametrize(
    ("mark", "message"),
    [
        ('("a.yaml", "b.yaml")', "`llm_cassette` takes one path."),
        ('(matchon=["path"])', "`llm_cassette` has no option `matchon`. Did you mean `match_on`?"),
        (
            '(mode="onec")',
            (
                "unknown cassette mode `onec`. Did you mean `once`? Known modes: none, once, new_episodes, all, "
                "rewrite, verify."
            ),
        ),
        ('(match_on=["bodies"])', "match_on: unknown part `bodies`. Known parts: method, host, path, query, body."),
    ],
)
def test_a_wrong_marker_is_one_clear_error(run, live, mark, message):
    """What is wrong with a marker is said before the test runs."""
    result = run(
        f"""
        import pytest

        @pytest.mark.llm_cassette{mark}
        def test_it():
            raise AssertionError("must not run")
        """
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"E   llmtest.errors.ConfigurationError: {message.replace('[', '[[]')}*"])


def test_a_recorded_rate_limit_is_waited_out_in_virtual_time(run, live):
    """Answers of status 429 are kept where that is asked; their `Retry-After` takes no time on replay."""
    answers = [(429, {"retry-after": "0.01"}, b'{"error": {"message": "slow down"}}')]
    live.respond = lambda body: answers.pop() if answers else (200, {}, chat("Paris"))
    code = """
        import app
        import pytest

        @pytest.mark.llm_cassette(keep_failures=True)
        def test_asks(request):
            assert app.ask("Capital of France?") == "Paris"

        @pytest.mark.llm_cassette("cassettes/test_it/test_asks.yaml")
        def test_waits(llm_sim):
            before = llm_sim.clock.elapsed()
            assert app.ask("Capital of France?") == "Paris"
            assert 20.0 <= llm_sim.clock.elapsed() - before < 21.0
    """
    run(code, "--llmtest-record=once", "-k", "asks").assert_outcomes(passed=1, deselected=1)
    file = Path("cassettes/test_it/test_asks.yaml")
    file.write_text(file.read_text().replace("'0.01'", "'20'"))
    run(code, "-k", "waits").assert_outcomes(passed=1, deselected=1)


def test_k14_replays_of_the_fixture_count_in_the_simulation_and_in_the_budget(run, pytester):
    """`llm_cassette` beside `llm_sim`: attempts, spend, the budget of the test, and the line at the end."""
    write_session(
        pytester.path / "session.yaml", *(interaction(asked(each), whole(f"answer to {each}")) for each in "ab")
    )
    code = """
        import openai
        import pytest

        def ask(question):
            messages = [{"role": "user", "content": question}]
            client = openai.OpenAI(api_key="k")
            return client.chat.completions.create(model="gpt-4o", messages=messages).choices[0].message.content

        @pytest.mark.llm_cassette("session.yaml")
        def test_both(llm_sim, llm_cassette):
            assert [ask("a"), ask("b")] == ["answer to a", "answer to b"]
            assert llm_cassette.played == 2
            llm_sim.assert_sequence("openai:200", "openai:200")
            llm_sim.assert_spend(at_most="0.00015", at_least="0.00015")

        @pytest.mark.llm_cassette("session.yaml")
        @pytest.mark.llm_budget(usd="0.0001")
        def test_over(llm_sim):
            assert [ask("a"), ask("b")]
    """
    result = run(code)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["*this test spent $0.00015 of its $0.0001 budget*", "llmtest: 4 calls, 0 fallbacks, $0.0003 simulated*"]
    )


def test_pytest_recordings_marker_and_files_are_honoured_where_asked(run, live, pytester):
    """With `llmtest_vcr_marker`, `@pytest.mark.vcr` plays from the folder and names of pytest-recording."""
    code = """
        import app
        import pytest

        class TestApp:
            @pytest.mark.vcr
            @pytest.mark.parametrize("word", ["a/b", "c"])
            def test_asks(self, word):
                assert app.ask(word) == f"answer to {word}"

        @pytest.mark.vcr("TestApp.test_asks[c].yaml", match_on=["uri", "raw_body"])
        def test_borrows():
            assert app.ask("c") == "answer to c"
    """
    ini = "llmtest_vcr_marker = true"
    run(code, "--llmtest-record=once", "-k", "TestApp", ini=ini).assert_outcomes(passed=2, deselected=1)
    names = sorted(path.name for path in (pytester.path / "cassettes/test_it").iterdir())
    assert names == ["TestApp.test_asks[a-b].yaml", "TestApp.test_asks[c].yaml"]
    run(code, ini=ini).assert_outcomes(passed=3)
    assert len(live.bodies) == 2


def test_a_folder_that_cannot_be_written_is_one_error_at_the_end(run, live, pytester):
    """A recording that cannot be saved fails the test, says where, and leaves nothing behind."""
    (pytester.path / "cassettes").write_text("a file where a folder should be")
    result = run(ASKS, "--llmtest-record=once")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["E *: *test_asks.yaml: the cassette cannot be written: * Nothing was changed; make the folder writable, *"]
    )


def test_a_broken_file_is_one_error_before_the_test_runs(run, live, pytester):
    """A merge conflict in a cassette is named with its line."""
    folder = pytester.path / "cassettes/test_it"
    folder.mkdir(parents=True)
    (folder / "test_asks.yaml").write_text("version: 1\n<<<<<<< HEAD\ninteractions: []\n=======\n")
    result = run(ASKS)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["E *Error: *test_asks.yaml:2: a merge conflict was left in the cassette. Resolve it, or re-record."]
    )


def test_an_interrupt_while_recording_leaves_the_old_file(run, live, pytester):
    """Ctrl-C in the middle of a recording writes nothing, and leaves no temporary file."""
    run(ASKS, "--llmtest-record=once").assert_outcomes(passed=1)
    folder = pytester.path / "cassettes/test_it"
    before = (folder / "test_asks.yaml").read_bytes()
    result = run(
        """
        import app

        def test_asks(llm_cassette):
            app.ask("Something else")
            raise KeyboardInterrupt
        """,
        "--llmtest-record=rewrite",
        subprocess=True,
    )
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert [path.name for path in folder.iterdir()] == ["test_asks.yaml"]
    assert (folder / "test_asks.yaml").read_bytes() == before


def test_a_session_beside_a_simulation_is_recorded_in_real_time(run, live):
    """`llm_sim` in a test that records keeps real time, because the network does."""
    result = run(
        """
        import app
        from llmtest.clock import VirtualClock

        def test_asks(llm_sim, llm_cassette):
            assert not isinstance(llm_sim.clock, VirtualClock)
            app.ask("Capital of France?")
            assert [request.body for request in llm_cassette.requests] != []
            assert llm_cassette.live == 1
        """,
        "--llmtest-record=once",
    )
    result.assert_outcomes(passed=1)


def test_other_libraries_cannot_slip_past_a_recording(run, live):
    """A connection that would be neither recorded nor replayed is refused while recording, too."""
    result = run(
        """
        import socket

        def test_it(llm_cassette):
            socket.create_connection(("api.openai.com", 443))
        """,
        "--llmtest-record=once",
    )
    result.stdout.fnmatch_lines(
        ["E *: blocked a live request to api.openai.com while cassettes/test_it/test_it.yaml is in use."]
    )


KEEPS = """
    import pytest

    @pytest.mark.llm_cassette("kept.yaml", keep=["order-4711-*"])
    def test_asks():
        import app

        app.client.chat.completions.create(
            model="gpt-4o",
            messages=[{"role": "user", "content": "a"}],
            extra_body={"order_token": "a1b2c3d4", "secret": "order-4711-x", "auth_token": "e5f6g7h8"},
        )
"""


def test_t40_what_is_kept_on_purpose_is_named_by_the_marker_and_by_the_ini_file(run, live, pytester):
    """A false hit of redaction stands in the file, the session replays, and everything else is replaced as before."""
    ini = "llmtest_cassette_keep =\n    order_token\n    another\n"
    run(KEEPS, "--llmtest-record=once", ini=ini).assert_outcomes(passed=1)
    text = (pytester.path / "kept.yaml").read_text()
    assert "a1b2c3d4" in text
    assert "order-4711-x" in text
    assert "e5f6g7h8" not in text
    run(KEEPS, ini=ini).assert_outcomes(passed=1)
