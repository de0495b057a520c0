"""The verdict: what a caller did to its providers that no caller should, judged from what happened.

Two kinds of evidence are kept apart. What the providers saw is known of every request, whoever sent it. What the caller
got is known of marked calls only; a finding that needs it is undecided elsewhere, and accuses nobody.

| file | what it holds |
|---|---|
| `_witness` | what is known of requests beside their events |
| `_evidence` | what is known of a request, a call, a run |
| `_conversation` | whether one request asks again what another has asked |
| `_outcomes` | what outcomes mean for the question whether to ask again |
| `_returned` | what a value that an app returned says of its answer |
| `_kind` | what a finding is made of |
| `findings/` | the kinds of findings, one file each, and their table |
| `_verdict` | what a judgement comes to |
| `_judge` | the judge, who collects evidence while a run goes on |
| `_request_log` | what the providers' own records tell |
| `_judge_history` | judging a history that was kept |
| `_findings_page` | the reference of findings |
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmtest.conduct._evidence import CallEvidence, RequestEvidence, RunEvidence
    from llmtest.conduct._judge import Judge
    from llmtest.conduct._judge_history import judge_conduct, request_log
    from llmtest.conduct._kind import FindingKind, Suspicion, Threshold
    from llmtest.conduct._outcomes import is_circuit_error
    from llmtest.conduct._request_log import RETRY_COUNT, RequestLog
    from llmtest.conduct._returned import returned_by, text_of, usage_of
    from llmtest.conduct._verdict import Finding, Verdict
    from llmtest.conduct._witness import Witness
    from llmtest.conduct.findings._cost_misreported import costs_differ
    from llmtest.conduct.findings._table import FINDINGS, KINDS, as_thresholds

__all__ = [
    "FINDINGS",
    "KINDS",
    "RETRY_COUNT",
    "CallEvidence",
    "Finding",
    "FindingKind",
    "Judge",
    "RequestEvidence",
    "RequestLog",
    "RunEvidence",
    "Suspicion",
    "Threshold",
    "Verdict",
    "Witness",
    "as_thresholds",
    "costs_differ",
    "is_circuit_error",
    "judge_conduct",
    "request_log",
    "returned_by",
    "text_of",
    "usage_of",
]

_HOMES = {
    name: home
    for home, names in {
        "_evidence": ("CallEvidence", "RequestEvidence", "RunEvidence"),
        "_judge": ("Judge",),
        "_judge_history": ("judge_conduct", "request_log"),
        "_kind": ("FindingKind", "Suspicion", "Threshold"),
        "_outcomes": ("is_circuit_error",),
        "_request_log": ("RETRY_COUNT", "RequestLog"),
        "_returned": ("returned_by", "text_of", "usage_of"),
        "_verdict": ("Finding", "Verdict"),
        "_witness": ("Witness",),
        "findings._cost_misreported": ("costs_differ",),
        "findings._table": ("FINDINGS", "KINDS", "as_thresholds"),
    }.items()
    for name in names
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"llmtest.conduct.{_HOMES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return __all__
