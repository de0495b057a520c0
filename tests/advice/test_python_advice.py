"""What our texts advise is taken word for word, in the situation that they are about: it works, or the test fails."""

import re

import pytest

from tests.advice.advice_in_the_code import all_advice
from tests.advice.provoking import (
    Refused,
    advice_of,
    argument,
    by_hand,
    calls_in,
    inside,
    keywords_in,
    run,
    without,
    written,
)
from tests.advice.situations import SITUATIONS
from tests.advice.untaken import UNTAKEN

ON_A_CLOCK_OF_ITS_OWN = """
llm_sim.stop()
class Own:
    name = "own"
    def complete(self, prompt: str) -> str:
        return "Hi"
chain = FallbackChain([Own()], hedging=HedgingConfig(delay=2.0))
request = CompletionRequest.ask("Hi")
async def story():
    {ask}
run_virtual(story(), VirtualClock())
"""
ASYNCHRONOUS_SOURCE = """
async def look_up(need):
    return ["found"]
request = CompletionRequest.ask("Hi")
assembler = ContextAssembler(sources=[ContextSource("wiki", look_up)])
"""
SETUP = "handle.echoes()\n"
PROMPTED = (
    "handle.replies('[1]', times=None)\n"
    "layers = Pipeline(place_layers=(BREAKER, PromptRetry(json.loads), RETRY))\n"
    "chain = FallbackChain([handle.as_provider('m')], pipeline=layers"
)
CASES = {
    # the cache
    "cache": Refused("FallbackChain([handle.as_provider('m')], cache=True)", argument),
    "cache-settings": Refused("ResponseCache({'ttl': 3})"),
    "cache-store": Refused(
        "import os, tempfile\nos.chdir(tempfile.mkdtemp())\nResponseCache(store='answers.db')", argument
    ),
    "cache-embedder": Refused("ResponseCacheConfig(embedder=3)", argument),
    "cache-field": Refused("ResponseCacheConfig(exclude_fields=['temprature'])", argument),
    "cache-fields": Refused(
        "ResponseCacheConfig(exclude_fields='seed')", by_hand("ResponseCacheConfig(exclude_fields=['seed'])")
    ),
    "cache-messages": Refused(
        "ResponseCacheConfig(exclude_fields=['messages', 'seed'])",
        by_hand("ResponseCacheConfig(exclude_fields=['seed'])"),
    ),
    "cache-invalidate": Refused("cache = ResponseCache()\ncache.invalidate()"),
    # cassettes
    "cassette-age": Refused("from llmtest.cassettes import Staleness\nStaleness(max_age='90')", argument),
    "cassette-today": Refused("from llmtest.cassettes import Staleness\nStaleness(today='soon')", argument),
    # conversations and windows
    "context": Refused("FallbackChain([handle.as_provider('m')], context=True)", argument),
    "context-limits": Refused(
        "FallbackChain([handle.as_provider('m')], "
        "context=TokenBudgetConfig(budget=BudgetConfig(max_tokens_per_session=5)))",
        by_hand(
            "FallbackChain([handle.as_provider('m')], budget=BudgetConfig(max_tokens_per_session=5), "
            "context=TokenBudgetConfig())"
        ),
    ),
    "context-window": Refused("TokenBudgetConfig(context_window_tokens=0)"),
    "context-threshold": Refused("TokenBudgetConfig(auto_summarize_threshold=2)"),
    "context-on-failure": Refused("TokenBudgetConfig(on_failure='panic')"),
    "context-budget": Refused("TokenBudgetConfig(budget=5)"),
    "session-nothing": Refused("handle.echoes()\nsession = ChatSession(handle.as_provider('m'))\nsession.send([])"),
    "session-option": Refused("provider = handle.as_provider('m')\nChatSession(provider, temprature=1)"),
    "agent-id": Refused("builder = LLMAgentBuilder()\nbuilder.with_id('')"),
    "agent-window": Refused("builder = LLMAgentBuilder()\nbuilder.with_sliding_window(0)"),
    "agent-budget": Refused("builder = LLMAgentBuilder()\nbuilder.with_token_budget_config(8192)"),
    "agent-nobody": Refused(
        "provider = handle.as_provider('m')\nbuilder = LLMAgentBuilder()\nbuilder.build()",
        by_hand(
            "provider = handle.as_provider('m')\nbuilder = LLMAgentBuilder()\n"
            "builder.with_provider(provider)\nbuilder.build()"
        ),
    ),
    # contexts
    "assembly-budget": Refused("ContextAssembler(max_context_tokens=0)"),
    "assembly-threshold": Refused("ContextAssembler(redundancy_threshold=2)"),
    "assembly-failure": Refused("ContextAssembler(on_source_failure='panic')"),
    "assembly-requirements": Refused("ContextAssembler({'conversation_depth': 3})"),
    "assembly-sources": Refused("ContextAssembler(sources=['notes'])"),
    "assembly-provider": Refused("provider = handle.as_provider('m')\nAssembledProvider(provider, 3)"),
    "assembly-item": Refused("ContextItem(text='')"),
    "assembly-relevance": Refused("ContextItem(text='Users prefer charts', relevance=2)"),
    "assembly-depth": Refused("ContextRequirements(conversation_depth=-1)"),
    "assembly-results": Refused("MemorySearch(max_results=0)"),
    "assembly-format": Refused("ContextFormat(layout='table')"),
    "assembly-variable": Refused(
        "request = CompletionRequest.ask('Hi')\n"
        "needs = ContextRequirements(memory_search=MemorySearch(query_template='like {{team}}'))\n"
        "assembler = ContextAssembler(needs)\nassembler.assemble(request)"
    ),
    "assembly-answer": Refused(
        "request = CompletionRequest.ask('Hi')\n"
        "ContextAssembler(sources=[ContextSource('wiki', lambda need: 3)]).assemble(request)",
        inside,
    ),
    "assembly-world": Refused(
        ASYNCHRONOUS_SOURCE + "assembler.assemble(request)",
        by_hand(
            ASYNCHRONOUS_SOURCE + "async def story():\n    await assembler.assemble_async(request)\n"
            "llm_sim.stop()\nrun_virtual(story(), VirtualClock())"
        ),
    ),
    # orders
    "order": Refused("FallbackChain([handle.as_provider('m')], order='mofa', retry=RetryConfig())", argument),
    "order-said-twice": Refused(
        "FallbackChain([handle.as_provider('m')], order='ironclaw', on_all_open='try_oldest')", without()
    ),
    "order-of-mofa": Refused(
        "strict_mofa([handle.as_provider('m')], order='mofa')", by_hand("strict_mofa([handle.as_provider('m')])")
    ),
    # metrics and spans
    "spans-view": Refused('OpenTelemetrySpans(view="requests").start()'),
    # hedging and limits
    "hedging": Refused("FallbackChain([handle.as_provider('m')], hedging=True)", argument),
    "hedging-nothing": Refused("HedgingConfig()"),
    "hedging-next": Refused(
        "FallbackChain([handle.as_provider('m')], hedging=HedgingConfig(delay=2.0, to='next'))",
        by_hand("FallbackChain([handle.as_provider('m')], hedging=HedgingConfig(delay=2.0, to='same'))"),
    ),
    "hedging-alone": Refused(
        ON_A_CLOCK_OF_ITS_OWN.format(ask="chain.complete(request)"),
        by_hand(
            ON_A_CLOCK_OF_ITS_OWN.format(ask="await chain.complete_async(request)"),
            "llm_sim.stop()\nwith Simulation() as sim:\n    sim.openai.echoes()\n"
            "    chain = FallbackChain([sim.openai.as_provider('m')], hedging=HedgingConfig(delay=2.0))\n"
            "    chain.complete(CompletionRequest.ask('Hi'))",
        ),
    ),
    "rate-limit": Refused("FallbackChain([handle.as_provider('m')], rate_limit=3)", argument),
    "rate-limit-nothing": Refused("RateLimitConfig(learn=False)"),
    # state that is shared
    "shared": Refused("FallbackChain([handle.as_provider('m')], shared=True)", argument),
    # health
    "health": Refused("FallbackChain([handle.as_provider('m')], health=True)", argument),
    "health-nothing": Refused("HealthConfig(active=False, passive=False)"),
    "health-alerts": Refused("HealthConfig(alerts=True)"),
    # routing
    "routing": Refused("FallbackChain([handle.as_provider('m')], routing=True)", argument),
    "routing-cascade": Refused("SmartRoutingConfig(cascade_on='error')", argument),
    "routing-settings": Refused(
        "primary, cheap = handle.as_provider('gpt-4o'), handle.as_provider('gpt-4o-mini')\n"
        "SmartRoutingProvider(primary, cheap, 3)"
    ),
    "routing-the-wrong-way": Refused(
        "SmartRoutingProvider(handle.as_provider('gpt-4o-mini'), handle.as_provider('gpt-4o'))",
        by_hand("SmartRoutingProvider(primary=handle.as_provider('gpt-4o'), cheap=handle.as_provider('gpt-4o-mini'))"),
    ),
    "router": Refused(
        "import os, pathlib, tempfile\nos.chdir(tempfile.mkdtemp())\n"
        "config = '[[providers]]\\nprovider = \"ollama\"\\n'\n"
        "pathlib.Path('llm-providers.toml').write_text(config)\nLLMRouter.load_from_config(3)"
    ),
    "router-of-nobody": Refused(
        "LLMRouter().route(TaskContext())",
        by_hand(
            "router = LLMRouter()\nrouter.register_provider('m', handle.as_provider('m'))\nrouter.route(TaskContext())"
        ),
    ),
    # faults
    "slow-first-token": Refused("SlowFirstToken(seconds=-1)"),
    "stalled": Refused("StreamStalled(after_chunks=2, seconds=-1)"),
    "stream-error": Refused("StreamError(after_chunks=2, error=Timeout())"),
    "malformed": Refused("StreamMalformed(after_chunks=2, continues='yes')"),
    "count": Refused("StreamDropped(after_chunks=-1)"),
    "phase": Refused("Timeout(phase='write')"),
    "fault-status": Refused("QuotaExceeded(status=500)"),
    "fault-header": Refused("RateLimited(headers={'x note': 'one'})", argument),
    "reply-header": Refused("Reply('a', headers={'x note': 'one'})"),
    "json-header": Refused("Json({}, headers={'x note': 'one'})", argument),
    "fault-header-value": Refused(
        "RateLimited(headers={'x-note': 'ü'})", by_hand("RateLimited(headers={'x-note': 'u'})")
    ),
    "fault-header-length": Refused("RateLimited(headers={'content-length': '3'})"),
    "fault-headers": Refused("RateLimited(headers=3)", argument),
    "status-of-none": Refused("fails(status=200)", argument),
    "retry-after": Refused("RateLimited(retry_after=-1)"),
    "rate-limit-of-what": Refused("RateLimited(limit='weekly')"),
    "retry-after-word": Refused("RateLimited(retry_after='soon')"),
    "retry-after-seconds": Refused("RateLimited(retry_after='date', seconds=-3)"),
    "retry-after-of-an-error": Refused("ServerError(status=503, retry_after=-1)"),
    "retry-after-of-an-overload": Refused("Overloaded(retry_after=-1)"),
    "two-waits": Refused("RateLimited(retry_after=3, seconds=4)"),
    "server-error": Refused("ServerError(status=404)"),
    "rule-fault": Refused("strike(fault='timeout')", argument),
    "rule-times": Refused("strike(times=0)", argument),
    "rule-probability": Refused("strike(probability=2)", argument),
    "rule-calls": Refused("strike(calls=(3, 1))", argument),
    "rule-at": Refused("strike(at_ns=-1)", argument),
    "rule-where": Refused("strike(where={'modle': 'x'})", by_hand("strike(where={'model': 'x'})")),
    "edit-nothing": Refused("WireEdit()"),
    "edit-keep-alive": Refused("WireEdit(keep_alive=-1)", inside),
    "edit-before": Refused("WireEdit(before='x' * 3, comment=1)", by_hand("WireEdit(before=b'\\n\\n')")),
    "edit-repeat": Refused("WireEdit(repeat='x')"),
    "edit-before-what": Refused("WireEdit(before=3)"),
    "edit-at": Refused("WireEdit(comment='x', at='first')"),
    "edit-comment": Refused("WireEdit(comment=3)"),
    "message": Refused("CompletionRequest('hi')"),
    "message-mapping": Refused("CompletionRequest([{'role': 'user', 'content': 'hi'}])"),
    "edit-value": Refused("WireEdit(set={'a': {1, 2}})", by_hand("WireEdit(set={'a': [1, 2]})")),
    "two-keep-alives": Refused("WireEdit(keep_alive=5, comment=3)", by_hand("WireEdit(keep_alive=5)")),
    # scripts
    "no-reply": Refused("replies()"),
    "no-call": Refused("calls_tools()"),
    "no-fault": Refused("fails(openai.RateLimitError)"),
    "fault-and-status": Refused(
        "fails(fault=faults.Timeout(), status=503)", lambda code, _: without("fault", "status")(code, "")
    ),
    "no-reply-but-json": Refused("replies({'city': 'Paris'})"),
    "times": Refused("replies('a', times=0)", argument),
    "after-for-ever": Refused(
        "replies('a', times=None)\nreplies('b')",
        by_hand("replies('a', times=2)\nreplies('b')", "replies('b')\nreplies('a', times=None)"),
    ),
    "for-and-times": Refused(
        "fails(Timeout(), times=3, for_='60s')", lambda code, _: without("times", "for_")(code, "")
    ),
    "for": Refused("fails(Timeout(), for_='soon')", lambda code, advice: argument(code, advice.partition(",")[0])),
    "when-nothing": Refused("when()"),
    "turn": Refused("when(turn=0)"),
    "words": Refused("generates(words=0)"),
    "on": Refused("on('POST', 'v1/images')"),
    "window": Refused("context_window(0)"),
    "limits": Refused("limits()"),
    "limit": Refused("limits(rpm=0)"),
    "latency": Refused("latency(-1)"),
    "latency-mixed": Refused("latency(1, ttft=2)"),
    "latency-nothing": Refused("latency()"),
    "latency-parts": Refused("latency(tokens_per_second=0)"),
    "uniform": Refused("Uniform(low=3, high=1)"),
    "lognormal": Refused("Lognormal(median=3, p99=1)"),
    "gamma": Refused("Gamma(mean=0, cv=-1)"),
    "fragmentation": Refused("Reply('a', fragmentation='pieces')", argument),
    "finish-reason": Refused("Reply('a', finish_reason='enough')"),
    "chunks-and-text": Refused("Reply('a', chunks=['b'])", by_hand("Reply(chunks=['b'])")),
    "reply-edit": Refused("Reply('a', edit='x')"),
    "reply-fault": Refused("Reply('a', fault='x')"),
    "reply-abort": Refused("replies(Reply('a', fault=Timeout()))"),
    "reply-events": Refused(
        "Reply('a', events=[{}])",
        lambda code, _: ["Reply(events=[{}])", "Reply('a', edit=faults.WireEdit(comment='x'))"],
    ),
    "embedding": Refused("Embedding(['a'])"),
    "json": Refused("Json({1, 2})", by_hand("Json([1, 2])")),
    "json-status": Refused("Json({}, status=99)", argument),
    "raw": Refused("Raw(body={'a': 1})"),
    "wordless": Refused("llm_sim.openai.replies(Reply('a', finish_reason='unknown'))", inside),
    "allow": Refused("llm_sim.allow('https://example.org/v1')", lambda code, advice: [advice.partition(", or")[0]]),
    "place": Refused("handle.at('localhost:8000')", by_hand("handle.at('http://localhost:8000')")),
    "two-dialects": Refused(
        "llm_sim.provider('x', dialect='openai')\nllm_sim.provider('x', dialect='anthropic')",
        by_hand("llm_sim.provider('x', dialect='openai')\nllm_sim.provider('y', dialect='anthropic')"),
    ),
    "two-rules": Refused(
        "llm_sim.world.add_fault_rule(strike())\nllm_sim.world.add_fault_rule(strike())",
        by_hand("llm_sim.world.add_fault_rule(strike())\nllm_sim.world.add_fault_rule(strike(name='other'))"),
    ),
    "no-schema": Refused(
        "generates()\nask(response_format={'type': 'json_schema', 'json_schema': {'name': 'x', 'schema': "
        "{'type': 'string', 'enum': []}}})",
        lambda code, advice: [code.replace("generates()", call) for call in calls_in(advice)[:1]],
    ),
    "broken-function": Refused("replies(lambda request: 7)\nask()", by_hand("replies(lambda request: '7')\nask()")),
    "broken-predicate": Refused(
        "when(predicate=lambda request: 1 / 0).replies('a')\nhandle.echoes()\nask()",
        by_hand("when(predicate=lambda request: True).replies('a')\nhandle.echoes()\nask()"),
    ),
    "unscripted": Refused("ask()", lambda code, advice: [f"{call}\n{code}" for call in calls_in(advice)]),
    "vectors": Refused(
        "replies(Embedding([[0.1], [0.2]]))\n"
        "openai.OpenAI(api_key='k', max_retries=0).embeddings.create(model='m', input='a')",
        inside,
    ),
    "edit-path": Refused(
        "replies(Reply('a', edit=WireEdit(drop='no.such')))\nask()",
        by_hand("replies(Reply('a', edit=WireEdit(drop='usage')))\nask()"),
    ),
    "events-whole": Refused(
        "replies(Reply(events=[{'a': 1}, b'data: [DONE]\\n\\n']))\nask()",
        by_hand("replies(Reply(text))\nask()"),
    ),
    "tokens-per-event": Refused("handle.as_provider(tokens_per_event=0)", argument),
    # assertions
    "attempts": Refused(
        f"{SETUP}ask()\nask()\nassert_attempts('openai')",
        lambda code, advice: [code.rpartition("\n")[0] + "\n" + call for call in calls_in(advice)],
    ),
    "retries": Refused("assert_retries()"),
    "count-bound": Refused("assert_attempts('openai', at_most=-1)", argument),
    "crossed": Refused(
        "assert_attempts('openai', at_least=3, at_most=1)", by_hand("assert_attempts('openai', at_most=1)")
    ),
    "in-flight": Refused("llm_sim.assert_max_in_flight('openai', n=-1)", argument),
    "waited": Refused("assert_waited()"),
    "waited-bound": Refused("assert_waited(at_most=-1)", argument),
    "no-state": Refused(
        "assert_breaker('openai')",
        lambda code, advice: [
            (
                "handle.echoes()\n"
                "chain = FallbackChain([handle.as_provider('m')], circuit_breaker=CircuitBreakerConfig())\n"
                f"chain.complete(CompletionRequest([ChatMessage.user(text)]))\n{calls_in(advice)[0]}"
            )
        ],
    ),
    "unknown-provider": Refused("assert_attempts('opneai', 0)", written),
    "provider-of-no-text": Refused("assert_attempts(7, 0)", written),
    "spend": Refused("assert_spend()"),
    "spend-float": Refused("assert_spend(at_most=-0.000001)", argument),
    "spend-word": Refused("assert_spend(at_most='five')", argument),
    "no-step": Refused("assert_sequence(exact=False)"),
    "step-without-outcome": Refused(f"{SETUP}ask()\nassert_sequence('openai-200')", written),
    "step-unknown-outcome": Refused(f"{SETUP}ask()\nassert_sequence('openai:2000')", written),
    "step-of-no-text": Refused(f"{SETUP}ask()\nassert_sequence(200)", written),
    "sequence": Refused(
        f"{SETUP}ask()\nask()\nassert_sequence('openai:200', 'openai:429')",
        by_hand(f"{SETUP}ask()\nask()\nassert_sequence('openai:200', 'openai:200', exact=False)"),
    ),
    "no-fallback": Refused(
        f"{SETUP}ask(model='a')\nask(model='b')\nllm_sim.assert_no_fallback()",
        by_hand(
            f"{SETUP}with llm_sim.call('one'):\n    ask(model='a')\nwith llm_sim.call('two'):\n    ask(model='b')\n"
            "llm_sim.assert_no_fallback()"
        ),
    ),
    "resilient": Refused(
        "handle.fails(RateLimited(retry_after=30), times=2).replies('a')\n"
        "with llm_sim.call('x'):\n    for _ in range(3):\n        try:\n            ask()\n"
        "        except Exception:\n            pass\n"
        "llm_sim.assert_resilient()",
    ),
    "reported-tokens": Refused(f"{SETUP}answer = ask()\nllm_sim.assert_reported(tokens='many')", argument),
    "date": Refused("Simulation(start='soon')", argument),
    # layer, costs, types, clock
    "azure-address": Refused("AzureOpenAIProvider(api_key='k', deployment='d')", argument),
    "azure-deployment": Refused("AzureOpenAIProvider(api_key='k', endpoint='https://r.openai.azure.com')", argument),
    "api": Refused("OpenAIProvider(model='m', api_key='k', api='respones')", argument),
    "format": Refused("ResponseFormat('xml')"),
    "format-schema": Refused("ResponseFormat('json_schema')"),
    "tool-result": Refused("ChatMessage.tool_result('id', 'weather', 'rain')"),
    "extra": Refused(
        "CompletionRequest([ChatMessage.user('x')], extra={'user': 'u'})",
        by_hand("CompletionRequest([ChatMessage.user('x')], extra={'openai': {'user': 'u'}})"),
    ),
    "trigger": Refused("FallbackTrigger.on()"),
    "text-for-a-request": Refused(f"{SETUP}chain = FallbackChain([handle.as_provider('m')])\nchain.complete('hi')"),
    "text-for-a-provider": Refused(f"{SETUP}provider = handle.as_provider('m')\nprovider.complete('hi')"),
    "mappings-for-a-request": Refused(
        f"{SETUP}chain = FallbackChain([handle.as_provider('m')])\n"
        "chain.complete([{'role': 'system', 'content': 'short'}, {'role': 'user', 'content': 'hi'}])"
    ),
    "messages-for-a-request": Refused(
        "chain = FallbackChain([handle.as_provider('m')])\nlist(chain.stream([ChatMessage.user('hi')]))"
    ),
    "stream-of-nothing": Refused(f"{SETUP}client = LLMClient(handle.as_provider('m'))\nclient.stream().start()"),
    "model-of-nobody": Refused("provider = handle.as_provider()\nprovider.model_metadata()"),
    "embedding-without-model": Refused(
        "provider = OpenAIProvider('sk-1')\nprovider.embed('hi')",
    ),
    "batch-of-nothing": Refused("provider = OpenAIProvider('sk-1')\nprovider.create_batch([])"),
    # retries
    "prompt-retry": Refused("PromptRetry('x')"),
    "retries-of-another": Refused("provider = handle.as_provider('m')\nRetryProvider(provider, 3)"),
    "circuit-of-another": Refused("provider = handle.as_provider('m')\nCircuitBreakerProvider(provider, 3)"),
    "prompt-retry-of-pieces": Refused(
        f"{PROMPTED})\nlist(chain.stream(CompletionRequest.ask('hi')))",
        by_hand(f"{PROMPTED}, stream_commit='end')\nlist(chain.stream(CompletionRequest.ask('hi')))"),
    ),
    "retry-on-nothing": Refused("RetryConfig(retry_on=[])"),
    "retry-on-hopeless": Refused("RetryConfig(retry_on=['auth_error'])"),
    "chain-of-none": Refused("FallbackChain([])", by_hand("FallbackChain([handle.as_provider('m')])")),
    "chain-of-twins": Refused(
        "one = handle.as_provider('m')\nFallbackChain([one, one])",
        by_hand("one = handle.as_provider('m')\nFallbackChain([one], retry=RetryConfig(max_attempts=2))"),
    ),
    "builder": Refused(
        "one, two = handle.as_provider('m'), llm_sim.anthropic.as_provider('n')\n"
        "FallbackChain.builder().add_last(one).add(two).build()",
        by_hand(
            "one, two = handle.as_provider('m'), llm_sim.anthropic.as_provider('n')\n"
            "FallbackChain.builder().add(one).add_last(two).build()"
        ),
    ),
    "build-chain": Refused(
        "build_chain('chain.yaml')", by_hand("build_chain({'providers': [{'provider': handle.as_provider('m')}]})")
    ),
    "budget": Refused("Budget('25.00')"),
    "guard": Refused("Budget().guard(3)", by_hand("Budget().guard()")),
    "limits-of-models": Refused("Budget(per_model=5)"),
    "limit-of-a-request": Refused("budget = Budget()\nbudget.at_most().__enter__()"),
    "timezone": Refused("Budget(timezone='Mars')", argument),
    "words-of-a-system": Refused(
        "error = BudgetExceededError(scope='day', unit='usd', limit=Decimal(1), spent=Decimal(1), "
        "reserved=Decimal(0), requested=Decimal(1))\nerror.in_words_of('mofo')",
    ),
    "sums-by": Refused("ledger = CostLedger()\nledger.by('modle')"),
    "sums-of-nothing": Refused("CostLedger(keep=False).by('model')", by_hand("CostLedger(keep=True).by('model')")),
    "limitless": Refused("llm_sim.budget()"),
    "kept-nowhere": Refused(
        "store = MemoryLedgerStore()\nCostLedger(keep=False, store=store)",
        by_hand("store = MemoryLedgerStore()\nCostLedger(store=store)", "CostLedger(keep=False)"),
    ),
    "negative-usage": Refused("Reply('a', usage=Usage(-1, 2))", by_hand("Reply('a', usage=Usage(12, 1))")),
    "tokenizer": Refused("Budget(tokenizer=3)", by_hand("Budget(tokenizer='o200k_base')")),
    "tokenizer-name": Refused("Budget(tokenizer='o200')", argument),
    "prices-in-use": Refused("use_prices('prices.toml').__enter__()"),
    "simulated-prices": Refused("simulated_prices('vapor')"),
    "chain-budget": Refused("FallbackChain([handle.as_provider('m')], budget='25.00')", argument),
    "budget-limits": Refused(
        "CostManagementPolicy(daily_limit_cents=300, daily_limit_usd=3)",
        lambda code, _: without("daily_limit_cents", "daily_limit_usd")(code, ""),
    ),
    "reserve": Refused(
        "Budget(BudgetConfig(max_cost_per_day='25.00')).reserve(500)",
        by_hand("Budget(BudgetConfig(max_cost_per_day='25.00')).reserve(Estimate(tokens=500, usd=Decimal('0.01')))"),
    ),
    "epoch": Refused("VirtualClock(datetime(2026, 1, 1))", by_hand("VirtualClock(datetime(2026, 1, 1, tzinfo=UTC))")),
    "advance": Refused("llm_sim.clock.advance(-1)", by_hand("llm_sim.clock.advance(0)")),
    "tokens": Refused("count_tokens(text, model='no-such-model', exact=True)"),
    "unknown-price": Refused(
        "prices = llm_sim.world.prices = Prices()\nreplies('x')\nask(model='no-such')\nassert_spend(at_most='1000')",
        lambda code, advice: [code.replace("\n", f"\n{calls_in(advice)[0]}\n", 1)],
    ),
    "policy-of-an-inner-chain": Refused(
        "inner = FallbackChain([handle.as_provider('m')])\nFallbackChain([inner], retry=RetryConfig())",
        lambda code, advice: [
            *without()(code, advice),
            f"{code.partition(chr(10))[0]}\nFallbackChain([{calls_in(advice)[0]}])",
        ],
    ),
    "weight-of-nothing": Refused("FallbackChain([FallbackSlot(provider=handle.as_provider('m'), weight=2)])", argument),
    "weights-of-nothing": Refused(
        "chain = FallbackChain([handle.as_provider('m')])\nchain.set_weights({'openai': 1})",
        lambda code, advice: [code.replace("])\n", f"], {calls_in(advice)[0].partition(', ')[2]}\n", 1)],
    ),
    "weights": Refused(
        "chain = FallbackChain([handle.as_provider('m')], strategy='weighted')\nchain.set_weights({'opena': 1})",
        lambda code, advice: [f"{code.partition(chr(10))[0]}\nchain.{calls_in(advice)[0]}"],
    ),
    "two-ledgers": Refused(
        "ledger, limits = CostLedger(), BudgetConfig()\n"
        "build_chain({'providers': [{'provider': handle.as_provider('m')}]}, ledger=ledger, budget=Budget(limits))",
        inside,
    ),
    "no-url": Refused(
        "llm_sim.strict = True\nllm_sim.vllm.replies('x')",
        lambda code, advice: [f"{code}\n{calls_in(advice)[0]}\nask(base_url='http://localhost:8000/v1')"],
    ),
    "two-at-once": Refused(
        "import asyncio\nhandle.echoes().latency(1)\nclient = openai.AsyncOpenAI(api_key='k')\n"
        "async def one(name):\n"
        "    await client.chat.completions.create(model='m', messages=[{'role': 'user', 'content': name}])\n"
        "async def main():\n    await asyncio.gather(one('a'), one('b'))\n"
        "llm_sim.run(main())\nassert_retries(at_most=1)",
        lambda code, advice: [
            code.replace("    await client", f"    {re.search(r'with .*:', advice)[0]}\n        await client")
        ],
    ),
    "run-outside": Refused(
        "import asyncio\nllm_sim.stop()\nllm_sim.run(asyncio.sleep(1))",
        by_hand("import asyncio\nllm_sim.stop()\nwith Simulation() as sim:\n    sim.run(asyncio.sleep(1))"),
    ),
    "missing-endpoint": Refused(
        "import httpx2\nhttpx2.post('https://api.openai.com/v1/evals', json={})",
        lambda code, advice: [code.replace("\n", f"\n{call}\n", 1) for call in calls_in(advice) if ".on(" in call],
    ),
    "blocked": Refused(
        "import httpx2\nhttpx2.post('https://llm.example.com/v1/chat/completions', json="
        "{'model': 'm', 'messages': [{'role': 'user', 'content': 'x'}]})",
        lambda code, advice: [code.replace("\n", f"\n{calls_in(advice)[0]}.echoes()\n", 1)],
    ),
    "time": Refused(
        "llmtest.Simulation(name='second').start()",
        by_hand("llm_sim.stop()\nsecond = llmtest.Simulation(name='second')\nsecond.start()\nsecond.stop()"),
    ),
}


CASES |= SITUATIONS


@pytest.mark.parametrize(("name", "case"), CASES.items(), ids=list(CASES))
def test_t19_what_is_advised_works(name, case):
    """Code is refused with an advice; taken word for word, the advice ends the refusal."""
    refused = run(case.code)
    assert refused is not None, "this was to be refused"
    text = str(refused)
    advice = advice_of(text)
    assert advice, f"no advice in: {text}"
    fixed = case.take(case.code, advice)
    assert fixed, f"nothing to take in: {advice}"
    for code in fixed:
        again = run(code)
        assert again is None, f"{text}\n\nof which this was taken:\n{code}\n\nwhich was refused as well: {again!r}"


def test_t19_every_advice_with_code_is_taken():
    """What the source can print as `To fix` with code in it is provoked by a case, or the table says what it needs."""
    printed = [advice_of(str(run(case.code))) for case in CASES.values()]
    untaken = {f"{file}: {words}" for file, lines in UNTAKEN.items() for words, _ in lines}
    known = set()
    for advice in all_advice():
        file, _, words = advice.name.partition(": ")
        name = f"{file}: {words.strip()}"
        if file.startswith("conduct/"):
            continue  # It is about the code under test, which is somebody else's to change.
        if name in untaken:
            known.add(name)
        elif calls_in(words) or keywords_in(words):
            assert any(advice.is_in(each) for each in printed), (
                f"nobody takes this advice ({file}:{advice.line}): {words.strip()}\n"
                "Write a case in CASES that provokes it; where it needs more than a world, say in untaken.py what."
            )
    assert untaken - known == set(), "these are gone from the source"
