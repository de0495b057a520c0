"""A server in a process of its own, and a Node process that makes calls with the real SDKs."""

import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest

HERE = Path(__file__).parent
LONGEST_S = 30
"""How long any answer of a process is waited for."""


FOLDER = Path(os.environ.get("LLMTEST_NODE_MODULES") or HERE)
"""The folder that holds node_modules."""


def require(*packages):
    """Skip the module that calls this where Node or one of its packages is missing, and say which."""
    if shutil.which("node") is None:
        pytest.skip("Node is not installed: there is no `node` on the PATH", allow_module_level=True)
    for name in packages:
        if not (FOLDER / "node_modules" / name / "package.json").exists():
            pytest.skip(
                f"the npm package `{name}` is not below {FOLDER / 'node_modules'}; run `npm install` in tests/node, "
                "or set LLMTEST_NODE_MODULES to the folder that holds node_modules",
                allow_module_level=True,
            )


class Lines:
    """What a process prints, line by line, never waited for in vain."""

    def __init__(self, stream):
        self.queue = queue.SimpleQueue()
        self.thread = threading.Thread(target=self.read, args=(stream,), daemon=True)
        self.thread.start()

    def read(self, stream):
        """Put every line into the queue, and None at the end."""
        with stream:
            for line in stream:
                self.queue.put(line)
        self.queue.put(None)

    def next(self):
        """Return the next line."""
        line = self.queue.get(timeout=LONGEST_S)
        assert line is not None, "the process ended"
        return line


class Served:
    """`llmtest serve` as its users start it, and its control plane."""

    def __init__(self, *options):
        command = [sys.executable, "-m", "llmtest", "serve", "--port", "0", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.lines = Lines(self.process.stdout)
        first = self.lines.next()
        assert first.startswith("llmtest serving on http://127.0.0.1:"), first
        self.url = first.split()[-1]

    def ask(self, method, path, body=None):
        """Make a request to the control plane."""
        request = urllib.request.Request(f"{self.url}/_llmtest/{path}", method=method, data=body)
        with urllib.request.urlopen(request, timeout=LONGEST_S) as answer:
            return json.loads(answer.read())

    def script(self, **providers):
        """Add steps."""
        return self.ask("POST", "script", json.dumps(providers).encode())

    def reset(self):
        """Forget everything."""
        return self.ask("POST", "reset")

    def outcomes(self, provider):
        """Return how the requests to a provider ended, in order."""
        return [record["outcome"] for record in self.ask("GET", f"requests?provider={provider}")["requests"]]

    def settled_outcomes(self, provider):
        """Return the same when none is under way any more: who leaves is noticed a moment later."""
        until = time.monotonic() + LONGEST_S
        while None in (found := self.outcomes(provider)) and time.monotonic() < until:
            time.sleep(0.01)
        return found

    def stop(self):
        """Ask it to stop, and return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(LONGEST_S)
        finally:
            self.process.kill()
            self.lines.thread.join()


class Node:
    """The SDKs under Node, one process for many calls."""

    def __init__(self, *url, environment=None):
        command = ["node", str(HERE / "driver.mjs"), str(FOLDER), *url]
        variables = {**os.environ, **(environment or {})}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=variables
        )
        self.lines = Lines(self.process.stdout)
        self.versions = json.loads(self.lines.next())

    def call(self, name, **given):
        """Make one call of calls.mjs, and return what came of it."""
        self.send(name, **given)
        return self.answer()

    def send(self, name, **given):
        """Begin a call."""
        self.process.stdin.write(json.dumps({"call": name, **given}) + "\n")
        self.process.stdin.flush()

    def answer(self):
        """Return what came of the call that was begun."""
        told = json.loads(self.lines.next())
        assert "hung" not in told, "the call came to no end"
        return told

    def value(self, name, **given):
        """Make one call that succeeds, and return its value."""
        told = self.call(name, **given)
        assert told["error"] is None, told["error"]
        return told["value"]

    def stop(self):
        """End the process."""
        self.process.stdin.close()
        try:
            return self.process.wait(LONGEST_S)
        finally:
            self.process.kill()
            self.lines.thread.join()
