"""The store of health against a plain model: who is ill, and whose the next probe is."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from llmtest.resilience import HealthReading, HealthRules, MemoryHealthStore

INTERVAL = 60


class Model(RuleBasedStateMachine):
    """One provider, of which several processes hear."""

    @initialize(failures=st.integers(1, 3), successes=st.integers(1, 3))
    def begin(self, failures, successes):
        """Begin with nothing known."""
        self.rules = HealthRules(INTERVAL, failures, successes)
        store = MemoryHealthStore()
        self.health = store.health("a", self.rules)
        assert store.health("a", self.rules) is self.health
        assert store.health("b", self.rules) is not self.health
        self.now = 0
        self.heard = []
        """What was told since the last change."""
        self.is_ill = False
        self.told_at = None

    @rule(seconds=st.sampled_from([0, 1, 30, 59, 60, 61, 1000]))
    def wait(self, seconds):
        """Let time pass."""
        self.now += seconds

    @rule()
    def begin_anew(self):
        """Go on with another clock, which begins at 0."""
        self.now = 0

    @rule()
    def claim(self):
        """Ask whether a probe is due: once an interval, it is somebody's."""
        is_due, reading = self.health.claim(self.now)
        expected = self.told_at is not None and abs(self.now - self.told_at) >= INTERVAL
        assert is_due is expected
        if expected or self.told_at is None:
            self.told_at = self.now
        assert reading == self.health.read()
        assert not expected or self.health.claim(self.now)[0] is False

    @rule(told=st.sampled_from(["success", "failure", "nothing"]))
    def record(self, told):
        """Tell something of it."""
        changed, reading = self.health.record(told, self.now)
        self.told_at = self.now
        if told != "nothing":
            self.heard.append(told)
        wanted, least = ("success", self.rules.successes) if self.is_ill else ("failure", self.rules.failures)
        assert changed is (told != "nothing" and len(self.heard) >= least and self.heard[-least:] == [wanted] * least)
        if changed:
            self.is_ill = not self.is_ill
            self.heard = self.heard[-1:]
            assert reading.since_ns == self.now

    @invariant()
    def agree(self):
        """Reading changes nothing, and tells what is known."""
        reading = self.health.read()
        assert (reading.is_ill, reading.told_ns) == (self.is_ill, self.told_at)
        assert not (reading.failures and reading.successes)
        assert reading == self.health.read()


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=20, stateful_step_count=30, deadline=None)


def test_nothing_is_known_at_first():
    """A provider is well until somebody says otherwise, and its first interval begins when somebody asks."""
    health = MemoryHealthStore().health("a", HealthRules(INTERVAL, 3, 2))
    assert health.read() == HealthReading()
    assert health.claim(5) == (False, HealthReading(told_ns=5))
    assert health.claim(64)[0] is False
    assert health.claim(65)[0] is True
