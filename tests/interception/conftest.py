"""Every test here begins in a process in which nothing is intercepted."""

import pytest

from llmtest.pytest_plugin import SESSION


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Take away what guards against threads that earlier tests left: these tests replace what it stands on."""
    session = item.config.stash.get(SESSION, None)
    if session is not None:
        session._late.close()
