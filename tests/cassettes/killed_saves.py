"""Saves a cassette in 200 processes, and kills each at another moment: `python killed_saves.py FOLDER`.

Prints how many were killed, how often the file was neither the old one nor the new one, how many of them died in the
middle and left a temporary file, and how many of these are left after the next save.
"""

import os
import signal
import sys
import time
from pathlib import Path

from llmtest.cassettes import Interaction, RecordedRequest, RecordedResponse, Redactor, write_document
from llmtest.cassettes._saving import replace_file, save_cassette

KILLS = 200
MOMENTS = 10
"""At how many moments, a tenth of a millisecond apart, from the start and from the first byte that is written."""
REDACTOR = Redactor({})


def cassette(letter: str) -> list[Interaction]:
    """Make a cassette that takes a while to write."""
    response = RecordedResponse(200, "OK", {}, (letter * 79 + "\n").encode() * 300)
    return [Interaction(RecordedRequest("GET", f"https://example.com/{letter}/{at}"), response) for at in range(4)]


def await_save(folder: Path, child: int) -> None:
    """Wait until a process has begun to write; what others have left behind is not its own."""
    while not list(folder.glob(f".a.yaml.{child}-*")):
        time.sleep(0.0001)


def main(folder: Path) -> None:
    """Kill, look, and say what was found."""
    path = folder / "a.yaml"
    versions = [cassette("a"), cassette("b")]
    whole = [write_document(version) for version in versions]
    save_cassette(path, versions[0], REDACTOR)
    torn = litter = 0
    for kill in range(KILLS):
        child = os.fork()
        if child == 0:
            while True:
                for text in reversed(whole):  # the last step of a save; the others only compute
                    replace_file(path, text)
        if kill % 2:
            await_save(folder, child)
        time.sleep(0.0001 * (kill // 2 % MOMENTS))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        torn += path.read_text() not in whole
        litter += len(list(folder.glob(f".a.yaml.{child}-*")))
    save_cassette(path, versions[0], REDACTOR)
    left = len(list(folder.glob(".*")))
    sys.stdout.write(f"kills={KILLS} torn={torn} litter={litter} left={left}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
