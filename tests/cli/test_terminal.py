"""What the command shows of itself: its version, and a bar while it works on a terminal."""

import os
import pty
import re
import subprocess
import sys
from importlib.metadata import version

SCENARIO = """\
version: 1
name: small
providers: {openai: {model: gpt-4o}}
chain: {providers: [{provider: openai}]}
load: {rate: 50/s, duration: 30s}
"""


def test_the_version():
    """`--version` prints the distribution's version and nothing else."""
    done = subprocess.run([sys.executable, "-m", "llmtest", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"llmtest {version('llmtest-sim')}\n"


def test_a_bar_on_a_terminal(tmp_path):
    """On a terminal the runs are shown with a bar that goes away; standard output has the results alone."""
    (tmp_path / "small.yaml").write_text(SCENARIO)
    controller, terminal = pty.openpty()
    command = [sys.executable, "-m", "llmtest", "simulate", "small.yaml", "--runs", "2", "--json"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=terminal, text=True, cwd=tmp_path, env=environment
    ) as process:
        os.close(terminal)
        shown = b""
        while True:
            try:
                piece = os.read(controller, 65536)
            except OSError:  # The terminal's other end is closed.
                break
            if not piece:
                break
            shown += piece
        output = process.stdout.read()
    os.close(controller)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert "small" in text
    assert re.search(r"[\d,]+ calls", text)
    assert len(output.splitlines()) == 2
    assert process.returncode == 0
