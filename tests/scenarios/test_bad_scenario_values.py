"""One mistake in every key of a scenario file: where it is, what is valid there, and the way out."""

import pytest

from llmtest.errors import ScenarioError
from llmtest.scenarios import load_scenario
from tests.scenarios.test_bad_scenarios import GOOD, message_of

OPENAI = "openai: {model: gpt-4o}"
CHAIN = """\
chain:
  providers:
    - {provider: openai}
    - {provider: anthropic, trigger: any_error}
"""
SLOT = "- {provider: anthropic, trigger: any_error}"
LOAD = "load: {rate: 5/s, duration: 1m}"
WHAT = "what: {server_error: {status: 503}}"
EXPECT = 'availability: ">= 99%"'

CASES = [
    pytest.param(
        [(WHAT, "what: [rate_limited]")],
        "12: `faults[0].what`: must be one fault, such as `{server_error: {status: 503}}`.",
        id="fault-list",
    ),
    pytest.param(
        [(WHAT, "what: {rate_limited: 20s}")],
        "12: `faults[0].what`: the arguments of `rate_limited` must be a mapping, such as `{rate_limited: {...}}`.",
        id="fault-arguments",
    ),
    pytest.param(
        [(WHAT, "what: {rate_limited: {retryafter: 20s}}")],
        "12: `faults[0].what`: unknown key `retryafter` in `rate_limited`. Did you mean "
        "`retry_after`?\nKnown keys: retry_after, seconds, limit, headers.",
        id="fault-key",
    ),
    pytest.param(
        [(WHAT, "what: {permission_denied: {seconds: 1}}")],
        "12: `faults[0].what`: unknown key `seconds` in `permission_denied`.\nKnown keys: headers.",
        id="fault-foreign-argument",
    ),
    pytest.param(
        [(WHAT, "what: stream_dropped")],
        "12: `faults[0].what`: `stream_dropped` needs `after_chunks`.",
        id="fault-missing-argument",
    ),
    pytest.param(
        [("where: {provider: openai}", "where: {provider: 5}")],
        "12: `faults[0].where.provider`: must be a name, or a list of names.",
        id="where-empty",
    ),
    pytest.param(
        [("where: {provider: openai}", "where: {provider: [openai, '']}")],
        "12: `faults[0].where.provider`: no provider `` in this scenario.\nKnown providers: openai, anthropic.",
        id="where-list",
    ),
    pytest.param(
        [("for: 5s", "for: 0")],
        "12: `faults[0]`: `for` must be longer than 0.",
        id="window-zero",
    ),
    pytest.param(
        [("for: 5s", "for: 5s, every: 2s")],
        "12: `faults[0]`: `every` needs a `for` that is not longer.",
        id="every-short",
    ),
    pytest.param(
        [("where: {provider: openai}", "when: {calls: {first: 3, last: 2}}")],
        "12: `faults[0]`: `when.calls`: `last` is before `first`.",
        id="calls-order",
    ),
    pytest.param(
        [
            (
                "faults:\n  - {name: outage, at: 10s, for: 5s, where: {provider: openai}, ",
                "faults:\n  - {what: overloaded}\n  - {",
            ),
            ("what: {server_error: {status: 503}}}", "what: overloaded}"),
        ],
        "13: two faults are named `overloaded`, the other one on line 12.\nTo fix: give them a `name`.",
        id="two-faults-unnamed",
    ),
    pytest.param(
        [("faults:\n", "faults:\n  - {name: outage, what: overloaded}\n")],
        "13: two faults are named `outage`, the other one on line 12.\nTo fix: rename one of them.",
        id="two-faults-named",
    ),
    pytest.param(
        [("where: {provider: openai}", "when: {probability: 2}")],
        "12: `faults[0].when.probability`: `2` is not a share; write a percentage such as `2%`, or a "
        "number from 0 to 1.",
        id="share-bad",
    ),
    pytest.param(
        [(EXPECT, "verdict: spotless")],
        "14: `expect.verdict`: unknown verdict `spotless`; the one verdict that can be asked for is `clean`.",
        id="verdict",
    ),
    pytest.param(
        [(EXPECT, "fallbacks: true")],
        "14: `expect.fallbacks`: must be a comparison such as `>= 1`.",
        id="comparison-bool",
    ),
    pytest.param(
        [(EXPECT, "fallbacks: [1]")],
        "14: `expect.fallbacks`: must be a comparison such as `>= 1`.",
        id="comparison-list",
    ),
    pytest.param(
        [(EXPECT, "fallbacks: ' '")],
        "14: `expect.fallbacks`: ` ` is not a whole number; write `600`, `400k` or `1M`; a comparison "
        "looks like `>= 1`.",
        id="comparison-empty",
    ),
    pytest.param(
        [(EXPECT, "fallbacks: '>= many'")],
        "14: `expect.fallbacks`: `many` is not a whole number; write `600`, `400k` or `1M`; a comparison "
        "looks like `>= 1`.",
        id="comparison-number",
    ),
    pytest.param(
        [(EXPECT, "breaker.openai: open")],
        "14: `expect.breaker.openai`: must be a list of states such as `[closed, open, half_open, "
        "closed]`, or `{exactly: [...]}`.",
        id="states-text",
    ),
    pytest.param(
        [(EXPECT, "latency.p42: '<= 2s'")],
        "14: `expect.latency.p42`: unknown measure `p42`.\nKnown measures: p50, p95, p99, max.",
        id="measure",
    ),
    pytest.param(
        [(EXPECT, "faults_fired.outtage: 1")],
        "14: `expect.faults_fired.outtage`: unknown fault rule `outtage`. Did you mean `outage`?\nKnown "
        "fault rules: outage.",
        id="rule-name",
    ),
    pytest.param(
        [(EXPECT, "attempts.opnai: 1")],
        "14: `expect.attempts.opnai`: unknown provider `opnai`. Did you mean `openai`?\nKnown providers: "
        "openai, anthropic.",
        id="check-provider",
    ),
    pytest.param(
        [("chain:\n", "chain:\n  circuit_breaker: null\n"), (EXPECT, "breaker.openai: [open]")],
        "15: `expect.breaker.openai`: the chain's circuit breakers are switched off.\nTo fix: `chain: "
        "{circuit_breaker: {...}}`.",
        id="breaker-off",
    ),
    pytest.param(
        [(OPENAI, "openai: {latency: {}}")],
        "4: `providers.openai.latency`: takes either `total`, or `ttft` and `tokens_per_second`.",
        id="latency-none",
    ),
    pytest.param(
        [(OPENAI, "openai: {latency: {total: 1s, ttft: 1s}}")],
        "4: `providers.openai.latency`: takes either `total`, or `ttft` and `tokens_per_second`.",
        id="latency-both",
    ),
    pytest.param(
        [(OPENAI, "openai: {latency: {total: {uniform: {low: 1s, high: 2s}, gamma: {mean: 1s}}}}")],
        "4: `providers.openai.latency.total`: must have exactly one of the keys `lognormal`, `uniform`, `gamma`.",
        id="latency-two-distributions",
    ),
    pytest.param(
        [(OPENAI, "openai: {latency: {total: {lognormal: {median: 2s, p99: 1s}}}}")],
        "4: `providers.openai.latency.total`: Lognormal needs 0 < median <= p99, got median=2.0, p99=1.0.",
        id="latency-lognormal",
    ),
    pytest.param(
        [(OPENAI, "openai: {latency: {tokens_per_second: 0}}")],
        "4: `providers.openai.latency`: `tokens_per_second` must be above 0.",
        id="latency-tps",
    ),
    pytest.param(
        [(OPENAI, "openai: {limits: {}}")],
        "4: `providers.openai.limits`: needs `rpm`, `tpm`, `rpd` or `concurrent`.",
        id="limits-none",
    ),
    pytest.param(
        [(OPENAI, "openai: {limits: {rpm: 0}}")],
        "4: `providers.openai.limits.rpm`: `0` is below 1.",
        id="limits-zero",
    ),
    pytest.param(
        [(OPENAI, "openai: {price: {input: 1, output: 2}}")],
        "4: `providers.openai`: `price` needs a `model`, whose price it is.",
        id="price-no-model",
    ),
    pytest.param(
        [(OPENAI, "openai: {model: m, price: {input: -1, output: 2}}")],
        "4: `providers.openai.price.input`: `-1` is not an amount of US dollars; write `25.00`.",
        id="price-negative",
    ),
    pytest.param(
        [(OPENAI, "openai: {dialect: opena}")],
        "4: `providers.openai.dialect`: unknown dialect `opena`. Did you mean `openai`?\nKnown dialects: "
        "openai, anthropic, azure, bedrock, cohere, deepseek, gemini, groq, huggingface, mistral, near_ai, ollama, "
        "openai_compatible, openrouter, perplexity, tinfoil, together_ai, vertex, vllm, xai.",
        id="dialect",
    ),
    pytest.param(
        [(OPENAI, "openai: {base_url: ''}")],
        "4: `providers.openai.base_url`: must not be empty.",
        id="base-url",
    ),
    pytest.param(
        [("providers:\n  openai: {model: gpt-4o}\n  anthropic: {model: claude-sonnet-4-5}", "providers: {}")],
        "3: `providers`: needs at least one provider, such as `openai: {}`.",
        id="no-providers",
    ),
    pytest.param(
        [(OPENAI, "openai: gpt-4o")],
        "4: `providers.openai`: must be a mapping with the keys `model`, `dialect`, `base_url`, "
        "`limits`, `latency`, `price`, `answer`, `plays`.",
        id="provider-not-mapping",
    ),
    pytest.param(
        [(CHAIN, "")],
        "1: a scenario has either a `chain` or a `target`; neither is given.\nTo fix: `chain: {providers: "
        "[...]}` runs ours, `target: module:callable` runs your own app.",
        id="neither",
    ),
    pytest.param(
        [(CHAIN, "target: my app\n")],
        "6: `target`: `my app` is not of the form `module:callable`, as in `myapp.agent:ask`.",
        id="target-form",
    ),
    pytest.param(
        [(CHAIN, "target: app:ask\nbudget: {max_cost_per_day: 1}\n")],
        "7: `budget` limits a chain; a `target` has budgets of its own.",
        id="target-budget",
    ),
    pytest.param(
        [(CHAIN, "target: app:ask\n"), (EXPECT, "breaker.openai: [open]")],
        "11: `expect.breaker.openai`: the circuit breakers of a `target` cannot be seen.",
        id="target-breaker",
    ),
    pytest.param(
        [(CHAIN, "target: app:ask\n"), (EXPECT, "ttft.p50: '<= 1s'")],
        "11: `expect.ttft.p50`: the first token of a `target` cannot be seen.",
        id="target-ttft",
    ),
    pytest.param(
        [("chain:\n", "budget: {max_cost_per_day: 1}\nchain:\n  budget: {max_cost_per_day: 1}\n")],
        "6: `budget` is given twice, here and in `chain`.\nTo fix: keep one of the two.",
        id="budget-twice",
    ),
    pytest.param(
        [("chain:\n", "budget: {max_cost_per_day: lots}\nchain:\n")],
        "6: `budget.max_cost_per_day`: `lots` is not an amount of US dollars; write `25.00`.",
        id="budget-money",
    ),
    pytest.param(
        [
            (
                "  providers:\n    - {provider: openai}\n    - {provider: anthropic, trigger: any_error}",
                "  providers: []",
            )
        ],
        "6: `chain`: `providers` needs at least one provider, such as `- provider: openai`.",
        id="chain-empty",
    ),
    pytest.param(
        [
            (
                "  providers:\n    - {provider: openai}\n    - {provider: anthropic, trigger: any_error}",
                "  providers: {provider: openai}",
            )
        ],
        "7: `chain.providers`: must be a list.",
        id="chain-mapping",
    ),
    pytest.param(
        [(SLOT, "- {provider: 5}")],
        "9: `chain.providers[1].provider`: `5` is not the name of a provider.",
        id="slot-provider-type",
    ),
    pytest.param(
        [(SLOT, "- {provider: anthropic, trigger: any_eror}")],
        "9: `chain.providers[1].trigger`: unknown trigger `any_eror`. Did you mean `any_error`?\nKnown "
        "triggers: any_error, never, default, mofa.",
        id="trigger",
    ),
    pytest.param(
        [(SLOT, "- {provider: anthropic, trigger: [rate_limited]}")],
        "9: `chain.providers[1].trigger`: must be `any_error`, `never`, `default`, or `{conditions: "
        "[rate_limited, ...]}`.",
        id="trigger-form",
    ),
    pytest.param(
        [(SLOT, "- {provider: anthropic, trigger: {conditions: [rate_limted]}}")],
        "9: `chain.providers[1].trigger`: unknown condition `rate_limted`. Did you mean "
        "`rate_limited`?\nKnown conditions: rate_limited, quota_exceeded, network_error, timeout, "
        "auth_error, provider_unavailable, context_length_exceeded, model_not_found, server_error.",
        id="trigger-condition",
    ),
    pytest.param(
        [(SLOT, "- {provider: anthropic, trigger: {conditions: []}}")],
        "9: `chain.providers[1].trigger`: `conditions` is empty; write `trigger: never`.",
        id="trigger-empty",
    ),
    pytest.param(
        [("chain:\n", "chain:\n  circuit_breaker: moffa\n")],
        "7: `chain.circuit_breaker`: unknown preset `moffa`. Did you mean `mofa`?\n"
        "Known presets: mofa, ironclaw, llmkit, caxton.",
        id="preset",
    ),
    pytest.param(
        [(SLOT, "- {provider: anthropic, priority: high}")],
        "9: `chain.providers[1].priority`: `high` is not a whole number.",
        id="priority",
    ),
    pytest.param(
        [("chain:\n", "chain:\n  retry: {max_attempts: 3, max_retries: 2}\n")],
        "7: `chain.retry`: takes `max_attempts` or `max_retries`, not both.",
        id="retry-twice",
    ),
    pytest.param(
        [("chain:\n", "chain:\n  circuit_breaker: {cooldown_secs: 3, recovery_timeout: 2}\n")],
        "7: `chain.circuit_breaker`: takes `cooldown_secs` or `recovery_timeout`, not both.",
        id="breaker-twice",
    ),
    pytest.param(
        [("chain:\n", "chain:\n  retry: {jitter: sometimes}\n")],
        "7: `chain.retry.jitter`: `sometimes` is neither `true` nor `false`, nor one of `none`, `equal`, "
        "`full`, `quarter`, nor a duration.",
        id="jitter",
    ),
    pytest.param(
        [("chain:\n", "chain:\n  retry: {multiplier: big}\n")],
        "7: `chain.retry.multiplier`: `big` is not a number of 0 or more.",
        id="multiplier",
    ),
    pytest.param(
        [("name: small", "name: 5")],
        "2: `name`: `5` is not a text; put it in quotes.",
        id="text-number",
    ),
    pytest.param(
        [("name: small", "name: true")],
        "2: `name`: `true` is not a text; put it in quotes.",
        id="text-bool",
    ),
    pytest.param(
        [(LOAD, "load: {duration: 1m}")],
        "10: `load`: needs exactly one of `profile`, `rate`, `stages`, `users`, `trace`; none is given.",
        id="load-none",
    ),
    pytest.param(
        [(LOAD, "load: {rate: 5/s, users: 3, duration: 1m}")],
        "10: `load`: needs exactly one of `profile`, `rate`, `stages`, `users`, `trace`; `rate` and `users` are given.",
        id="load-two",
    ),
    pytest.param(
        [(LOAD, "load: {rate: 5/s, think: 2s, duration: 1m}")],
        "10: `load`: `think` goes with `users`, not with `rate`.",
        id="load-key",
    ),
    pytest.param(
        [(LOAD, "load: {rate: 5/s, duration: 0}")],
        "10: `load`: `duration` must be longer than 0.",
        id="load-zero-duration",
    ),
    pytest.param(
        [(LOAD, "load: {rate: 0/s, duration: 1m}")],
        "10: `load`: `rate`, `speed` and `cv` must be above 0.",
        id="load-zero-rate",
    ),
    pytest.param(
        [(LOAD, "load: {rate: 5/s, duration: 1m, cv: 2}")],
        "10: `load`: `cv` and `arrivals: gamma` go together.",
        id="load-cv",
    ),
    pytest.param(
        [(LOAD, "load: {rate: 5/s, duration: 1m, arrivals: poison}")],
        "10: `load.arrivals`: unknown arrival `poison`. Did you mean `poisson`?\nKnown arrivals: "
        "constant, poisson, gamma.",
        id="load-arrivals",
    ),
    pytest.param(
        [(LOAD, "load: {stages: [{duration: 0, rate: 1/s}]}")],
        "10: `load.stages[0]`: `duration` must be longer than 0.",
        id="load-stage-zero",
    ),
    pytest.param(
        [(LOAD, "load: {stages: [{duration: 1m, rate: 0/s}]}")],
        "10: `load`: `stages` must hold a stage with a rate above 0.",
        id="load-stages-nothing",
    ),
    pytest.param(
        [(LOAD, "load: {rate: 5, duration: 1m}")],
        "10: `load.rate`: `5` is not a rate; write `5/s`, `600/min` or `100/h`.",
        id="load-rate-number",
    ),
    pytest.param(
        [(LOAD, "load: {rate: fast/s, duration: 1m}")],
        "10: `load.rate`: `fast/s` is not a rate; write `5/s`, `600/min` or `100/h`.",
        id="load-rate-word",
    ),
    pytest.param(
        [(LOAD, "load: {rate: 5/s, duration: [1m]}")],
        "10: `load.duration`: `['1m']` is not a duration; write a number with a unit: `250ms`, `20s`, `5m`, `1h`.",
        id="duration-list",
    ),
    pytest.param(
        [(LOAD, "load: {rate: 5/s, duration: soon}")],
        "10: `load.duration`: `soon` is not a duration; write a number with a unit: `250ms`, `20s`, `5m`, `1h`.",
        id="duration-word",
    ),
    pytest.param(
        [(LOAD, "load: {rate: 5/s, duration: 1m, stream: maybe}")],
        "10: `load.stream`: `maybe` is neither `true` nor `false`.",
        id="stream-word",
    ),
    pytest.param(
        [("name: small", "name: small\nseed: lucky")],
        "3: `seed`: `lucky` is not a whole number; write `600`, `400k` or `1M`.",
        id="seed",
    ),
    pytest.param(
        [("name: small", "name: [small")],
        "3: not valid YAML: expected ',' or ']', but got ':' while parsing a flow sequence.",
        id="not-yaml",
    ),
    pytest.param(
        [("name: small", "name: sm\x07all")],
        "2: not valid YAML: the character 0x0007 is not allowed.",
        id="not-yaml-bytes",
    ),
    pytest.param(
        [("name: small", "name: small\n[a, b]: c")],
        "3: a key must be a text, not a list or mapping.",
        id="key-list",
    ),
    pytest.param(
        [("name: small", "name: &a [*a]")],
        "2: an alias contains itself.",
        id="alias-loop",
    ),
    pytest.param(
        [("name: small", "<<: 5\nname: small")],
        "2: `<<` merges mappings only.",
        id="merge-list",
    ),
    pytest.param(
        [("gpt-4o", "'${not a name}'")],
        "4: `${not a name}` is not a reference to a variable; write `${NAME}` or `${NAME:-default}`.",
        id="variable-form",
    ),
]


@pytest.mark.parametrize(("changes", "expected"), CASES)
def test_a_wrong_value_gets_one_clear_error(tmp_path, monkeypatch, changes, expected):
    """Each mistake is reported with its line, its key, and what would be right there."""
    text = GOOD
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    assert message_of(tmp_path, monkeypatch, text) == f"bad.yaml:{expected}"


@pytest.mark.parametrize(("text", "kind"), [("just words", "a text"), ("5", "a number"), ("true", "true or false")])
def test_a_value_alone_is_no_scenario(tmp_path, monkeypatch, text, kind):
    """A file that is one value says what it must be."""
    assert message_of(tmp_path, monkeypatch, text) == (
        f"bad.yaml:1: the file must be a mapping of keys to values, not {kind}."
    )


def test_lists_without_end(tmp_path, monkeypatch):
    """A file that nests deeper than anything readable is refused, not followed."""
    text = GOOD.replace("name: small", "name: " + "[" * 3_000)
    assert message_of(tmp_path, monkeypatch, text) == (
        "bad.yaml: not valid YAML: lists or mappings are nested too deeply."
    )


def test_aliases_that_multiply(tmp_path, monkeypatch):
    """A few lines of aliases that unfold to millions of values are refused before they fill the memory."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert "an alias unfolds to more than " in message_of(tmp_path, monkeypatch, "\n".join(lines))


def test_aliases_and_merges_are_read(tmp_path, monkeypatch):
    """Anchors, aliases and `<<` save repetition; what is written out wins over what is merged."""
    monkeypatch.chdir(tmp_path)
    text = GOOD.replace("openai: {model: gpt-4o}", "openai: &one {model: gpt-4o, limits: {rpm: 5}}").replace(
        "anthropic: {model: claude-sonnet-4-5}", "anthropic: {<<: [*one], model: claude-sonnet-4-5}"
    )
    (tmp_path / "good.yaml").write_text(text)
    openai, anthropic = load_scenario("good.yaml").providers
    assert (openai.model, openai.rpm) == ("gpt-4o", 5)
    assert (anthropic.model, anthropic.rpm) == ("claude-sonnet-4-5", 5)


def test_variables_with_and_without_defaults(tmp_path):
    """`${NAME}` reads the environment, `:-` gives a default for what is unset or empty, and `$$` is a dollar."""
    path = tmp_path / "good.yaml"
    path.write_text(GOOD.replace("gpt-4o", '"${MODEL:-small}-$${x}-${EMPTY}-${EMPTY:-none}"'))
    assert load_scenario(path, environment={"EMPTY": ""}).providers[0].model == "small-${x}--none"
    assert load_scenario(path, environment={"EMPTY": "", "MODEL": "big"}).providers[0].model == "big-${x}--none"


def test_a_scenario_in_json_may_be_indented_with_tabs(tmp_path):
    """JSON is read too, with whatever indentation it has."""
    path = tmp_path / "good.json"
    path.write_text(
        '{\n\t"version": 1, "name": "small", "providers": {"openai": {}},\n'
        '\t"chain": {"providers": [{"provider": "openai"}]}, "load": {"rate": "5/s", "duration": "1m"}\n}'
    )
    assert load_scenario(path).load.rate == 5.0


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    """What the system says about a file that cannot be opened is passed on, with its name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    with pytest.raises(ScenarioError) as caught:
        load_scenario("loop.yaml")
    assert str(caught.value) == "loop.yaml: cannot be read: Too many levels of symbolic links."


def test_a_file_in_a_folder_that_does_not_exist(tmp_path, monkeypatch):
    """The missing folder is named beside the missing file."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ScenarioError) as caught:
        load_scenario("nowhere/x.yaml")
    assert str(caught.value) == "nowhere/x.yaml: no such file (the folder `nowhere` does not exist either)."
