"""Circuit breakers and retries of other libraries, read through what each library offers for it.

No file here imports the library it is about: whoever hands over one of its objects has imported it already.

| file | what it reads |
|---|---|
| `_layers` | what a decorated function is made of |
| `_watch` | what every reader offers, and what it tells |
| `_listening` | `CircuitBreaker` of pybreaker and of aiobreaker, by a listener |
| `_circuitbreaker` | `CircuitBreaker` of circuitbreaker, by a subclass, which is how that library is extended |
| `_purgatory` | the factories and breakers of purgatory, by their contexts |
| `_tenacity` | `Retrying` and `AsyncRetrying` of tenacity, by `before_sleep` |
| `_stamina` | what stamina retries, by its hook `on_retry` |
| `_watching` | finds the reader of an object, and whose circuit it is |
"""

from llmtest.testing.breakers._watching import WatchedBreakers as WatchedBreakers

__all__ = ["WatchedBreakers"]
