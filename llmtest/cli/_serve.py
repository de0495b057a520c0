"""`llmtest serve`: the simulated providers on a port."""

from __future__ import annotations

import gc
import logging
import sys

import typer

from llmtest.cli._serve_options import (
    Fragmentation,
    Host,
    Ignore,
    KeepFailures,
    Played,
    Port,
    Recorded,
    Repeat,
    Scenario,
    Script,
    Seed,
    Speed,
    To,
    Verbose,
)
from llmtest.cli._serve_sessions import RecordedFromNow, refuse_mixture, speed_of

__all__ = ["serve"]


def serve(  # noqa: PLR0913, PLR0917 - each is an option of the command
    host: Host = "127.0.0.1",
    port: Port = 4010,
    scenario: Scenario = None,
    script: Script = None,
    seed: Seed = None,
    fragmentation: Fragmentation = None,
    cassette: Played = None,
    speed: Speed = None,
    ignore: Ignore = None,
    repeat: Repeat = False,
    record: Recorded = None,
    to: To = None,
    keep_failures: KeepFailures = False,
    verbose: Verbose = False,
) -> None:
    """Serve simulated OpenAI, Anthropic and other providers on one port, in real time.

    With --cassette a recorded session answers; with --record and --to a real API does, and the session is recorded.

    Prints `llmtest serving on http://HOST:PORT` when it is ready; SIGINT or SIGTERM stops it, with exit status 0.

    Point the SDKs at it with OPENAI_BASE_URL=http://HOST:PORT/v1 and ANTHROPIC_BASE_URL=http://HOST:PORT.
    """
    from llmtest.serving import Server, Sessions, served_world

    refuse_mixture(
        {"--scenario": scenario, "--script": script, "--seed": seed, "--fragmentation": fragmentation},
        {"--cassette": cassette},
        {"--speed": speed, "--ignore": ignore, "--repeat": repeat},
        {"--record": record, "--to": to},
        {"--keep-failures": keep_failures},
    )
    faster = speed_of(speed)
    sessions = Sessions(files=cassette, speed=faster, ignore=ignore or (), repeats=repeat) if cassette else None
    world, furnish = served_world(
        seed=seed, scenario=scenario, script=script, fragmentation=fragmentation, sessions=sessions
    )
    logging.basicConfig(stream=sys.stderr, format="%(message)s", level=logging.INFO if verbose else logging.WARNING)
    session = None if record is None or to is None else RecordedFromNow(world, record, to, keep_failures=keep_failures)
    forward = None if session is None else session.proxy
    server = Server(world, host, port, on_reset=furnish, verbose=verbose, forward=forward)
    if session is not None:
        try:
            session.proxy.refuse_itself(server)
        except BaseException:
            server.stop()
            raise
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
        if session is not None:
            typer.echo(session.save())
