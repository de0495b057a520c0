"""What a batch is doing at a time, whatever API it belongs to."""

import pytest

from llmtest.wire import BatchLine, BatchWork, LineResult, Store

LINES = [BatchLine(f"line-{number}", "POST", "/v1/chat/completions", {}) for number in range(4)]


def job(takes_s=8.0, **changes):
    """A batch of four lines, made at second 100."""
    return BatchWork("batch_1", LINES, 100.0, takes_s, **changes)


@pytest.mark.parametrize(
    ("now_s", "stage", "due"),
    [
        (100, "validating", 0),
        (102, "in_progress", 0),
        (103.9, "in_progress", 0),
        (104, "in_progress", 1),
        (108, "in_progress", 3),
        (110, "finalizing", 4),
        (112, "completed", 4),
        (10_000, "completed", 4),
    ],
)
def test_a_batch_is_checked_worked_off_line_by_line_and_written_out(now_s, stage, due):
    """The lines of a batch are answered evenly, one after the other, between its check and its end."""
    batch = job()
    assert (batch.stage(now_s), batch.due(now_s)) == (stage, due)


def test_a_batch_whose_input_is_wrong_fails_once_it_has_been_checked():
    """Nothing of a batch that cannot be worked on is ever due."""
    batch = job(is_valid=False)
    assert [batch.stage(now) for now in (101, 102, 500)] == ["validating", "failed", "failed"]
    assert batch.due(500) == 0


def test_a_batch_that_is_called_off_keeps_what_was_answered_before():
    """No line becomes due after the cancellation, which takes its time."""
    batch = job()
    assert batch.cancel(106)
    assert not batch.cancel(107)
    assert [batch.stage(now) for now in (107, 108, 500)] == ["cancelling", "cancelled", "cancelled"]
    assert batch.due(500) == 2


def test_a_batch_that_is_over_cannot_be_called_off():
    """A cancellation after the end changes nothing."""
    batch = job()
    assert not batch.cancel(112)
    assert batch.stage(113) == "completed"


def test_a_batch_expires_with_what_was_answered_by_then():
    """A batch that would last longer than its window ends with the window, and the rest of it is never answered."""
    batch = job(takes_s=80.0, window_s=42.0)
    assert [batch.stage(now) for now in (141, 142)] == ["in_progress", "expired"]
    batch.results += [LineResult(200)] * batch.due(10_000)
    assert len(batch.results) == 2
    assert [line.custom_id for line in batch.undone()] == ["line-2", "line-3"]


def test_a_batch_counts_what_was_answered_and_what_was_not():
    """An error and a connection that broke are both failures."""
    batch = job()
    batch.results += [LineResult(200), LineResult(429), LineResult(failure="reset")]
    assert (batch.succeeded, batch.failed) == (1, 2)


def test_a_store_knows_which_batches_are_under_way():
    """A batch that was taken on is found by its id, and forgotten with everything else."""
    store, batch = Store(), job()
    store.begin(batch)
    assert store.table("batches") == {"batch_1": batch}
    assert store.under_way == [batch]
    store.clear()
    assert not store.under_way
    assert not store.table("batches")
