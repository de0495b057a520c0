"""`cache:` in a chain file: the settings of `ResponseCacheConfig`, where answers are kept, and other systems' names."""

import pytest

from llmtest import CompletionRequest, LLMClient, ResponseCacheConfig, build_chain, build_provider_chain, load_config
from llmtest.config import UnreadSettingWarning
from llmtest.errors import ScenarioError
from llmtest.resilience import MemoryCacheStore, SqliteCacheStore, WordEmbedder
from tests.resilience.cache.test_semantic import Flattering
from tests.resilience.scripted_provider import ScriptedProvider


def chain_of(cache, **more):
    """Return a chain of one provider with a cache section."""
    return build_chain({"cache": cache, "providers": [{"provider": ScriptedProvider("a")}], **more})


def told_of(cache):
    """Return what is said of a wrong section."""
    with pytest.raises(ScenarioError) as caught:
        chain_of(cache)
    return str(caught.value)


def test_f110_a_file_has_every_setting():
    """Each key is the setting of the same name; what is left out has its default, and no section is no cache."""
    section = {
        "ttl": "30m",
        "max_entries": "2k",
        "eviction_share": "10%",
        "exclude_fields": ["seed"],
        "cache_streaming": False,
        "cache_tool_calls": True,
        "cache_refusals": True,
        "cache_truncated": True,
        "fallback_ttl": 0,
        "models": ["gpt-4o"],
        "tenant": "org",
        "single_flight": False,
        "max_wait": "5s",
        "similarity_threshold": 0.9,
        "version": "v1",
    }
    config = chain_of(section).cache.config
    assert isinstance(config.embedder, WordEmbedder)
    assert config == ResponseCacheConfig(
        ttl=1800,
        max_entries=2000,
        eviction_share=0.1,
        exclude_fields=["seed"],
        cache_streaming=False,
        cache_tool_calls=True,
        cache_refusals=True,
        cache_truncated=True,
        fallback_ttl=0,
        models=["gpt-4o"],
        tenant="org",
        single_flight=False,
        max_wait=5,
        similarity_threshold=0.9,
        embedder=config.embedder,
        version="v1",
    )
    plain = chain_of({})
    assert plain.cache.config == ResponseCacheConfig()
    assert isinstance(plain.cache.store, MemoryCacheStore)
    assert build_chain({"providers": [{"provider": ScriptedProvider("a")}]}).cache is None
    assert chain_of(None).cache is chain_of({"enabled": False, "ttl": 5}).cache is None


@pytest.mark.parametrize("key", ["backend", "cache_backend"])
@pytest.mark.parametrize("word", ["sqlite", "disk"])
def test_c31_the_backend_has_two_names(tmp_path, key, word):
    """A file's path is relative to the chain file; it has the answers of yesterday."""
    path = tmp_path / "chain.yaml"
    path.write_text(f"cache: {{{key}: {word}, path: answers.db, ttl_seconds: 60}}\nproviders:\n  - provider: a\n")
    for text in ("Paris", "Rome"):
        chain = load_config(path).build({"a": ScriptedProvider("a", text)})
        assert chain.cache.config.ttl == 60
        assert isinstance(chain.cache.store, SqliteCacheStore)
        assert LLMClient(chain).ask("Capital of France?") == "Paris"
        chain.cache.close()
    assert (tmp_path / "answers.db").exists()


def test_f113_a_slot_embeds():
    """Who makes vectors is a provider like another, with the model that embeds."""
    embedder = Flattering()
    embedder.complete = None
    config = {
        "cache": {"embedder": {"provider": "vectors", "model": "text-embedding-3-small"}},
        "providers": [{"provider": "a"}],
    }
    chain = build_chain(config, {"a": ScriptedProvider("a", "one", "two"), "vectors": embedder})
    client = LLMClient(chain)
    assert [client.ask(text) for text in ("Capital of France", "capital of FRANCE")] == ["one", "one"]
    assert embedder.asked[0].model == "text-embedding-3-small"
    assert chain.cache.config.similarity_threshold == 0.95


def test_f113_words_embed_where_nobody_else_does():
    """`embedder: words`, and whatever is named where providers are simulated: no network, no key."""
    for cache, mode in (({"embedder": "words"}, None), ({"embedder": {"provider": "openai", "model": "e"}}, "mock")):
        chain = build_chain({"cache": cache, "providers": [{"provider": "mock"}]}, mode=mode)
        assert isinstance(chain.cache.config.embedder, WordEmbedder)
        assert chain.cache.config.similarity_threshold == 0.95


def test_the_cheap_chain_has_a_cache_of_its_own():
    """IronClaw's pair: both keep answers, by the same settings, and neither gets the other's."""
    config = {
        "cache": {"ttl": 60},
        "providers": [{"provider": ScriptedProvider("main")}],
        "cheap": {"provider": ScriptedProvider("cheap", "cheap answer")},
    }
    main, cheap = build_provider_chain(config)
    assert main.cache is not cheap.cache
    assert main.cache.config == cheap.cache.config == ResponseCacheConfig(ttl=60)
    request = CompletionRequest.ask("?")
    assert [main.complete(request).content, cheap.complete(request).content] == ["ok", "cheap answer"]
    assert [each.complete(request).attempts[-1].outcome for each in (main, cheap)] == ["cache_hit"] * 2


@pytest.mark.parametrize(
    ("cache", "text"),
    [
        ({"tll": 5}, "unknown key `tll` in `cache`. Did you mean `ttl`?"),
        ({"ttl": 5, "ttl_seconds": 5}, "takes `ttl` or `ttl_seconds`, not both"),
        ({"backend": "disk", "cache_backend": "disk"}, "takes `backend` or `cache_backend`, not both"),
        ({"backend": "redis"}, "unknown backend `redis`. Did you mean `disk`?\nKnown backends: memory, sqlite, disk"),
        ({"backend": "disk"}, "`backend: disk` needs the `path` of its file, such as `path: answers.db`"),
        ({"path": "a.db"}, "`path` belongs to `backend: sqlite`; in `memory` there is no file"),
        ({"ttl": 0}, "ttl must be more than 0 seconds, got 0"),
        ({"eviction_share": 1}, "eviction_share must be a share from 0 to below 1, such as 0.1, got 1"),
        ({"exclude_fields": ["temprature"]}, "a request has no field `temprature`. Did you mean `temperature`?"),
        ({"similarity_threshold": 0}, "similarity_threshold must be above 0 and up to 1, got 0"),
        ({"embedder": "openai"}, "`openai` is neither `words` nor a slot"),
        ({"embedder": {"provder": "openai"}}, "unknown key `provder`"),
        ({"backend": "disk", "path": "no/such/a.db"}, "`cache`: the cache file `no/such/a.db` cannot be used"),
        (3, "must be a mapping"),
    ],
)
def test_a_wrong_section_is_told_of(cache, text):
    """What, where, and the nearest valid thing."""
    assert text in told_of(cache)


def test_who_cannot_embed_is_told_of():
    """A provider without vectors is refused when the chain is built."""
    with pytest.raises(ScenarioError, match="an `embedder` has `name`"):
        chain_of({"embedder": {"provider": ScriptedProvider("b")}})


CAXTON = """
llm:
  provider: a
  caching: {{{caching}}}
"""


def caxton(tmp_path, caching):
    """Return a chain of Caxton's file, and what is noted about it."""
    path = tmp_path / "caxton.yaml"
    path.write_text(CAXTON.format(caching=caching))
    config = load_config(path)
    return config.build({"a": ScriptedProvider("a")}), config.notes


def test_f113_caxton_s_section_is_read(tmp_path):
    """Its names, and its defaults of an hour and 0.95; a file without a name gets one beside the configuration."""
    chain, notes = caxton(tmp_path, "enabled: true, ttl_seconds: 1800, similarity_threshold: 0.95, backend: memory")
    assert (chain.cache.config.ttl, chain.cache.config.similarity_threshold, notes) == (1800, 0.95, ())
    chain, notes = caxton(tmp_path, "enabled: true, cache_backend: disk")
    assert (chain.cache.store.path, notes) == (tmp_path / "llm-cache.db", ())
    chain.cache.close()
    assert caxton(tmp_path, "enabled: false")[0].cache is None


@pytest.mark.parametrize("key", ["backend", "cache_backend"])
def test_f113_a_place_that_is_not_ours_is_named(tmp_path, key):
    """`redis` keeps answers in each process, and says so."""
    with pytest.warns(UnreadSettingWarning, match="is read as `memory`"):
        chain, notes = caxton(tmp_path, f"enabled: true, {key}: redis")
    assert notes == (f"`llm.caching.{key}: redis` is read as `memory`: each process keeps its own answers",)
    assert isinstance(chain.cache.store, MemoryCacheStore)


def test_a_wrong_caxton_section_has_its_line(tmp_path):
    """As any other key of the file."""
    with pytest.raises(ScenarioError, match=r"caxton\.yaml:4: unknown key `ttl_secnds`"):
        caxton(tmp_path, "enabled: true, ttl_secnds: 5")
