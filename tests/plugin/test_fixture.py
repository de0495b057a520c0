"""The fixture `llm_sim` and its siblings: strict teardown, notes, nesting, sharing, real time, budgets."""

import pytest

APP = """
import openai

def ask(text="Hi"):
    client = openai.OpenAI()
    answer = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": text}])
    return answer.choices[0].message.content
"""


def test_steps_left_over_fail_the_test_at_teardown(run_tests):
    """A script that was not played to its end fails a test that passed otherwise, naming each step and its line."""
    result = run_tests(
        """
        import app
        from llmtest import faults

        def test_it(llm_sim):
            llm_sim.openai.replies("Paris").fails(faults.RateLimited(retry_after=2))
            assert app.ask() == "Paris"
        """,
        app=APP,
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "E *UnusedStepsError: `openai` still had 1 of 2 scripted steps to play when the test ended.",
            "E *step 2: rate_limited(retry_after=2)*test_it.py:5",
            "E *The code under test stopped after 1 request. If that is on purpose, mark that step `optional=True`.",
        ]
    )


def test_steps_left_over_by_a_failed_test_are_a_note(run_tests):
    """A test that failed for its own reason fails once; what it left unplayed stands beside the failure."""
    result = run_tests(
        """
        def test_it(llm_sim):
            llm_sim.openai.replies("Paris")
            raise ValueError("the app is broken")
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E *ValueError: the app is broken",
            "*llmtest*",
            "`openai` still had 1 of 1 scripted step to play when the test ended.",
        ]
    )


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("llm_sim.strict = False", id="not-strict"),
        pytest.param("pass", id="optional"),
    ],
)
def test_steps_may_be_left_over_on_purpose(run_tests, line):
    """`strict = False` and `optional=True` are the ways to leave a step unplayed."""
    optional = "" if line.startswith("llm_sim") else ", optional=True"
    result = run_tests(f"def test_it(llm_sim):\n    llm_sim.openai.replies('Paris'{optional})\n    {line}\n")
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(
            """
            @pytest.fixture(autouse=True)
            def world(llm_sim):
                llm_sim.openai.echoes()

            def test_it():
                assert app.ask("Hello") == "Hello"
            """,
            id="autouse",
        ),
        pytest.param(
            """
            @pytest.mark.usefixtures("llm_sim")
            class TestIt:
                def test_it(self, llm_sim):
                    llm_sim.openai.echoes()
                    assert app.ask("Hello") == "Hello"
            """,
            id="class",
        ),
        pytest.param(
            """
            @pytest.mark.parametrize("text", ["Hello"])
            def test_it(llm_sim, text):
                llm_sim.openai.echoes()
                assert app.ask(text) == text
            """,
            id="parametrize",
        ),
        pytest.param(
            """
            def test_it(request):
                request.getfixturevalue("llm_sim").openai.echoes()
                assert app.ask("Hello") == "Hello"
            """,
            id="dynamic",
        ),
    ],
)
def test_the_fixture_may_be_asked_for_anywhere(run_tests, code):
    """An autouse fixture, a class, a parametrised test and a test that asks late all get the world."""
    import textwrap

    result = run_tests("import app\nimport pytest\n" + textwrap.dedent(code), app=APP)
    result.assert_outcomes(passed=1)


def test_two_worlds_in_one_test_are_refused(run_tests):
    """A test that asks for two simulations is told their names."""
    result = run_tests("def test_it(llm_sim, llm_sim_module):\n    pass\n")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            ("E *: `llm_sim` and `llm_sim_module` cannot be used by one test: a test lives in one simulated world."),
            "E *To fix: use one of the two.",
        ]
    )


def test_a_world_inside_a_world_is_refused(run_tests):
    """A simulation started by hand inside the fixture's names both."""
    result = run_tests(
        """
        import llmtest

        def test_it(llm_sim):
            with llmtest.Simulation():
                pass
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["E *SimulationStateError: `Simulation` cannot start inside `llm_sim`: one simulated world runs at a time."]
    )


@pytest.mark.parametrize("fixture", ["llm_sim_module", "llm_sim_session"])
def test_a_shared_world_resets_its_scripts(run_tests, fixture):
    """Tests that share a world share its clock, and neither script, trace, requests nor costs."""
    result = run_tests(
        f"""
        import app
        from llmtest import faults

        worlds = []

        def test_one({fixture}):
            {fixture}.openai.fails(faults.RateLimited(retry_after=30)).replies("one")
            assert app.ask() == "one"
            worlds.append({fixture})

        def test_two({fixture}):
            assert {fixture} is worlds[0]
            assert {fixture}.clock.elapsed() == 30.0
            assert len({fixture}.trace) == 0
            {fixture}.openai.replies("two")
            assert app.ask() == "two"
            {fixture}.assert_sequence("openai:200")
            {fixture}.assert_waited(at_most=0)

        def test_unscripted({fixture}):
            app.ask()

        def test_left_over({fixture}):
            {fixture}.openai.replies("three")
        """,
        app=APP,
    )
    result.assert_outcomes(passed=3, failed=1, errors=1)


def test_a_shared_world_ends_with_its_module(run_tests):
    """The next module's own world starts in peace."""
    result = run_tests("def test_it(llm_sim_module):\n    pass\n", test_other="def test_that(llm_sim):\n    pass\n")
    result.assert_outcomes(passed=2)


def test_a_world_beside_a_shared_one_is_refused(run_tests):
    """While a module's world runs, a test of that module cannot have one of its own."""
    result = run_tests("def test_one(llm_sim_module):\n    pass\n\ndef test_two(llm_sim):\n    pass\n")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["E *SimulationStateError: `llm_sim` cannot start inside `llm_sim_module`: one simulated world runs at a time."]
    )


def test_a_failing_fixture_leaves_nothing_behind(run_tests):
    """Where another fixture fails, the world is taken away and the next test has its own."""
    result = run_tests(
        """
        import time
        import pytest

        real = time.monotonic

        @pytest.fixture
        def broken(llm_sim):
            raise ValueError("broken")

        def test_one(broken):
            pass

        def test_two():
            assert time.monotonic is real

        def test_three(llm_sim):
            pass
        """
    )
    result.assert_outcomes(passed=2, errors=1)


@pytest.mark.parametrize(
    ("arguments", "ini", "marker"),
    [
        pytest.param((), "", '@pytest.mark.llm_time("real")', id="marker"),
        pytest.param((), "llmtest_time = real", "", id="ini"),
        pytest.param(("--llmtest-time=real",), "", "", id="flag"),
    ],
)
def test_virtual_time_can_be_turned_off(run_tests, arguments, ini, marker):
    """In real time requests are still answered by the simulation, and waiting takes its time."""
    result = run_tests(
        f"""
        import time
        import app, pytest

        real = time.monotonic

        {marker}
        def test_it(llm_sim):
            llm_sim.openai.replies("Paris")
            assert time.monotonic is real
            assert app.ask() == "Paris"
            assert llm_sim.clock.elapsed() > 0
        """,
        *arguments,
        ini=ini,
        app=APP,
    )
    result.assert_outcomes(passed=1)


def test_a_misspelt_time_is_corrected(run_tests):
    """A mode that does not exist fails the test with the nearest one."""
    result = run_tests(
        """
        import pytest

        @pytest.mark.llm_time("rael")
        def test_it(llm_sim):
            pass
        """
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["E *ConfigurationError: llmtest_time = rael: there is no such time. Did you mean `real`?"]
    )


def test_the_budget_of_a_test_is_kept(run_tests):
    """A test that spends more than its marker allows fails with the sums and the dearest answers."""
    result = run_tests(
        """
        import app, pytest
        from llmtest import Usage
        from llmtest.simulation import Reply

        @pytest.mark.llm_budget(usd="0.04")
        def test_over(llm_sim):
            llm_sim.openai.replies(Reply("Paris", usage=Usage(10_000, 2_000)))
            app.ask()

        @pytest.mark.llm_budget(usd="0.05")
        def test_within(llm_sim):
            llm_sim.openai.replies(Reply("Paris", usage=Usage(10_000, 2_000)))
            app.ask()
        """,
        app=APP,
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            'E *AssertionError: this test spent $0.045 of its $0.04 budget (`@pytest.mark.llm_budget(usd="0.04")`).',
            "*openai/gpt-4o   10,000 in   2,000 out   $0.045",
        ]
    )


def test_markers_are_described(run_tests):
    """`pytest --markers` shows each signature with one sentence."""
    result = run_tests("", "--markers")
    result.stdout.fnmatch_lines(
        [
            '@pytest.mark.llm_time(mode, start): "real" turns virtual time off for this test; *',
            '@pytest.mark.llm_budget(usd): the test fails if it spends more than usd="0.05" in simulated calls.',
        ]
    )


def test_the_fixtures_are_described(run_tests):
    """`pytest --fixtures` shows what each fixture gives."""
    result = run_tests("", "--fixtures")
    result.stdout.fnmatch_lines(["llm_sim -- *", "*Give the test a simulated world:*"])


def test_the_plugin_can_be_left_out(run_tests):
    """`-p no:llmtest` runs without a trace of it."""
    result = run_tests("def test_it(llm_sim):\n    pass\n", "-p", "no:llmtest", subprocess=True)
    result.stdout.fnmatch_lines(["*fixture 'llm_sim' not found*"])
