"""State that chains of a file share: said by an address or by settings, with no password in what is told."""

import pytest

from llmtest import RedisCacheStore
from llmtest.config import LiteralKeyWarning, build_chain, load_config
from llmtest.errors import ScenarioError
from llmtest.resilience import MemoryCacheStore, MemoryCircuit
from llmtest.stores import RedisState
from tests.resilience.scripted_provider import ScriptedProvider

URL = "redis://localhost:6379/0"
SECRET = "redis://app:hunter22@localhost:6379/0"


def chain_of(shared, **rest):
    """Return a chain of a mapping; nothing is asked of a server."""
    return build_chain({"shared": shared, "providers": [{"provider": ScriptedProvider("a")}], **rest})


def shared_by(chain):
    """Return the state that a chain was given."""
    return chain._given["shared"]


@pytest.mark.parametrize("shared", [URL, {"url": URL, "namespace": "llmtest", "timeout": "1s", "on_down": "open"}])
def test_an_address_or_settings_say_where_state_is_shared(shared):
    """Circuits, refused keys, limits and answers of the chain are kept there."""
    chain = chain_of(shared, cache={"ttl": "1h"}, rate_limit={"rpm": 5})
    assert isinstance(shared_by(chain), RedisState)
    assert type(chain.breaker("a")._circuit).__name__ == "RedisCircuit"
    assert isinstance(chain.cache.store, RedisCacheStore)
    assert type(chain._sender.guards[0].store).__name__ == "RedisLimiterStore"


def test_without_it_nothing_is_shared():
    """A chain keeps what it remembers in its process, also where the file says `null`."""
    for chain in (chain_of(None), build_chain({"providers": [{"provider": ScriptedProvider("a")}]})):
        assert shared_by(chain) is None
        assert isinstance(chain.breaker("a")._circuit, MemoryCircuit)


def test_every_setting_is_the_state_s():
    """Each key of the section is an argument of `RedisState`, with its unit."""
    state = shared_by(chain_of({"url": URL, "namespace": "n", "timeout": "250ms", "on_down": "closed", "lease": "20m"}))
    assert (state._server._timeout, state.limits._lease_us) == (0.25, 1_200_000_000)
    assert state.limits._is_closed_when_down
    assert state.breakers._namespace == "n"


def test_a_cache_that_says_where_it_is_stays_there():
    """`backend: memory` is what it says, also in a chain that shares the rest."""
    assert isinstance(chain_of(URL, cache={"backend": "memory"}).cache.store, MemoryCacheStore)


def test_the_address_may_be_elsewhere(tmp_path, monkeypatch):
    """`env:`, `file:` beside the chain file, and a variable."""
    monkeypatch.setenv("REDIS_URL", SECRET)
    (tmp_path / "redis.url").write_text(SECRET)
    for text in ("env:REDIS_URL", "file:redis.url", "${REDIS_URL}", "{url: env:REDIS_URL}"):
        path = tmp_path / "chain.yaml"
        path.write_text(f"shared: {text}\nproviders:\n  - {{provider: openai, api_key: env:REDIS_URL}}\n")
        state = shared_by(load_config(path).build())
        assert (state._server._url, repr(state)) == (SECRET, "RedisState(localhost:6379)")


def test_one_section_is_one_state():
    """A chain with a cheap provider beside it has one pool of connections, and shares as a whole."""
    chain = chain_of(
        URL,
        providers=[{"provider": ScriptedProvider("a")}],
        cheap={"provider": ScriptedProvider("b")},
        routing={"complexity_threshold": 0.5},
        cache={},
    )
    inner = [place.provider for place in chain.places]
    assert len({id(shared_by(each)) for each in (chain, *inner)}) == 1
    assert isinstance(chain.cache.store, RedisCacheStore)


def test_nobody_real_is_asked_where_providers_are_not(monkeypatch):
    """A simulated chain keeps what it remembers for itself."""
    monkeypatch.setenv("LLMTEST_MODE", "mock")
    chain = build_chain({"shared": URL, "providers": [{"provider": "openai"}]})
    assert shared_by(chain) is None


@pytest.mark.parametrize(
    ("shared", "text"),
    [
        ("http://localhost", "`shared`: the URL of Redis cannot be read"),
        ({"url": URL, "namespace": "{a}"}, "`shared`: namespace must be a name without braces, got '{a}'"),
        ({"url": URL, "on_down": "fail"}, "unknown choice `fail`"),
        ({"url": URL, "timout": "1s"}, "unknown key `timout` in `shared`. Did you mean `timeout`?"),
        ({"url": URL, "lease": "0s"}, "`shared`: lease must be above 0 seconds, got 0"),
        ({"namespace": "n"}, "`url` in `shared` is missing"),
        ("env:NO_SUCH_VARIABLE", "the environment variable `NO_SUCH_VARIABLE` is not set"),
        (3, "must be a mapping"),
    ],
)
def test_a_wrong_section_is_told_of(shared, text):
    """What, where, and the nearest valid thing."""
    with pytest.raises(ScenarioError) as caught:
        chain_of(shared)
    assert text in str(caught.value)


@pytest.mark.parametrize("section", ["{url}", "{{url: '{url}', on_down: closed}}"])
def test_a_password_in_plain_text_is_warned_of_and_shown_by_no_error(tmp_path, section):
    """As keys are; an address without a password is none."""
    path = tmp_path / "chain.yaml"
    rest = "providers:\n  - {provider: openai, api_key: env:OPENAI_API_KEY}\n"
    path.write_text(f"shared: {section.format(url=SECRET)}\n{rest}")
    with pytest.warns(LiteralKeyWarning) as caught:
        load_config(path)
    assert len(caught) == 1
    assert str(caught[0].message).endswith(": ${REDIS_URL}")
    assert "hunter22" not in str(caught[0].message)
    path.write_text(f"shared: {section.format(url=URL)}\n{rest}")
    load_config(path)


def test_caxton_s_cache_in_redis_is_there_where_the_file_says_where_that_is(tmp_path):
    """`backend: redis` beside `shared` is what it says, and no note is needed."""
    path = tmp_path / "caxton.yaml"
    path.write_text(
        f"llm:\n  name: openai\n  shared: {URL}\n  api_key: env:OPENAI_API_KEY\n"
        "  caching: {enabled: true, ttl_seconds: 3600, backend: redis}\n"
    )
    config = load_config(path, environment={"OPENAI_API_KEY": "sk-1234567890"})
    assert config.notes == ()
    assert isinstance(config.build().cache.store, RedisCacheStore)
