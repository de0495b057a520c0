"""Calls to simulated providers without any HTTP library: requests as bytes, and plans performed by hand."""

import json

from llmtest.clock import VirtualClock
from llmtest.errors import ProviderError
from llmtest.events import Trace
from llmtest.simulation import Exchange, World
from llmtest.simulation.plan._plan import Chunk, Failure, Head, Wait
from llmtest.wire import dialect as dialect_of

HOSTS = {
    "openai": ("api.openai.com", "/v1/chat/completions", {"authorization": "Bearer sk-test"}),
    "anthropic": ("api.anthropic.com", "/v1/messages", {"x-api-key": "sk-ant", "anthropic-version": "2023-06-01"}),
}


def make_world(seed=0, **options):
    """Return a world on a virtual clock, at time 0."""
    return World(VirtualClock(), Trace(), seed=seed, **options)


def exchange(
    provider="openai", prompt="hi", *, model="gpt-4o", stream=False, path=None, method="POST", body=None, **extra
):
    """Return a request as it arrives at a provider."""
    host, chat, headers = HOSTS[provider]
    content = {
        "model": model,
        "max_tokens": 100,
        "messages": [{"role": "user", "content": prompt}],
        "stream": stream,
        **extra,
    }
    if provider == "openai":
        del content["max_tokens"]
        content.update(extra)
    return Exchange(
        method,
        "https",
        host,
        443,
        path or chat,
        "",
        {"content-type": "application/json", **headers},
        json.dumps(content if body is None else body).encode(),
    )


class Answered:
    """A plan, performed: what came over the wire, and when."""

    def __init__(self, plan, ended=None):
        self.steps = list(plan.steps)
        self.head = next((step for step in self.steps if isinstance(step, Head)), None)
        self.status = self.head.status if self.head else None
        self.headers = dict(self.head.headers) if self.head else {}
        self.pieces = [step.data for step in self.steps if isinstance(step, Chunk)]
        self.body = b"".join(self.pieces)
        self.failure = next((step.kind for step in self.steps if isinstance(step, Failure)), None)
        self.waits = [step.ns / 1e9 for step in self.steps if isinstance(step, Wait)]
        self.outcome = plan.outcome
        plan.on_end(ended or plan.outcome)

    @property
    def json(self):
        """The body as JSON."""
        return json.loads(self.body)


def post(handle, prompt="hi", **options):
    """Send a chat request to a handle and perform its plan."""
    return Answered(handle._provider.receive(exchange(handle.dialect, prompt, **options)))


def text_of(answered, dialect="openai"):
    """Return the text of a whole answer."""
    return dialect_of(dialect).chat.decode_answer(answered.body, answered.headers).content


def texts_of(answered, dialect="openai"):
    """Return the visible texts of a stream that may be broken, as far as they came."""
    decoder = dialect_of(dialect).chat.stream_decoder()
    found = []
    for piece in answered.pieces:
        try:
            events = decoder.feed(piece)
        except ProviderError:
            break
        found += [event.text for event in events if event.kind == "text" and event.text]
    return found
