"""Who answered, last time: recorded sessions, written so that people read them and unmodified vcrpy replays them.

The file, its redaction, the matching of requests and the order of play; a gate that records and replays clients is
built on these.
"""

from llmtest.cassettes._cassette import MODES, Cassette, Mode
from llmtest.cassettes._document import CassetteFileError, Document, write_document
from llmtest.cassettes._interactions import Interaction, RecordedRequest, RecordedResponse
from llmtest.cassettes._matching import MatchRule
from llmtest.cassettes._redaction import Redactor

__all__ = [
    "MODES",
    "Cassette",
    "CassetteFileError",
    "Document",
    "Interaction",
    "MatchRule",
    "Mode",
    "RecordedRequest",
    "RecordedResponse",
    "Redactor",
    "write_document",
]
