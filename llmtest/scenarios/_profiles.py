"""Load profiles: the shape of real traffic, as a few dozen numbers.

The two profiles are fitted to the Azure LLM inference traces of November 2023 (Azure Public Dataset, CC-BY 4.0), which
are not part of this package. `benchmarks/fit_profiles.py TRACE.csv` recomputes every number below, and its docstring
says how: quantiles of the gaps between calls and of the tokens of prompt and answer at fixed probabilities, gaps scaled
so that the rate of calls is the trace's. What a run of the profile has in common with its trace, and is tested for:

| | rate | CV of the gaps | prompt p50 / p99 | answer p50 / p99 |
|---|---|---|---|---|
| `azure-code-2023` | 2.57/s | 13.2 | 1,469 / 7,436 | 13 / 252 |
| `azure-conv-2023` | 5.53/s | 1.09 | 1,020 / 4,142 | 129 / 601 |

Gaps, prompts and answers are drawn independently of one another: the rank correlation of prompt and answer is -0.02
and 0.07 in the traces. The slow drift of the rate over the hour is not modelled.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random

__all__ = ["PROFILES", "Knots", "Profile"]

SPAN = 1.0 - 1e-12


class Knots:
    """A distribution given by quantiles; between two of them the logarithm of the value is interpolated.

    Args:
        shares: Rising, from 0 to 1.
        values: Below each lies that share of all draws; above 0.
    """

    __slots__ = ("_logs", "_shares", "_slopes")

    def __init__(self, shares: Sequence[float], values: Sequence[float]) -> None:
        self._shares = tuple(shares)
        self._logs = [math.log(value) for value in values]
        points = pairwise(zip(shares, self._logs, strict=True))
        self._slopes = [(later - log) / (end - start) for (start, log), (end, later) in points]

    def draw(self, draws: Random) -> float:
        """Return the next number."""
        return self.quantile(draws.random() * SPAN)

    def quantile(self, share: float) -> float:
        """Return the value below which `share` (0 to under 1) of all draws lie."""
        place = bisect_right(self._shares, share) - 1
        return math.exp(self._logs[place] + (share - self._shares[place]) * self._slopes[place])


@dataclass(frozen=True, slots=True)
class Profile:
    """The shape of one service's traffic.

    Args:
        summary: What it is, in one sentence.
        gaps: Seconds between two calls.
        input_tokens: Tokens of a prompt.
        output_tokens: Tokens of an answer.
    """

    summary: str
    gaps: Knots
    input_tokens: Knots
    output_tokens: Knots


GAP_SHARES = (
    0.0, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925,
    0.95, 0.965, 0.98, 0.985, 0.99, 0.9925, 0.994, 0.995, 0.996, 0.997, 0.998, 0.9985, 0.999, 0.9995, 1.0,
)  # fmt: skip
TOKEN_SHARES = (
    0.0, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.965,
    0.98, 0.985, 0.99, 0.995, 0.998, 0.999, 1.0,
)  # fmt: skip

_CODE_GAPS = (
    6.089e-06, 7.104e-06, 2.25e-05, 5.277e-05, 8.931e-05, 0.0002121, 0.0008981, 0.001202, 0.002108, 0.003341,
    0.01533, 0.06474, 0.0964, 0.1016, 0.1055, 0.1624, 0.2018, 0.2769, 0.3067, 0.4067, 0.5111, 0.8106, 1.115,
    2.238, 3.541, 6.897, 10.13, 17.51, 28.5, 42.02, 51.16, 80.41, 134.4, 220.4,
)  # fmt: skip
_CODE_INPUT_TOKENS = (
    3, 12, 17, 44, 75, 147, 385.6, 770, 1075, 1469, 1909, 2433, 2744, 3192, 3920, 5188, 6097, 7303, 7435, 7436,
    7436, 7436, 7436, 7436, 7437, 7437,
)  # fmt: skip
_CODE_OUTPUT_TOKENS = (
    6, 6, 6, 6, 6, 7, 8, 9, 11, 13, 16, 20, 24, 29, 39, 55, 69, 90, 115, 170.9, 200.7, 251.5, 359.4, 669.6, 825.3,
    1899,
)  # fmt: skip
_CONV_GAPS = (
    1.996e-06, 0.0001876, 0.0005452, 0.001823, 0.006308, 0.01611, 0.02637, 0.03645, 0.04818, 0.0606, 0.08708,
    0.1182, 0.1584, 0.2132, 0.2462, 0.2883, 0.3452, 0.4198, 0.477, 0.5641, 0.6446, 0.7478, 0.8042, 0.8879, 0.9496,
    0.9926, 1.032, 1.083, 1.169, 1.247, 1.317, 1.408, 1.798, 4.306,
)  # fmt: skip
_CONV_INPUT_TOKENS = (
    2, 16.83, 29, 120, 181, 207, 387, 403, 703, 1020, 1071, 1130, 1189, 1315, 1876, 2734, 4075, 4083, 4088, 4098,
    4110, 4142, 4831, 5652, 6179, 14050,
)  # fmt: skip
_CONV_OUTPUT_TOKENS = (
    7, 14, 16, 28, 41, 54, 77, 91, 103, 129, 177, 384, 395, 400, 411, 424, 430, 451, 490, 540, 571, 601, 643.2,
    916.5, 954, 1000,
)  # fmt: skip


PROFILES: dict[str, Profile] = {
    "azure-code-2023": Profile(
        summary="Code completion: short answers, and bursts with minutes of silence between them.",
        gaps=Knots(GAP_SHARES, _CODE_GAPS),
        input_tokens=Knots(TOKEN_SHARES, _CODE_INPUT_TOKENS),
        output_tokens=Knots(TOKEN_SHARES, _CODE_OUTPUT_TOKENS),
    ),
    "azure-conv-2023": Profile(
        summary="Conversation: steady traffic, nearly Poisson.",
        gaps=Knots(GAP_SHARES, _CONV_GAPS),
        input_tokens=Knots(TOKEN_SHARES, _CONV_INPUT_TOKENS),
        output_tokens=Knots(TOKEN_SHARES, _CONV_OUTPUT_TOKENS),
    ),
}
"""Every profile by its name in scenario files."""
