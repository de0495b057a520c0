"""What only one dialect has a word for, kept by the dialect's name so that it is never sent to another."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from llmtest.errors import ConfigurationError

__all__ = ["ExtraByDialect"]

_NOTHING: Mapping[str, Any] = MappingProxyType({})

_OBJECT_FIELDS = frozenset(
    {"audio", "cache_control", "container", "context_management", "function_call", "generationConfig", "logit_bias"}
    | {"metadata", "moderation", "options", "output_config", "prediction", "provider", "reasoning", "response_format"}
    | {"safetySettings", "stream_options", "text", "thinking", "tool_choice", "usage", "web_search_options"}
)
"""Fields of request bodies whose value is an object: no dialect is called so."""


class ExtraByDialect:
    """A record with `extra`: `{dialect: {field: value}}`, fields that no other member of it says.

    A field reaches the wire of its own dialect, verbatim, and no other.
    """

    __slots__ = ()

    extra: Mapping[str, Mapping[str, Any]]

    def __post_init__(self) -> None:
        if self.extra:
            self._check_extra()

    def extra_for(self, dialect: str) -> Mapping[str, Any]:
        """Return the fields of one dialect, empty where it has none.

        Args:
            dialect: Name of the dialect, such as `openai` or `anthropic`.
        """
        return self.extra.get(dialect, _NOTHING)

    def _check_extra(self) -> None:
        """Refuse the flat form, which does not say whose the fields are."""
        for name, fields in self.extra.items():
            given: object = fields
            if name not in _OBJECT_FIELDS and isinstance(given, Mapping):
                continue
            kind = type(self).__name__
            # Where dialects are told apart at all, all that is given is meant for the same one.
            flat = {key: value for key, value in self.extra.items() if not _is_own(self, key, value)}
            own = [f"{key}={value!r}" for key, value in self.extra.items() if key not in flat]
            steps = [f"  {kind}(..., {', '.join(own)})"] if own else []
            if flat:
                steps.append(f'  {kind}(..., extra={{"openai": {flat!r}}})   # or the dialect whose fields they are')
            raise ConfigurationError(
                f"{kind}: `extra` is kept by dialect, {{dialect: {{field: value}}}}, so that no field of one API "
                f"is sent to another; `{name}` is a field, not a dialect: {fields!r}\n\nTo fix:\n" + "\n".join(steps)
            )


def _is_own(record: ExtraByDialect, name: str, value: object) -> bool:
    """Whether a field that was given as an extra is an argument of its own, and can be written as it is."""
    return name in record.__slots__ and isinstance(value, str | int | float)
