"""What people, and runs of CI, ask of recorded sessions.

| file | what it is |
|---|---|
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
    from llmtest.cassettes.review._pruning import Pruned, prune_cassette
    from llmtest.cassettes.review._scrubbing import Scrubbed, scrub_cassette

_FILES = {
    "Pruned": "_pruning",
    "Scrubbed": "_scrubbing",
    "convert_cassette": "_conversion",
    "prune_cassette": "_pruning",
    "scrub_cassette": "_scrubbing",
    "target_of": "_conversion",
}

__all__ = ["Pruned", "Scrubbed", "convert_cassette", "prune_cassette", "scrub_cassette", "target_of"]


def __getattr__(name: str) -> object:
    if name not in _FILES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_FILES[name]}"), name)
    return value
