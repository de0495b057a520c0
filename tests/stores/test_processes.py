"""Three processes on one Redis: one circuit, one limiter, one cache; and what one leaves that is killed."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from llmtest import RedisBreakerStore
from llmtest.errors import CircuitOpenError
from llmtest.resilience import CircuitBreaker, CircuitBreakerConfig

SECOND = 1_000_000_000
ROOT = Path(__file__).parents[2]
CONFIG = CircuitBreakerConfig(failure_threshold=2)
WORKER = """
import json, sys
from llmtest import (
    CircuitBreaker, CircuitBreakerConfig, FallbackChain, RateLimitConfig, RedisBreakerStore, RedisCacheStore,
    RedisLimiterStore, ResponseCache,
)
from llmtest.errors import CircuitOpenError
from llmtest.resilience import Asking, Ended
from tests.resilience.scripted_provider import ScriptedProvider, World

url, namespace = sys.argv[1:]
cache = ResponseCache(store=RedisCacheStore(url, namespace=namespace))
limits, config, asked = RedisLimiterStore(url, namespace=namespace), RateLimitConfig(rpm=4, concurrency=3), []
breaker = CircuitBreaker("a", CircuitBreakerConfig(failure_threshold=2), RedisBreakerStore(url, namespace=namespace))


def call(now, end):
    try:
        admission = breaker.admit(now)
    except CircuitOpenError as error:
        return error.cause
    if end == "failure":
        breaker.failure(admission, now, ValueError("down"))
    elif end == "success":
        breaker.success(admission, now)
    return "probe" if admission.is_probe else "call"


def send(now):
    asked.append(Asking("k", config, 1, 5, now, "deadline", lambda: None))
    given = limits.acquire(asked[-1], now)
    return given.is_granted or given.limit


def end(now):
    limits.release(asked.pop(0), Ended(True, 5), now)


def answer(says, mode):
    return World().ask(FallbackChain([ScriptedProvider("a", says)], cache=cache), mode).content


for line in sys.stdin:
    name, *arguments = json.loads(line)
    print(json.dumps(globals()[name](*arguments)), flush=True)
"""


class Workers:
    """Processes that do what they are told."""

    def __init__(self, url, namespace, count=3):
        self.processes = [
            subprocess.Popen(
                [sys.executable, "-c", WORKER, url, namespace],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(count)
        ]

    def do(self, worker, *what):
        """Have one do something; return what came of it."""
        process = self.processes[worker]
        process.stdin.write(json.dumps(what) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    def kill(self, worker):
        """End one without a chance to say anything."""
        self.processes[worker].send_signal(signal.SIGKILL)
        self.processes[worker].wait()

    def close(self):
        """End all."""
        for process in self.processes:
            process.kill()
            process.communicate()


@pytest.fixture(scope="module")
def workers(redis_url):
    """Start three processes, once."""
    workers = Workers(redis_url, "three-processes")
    yield workers
    workers.close()


def test_three_processes_have_one_cache(workers):
    """The first asks the provider; the others get its answer, blocking and on an event loop."""
    asked = (("Paris", "complete"), ("Rome", "complete_async"), ("Oslo", "complete"))
    assert [workers.do(number, "answer", *how) for number, how in enumerate(asked)] == ["Paris"] * 3


def test_three_processes_have_one_limiter(workers):
    """Together they have no more than three requests at a time, and no more than four in any minute."""
    assert [workers.do(worker, "send", 0) for worker in (0, 1, 2, 0)] == [True, True, True, "concurrency"]
    workers.do(1, "end", SECOND)
    assert [workers.do(worker, "send", 2 * SECOND) for worker in (2, 1)] == [True, "rpm"]
    for worker in (0, 2):
        workers.do(worker, "end", 3 * SECOND)
    assert [workers.do(worker, "send", at * SECOND) for worker, at in ((1, 59), (0, 60))] == ["rpm", True]


def test_three_processes_have_one_circuit_and_one_that_is_killed_in_a_probe_does_not_wedge_it(workers, redis_url):
    """Failures of two open it for the third; the probe of a killed one lapses, and the next one closes it for all."""
    assert [workers.do(worker, "call", 0, "failure") for worker in (0, 1)] == ["call", "call"]
    assert [workers.do(worker, "call", SECOND, "success") for worker in (2, 0)] == ["open", "open"]
    assert workers.do(1, "call", 31 * SECOND, "never") == "probe"
    workers.kill(1)
    assert workers.do(2, "call", 32 * SECOND, "success") == "probing"
    with RedisBreakerStore(redis_url, namespace="three-processes") as store:
        breaker = CircuitBreaker("a", CONFIG, store)
        with pytest.raises(CircuitOpenError) as refused:
            breaker.admit(60 * SECOND)
        assert (refused.value.cause, refused.value.retry_after) == ("probing", 1.0)
        assert workers.do(2, "call", 61 * SECOND, "success") == "probe"
        assert breaker.state == "closed"
        assert workers.do(0, "call", 62 * SECOND, "success") == "call"
