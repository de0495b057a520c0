"""Writes the table of the documentation: `python -m tests.detection.page > docs/reference/reported-faults.md`."""

import sys

from tests.detection._catalogue import ENVIRONMENTS, pinned, written_cases

__all__ = ["page"]

HEAD = """\
# Reported faults, and what catches them

<!-- Written by `python -m tests.detection.page`. Do not edit. -->

Each row is a fault of another library that was reported in public, reproduced by a small app of our own on the real
library. One assertion catches it. The last column is what `assert_resilient()` names without being told what to look
for. Where it names nothing, the requests do not tell, and the assertion has to be written.

{count} faults, {named} of them named without a hint. `.ci/run detection` installs the libraries and runs every row: the
app misbehaves, is caught, and is named as it is said here. {cured} rows have the same app without the fault, which
passes the same assertion and of which the verdict has nothing to say.
"""

TITLES = {
    "current": "On current versions",
    "litellm": "On litellm",
    "instructor": "On instructor",
    "earlier": "On earlier versions",
}
NOTES = {
    "earlier": "The libraries have mended these since, most of them within the year.",
}


def page():
    """Return the page."""
    cases = written_cases()
    counts = {
        "count": len(cases),
        "named": sum(bool(case.findings) for case in cases),
        "cured": sum(case.has_cure for case in cases),
    }
    parts = [HEAD.format(**counts)]
    for environment in ENVIRONMENTS:
        parts.append(f"\n## {TITLES[environment]}\n\n")
        if environment in NOTES:
            parts.append(f"{NOTES[environment]}\n\n")
        parts.append("| fault | library | version | assertion | finding |\n|---|---|---|---|---|\n")
        versions = pinned(environment)
        parts.extend(_row(case, versions[case.library]) for case in cases if case.environment == environment)
    return "".join(parts)


def _row(case, version):
    findings = ", ".join(f"`{name}`" for name in case.findings) or "-"
    fault = f"{case.fault} [{case.thread}]({case.link})"
    return f"| {fault} | {case.library} | {version} | `{case.assertion}` | {findings} |\n"


if __name__ == "__main__":
    sys.stdout.write(page())
