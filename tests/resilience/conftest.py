"""Fixtures of the policies' tests."""

import pytest

from tests.resilience.scripted_provider import MODES, World


@pytest.fixture
def world():
    """Return a virtual clock with a trace."""
    return World()


@pytest.fixture(params=MODES)
def mode(request):
    """Run the test in each of the four ways to ask."""
    return request.param
