"""The cases as they are written: read, not imported, because their libraries are in environments of their own."""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ENVIRONMENTS", "HERE", "Written", "pinned", "written_cases"]

HERE = Path(__file__).parent
ENVIRONMENTS = ("current", "litellm", "instructor", "earlier")
"""In the order of the table. `earlier` has what libraries were a year ago, with the faults that they have mended."""


@dataclass(frozen=True)
class Written:
    """A case as its file says it.

    Args:
        environment: Which environment has its library.
        name: `file.Class`.
        fault: What goes wrong, in one sentence.
        library: Whose fault it is.
        thread: Where it was reported.
        assertion: What catches it.
        findings: What `assert_resilient()` says.
        untold: Why it says nothing.
        has_cure: Whether there is an app without the fault.
        lines: Of the app, and of what it calls in its class.
    """

    environment: str
    name: str
    fault: str
    library: str
    thread: str
    assertion: str
    findings: tuple[str, ...]
    untold: str
    has_cure: bool
    lines: int

    @property
    def link(self):
        """Return the address of the thread."""
        repository, number = self.thread.split("#")
        return f"https://github.com/{repository}/issues/{number}"


def pinned(environment):
    """Return the versions in an environment, by distribution."""
    lines = (HERE / "environments" / f"{environment}.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines)


def written_cases():
    """Return all cases, by environment, file and place."""
    return [
        case
        for environment in ENVIRONMENTS
        for path in sorted((HERE / "cases" / environment).glob("[!_]*.py"))
        for case in _cases_of(environment, path)
    ]


def _cases_of(environment, path):
    classes = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if not isinstance(node, ast.ClassDef):
            continue
        parents = [classes[base.id] for base in node.bases if isinstance(base, ast.Name) and base.id in classes]
        members = {name: member for parent in parents for name, member in parent.items()}
        members |= {each.name: each for each in node.body if isinstance(each, ast.FunctionDef)}
        members |= {each.targets[0].id: each.value for each in node.body if isinstance(each, ast.Assign)}
        classes[node.name] = members
        if any(isinstance(each, ast.Assign) and each.targets[0].id == "thread" for each in node.body):
            yield _written(environment, f"{path.stem}.{node.name}", ast.get_docstring(node), members)


def _written(environment, name, fault, members):
    shared = [each for key, each in members.items() if isinstance(each, ast.FunctionDef) and key not in APART]
    return Written(
        environment=environment,
        name=name,
        fault=fault,
        library=ast.literal_eval(members["library"]),
        thread=ast.literal_eval(members["thread"]),
        assertion=re.sub(r"\bsim\.", "", ast.unparse(members["catch"].body).replace("'", '"')),
        findings=ast.literal_eval(members["findings"]) if "findings" in members else (),
        untold=ast.literal_eval(members["untold"]) if "untold" in members else "",
        has_cure="cure" in members,
        lines=sum(each.end_lineno - each.lineno + 1 for each in shared),
    )


APART = ("script", "catch", "cure")
"""What is not of the app itself."""
