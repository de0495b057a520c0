"""The kinds of findings, one file each: the rule in words and in code, its thresholds, whom it blames, how to mend it.

| file | what was done |
|---|---|
| `_retry_after_ignored` | asked again before the wait was over |
| `_retry_storm` | sent more repeats than a provider in trouble can bear |
| `_no_backoff` | asked again and again without a pause |
| `_retried_non_retryable` | sent the same again after a final refusal |
| `_truncated_answer_accepted` | took half an answer for a whole one |
| `_gave_up` | failed at the first thing that went wrong |
| `_no_read_timeout` | waited as long as the SDK waits by itself |
| `_budget_overshoot` | spent more than somebody had allowed |
| `_half_open_herd` | let everybody through a circuit that was to be tried |
| `_fallback_on_client_error` | asked others what is wrong wherever it is asked |
| `_no_fallback_after_break` | asked nobody else after a stream that had said nothing |
| `_dead_provider_walked` | began every call at a provider that was dead |
| `_request_mutated` | sent again something else than had failed |
| `_duplicate_effect` | ran a tool twice for one call |
| `_answers_glued` | returned the text of two attempts |
| `_backoff_synchronised` | came back together with everybody who had failed |
| `_timeouts_multiplied` | let a limit hold for each attempt, and so for no call |
| `_retry_after_unbounded` | slept for as long as a provider said, however long |
| `_retries_multiplied` | retried in one layer what another one had retried already |
| `_slow_stream_unbounded` | set a timeout between two pieces, which limits no answer |
| `_cost_misreported` | told another cost than the provider charged |
| `_harness_error` | the run itself was wrong |
| `_table` | all of them, in the order in which they are told |
"""

from llmtest.conduct.findings._table import FINDINGS, KINDS, as_thresholds, limits_of

__all__ = ["FINDINGS", "KINDS", "as_thresholds", "limits_of"]
