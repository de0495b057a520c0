"""What the marker `vcr` means: vcrpy's own cassette, with its matching, filters, modes and files, under every client.

`_suite` what a suite of pytest-recording asks vcrpy for, `_persisting` several files behind one cassette, `_watching`
what a cassette does not tell of itself, `_beside` what leaves the process beside it, `_httpx2` the library that earlier
vcrpy does not know, `_in_code` who is told of every cassette in use, `_patching` how vcrpy puts its stand-ins in place.
"""

from llmtest.cassettes.vcr._beside import BesideCassette, beside
from llmtest.cassettes.vcr._in_code import forget_uses, tell_uses
from llmtest.cassettes.vcr._patching import prepare_vcrpy
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
