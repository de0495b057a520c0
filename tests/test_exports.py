"""The façade: every public name resolves, the list is sorted, and nothing is imported before it is used."""

import subprocess
import sys

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


def test_importing_the_package_imports_nothing_else():
    """`import llmtest` loads no module of a third party and none of its own rooms."""
    code = "import sys; before = set(sys.modules); import llmtest; print('\\n'.join(set(sys.modules) - before))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert [name for name in loaded if name.startswith("llmtest.")] == []
    assert [name for name in loaded if name.split(".")[0] not in {"llmtest", *sys.stdlib_module_names}] == []
