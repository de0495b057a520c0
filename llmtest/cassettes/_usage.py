"""What a run of tests has played of which cassettes: noted while they are used, kept in a file, read again."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from llmtest.cassettes._cassette import Cassette
from llmtest.cassettes._saving import replace_file
from llmtest.errors import CassetteFileError

FORMAT = "llmtest_cassette_usage"
VERSION = 1
SHOWN_NAMES = 3

AGAIN = "To fix: run every test, without paths and filters: pytest --llmtest-cassette-usage={}"


class Usage:
    """What was played of each cassette, and what the run that says so left out.

    Attributes:
        played: The numbers, from 1, of the interactions that were played, by the real path of their cassette.
        digests: The SHA-256 of the cassettes at the end of the run; of a usage that was read from a file.
        gaps: Why what was not played may be needed all the same: `failed`, `skipped`, each with names of tests.
    """

    def __init__(self) -> None:
        self.played: dict[str, set[int]] = {}
        self.digests: dict[str, str] = {}
        self.gaps: dict[str, set[str]] = {}

    def note(self, cassette: Cassette) -> None:
        """Add what was played of a cassette whose use has ended; one that asked the network is a gap."""
        unplayed = set(cassette.unplayed)
        total = len(cassette) - len(cassette.recorded)
        numbers = self.played.setdefault(os.path.realpath(cassette.path), set())
        numbers.update(number for number in range(1, total + 1) if number not in unplayed)
        if cassette.live:
            self.leave_out("recorded or compared live", cassette.name)

    def leave_out(self, why: str, name: str) -> None:
        """Note what keeps the run from being whole.

        Args:
            why: What the named have in common: `failed`.
            name: A test, a cassette, or what else it is about.
        """
        self.gaps.setdefault(why, set()).add(name)

    def as_data(self) -> dict[str, dict[str, list[Any]]]:
        """Return it in plain values, as a worker sends it."""
        return {
            "played": {path: sorted(numbers) for path, numbers in self.played.items()},
            "gaps": {why: sorted(names) for why, names in self.gaps.items()},
        }

    def add_data(self, data: dict[str, dict[str, list[Any]]]) -> None:
        """Add what a worker noted."""
        for path, numbers in data["played"].items():
            self.played.setdefault(path, set()).update(numbers)
        for why, names in data["gaps"].items():
            self.gaps.setdefault(why, set()).update(names)

    def write(self, file: Path) -> None:
        """Write it, at once; paths are kept relative to the file, so that both may move together.

        Raises:
            CassetteFileError: It cannot be written.
        """
        folder = file.resolve().parent
        cassettes = {
            _relative(path, folder): {"played": sorted(numbers), "sha256": digest}
            for path, numbers in sorted(self.played.items())
            if (digest := digest_of(Path(path)))
        }
        gaps = {why: sorted(names) for why, names in sorted(self.gaps.items())}
        content = {FORMAT: VERSION, "whole": not gaps, "left_out": gaps, "cassettes": cassettes}
        replace_file(file, json.dumps(content, indent=2, ensure_ascii=False) + "\n")

    @classmethod
    def read(cls, file: Path, *, partial: bool = False) -> Usage:
        """Read what a run has written.

        Args:
            file: The file.
            partial: Whether a run is good enough that left something out, which may need what looks unused.

        Raises:
            CassetteFileError: There is no such file, it is something else, it is of a run that left something out, or
                it says of no cassette that is there.
        """
        again = AGAIN.format(file)
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            if content[FORMAT] != VERSION:
                raise CassetteFileError(f"{file}: usage of version {content[FORMAT]}, not {VERSION}.\n{again}")
            usage = cls()
            for name, facts in content["cassettes"].items():
                path = os.path.realpath(file.resolve().parent / name)
                usage.played[path] = set(facts["played"])
                usage.digests[path] = facts["sha256"]
            usage.gaps = {why: set(names) for why, names in content["left_out"].items()}
        except OSError as error:
            raise CassetteFileError(f"{file}: the usage cannot be read: {error.strerror or error}.\n{again}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CassetteFileError(f"{file}: this is no usage of cassettes.\n{again}") from error
        if usage.gaps and not partial:
            raise usage._not_whole(file)
        if not any(map(os.path.exists, usage.played)):
            what = "no cassette it names is there: it was moved" if usage.played else "no cassette was used in the run"
            raise CassetteFileError(f"{file}: {what}, so everything would look unused.\n{again}")
        return usage

    def _not_whole(self, file: Path) -> CassetteFileError:
        lines = [f"  {why}: {_some(sorted(names))}" for why, names in sorted(self.gaps.items())]
        return CassetteFileError(
            f"{file}: the run was not whole, and what it left out may need what looks unused.\n\n"
            + "\n".join(lines)
            + f"\n\n{AGAIN.format(file)}\n"
            "Or, where you know that it needs nothing of these cassettes, pass --partial."
        )


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, empty where it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _relative(path: str, folder: Path) -> str:
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # another drive of Windows
        return path


def _some(names: list[str]) -> str:
    more = len(names) - SHOWN_NAMES
    return ", ".join(names[:SHOWN_NAMES]) + (f" and {more:,} more" if more > 0 else "")
