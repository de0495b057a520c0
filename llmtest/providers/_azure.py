"""Azure OpenAI, whose URLs name a deployment and a version, and whose keys may be tokens that expire."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from inspect import isawaitable
from typing import Any, ClassVar, Self, Unpack

from llmtest.errors import ConfigurationError
from llmtest.providers._defaults import DEFAULT_TIMEOUTS, Defaults
from llmtest.providers._http_provider import HttpProvider
from llmtest.types import CompletionRequest, CompletionResponse, Timeouts
from llmtest.wire import Dialect, Endpoint, WireRequest
from llmtest.wire.azure import AZURE

__all__ = ["AzureOpenAIProvider"]

TokenProvider = Callable[[], "str | Awaitable[str]"]
V1 = "/v1"
VERSIONS: tuple[str, ...] = AZURE.settings["version_variables"]
EXAMPLE = AZURE.hosts[0].replace("*", "my-resource")
DEPLOYMENTS: tuple[str, ...] = AZURE.settings["deployment_variables"]


class AzureOpenAIProvider(HttpProvider):
    """Azure OpenAI: a model that is deployed in a resource of your own.

    Args:
        api_key: A key of the resource, sent as `api-key`.
        endpoint: Address of the resource, such as `https://my-resource.openai.azure.com`.
        deployment: Name of the deployment, which requests that name no model go to.
        api_version: Version of the API, such as `2024-10-21`, for URLs that name the deployment; None: the URLs of v1
            (`/openai/v1/...`), which need none.
        token_provider: Called before every request for a token of Entra ID, sent as `Authorization: Bearer`; it may
            return an awaitable. Used instead of `api_key`.
        model: The model that is deployed, such as `gpt-4o`, for prices and context windows; default: the deployment's
            name. Requests for it go to the deployment.
        name: What errors, traces and prices call it; default `azure`.
        http_client: A client of `httpx` or `httpx2`, blocking or asynchronous, to send with.
        timeouts: Limits where a call brings none; default 10 s to connect, 60 s of silence.
        headers: Further headers of every request.
        credential: Label of the key in attempts and metrics; default: a short hash.
        idempotency_header: Header that names a call, the same in all its retries; default: none is sent.
        api: `chat` (the default) or `responses`.
        base_url: The same as `endpoint`, as the other providers call it.
        defaults: `max_tokens` and `temperature` where a request does not say; `context_window`, `price` of the model.

    Raises:
        ConfigurationError: The endpoint or the deployment is missing, or there are two ways to sign or none.
    """

    dialect: ClassVar[Dialect] = AZURE

    def __init__(  # noqa: PLR0913 - what it is told, by name
        self,
        api_key: str | None = None,
        *,
        endpoint: str | None = None,
        deployment: str | None = None,
        api_version: str | None = None,
        token_provider: TokenProvider | None = None,
        model: str | None = None,
        name: str | None = None,
        http_client: Any = None,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        headers: Mapping[str, str] | None = None,
        credential: str | None = None,
        idempotency_header: str | None = None,
        api: str | None = None,
        base_url: str | None = None,
        **defaults: Unpack[Defaults],
    ) -> None:
        self.deployment = deployment or model or ""
        self.api_version = api_version
        self._token_provider = token_provider
        address = endpoint or base_url
        if not address or not self.deployment:
            what, argument, variable = (
                ("the address of its resource", f'endpoint="{EXAMPLE}"', AZURE.variables.base_urls[0])
                if not address
                else ("a deployment", 'deployment="..."', DEPLOYMENTS[0])
            )
            raise ConfigurationError(
                f"`{name or AZURE.name}` needs {what}.\nTo fix: pass `{argument}`, or export {variable}=... and use "
                "`AzureOpenAIProvider.from_env()`"
            )
        if (api_key is None) == (token_provider is None):
            raise ConfigurationError(
                f"`{name or AZURE.name}` signs with a key or with tokens, and was given "
                f"{'neither' if api_key is None else 'both'}.\nTo fix: pass either `api_key` or `token_provider`"
            )
        super().__init__(
            name=name or AZURE.name,
            dialect=AZURE,
            base_url=AZURE.variables.complete_url(address) + AZURE.root,
            api_key=api_key,
            model=model or deployment,
            http_client=http_client,
            timeouts=timeouts,
            headers=headers,
            credential=credential or (None if token_provider is None else f"{name or AZURE.name}:token"),
            idempotency_header=idempotency_header,
            api=api,
            **defaults,
        )
        self._chat = self._here(self._chat)
        self._batches = AZURE.batches if api_version is None else AZURE.settings["dated_batches"]

    @classmethod
    def from_env(cls, **settings: Any) -> Self:
        """Make the provider from the variables that the official SDK reads, and the deployment from one of ours.

        They are `AZURE_OPENAI_ENDPOINT`, `AZURE_OPENAI_API_KEY` (or `AZURE_OPENAI_AD_TOKEN`), `OPENAI_API_VERSION` (or
        `AZURE_OPENAI_API_VERSION`), and `AZURE_OPENAI_DEPLOYMENT` (or `AZURE_OPENAI_DEPLOYMENT_NAME`).

        Args:
            settings: Arguments of the class; they go before the environment.

        Raises:
            ConfigurationError: Something is missing.
        """
        given = {name: value for name, value in settings.items() if value not in (None, "")}
        found = {
            "endpoint": given.get("base_url") or _first(AZURE.variables.base_urls),
            "deployment": None if given.get("model") else _first(DEPLOYMENTS),
            "api_version": _first(VERSIONS),
        }
        if "token_provider" not in given and "api_key" not in given:
            key, token = (_first((variable,)) for variable in AZURE.variables.keys)
            if not key and not token:
                variable = AZURE.variables.keys[0]
                raise ConfigurationError(
                    f"`{given.get('name') or AZURE.name}` needs an API key, and `{variable}` is not set.\n"
                    f"To fix: export {variable}=..., or pass `api_key` or `token_provider`"
                )
            found.update({"api_key": key} if key else {"token_provider": lambda: token})
        given.pop("base_url", None)
        return cls(**{**found, **given})

    def _here(self, endpoint: Endpoint) -> Endpoint:
        """Return the endpoint of an operation in the kind of URL that is used."""
        of_v1 = self.api_version is None
        here = [each for each in self._dialect.endpoints if each.pattern.startswith(V1 + "/") is of_v1]
        return next(each for each in here if each.operation == endpoint.operation)

    def _asked_for(self, operation: str) -> Endpoint:
        return self._here(super()._asked_for(operation))

    def _addressed(self, request: CompletionRequest) -> CompletionRequest:
        """Return the request with the deployment it goes to."""
        request = super()._addressed(request)
        return request.with_model(self.deployment) if request.model == self.model else request

    def available(self) -> bool:
        """Whether it may be asked at all, without asking: it has a key, or somebody who gives it tokens."""
        return self._token_provider is not None or super().available()

    def _attributed(self, response: CompletionResponse) -> CompletionResponse:
        """Return the answer with who gave it, and the model where the answer calls it by the deployment's name."""
        model = self.model if response.model == self.deployment else response.model
        return replace(response, provider=self.name, model=model)

    async def _signed(self, wire: WireRequest) -> WireRequest:
        wire = await super()._signed(wire)
        if self.api_version is not None:
            wire = replace(wire, path=f"{wire.path.partition('?')[0]}?api-version={self.api_version}")
        if self._token_provider is None:
            return wire
        token = self._token_provider()
        token = await token if isawaitable(token) else token
        return replace(wire, headers=(*wire.headers, ("authorization", f"Bearer {token}")))


def _first(variables: tuple[str, ...]) -> str | None:
    return next((os.environ[name] for name in variables if os.environ.get(name)), None)
