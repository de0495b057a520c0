"""What a plain pytest run pays for having the plugin installed: modules and milliseconds beyond `import pytest`.

    python benchmarks/plugin_import.py [--short]

The peers are the pytest plugins of the same environment. Bar: at most 10 modules, none of a third party.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

PLUGINS = (
    "llmtest.pytest_plugin",
    "_hypothesis_pytestplugin",
    "pytest_asyncio.plugin",
    "anyio.pytest_plugin",
    "respx.plugin",
)
CODE = """
import pytest, sys, time
before = set(sys.modules)
start = time.perf_counter()
try:
    __import__({name!r})
except ImportError:
    print("missing")
else:
    taken = (time.perf_counter() - start) * 1000
    loaded = set(sys.modules) - before
    own = {name!r}.split(".")[0]
    foreign = {{each.split(".")[0] for each in loaded}} - {{own, *sys.stdlib_module_names}}
    print(taken, len(loaded), len(foreign))
"""


def measure(name: str, repeats: int) -> tuple[float, int, int] | None:
    """Return the best milliseconds, the modules, and the third-party packages; None where it is not installed."""
    found = []
    for _ in range(repeats):
        done = subprocess.run(
            [sys.executable, "-c", CODE.format(name=name)], check=True, capture_output=True, text=True
        )
        if done.stdout.strip() == "missing":
            return None
        taken, modules, foreign = done.stdout.split()
        found.append((float(taken), int(modules), int(foreign)))
    return min(found)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="fewer repeats")
    repeats = 3 if parser.parse_args().short else 15
    print(f"{'plugin':<28}{'ms':>8}{'x ours':>8}{'modules':>9}{'packages':>10}")
    ours = 0.0
    for name in PLUGINS:
        row = measure(name, repeats)
        if row is None:
            print(f"{name:<28}   not installed")
            continue
        taken, modules, foreign = row
        ours = ours or taken
        bar = "   bar: 10 modules, 0 packages" if name == PLUGINS[0] else ""
        print(f"{name:<28}{taken:>8.1f}{taken / ours:>8.1f}{modules:>9}{foreign:>10}{bar}")


if __name__ == "__main__":
    main()
