"""Run in an environment of `environments/`, by `.ci/run detection`: each fault is there, is caught, and is named.

`LLMTEST_DETECTION=current python -m pytest -c /dev/null --rootdir=. --noconftest tests/detection/check_cases.py`
"""

import importlib
import importlib.metadata
import os
import pkgutil
import warnings

import pytest

from llmtest.conduct import FINDINGS
from llmtest.errors import HarnessError
from tests.detection import cases
from tests.detection._case import Case
from tests.detection._catalogue import pinned, written_cases

ENVIRONMENT = os.environ["LLMTEST_DETECTION"]
warnings.simplefilter("ignore")  # the libraries' own, about each other


def cases_here():
    """Return the cases of this environment, by name."""
    package = importlib.import_module(f"{cases.__name__}.{ENVIRONMENT}")
    files = [
        importlib.import_module(f"{package.__name__}.{each.name}") for each in pkgutil.iter_modules(package.__path__)
    ]
    return {
        f"{file.__name__.rpartition('.')[2]}.{name}": each
        for file in files
        for name, each in vars(file).items()
        if isinstance(each, type)
        and issubclass(each, Case)
        and "thread" in vars(each)
        and each.__module__ == file.__name__
    }


CASES = cases_here()


def run(case, app, sim):
    """Run an app; return what it answered, and the class of the error that it ended with."""
    sim.strict = False  # what is scripted for an app without the fault stays unplayed with it
    case.script(sim)
    answer, error = None, ""
    try:
        if case.marks_its_calls:
            answer = app(sim)
        else:
            with sim.call("the app") as call:
                answer = app(sim)
                call.returned(answer)
    except HarnessError:
        raise
    except Exception as raised:  # noqa: BLE001 - whatever the library makes of it
        error = type(raised).__name__
    return answer, error


def named(sim):
    """Return what `assert_resilient` names without a hint."""
    try:
        sim.assert_resilient()
    except AssertionError as failure:
        accusations = str(failure).partition("\nUndecided,")[0]
        first_words = {line.split()[0] for line in accusations.splitlines() if line.strip()}
        return sorted(first_words & set(FINDINGS))
    return []


@pytest.mark.parametrize("name", CASES)
def test_the_fault_is_there_and_caught(name, llm_sim):
    """The library misbehaves as reported, one assertion catches it, and the verdict names what it is said to name."""
    case = CASES[name]()

    answer, error = run(case, case.app, llm_sim)

    assert error == case.raises
    with pytest.raises(AssertionError):
        case.catch(llm_sim, answer)
    assert named(llm_sim) == sorted(case.findings)


@pytest.mark.parametrize("name", [name for name, each in CASES.items() if each.cure is not None])
def test_the_cure_is_not_accused(name, llm_sim):
    """The same app without the fault passes the same assertion, and the verdict has nothing to say of it."""
    case = CASES[name]()

    answer, error = run(case, case.cure, llm_sim)

    assert error == case.cure_raises
    case.catch(llm_sim, answer)
    assert named(llm_sim) == []


def test_the_table_has_these_cases():
    """What is run is what the table shows."""
    assert sorted(CASES) == sorted(case.name for case in written_cases() if case.environment == ENVIRONMENT)


def test_the_versions_are_the_pinned_ones():
    """The faults are those of the versions that the table names."""
    versions = pinned(ENVIRONMENT)
    libraries = {each.library for each in CASES.values()}
    assert {each: importlib.metadata.version(each) for each in libraries} == {
        each: versions[each] for each in libraries
    }
