"""How far the estimate and the bound of tokens are from what real providers counted, and from real vocabularies.

    python benchmarks/token_estimates.py

Of each recorded request with an answer, the prompt is read and the estimate (`estimate_request_tokens`) and the bound
(`most_request_tokens`) are held against the provider's own count. Texts of each
script are held against the public vocabularies (extra `[tokens]`). The recordings are those that the tests read.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from importlib import import_module
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from llmtest.costs import count_tokens, estimate_request_tokens, most_request_tokens, most_tokens
from llmtest.errors import LLMTestError

ENCODINGS = ("cl100k_base", "o200k_base", "llama3", "qwen3")
SAMPLES = {
    "Latin": "The quick brown fox jumps over the lazy dog, and nobody knows why it does so every morning. ",
    "Latin with accents": "Überraschend häufig wäscht der Bär seine Tatzen, weiß der Förster über die Wälder. ",
    "Chinese": "敏捷的棕色狐狸跳过了懒狗。没有人知道它为什么每天早上都这样做。",
    "Arabic": "الثعلب البني السريع يقفز فوق الكلب الكسول كل صباح. ",
    "code": "def f(x: int) -> int:\n    return {k: v[::-1] for k, v in x.items() if k not in (1, 2)}[0]\n",
}


def line(name: str, number: int, ratios: list[float]) -> str:
    """Return one row: the least, the middle and the most of a ratio."""
    return f"{name:34} {number:6}   {min(ratios):5.2f}   {statistics.median(ratios):5.2f}   {max(ratios):5.2f}"


def prompts() -> None:
    """Hold the prompts of the recordings against what their providers counted."""
    found: dict[str, list[tuple[int, int, int]]] = {}
    lenient = import_module("tests.wire.lenient").lenient
    for each in import_module("tests.wire.wire_recordings").interactions():
        if each.status != 200 or each.streamed:
            continue
        headers = {"authorization": "Bearer k", "anthropic-beta": "compact-2026-01-12"}
        try:
            call = lenient(each.dialect).read("POST", each.path, "", headers, json.dumps(each.request).encode())
            usage = call.endpoint.decode_answer(each.body, each.headers).usage
            request = call.request
        except LLMTestError:
            continue
        if usage.source != "exact" or not usage.input_tokens:
            continue
        counts = (usage.input_tokens, estimate_request_tokens(request), most_request_tokens(request))
        media = any(not isinstance(message.content, str | None) for message in request.messages)
        kind = "with tools" if request.tools else "with a schema" if request.response_format else "text"
        found.setdefault(f"{each.dialect}, {'parts' if media else kind}", []).append(counts)
    for name, all_counts in sorted(found.items()):
        print(line(f"{name}: estimate", len(all_counts), [estimate / told for told, estimate, _ in all_counts]))
        print(line(f"{name}: bound", len(all_counts), [most / told for told, _, most in all_counts]))


def texts() -> None:
    """Hold texts of each script against the public vocabularies."""
    for name, sample in SAMPLES.items():
        text = sample * 20
        exact = [count_tokens(text, encoding, exact=True) for encoding in ENCODINGS]
        print(line(f"{name}: estimate", len(text), [count_tokens(text) / each for each in exact]))
        print(line(f"{name}: bound", len(text), [most_tokens(text) / each for each in exact]))


def speed() -> None:
    """Print how many MB a second are estimated and bounded."""
    text = SAMPLES["Latin"] * 11_000
    for name, count in (("estimate", count_tokens), ("bound", most_tokens)):
        began = time.perf_counter()
        for _ in range(20):
            count(text)
        print(f"{name}: {20 * len(text) / 1e6 / (time.perf_counter() - began):,.0f} MB/s")


if __name__ == "__main__":
    print(f"{'what, divided by the true count':34} {'number':>6}   least  middle    most")
    prompts()
    texts()
    speed()
