"""Configuration files of other systems, read as chain files: what they call by another name, and what has no place yet.

Caxton writes everything below `llm:`, with times in `_seconds` and `_ms`; VAPORA writes `[[providers]]` whose `name` is
the provider. What is here under another name is put under ours; what is not here is told of, and the rest holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from llmtest.config._nearest import did_you_mean, known
from llmtest.wire import dialects

__all__ = ["agents_of", "demands_of", "house_chain", "house_slot", "notes_of"]

Put = Callable[[dict[str, Any], Any], None]


def _into(*path: str, unit: str = "") -> Put:
    """Return what puts a value where we have it."""

    def put(found: dict[str, Any], value: Any) -> None:
        place = found
        for key in path[:-1]:
            inner = place.get(key)
            place[key] = place = dict(inner) if isinstance(inner, Mapping) else {}
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        place.setdefault(path[-1], f"{value}{unit}" if unit and is_number else value)

    return put


SLOT_WORDS: Mapping[str, Put] = {
    "endpoint": _into("base_url"),
    "deployment_name": _into("deployment"),
    "timeout_ms": _into("timeouts", "total", unit="ms"),
    "timeout_seconds": _into("timeouts", "total", unit="s"),
    "read_timeout_seconds": _into("timeouts", "read", unit="s"),
    "connect_timeout_seconds": _into("timeouts", "connect", unit="s"),
    "retry_attempts": _into("retry", "max_retries"),
    "retry_delay_ms": _into("retry", "base_delay", unit="ms"),
    "system_context_limit": _into("context_window"),
    "provider_config": _into("custom"),
}
"""Words of other systems for what a slot has."""

RETRY_WORDS: Mapping[str, Put] = {
    "max_attempts": _into("max_attempts"),
    "initial_delay_ms": _into("base_delay", unit="ms"),
    "max_delay_ms": _into("max_delay", unit="ms"),
    "backoff_multiplier": _into("multiplier"),
}

NEEDLESS: Mapping[str, str] = {
    "gpu_acceleration": "the server of the model decides about it",
    "tensor_parallel_size": "the server of the model decides about it",
    "auto_upgrade": "a model is never upgraded",
}
"""Keys of a slot that say nothing to a client."""

UNREAD: Mapping[str, str] = {
    "security": "nothing is filtered, redacted or logged",
    "compliance": "nothing is checked",
}
"""Sections of a file that are kept for whoever runs the chain, and what happens here instead."""
DEMANDS: Mapping[str, Mapping[str, type]] = {
    "security": {"content_filtering": bool, "pii_redaction": bool, "audit_logging": bool},
    "compliance": {"data_residency": str, "encryption_at_rest": bool, "network_isolation": bool},
}
"""What may be in them."""

MONITORING = {"metrics_enabled", "cost_tracking", "budget_limit_usd", "alerts"}
BACKEND_WORDS = ("cache_backend", "backend")
ELSEWHERE = "redis"
"""A place for answers that is none of ours."""
CACHE_FILE = "llm-cache.db"
CHAIN_WORDS = {
    "name",
    "retry",
    "circuit_breaker",
    "timeouts",
    "budget",
    "ledger",
    "cache",
    "on_all_open",
    "order",
    "max_attempts",
    "trigger",
    "prompt_retry",
    "hedging",
    "context",
    "strategy",
    "fallback_strategy",
    "streaming",
    "rate_limit",
    "routing",
    "shared",
    "health",
}
"""Keys below `llm:` that mean the same in a chain file."""


def house_slot(slot: Any) -> Any:
    """Return a slot with our words for what other systems call by theirs; anything else as it is."""
    if not isinstance(slot, Mapping):
        return slot
    found = {key: value for key, value in slot.items() if key not in SLOT_WORDS and key not in NEEDLESS}
    for word, put in SLOT_WORDS.items():
        if word in slot:
            put(found, slot[word])
    if "model_version" in found:
        found["model"] = found.pop("model_version")
    if "provider" not in found and "chain" in found:
        found["provider"] = "chain"
    elif "provider" not in found and isinstance(found.get("name"), str):
        found["provider"] = found.pop("name")
    if isinstance(found.get("provider"), str):
        found["provider"] = _provider_name(found["provider"])
    return found


def _provider_name(name: str) -> str:
    """Return the name of a provider that files may call by another one, such as its models' family."""
    return next((each.name for each in dialects().values() if name in each.aliases), name)


def agents_of(data: Any) -> dict[str, int]:
    """Return the agents of a file that have a model of their own, by name, and where they stand."""
    agents = data.get("agents") if isinstance(data, Mapping) else None
    if not isinstance(agents, list):
        return {}
    return {
        str(agent["name"]): index
        for index, agent in enumerate(agents)
        if isinstance(agent, Mapping) and "name" in agent and isinstance(agent.get("llm"), Mapping)
    }


def demands_of(section: Mapping[str, Any], at: str) -> dict[str, dict[str, Any]]:
    """Return what a file demands of where the chain runs: its `security` and its `compliance`, checked.

    Raises:
        ValueError: A key in them is unknown, or its value is of another kind.
    """
    found = {}
    for name, known_keys in DEMANDS.items():
        if section.get(name) is None:
            continue
        demands = section[name] if isinstance(section[name], Mapping) else None
        if demands is None:
            raise ValueError(f"`{at}.{name}` must be a mapping, such as `{{{next(iter(known_keys))}: ...}}`")
        for key, value in demands.items():
            if key not in known_keys:
                raise ValueError(
                    f"unknown key `{key}` in `{at}.{name}`.{did_you_mean(key, known_keys)}"
                    f"{known('keys', sorted(known_keys))}"
                )
            if type(value) is not known_keys[key]:
                kind = "true or false" if known_keys[key] is bool else "text"
                raise ValueError(f"`{at}.{name}.{key}` is {kind}, got {value!r}")
        found[name] = dict(demands)
    return found


def notes_of(section: Mapping[str, Any], at: str) -> list[str]:
    """Return what a file says and nothing here stands for, one sentence each."""
    notes = [f"`{at}.{key}` is not read: {UNREAD[key]}" for key in section if key in UNREAD]
    slots = section.get("providers")
    for place, slot in enumerate(slots) if isinstance(slots, list) else [(None, section)]:
        where = at if place is None else f"{at}.providers[{place}]"
        if isinstance(slot, Mapping):
            notes += [f"`{where}.{key}` is not read: {why}" for key, why in NEEDLESS.items() if slot.get(key)]
    caching = section.get("caching")
    if isinstance(caching, Mapping) and section.get("shared") is None:
        notes += [
            f"`{at}.caching.{key}: {ELSEWHERE}` is read as `memory`: each process keeps its own answers"
            for key in BACKEND_WORDS
            if caching.get(key) == ELSEWHERE
        ]
    monitoring = section.get("monitoring")
    if isinstance(monitoring, Mapping) and "budget_limit_usd" in monitoring:
        notes.append(
            f"`{at}.monitoring.budget_limit_usd` is read as `budget.max_cost_per_month`, and refuses calls beyond it"
        )
    streaming = section.get("streaming")
    if isinstance(streaming, Mapping) and streaming.get("enabled") is False:
        notes.append(f"`{at}.streaming.enabled` is not read: a stream is asked for by whoever calls `stream`")
    return notes


def _house_cache(caching: Any, *, shares: bool) -> Any:
    """Return Caxton's `caching` in our words; a file that has no name gets one.

    Args:
        caching: The section.
        shares: Whether the file says where Redis is; then answers are kept there.
    """
    if not isinstance(caching, Mapping):
        return caching
    found = dict(caching)
    for key in BACKEND_WORDS:
        if found.get(key) == ELSEWHERE:
            del found[key]
            if not shares:
                found[key] = "memory"
    if "disk" in [found.get(key) for key in BACKEND_WORDS]:
        found.setdefault("path", CACHE_FILE)
    return found


def _add_health(found: dict[str, Any], checks: Any, monitoring: Any) -> None:
    """Put Caxton's `health_check`, and the alerts of its `monitoring`, where we have them.

    Raises:
        ValueError: It is said by our name as well.
    """
    if checks is not None:
        if "health" in found:
            raise ValueError("`llm` takes `health` or `health_check`, not both")
        found["health"] = checks
    if isinstance(monitoring, Mapping) and "alerts" in monitoring:
        # Who asks nobody is still told of what the calls tell.
        health = found.get("health", {"active": False})
        if not isinstance(health, Mapping) or "alerts" in health:
            raise ValueError("`monitoring.alerts` is read as `health.alerts`, and `health` leaves no place for it")
        found["health"] = {**health, "alerts": monitoring["alerts"]}


def house_chain(section: Mapping[str, Any]) -> dict[str, Any]:
    """Return a section of Caxton's (`llm:`) as the mapping of a chain file.

    Raises:
        ValueError: A key in it is known to neither.
    """
    found = {key: value for key, value in section.items() if key in CHAIN_WORDS}
    rest = {key: value for key, value in section.items() if key not in CHAIN_WORDS}
    for key in UNREAD:
        rest.pop(key, None)
    policy = rest.pop("retry_policy", None)
    if isinstance(policy, Mapping):
        retry: dict[str, Any] = {}
        for key, value in policy.items():
            if key in RETRY_WORDS:
                RETRY_WORDS[key](retry, value)
            else:
                retry[key] = value
        found["retry"] = retry
    caching = rest.pop("caching", None)
    if caching is not None:
        found["cache"] = _house_cache(caching, shares=found.get("shared") is not None)
    monitoring = rest.pop("monitoring", None)
    if isinstance(monitoring, Mapping):
        for key in monitoring:
            if key not in MONITORING:
                raise ValueError(
                    f"unknown key `{key}` in `llm.monitoring`.{did_you_mean(key, MONITORING)}"
                    f"{known('keys', sorted(MONITORING))}"
                )
        if "budget_limit_usd" in monitoring:
            _into("budget", "max_cost_per_month")(found, monitoring["budget_limit_usd"])
    _add_health(found, rest.pop("health_check", None), monitoring)
    slots = rest.pop("providers", None)
    if slots is None:
        name = found.pop("name", None)
        own = {key: found.pop(key) for key in ("trigger", "timeouts") if key in found}
        slots = [{**({} if name is None else {"name": name}), **own, **rest}]
        rest = {}
    return {**found, **rest, "providers": slots}
