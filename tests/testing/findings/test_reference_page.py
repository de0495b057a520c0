"""The reference of findings is made of the table of their kinds."""

from pathlib import Path

from llmtest.conduct import KINDS
from llmtest.conduct._findings_page import findings_reference

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "findings.md"
GUIDE = PAGE.parents[1] / "how-to" / "assert-behaviour.md"


def test_the_reference_page_is_current():
    """Every finding with its rule, its advice and its thresholds."""
    assert findings_reference().strip() in PAGE.read_text(encoding="utf-8"), (
        "put what `python -m llmtest.conduct._findings_page` prints at the end of docs/reference/findings.md"
    )


def test_the_guide_names_every_finding():
    """The table of the guide has a row for each; what the run itself did wrong is no conduct."""
    guide = GUIDE.read_text(encoding="utf-8")
    assert [name for name in KINDS if f"| `{name}` |" not in guide] == ["harness_error"]
