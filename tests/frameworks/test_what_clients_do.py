"""What can be said of the clients without their libraries; `check_clients.py` runs them."""

from pathlib import Path

import pytest

from tests.frameworks._behaviour import ENVIRONMENTS, SITUATIONS, clients_in, pinned, read_rows
from tests.frameworks.page import page

PAGE = Path(__file__).parent.parent.parent / "docs" / "reference" / "what-clients-do.md"


def test_the_page_is_current():
    """The table in the documentation says what was seen."""
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "To fix: python -m tests.frameworks.page > docs/reference/what-clients-do.md"
    )


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_client_has_its_rows(environment):
    """A client is of a pinned library, says what it uses, and was seen in every situation, but for streams."""
    rows = read_rows(environment)
    clients = clients_in(environment)
    assert sorted(client.name for client in clients) == sorted(rows)
    for client in clients:
        assert client.library in pinned(environment)
        assert client.title.startswith("`")
        assert set(rows[client.name]) in (
            set(SITUATIONS),
            {situation for situation, (act, _) in SITUATIONS.items() if act != "stream"},
        )
