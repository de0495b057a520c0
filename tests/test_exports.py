"""The façade: every public name resolves, the list is sorted, and nothing is imported before it is used."""

import subprocess
import sys
from importlib import import_module
from importlib.metadata import version

import pytest

import llmtest


def test_all_is_sorted():
    """`llmtest.__all__` is sorted and free of duplicates."""
    assert list(llmtest.__all__) == sorted(set(llmtest.__all__))


@pytest.mark.parametrize("name", llmtest.__all__)
def test_every_public_name_resolves(name):
    """Each public name can be imported from the package itself."""
    assert getattr(llmtest, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    """A misspelt name fails like on any module."""
    with pytest.raises(AttributeError, match=r"module 'llmtest' has no attribute 'Simulatoin'"):
        llmtest.Simulatoin  # noqa: B018 - reading the attribute is the act


def test_the_version_is_that_of_the_installed_package():
    """`llmtest.__version__` is what is installed; nobody else has to be told of a new version."""
    assert llmtest.__version__ == version("llmtest-sim")


def test_importing_the_package_imports_nothing_else():
    """`import llmtest` loads no module of a third party and none of its own rooms."""
    code = "import sys; before = set(sys.modules); import llmtest; print('\\n'.join(set(sys.modules) - before))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert [name for name in loaded if name.startswith("llmtest.")] == []
    assert [name for name in loaded if name.split(".")[0] not in {"llmtest", *sys.stdlib_module_names}] == []


ROOMS = [
    "cassettes",
    "clock",
    "conduct",
    "config",
    "costs",
    "interception",
    "providers",
    "reporting",
    "resilience",
    "scenarios",
    "serving",
    "simulation",
    "stores",
    "testing",
    "wire",
]


@pytest.mark.parametrize("name", ROOMS)
def test_every_room_says_what_it_has(name):
    """What a room lists is there, what it does not list is an attribute error, and `dir` shows the list."""
    room = import_module(f"llmtest.{name}")
    for public in room.__all__:
        assert getattr(room, public) is not None
    assert len(room.__all__) == len(set(room.__all__))
    assert set(room.__all__) <= set(dir(room))
    with pytest.raises(AttributeError, match=rf"module 'llmtest\.{name}' has no attribute 'no_such_name'"):
        room.no_such_name  # noqa: B018 - reading the attribute is the act


def test_faults_are_imported_by_module_too():
    """`from llmtest.faults import X` gives the classes of `from llmtest import faults`, each of them."""
    module = import_module("llmtest.faults")
    assert llmtest.faults is module
    assert set(module.FAULTS) == {
        kind.name for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, module.Fault)
    } - {"fault"}


@pytest.mark.parametrize(
    "name",
    [
        *("FallbackSlot", "RetryBudget", "SqliteBudgetStore", "Capabilities", "TextPart", "ImagePart"),
        *("RateLimitedError", "AllProvidersFailedError", "BudgetExceededError", "ConfigurationError", "HarnessError"),
    ],
)
def test_p11_what_users_of_the_provider_layer_name_is_at_the_top(name):
    """Slots, parts, stores and the classes of errors are imported from the package itself."""
    assert name in llmtest.__all__
    assert getattr(llmtest, name).__name__ == name
