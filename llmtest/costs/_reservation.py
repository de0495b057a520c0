"""One call's share of a budget, from the moment it is set aside to the moment it is charged or given back."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from types import TracebackType
from typing import TYPE_CHECKING, Self

from llmtest.costs._store import Hold
from llmtest.types import Usage, UsageSource
from llmtest.types._quick_init import quick_init

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmtest.costs._budget import Budget
    from llmtest.costs._estimate import Estimate
    from llmtest.events import LogicalCall

__all__ = ["Charge", "Reservation"]


@quick_init
@dataclass(frozen=True, slots=True)
class Charge:
    """What a budget charged for one call.

    `source` says how well it is known: `exact`, `estimated` (from estimated tokens), or `unknown`, where the upper
    bound that had been reserved was charged instead.
    """

    tokens: int
    usd: Decimal
    source: UsageSource


class Reservation:
    """An amount set aside for one call; end it with `settle` or `release`.

    As a context manager it releases on exit what was not settled, so that no error, cancellation or abandoned stream
    leaves anything reserved. Releasing twice, or after settling, does nothing; settling twice is an error.
    """

    __slots__ = ("_budget", "_call", "_estimate", "_hold", "_whose", "purpose")

    def __init__(
        self,
        budget: Budget,
        hold: Hold,
        estimate: Estimate,
        purpose: str,
        call: LogicalCall | None,
        whose: tuple[str | None, str | None],
    ) -> None:
        self._budget = budget
        self._hold = hold
        self._estimate = estimate
        self._call = call
        self._whose = whose
        self.purpose = purpose

    @property
    def provider(self) -> str | None:
        """Who is going to be asked."""
        return self._estimate.provider

    @property
    def model(self) -> str | None:
        """The model that is going to be asked."""
        return self._estimate.model

    @property
    def service_tier(self) -> str | None:
        """Service tier that is asked for; None: the standard one."""
        return self._estimate.service_tier

    @property
    def metadata(self) -> Mapping[str, str]:
        """The caller's own labels of the request, for the ledger."""
        return self._estimate.metadata

    @property
    def tokens(self) -> int:
        """Tokens that were set aside."""
        return self._hold.tokens

    @property
    def usd(self) -> Decimal:
        """USD that were set aside."""
        return self._hold.usd

    @property
    def is_open(self) -> bool:
        """Whether it is still set aside."""
        return self._hold.is_open

    def settle(
        self,
        usage: Usage | None = None,
        *,
        cost_usd: Decimal | None = None,
        provider: str | None = None,
        model: str | None = None,
        service_tier: str | None = None,
    ) -> Charge:
        """Charge what the call really used, and give the rest back.

        Usage of zero is charged as zero. Usage that nobody knows (None, or `source="unknown"`) is charged as it was
        reserved, because the provider may have billed it; so is a price that nobody knows.

        Args:
            usage: Tokens the provider counted, or an estimate of them (`source="estimated"`).
            cost_usd: The price; default: looked up for the model that served.
            provider: Who served it; default: who was reserved for.
            model: The model that served it; default: the one that was reserved for.
            service_tier: The tier that served it (`default` is the standard one); default: the one that was asked for.

        Raises:
            RuntimeError: It was settled or released before; nothing is charged.
        """
        asked, call = self._estimate, self._call
        task, tenant = self._whose
        return self._budget._settle(  # noqa: SLF001 - a reservation is a budget's other half
            self._hold,
            usage,
            cost_usd,
            provider or asked.provider,
            model or asked.model,
            self.purpose,
            0 if call is None else call.id,
            service_tier or asked.service_tier,
            asked.metadata,
            (asked.model, None if call is None else call.label, task, tenant),
        )

    def release(self) -> bool:
        """Give everything back; return False where nothing was set aside any more."""
        return self._budget._release(self._hold)  # noqa: SLF001 - a reservation is a budget's other half

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Release what was not settled."""
        if self._hold.is_open:
            self.release()
