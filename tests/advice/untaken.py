"""Advice with code in it that no case takes, and what it would need.

A new advice with code is not in this table, so that the test of completeness fails until somebody writes a case for it.
What is said in words alone is for people to follow.
"""

# ruff: noqa: E501 - what is printed is kept as it is printed

UNTAKEN = {
    "clock/_time_machine.py": [
        (
            'install time-machine 3, or set the date by `@pytest.mark.llm_time(start="2026-03-01")`.',
            "needs an old release of another library",
        ),
    ],
    "clock/_trio.py": [
        (
            'run trio by `trio.run(...)`, or mark the test `@pytest.mark.llm_time("real")`.',
            "needs trio without its own way of running",
        ),
    ],
    "testing/_assert_reported.py": [
        (
            'give what the app says: llm_sim.assert_reported(cost="0.05", model="gpt-4o", tokens=120)',
            "needs an app that says these very numbers",
        ),
    ],
    "testing/_unmarked.py": [
        (
            'mark each call of the code under test, in one of two ways:\\\n  with llm_sim.call("summary"):\\\n      my_app.summarise(text)\\\n\\\n  summarise = llm_sim.call("summary")(my_app.summarise)',
            "needs calls that overlap and a verdict that turns on them",
        ),
    ],
    "cassettes/_use.py": [
        (
            "start the work with `asyncio.to_thread`, or in `contextvars.copy_context().run`, so that it carries the context of the code that started it.",
            "needs a thread that carries no context into a cassette",
        ),
    ],
    "clock/_datetime.py": [
        (
            'run on CPython 3.11 to 3.13, or mark the test `@pytest.mark.llm_time("real")`.',
            "needs a Python that is not supported",
        ),
    ],
    "clock/_event_loops.py": [
        (
            'let the test make its loop, by `asyncio.run(...)` or `asyncio.Runner()`, or turn virtual time off for it: `@pytest.mark.llm_time("real")`, `Simulation(time="real")`.',
            "needs a loop of another library",
        ),
    ],
    "costs/_budget_file.py": [
        (
            "end the process that holds the lock, or wait longer: SqliteBudgetStore(path, timeout=30).",
            "needs a lock that another process holds",
        ),
    ],
    "costs/_store.py": [
        (
            "settle a reservation once; for spend that shows up later, use budget.charge(usage, ...)",
            "needs a reservation of a call that is over",
        ),
        (
            'share the budget itself, or keep it in a file: Budget(..., store=SqliteBudgetStore("budget.db"))',
            "needs a budget that was copied",
        ),
    ],
    "costs/_tokens.py": [
        (
            ", one of:\\\n  1. install the extra `tokens`:    pip install -e '.[tokens]', in a checkout of llmtest\\\n  2. use the estimate:              count_tokens(text)",
            "needs a library to be missing",
        ),
    ],
    "costs/_unknown.py": [
        (
            'let the provider report usage (OpenAI streams: `stream_options={"include_usage": True}`), or count an estimate: `Usage(..., source="estimated")`.',
            "needs an answer without usage",
        ),
    ],
    "serving/_server.py": [
        ('Simulation(time="real"), or the fixture `llm_server`', "needs the server of a world whose time is virtual"),
    ],
    "testing/_assert_breaker.py": [
        (
            'give the one that you watch a name of its own, and assert that:\\\n  llm_sim.watch_breaker(breaker, provider="*/mine")\\\n  llm_sim.assert_breaker("*/mine", ...)',
            "needs two breakers for one provider",
        ),
        (
            ', one of:\\\n  1. watch the breaker, where it is one of those that can be: *\\\n  2. mark each call of the code under test, those that send nothing as well:\\\n     with llm_sim.call("summary"):\\\n         my_app.summarise(text)',
            "needs a breaker of another library",
        ),
    ],
    "testing/_marked_call.py": [
        ('mark each call by itself, with `*.call("*")`.', "needs a mark that is left while it is used"),
    ],
    "testing/_plugin_budget.py": [
        ('@pytest.mark.llm_budget(usd="0.05")', "taken in test_plugin_advice.py"),
    ],
    "testing/_plugin_cassette.py": [
        (
            '@pytest.mark.llm_cassette("cassettes/capital.yaml"), and `use_cassette` for a second one.',
            "taken in test_plugin_advice.py",
        ),
    ],
    "testing/_plugin_options.py": [
        ("llmtest_time = virtual, or real.", "taken in test_plugin_advice.py"),
        ("llmtest_seed = 7", "taken in test_plugin_advice.py"),
        ("llmtest_fragmentation = random", "taken in test_plugin_advice.py"),
        (
            '@pytest.mark.llm_time("real"), or @pytest.mark.llm_time(start="2026-03-01T23:59").',
            "taken in test_plugin_advice.py",
        ),
    ],
    "testing/_simulation.py": [
        ("call `sim.watch_breaker(...)` inside `with Simulation() as sim:`.", "needs a breaker of another library"),
        (
            'enter it in synchronous code and run the coroutine with `sim.run(...)` or `asyncio.run(...)`, or use the fixture `llm_sim`; in a notebook, whose loop always runs, let time be real: `Simulation(time="real")`.',
            "needs the server of a world whose time is virtual",
        ),
    ],
    "testing/breakers/_watching.py": [
        (
            "hand over the breaker itself, or mark each call with `llm_sim.call(...)`, so that `assert_breaker` can infer its states from calls that were made and calls that were not.",
            "needs a breaker that nobody can read",
        ),
        (
            'say whose circuit each of them is, with the model where each model has its own:\\\n  llm_sim.watch_breaker(breaker, provider="*/the-model")',
            "needs breakers by model",
        ),
        (
            'name the provider, or `provider/model`:\\\n  llm_sim.watch_breaker(breaker, provider="...")',
            "needs a breaker without a name",
        ),
    ],
    "wire/_registry.py": [
        ("let `*` name an object made by llmtest.wire.Dialect(...)", "needs an installed entry point"),
    ],
}
"""By file: the advice, with `*` for what is filled in, and what it would need to be taken."""
