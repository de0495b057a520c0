"""One publicly reported fault: an app that has it, what a provider does meanwhile, and what catches it."""

from typing import Any, ClassVar

__all__ = ["Case"]


class Case:
    """A fault, as a class whose docstring says in one sentence what goes wrong.

    Attributes:
        library: The distribution whose fault it is.
        thread: Where it was reported: `owner/repository#number`.
        findings: What `assert_resilient()` says of the app; nothing where what happened cannot tell.
        untold: Why it says nothing: a key of `REASONS` in `page.py`.
        raises: The class of the error that the app ends with; empty where it returns.
        cure_raises: The same of the cured app.
        marks_its_calls: Whether the app marks its calls itself; otherwise it is one call.
    """

    library: ClassVar[str]
    thread: ClassVar[str]
    findings: ClassVar[tuple[str, ...]] = ()
    untold: ClassVar[str] = ""
    raises: ClassVar[str] = ""
    cure_raises: ClassVar[str] = ""
    marks_its_calls: ClassVar[bool] = False

    def script(self, sim: Any) -> None:
        """Say what the providers do."""
        raise NotImplementedError

    def app(self, sim: Any) -> Any:
        """Run the app that has the fault, and return its answer."""
        raise NotImplementedError

    def catch(self, sim: Any, answer: Any) -> None:
        """Assert what the fault breaks."""
        raise NotImplementedError

    cure: Any = None
    """The app as its library lets it be written, without the fault; takes and returns what `app` does."""
