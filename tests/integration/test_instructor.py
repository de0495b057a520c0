"""instructor, which needs an environment of its own because it pins what the SDKs need."""

import os
import subprocess
from pathlib import Path

import pytest

CHECKS = Path(__file__).parent.parent / "instructor_env"
VARIABLE = "LLMTEST_INSTRUCTOR_PYTHON"


@pytest.mark.skipif(VARIABLE not in os.environ, reason=f"{VARIABLE} does not name a Python that has instructor")
def test_e05_every_mode_of_instructor_gets_a_valid_model():
    """Each mode, at OpenAI and Anthropic, whole and streamed, in process and on a port, succeeds at once."""
    command = [os.environ[VARIABLE], "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    done = subprocess.run(
        [*command, str(CHECKS / "check_instructor.py")],
        cwd=CHECKS,
        env=clean,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
