"""The circuit against a reference model that keeps every call and works everything out anew."""

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from llmtest.errors import CircuitOpenError
from llmtest.resilience import CircuitAdmission, CircuitBreakerConfig
from tests.resilience.kept_elsewhere import breaker_of
from tests.resilience.scripted_provider import down

SECOND = 1_000_000_000
RULES = st.one_of(
    st.builds(dict, failure_threshold=st.integers(1, 4)),
    st.builds(
        dict, failure_rate=st.sampled_from([0.25, 0.5, 1.0]), window_calls=st.integers(2, 6), minimum_calls=st.just(2)
    ),
    st.builds(
        dict,
        failure_rate=st.sampled_from([0.25, 0.5, 1.0]),
        window_seconds=st.sampled_from([5, 20]),
        minimum_calls=st.just(2),
    ),
    st.builds(
        dict,
        slow_call_rate=st.sampled_from([0.5, 1.0]),
        slow_call_duration=st.just(2),
        window_calls=st.integers(2, 6),
        minimum_calls=st.integers(1, 2),
    ),
)


class Reference:
    """What a circuit should do: a list of calls, and rules read off the documentation."""

    def __init__(self, config):
        self.config = config
        self.state = "closed"
        self.epoch = 0
        self.calls = []
        self.open_until = 0
        self.probes = {}
        self.successes = 0

    def _enter(self, state):
        self.state, self.calls, self.probes, self.successes = state, [], {}, 0
        self.epoch += 1

    def admits(self, now):
        """Return whether a call is let through, and whether it is a probe."""
        if self.state == "closed":
            return True, False
        if self.state == "isolated" or (self.state == "open" and now < self.open_until):
            return False, False
        if self.state == "open":
            self._enter("half_open")
        self.probes = {number: at for number, at in self.probes.items() if now - at < self.config.recovery_timeout}
        if len(self.probes) >= self.config.half_open_max_calls:
            return False, False
        return True, True

    def ended(self, epoch, number, is_probe, now, verdict, slow):
        """Note the end of a call."""
        if epoch != self.epoch:
            return
        self.probes.pop(number, None)
        if verdict == "nothing":
            return
        bad = verdict == "failure"
        if is_probe:
            if bad or slow:
                self._open(now)
            else:
                self.successes += 1
                if self.successes >= self.config.half_open_successes:
                    self._enter("closed")
            return
        self.calls.append((now, bad, slow))
        if self.is_to_open(now, bad, slow):
            self._open(now)

    def _open(self, now):
        self._enter("open")
        self.open_until = now + self.config.recovery_timeout

    def window(self, now):
        """Return the calls that count."""
        config = self.config
        if config.window_seconds is not None:
            part = config.window_seconds / 10
            return [call for call in self.calls if call[0] // part > now // part - 10]
        return self.calls[-config.window_calls :]

    def failures(self, now):
        """Return how many failures count."""
        if self.config.failure_threshold is None:
            return sum(failed for _, failed, _ in self.window(now))
        row = 0
        for _, failed, _ in self.calls:
            row = row + 1 if failed else 0
        return row

    def is_to_open(self, now, bad, slow):
        """Return whether this call was one too many."""
        config = self.config
        if config.failure_threshold is not None:
            return bad and self.failures(now) >= config.failure_threshold
        calls = self.window(now)
        if len(calls) < config.minimum_calls or not (bad or slow):
            return False
        if config.failure_rate is not None:
            return sum(failed for _, failed, _ in calls) / len(calls) >= config.failure_rate
        return sum(slow for _, _, slow in calls) / len(calls) >= config.slow_call_rate


class CircuitAndReference(RuleBasedStateMachine):
    """Both are told the same; they must agree on every decision."""

    @initialize(rules=RULES, probes=st.integers(1, 3), successes=st.integers(1, 3))
    def begin(self, rules, probes, successes):
        """Make both."""
        config = CircuitBreakerConfig(
            **rules, recovery_timeout=10, half_open_max_calls=probes, half_open_successes=successes
        )
        self.breaker, self.reference = breaker_of("a", config), Reference(config)
        self.is_timed = config.slow_call_duration is not None
        self.now = 0
        self.under_way = []
        self.number = 0

    @rule(seconds=st.integers(1, 12))
    def wait(self, seconds):
        """Let time pass."""
        self.now += seconds

    @rule()
    def call(self):
        """Ask for a call."""
        expected, is_probe = self.reference.admits(self.now)
        try:
            admission = self.breaker.admit(self.now * SECOND)
        except CircuitOpenError as refused:
            admission, wait = None, refused.retry_after
        if admission is None:
            assert not expected
            assert wait is None or wait >= 0
        else:
            assert expected
            assert isinstance(admission, CircuitAdmission)
            assert admission.is_probe == is_probe
            self.number += 1
            if is_probe:
                self.reference.probes[self.number] = self.now
            self.under_way.append((admission, self.reference.epoch, self.number, is_probe))

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), verdict=st.sampled_from(["success", "failure", "nothing"]), slow=st.booleans())
    def end(self, data, verdict, slow):
        """End some call, not always the oldest."""
        index = data.draw(st.integers(0, len(self.under_way) - 1))
        admission, epoch, number, is_probe = self.under_way.pop(index)
        slow = slow and self.is_timed and verdict != "nothing"
        took_ns = (2 if slow else 1) * SECOND
        if verdict == "success":
            self.breaker.success(admission, self.now * SECOND, took_ns)
        elif verdict == "failure":
            self.breaker.failure(admission, self.now * SECOND, down(), took_ns)
        else:
            self.breaker.release(admission)
        self.reference.ended(epoch, number, is_probe, self.now, verdict, slow)
        if verdict != "nothing" and epoch == self.reference.epoch and not is_probe:
            assert self.breaker.failures == self.reference.failures(self.now)

    @rule(command=st.sampled_from(["isolate", "release", "reset"]))
    def command(self, command):
        """Have an operator step in."""
        getattr(self.breaker, command)()
        reference = self.reference
        if command == "isolate" and reference.state != "isolated":
            reference._enter("isolated")
        elif (command == "release" and reference.state == "isolated") or (
            command == "reset" and reference.state != "closed"
        ):
            reference._enter("closed")
        elif command == "reset":
            reference.calls = []

    @invariant()
    def agree(self):
        """Both are in the same state."""
        if hasattr(self, "breaker"):
            assert self.breaker.state == self.reference.state


CircuitAndReference.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestCircuitAgainstAReference = CircuitAndReference.TestCase


@settings(max_examples=60, deadline=None)
@given(
    seconds=st.sampled_from([5, 20]),
    calls=st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=30),
)
def test_a_window_of_seconds_agrees_with_a_list_of_calls(seconds, calls):
    """Calls that end over time: the same failures count, and the same call opens the circuit."""
    config = CircuitBreakerConfig(failure_rate=0.75, window_seconds=seconds, minimum_calls=3)
    breaker, reference, now = breaker_of("a", config), Reference(config), 0
    for wait, fails in calls:
        now += wait
        admission = breaker.admit(now * SECOND)
        if fails:
            breaker.failure(admission, now * SECOND, down())
        else:
            breaker.success(admission, now * SECOND)
        reference.ended(reference.epoch, 0, False, now, "failure" if fails else "success", False)
        assert breaker.state == reference.state
        if reference.state == "open":
            return
        assert breaker.failures == reference.failures(now)
