"""`llmtest serve`: the simulated providers on a port."""

from __future__ import annotations

import gc
import logging
import sys
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["serve"]


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; only this machine reaches the default.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(help="Port to listen on; 0 picks a free one.")] = 4010,
    scenario: Annotated[
        Path | None,
        typer.Option(
            help="Scenario file whose quotas, latencies and faults apply, timed from now.", show_default=False
        ),
    ] = None,
    script: Annotated[
        Path | None, typer.Option(help="What the providers answer, and how they fail.", show_default=False)
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of every random choice; the scenario's by default.", show_default=False)
    ] = None,
    fragmentation: Annotated[
        str | None,
        typer.Option(
            metavar="MODE",
            help="How streams are cut into network pieces: `events`, `whole`, `random`, or a number of bytes; the "
            "scenario's by default, else `events`.",
            show_default=False,
        ),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Tell on stderr of every request, a line each.")] = False,
) -> None:
    """Serve simulated OpenAI, Anthropic and other providers on one port, in real time.

    Prints `llmtest serving on http://HOST:PORT` when it is ready; SIGINT or SIGTERM stops it, with exit status 0.

    Point the SDKs at it with OPENAI_BASE_URL=http://HOST:PORT/v1 and ANTHROPIC_BASE_URL=http://HOST:PORT.
    """
    from llmtest.serving import Server, served_world

    world, furnish = served_world(seed=seed, scenario=scenario, script=script, fragmentation=fragmentation)
    logging.basicConfig(stream=sys.stderr, format="%(message)s", level=logging.INFO if verbose else logging.WARNING)
    server = Server(world, host, port, on_reset=furnish, verbose=verbose)
    if not server.is_loopback:
        typer.echo(
            f"warning: {server.base_url} can be reached from other machines; whoever reaches it can read every "
            "request, and change the script. Without --host only this machine can.",
            err=True,
        )
    try:
        server.run(lambda: print(f"llmtest serving on {server.base_url}", flush=True))
    finally:
        # The interpreter looks through everything once more before it ends, which takes longer than to stop.
        gc.freeze()
