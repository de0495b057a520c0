"""litellm's Router, which needs an environment of its own because it pins another openai."""

import os
import subprocess
from pathlib import Path

import pytest

CHECKS = Path(__file__).parent.parent / "litellm_env"
VARIABLE = "LLMTEST_LITELLM_PYTHON"


needs_litellm = pytest.mark.skipif(
    VARIABLE not in os.environ, reason=f"{VARIABLE} does not name a Python that has litellm"
)


def run_checks(name, **variables):
    """Run a file of checks in litellm's environment, which must pass."""
    command = [os.environ[VARIABLE], "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull]
    own = ("PYTEST_", "COV_", "LITELLM_")
    clean = {key: value for key, value in os.environ.items() if not key.startswith(own)}
    done = subprocess.run(
        [*command, str(CHECKS / name)],
        cwd=CHECKS,
        env={**clean, **variables},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs_litellm
def test_litellms_router_is_answered_in_process():
    """The Router's requests, sync and async, are answered by the simulation, and none escapes."""
    run_checks("check_router.py", LITELLM_LOCAL_MODEL_COST_MAP="True")


@needs_litellm
def test_p14_litellm_is_imported_for_the_first_time_in_a_test():
    """Without a variable set beforehand, its request for prices is kept, and it reads its own copy of them."""
    run_checks("check_first_import.py")
