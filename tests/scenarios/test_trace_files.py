"""Recorded traces: what is read, and what is said of a file that cannot be."""

import pytest

from llmtest.errors import ScenarioError
from llmtest.scenarios import TraceFile, TraceRow

HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens\n"


def message_of(path):
    """Return what reading a trace says."""
    with pytest.raises(ScenarioError) as caught:
        list(TraceFile(path))
    return str(caught.value)


def test_a_trace_in_any_order_of_columns(tmp_path):
    """Columns are found by name, blank lines and a byte order mark do not matter, days may change."""
    path = tmp_path / "trace.csv"
    path.write_text(
        "\ufeffGeneratedTokens, ContextTokens ,TIMESTAMP,Extra\n"
        "44,374,2023-11-16 23:59:59.5,x\n\n1,2,2023-11-17 00:00:00,\n"
    )
    assert list(TraceFile(path)) == [TraceRow(0, 374, 44), TraceRow(500_000_000, 2, 1)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(
            "", ": the trace is empty; its first line must be `TIMESTAMP,ContextTokens,GeneratedTokens`.", id="empty"
        ),
        pytest.param(HEADER, ": the trace has a header and no rows.", id="no-rows"),
        pytest.param(
            "TIME,ContextTokens,GeneratedTokens\n",
            ":1: the column `TIMESTAMP` is missing; the header is `TIME,ContextTokens,GeneratedTokens`.\n"
            "To fix: the first line must name the columns TIMESTAMP, ContextTokens, GeneratedTokens.",
            id="no-column",
        ),
        pytest.param(
            HEADER + "2023-02-30 10:00:00,1,1\n",
            ":2: broken row: `2023-02-30 10:00:00` is not a TIMESTAMP such as `2023-11-16 18:15:46.6805900`.",
            id="no-such-day",
        ),
        pytest.param(b"\xff\xfe".decode("latin-1") + HEADER, None, id="not-utf-8"),
    ],
)
def test_a_broken_trace(tmp_path, content, message):
    """Each mistake is reported once, with its file and line."""
    path = tmp_path / "trace.csv"
    path.write_text(content, encoding="utf-8" if message else "latin-1")
    assert message_of(path) == f"{path}{message or ': not a text file in UTF-8.'}"


def test_a_missing_trace_names_its_neighbour(tmp_path):
    """A misspelt name gets the nearest file of the folder."""
    (tmp_path / "conversation.csv").write_text(HEADER)
    path = tmp_path / "conversatoin.csv"
    assert message_of(path) == f"{path}: no such trace file. Did you mean `conversation.csv`?"
    nowhere = tmp_path / "nowhere" / "x.csv"
    assert message_of(nowhere) == f"{nowhere}: no such trace file."


def test_a_folder_is_no_trace(tmp_path):
    """What the system says is passed on."""
    assert message_of(tmp_path) == f"{tmp_path}: cannot be read: Is a directory."
