"""Context windows that no price list has: of models that run on one's own machine, by the family of their names.

From the model cards of their makers (Meta, Mistral AI, Google, Alibaba, Microsoft, DeepSeek), which Ollama's library
repeats. A server may be started with less (`num_ctx`, `--max-model-len`): then say `context_window`.
"""

from __future__ import annotations

import re

__all__ = ["local_window", "other_names"]

_FAMILIES: tuple[tuple[str, int], ...] = (
    (r"llama-?3\.[123]", 131_072),
    (r"llama-?3", 8_192),
    (r"llama-?2", 4_096),
    (r"codellama", 16_384),
    (r"mixtral", 32_768),
    (r"mistral-nemo", 131_072),
    (r"mistral", 32_768),
    (r"codegemma|gemma-?2", 8_192),
    (r"gemma-?3", 131_072),
    (r"qwen-?2\.5-coder|qwen-?2\.5", 32_768),
    (r"qwen-?3", 40_960),
    (r"phi-?3\.5|phi-?3-mini-128k", 131_072),
    (r"phi-?4", 16_384),
    (r"deepseek-coder-v2", 163_840),
    (r"deepseek-coder", 16_384),
    (r"gpt-oss", 131_072),
)
_KNOWN = tuple((re.compile(f"(?:{pattern})(?![0-9])"), window) for pattern, window in _FAMILIES)
_TURNED = re.compile(r"claude-(haiku|sonnet|opus)-3((?:-[57])?)(?=$|[-@])")
"""Names of a family and then a number, of models whose makers write the number first."""


def local_window(model: str) -> int | None:
    """Return how many tokens a model of one's own machine holds, by its name; None where the family is unknown.

    Args:
        model: As Ollama (`llama3.1:8b`) or a hub (`microsoft/Phi-3.5-mini-instruct`) calls it, in lower case.
    """
    name = model.rpartition("/")[2]
    return next((window for pattern, window in _KNOWN if pattern.match(name)), None)


def other_names(model: str) -> list[str]:
    """Return names under which the same model is listed: `claude-3-5-haiku` for `claude-haiku-3-5`."""
    turned = _TURNED.sub(r"claude-3\2-\1", model)
    return [] if turned == model else [turned]
