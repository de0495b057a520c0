"""Running a command in the test's own process and folder."""

from datetime import UTC, datetime

import pytest

from llmtest.cli._app import run
from llmtest.clock import VirtualClock, virtual_time


@pytest.fixture
def costs(tmp_path, monkeypatch, capsys):
    """Return a function that runs the command in the test's folder, on the first of April 2026."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments):
        with virtual_time(VirtualClock(datetime(2026, 4, 1, tzinfo=UTC))), pytest.raises(SystemExit) as ended:
            run(["costs", *map(str, arguments)])
        printed = capsys.readouterr()
        return ended.value.code or 0, printed.out, printed.err

    return command
