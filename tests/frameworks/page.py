"""Writes the table of the documentation: `python -m tests.frameworks.page > docs/reference/what-clients-do.md`."""

import sys

from tests.frameworks._behaviour import ENVIRONMENTS, SITUATIONS, clients_in, pinned, read_rows

__all__ = ["page"]

HEAD = """\
# What your client really does when ...

<!-- Written by `python -m tests.frameworks.page`. Do not edit. -->

Every client here runs unchanged, with its default settings, against a simulated provider that fails in the same way
at every attempt. What it raises, how many requests it sends and how many virtual seconds pass before is measured by
`.ci/run frameworks`, which fails where a row is not so any more. All of them read answers and random pieces of streams
too, call tools and fill forms, as far as they have a way to do it.

**Seconds** are those of the client's own waits and time limits. *Waits for ever* means that the client has no time
limit of its own.
"""


def page():
    """Return the page."""
    parts = [HEAD]
    clients = [(environment, client) for environment in ENVIRONMENTS for client in clients_in(environment)]
    rows = {environment: read_rows(environment) for environment in ENVIRONMENTS}
    versions = {environment: pinned(environment) for environment in ENVIRONMENTS}
    for situation in SITUATIONS:
        parts.append(f"\n## {situation[0].upper()}{situation[1:]}\n\n")
        parts.append("| client | library | raises | requests | seconds |\n|---|---|---|---:|---:|\n")
        for environment, client in clients:
            if situation not in rows[environment][client.name]:
                continue
            outcome, requests, seconds = rows[environment][client.name][situation]
            raises = f"*{outcome}*" if " " in outcome else f"`{outcome}`"
            library = f"{client.library} {versions[environment][client.library]}"
            parts.append(f"| {client.title} | {library} | {raises} | {requests} | {seconds:,.1f} |\n")
    return "".join(parts)


if __name__ == "__main__":
    sys.stdout.write(page())
