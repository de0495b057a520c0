"""The reference of findings, made of the table of their kinds.

`python -m llmtest.conduct._findings_page` prints what stands at the end of `docs/reference/findings.md`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from llmtest.conduct._kind import FindingKind
from llmtest.conduct.findings._table import KINDS

__all__ = ["findings_reference"]

EVIDENCE = {"provider": "what the providers saw", "caller": "what the caller got; undecided where that is not known"}


def findings_reference() -> str:
    """Return a section for each kind of finding: its rule, whom it blames, how to mend it, its thresholds."""
    return "\n\n".join("\n".join(_section(kind)) for kind in KINDS.values()) + "\n"


def _section(kind: FindingKind) -> Iterator[str]:
    yield f"### `{kind.name}`"
    yield ""
    yield f"{_sentence(kind.rule)}"
    yield ""
    yield f"- To mend it: {kind.fix}."
    yield f"- To blame: {kind.blames}."
    waits = ", and on waits: it is undecided where real time has passed" if kind.rests_on_waiting else ""
    yield f"- It rests on {EVIDENCE[kind.needs]}{waits}."
    if kind.thresholds:
        yield ""
        yield "| threshold | default | meaning |"
        yield "|---|---|---|"
    for number, threshold in enumerate(kind.thresholds):
        also = f", or `{kind.name}`" if number == 0 else ""
        yield f"| `{kind.name}.{threshold.name}`{also} | {threshold.default:g} | {threshold.meaning} |"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


if __name__ == "__main__":
    sys.stdout.write(findings_reference())
