"""Writes the table of the documentation: `python -m tests.detection.page > docs/reference/reported-faults.md`."""

import sys

from tests.detection._catalogue import ENVIRONMENTS, pinned, written_cases

__all__ = ["page"]

HEAD = """\
# Reported faults, and what catches them

<!-- Written by `python -m tests.detection.page`. Do not edit. -->

Each row is a fault of another library that was reported in public, reproduced by a small app of our own on the real
library. One assertion catches it. The last column is what `assert_resilient()` names without being told what to look
for. Where it names nothing, neither the requests nor what the app returned tell of the fault; the number says why, at
the end of the page. There the assertion has to be written.

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

REASONS = {
    "said": "What a stream had said before it broke may have been shown to somebody already. Then an error "
    "is the right end, and another answer behind it would be the fault.",
    "limits": "How often and for how long to try is the app's to say. The requests show how often it tried, "
    "and not how often it was meant to.",
    "own-rule": "The provider was asked and has answered; the rule by which it was not to be asked, or its "
    "answer not to be used, is the app's own.",
    "content": "The provider has answered. Whether an answer fits its question is judged by the app alone.",
    "wanted": "Another provider for refused content may be what was wanted. "
    '`thresholds={"fallback_on_client_error.refused_content": 1}` says that it is not, and names '
    "it.",
    "number": "The app returns a bare number, which nobody can tell from any other. A call that is marked "
    "with `call.returned(answer, usage=..., cost=...)` is compared with what was charged.",
    "as-told": "Everybody did what the provider had asked for, to the second. That all of them were told the "
    "same is its doing.",
    "one-at-a-time": "Requests that come one after the other look the same whether a lock keeps them apart by "
    "mistake or a limit of the app's on purpose.",
    "cache": "An app that has no cache asks the same question twice as well. That there is one which should "
    "have answered is not to be seen.",
    "circuit": "A call that sends nothing after failures looks as it does behind any open circuit. Whether "
    "these failures should have opened it is the app's to say.",
    "left-open": "The library leaves the stream open when it raises, so that what was read of it is not known "
    "when the call ends.",
}
"""Why the verdict says nothing of some faults, in the order in which they are numbered."""


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
    parts.append("\n## Why nothing is named\n\n")
    parts.extend(f"{number}. {why}\n" for number, why in enumerate(REASONS.values(), 1))
    return "".join(parts)


def _row(case, version):
    findings = ", ".join(f"`{name}`" for name in case.findings) or f"- ({[*REASONS].index(case.untold) + 1})"
    fault = f"{case.fault} [{case.thread}]({case.link})"
    return f"| {fault} | {case.library} | {version} | `{case.assertion}` | {findings} |\n"


if __name__ == "__main__":
    sys.stdout.write(page())
