"""The plainest selection of places: as they are listed."""

from __future__ import annotations

from collections.abc import Sequence

from llmtest.resilience.pipeline._running_call import RunningCall
from llmtest.resilience.pipeline._running_slot import RunningSlot

__all__ = ["ListedOrder"]


class ListedOrder:
    """Every place, in the order of the list; after a failure the nearest one that may help."""

    def order(self, places: Sequence[RunningSlot], call: RunningCall) -> Sequence[RunningSlot]:  # noqa: ARG002 - the seam
        """Return the places as they are."""
        return places

    def after(
        self,
        place: RunningSlot,  # noqa: ARG002 - the seam
        error: Exception,  # noqa: ARG002 - the seam
        call: RunningCall,  # noqa: ARG002 - the seam
        left: Sequence[RunningSlot],
    ) -> RunningSlot | None:
        """Return the first one that is left."""
        return left[0]
