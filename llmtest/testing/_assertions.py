"""The assertions of a simulation, as methods; each is a pure function over the trace in a file of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from llmtest.conduct import Verdict
from llmtest.events import Trace
from llmtest.testing._argument_checks import check_providers, require_states
from llmtest.testing._assert_attempts import check_attempts, check_max_in_flight, check_retries
from llmtest.testing._assert_breaker import check_breaker
from llmtest.testing._assert_fallback import check_fallback, check_no_fallback
from llmtest.testing._assert_reported import check_reported
from llmtest.testing._assert_resilient import check_resilient
from llmtest.testing._assert_resources import check_spend, check_waited
from llmtest.testing._assert_sequence import check_sequence
from llmtest.testing._cause import Cause
from llmtest.testing._step import Unordered, parse_steps
from llmtest.types._spelling import words_tell_near_arguments

if TYPE_CHECKING:
    from llmtest.costs import CostLedger
    from llmtest.simulation import World

__all__ = ["Assertions"]


@words_tell_near_arguments
class Assertions(ABC):
    """What can be asserted of a trace; every failure prints what was expected, what happened, and the trace."""

    trace: Trace
    spend_limit: Decimal | None = None
    """What the test may cost, in USD, where its marker says so."""

    @property
    @abstractmethod
    def costs(self) -> CostLedger:
        """What was spent."""

    @property
    @abstractmethod
    def world(self) -> World:
        """The providers and their records."""

    @property
    @abstractmethod
    def waited(self) -> float:
        """Seconds of the simulation's clock since it started."""

    def assert_sequence(self, *steps: str | Unordered, exact: bool = True) -> None:
        """Assert which attempts were made, in the order in which they began.

        Args:
            steps: `"provider:outcome"` or `"provider/model:outcome"`; the outcome is a status code, or `timeout`,
                `reset`, `refused`, `truncated`, `dropped`, `stalled`, `malformed`, `error`, `abandoned`,
                `circuit_open`, `cache_hit`. `unordered(...)` is a part whose order does not matter.
            exact: Whether these are all attempts; with False, others may come between.

        Raises:
            ConfigurationError: A step that can never be: no such provider or outcome; or none at all with
                `exact=False`, which would accept anything.

        Example:
            `llm_sim.assert_sequence("openai:429", "openai:200")`
        """
        __tracebackhide__ = True
        targets = [step.target for group in parse_steps(steps) for step in group]
        check_providers("assert_sequence", targets, self.world, self.trace)
        check_sequence(self.trace, steps, exact=exact)

    def assert_fallback(self, from_: str, to: str, because: Cause | None = None) -> None:
        """Assert that a logical call which failed on one target was answered by another.

        Args:
            from_: Provider, or `provider/model`, that failed.
            to: Provider, or `provider/model`, that answered.
            because: The last failure on `from_`: an outcome (`"429"`, `"timeout"`, `"circuit_open"`), or a fault
                class or object; any by default.

        Raises:
            AmbiguousCallError: Unmarked calls overlap; mark them with `llm_sim.call("label")`.
        """
        __tracebackhide__ = True
        check_providers("assert_fallback", (from_, to), self.world, self.trace)
        check_fallback(self.trace, from_, to, because=because)

    def assert_no_fallback(self) -> None:
        """Assert that no logical call went to a second provider or model.

        Raises:
            AmbiguousCallError: Unmarked calls overlap; mark them with `llm_sim.call("label")`.
        """
        __tracebackhide__ = True
        check_no_fallback(self.trace)

    def assert_attempts(
        self,
        provider: str,
        exactly: int | None = None,
        at_least: int | None = None,
        at_most: int | None = None,
    ) -> None:
        """Assert how many requests a provider, or one `provider/model`, received.

        Args:
            provider: Name of the provider, or `provider/model`.
            exactly: So many requests; 0 or more.
            at_least: So many or more; 0 or more.
            at_most: So many or fewer; 0 or more.

        Raises:
            ConfigurationError: There is no such provider, no bound, or no number within the bounds.
        """
        __tracebackhide__ = True
        check_providers("assert_attempts", (provider,), self.world, self.trace)
        check_attempts(self.trace, provider, exactly, at_least=at_least, at_most=at_most)

    def assert_retries(
        self, *, at_most: int | None = None, at_least: int | None = None, exactly: int | None = None
    ) -> None:
        """Assert how often a logical call was retried: requests to a provider and model that had failed in it before.

        Args:
            at_most: No call was retried more often.
            at_least: Some call was retried this often.
            exactly: Every call was retried just as often.

        Raises:
            AmbiguousCallError: Unmarked calls overlap; mark them with `llm_sim.call("label")`.
        """
        __tracebackhide__ = True
        check_retries(self.trace, exactly=exactly, at_least=at_least, at_most=at_most)

    def assert_breaker(self, provider: str, *states: str, exact: bool = True) -> None:
        """Assert the states a provider's circuit went through, from `closed` on.

        Our own layer and breakers that `watch_breaker` reads tell them. Those of other code are inferred from marked
        calls, with a request and without, where these leave one explanation.

        Args:
            provider: Whose circuit: a provider, or `provider/model` where each model has a circuit.
            states: `closed`, `open`, `half_open`.
            exact: Whether these are all states; with False, others may come between.

        Raises:
            AmbiguousCallError: The breaker is not ours, and what the calls show does not decide.
        """
        __tracebackhide__ = True
        check_providers("assert_breaker", (provider,), self.world, self.trace)
        require_states(states)
        check_breaker(self.trace, provider, states, exact=exact)

    def assert_waited(self, at_least: float | None = None, at_most: float | None = None) -> None:
        """Assert how many seconds of the simulation's clock have passed since it started.

        Args:
            at_least: Seconds; 0 or more.
            at_most: Seconds; 0 or more.

        Raises:
            ConfigurationError: No bound, one that is no time, or two with nothing between them.
        """
        __tracebackhide__ = True
        check_waited(self.trace, self.waited, at_least=at_least, at_most=at_most)

    def assert_max_in_flight(self, provider: str, n: int) -> None:
        """Assert that a provider never had more than `n` requests under way at once.

        Args:
            provider: Name of the provider, or `provider/model`.
            n: How many at most; 0 or more.

        Raises:
            ConfigurationError: There is no such provider, or `n` is no whole number.
        """
        __tracebackhide__ = True
        check_providers("assert_max_in_flight", (provider,), self.world, self.trace)
        check_max_in_flight(self.trace, provider, n)

    def assert_spend(self, at_most: str | Decimal | None = None, at_least: str | Decimal | None = None) -> None:
        """Assert the simulated spend in USD, written as text or `Decimal`.

        Raises:
            UnknownPriceError: A billed attempt has no known price, so the sum is unknown.
        """
        __tracebackhide__ = True
        check_spend(self.trace, self.costs.total_usd, at_most=at_most, at_least=at_least)

    def assert_resilient(
        self,
        ignore: Collection[str] = (),
        budget: str | Decimal | None = None,
        thresholds: Mapping[str, float] | None = None,
    ) -> Verdict:
        """Assert that the code under test treated its providers as it should, whatever went wrong.

        Args:
            ignore: Findings to accept, by name; `llmtest.conduct.FINDINGS` lists them.
            budget: What all calls may cost, in USD, as text or `Decimal`; by default what the marker `llm_budget`
                allows.
            thresholds: Numbers that rules turn on, in place of the defaults: `{"retry_storm": 20}`, or
                `{"retry_storm.minute_share": 0.5}` where a rule has several.

        Returns:
            The verdict. What could not be decided is in its `undecided`, by name; it fails nothing.

        Raises:
            AmbiguousCallError: Which requests belong to one call cannot be told, and the verdict turns on it; mark
                the calls with `llm_sim.call("label")`.
            ConfigurationError: A name or a number makes no sense.
        """
        __tracebackhide__ = True
        limit = self.spend_limit if budget is None else budget
        return check_resilient(self.trace, self.world, ignore, budget=limit, thresholds=thresholds)

    def assert_reported(
        self, *, cost: str | Decimal | None = None, model: str | None = None, tokens: object = None
    ) -> None:
        """Assert that what the app says of its calls is what the providers charged.

        Args:
            cost: The cost that the app tells, in USD, as text or `Decimal`; it may differ by 1 %.
            model: The model that the app tells; it has to be one that was billed.
            tokens: The tokens that the app tells: a number, or a usage of any SDK.

        Raises:
            ConfigurationError: Nothing is given, or something that is neither an amount nor tokens.
            UnknownPriceError: A billed attempt has no known price, so the sum is unknown.

        Example:
            `llm_sim.assert_reported(cost=app.last_cost, model="gpt-4o", tokens=app.last_usage)`
        """
        __tracebackhide__ = True
        check_reported(self.trace, self.costs, cost=cost, model=model, tokens=tokens)
