"""Fit the parameters of a load profile to a trace: `python benchmarks/fit_profiles.py TRACE.csv`.

How the shipped profiles (`llmtest/scenarios/_profiles.py`) were made. From a trace in the published CSV format this
takes three distributions: the gaps between calls, the tokens of the prompts, the tokens of the answers. Each becomes a
`Knots` table: quantiles at fixed probabilities, dense at the upper end, where bursts and long prompts live. Between two
quantiles the logarithm of the value is interpolated, which suits quantities that span orders of magnitude.

Gaps are then scaled by one factor, so that the table's mean, which has a closed form, equals the trace's mean gap: the
rate of calls is exact. Tokens get the rank correlation of prompt and answer lengths beside their tables.

What is not modelled: slow drift of the rate over the hour (the conv trace doubles for ten minutes), and any relation
between one gap and the next (measured rank-log correlation: 0.10 code, 0.03 conv). Calls are a renewal process.
"""

from __future__ import annotations

import argparse
import itertools
import math
from pathlib import Path

from llmtest.scenarios import TraceFile

GAP_SHARES = (
    0.0, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95,
    0.965, 0.98, 0.985, 0.99, 0.9925, 0.994, 0.995, 0.996, 0.997, 0.998, 0.9985, 0.999, 0.9995, 1.0,
)  # fmt: skip
TOKEN_SHARES = (
    0.0, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.965, 0.98,
    0.985, 0.99, 0.995, 0.998, 0.999, 1.0,
)  # fmt: skip
SMALLEST_GAP = 1e-6


def quantiles(values: list[float], shares: tuple[float, ...]) -> list[float]:
    """Return the values below which each share of the sample lies, interpolated linearly between neighbours."""
    ordered = sorted(values)
    found = []
    for share in shares:
        position = share * (len(ordered) - 1)
        low = int(position)
        high = min(low + 1, len(ordered) - 1)
        found.append(ordered[low] + (ordered[high] - ordered[low]) * (position - low))
    return found


def table_mean(shares: tuple[float, ...], values: list[float]) -> float:
    """Return the mean of a table whose logarithm is interpolated."""
    total = 0.0
    for (share, value), (next_share, next_value) in itertools.pairwise(zip(shares, values, strict=True)):
        steep = math.log(next_value / value)
        inner = (next_value - value) / steep if abs(steep) > 1e-12 else value
        total += (next_share - share) * inner
    return total


def rank_correlation(left: list[float], right: list[float]) -> float:
    """Return Spearman's correlation, ties broken by position."""
    ranks = []
    for column in (left, right):
        order = sorted(range(len(column)), key=column.__getitem__)
        rank = [0] * len(column)
        for position, index in enumerate(order):
            rank[index] = position
        ranks.append(rank)
    count = len(left)
    distance = sum((a - b) ** 2 for a, b in zip(*ranks, strict=True))
    return float(1 - 6 * distance / (count * (count * count - 1)))


def rounded(value: float, digits: int = 4) -> float:
    """Return a value with that many significant digits."""
    return float(f"{value:.{digits}g}")


def fit(path: Path) -> dict[str, object]:
    """Return the parameters of one profile.

    Args:
        path: A trace in the published CSV format.
    """
    rows = list(TraceFile(path))
    gaps = [max((later.at_ns - earlier.at_ns) / 1e9, SMALLEST_GAP) for earlier, later in itertools.pairwise(rows)]
    prompts = [float(row.input_tokens) for row in rows]
    answers = [float(row.output_tokens) for row in rows]
    knots = quantiles(gaps, GAP_SHARES)
    scale = sum(gaps) / len(gaps) / table_mean(GAP_SHARES, knots)
    return {
        "gaps": tuple(zip(GAP_SHARES, (rounded(value * scale) for value in knots), strict=True)),
        "input_tokens": tuple(zip(TOKEN_SHARES, map(rounded, quantiles(prompts, TOKEN_SHARES)), strict=True)),
        "output_tokens": tuple(zip(TOKEN_SHARES, map(rounded, quantiles(answers, TOKEN_SHARES)), strict=True)),
        "rank_correlation": rounded(rank_correlation(prompts, answers), 2),
        "gap_scale": rounded(scale),
    }


def main() -> None:
    """Print the parameters as Python."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("trace", type=Path)
    for name, value in fit(parser.parse_args().trace).items():
        print(f"{name}={value!r},")


if __name__ == "__main__":
    main()
