"""Traces written by hand, so that assertions are tested as what they are: functions over events."""

from llmtest.events import RequestAnswered, RequestReceived, Trace


class TraceBuilder:
    """Writes the events of simulated providers, one second apart."""

    def __init__(self):
        self.trace = Trace()
        self.now_ns = 0

    def _target(self, target):
        provider, _, model = target.partition("/")
        return provider, model or None

    def receive(self, target, *, call=0, operation="chat", stream=False):
        """Record that a request arrived, and return its number."""
        provider, model = self._target(target)
        exchange = self.trace.next_exchange()
        self.trace.append(RequestReceived(self.now_ns, call, exchange, provider, model, operation, stream))
        return exchange

    def answer(self, exchange, target, outcome, *, call=0, operation="chat", **facts):
        """Record that a request was answered a second later."""
        provider, model = self._target(target)
        start_ns, self.now_ns = self.now_ns, self.now_ns + 1_000_000_000
        self.trace.append(
            RequestAnswered(
                self.now_ns, call, exchange, provider, model, outcome, start_ns, operation=operation, **facts
            )
        )

    def attempts(self, *steps, call=0, operation="chat", stream=False):
        """Record attempts written as `assert_sequence` writes them, one after the other."""
        for step in steps:
            target, _, outcome = step.rpartition(":")
            exchange = self.receive(target, call=call, operation=operation, stream=stream)
            self.answer(exchange, target, outcome, call=call, operation=operation)
        return self

    def event(self, kind, *args):
        """Record any other event at the present moment: its class and what follows `at_ns`."""
        self.trace.append(kind(self.now_ns, *args))
        return self


def traced(*steps, **facts):
    """Return a trace of attempts, one after the other."""
    return TraceBuilder().attempts(*steps, **facts).trace
