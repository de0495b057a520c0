"""Advice that is Python: code that is refused, and the ways to take what is said about it, word for word."""

import ast
import json
import os
import re
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import openai
import yaml  # noqa: F401 - a run of pytest inside the process takes what it imports away again, and yaml's C half with it

import llmtest
from llmtest import Simulation, clock, config, costs, errors, events, faults, resilience, simulation, types
from llmtest.clock import VirtualClock
from llmtest.faults import FaultRule

FIX = re.compile(r"To fix(?:, one of)?:\s*(.*?)(?=\n\nTrace:|\n\nAnd |\Z)", re.DOTALL)
"""What stands behind `To fix` in a text."""


def advice_of(text):
    """Return the advice that a text gives; empty where it gives none."""
    found = FIX.search(text)
    return "" if found is None else found[1].strip()


def pieces_of(advice):
    """Return the parts of an advice that may be code: between its words, in backticks, in numbered lines."""
    quoted = re.findall(r"`([^`]+)`", advice)
    lines = [re.sub(r"^\s*\d\.\s+", "", line) for line in advice.split("\n")]
    parts = [part for line in lines for part in re.split(r" as in |; or |; |, or |, which |: | for |\s{2,}", line)]
    parts += [part for line in lines for part in line.split(" as in ")]
    return [piece.strip().rstrip(".,;") for piece in (*quoted, *lines, *parts)]


def calls_in(advice):
    """Return every call that an advice holds, the outermost of those inside each other, once each."""
    found, end = {}, 0
    for start in re.finditer(r"[A-Za-z_][\w.]*\(", advice):
        if start.start() < end:
            continue
        for close in range(start.end(), len(advice) + 1):
            try:
                node = ast.parse(advice[start.start() : close], mode="eval").body
            except SyntaxError:
                continue
            if isinstance(node, ast.Call):
                # What follows at once belongs to it: `llm_sim.openai.on(...).replies(...)`.
                rest = re.match(r"\.\w+\(", advice[close:])
                if rest is None:
                    found.setdefault(ast.dump(node), advice[start.start() : close])
                    end = close
                    break
    return list(found.values())


def keywords_in(advice):
    """Return every `name=value` of an advice, by its name."""
    found = {}
    for piece in pieces_of(advice):
        try:
            call = ast.parse(f"_({piece})", mode="eval").body
        except SyntaxError:
            continue
        if call.keywords and not call.args:
            found |= {each.arg: each.value for each in call.keywords}
    return found


def changed(code, change):
    """Return code whose last call has been changed."""
    tree = ast.parse(code)
    call = tree.body[-1].value
    change(call)
    return ast.unparse(tree)


def whole(code, advice):
    """Write what is advised instead of the last line: each call that the advice holds."""
    before = code.rpartition("\n")[0]
    return [f"{before}\n{call}".strip() for call in calls_in(advice)]


def inside(code, advice):
    """Write the call that is advised where one of the same name is refused."""
    fixed = []
    for advised in calls_in(advice):
        name = ast.unparse(ast.parse(advised, mode="eval").body.func)

        class Replaced(ast.NodeTransformer):
            def visit_Call(self, node, name=name, advised=advised):
                self.generic_visit(node)
                is_it = ast.unparse(node.func).rpartition(".")[2] == name.rpartition(".")[2]
                return ast.parse(advised, mode="eval").body if is_it else node

        fixed.append(ast.unparse(Replaced().visit(ast.parse(code))))
    return fixed


def argument(code, advice):
    """Give the last call the arguments that are advised."""
    given = keywords_in(advice)

    def change(call):
        names = {each.arg for each in call.keywords}
        call.keywords = [ast.keyword(each.arg, given.get(each.arg, each.value)) for each in call.keywords]
        call.keywords += [ast.keyword(name, value) for name, value in given.items() if name not in names]

    return [changed(code, change)] if given else []


def without(*names):
    """Leave arguments out, one at a time, as `leave one of them out` says, or the one that is named."""

    def take(code, advice):
        quoted = re.findall(r"leave `(\w+)` out", advice)
        return [
            changed(
                code,
                lambda call, name=name: call.keywords.__setitem__(
                    slice(None), [each for each in call.keywords if each.arg != name]
                ),
            )
            for name in (quoted or names)
        ]

    return take


def written(code, advice):
    """Write the word in backticks that is advised instead of the text that is refused."""
    word = re.search(r"write `([^`]+)`", advice)[1]
    wrong = re.search(r"\(('[^']*'|\"[^\"]*\"|\d+)", code)[1]
    return [code.replace(wrong, repr(word), 1)]


def by_hand(*fixed):
    """Do what words say that hold no code."""
    return lambda code, advice: list(fixed)


@dataclass(frozen=True)
class Refused:
    """Code that is refused.

    Args:
        code: What is run; `llm_sim` and what tests import are there.
        take: Makes of the code and the advice the code that must run.
    """

    code: str
    take: object = whole


def ask(text="Hi", model="gpt-4o", base_url=None, **more):
    """Ask OpenAI by its SDK."""
    client = openai.OpenAI(api_key="sk-test", max_retries=0, base_url=base_url)
    answer = client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}], **more)
    return list(answer) if more.get("stream") else answer


def names_for(llm_sim):
    """Return what code may use: everything that tests import, and the words of a handle by themselves."""
    handle = llm_sim.openai
    words = (
        "replies",
        "calls_tool",
        "calls_tools",
        "fails",
        "when",
        "on",
        "limits",
        "latency",
        "context_window",
        "generates",
    )
    names = {}
    for room in (types, costs, config, resilience, simulation, events, clock, errors):
        names |= {name: getattr(room, name) for name in room.__all__}
    names |= {name: getattr(llmtest, name) for name in llmtest.__all__}
    names |= {name: getattr(faults, name) for name in faults.__all__}
    names |= {word: getattr(handle, word) for word in words}
    names |= {word: getattr(llm_sim, word) for word in dir(llm_sim) if word.startswith("assert_")}
    names |= {"llm_sim": llm_sim, "handle": handle, "ask": ask, "faults": faults, "llmtest": llmtest, "openai": openai}
    names |= {
        "json": json,
        "Decimal": Decimal,
        "datetime": datetime,
        "UTC": UTC,
        "text": "Paris",
        "FaultRule": FaultRule,
    }
    names |= {
        "VirtualClock": VirtualClock,
        "strike": lambda **more: FaultRule(**{"name": "noise", "fault": faults.Timeout(), **more}),
    }
    return names


def run(code):
    """Run code in a world of its own; returns what it was refused with, or None."""
    with ExitStack() as stack:
        sim = Simulation(strict=False, name="llm_sim")
        sim.start()
        stack.callback(sim.stop)
        stack.callback(os.chdir, Path.cwd())
        try:
            exec(code, names_for(sim))
            found = sim.findings()
            if found:
                return found[0]
        except (errors.LLMTestError, errors.HarnessError, AssertionError, TypeError, RuntimeError) as error:
            return error
    return None
