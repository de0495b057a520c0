"""What a judgement comes to: what was found, and what the evidence does not suffice for."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace

from llmtest.conduct._kind import Suspicion

__all__ = ["Finding", "Verdict"]


@dataclass(slots=True)
class Finding:
    """One kind of finding, as it was found.

    Args:
        text: The first of its kind.
        blame: Who did it; None where nobody can be named.
        count: How often it was found.
        evidence: What the first rests on, a line for each fact.
        fix: What to do about it, in one sentence.
    """

    text: str
    blame: str | None
    count: int = 0
    evidence: tuple[str, ...] = ()
    fix: str = ""

    def __str__(self) -> str:
        more = f" ({self.count:,} such findings)" if self.count > 1 else ""
        blame = "" if self.blame is None else f" To blame: {self.blame}."
        return f"{self.text}{more}{blame}"


@dataclass(slots=True)
class Verdict:
    """What a judgement comes to.

    Args:
        findings: What was found, by name, the first of each kind.
        undecided: What cannot be told from the evidence, by name. It accuses nobody.
    """

    findings: dict[str, Finding] = field(default_factory=dict)
    undecided: dict[str, Finding] = field(default_factory=dict)

    def add(self, name: str, suspicion: Suspicion, fix: str) -> None:
        """Record a case; of each kind the first text is kept."""
        found = self.findings if suspicion.is_decided else self.undecided
        finding = found.get(name)
        if finding is None:
            finding = found[name] = Finding(
                suspicion.text, suspicion.blame, evidence=suspicion.evidence, fix=fix if suspicion.is_decided else ""
            )
        finding.count += 1

    def doubt(self, names: Collection[str], why: str) -> None:
        """Take back what was found of some kinds, and say why it cannot be told.

        Args:
            names: The kinds.
            why: A fact that the evidence lacks, as a line of it.
        """
        for name in names:
            finding = self.findings.pop(name, None)
            if finding is not None:
                self.undecided[name] = replace(finding, evidence=(*finding.evidence, why), fix="")
