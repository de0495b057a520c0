"""Whether pytest-recording plays tests marked `vcr`, or we bring its fixtures and flags because it is not there."""

from __future__ import annotations

import os
from importlib.util import find_spec

import pytest

__all__ = ["bring_fixtures", "is_recording_there", "may_recording_come"]

NAME = "llmtest-recording"
PLUGINS = ("recording", "pytest_recording.plugin")
"""Names under which pytest-recording registers: by its entry point, and by `-p`."""


def is_recording_there(manager: pytest.PytestPluginManager) -> bool:
    """Tell whether pytest-recording is among the plugins of a run."""
    return any(manager.has_plugin(name) for name in PLUGINS)


def may_recording_come(manager: pytest.PytestPluginManager) -> bool:
    """Tell whether pytest-recording is there, or is installed and will be loaded after us."""
    if is_recording_there(manager):
        return True
    return not (
        manager.is_blocked("recording")
        or "PYTEST_DISABLE_PLUGIN_AUTOLOAD" in os.environ
        or find_spec("pytest_recording") is None
    )


def bring_fixtures(manager: pytest.PytestPluginManager) -> bool:
    """Register our stand-in for pytest-recording, once; tell whether it was done now."""
    if manager.has_plugin(NAME):
        return False
    from llmtest.testing import _plugin_vcr

    manager.register(_plugin_vcr, NAME)
    return True
