"""Who answered, last time: recorded sessions, written so that people read them and unmodified vcrpy replays them.

The file, its redaction, the matching of requests and the order of play; on these, `use_cassette`, which plays and
records HTTP clients: `httpx`, `httpx2`, `aiohttp`, `urllib3` (`requests`), `http.client`.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from llmtest.errors import CassetteFileError

if TYPE_CHECKING:
    from llmtest.cassettes._bills import Bill, bills_in
    from llmtest.cassettes._cassette import MODES, Cassette, Mode
    from llmtest.cassettes._discovery import CassetteFile, Search
    from llmtest.cassettes._document import Document
    from llmtest.cassettes._forms import FORMS, Form, form_for
    from llmtest.cassettes._interactions import Interaction, RecordedRequest, RecordedResponse
    from llmtest.cassettes._masks import masks_in
    from llmtest.cassettes._matching import MatchRule
    from llmtest.cassettes._redaction import Redactor
    from llmtest.cassettes._staleness import Staleness, age_of
    from llmtest.cassettes._times import in_days
    from llmtest.cassettes._usage import Usage
    from llmtest.cassettes._use import inserted, note_use, noting_uses, use_cassette
    from llmtest.cassettes._writing import write_document
    from llmtest.cassettes.drift import Drift, SessionDrift, compare_sessions
    from llmtest.cassettes.review import (
        FINDING_KINDS,
        SEVERITIES,
        CassetteFacts,
        InteractionFacts,
        Pruned,
        Scrubbed,
        Severity,
        StreamFacts,
        Verdict,
        VerifyFinding,
        convert_cassette,
        inspect_cassette,
        prune_cassette,
        scrub_cassette,
        target_of,
        verify_cassette,
    )

_HOMES = {
    "Bill": "_bills",
    "Cassette": "_cassette",
    "CassetteFacts": "review",
    "CassetteFile": "_discovery",
    "Document": "_document",
    "Drift": "drift",
    "FINDING_KINDS": "review",
    "FORMS": "_forms",
    "Form": "_forms",
    "Interaction": "_interactions",
    "InteractionFacts": "review",
    "MODES": "_cassette",
    "MatchRule": "_matching",
    "Mode": "_cassette",
    "RecordedRequest": "_interactions",
    "RecordedResponse": "_interactions",
    "Pruned": "review",
    "Redactor": "_redaction",
    "SEVERITIES": "review",
    "Scrubbed": "review",
    "Search": "_discovery",
    "SessionDrift": "drift",
    "Severity": "review",
    "Staleness": "_staleness",
    "StreamFacts": "review",
    "Usage": "_usage",
    "Verdict": "review",
    "VerifyFinding": "review",
    "age_of": "_staleness",
    "bills_in": "_bills",
    "compare_sessions": "drift",
    "convert_cassette": "review",
    "form_for": "_forms",
    "in_days": "_times",
    "inserted": "_use",
    "inspect_cassette": "review",
    "masks_in": "_masks",
    "note_use": "_use",
    "noting_uses": "_use",
    "prune_cassette": "review",
    "scrub_cassette": "review",
    "target_of": "review",
    "use_cassette": "_use",
    "verify_cassette": "review",
    "write_document": "_writing",
}
"""Where each name is at home; what stands below the marker `vcr` needs none of them."""

__all__ = [
    "FINDING_KINDS",
    "FORMS",
    "MODES",
    "SEVERITIES",
    "Bill",
    "Cassette",
    "CassetteFacts",
    "CassetteFile",
    "CassetteFileError",
    "Document",
    "Drift",
    "Form",
    "Interaction",
    "InteractionFacts",
    "MatchRule",
    "Mode",
    "Pruned",
    "RecordedRequest",
    "RecordedResponse",
    "Redactor",
    "Scrubbed",
    "Search",
    "SessionDrift",
    "Severity",
    "Staleness",
    "StreamFacts",
    "Usage",
    "Verdict",
    "VerifyFinding",
    "age_of",
    "bills_in",
    "compare_sessions",
    "convert_cassette",
    "form_for",
    "in_days",
    "inserted",
    "inspect_cassette",
    "masks_in",
    "note_use",
    "noting_uses",
    "prune_cassette",
    "scrub_cassette",
    "target_of",
    "use_cassette",
    "verify_cassette",
    "write_document",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return value
