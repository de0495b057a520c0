"""`assert_resilient`: how the code under test treated its providers, and who is to blame."""

import asyncio
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from decimal import Decimal
from importlib import import_module
from types import SimpleNamespace

import anthropic
import openai
import pytest
from tenacity import retry as retrying
from tenacity import stop_after_attempt, wait_fixed

from llmtest import FallbackChain, LLMClient, OpenAIProvider, RetryConfig, Usage, faults
from llmtest.conduct import FINDINGS
from llmtest.errors import AmbiguousCallError, ConfigurationError, ProviderError
from llmtest.events import CallEnded, Returned
from llmtest.simulation import Reply

MESSAGES = [{"role": "user", "content": "Hi"}]


def ask(text="Hi", **options):
    """Ask openai's SDK once, without its own retries unless they are asked for."""
    client = openai.OpenAI(**{"max_retries": 0, **options})
    return client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": text}])


def persistently(times, pause=0.0, **options):
    """Ask again and again until there is an answer."""
    client = openai.OpenAI(**{"max_retries": 0, **options})
    for _ in range(times):
        try:
            return client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
        except openai.APIError:
            time.sleep(pause)
    return None


def complaint(sim, **options):
    """Return the lines of the failed assertion that come before the trace."""
    with pytest.raises(AssertionError) as caught:
        sim.assert_resilient(**options)
    return str(caught.value).partition("\n\nTrace:")[0]


def test_sdk_defaults_are_resilient(llm_sim):
    """What the official SDKs do by themselves about a rate limit, an outage and a reset is in order."""
    llm_sim.openai.fails(faults.RateLimited(retry_after=30)).fails(faults.ServerError(503)).replies("Hi")
    llm_sim.anthropic.fails(faults.ConnectionReset(), times=2).replies("Hi")
    ask(max_retries=2)
    anthropic.Anthropic().messages.create(model="claude-sonnet-4-6", max_tokens=9, messages=MESSAGES)
    llm_sim.assert_resilient()


def test_a_failure_says_what_who_and_how_to_accept_it(llm_sim):
    """The text names each finding, its first occurrence, who is to blame, and the way to accept it."""
    llm_sim.openai.fails(faults.RateLimited(retry_after=30), times=2).replies("Hi")
    assert persistently(3, pause=0.5) is not None
    assert complaint(llm_sim) == (
        "assert_resilient: 1 finding.\n"
        "\n"
        "  retry_after_ignored  unmarked call 1 asked `openai` again at 0.500 s, 29.500 s before it was to. "
        "(2 such findings) To blame: the app.\n"
        "                       | #1 openai/gpt-4o asked at 0.000 s: 429 retry_after=30 at 0.000 s\n"
        "                       | #2 openai/gpt-4o asked at 0.500 s: 429 retry_after=30 at 0.500 s\n"
        "                       To mend it: wait as long as `retry-after` (or `retry-after-ms`) says before the next "
        "request to that provider.\n"
        "\n"
        'To fix: what is found, or accept it: llm_sim.assert_resilient(ignore=["retry_after_ignored"])'
    )
    llm_sim.assert_resilient(ignore=["retry_after_ignored"])


def test_the_sdk_is_blamed_for_its_own_retries(llm_sim):
    """What the SDK counts as its own retry is the SDK's: openai's asks again where the account is empty."""
    llm_sim.openai.fails(faults.QuotaExceeded(), times=3)
    with pytest.raises(openai.RateLimitError):
        ask(max_retries=2)
    found = complaint(llm_sim).splitlines()[2]
    assert found.startswith("  retried_non_retryable  unmarked call 1 sent the same to `openai` again at ")
    assert found.endswith("(2 such findings) To blame: the SDK, which retries by itself.")


def test_asking_again_without_a_pause(llm_sim):
    """Two repeats in a row without any wait are no backoff; a single one is let pass."""
    llm_sim.openai.fails(faults.ServerError(), times=2).replies("Hi").fails(faults.ServerError()).replies("Hi")
    with llm_sim.call("hasty"):
        persistently(3)
    with llm_sim.call("once"):
        persistently(2)
    assert complaint(llm_sim).splitlines()[2] == (
        "  no_backoff  call 1 asked `openai` again twice without a pause, last at 0.000 s. To blame: the app."
    )


def test_a_final_refusal_is_not_repeated(llm_sim):
    """The same request after a 400 is a finding, another one is not."""
    llm_sim.openai.fails(faults.InvalidRequest(), times=2).replies("Hi", times=2)
    with pytest.raises(openai.BadRequestError):
        ask("one")
    with pytest.raises(openai.BadRequestError):
        ask("two")
    ask("three")
    llm_sim.assert_resilient()
    ask("three")
    llm_sim.assert_resilient()


def test_the_same_after_a_final_refusal(llm_sim):
    """An app that repeats what was refused for good is found out."""
    llm_sim.openai.fails(faults.AuthenticationFailed(), times=3)
    persistently(3, pause=1)
    assert complaint(llm_sim).splitlines()[2] == (
        "  retried_non_retryable  unmarked call 1 sent the same to `openai` again at 1.000 s after a final refusal. "
        "(2 such findings) To blame: the app."
    )


def test_a_storm(llm_sim):
    """More than ten requests without an answer are a storm; an agent's many turns are none."""
    llm_sim.openai.replies("Hi", times=20).fails(faults.ServerError(), times=11)
    with llm_sim.call("agent"):
        for _ in range(20):
            ask()
    llm_sim.assert_resilient()
    with llm_sim.call("storm"):
        persistently(11, pause=60)
    assert complaint(llm_sim).splitlines()[2] == (
        "  retry_storm  call 2 sent more than 10 requests without an answer. To blame: the app."
    )


def test_a_storm_over_many_calls(llm_sim):
    """Where most requests of a minute are repeats, it is a storm although no call sends many."""
    llm_sim.openai.fails(faults.ServerError(), times=None)
    for number in range(10):
        with llm_sim.call(f"call {number}"):
            persistently(5, pause=0.1)
    assert complaint(llm_sim).splitlines()[2] == (
        "  retry_storm  in minute 0 of the run 40 of 50 requests to `openai` were repeats. To blame: the app."
    )


@pytest.mark.parametrize(
    "fault",
    [faults.ServerError(503), faults.RateLimited(), faults.ConnectionRefused(), faults.Timeout(), faults.Overloaded()],
    ids=str,
)
def test_giving_up_at_once(llm_sim, fault):
    """A call that fails after one request, at what may pass, gave up."""
    llm_sim.openai.fails(fault)
    with pytest.raises(openai.APIError), llm_sim.call("hasty"):
        ask(timeout=20)
    outcome = llm_sim.openai.requests[0].outcome
    at = llm_sim.clock.elapsed()
    assert complaint(llm_sim).splitlines()[2] == (
        f"  gave_up  call 1 failed with `openai:{outcome}` at {at:.3f} s and did not try again. To blame: the app."
    )


@pytest.mark.parametrize(
    "fault",
    [
        faults.InvalidRequest(),
        faults.QuotaExceeded(),
        faults.RateLimited(retry_after=90),
        faults.StreamDropped(2),
    ],
    ids=str,
)
def test_giving_up_for_a_reason(llm_sim, fault):
    """What another request does not mend, what asks for a long wait, and a stream half read may end a call."""
    llm_sim.openai.fails(fault)
    client = openai.OpenAI(max_retries=0)
    with pytest.raises(openai.APIError), llm_sim.call("has a reason"):
        for _ in client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True):
            pass
    assert llm_sim.assert_resilient().undecided == {}


def read(client):
    """Read a stream to its end."""
    stream = client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True)
    chunks = [choice for chunk in stream for choice in chunk.choices]
    if chunks[-1].finish_reason is None:
        raise EOFError
    return "".join(choice.delta.content or "" for choice in chunks)


@pytest.mark.parametrize(
    ("error", "after", "gives_up"),
    [
        (faults.Overloaded(), 0, True),
        (faults.RateLimited(), 0, True),
        (faults.Overloaded(), 2, False),
        (faults.InvalidRequest(), 0, False),
    ],
    ids=["overload", "limit", "after-words", "wrong-request"],
)
def test_giving_up_at_an_error_that_a_stream_tells(llm_sim, error, after, gives_up):
    """What a stream tells before it has said anything can be asked again; behind words it cannot."""
    llm_sim.openai.fails(faults.StreamError(after_chunks=after, error=error))
    with pytest.raises(openai.APIError), llm_sim.call("read"):
        heard(openai.OpenAI())
    if gives_up:
        assert "gave_up  call 1 failed with `openai:error` at 0.000 s and did not try again." in complaint(llm_sim)
    else:
        llm_sim.assert_resilient()


def heard(client):
    """Read a stream, and take what was heard for the answer."""
    with client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True) as stream:
        return "".join(choice.delta.content or "" for chunk in stream for choice in chunk.choices)


def test_a_truncated_answer_taken_for_whole(llm_sim):
    """A stream without its end whose text the caller returned was taken for an answer: no SDK says a word."""
    llm_sim.openai.fails(faults.StreamTruncated(after_chunks=2))
    with llm_sim.call("half") as call:
        call.returned(heard(openai.OpenAI()))
    told, evidence = complaint(llm_sim).splitlines()[2:4]
    assert told == (
        "  truncated_answer_accepted  call 1 took a stream of `openai` for whole that ended too early, at 0.000 s. "
        "To blame: the app, because no SDK tells it."
    )
    assert evidence == ("                             | #1 openai/gpt-4o asked at 0.000 s: truncated at 0.000 s")


def test_what_a_decorated_function_returns_is_what_its_caller_got(llm_sim):
    """The decorator says by itself what was returned: half an answer, or pieces of it as they came."""
    llm_sim.openai.fails(faults.StreamTruncated(after_chunks=2), times=2)
    client = openai.OpenAI()
    assert llm_sim.call("half")(heard)(client)
    assert "truncated_answer_accepted  call 1 took" in complaint(llm_sim)

    @llm_sim.call("pieces")
    def pieces():
        for chunk in client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True):
            yield from (choice.delta.content for choice in chunk.choices if choice.delta.content)

    assert list(pieces())
    assert "truncated_answer_accepted  call 1 took a stream" in complaint(llm_sim)
    assert "(2 such findings)" in complaint(llm_sim)


def test_a_decorated_coroutine_is_a_call_each_time(llm_sim):
    """A coroutine function and an asynchronous generator are marked like any other function."""
    llm_sim.openai.replies("Paris").fails(faults.StreamTruncated(after_chunks=1))

    @llm_sim.call("whole")
    async def whole(client):
        answer = await client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
        return answer.choices[0].message.content

    @llm_sim.call("pieces")
    async def pieces(client):
        async for chunk in await client.chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True):
            for choice in chunk.choices:
                yield choice.delta.content or ""

    async def main():
        async with openai.AsyncOpenAI() as client:
            return await whole(client), [piece async for piece in pieces(client)]

    assert asyncio.run(main())[0] == "Paris"
    ended = llm_sim.trace.of(CallEnded)
    assert [(end.label, end.returned.text == "Paris") for end in ended] == [("whole", True), ("pieces", False)]
    assert "truncated_answer_accepted  call 2 took" in complaint(llm_sim)


@pytest.mark.parametrize("is_marked", [True, False], ids=["marked", "unmarked"])
def test_what_the_caller_got_of_a_truncated_answer_is_not_guessed(llm_sim, is_marked):
    """Where nobody says what the caller got, the verdict has a note and accuses nobody."""
    llm_sim.openai.fails(faults.StreamTruncated(after_chunks=2))
    with llm_sim.call("half") if is_marked else nullcontext():
        heard(openai.OpenAI())
    undecided = llm_sim.assert_resilient().undecided
    name = "call 1" if is_marked else "unmarked call 1"
    assert {kind: str(finding) for kind, finding in undecided.items()} == {
        "truncated_answer_accepted": f"{name} may have taken a stream of `openai` for whole that ended too early, at "
        "0.000 s: what its caller got is not known."
    }


def test_t01_a_truncated_stream_that_was_noticed_inside_the_marked_call(llm_sim):
    """Code that raises at a stream that ended early, caught inside the mark, has accepted nothing."""
    llm_sim.openai.fails(faults.StreamTruncated(after_chunks=2), times=2)
    with llm_sim.call("noticed"), suppress(EOFError):
        read(openai.OpenAI())
    assert set(llm_sim.assert_resilient().undecided) == {"truncated_answer_accepted"}
    with llm_sim.call("told") as call:
        try:
            read(openai.OpenAI())
        except EOFError:
            call.returned("Sorry, try later.")
    assert llm_sim.assert_resilient().undecided["truncated_answer_accepted"].count == 1


@pytest.mark.parametrize("retries", [0, 2])
def test_t05_an_app_that_swallows_its_error_and_answers_nothing(llm_sim, retries):
    """A call that ended as if all were well, and returned nothing after a failure, gave up."""
    llm_sim.openai.fails(faults.ServerError(503), times=None)

    @llm_sim.call("silent")
    def silent():
        try:
            return ask(max_retries=retries)
        except openai.APIError:
            return None

    assert silent() is None
    assert complaint(llm_sim).splitlines()[2].startswith("  gave_up  call 1 met `openai:503` at ")
    assert "and ended without an answer and without an error. To blame: the app." in complaint(llm_sim)


def test_t05_an_error_that_is_swallowed_inside_the_mark(llm_sim):
    """One request that failed, and a mark that ended without an error: nobody got an answer."""
    llm_sim.openai.fails(faults.ServerError(503))
    with llm_sim.call("silent"), suppress(openai.APIError):
        ask()
    assert "gave_up  call 1 met `openai:503` at 0.000 s, and ended without an answer" in complaint(llm_sim)


def test_an_answer_of_the_app_s_own_is_no_giving_up(llm_sim):
    """Whoever answers from elsewhere after tries with pauses did what can be done."""
    llm_sim.openai.fails(faults.ServerError(503), times=None)
    with llm_sim.call("degraded") as call:
        try:
            ask(max_retries=2)
        except openai.APIError:
            call.returned("Try again later.")
    assert llm_sim.assert_resilient().undecided == {}


def test_undecided_findings_are_listed_beside_others(llm_sim):
    """The text of a failure has a note of what cannot be told, with the way to tell it, which works as printed."""
    llm_sim.openai.fails(faults.AuthenticationFailed(), times=2).fails(faults.StreamTruncated(after_chunks=2))
    persistently(2, pause=1)
    with llm_sim.call("half"):
        heard(openai.OpenAI())
    text = complaint(llm_sim)
    assert text.splitlines()[2].startswith("  retried_non_retryable  ")
    note = text[text.index("  Undecided, because") : text.index("\n\nTo fix")]
    assert note.splitlines()[1].startswith("  truncated_answer_accepted  call 1 may have taken a stream of `openai`")
    advice = textwrap.dedent("\n".join(note.splitlines()[-2:]))
    llm_sim.openai.replies("Short.")
    my_app = SimpleNamespace(summarise=lambda text: ask(text).choices[0].message.content)
    exec(advice, {"llm_sim": llm_sim, "my_app": my_app, "text": "Long."})
    assert llm_sim.trace.of(CallEnded)[-1].returned.text == "Short."


@pytest.mark.parametrize(
    ("told", "text"),
    [
        (None, ""),
        ("", ""),
        ([], ""),
        ("Hi", "Hi"),
        (["H", "i"], "Hi"),
        ({"content": "Hi"}, "Hi"),
        ({"choices": [{"message": {"content": "Hi"}}]}, "Hi"),
        (SimpleNamespace(content=[SimpleNamespace(type="text", text="Hi")]), "Hi"),
        (SimpleNamespace(output_text="Hi"), "Hi"),
        ({"tool_calls": [1]}, None),
        (42, None),
    ],
    ids=repr,
)
def test_what_a_value_says_is_read_whatever_it_is(llm_sim, told, text):
    """Texts, answers of every SDK and pieces of streams are read; of anything else nothing is claimed."""
    with llm_sim.call("any") as call:
        call.returned(told)
    assert llm_sim.trace.of(CallEnded)[-1].returned.text == text


def test_usage_model_and_cost_are_part_of_the_result(llm_sim):
    """What an SDK's answer tells of itself is kept, and what the test tells goes before it."""
    llm_sim.openai.replies("Hi")
    with llm_sim.call("all") as call:
        answer = ask()
        call.returned(answer, cost="0.01")
    with llm_sim.call("told") as call:
        call.returned(text="Hi", usage={"input_tokens": 1, "output_tokens": 2}, model="mine")
    first, second = (end.returned for end in llm_sim.trace.of(CallEnded))
    used = Usage(answer.usage.prompt_tokens, answer.usage.completion_tokens)
    assert first == Returned("Hi", used, answer.model, Decimal("0.01"))
    assert second == Returned("Hi", Usage(1, 2), "mine", None)


def test_a_truncated_answer_noticed(llm_sim):
    """An app that fails, or asks again, has noticed; marked calls tell which."""
    llm_sim.openai.fails(faults.StreamTruncated(after_chunks=2), times=2).replies("Hi")
    client = openai.OpenAI()
    with pytest.raises(EOFError), llm_sim.call("fails"):
        read(client)
    with llm_sim.call("asks again"):
        try:
            read(client)
        except EOFError:
            time.sleep(1)
            read(client)
    llm_sim.assert_resilient()


def test_waiting_without_a_limit_of_its_own(llm_sim):
    """An app that leaves the SDK's ten minutes in place waits them out at a silent provider."""
    llm_sim.openai.fails(faults.Timeout()).replies("Hi")
    ask(max_retries=1)
    assert complaint(llm_sim).splitlines()[2] == (
        "  no_read_timeout  unmarked call 1 waited 600 s for `openai`, which had fallen silent. "
        "To blame: the app, which sets no timeout."
    )


def test_our_own_layer_is_resilient(llm_sim):
    """Retries of our own layer honour the wait; a call it refuses at an open circuit did not give up."""
    llm_sim.openai.fails(faults.RateLimited(retry_after=30)).fails(faults.ServerError(), times=2).replies("Hi")
    chain = FallbackChain.builder().with_retry(RetryConfig(max_attempts=4)).add_last(OpenAIProvider(model="gpt-4o"))
    LLMClient(chain.build()).ask("Hi")
    llm_sim.assert_resilient()


def test_our_own_layer_can_be_told_not_to_try_again(llm_sim):
    """A client of ours with one attempt gives up like any other."""
    llm_sim.openai.fails(faults.ServerError())
    with pytest.raises(ProviderError):
        LLMClient(OpenAIProvider(model="gpt-4o")).ask("Hi")
    assert "gave_up  call 1 failed with `openai:500` at 0.000 s" in complaint(llm_sim)


def test_the_direct_path_is_judged_too(llm_sim):
    """Requests without HTTP are compared as what they ask."""
    provider = llm_sim.openai.fails(faults.InvalidRequest(), times=2).replies("Hi").as_provider("gpt-4o")
    with llm_sim.call("app"):
        for text in ("one", "two", "two"):
            try:
                LLMClient(provider).ask(text)
            except ProviderError:
                time.sleep(1)
    assert "retried_non_retryable" in complaint(llm_sim)


def test_overlapping_unmarked_calls_are_told_apart(llm_sim):
    """Calls of several tasks and threads are several calls, also where they ask the same and the SDK asks again."""
    llm_sim.openai.latency(1).fails(faults.ServerError(503), times=6).replies("Hi", times=6)

    async def both():
        async with openai.AsyncOpenAI() as client:
            await asyncio.gather(*(client.chat.completions.create(model="gpt-4o", messages=MESSAGES) for _ in range(3)))

    asyncio.run(both())
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda _: ask(max_retries=2), range(3)))
    assert llm_sim.assert_resilient().undecided == {}


@pytest.mark.parametrize("pause", [0.0, 10.0])
def test_t02_calls_that_a_test_makes_one_after_the_other(llm_sim, pause):
    """Five calls that fail, with the SDK's own retries in each, are no storm of one call, and nobody guesses."""
    llm_sim.openai.fails(faults.ServerError(503), times=None)
    for number in range(5):
        with suppress(openai.APIError):
            ask(f"question {number}", max_retries=2)
        time.sleep(pause)
    assert llm_sim.assert_resilient().undecided == {}
    for _ in range(5):
        with suppress(openai.APIError):
            ask("one question", max_retries=2)
        time.sleep(pause)
    with pytest.raises(AmbiguousCallError, match=r"^assert_resilient cannot tell which requests belong together, and"):
        llm_sim.assert_resilient()


def test_t02_equal_calls_that_are_refused(llm_sim):
    """Three equal calls that are refused may be three or one; both ways to mark them work as they are printed."""
    llm_sim.openai.fails(faults.InvalidRequest(), times=9)

    def three(step):
        for _ in range(3):
            with suppress(openai.APIError):
                step()

    three(ask)
    with pytest.raises(AmbiguousCallError) as caught:
        llm_sim.assert_resilient()
    advice = str(caught.value).partition("To fix: mark each call of the code under test, in one of two ways:\n")[2]
    block, decorator = (textwrap.dedent(part) for part in advice.split("\n\n"))
    llm_sim.reset()
    llm_sim.openai.fails(faults.InvalidRequest(), times=6)
    names = {"llm_sim": llm_sim, "my_app": SimpleNamespace(summarise=ask), "text": "Long."}
    three(lambda: exec(block, names))
    exec(decorator, names)
    three(lambda: names["summarise"]("Long."))
    assert llm_sim.assert_resilient().undecided == {}


def test_t02_a_call_after_one_that_gave_up(llm_sim):
    """Another question a second after a refusal with a wait is no retry that came too early."""
    llm_sim.openai.fails(faults.RateLimited(retry_after=90)).replies("Hi")
    with suppress(openai.APIError):
        ask("one")
    time.sleep(1)
    ask("two")
    llm_sim.assert_resilient()


def test_the_same_question_where_the_verdict_does_not_turn_on_it(llm_sim):
    """Doubts do not matter where both readings come to the same."""
    llm_sim.openai.fails(faults.ServerError(503)).replies("Hi")
    with suppress(openai.APIError):
        ask()
    time.sleep(5)
    ask()
    assert set(llm_sim.assert_resilient().undecided) == {"gave_up"}


async def asking(times, pause):
    """Ask again and again until there is an answer, on an event loop."""
    async with openai.AsyncOpenAI(max_retries=0) as client:
        for _ in range(times):
            try:
                return await client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
            except openai.APIError:
                await asyncio.sleep(pause)
    return None


LOOPS = {
    "of a library": retrying(wait=wait_fixed(1), stop=stop_after_attempt(3))(ask),
    "of the app": lambda: persistently(3, pause=1),
    "of a coroutine": lambda: asyncio.run(asking(3, pause=1)),
}


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
def test_a_loop_that_asks_again_is_one_call_without_a_mark(llm_sim, loop):
    """Requests that one piece of running code sent one after the other are one call."""
    llm_sim.openai.fails(faults.RateLimited(retry_after=30), times=2).replies("Hi")
    assert loop() is not None
    found = complaint(llm_sim).splitlines()[2]
    assert found.startswith("  retry_after_ignored  unmarked call 1 asked `openai` again at 1.000 s, 29.000 s before")


def questions(times, asked):
    """Go through questions that are the same, by a function."""
    for _ in range(times):
        with suppress(openai.APIError):
            asked()


def test_a_function_of_the_test_that_goes_through_calls_is_no_proof_of_a_retry(llm_sim):
    """A loop in the test's file over a function may retry or go through questions, so nobody is accused."""
    llm_sim.openai.fails(faults.InvalidRequest(), times=3)
    questions(3, ask)
    with pytest.raises(AmbiguousCallError):
        llm_sim.assert_resilient()


def test_a_loop_of_the_app_over_a_function_of_the_app_is_one_call(llm_sim, tmp_path, monkeypatch):
    """What asks the same again in a file of the app's own retries."""
    app = textwrap.dedent("""
        import openai

        def ask():
            client = openai.OpenAI(max_retries=0)
            return client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Hi"}])

        def insist():
            for _ in range(3):
                try:
                    return ask()
                except openai.APIError:
                    pass
        """)
    (tmp_path / "insisting_app.py").write_text(app)
    monkeypatch.syspath_prepend(tmp_path)
    llm_sim.openai.fails(faults.InvalidRequest(), times=3)
    import_module("insisting_app").insist()
    assert "retried_non_retryable  unmarked call 1 sent the same" in complaint(llm_sim)


def test_footprints_leave_a_debugger_s_trace_functions_alone(llm_sim):
    """A trace function on a frame, as coverage and debuggers have them, goes on to be called."""
    llm_sim.openai.fails(faults.ServerError(503)).replies("Hi")
    lines = []

    def tracer(frame, event, argument):
        if frame.f_code is persistently.__code__:
            lines.append(event)
        return tracer

    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        persistently(2)
    finally:
        sys.settrace(before)
    assert lines[0] == "call"
    assert lines[-1] == "return"
    assert lines.count("line") > 6


def test_t09_a_stream_left_open_stands_in_nobody_s_way(llm_sim):
    """A stream that a library leaves open does not make the next call overlap: both are judged."""
    llm_sim.openai.replies("Hello there, how are you?").replies("Hi")
    stream = openai.OpenAI().chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True)
    next(iter(stream))
    ask()
    llm_sim.assert_resilient()
    llm_sim.assert_no_fallback()
    llm_sim.assert_retries(exactly=0)
    stream.close()
    llm_sim.assert_no_fallback()


def test_a_finding_that_does_not_exist_cannot_be_ignored(llm_sim):
    """A misspelt finding would accept nothing, so it is refused."""
    with pytest.raises(ConfigurationError) as caught:
        llm_sim.assert_resilient(ignore="gave-up")
    assert str(caught.value) == (
        "assert_resilient: there is no finding `gave-up` to ignore. Did you mean `gave_up`?\n"
        f"Findings: {', '.join(FINDINGS)}."
    )


def test_a_scripted_reply_cut_short_is_read_as_such(llm_sim):
    """`finish_reason` length is an answer, not a truncated stream."""
    llm_sim.openai.replies(Reply("Hi", finish_reason="length"))
    ask()
    llm_sim.assert_resilient()
