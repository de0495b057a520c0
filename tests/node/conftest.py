"""One server and one Node process for all tests under Node."""

import pytest
from node_process import Node, Served, folder_of_node_modules


@pytest.fixture(scope="session")
def served_process():
    """One server for all tests under Node; it stops without complaint."""
    folder_of_node_modules()
    served = Served()
    yield served
    assert served.stop() == 0


@pytest.fixture(scope="session")
def node(served_process):
    """One Node process for all tests."""
    node = Node(folder_of_node_modules(), served_process.url)
    yield node
    assert node.stop() == 0


@pytest.fixture
def served(served_process):
    """The server, as it was when it started."""
    served_process.reset()
    return served_process
