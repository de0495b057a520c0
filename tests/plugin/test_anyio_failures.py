"""Harness errors in tests of the anyio plugin, whose one task runs the test and tears its fixtures down."""

from pathlib import Path

import pytest

TESTS = """
import anyio, openai, pytest

@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.fixture
async def client():
    yield openai.AsyncOpenAI(max_retries=0)
    print("the client's fixture has ended")

async def ask(client):
    await client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hi"}])

@pytest.fixture
async def asked(client):
    await ask(client)

@pytest.mark.anyio
"""

BODIES = {
    "await": "async def test_it(llm_sim, client):\n    await ask(client)\n",
    "task-group": (
        "async def test_it(llm_sim, client):\n"
        "    async with anyio.create_task_group() as group:\n"
        "        group.start_soon(ask, client)\n"
    ),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=list(BODIES))
def test_t27_a_harness_error_with_an_asynchronous_fixture_is_one_failure(run_tests, body):
    """The test fails with the error itself, at the user's line, and the fixture is torn down in good order."""
    result = run_tests(TESTS + body, "-s")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*the client's fixture has ended", "E *UnscriptedRequestError: `openai` received*"])
    result.stdout.no_fnmatch_line("*Carried*")


def test_t27_a_mismatch_with_an_asynchronous_fixture_is_one_failure(run_tests, pytester):
    """A cassette that does not match fails as a script that has no step."""
    recorded = Path(__file__).parent.parent.parent / "cassettes" / "capital.yaml"
    pytester.path.joinpath("capital.yaml").write_text(recorded.read_text())
    result = run_tests(
        TESTS + "@pytest.mark.llm_cassette('capital.yaml')\n"
        "async def test_it(llm_cassette, client):\n    await ask(client)\n",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *CassetteMismatchError: *"])


def test_t27_a_harness_error_in_an_asynchronous_fixture_is_one_error(run_tests):
    """Where a fixture ends the task, what it was to be torn down in is gone; nothing more is said of it, nor later."""
    later = "import gc\ndef test_later():\n    gc.collect()\n"
    result = run_tests(TESTS + "async def test_it(llm_sim, asked):\n    pass\n" + later, ini="filterwarnings = error")
    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines(["E *UnscriptedRequestError: `openai` received*"])
    result.stdout.no_fnmatch_line("*ClosedResourceError*")
