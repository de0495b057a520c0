"""What calls cost as a page: a chart and a table, in one file that needs nothing else."""

from __future__ import annotations

from decimal import Decimal
from html import escape

from llmtest.costs import Spend
from llmtest.reporting._spend_comparison import shown_usd
from llmtest.reporting._spend_report import SpendReport

__all__ = ["spending_page"]

MOST_BARS = 40
"""Groups that have a bar: the dearest; all are in the table."""
BAR, GAP, LABEL, WIDTH, AMOUNT = 20, 6, 260, 520, 180
"""Sizes of the chart, in pixels."""
LONGEST = 38
"""Characters of a name beside its bar."""

PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --bar: #4878a8; --dim: #777; }}
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem; }}
h1 {{ font-size: 1.4rem; }}
svg {{ max-width: 100%; height: auto; }}
svg text {{ fill: currentColor; font-size: 13px; }}
svg rect {{ fill: var(--bar); }}
table {{ border-collapse: collapse; margin-top: 1.5rem; }}
th, td {{ padding: .2rem .9rem .2rem 0; text-align: right; font-variant-numeric: tabular-nums; }}
th:first-child, td:first-child {{ text-align: left; overflow-wrap: anywhere; }}
thead th {{ border-bottom: 1px solid var(--dim); }}
tfoot td {{ border-top: 1px solid var(--dim); font-weight: 600; }}
.note {{ color: var(--dim); }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{summary}</p>
{chart}
<table>
<thead><tr><th>{by}</th><th>calls</th><th>input tokens</th><th>output tokens</th><th>cost</th></tr></thead>
<tbody>
{rows}
</tbody>
<tfoot>{total}</tfoot>
</table>
{notes}
</body>
</html>
"""


def spending_page(report: SpendReport, *, sources: str, priced: str = "") -> str:
    """Return a page of HTML with a bar for each group and a table of all. It loads nothing and runs no script.

    Args:
        report: What calls cost.
        sources: What was read, in words.
        priced: What it is priced as, in words; empty where as it was.
    """
    names = list(report.groups)
    if report.by == "hour":
        names.sort(key=lambda name: (len(name), name))
    title = f"What {sources} cost{', ' + priced if priced else ''}"
    notes = list(report.unknown_lines())
    if report.total.estimated:
        notes.insert(0, f"The tokens of {report.total.estimated:,} calls are estimates.")
    if len(names) > MOST_BARS:
        notes.append(f"The chart has the {MOST_BARS} dearest of {len(names):,}; the table has all.")
    return PAGE.format(
        title=escape(title),
        summary=escape(f"{report.total.calls:,} calls, {_cost(report.total)}, by {report.by}."),
        chart=_chart({name: report.groups[name] for name in names}),
        by=escape(report.by),
        rows="\n".join(_row(name or "-", report.groups[name]) for name in names),
        total=_row("total", report.total),
        notes="\n".join(f'<p class="note">{escape(note)}</p>' for note in notes),
    )


def _chart(groups: dict[str, Spend]) -> str:
    dearest = sorted(groups, key=lambda name: groups[name].known_usd, reverse=True)[:MOST_BARS]
    shown = [name for name in groups if name in set(dearest)]
    most = max((groups[name].known_usd for name in shown), default=Decimal(0))
    height = len(shown) * (BAR + GAP)
    bars = []
    for place, name in enumerate(shown):
        spend, top = groups[name], place * (BAR + GAP)
        length = float(spend.known_usd / most) * WIDTH if most else 0.0
        label = name or "-"
        short = label if len(label) <= LONGEST else f"…{label[1 - LONGEST :]}"
        amount = shown_usd(spend.known_usd) + (f" + {spend.unknown:,} unknown" if spend.unknown else "")
        bars.append(
            f"<g><title>{escape(label)}: {escape(_cost(spend))}</title>"
            f'<text x="{LABEL - 8}" y="{top + 15}" text-anchor="end">{escape(short)}</text>'
            f'<rect x="{LABEL}" y="{top}" width="{max(length, 1.0):.1f}" height="{BAR}" rx="2"/>'
            f'<text x="{LABEL + length + 8:.1f}" y="{top + 15}">{escape(amount)}</text></g>'
        )
    size = f'viewBox="0 0 {LABEL + WIDTH + AMOUNT} {height}" width="{LABEL + WIDTH + AMOUNT}" height="{height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="cost of each">{"".join(bars)}</svg>'


def _row(name: str, spend: Spend) -> str:
    cells = (f"{spend.calls:,}", f"{spend.input_tokens:,}", f"{spend.output_tokens:,}", _cost(spend))
    return f"<tr><td>{escape(name)}</td>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"


def _cost(spend: Spend) -> str:
    if spend.unknown:
        return f"unknown ({spend.unknown:,} of {spend.calls:,}; the others {shown_usd(spend.known_usd)})"
    return shown_usd(spend.known_usd)
