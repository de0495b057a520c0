"""Advice that needs more than a call that is refused: threads, breakers, loops, files. Taken word for word."""

import re

from tests.advice.provoking import Refused, by_hand, calls_in, whole

__all__ = ["SITUATIONS"]


def last_line(code, advice):
    """Write the calls that are advised, one after the other, instead of the last line."""
    return ["\n".join([code.rpartition("\n")[0], *calls_in(advice)])]


def marked(code, advice):
    """Mark the calls of the app in the ways that are advised, each by itself."""
    block = re.search(r"(with llm_sim\.call\(.*\):)\n +(my_app\.summarise\(text\))", advice)
    fixed = [code.replace("    my_app.summarise(text)", f"    {block[1]}\n        {block[2]}")]
    wrapper = re.search(r"summarise = llm_sim\.call\(.*\)\(my_app\.summarise\)", advice)
    if wrapper is not None:
        fixed.append(code.replace("# here", wrapper[0]).replace("    my_app.summarise(", "    summarise("))
    return fixed


def watched_or_marked(code, advice):
    """Watch the breaker, or mark the calls."""
    return [code.replace("# here", f"# here\n{calls_in(advice)[0]}"), *marked(code, advice)]


def under_a_name(code, advice):
    """Watch the breaker under the name that is advised, and ask for that one."""
    watch, ask_for = calls_in(advice)
    before = code.replace("llm_sim.watch_breaker(breaker, provider='openai')", watch)
    return [before.rpartition("\n")[0] + "\n" + ask_for.replace("...", "'closed', 'open'")]


APP = """
from types import SimpleNamespace
def summarise(text):
    try:
        return ask(text)
    except openai.APIError:
        return None
my_app = SimpleNamespace(summarise=summarise)
"""
BREAKER = "import pybreaker\nbreaker = pybreaker.CircuitBreaker(fail_max=1{more})\n"
TWO_CASSETTES = """
import asyncio, contextvars, tempfile, threading
from pathlib import Path
from llmtest import use_cassette
from llmtest.interception import *
HERE = Path(tempfile.mkdtemp())
for name in "ab":
    (HERE / f"{name}.yaml").write_text('''
version: 1
interactions:
- request: {method: GET, uri: "https://api.example.org/v1", body: null, headers: {}}
  response: {status: {code: 200, message: OK}, headers: {}, body: {string: hello}}
''')
import httpx2
caught = []
def work():
    try:
        assert httpx2.get("https://api.example.org/v1").text == "hello"
    except BaseException as error:
        caught.append(error)
async def first(done):
    with use_cassette(HERE / "a.yaml"):
        await done.wait()
async def second(done):
    try:
        with use_cassette(HERE / "b.yaml"):
            WORK
    finally:
        done.set()
async def main():
    done = asyncio.Event()
    return await asyncio.gather(first(done), second(done), return_exceptions=True)
llm_sim.run(main())
if caught: raise caught[0]
"""
IN_THREAD = "thread = threading.Thread(target=TARGET); thread.start(); thread.join()"
COUNTED = """
llm_sim.world.prices = Prices()
llm_sim.world.prices.add("openai:gpt-4o", input_usd_per_mtok="500", output_usd_per_mtok="0")
handle.replies(Reply("x", usage=Usage(100, 20)))
ask()
assert_reported()"""
LEDGER = """
import sqlite3, tempfile, threading
path = tempfile.mkdtemp() + "/budget.db"
SqliteBudgetStore(path).close()
other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
other.execute("BEGIN IMMEDIATE")
# here
store = None
try:
    store = SqliteBudgetStore(path, timeout=0)
    Budget(BudgetConfig(max_cost_per_day=1), store=store).reserve(Estimate(tokens=1, usd=Decimal("0.01")))
finally:
    other.close()
    if store is not None:
        store.close()"""
LOCKED_ACCOUNT = (
    LEDGER.replace("SqliteBudgetStore", "SqliteLedgerStore")
    .replace("budget.db", "costs.db")
    .replace(
        'Budget(BudgetConfig(max_cost_per_day=1), store=store).reserve(Estimate(tokens=1, usd=Decimal("0.01")))',
        'CostLedger(store=store).record("openai", "gpt-4o", Usage(1, 1), Decimal(1))',
    )
)
CHARGED = 'provider="openai", model="gpt-4o"'
RESERVED = """
budget = Budget(BudgetConfig(max_cost_per_day=1))
usage = Usage(10, 2)
hold = budget.reserve(Estimate(tokens=500, usd=Decimal("0.01")))
hold.settle(cost_usd="0.01")
hold.settle(cost_usd="0.01")"""
NO_TOKENIZER = """
import sys
from llmtest.costs import _tokenizers
kept = sys.modules.get("quicktok")
_tokenizers.quick_tokenizer.cache_clear()
sys.modules["quicktok"] = None
try:
    count_tokens(text, model="gpt-4o", exact=True)
finally:
    sys.modules["quicktok"] = kept
    if kept is None: del sys.modules["quicktok"]
"""
GUEST = """
import asyncio, trio
async def main():
    loop = asyncio.get_running_loop()
    trio.lowlevel.start_guest_run(
        trio.sleep, 3, run_sync_soon_threadsafe=loop.call_soon_threadsafe, done_callback=print)
asyncio.run(main())
"""
KEPT_LOOP = """
import asyncio, uvloop
llm_sim.stop()
loop = uvloop.new_event_loop()
llm_sim.start()
loop.call_soon(loop.stop)
try:
    loop.run_forever()
finally:
    llm_sim.stop()
    loop.close()
    llm_sim.start()
"""
IN_A_LOOP = """
import asyncio
llm_sim.stop()
async def main():
    with Simulation() as sim:
        return sim.openai.echoes()
asyncio.run(main())
"""

COMPLETIONS = """
handle.on("POST", "/v1/completions").calls_tool("pay", {})
openai.OpenAI(api_key="k", max_retries=0).completions.create(model="gpt-3.5-turbo-instruct", prompt="x")"""

SITUATIONS = {
    "tool-of-a-legacy-completion": Refused(
        COMPLETIONS,
        lambda code, advice: [f"{calls_in(advice)[0]}\n{code.rpartition(chr(10))[2]}"],
    ),
    "guest": Refused(GUEST, by_hand("import trio\ntrio.run(trio.sleep, 3)")),
    "loop-of-another": Refused(
        KEPT_LOOP,
        by_hand(
            "import asyncio\nasyncio.run(asyncio.sleep(60))",
            "import asyncio\nwith asyncio.Runner() as runner: runner.run(asyncio.sleep(60))",
            KEPT_LOOP.replace("llm_sim.start()\nloop", "real = Simulation(time='real')\nreal.start()\nloop").replace(
                "    llm_sim.stop()\n", "    real.stop()\n"
            ),
        ),
    ),
    "reported": Refused(COUNTED),
    "retries-that-may-be-two": Refused(
        f"{APP}llm_sim.stop()\n"
        "with Simulation(name='llm_sim', strict=False) as llm_sim:\n"
        "  llm_sim.openai.fails(faults.InvalidRequest(), times=3)\n"
        "  # here\n"
        "  for _ in range(3):\n    my_app.summarise(text)\n"
        "  llm_sim.assert_resilient()",
        marked,
    ),
    "two-cassettes": Refused(
        TWO_CASSETTES.replace("WORK", IN_THREAD.replace("TARGET", "work")),
        by_hand(
            TWO_CASSETTES.replace("WORK", "await asyncio.to_thread(work)"),
            TWO_CASSETTES.replace("WORK", IN_THREAD.replace("TARGET", "contextvars.copy_context().run, args=(work,)")),
        ),
    ),
    "locked-ledger": Refused(
        LEDGER,
        by_hand(
            LEDGER.replace("# here", "other.execute('ROLLBACK')"),
            LEDGER.replace("# here", "threading.Timer(0.05, other.execute, ['ROLLBACK']).start()").replace(
                "SqliteBudgetStore(path, timeout=0)", "SqliteBudgetStore(path, timeout=30)"
            ),
        ),
    ),
    "locked-account": Refused(
        LOCKED_ACCOUNT,
        by_hand(
            LOCKED_ACCOUNT.replace("# here", "other.execute('ROLLBACK')"),
            LOCKED_ACCOUNT.replace("# here", "threading.Timer(0.05, other.execute, ['ROLLBACK']).start()").replace(
                "timeout=0)", "timeout=30)"
            ),
        ),
    ),
    "settled-twice": Refused(
        RESERVED, lambda code, advice: [each.replace("...", CHARGED) for each in last_line(code, advice)]
    ),
    "copied-budget": Refused(
        "import pickle, tempfile, os\nos.chdir(tempfile.mkdtemp())\n"
        "pickle.dumps(Budget(BudgetConfig(max_cost_per_day=1)))",
        lambda code, advice: [
            code.replace("Budget(BudgetConfig(max_cost_per_day=1))", each.replace("...", "BudgetConfig()", 1))
            for each in calls_in(advice)
        ],
    ),
    "no-tokenizer": Refused(
        NO_TOKENIZER,
        lambda code, advice: [calls_in(advice)[-1], 'count_tokens(text, model="gpt-4o", exact=True)'],
    ),
    "uncounted": Refused(
        'Prices().require("openai", "gpt-4o", Usage(source="unknown"))',
        by_hand(
            'Prices().require("openai", "gpt-4o", Usage(10, 2, source="estimated"))',
            "handle.replies('a')\nask(stream=True, stream_options={'include_usage': True})\nassert_spend(at_most='1')",
        ),
    ),
    "virtual-server": Refused(
        "from llmtest.serving import Server\nServer(llm_sim)",
        lambda code, advice: [
            f"from llmtest.serving import Server\nllm_sim.stop()\nwith {calls_in(advice)[0]} as sim, Server(sim): pass"
        ],
    ),
    "two-circuits": Refused(
        BREAKER.format(more="")
        + "handle.fails(ServerError(503), times=None)\n"
        + "policy = CircuitBreakerConfig(failure_threshold=1)\n"
        + "chain = FallbackChain([handle.as_provider('m')], circuit_breaker=policy)\n"
        "llm_sim.watch_breaker(breaker, provider='openai')\n"
        "breaker.open()\n"
        "try: llmtest.LLMClient(chain).ask('x')\n"
        "except errors.ProviderError: pass\n"
        "llm_sim.assert_breaker('openai', 'closed', 'open')",
        under_a_name,
    ),
    "circuit-of-others": Refused(
        f"{BREAKER.format(more='')}{APP}handle.echoes()\n# here\n"
        "for _ in range(2):\n    my_app.summarise(text)\nllm_sim.assert_breaker('openai', 'closed')",
        watched_or_marked,
    ),
    "call-under-way": Refused(
        "mark = llm_sim.call('summary')\nwith mark:\n    with mark: pass",
        lambda code, advice: [code.replace("    with mark", f"    with {calls_in(advice)[0]}")],
    ),
    "breaker-outside": Refused(
        BREAKER.format(more="") + "llm_sim.stop()\nllm_sim.watch_breaker(breaker, provider='openai')",
        lambda code, advice: [
            code.rpartition("\n")[0]
            + f"\n{re.search(r'with .* as sim:', advice)[0]}\n    sim.watch_breaker(breaker, provider='openai')"
        ],
    ),
    "inside-a-loop": Refused(
        IN_A_LOOP,
        by_hand(
            "import asyncio\nllm_sim.stop()\nwith Simulation() as sim:\n    sim.run(asyncio.sleep(3))",
            "import asyncio\nllm_sim.stop()\nwith Simulation() as sim:\n    asyncio.run(asyncio.sleep(3))",
            IN_A_LOOP.replace("Simulation()", 'Simulation(time="real")'),
        ),
    ),
    "not-a-breaker": Refused(
        "llm_sim.watch_breaker(ask)",
        by_hand(
            BREAKER.format(more="") + "llm_sim.watch_breaker(breaker, provider='openai')",
            "handle.replies('a', times=2)\nfor _ in range(2):\n    with llm_sim.call('x'): ask()\n"
            "llm_sim.assert_breaker('openai', 'closed')",
        ),
    ),
    "one-circuit-of-two": Refused(
        "import pybreaker\nllm_sim.watch_breaker(pybreaker.CircuitBreaker(), provider='openai')\n"
        "breaker = pybreaker.CircuitBreaker()\nllm_sim.watch_breaker(breaker, provider='openai')",
        whole,
    ),
    "whose-circuit": Refused(
        "llm_sim.anthropic\n" + BREAKER.format(more=", name='llm'") + "llm_sim.watch_breaker(breaker)",
        lambda code, advice: [
            code.rpartition("\n")[0] + "\n" + calls_in(advice)[0].replace("...", name)
            for name in ("openai", "openai/gpt-4o")
        ],
    ),
}
