"""The codecs by the name of their dialect."""

from __future__ import annotations

import difflib
from functools import cache

from llmtest.errors import ConfigurationError
from llmtest.wire._records import Codec

DIALECTS = ("anthropic", "openai")


@cache
def codec_for(dialect: str) -> Codec:
    """Return the one codec of a dialect; `openai` also serves vLLM, OpenRouter, Ollama's `/v1` and their like.

    Raises:
        ConfigurationError: There is no such dialect.
    """
    if dialect == "openai":
        from llmtest.wire.openai._codec import OpenAICodec

        return OpenAICodec()
    if dialect == "anthropic":
        from llmtest.wire.anthropic._codec import AnthropicCodec

        return AnthropicCodec()
    near = difflib.get_close_matches(dialect, DIALECTS, 1)
    hint = f" Did you mean `{near[0]}`?" if near else ""
    raise ConfigurationError(f"unknown dialect `{dialect}`.{hint}\nKnown dialects: {', '.join(DIALECTS)}.")
