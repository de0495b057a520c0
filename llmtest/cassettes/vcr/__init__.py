"""What the marker `vcr` means: vcrpy's own cassette, with its matching, filters, modes and files, under every client.

`_suite` what a suite of pytest-recording asks vcrpy for, `_persisting` several files behind one cassette, `_watching`
what a cassette does not tell of itself, `_beside` what leaves the process beside it, `_httpx2` the library that earlier
vcrpy does not know, `_patching` how vcrpy puts its stand-ins in place, and who is told of it.
"""

from llmtest.cassettes.vcr._beside import BesideCassette, beside
from llmtest.cassettes.vcr._patching import forget_uses, prepare_vcrpy, tell_uses
from llmtest.cassettes.vcr._suite import Mark, merged, suite_cassette
from llmtest.cassettes.vcr._watching import CassetteWatch, is_cassette, watch

__all__ = [
    "BesideCassette",
    "CassetteWatch",
    "Mark",
    "beside",
    "forget_uses",
    "is_cassette",
    "merged",
    "prepare_vcrpy",
    "suite_cassette",
    "tell_uses",
    "watch",
]
