"""Context around the calls of one provider."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from llmtest.errors import ConfigurationError
from llmtest.resilience._chain import FallbackChain
from llmtest.resilience._own_provider import as_provider
from llmtest.resilience.assembly._assembler import Assembly, ContextAssembler
from llmtest.resilience.pipeline._pipeline import Pipeline

if TYPE_CHECKING:
    from llmtest.resilience.pipeline._layers import AskCall, Result
    from llmtest.resilience.pipeline._running_call import RunningCall
    from llmtest.resilience.pipeline._running_slot import RunningSlot
    from llmtest.types import Provider

__all__ = ["AssembledProvider"]


class AssembledProvider(FallbackChain):
    """A provider whose requests get their context before they are sent; it has no other policy.

    In a chain each provider has its own, so that who is asked next gets what fits there: a request whose required part
    does not fit goes on to the next one. Variables of the template are the request's `metadata`.

    Args:
        provider: Who answers.
        assembler: What puts context into requests.
        name: What errors and events call it, and whose `provider_optimization` holds; by default the provider's.

    Raises:
        ConfigurationError: It is no provider, or no assembler.

    Example:
        >>> from llmtest import OpenAIProvider
        >>> AssembledProvider(OpenAIProvider("k", model="gpt-4o"), ContextAssembler(max_context_tokens=4000)).name
        'openai'
    """

    def __init__(self, provider: Provider, assembler: ContextAssembler, *, name: str | None = None) -> None:
        if not isinstance(assembler, ContextAssembler):
            raise ConfigurationError(
                f"an `AssembledProvider` takes a `ContextAssembler`, not {assembler!r:.80}.\n\n"
                "To fix: AssembledProvider(provider, ContextAssembler())"
            )
        whole = as_provider(provider)
        self.assembler = assembler
        layer = AssemblyLayer(assembler, name or whole.name)
        super().__init__(
            [whole],
            name=name or whole.name,
            retry=None,
            circuit_breaker=None,
            timeouts=None,
            refused_key_interval=0,
            pipeline=Pipeline(call_layers=(layer,)),
        )
        layer.places = self.places
        self.model = whole.model


class AssemblyLayer:
    """Puts the context into a request before it is asked.

    Args:
        assembler: What puts it there.
        provider: Whose `provider_optimization` holds.
    """

    places: Sequence[RunningSlot] = ()
    """Who is asked; set once the chain is made."""

    def __init__(self, assembler: ContextAssembler, provider: str) -> None:
        self._assembler = assembler
        self._provider = provider

    def around(self, further: AskCall) -> AskCall:
        """Put it around what answers calls."""

        async def ask(call: RunningCall) -> Result:
            window = self.places[0].window(call.request.model, call.prices)
            ask_for = Assembly(call.request, self._provider, window, call_id=call.id)
            assembled = await self._assembler.assemble_in(ask_for, is_async=call.parts.is_async)
            call.request = assembled.request
            return await further(call)

        return ask
