"""What each client does in each situation, as `check_clients.py` saw it, by environment."""

from __future__ import annotations

import ast
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from llmtest import faults

if TYPE_CHECKING:
    from llmtest.faults import Fault

__all__ = ["ENVIRONMENTS", "SITUATIONS", "clients_in", "pinned", "read_rows", "write_row"]

HERE = Path(__file__).parent
ENVIRONMENTS = ("current", "llama_index", "dspy", "crewai")

SITUATIONS: dict[str, tuple[str, Fault]] = {
    "429, `retry-after: 20`": ("ask", faults.RateLimited(retry_after=20)),
    "429 without it": ("ask", faults.RateLimited()),
    "500": ("ask", faults.ServerError()),
    "overloaded": ("ask", faults.Overloaded()),
    "connection refused": ("ask", faults.ConnectionRefused()),
    "no answer": ("ask", faults.Timeout()),
    "wrong key": ("ask", faults.AuthenticationFailed()),
    "prompt too long": ("ask", faults.ContextLengthExceeded()),
    "no JSON": ("ask", faults.MalformedBody()),
    "stream breaks off": ("stream", faults.StreamDropped(2)),
    "error inside a stream": ("stream", faults.StreamError(2, error=faults.Overloaded())),
}
"""What happens at every attempt, and during what."""


@dataclass(frozen=True)
class Written:
    """A client as its file says it, which is read, not imported: its library is in an environment of its own.

    Args:
        name: Its class.
        title: What of the library it uses.
        library: The distribution.
    """

    name: str
    title: str
    library: str


def clients_in(environment: str) -> list[Written]:
    """Return the clients of an environment, by file and place."""
    files = sorted((HERE / "clients" / environment).glob("[!_]*.py"))
    return [client for file in files for client in _clients_of(ast.parse(file.read_text(encoding="utf-8")))]


def _clients_of(file: ast.Module) -> list[Written]:
    libraries: dict[str, str] = {}
    found = []
    for each in file.body:
        if not isinstance(each, ast.ClassDef):
            continue
        own = {
            line.targets[0].id: line.value.value
            for line in each.body
            if isinstance(line, ast.Assign)
            and isinstance(line.targets[0], ast.Name)
            and isinstance(line.value, ast.Constant)
        }
        bases = [base.id for base in each.bases if isinstance(base, ast.Name)]
        libraries[each.name] = str(own.get("library", libraries.get(bases[0], "")))
        if not each.name.startswith("_"):
            title = str(ast.get_docstring(each)).partition("; ")[0].rstrip(".")
            found.append(Written(each.name, title, libraries[each.name]))
    return found


def pinned(environment: str) -> dict[str, str]:
    """Return the versions in an environment, by distribution."""
    lines = (HERE / "environments" / f"{environment}.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines)


def _file(environment: str) -> Path:
    return HERE / "rows" / f"{environment}.json"


def read_rows(environment: str) -> dict[str, dict[str, list[object]]]:
    """Return class, requests and seconds by client and situation."""
    return json.loads(_file(environment).read_text(encoding="utf-8"))


def write_row(environment: str, name: str, situation: str, row: list[object]) -> None:
    """Write what was seen."""
    file = _file(environment)
    rows = read_rows(environment) if file.exists() else {}
    rows.setdefault(name, {})[situation] = row
    file.parent.mkdir(exist_ok=True)
    lines = [
        f'  "{client}": {{\n'
        + ",\n".join(f"    {json.dumps(key)}: {json.dumps(value)}" for key, value in found.items())
        for client, found in sorted(rows.items())
    ]
    file.write_text("{\n" + "\n  },\n".join(lines) + "\n  }\n}\n", encoding="utf-8")
