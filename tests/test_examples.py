"""The examples: each stands alone, and its own tests pass in a copy of its folder."""

import shutil
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
FOLDERS = sorted(path.parent.name for path in EXAMPLES.glob("*/README.md"))


@pytest.mark.slow
@pytest.mark.parametrize("name", FOLDERS)
def test_the_tests_of_an_example_pass(pytester, name):
    """A copy of the folder is all that its tests need; none is skipped, and none warns."""
    shutil.copytree(EXAMPLES / name, pytester.path / name, ignore=shutil.ignore_patterns("__pycache__"))
    arguments = ("-p", "no:cacheprovider", "-p", "no:asyncio", "-p", "no:hypothesispytest", "-W", "error")
    result = pytester.runpytest_subprocess(*arguments, f"--rootdir={name}", f"-c{name}/pytest.ini", name)
    assert result.ret == 0, result.stdout.str()
    assert result.parseoutcomes().keys() == {"passed"}


def test_every_example_is_listed():
    """The list of the examples has them all."""
    listed = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert {path.name for path in EXAMPLES.iterdir() if path.is_dir()} - {"__pycache__", ".pytest_cache"} == set(
        FOLDERS
    )
    for name in FOLDERS:
        assert f"({name}/README.md)" in listed
