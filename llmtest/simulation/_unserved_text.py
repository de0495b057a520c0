"""What is simulated of each API, and what is said, with a way out, where a request goes elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from llmtest.errors import HarnessError, SimulationStateError
from llmtest.simulation._call_site import call_site
from llmtest.simulation._script_texts import handle_text

__all__ = ["ENDPOINTS", "compatible_path", "unavailable_dialect", "unknown_endpoint", "way_around"]

ENDPOINTS: Mapping[str, tuple[str, ...]] = {
    "openai": ("POST /v1/chat/completions", "POST /v1/embeddings", "GET /v1/models", "GET /v1/models/{model}"),
    "anthropic": ("POST /v1/messages", "POST /v1/messages/count_tokens", "GET /v1/models", "GET /v1/models/{model}"),
}
"""What each dialect answers."""

_WAYS_AROUND: Mapping[str, str] = {
    "/v1/responses/": (
        'have the code call Chat Completions: OpenAI Agents `set_default_openai_api("chat_completions")`, '
        "Pydantic AI `openai-chat:MODEL`, LangChain `use_responses_api=False`"
    ),
    "/v1/completions/": "have the code call Chat Completions: POST /v1/chat/completions",
    "/v1/complete/": "have the code call the Messages API: POST /v1/messages",
}
"""In a path: what does the same at an endpoint that is simulated."""


def way_around(path: str) -> str | None:
    """Return what the code under test may do instead of calling a path; None where nothing does the same."""
    return next((way for part, way in _WAYS_AROUND.items() if part in f"{path}/"), None)


def compatible_path(dialect: str) -> str:
    """Return the path below which a provider with a native API of its own speaks OpenAI's too."""
    return {"azure": "/openai/v1", "gemini": "/v1beta/openai"}.get(dialect, "/v1")


def unavailable_dialect(provider: str, dialect: str, scheme: str, host: str, method: str, path: str) -> HarnessError:
    """Make the error of a request in a provider's native format, which nobody here speaks."""
    base_url = f"{scheme}://{host}{compatible_path(dialect)}"
    return SimulationStateError(
        f"`{provider}` received a request to its native API, which is not simulated.\n\n"
        f"{_facts(method, path)}\n"
        f"  simulated: its OpenAI-compatible API, below {compatible_path(dialect)}\n\n"
        + _fixes(
            f'have the code use that one: base_url="{base_url}" with an OpenAI client',
            _RECORD,
            _pass(provider, host),
        )
    )


def unknown_endpoint(provider: str, host: str, method: str, path: str, dialect: str) -> HarnessError:
    """Make the error of an endpoint that is not simulated."""
    way = way_around(path)
    return SimulationStateError(
        f"`{provider}` received a request to an endpoint that is not simulated.\n\n"
        f"{_facts(method, path)}\n"
        f"  simulated: {', '.join(ENDPOINTS[dialect])}\n\n"
        + _fixes(*([way] if way else ()), _RECORD, _pass(provider, host))
    )


_RECORD = "replay a recorded session, which can hold any endpoint: @pytest.mark.llm_cassette"


def _facts(method: str, path: str) -> str:
    site = call_site()
    return f"  {method} {path}" + (f"   from {site}" if site else "")


def _pass(provider: str, host: str) -> str:
    name = host.partition(":")[0]
    return f'let the host answer itself: llm_sim.allow("{name}")   ({handle_text(provider)} then sees nothing)'


def _fixes(*ways: str) -> str:
    listed: Sequence[str] = [f"  {number}. {way}" for number, way in enumerate(ways, 1)]
    return "To fix, one of:\n" + "\n".join(listed)
