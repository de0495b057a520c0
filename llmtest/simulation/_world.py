"""The simulated world: its providers, who answers which URL, and what went wrong with the test."""

from __future__ import annotations

import threading
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import TypeVar

from llmtest.clock import Clock
from llmtest.costs import CostLedger, Prices, default_prices
from llmtest.errors import ConfigurationError, HarnessError, UnusedStepsError
from llmtest.events import HarnessErrorRecorded, LogicalCall, TelemetryKept, Trace, current_call
from llmtest.faults import FaultRule
from llmtest.interception import is_loopback, is_pattern
from llmtest.simulation._addresses import Place, environment_places, first_places, parse_host, parse_place
from llmtest.simulation._admission import Admission
from llmtest.simulation._handle import ProviderHandle
from llmtest.simulation._origin import Origins
from llmtest.simulation._provider import SimulatedProvider
from llmtest.simulation._script_texts import unused_steps
from llmtest.simulation._unmet_conditions import unmet_conditions, unmet_defaults
from llmtest.simulation.plan._fragmentation import Fragmentation, as_fragmentation
from llmtest.simulation.script._recording import Recording
from llmtest.wire import Dialect, Match, common_dialect, dialects
from llmtest.wire import dialect as named

__all__ = ["World"]

H = TypeVar("H", bound=HarnessError)
MOST_ROUTES = 256


class World:
    """Simulated providers that share a clock, a trace, a seed and an account.

    Args:
        clock: Time of the world.
        trace: Where requests, answers and faults are recorded.
        seed: Decides every random choice; any integer.
        prices: Prices to charge by; the published ones by default.
        strict: Whether unused steps are an error; read by whoever ends the world.
        keep_requests: Whether handles keep what they saw. A run of a million calls sets this to False.
        most_requests: How many of them each handle keeps, with bodies of 16 MiB at most; older ones are dropped. None:
            all of them.
        fragmentation: How streamed answers are cut into network pieces, where a handle and a reply do not say:
            `events`, `whole`, `random`, or a number of bytes.

    Raises:
        ConfigurationError: There is no such fragmentation.

    Example:
        >>> from llmtest.clock import VirtualClock
        >>> world = World(VirtualClock(), Trace())
        >>> provider = world.provider("openai").replies("Paris").as_provider("gpt-4o")
    """

    def __init__(
        self,
        clock: Clock,
        trace: Trace,
        seed: int = 0,
        prices: Prices | None = None,
        strict: bool = True,
        *,
        keep_requests: bool = True,
        most_requests: int | None = None,
        fragmentation: Fragmentation = "events",
    ) -> None:
        self.clock = clock
        self.trace = trace
        self.seed = seed
        self.strict = strict
        self.fixture = "llm_sim"
        """How a test writes this world, for texts that show code."""
        self.open_recording: Callable[..., Recording] | None = None
        """Opens a recorded session for a provider; whoever knows of files sets it."""
        self.admission: Admission | None = None
        """Who may turn requests away before they are sent."""
        self.counts_replays = True
        """Whether what cassettes play beside this world is in its trace and its account."""
        self.keep_requests = keep_requests
        self.most_requests = most_requests
        self.fragmentation = as_fragmentation(fragmentation)
        self.prices = default_prices() if prices is None else prices
        self.costs = CostLedger(keep=keep_requests and most_requests is None)
        self.lock = threading.RLock()
        self.origins = Origins()
        """Whose requests nobody marked."""
        self.harness_errors: list[HarnessError] = []
        self.fault_rules: list[FaultRule] = []
        self._providers: dict[str, SimulatedProvider] = {}
        self._allowed: set[str] = set()
        self._places: list[tuple[Place, str]] = []
        self._routes: dict[tuple[str, int, str], SimulatedProvider] = {}
        """Who answered at a URL before, as long as the places stay as they are."""
        self._matches: dict[tuple[str, str, int, str, str], Match] = {}
        """What it was that was asked there."""
        self._base = (seed & (1 << 64) - 1) << 64
        self._places += ((place, name) for name, place in (*first_places(), *environment_places()))
        self._sort_places()

    def _sort_places(self) -> None:
        # The longest prefix knows best, and of equal ones the place that was named last.
        self._places = sorted(self._places, key=lambda entry: len(entry[0].prefix), reverse=True)
        self._routes.clear()
        self._matches.clear()

    def provider(self, name: str, dialect: str | None = None, base_url: str | None = None) -> ProviderHandle:
        """Return the handle of a simulated provider, made on first use.

        Args:
            name: Its name in steps, traces and costs.
            dialect: The API it speaks; by default what the name says, else OpenAI's.
            base_url: One more URL at which it is reached.

        Raises:
            ConfigurationError: An unknown dialect, one that differs from the first use, or not a base URL.
        """
        found = self.simulated(name, dialect)
        if base_url is not None:
            self.register(name, base_url)
        return found.handle

    def simulated(self, name: str, dialect: str | None = None) -> SimulatedProvider:
        """Return a simulated provider as the transports see it, made on first use.

        Raises:
            ConfigurationError: An unknown dialect, or one that differs from the first use.
        """
        with self.lock:
            found = self._providers.get(name)
            if found is None:
                found = self._providers[name] = SimulatedProvider(self, name, self._dialect_of(name, dialect))
                found.engine.rules += (rule for rule in self.fault_rules if rule.concerns(name))
            elif dialect is not None and dialect != found.dialect.name:
                raise ConfigurationError(
                    f"provider `{name}` speaks `{found.dialect.name}` already and cannot speak `{dialect}` too.\n\n"
                    "To fix: give the second one a name of its own"
                )
        return found

    @staticmethod
    def _dialect_of(name: str, dialect: str | None) -> Dialect:
        if dialect is None:
            known = dialects().get(name)
            return common_dialect() if known is None else known
        try:
            return named(dialect)
        except ConfigurationError as error:
            raise ConfigurationError(f"provider `{name}`: {error}") from None

    @property
    def handles(self) -> tuple[ProviderHandle, ...]:
        """Every provider that was used so far, in order of first use."""
        return tuple(provider.handle for provider in self._providers.values())

    @property
    def providers(self) -> tuple[SimulatedProvider, ...]:
        """The same as the transports see them."""
        return tuple(self._providers.values())

    @property
    def names(self) -> set[str]:
        """The name of every provider that was used so far or is reached at some URL."""
        with self.lock:
            return {*self._providers, *(name for _, name in self._places)}

    def register(self, name: str, base_url: str) -> None:
        """Let a provider answer at a base URL, whoever answered there before.

        Raises:
            ConfigurationError: Not an http or https URL.
        """
        place = parse_place(base_url)
        with self.lock:
            self._places = [(place, name), *(entry for entry in self._places if entry[0] != place)]
            self._sort_places()

    def route(
        self,
        scheme: str,  # noqa: ARG002 - a place is told by host and port, whatever is spoken on the way to it
        host: str,
        port: int,
        path: str,
    ) -> SimulatedProvider | None:
        """Return who answers a URL; None where nobody here does."""
        known = self._routes.get((host, port, path))
        return self._find(host, port, path) if known is None else known

    def _find(self, host: str, port: int, path: str) -> SimulatedProvider | None:
        plain = host.lower().strip("[]")
        if plain in self._allowed and not is_loopback(plain):
            return None  # A test that names the host of a provider wants it to answer itself.
        with self.lock:
            for place, name in self._places:
                if place.covers(plain, port, path):
                    provider = self._providers.get(name) or self.simulated(name)
                    if len(self._routes) < MOST_ROUTES:
                        self._routes[host, port, path] = provider
                    return provider
        return None

    def provider_at(self, host: str) -> str | None:
        """Return the name of a provider that is reached at a host, on whatever port and path."""
        plain = host.lower().strip("[]")
        with self.lock:
            return next((name for place, name in self._places if place.is_at(plain)), None)

    def allow(self, host: str) -> None:
        """Let requests to a host pass through: an exact name, or `*.example.org` for everything below it.

        The host of a simulated provider passes where it is named exactly; the provider then sees nothing of it.

        Raises:
            ConfigurationError: Not a host, such as a URL.
        """
        self._allowed.add(parse_host(host))
        self._routes.clear()

    def is_allowed(self, host: str) -> bool:
        """Tell whether requests to a host pass through."""
        host = host.lower().strip("[]")
        return host in self._allowed or any(fnmatchcase(host, allowed) for allowed in self._allowed)

    def allowed_names(self) -> list[str]:
        """Return the allowed hosts that are exact names."""
        return [host for host in self._allowed if not is_pattern(host)]

    def add_fault_rule(self, rule: FaultRule) -> FaultRule:
        """Let faults strike by rule; rules strike in the order in which they were added.

        Raises:
            ConfigurationError: A rule of that name exists; its dice would be the same.
        """
        with self.lock:
            if any(each.name == rule.name for each in self.fault_rules):
                raise ConfigurationError(f"two fault rules are named `{rule.name}`.\n\nTo fix: rename one of them")
            self.fault_rules.append(rule)
            for provider in self._providers.values():
                if rule.concerns(provider.name):
                    provider.engine.rules.append(rule)
        return rule

    def fired(self) -> dict[str, int]:
        """Return how often each fault rule fired, in the order in which they were added."""
        return {rule.name: rule.fired for rule in self.fault_rules}

    def unfired_rules(self) -> list[FaultRule]:
        """Return the fault rules that never fired: what they were to prove is not proven."""
        return [rule for rule in self.fault_rules if not rule.fired]

    def record_harness_error(self, error: H) -> H:
        """Keep an error of the test itself, so that it cannot be swallowed, and return it to be raised."""
        with self.lock:
            self.harness_errors.append(error)
            if self.most_requests is not None and len(self.harness_errors) > self.most_requests:
                # Who serves for weeks keeps the latest, as of requests.
                del self.harness_errors[0]
            call = self.current_call()
            self.trace.append(HarnessErrorRecorded(self.clock.now_ns(), 0 if call is None else call.id, error))
        return error

    def note_telemetry(self, library: str, host: str, method: str | None = None, path: str | None = None) -> None:
        """Note that a library's report about itself was kept from leaving."""
        with self.lock:
            self.trace.append(TelemetryKept(self.clock.now_ns(), 0, library, host, method, path))

    @staticmethod
    def current_call() -> LogicalCall | None:
        """Return the logical call that the running code belongs to."""
        return current_call.get()

    def unused_steps(self) -> list[UnusedStepsError]:
        """Return one error for each provider whose script still had steps to play."""
        found = []
        for provider in self._providers.values():
            unused = provider.unused_steps()
            if unused:
                name, engine = provider.name, provider.engine
                has_url = any(place_of == name for _, place_of in self._places)
                total, requests = engine.script.total, engine.received
                unmet = unmet_conditions(engine.script, engine.records)
                found.append(unused_steps(name, unused, total=total, requests=requests, has_url=has_url, unmet=unmet))
        return found

    def unmet_defaults(self) -> list[str]:
        """Return one line for each condition without steps that no request met, though its provider was asked."""
        return [
            f"`{provider.name}`: {line}"
            for provider in self._providers.values()
            for line in unmet_defaults(provider.engine.script, provider.engine.records)
        ]

    def match(self, provider: SimulatedProvider, method: str, host: str, port: int, path: str) -> Match:
        """Find what is asked of a provider at a URL: at its own address by the exact path, else by the end of it."""
        key = (provider.name, method, port, host, path)
        found = self._matches.get(key)
        if found is None:
            plain = host.lower().strip("[]")
            with self.lock:
                places = [place for place, name in self._places if name == provider.name]
            own = any(place.is_own and place.covers(plain, port, path) for place in places)
            found = provider.own_match(method, path) or provider.dialect.match(method, path, anywhere=not own)
            if len(self._matches) < MOST_ROUTES:
                self._matches[key] = found
        return found

    def forget_matches(self) -> None:
        """Look again what is asked for at a URL: a script knows one more endpoint."""
        self._matches.clear()

    def number(self, exchange: int) -> int:
        """Return the number from which the ids of an exchange are made."""
        return self._base | exchange

    def reset(self) -> None:
        """Forget scripts, faults, quotas, requests, costs and harness errors; providers and their URLs stay."""
        with self.lock:
            for provider in self._providers.values():
                provider.reset()
            self._matches.clear()
            self.origins.reset()
            self.harness_errors.clear()
            self.fault_rules.clear()
            self.costs.clear()
            self.admission = None
