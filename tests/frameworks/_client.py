"""One client or framework, with its default settings, as its documentation says it is used."""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = ["Client", "weather"]


def weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"sunny in {city}"


class Client:
    """What is done with each of them; a method that a client cannot do is left out.

    A subclass is one client. Its sentence says which class of the library is used.
    """

    library: ClassVar[str]
    """The distribution, as it is pinned."""
    provider: ClassVar[str] = "openai"
    """Whose handle of the simulation answers it."""

    def ask(self, question: str) -> str:
        """Ask, and return the text of the answer."""
        raise NotImplementedError

    def stream(self, question: str) -> str:
        """Ask, and return the pieces of the answer, joined."""
        raise NotImplementedError

    def streamed(self, text: str) -> str:
        """Return what a model writes for `stream` to give this text."""
        return text

    def script_tool(self, handle: Any) -> None:
        """Script what a model says that calls `weather` for Paris, and then answers that no umbrella is needed."""
        handle.calls_tool("weather", {"city": "Paris"}).replies("Take no umbrella.")

    def use_tool(self, question: str) -> str:
        """Ask where `weather` may be called, call it as often as asked to, and return the text of the last answer."""
        raise NotImplementedError

    def fill(self, question: str, form: type) -> object:
        """Ask for an object of a pydantic class, and return it."""
        raise NotImplementedError

    @classmethod
    def can(cls, ability: str) -> bool:
        """Tell whether it does one of the above."""
        return getattr(cls, ability) is not getattr(Client, ability)
