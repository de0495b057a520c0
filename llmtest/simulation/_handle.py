"""The handle of one simulated provider: the words of a test, nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

from llmtest.errors import ConfigurationError, SimulationStateError
from llmtest.simulation._call_site import declaration_site
from llmtest.simulation._latency import LatencyModel, Seconds, as_latency
from llmtest.simulation._quota import Quota
from llmtest.simulation._rule_handle import RuleHandle
from llmtest.simulation._script_texts import handle_text
from llmtest.simulation.direct._provider import DirectProvider
from llmtest.simulation.plan._fragmentation import Fragmentation, as_fragmentation
from llmtest.simulation.script._recording import Played
from llmtest.simulation.script._windows import Window, duration_ns
from llmtest.types._spelling import words_tell_near_arguments

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

    from llmtest.faults import Fault
    from llmtest.simulation._provider import SimulatedProvider
    from llmtest.simulation.plan._answer import RequestRecord
    from llmtest.simulation.script._script import Rule

__all__ = ["ProviderHandle"]


@words_tell_near_arguments
class ProviderHandle(RuleHandle):
    """One simulated provider: its script, its quotas, its latency, and what it saw.

    Made by a world; `llm_sim.openai` is one.
    """

    def __init__(self, provider: SimulatedProvider) -> None:
        super().__init__(provider.engine, provider.engine.script.base)
        self.name = provider.name
        self.dialect = provider.dialect.name
        self._provider = provider
        self._world = provider.world

    @property
    def _rule(self) -> Rule:
        """The rule for every request, which a reset makes anew."""
        return self._engine.script.base

    @_rule.setter
    def _rule(self, rule: Rule) -> None:
        assert rule is self._engine.script.base

    def __repr__(self) -> str:
        return f"<simulated provider `{self.name}`: {self._engine.received} requests>"

    def limits(
        self,
        rpm: int | None = None,
        tpm: int | None = None,
        *,
        rpd: int | None = None,
        concurrent: int | None = None,
    ) -> Self:
        """Set real quotas, full from now on: token buckets, refilled all the time, and counts.

        A request over a quota gets the provider's 429, with the true wait in `Retry-After`. Admission counts the
        prompt and `max_tokens`; an answer longer than that is charged when it is given.

        Args:
            rpm: Requests a minute; 1 or more, None: no limit.
            tpm: Tokens a minute; 1 or more, None: no limit.
            rpd: Requests a day, counted anew at midnight UTC; 1 or more, None: no limit.
            concurrent: Requests that may be under way at once; 1 or more, None: no limit. Nobody knows when one of them
                ends, so the refusal asks for no wait.

        Raises:
            ConfigurationError: None is given, or one is below 1.
        """
        clock = self._world.clock
        self._engine.quota = Quota(rpm, tpm, clock.now_ns(), rpd=rpd, concurrent=concurrent, epoch_ns=clock.time_ns())
        return self

    def latency(
        self,
        total: Seconds | LatencyModel | None = None,
        *,
        ttft: Seconds | None = None,
        tokens_per_second: Seconds | None = None,
    ) -> Self:
        """Set how long answers take; either the total, or its parts. The default is no time at all.

        Args:
            total: Seconds until a whole answer, 0 or more, or a distribution (`Uniform`, `Lognormal`, `Gamma`).
            ttft: Seconds until the first token.
            tokens_per_second: How fast the rest follows; above 0.

        Raises:
            ConfigurationError: Total and parts are mixed, or a number is out of its range.

        Example:
            >>> sim.openai.latency(ttft=Lognormal(median=0.4, p99=2.0), tokens_per_second=80)  # doctest: +SKIP
        """
        self._engine.latency = as_latency(total, ttft=ttft, tokens_per_second=tokens_per_second)
        return self

    def fragmentation(self, mode: Fragmentation) -> Self:
        """Set how streamed answers are cut into network pieces, as a network does that knows no events.

        Args:
            mode: `events` (the default): one piece for each. `whole`: all in one, at the end. `random`: seeded, inside
                lines and characters, several events in one. A number: so many bytes a piece, 1 or more.

        Raises:
            ConfigurationError: None of these.
        """
        self._engine.fragmentation = as_fragmentation(mode)
        return self

    def context_window(self, tokens: int) -> Self:
        """Set how many tokens prompt and `max_tokens` may have together; more is answered by the genuine 400.

        Args:
            tokens: 1 or more.

        Raises:
            ConfigurationError: Below 1.
        """
        if tokens < 1:
            raise ConfigurationError(
                f"context_window: tokens must be 1 or more, got {tokens}.\n\nTo fix: context_window(128_000)"
            )
        self._engine.window = tokens
        return self

    def batches(self, takes: Window) -> Self:
        """Set how long the lines of a new batch are worked on, evenly, one after the other; 6 seconds by default.

        Before it a batch is checked for two seconds, and after it its results are written for two. One that would last
        longer than its API allows (24 hours) expires.

        Args:
            takes: Above 0: `"45m"`, `"1h30m"`, seconds, or a `timedelta`.

        Raises:
            ConfigurationError: Not a duration above 0.

        Example:
            >>> sim.openai.batches(takes="45m")  # doctest: +SKIP
        """
        self._engine.store.batch_seconds = duration_ns("batches", "takes", takes) / 1e9
        return self

    def plays(
        self,
        path: str | PathLike[str],
        *,
        match_on: Any = None,
        speed: float | None = 1.0,
        faults: Mapping[int, Fault] | None = None,
        optional: bool = False,
        repeat: Literal["last"] | None = None,
    ) -> Self:
        """Answer from a recorded session, where no step is left: its bytes, its pieces, its pauses.

        What is answered is in the trace and in the account like every answer. Steps go first (a fault among them that
        breaks an answer breaks the recorded one), then what `when` says by default, then the recording, then `echoes`
        and `generates`. A request that the recording does not have is an error of the test. Of a session with several
        providers each plays its own part. An answer that was not heard to its end breaks there.

        Args:
            path: The cassette, ours or one that `use_cassette` can play.
            match_on: What counts as the same request, as for `use_cassette`.
            speed: How much faster than recorded, above 0; None: without the recorded pauses, and `latency` counts.
            faults: What strikes, by the number of the request among those that come to the recording, from 1. One that
                comes instead of an answer leaves the answer to the next request.
            optional: Whether the test may end without all of its answers.
            repeat: `"last"` gives the last answer to a request again for every further one.

        Raises:
            CassetteFileError: There is no such file, or it cannot be read.
            ConfigurationError: An argument is out of its range.
            SimulationStateError: The provider is not one of a `Simulation`.

        Example:
            >>> sim.openai.plays("cassettes/x.yaml", faults={3: faults.RateLimited()})  # doctest: +SKIP
        """
        world = self._world
        if world.open_recording is None:
            raise SimulationStateError(
                "plays() needs a simulation, and this world is none.\n\n"
                "To fix: play it at a provider of the fixture llm_sim, or of a Simulation"
            )
        handle = handle_text(self.name, world.fixture)
        recording = world.open_recording(world, self.name, handle, path, match_on, speed, repeat)
        with world.lock:
            script = self._engine.script
            script.recordings.append(
                Played(recording, script.total + 1, optional, declaration_site(), {} if faults is None else faults)
            )
            script.total += len(recording)
        return self

    def at(self, base_url: str) -> Self:
        """Answer at one more base URL, loopback included: `llm_sim.vllm.at("http://localhost:8000")`.

        Raises:
            ConfigurationError: Not an http or https URL.
        """
        self._world.register(self.name, base_url)
        return self

    @property
    def requests(self) -> tuple[RequestRecord, ...]:
        """What the provider saw, in order of arrival."""
        return tuple(self._engine.records)

    @property
    def received(self) -> int:
        """How many requests came."""
        return self._engine.received

    def as_provider(self, model: str | None = None, *, tokens_per_event: int = 16) -> DirectProvider:
        """Return this simulated provider as a provider of our own layer, reached directly, without HTTP.

        Script, faults, quotas, latency and log are the same; only the wire is left out, which makes it fast.

        Args:
            model: Model to ask for where a request names none.
            tokens_per_event: How much of a stream comes in one event, in tokens; 1 or more. The first event always
                carries one piece, so that the time to the first token is exact.
        """
        return DirectProvider(self._engine, self._provider.dialect.chat, model, tokens_per_event)
