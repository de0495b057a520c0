"""Test and simulate LLM applications: pytest loads this package in every run, so names are imported on first use."""

from importlib import import_module

_HOMES: dict[str, str] = {
    name: home
    for home, names in {
        "llmtest.clock": ("SystemClock", "VirtualClock"),
        "llmtest.costs": ("Budget", "BudgetConfig", "CostLedger", "CostManagementPolicy", "Prices"),
        "llmtest.events": ("Trace",),
        "llmtest.providers": (
            "AnthropicProvider",
            "OllamaProvider",
            "OpenAICompatibleProvider",
            "OpenAIProvider",
            "OpenRouterProvider",
            "VLLMProvider",
        ),
        "llmtest.resilience": (
            "AsyncLLMClient",
            "CircuitBreakerConfig",
            "FallbackChain",
            "FallbackCondition",
            "FallbackSlot",
            "FallbackTrigger",
            "LLMClient",
            "RetryBudget",
            "RetryConfig",
            "TimeoutConfig",
        ),
        "llmtest.simulation": ("Gamma", "Lognormal", "Reply", "Uniform"),
        "llmtest.testing": ("AsyncSimulationTestCase", "Simulation", "SimulationTestCase", "unordered"),
        "llmtest.types": (
            "Attempt",
            "ChatMessage",
            "CompletionRequest",
            "CompletionResponse",
            "FinishReason",
            "Provider",
            "StreamEvent",
            "Timeouts",
            "ToolCall",
            "ToolDefinition",
            "ToolResult",
            "Usage",
        ),
    }.items()
    for name in names
}

__all__ = sorted([*_HOMES, "errors", "faults"])  # noqa: PLE0605 - sorted, and tested to be complete


def __getattr__(name: str) -> object:
    if name == "errors":
        return import_module("llmtest.errors")
    if name == "faults":
        return import_module("llmtest.simulation.faults")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return __all__
