"""One server and one Node process for all tests under Node."""

import pytest

from tests.node.node_process import Node, Served


@pytest.fixture(scope="session")
def served_process():
    """One server for all tests under Node; it stops without complaint."""
    served = Served()
    yield served
    assert served.stop() == 0


@pytest.fixture(scope="session")
def node(served_process):
    """One Node process for all tests."""
    node = Node(served_process.url)
    yield node
    assert node.stop() == 0


@pytest.fixture
def served(served_process):
    """The server, as it was when it started."""
    served_process.reset()
    return served_process
