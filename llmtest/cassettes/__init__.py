"""Who answered, last time: recorded sessions, written so that people read them and unmodified vcrpy replays them.

The file, its redaction, the matching of requests and the order of play; on these, `use_cassette`, which plays and
records the clients of `httpx` and `httpx2`.
"""

from llmtest.cassettes._cassette import MODES, Cassette, Mode
from llmtest.cassettes._document import Document, write_document
from llmtest.cassettes._interactions import Interaction, RecordedRequest, RecordedResponse
from llmtest.cassettes._matching import MatchRule
from llmtest.cassettes._redaction import Redactor
from llmtest.cassettes._use import inserted, use_cassette
from llmtest.errors import CassetteFileError

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
    "inserted",
    "use_cassette",
    "write_document",
]
