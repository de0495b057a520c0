"""A session reaches its file while it is recorded: who kills the server loses nothing that had been answered."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from llmtest.clock import active_clock
from llmtest.errors import CassetteFileError

if TYPE_CHECKING:
    from llmtest.cassettes import Cassette

__all__ = ["SavedAlong"]

PAUSE = 4
"""How many times as long as a save took the next one waits: saving takes a fifth of the time of one core at most."""

logger = logging.getLogger("llmtest.serving")


class SavedAlong:
    """Saves a cassette whenever an answer has been recorded, beside the answers that are under way.

    A save writes the whole file, so that it is whole at every moment; the longer that takes, the more answers one save
    has. What cannot be saved is told in the log once, and raises when the recording ends.

    Args:
        cassette: Where the session is recorded.
    """

    def __init__(self, cassette: Cassette) -> None:
        self._cassette = cassette
        self._is_due = False
        self._saving: asyncio.Task[None] | None = None
        self._told = False

    def note(self) -> None:
        """Tell that an answer was recorded; it is saved in a thread, and at once where no save is under way."""
        self._is_due = True
        if self._saving is None or self._saving.done():
            self._saving = asyncio.create_task(self._save())

    async def aclose(self) -> None:
        """Save no further; what is being written now is written whole."""
        saving, self._saving = self._saving, None
        if saving is not None:
            saving.cancel()
            with suppress(asyncio.CancelledError):
                await saving

    async def _save(self) -> None:
        clock = active_clock()
        while self._is_due:
            self._is_due = False
            begun_ns = clock.now_ns()
            await asyncio.to_thread(self._write)
            await asyncio.sleep(PAUSE * (clock.now_ns() - begun_ns) / 1e9)

    def _write(self) -> None:
        try:
            self._cassette.save()
        except CassetteFileError as error:
            if not self._told:
                logger.warning("%s: not saved so far: %s", self._cassette.name, error)
            self._told = True
