"""Who costs what: the offline price list, what you add to it, and the machines that cost nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from llmtest.clock import active_clock
from llmtest.costs import _snapshot
from llmtest.costs._added_prices import Added, AddedPrices, reference_of
from llmtest.costs._money import ZERO, Amount, money, optional_money
from llmtest.costs._rates import FREE, Rates, Tariff
from llmtest.costs._tiers import is_tier_of, plain_tier, tier_tariff
from llmtest.costs._unknown import model_names, unknown_price
from llmtest.costs._windows import local_window
from llmtest.errors import UnknownPriceError
from llmtest.types import Usage

__all__ = ["Prices"]

LOCAL = frozenset({"ollama", "vllm", "llamacpp", "lmstudio", "sglang", "tgi"})
"""Providers that run on one's own machine: their price is known, and it is zero."""

HOMES = {
    "aws.bedrock": "aws",
    "az.ai.inference": "azure",
    "az.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "azure_openai": "azure",
    "azure-openai": "azure",
    "bedrock": "aws",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gcp.vertex_ai": "google",
    "gemini": "google",
    "google-gla": "google",
    "google-vertex": "google",
    "grok": "x-ai",
    "mistral_ai": "mistral",
    "vertex": "google",
    "vertex_ai": "google",
    "x_ai": "x-ai",
    "xai": "x-ai",
}
"""Names of providers that the price list knows under another name; with dots, OpenTelemetry's."""

DAY_NS = 86_400_000_000_000
EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


def _day_of(at: datetime) -> int:
    """Return the UTC day of a time; one without a zone is UTC."""
    return at.toordinal() if at.tzinfo is UTC or at.tzinfo is None else at.astimezone(UTC).toordinal()


class Prices:
    """What models cost, in exact USD.

    Prices come from the list that ships with the package genai-prices: dated prices, prices of the time of day, steps
    for long prompts and cached tokens included, without any network. What you `add` comes first. A model in neither
    is unknown, and its cost is None, never zero; so is that of a call in a service tier for which no prices are
    published, and of a kind of usage that has none.

    Providers whose name is `ollama`, `vllm`, `llamacpp`, `lmstudio`, `sglang` or `tgi` run on your own machine and are
    free. A provider under a name of your own is told with `alias`. A file of your own prices is read by
    `llmtest.config.load_prices`.

    Example:
        >>> prices = Prices()
        >>> prices.add("openai:gpt-9", input_usd_per_mtok="1.25", output_usd_per_mtok="10")
        >>> prices.cost("openai", "gpt-9", Usage(1_000_000, 1_000))
        Decimal('1.26000000')
    """

    def __init__(self) -> None:
        self.simulated: str | None = None
        """Name of the table, where these are no real prices but those of a simulation (`simulated_prices`)."""
        self._added = AddedPrices()
        self._aliases: dict[str, str] = {}
        self._local: set[str] = set(LOCAL)
        self._tariffs: dict[tuple[str, str | None, int, str | None], Tariff | None] = {}

    def cost(
        self, provider: str, model: str | None, usage: Usage, at: datetime | None = None, *, tier: str | None = None
    ) -> Decimal | None:
        """Return what an attempt costs in USD; None where its price or its usage is unknown.

        Where the provider itself says what it costs (`Usage.cost_usd`), that is what it costs.

        Args:
            provider: Name of the provider.
            model: The model that served it; a dated snapshot (`gpt-4o-2024-08-06`) is found by its own name first.
            usage: Its tokens, cached and reasoning tokens included in the totals.
            at: When; default: now, on the active clock. A time without a zone is UTC.
            tier: Service tier that served it (`flex`, `priority`, `batch`); default: the standard one.
        """
        if usage.cost_usd is not None:
            return usage.cost_usd
        # Every simulated call asks two or three times, on the day of its clock.
        day = active_clock().time_ns() // DAY_NS + EPOCH_ORDINAL if at is None else _day_of(at)
        try:
            tariff = self._tariffs[provider, model, day, tier]
        except KeyError:
            tariff = self._resolve(provider, model, day, at, tier)
        if tariff is None:
            return None
        if tariff.free:
            return ZERO
        if usage.source == "unknown":
            return None
        return tariff.cost(usage)

    def upper_bound(
        self,
        provider: str,
        model: str | None,
        input_tokens: int,
        output_tokens: int,
        at: datetime | None = None,
        *,
        tier: str | None = None,
        for_an_hour: bool = False,
        media: bool = False,
    ) -> Decimal | None:
        """Return the most that a call of this size can cost in USD; None where its price is unknown.

        It is dearer than `cost` where the provider asks more for writing to its cache than for a plain token.

        Args:
            provider: Name of the provider.
            model: The model that will serve it.
            input_tokens: Prompt tokens.
            output_tokens: Most tokens of the answer.
            at: When; default: now, on the active clock.
            tier: Service tier that is asked for; default: the standard one.
            for_an_hour: Whether the call asks the provider's cache to keep something for an hour.
            media: Whether some of the tokens may be of sound or of pictures.
        """
        tariff = self._tariff(provider, model, at, tier)
        if tariff is None:
            return None
        return tariff.upper_bound(input_tokens, output_tokens, for_an_hour=for_an_hour, media=media)

    def rates(
        self, provider: str, model: str | None, at: datetime | None = None, *, tier: str | None = None
    ) -> Rates | None:
        """Return the prices per million tokens (of a short prompt, where there are steps); None = unknown."""
        tariff = self._tariff(provider, model, at, tier)
        return None if tariff is None else tariff.rates

    def is_known(
        self, provider: str, model: str | None, at: datetime | None = None, *, tier: str | None = None
    ) -> bool:
        """Whether the price of a model is known; a free model's is."""
        return self._tariff(provider, model, at, tier) is not None

    def is_free(self, provider: str, model: str | None, at: datetime | None = None) -> bool:
        """Whether a model is known to cost nothing."""
        tariff = self._tariff(provider, model, at, None)
        return tariff is not None and tariff.free

    def has_tier(self, provider: str, tier: str) -> bool:
        """Whether a provider has a service tier of this name, beside the standard one, whatever it costs.

        A request to a provider without it is asked without it.
        """
        name, home = plain_tier(tier), self._home(provider)
        added = any(each == name and self._home(who) == home for who, each in self._added.tiers())
        return name is not None and (added or is_tier_of(home, name))

    def require(
        self,
        provider: str,
        model: str | None,
        usage: Usage | None = None,
        at: datetime | None = None,
        *,
        tier: str | None = None,
    ) -> Decimal:
        """Return what an attempt costs in USD, and raise where that is unknown.

        Args:
            provider: Name of the provider.
            model: The model that served it.
            usage: Its tokens; default: none, which only asks whether the price is known.
            at: When; default: now, on the active clock.
            tier: Service tier that served it; default: the standard one.

        Raises:
            UnknownPriceError: No price is known, or the usage is not.
        """
        cost = self.cost(provider, model, Usage() if usage is None else usage, at, tier=tier)
        if cost is None:
            raise self.unknown(provider, model, usage, at, tier=tier)
        return cost

    def unknown(
        self,
        provider: str,
        model: str | None,
        usage: Usage | None = None,
        at: datetime | None = None,
        *,
        tier: str | None = None,
    ) -> UnknownPriceError:
        """Return the error that says that a price is unknown, and how to add it."""
        return unknown_price(self, provider, model, usage, _moment(at), tier, self._home(provider))

    def add(  # noqa: PLR0913 - one argument for each kind of price
        self,
        model: str,
        *,
        input_usd_per_mtok: Amount,
        output_usd_per_mtok: Amount,
        cache_read_usd_per_mtok: Amount | None = None,
        cache_write_usd_per_mtok: Amount | None = None,
        reasoning_usd_per_mtok: Amount | None = None,
        cache_write_1h_usd_per_mtok: Amount | None = None,
        input_audio_usd_per_mtok: Amount | None = None,
        output_audio_usd_per_mtok: Amount | None = None,
        input_image_usd_per_mtok: Amount | None = None,
        output_image_usd_per_mtok: Amount | None = None,
        usd_per_tool_use: Mapping[str, Amount] | None = None,
        usd_per_request: Amount = 0,
        since: date | None = None,
        context_window: int | None = None,
        tier: str | None = None,
    ) -> None:
        """Add a price, or replace one.

        Args:
            model: `"provider:model"`, such as `"openai:gpt-9"`. `*` stands for any text: `"openai:*"` is everything
                of a provider, whatever the list says, `"openai:gpt-9*"` a family. A full name that was added comes
                first, then the pattern that says most of the name.
            input_usd_per_mtok: USD per million prompt tokens; `"0"` for a free model.
            output_usd_per_mtok: USD per million tokens of the answer.
            cache_read_usd_per_mtok: Of prompt tokens read from the provider's cache; default: as other input.
            cache_write_usd_per_mtok: Of prompt tokens written to it; default: as other input.
            reasoning_usd_per_mtok: Of reasoning tokens; default: as other output.
            cache_write_1h_usd_per_mtok: Of prompt tokens written to its cache for an hour; default: unknown where
                `cache_write_usd_per_mtok` is set, else as other input.
            input_audio_usd_per_mtok: Of prompt tokens that are sound; default: unknown.
            output_audio_usd_per_mtok: Of tokens of the answer that are sound; default: unknown.
            input_image_usd_per_mtok: Of prompt tokens of pictures; default: as other input.
            output_image_usd_per_mtok: Of tokens of the answer that are pictures; default: as other output.
            usd_per_tool_use: For each use of a tool that runs at the provider, by its name: `{"web_search": "0.01"}`;
                default: unknown.
            usd_per_request: For each request.
            since: First UTC day it holds; default: always. Before the first day of all, the list's price holds.
            context_window: Tokens that prompt and answer may hold together.
            tier: Service tier the prices are for (`flex`, `priority`); default: the standard one. A model with a
                price of yours has no other tiers than those you add.

        Raises:
            ConfigurationError: A malformed reference, or an amount that is negative or not finite.
        """
        provider, name = reference_of(model)
        rates = Rates(
            money(input_usd_per_mtok, "input_usd_per_mtok"),
            money(output_usd_per_mtok, "output_usd_per_mtok"),
            optional_money(cache_read_usd_per_mtok, "cache_read_usd_per_mtok"),
            optional_money(cache_write_usd_per_mtok, "cache_write_usd_per_mtok"),
            optional_money(reasoning_usd_per_mtok, "reasoning_usd_per_mtok"),
            money(usd_per_request, "usd_per_request"),
            optional_money(cache_write_1h_usd_per_mtok, "cache_write_1h_usd_per_mtok"),
            optional_money(input_audio_usd_per_mtok, "input_audio_usd_per_mtok"),
            optional_money(output_audio_usd_per_mtok, "output_audio_usd_per_mtok"),
            tuple((tool, money(each, "usd_per_tool_use")) for tool, each in (usd_per_tool_use or {}).items()),
            optional_money(input_image_usd_per_mtok, "input_image_usd_per_mtok"),
            optional_money(output_image_usd_per_mtok, "output_image_usd_per_mtok"),
        )
        tariff = Tariff((-1, rates))
        added = self._added.at(provider, name, plain_tier(tier))
        added.put(0 if since is None else since.toordinal(), tariff)
        added.window = context_window or added.window
        self._tariffs.clear()

    def copy(self) -> Prices:
        """Return a list that knows the same; what is added to one of them later, the other does not know."""
        twin = Prices()
        twin.simulated = self.simulated
        twin._added = self._added.copy()
        twin._aliases, twin._local = dict(self._aliases), set(self._local)
        return twin

    def alias(self, provider: str, of: str) -> None:
        """Let a provider of your own name have another's prices: `alias("openai-eu", of="openai")`."""
        self._aliases[provider.lower()] = of.lower()
        self._tariffs.clear()

    def add_free(self, provider: str) -> None:
        """Let every model of a provider cost nothing, because it runs on your own machine."""
        self._local.add(provider.lower())
        self._tariffs.clear()

    def context_window(self, provider: str, model: str | None) -> int | None:
        """Return how many tokens prompt and answer may hold together; None = unknown."""
        if model is None:
            return None
        names = model_names(model)
        windows = (added.window for added in self._find_added(provider, names, None))
        listed = (_snapshot.listed_window(self._home(provider), name) for name in names)
        for window in (*windows, *listed):
            if window is not None:
                return window
        return local_window(model.lower()) if provider.lower() in self._local else None

    def _home(self, provider: str) -> str:
        name = provider.lower()
        name = self._aliases.get(name, name)
        home = HOMES.get(name, name)
        # A provider without a name of its own is called by its host, which the price list may know.
        return (_snapshot.home_of_host(home) or home) if "." in home else home

    def _names(self, provider: str) -> tuple[str, ...]:
        name = provider.lower()
        return (name, self._aliases[name]) if name in self._aliases else (name,)

    def _find_added(self, provider: str, models: list[str], tier: str | None) -> list[Added]:
        """Return what was added for a model: under one of its names, then under patterns, the narrowest first."""
        names, added = self._names(provider), self._added
        named = [found for each in models if (found := added.named(names, each, tier)) is not None]
        return [*named, *(found for each in models for found in added.fitting(names, each, tier))]

    def _tariff(self, provider: str, model: str | None, at: datetime | None, tier: str | None) -> Tariff | None:
        day = active_clock().time_ns() // DAY_NS + EPOCH_ORDINAL if at is None else _day_of(at)
        try:
            return self._tariffs[provider, model, day, tier]
        except KeyError:
            return self._resolve(provider, model, day, at, tier)

    def _resolve(
        self, provider: str, model: str | None, day: int, at: datetime | None, tier: str | None
    ) -> Tariff | None:
        """Find a tariff, and remember it for the day unless it changes within the day."""
        tariff, whole_day = self._search(provider, model, day, at, plain_tier(tier))
        if whole_day:
            self._tariffs[provider, model, day, tier] = tariff
        return tariff

    def _search(
        self, provider: str, model: str | None, day: int, at: datetime | None, tier: str | None
    ) -> tuple[Tariff | None, bool]:
        names = model_names(model or "")
        for added in self._find_added(provider, names, tier):
            if (tariff := added.on(day)) is not None:
                return tariff, True
        is_own = tier is not None and bool(self._find_added(provider, names, None))
        name = provider.lower()
        if name in self._local or self._aliases.get(name) in self._local:
            return FREE, True
        moment = _moment(at)
        whole_day = True
        for name in names:
            tariff, steady = _snapshot.listed_tariff(self._home(provider), name, moment)
            whole_day = whole_day and steady
            if tariff is None:
                continue
            if tier is None:
                return tariff, whole_day
            if not is_own and (served := tier_tariff(self._home(provider), name, tier, tariff)) is not None:
                return served, whole_day
        return None, whole_day


def _now_ns() -> int:
    return active_clock().time_ns()


def _moment(at: datetime | None) -> datetime:
    if at is None:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=_now_ns() // 1000)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
