"""The options of `llmtest serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Host = Annotated[str, typer.Option(help="Address to listen on; only this machine reaches the default.")]
Port = Annotated[int, typer.Option(help="Port to listen on; 0 picks a free one.")]
Scenario = Annotated[
    Path | None,
    typer.Option(help="Scenario file whose quotas, latencies and faults apply, timed from now.", show_default=False),
]
Script = Annotated[Path | None, typer.Option(help="What the providers answer, and how they fail.", show_default=False)]
Seed = Annotated[
    int | None, typer.Option(help="Seed of every random choice; the scenario's by default.", show_default=False)
]
Fragmentation = Annotated[
    str | None,
    typer.Option(
        metavar="MODE",
        help="How streams are cut into network pieces: `events`, `whole`, `random`, or a number of bytes; the "
        "scenario's by default, else `events`.",
        show_default=False,
    ),
]
Verbose = Annotated[bool, typer.Option("--verbose", help="Tell on stderr of every request, a line each.")]
Played = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="FILE",
        help="Recorded session that answers, and nothing else does; may be given several times.",
        show_default=False,
    ),
]
Speed = Annotated[
    str | None,
    typer.Option(
        metavar="N",
        help="How much faster than recorded a session is played, or `max`; 1 by default.",
        show_default=False,
    ),
]
Ignore = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FIELD",
        help="Field of the body that is not compared with the recorded one; may be given several times.",
        show_default=False,
    ),
]
Repeat = Annotated[
    bool, typer.Option("--repeat", help="Give the last recorded answer to a request again for every further one.")
]
Recorded = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Record what is asked and answered, before a real API.", show_default=False),
]
To = Annotated[
    str | None, typer.Option(metavar="URL", help="Address of the real API, for --record.", show_default=False)
]
KeepFailures = Annotated[
    bool, typer.Option("--keep-failures", help="Record answers with status 429 and 5xx too, for --record.")
]
