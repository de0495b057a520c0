"""What a row of the table of features is."""

from dataclasses import dataclass

__all__ = ["Feature"]


@dataclass(frozen=True)
class Feature:
    """One row.

    Args:
        what: What it is, and in whose words.
        tests: Tests that show it, as `file::name` below `tests/`.
        missing: What is not there; empty where it is whole.
    """

    what: str
    tests: tuple[str, ...] = ()
    missing: str = ""

    @property
    def state(self):
        """One word for it."""
        return "open" if not self.tests else "partly" if self.missing else "works"
