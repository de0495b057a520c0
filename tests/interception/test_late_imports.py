"""A library is patched only if it is imported, and then from its first request on."""

import subprocess
import sys

import pytest

PATCHED = """
import sys
from llmtest import Simulation
QUESTION = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
URL = "https://api.openai.com/v1/chat/completions"
with Simulation() as sim:
    assert "urllib3" not in sys.modules and "aiohttp" not in sys.modules, "nothing is imported for the sake of patching"
    sim.openai.replies("Paris", times=2)
    import requests, aiohttp, asyncio
    assert requests.post(URL, json=QUESTION).ok
    async def main():
        async with aiohttp.ClientSession() as session, session.post(URL, json=QUESTION) as answer:
            return answer.status
    assert asyncio.run(main()) == 200
    import urllib3
    assert "llmtest" in urllib3.HTTPConnectionPool._make_request.__code__.co_filename
assert "llmtest" not in urllib3.HTTPConnectionPool._make_request.__code__.co_filename
assert "llmtest" not in aiohttp.BaseConnector.connect.__code__.co_filename
assert not [finder for finder in sys.meta_path if "llmtest" in type(finder).__module__]
assert type(urllib3.__spec__.loader).__module__.startswith(("importlib", "_frozen_importlib"))
with Simulation() as sim:
    sim.openai.replies("Paris")
    assert requests.post(URL, json=QUESTION).ok
print("done")
"""


@pytest.mark.slow
def test_a_library_that_comes_late_is_patched_at_once():
    """Imported in the middle of a simulation, it is answered there, and free afterwards."""
    done = subprocess.run([sys.executable, "-c", PATCHED], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
