"""A provider whose API is described by a mapping."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Self, Unpack

from llmtest.errors import ConfigurationError
from llmtest.providers._defaults import DEFAULT_TIMEOUTS, Defaults
from llmtest.providers._http_provider import HttpProvider
from llmtest.providers._tokens import ClientCredentials, TokenSource
from llmtest.types import Timeouts
from llmtest.wire import CustomFields, custom_dialect

__all__ = ["CustomProvider"]

AUTH_TYPES = ("bearer", "api_key", "oauth2", "none")
DEFAULT_URL = "http://localhost:8000"
TOKEN_KEYS = ("token_url", "client_id", "client_secret", "scope", "audience")


class CustomProvider(HttpProvider):
    """An API that speaks like no other: a mapping says which field holds what.

    By default `POST {base_url}/v1/complete` with `{"model", "prompt"}`, whose answer is in `result`.

    Args:
        base_url: Where it is.
        api_key: The key, or a `TokenSource`; None sends none.
        model: Model to ask for where a request names none.
        name: What errors, traces and prices call it.
        fields: Which field holds what: `CustomFields`, or its arguments in a mapping; paths are dotted.
        auth_type: How the key is sent: `bearer` (`authorization: Bearer`), `api_key` (in `api_key_header`), `oauth2` (a
            token that `oauth2` gets, as a bearer), `none`.
        api_key_header: The header of `api_key`.
        oauth2: Arguments of `ClientCredentials`, for `oauth2`.
        http_client: A client of `httpx` or `httpx2`, blocking or asynchronous, to send with.
        timeouts: Limits where a call brings none.
        headers: Further headers of every request.
        credential: Label of the key in attempts and metrics; default: a short hash.
        defaults: `max_tokens` and `temperature` where a request does not say; `context_window`, `price` of the model.

    Raises:
        ConfigurationError: An unknown field or way to send a key, or `oauth2` without what it needs.

    Example:
        >>> corp = CustomProvider(
        ...     "https://api.example.com/llm",
        ...     api_key="k",
        ...     model="custom-model-v1",
        ...     fields={"path": "", "prompt_field": "input_text", "response_field": "generated_text"},
        ... )
        >>> corp.name
        'custom'
    """

    def __init__(
        self,
        base_url: str = DEFAULT_URL,
        *,
        api_key: str | TokenSource | None = None,
        model: str | None = None,
        name: str = "custom",
        fields: CustomFields | Mapping[str, Any] | None = None,
        auth_type: str = "bearer",
        api_key_header: str = "x-api-key",
        oauth2: Mapping[str, str] | None = None,
        http_client: Any = None,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        headers: Mapping[str, str] | None = None,
        credential: str | None = None,
        **defaults: Unpack[Defaults],
    ) -> None:
        if auth_type not in AUTH_TYPES:
            raise ConfigurationError(f"auth_type is one of {', '.join(AUTH_TYPES)}, got `{auth_type}`")
        if auth_type == "oauth2" and not isinstance(api_key, TokenSource):
            api_key = _credentials(name, oauth2 or {})
        dialect = custom_dialect("custom", fields or {}, base_url=base_url)
        if auth_type == "api_key":
            dialect.auth = lambda key: () if key is None else ((api_key_header.lower(), key),)
        elif auth_type == "none":
            dialect.auth, dialect.needs_key = lambda _: (), False
        super().__init__(
            name=name,
            dialect=dialect,
            base_url=base_url,
            api_key=api_key,
            model=model,
            http_client=http_client,
            timeouts=timeouts,
            headers=headers,
            credential=credential,
            **defaults,
        )

    @classmethod
    def from_env(cls, prefix: str = "CUSTOM", **settings: Any) -> Self:
        """Make the provider from `{prefix}_ENDPOINT`, `{prefix}_API_KEY` and `{prefix}_MODEL`.

        Args:
            prefix: Start of the variables' names.
            settings: Arguments of the class; they go before the environment.
        """
        environment = {
            "base_url": os.environ.get(f"{prefix}_ENDPOINT"),
            "api_key": os.environ.get(f"{prefix}_API_KEY"),
            "model": os.environ.get(f"{prefix}_MODEL"),
        }
        known = {**environment, **{name: value for name, value in settings.items() if value is not None}}
        return cls(**{name: value for name, value in known.items() if value})


def _credentials(name: str, given: Mapping[str, str]) -> ClientCredentials:
    missing = [key for key in TOKEN_KEYS[:3] if not given.get(key)]
    unknown = [key for key in given if key not in TOKEN_KEYS]
    if missing or unknown:
        what = f"lacks {', '.join(f'`{key}`' for key in missing)}" if missing else f"has no `{unknown[0]}`"
        raise ConfigurationError(f"`{name}`: `oauth2` {what}. It has {', '.join(TOKEN_KEYS)}")
    return ClientCredentials(**given)
