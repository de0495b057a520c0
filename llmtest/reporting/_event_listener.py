"""What hears of every event of the process, in a simulation and in production alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import ExitStack
from types import TracebackType
from typing import Literal, Self, get_args

from llmtest.errors import ConfigurationError
from llmtest.events import Event, subscribed

__all__ = ["EventListener", "View", "checked_view"]

View = Literal["attempts", "requests"]
"""Whose view of traffic counts: `attempts` are what our own layer made, live and simulated; `requests` are what
simulated providers saw, of any client."""


def checked_view(user: str, view: str) -> View:
    """Return a view.

    Args:
        user: Who takes it, for the error.
        view: The word.

    Raises:
        ConfigurationError: It is none.
    """
    if view not in get_args(View):
        words = " or ".join(f"`{word}`" for word in get_args(View))
        raise ConfigurationError(f"{user}: view is {words}, got {view!r}")
    return view  # type: ignore[return-value]  # it has been looked up


class EventListener(ABC):
    """Hears events from `start` to `stop`, or inside `with`; `read` tells it those of a run that is over."""

    _listening: ExitStack | None = None
    view: View = "attempts"
    """Whose view of traffic counts."""

    @abstractmethod
    def observe(self, event: Event) -> None:
        """Take note of one event."""

    def read(self, events: Iterable[Event]) -> Self:
        """Take note of events that have happened, such as those of a `Trace`; return itself."""
        for event in events:
            self.observe(event)
        return self

    def start(self) -> Self:
        """Hear of everything that happens in this process from now on, in any thread; return itself.

        To start what has been started changes nothing.

        Raises:
            ConfigurationError: Requests that simulated providers saw are asked for: they stand in a trace alone.
        """
        if self.view == "requests":
            raise ConfigurationError(
                'what simulated providers saw stands in the trace of their simulation, so that with view="requests" '
                "nothing would be heard.\nTo fix: read it when the calls are over: "
                f'{type(self).__name__}(view="requests").read(llm_sim.trace)'
            )
        if self._listening is None:
            self._listening = ExitStack()
            self._listening.enter_context(subscribed(self.observe))
        return self

    def stop(self) -> None:
        """Hear of nothing more; what has been heard stays."""
        listening, self._listening = self._listening, None
        if listening is not None:
            listening.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
