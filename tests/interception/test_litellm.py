"""litellm's Router, which needs an environment of its own because it pins another openai."""

import os
import subprocess
from pathlib import Path

import pytest

CHECKS = Path(__file__).parent.parent / "litellm_env"
VARIABLE = "LLMTEST_LITELLM_PYTHON"


@pytest.mark.skipif(VARIABLE not in os.environ, reason=f"{VARIABLE} does not name a Python that has litellm")
def test_litellms_router_is_answered_in_process():
    """The Router's requests, sync and async, are answered by the simulation, and none escapes."""
    command = [os.environ[VARIABLE], "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    environment = {**clean, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    done = subprocess.run(
        [*command, str(CHECKS / "check_router.py")],
        cwd=CHECKS,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
