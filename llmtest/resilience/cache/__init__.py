"""Answers that are kept, so that an equal request need not be asked again.

| file | what it is |
|---|---|
| `_cache_config` | the settings |
| `_cache_key` | which requests are equal |
| `_text_marks` | what no similarity of texts may hide: negations and numbers |
| `_keepable` | which answers may be kept |
| `_cached_answer` | a kept answer, and what of it could be changed by whoever gets it |
| `_cache_store`, `_memory_store`, `_sqlite_store` | where answers are kept: the protocol, and two of its kind |
| `_answer_codec` | a kept answer as bytes, for stores outside the process |
| `_embedder`, `_similarity` | texts as vectors, and how alike these are |
| `_flights` | one request for many equal calls |
| `_cache_stats` | counts |
| `_response_cache` | all of it as one object |
| `_cache_lookup`, `_cache_hit`, `_stream_recording`, `_cache_layer` | what stands around the calls of a chain |
| `_cached_provider` | the cache alone, around any provider |
"""
