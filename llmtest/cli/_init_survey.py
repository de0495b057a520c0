"""What a project has: the SDKs that its sources import, and the clients that are made while they are imported."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["SDKS", "Sdk", "Survey", "survey"]

MOST_FILES = 5_000
"""Sources that are read; a project has fewer, and whoever is asked about a whole disk answers all the same."""
_ELSEWHERE = {"node_modules", "site-packages", "__pycache__", "build", "dist", "venv", "env"}


@dataclass(frozen=True, slots=True)
class Sdk:
    """A library whose requests a test wants to be answered.

    Args:
        module: What is imported.
        distribution: What is installed.
        clients: Names of what holds a client, as an expression.
    """

    module: str
    distribution: str
    clients: str


SDKS: tuple[Sdk, ...] = (
    Sdk("openai", "openai", r"(Async)?(Azure)?OpenAI"),
    Sdk("anthropic", "anthropic", r"(Async)?Anthropic(Bedrock|Vertex|Foundry)?"),
    Sdk("google.genai", "google-genai", r"Client"),
    Sdk("ollama", "ollama", r"(Async)?Client"),
    Sdk("mistralai", "mistralai", r"Mistral"),
    Sdk("groq", "groq", r"(Async)?Groq"),
    Sdk("cohere", "cohere", r"(Async)?Client(V2)?"),
    Sdk("together", "together", r"(Async)?Together"),
    Sdk("huggingface_hub", "huggingface-hub", r"(Async)?InferenceClient"),
    Sdk("litellm", "litellm", r"Router"),
    Sdk("langchain_openai", "langchain-openai", r"(Azure)?(Chat)?OpenAI(Embeddings)?"),
    Sdk("langchain_anthropic", "langchain-anthropic", r"ChatAnthropic"),
    Sdk("langchain_google_genai", "langchain-google-genai", r"ChatGoogleGenerativeAI|GoogleGenerativeAIEmbeddings"),
    Sdk("llama_index.llms.openai", "llama-index-llms-openai", r"OpenAI"),
    Sdk("llama_index.llms.anthropic", "llama-index-llms-anthropic", r"Anthropic"),
    Sdk("pydantic_ai", "pydantic-ai-slim", r"Agent|\w+Model|\w+Provider"),
    Sdk("dspy", "dspy", r"LM"),
    Sdk("crewai", "crewai", r"LLM|Agent"),
    Sdk("smolagents", "smolagents", r"(OpenAI|LiteLLM|InferenceClient)\w*Model"),
)
"""SDKs that are looked for."""


@dataclass(slots=True)
class Survey:
    """What was found.

    Args:
        installed: Version of each SDK that is installed here, by module.
        imported: Where each SDK is imported first, as `file:line`, by module.
        made_at_import: Clients that are made at import: `file:line`, and what is called.
        tests: Files of tests that are there already.
        unread: Sources that are no Python, each with the reason.
    """

    installed: dict[str, str] = field(default_factory=dict)
    imported: dict[str, str] = field(default_factory=dict)
    made_at_import: list[tuple[str, str]] = field(default_factory=list)
    tests: list[str] = field(default_factory=list)
    unread: list[tuple[str, str]] = field(default_factory=list)


def survey(project: Path, sdks: Sequence[Sdk] = SDKS) -> Survey:
    """Look through a project's sources; nothing of it is imported or run.

    Args:
        project: Its directory.
        sdks: What to look for.
    """
    found = Survey()
    for sdk in sdks:
        try:
            found.installed[sdk.module] = version(sdk.distribution)
        except PackageNotFoundError:
            continue
    for path, _ in zip(_sources(project), range(MOST_FILES), strict=False):
        name = path.relative_to(project).as_posix()
        if path.name.startswith("test_") or path.name.endswith("_test.py"):
            found.tests.append(name)
        try:
            tree = ast.parse(path.read_bytes(), name)
        except (SyntaxError, ValueError, OSError, RecursionError) as error:
            found.unread.append((name, f"{type(error).__name__}: {error}"))
            continue
        _look_into(tree, name, found, sdks)
    return found


def _sources(folder: Path) -> Iterator[Path]:
    """Yield the Python files of a project in order, without environments and other people's code."""
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith(".") or entry.is_symlink():
            continue
        if entry.is_dir():
            if entry.name not in _ELSEWHERE and not (entry / "pyvenv.cfg").exists():
                yield from _sources(entry)
        elif entry.suffix == ".py":
            yield entry


def _look_into(tree: ast.Module, name: str, found: Survey, sdks: Sequence[Sdk]) -> None:
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        for full, local, line in _imported_names(node):
            names[local] = full
            for sdk in sdks:
                if _is_of(full, sdk):
                    found.imported.setdefault(sdk.module, f"{name}:{line}")
    for call in _calls_at_import(tree.body):
        written = ast.unparse(call.func)
        first, dot, rest = written.partition(".")
        full = f"{names.get(first, first)}{dot}{rest}"
        for sdk in sdks:
            if _is_of(full, sdk) and re.fullmatch(sdk.clients, full.rpartition(".")[2]):
                found.made_at_import.append((f"{name}:{call.lineno}", f"{written}({'...' * _has_arguments(call)})"))
                break


def _is_of(full: str, sdk: Sdk) -> bool:
    return full == sdk.module or full.startswith(f"{sdk.module}.")


def _has_arguments(call: ast.Call) -> bool:
    return bool(call.args or call.keywords)


def _imported_names(node: ast.AST) -> Iterator[tuple[str, str, int]]:
    """Yield what an import names: in full, what it is called here, and the line."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield (
                (alias.name, alias.asname, node.lineno)
                if alias.asname
                else (
                    alias.name,
                    alias.name.partition(".")[0],
                    node.lineno,
                )
            )
            if not alias.asname and "." in alias.name:
                # `import google.genai` binds `google`; a call names the rest itself.
                yield alias.name.partition(".")[0], alias.name.partition(".")[0], node.lineno
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        for alias in node.names:
            yield f"{node.module}.{alias.name}", alias.asname or alias.name, node.lineno


def _calls_at_import(nodes: Sequence[ast.AST]) -> Iterator[ast.Call]:
    """Yield the calls that run when a module is imported: bodies of classes do, bodies of functions do not."""
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _calls_at_import([*node.decorator_list, node.args])
        elif isinstance(node, ast.Lambda):
            yield from _calls_at_import([node.args])
        elif not _is_main_guard(node):
            if isinstance(node, ast.Call):
                yield node
            yield from _calls_at_import(list(ast.iter_child_nodes(node)))


def _is_main_guard(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "__name__" in ast.unparse(node.test) and "__main__" in ast.unparse(node.test)
