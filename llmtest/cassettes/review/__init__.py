"""What people, and runs of CI, ask of recorded sessions.

| file | what it is |
|---|---|
| `_verification` | what is wrong with a file, told by line and field |
| `_inspection` | what is in a file, in the few facts by which a person knows it again |
| `_layout` | where in the text of a file something stands |
| `_legibility` | whether a person can review a body as it stands there |
| `_placeholders` | what people write where a credential stood |
| `_scrubbing` | credentials taken out of a file in place, in the form that it has |
| `_conversion` | a file of any tool in any form of ours |
| `_pruning` | what no test plays taken out, and files that no test uses |
| `_rewriting` | a file written again in the form that it has |
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmtest.cassettes.review._conversion import convert_cassette, target_of
    from llmtest.cassettes.review._inspection import CassetteFacts, InteractionFacts, StreamFacts, inspect_cassette
    from llmtest.cassettes.review._pruning import Pruned, prune_cassette
    from llmtest.cassettes.review._scrubbing import Scrubbed, scrub_cassette
    from llmtest.cassettes.review._verification import (
        FINDING_KINDS,
        SEVERITIES,
        Severity,
        Verdict,
        VerifyFinding,
        verify_cassette,
    )

_FILES = {
    "CassetteFacts": "_inspection",
    "FINDING_KINDS": "_verification",
    "InteractionFacts": "_inspection",
    "Pruned": "_pruning",
    "SEVERITIES": "_verification",
    "Scrubbed": "_scrubbing",
    "Severity": "_verification",
    "StreamFacts": "_inspection",
    "Verdict": "_verification",
    "VerifyFinding": "_verification",
    "convert_cassette": "_conversion",
    "inspect_cassette": "_inspection",
    "prune_cassette": "_pruning",
    "scrub_cassette": "_scrubbing",
    "target_of": "_conversion",
    "verify_cassette": "_verification",
}

__all__ = [
    "FINDING_KINDS",
    "SEVERITIES",
    "CassetteFacts",
    "InteractionFacts",
    "Pruned",
    "Scrubbed",
    "Severity",
    "StreamFacts",
    "Verdict",
    "VerifyFinding",
    "convert_cassette",
    "inspect_cassette",
    "prune_cassette",
    "scrub_cassette",
    "target_of",
    "verify_cassette",
]


def __getattr__(name: str) -> object:
    if name not in _FILES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_FILES[name]}"), name)
    return value
