"""What faults say in detail: when to come back, limits, windows, errors inside streams, and for how long they last."""

import json
from datetime import timedelta
from email.utils import parsedate_to_datetime

import anthropic
import openai
import pytest

from llmtest import FallbackChain, LLMClient, Simulation, errors, faults
from llmtest.errors import ConfigurationError
from llmtest.simulation import Reply
from llmtest.types import CompletionRequest, Timeouts
from tests.simulation.sim_calls import make_world, post, texts_of

MESSAGES = [{"role": "user", "content": "Capital of France?"}]


def limited(fault, dialect="openai"):
    """Return the headers of a refusal."""
    return post(make_world().provider(dialect).fails(fault)).headers


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_e09_retry_after_is_said_in_every_form_that_providers_use(dialect):
    """Seconds, a timedelta, a date, milliseconds alone, and a text that nobody can read."""
    assert limited(faults.RateLimited(retry_after=1.5), dialect)["retry-after"] in {"1.5", "2"}
    assert limited(faults.RateLimited(retry_after=timedelta(minutes=1)), dialect)["retry-after"] == "60"
    dated = limited(faults.RateLimited(retry_after="date", seconds=20), dialect)
    now = make_world().clock.now()
    assert (parsedate_to_datetime(dated["retry-after"]) - now).total_seconds() == 20
    millis = limited(faults.RateLimited(retry_after="ms", seconds=0.25), dialect)
    assert (millis["retry-after-ms"], "retry-after" in millis) == ("250", False)
    unread = limited(faults.RateLimited(retry_after="unreadable"), dialect)
    assert (unread["retry-after"], "retry-after-ms" in unread) == ("soon", False)
    assert not {"retry-after", "retry-after-ms"} & set(limited(faults.RateLimited(), dialect))
    assert "retry-after-ms" not in dated


def test_e09_a_date_goes_out_as_it_is_written():
    """The text of an HTTP date is a `Retry-After` too, of every fault that has one."""
    text = "Thu, 01 Jan 2026 00:00:30 GMT"
    for fault in (
        faults.RateLimited(retry_after=text),
        faults.ServerError(503, retry_after=text),
        faults.Overloaded(text),
    ):
        world = make_world()
        assert post(world.provider("openai").fails(fault)).headers["retry-after"] == text


@pytest.mark.parametrize(("form", "wait"), [(30, 30.0), ("date", 30.0), ("ms", 30.0), ("unreadable", None)])
def test_e09_our_own_layer_reads_every_form(form, wait):
    """The error says how long to wait, and nothing where nothing can be read; the trace knows the same."""
    world = make_world()
    handle = world.provider("openai").fails(faults.RateLimited(retry_after=form))
    with pytest.raises(errors.RateLimitedError) as caught:
        handle.as_provider("gpt-4o").complete(CompletionRequest.ask("hi"))
    assert caught.value.retry_after == wait
    assert list(world.trace)[-1].retry_after == wait


@pytest.mark.parametrize("form", [20, "date", "ms"])
def test_e09_the_official_sdks_wait_as_long_as_they_are_asked_to(form):
    """One retry after 20 virtual seconds, whatever the form."""
    fault = faults.RateLimited(form) if form == 20 else faults.RateLimited(form, seconds=20)
    with Simulation() as sim:
        sim.openai.fails(fault).replies("Paris")
        sim.anthropic.fails(fault).replies("Paris")
        openai.OpenAI(max_retries=1).chat.completions.create(model="gpt-4o", messages=MESSAGES)
        assert 19 < sim.clock.elapsed() <= 21
        anthropic.Anthropic(max_retries=1).messages.create(model="claude-opus-5", max_tokens=9, messages=MESSAGES)
        assert 39 < sim.clock.elapsed() <= 42


def test_e09_headers_of_a_fault_reach_the_client():
    """They replace the provider's own by name, None takes one away, and broken answers carry them as well."""
    changed = limited(faults.RateLimited(30, headers={"Retry-After": "7", "X-Note": "a", "retry-after-ms": None}))
    assert (changed["retry-after"], changed["x-note"], "retry-after-ms" in changed) == ("7", "a", False)
    handle = make_world().provider("openai")
    cut = post(handle.fails(faults.StreamDropped(1, headers={"x-served-by": "edge-7"})), stream=True)
    assert (cut.status, cut.headers["x-served-by"]) == (200, "edge-7")
    page = post(handle.fails(faults.WrongContentType(headers={"server": "cloudflare"})))
    assert (page.headers["content-type"], page.headers["server"]) == ("text/html", "cloudflare")


def test_e10_a_429_of_openai_has_its_limit_headers():
    """The limit that was reached has nothing left until the time that `Retry-After` names."""
    found = limited(faults.RateLimited(retry_after=20))
    assert {name: value for name, value in found.items() if name.startswith("x-ratelimit")} == {
        "x-ratelimit-limit-requests": "500",
        "x-ratelimit-limit-tokens": "200000",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-remaining-tokens": "199995",
        "x-ratelimit-reset-requests": "20s",
        "x-ratelimit-reset-tokens": "1.5ms",
    }
    assert limited(faults.RateLimited())["x-ratelimit-reset-requests"] == "30s"
    assert limited(faults.QuotaExceeded())["x-ratelimit-remaining-requests"] == "499"
    assert not any(name.startswith("x-ratelimit") for name in limited(faults.ServerError(503)))


def test_e10_a_429_of_anthropic_has_its_limit_headers():
    """Anthropic's resets are times of day, and it tells four limits."""
    found = limited(faults.RateLimited(retry_after=20), "anthropic")
    assert found["anthropic-ratelimit-requests-limit"] == "50"
    assert found["anthropic-ratelimit-requests-remaining"] == "0"
    assert found["anthropic-ratelimit-requests-reset"] == "2026-01-01T00:00:20Z"
    assert found["anthropic-ratelimit-output-tokens-remaining"] == "8000"
    assert sum(name.startswith("anthropic-ratelimit") for name in found) == 12


def test_e10_the_wording_of_a_429_agrees_with_its_headers():
    """Limit and use in the message are those of the headers, and a handle's own quota beats them."""
    world = make_world()
    handle = world.provider("openai").fails(faults.RateLimited(20)).limits(rpm=77)
    answered = post(handle)
    assert "Limit 500, Used 500" not in answered.json["error"]["message"]
    assert answered.headers["x-ratelimit-limit-requests"] == "77"
    plain = post(make_world().provider("openai").fails(faults.RateLimited(20)))
    assert "Limit 500, Used 500, Requested 1. Please try again in 20s." in plain.json["error"]["message"]


@pytest.mark.parametrize(
    ("dialect", "model", "said"),
    [
        ("openai", "gpt-4o", "maximum context length is 128000 tokens. However, your messages resulted in 134400"),
        ("openai", "gpt-4", "maximum context length is 8192 tokens. However, your messages resulted in 8601"),
        ("anthropic", "claude-sonnet-4-5", "prompt is too long: 210000 tokens > 200000 maximum"),
        ("openai", "my-model", "maximum context length is 128000 tokens. However, your messages resulted in 128001"),
    ],
)
def test_e11_a_context_error_names_the_window_of_the_model(dialect, model, said):
    """The numbers default to what the model really has."""
    answered = post(make_world().provider(dialect).fails(faults.ContextLengthExceeded()), model=model)
    assert said in answered.json["error"]["message"]


def test_e11_a_handle_s_window_comes_first_and_a_test_s_numbers_before_all():
    """`context_window` and arguments beat the table."""
    handle = make_world().provider("openai").context_window(9000)
    handle.fails(faults.ContextLengthExceeded()).fails(faults.ContextLengthExceeded(max_tokens=100))
    assert "9000 tokens. However, your messages resulted in 9450" in post(handle).json["error"]["message"]
    assert "100 tokens. However, your messages resulted in 105" in post(handle).json["error"]["message"]


def test_e11_a_chain_falls_back_to_the_model_with_the_larger_window():
    """gpt-4o refuses at 128,000, and Claude has room."""
    with Simulation() as sim:
        sim.openai.fails(faults.ContextLengthExceeded())
        sim.anthropic.replies("from Claude")
        chain = FallbackChain([sim.openai.as_provider("gpt-4o"), sim.anthropic.as_provider("claude-sonnet-4-5")])
        assert LLMClient(chain).ask("long") == "from Claude"


TOLD = [
    (faults.RateLimited(retry_after=30), errors.RateLimitedError),
    (faults.Overloaded(), (errors.OverloadedError, errors.ServerError)),
    (faults.ServerError(), errors.ServerError),
    (faults.ContextLengthExceeded(), errors.ProviderError),
    (faults.InvalidRequest("no"), errors.InvalidRequestError),
    (faults.Timeout("server"), errors.ServerError),
]
"""What a stream tells, and what our own layer reads."""


@pytest.mark.parametrize("status", [502, 504])
@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_e07_no_gateway_speaks_inside_a_stream(dialect, status):
    """Its page of HTML is an answer of its own; inside a stream the API says in its own words that it failed."""
    handle = make_world().provider(dialect).fails(faults.StreamError(1, error=faults.ServerError(status)), times=2)
    said = post(handle, stream=True).pieces[-1].decode()
    own = make_world().provider(dialect).fails(faults.StreamError(1, error=faults.ServerError(500)))
    assert "html" not in said
    assert said.split('"message":"')[1][:24] == post(own, stream=True).pieces[-1].decode().split('"message":"')[1][:24]
    whole = post(handle)
    assert (whole.status, whole.body.startswith(b"<html>")) == (status, True)


WORDS = {
    "openai": {
        "rate_limited": "requests",
        "overloaded": "server_error",
        "server_error": "server_error",
        "context_length_exceeded": "invalid_request_error",
        "invalid_request": "invalid_request_error",
        "timeout": "server_error",
    },
    "anthropic": {
        "rate_limited": "rate_limit_error",
        "overloaded": "overloaded_error",
        "server_error": "api_error",
        "context_length_exceeded": "invalid_request_error",
        "invalid_request": "invalid_request_error",
        "timeout": "timeout_error",
    },
}
"""The word of each API for each of them; a new dialect adds a table."""


@pytest.mark.parametrize("dialect", WORDS)
@pytest.mark.parametrize(("told", "kind"), TOLD, ids=[str(row[0]) for row in TOLD])
def test_e07_a_stream_tells_any_error_in_the_event_of_its_api(told, kind, dialect):
    """The pieces come, then the event; our own layer reads the class that it is outside a stream."""
    handle = make_world().provider(dialect).fails(faults.StreamError(1, error=told), times=2)
    answered = post(handle, stream=True)
    assert (answered.status, answered.outcome, len(texts_of(answered, dialect))) == (200, "error", 1)
    last = json.loads(answered.pieces[-1].decode().partition("data: ")[2])
    assert last["error"]["type"] == WORDS[dialect][told.name]
    assert answered.pieces[-1].startswith(b"event: error\n") == (dialect == "anthropic")
    with pytest.raises(errors.StreamInterruptedError) as caught:
        list(handle.as_provider("gpt-4o").stream(CompletionRequest.ask("hi")))
    assert isinstance(caught.value.__cause__, kind)


def test_e07_without_a_stream_the_error_is_answered_as_it_is():
    """Status, headers and limits are those of the fault inside."""
    fault = faults.StreamError(1, error=faults.RateLimited(9, headers={"x-note": "a"}))
    answered = post(make_world().provider("openai").fails(fault))
    assert (answered.status, answered.headers["retry-after"], answered.headers["x-note"]) == (429, "9", "a")
    assert answered.headers["x-ratelimit-remaining-requests"] == "0"


def test_e07_the_official_sdks_raise_on_the_event():
    """A 429 inside a stream is an `APIError` of OpenAI's SDK and an `APIStatusError` of Anthropic's."""
    with Simulation() as sim:
        for handle in (sim.openai, sim.anthropic):
            handle.replies(Reply("one two three", fault=faults.StreamError(2, error=faults.RateLimited())))
        pieces = []
        chunks = openai.OpenAI().chat.completions.create(model="gpt-4o", messages=MESSAGES, stream=True)
        with pytest.raises(openai.APIError) as caught:
            pieces.extend(chunk.choices[0].delta.content for chunk in chunks)
        assert (pieces, caught.value.code) == (["", "one", " two"], "rate_limit_exceeded")
        with (
            pytest.raises(anthropic.APIStatusError) as refused,
            anthropic.Anthropic().messages.stream(model="claude-opus-5", max_tokens=9, messages=MESSAGES) as stream,
        ):
            list(stream.text_stream)
        assert refused.value.body["error"]["type"] == "rate_limit_error"


BREAKING = [
    faults.StreamDropped(2),
    faults.StreamTruncated(2),
    faults.StreamStalled(2),
    faults.StreamError(2),
    faults.StreamMalformed(2),
]


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
@pytest.mark.parametrize("fault", BREAKING, ids=str)
def test_e15_a_fault_breaks_the_text_that_the_step_says(fault, dialect):
    """The text before the break is the script's own, and only that much is billed."""
    world = make_world()
    handle = world.provider(dialect).replies(Reply("Paris is lovely today", fault=fault))
    answered = post(handle, stream=True)
    assert texts_of(answered, dialect) == ["Paris", " is"]
    assert handle.requests[0].usage.output_tokens == 2
    assert list(world.trace)[-1].fault == fault.name


def test_e15_a_reply_may_be_late_or_malformed_as_well():
    """Latency and body faults lie on a reply like those of streams."""
    handle = make_world().provider("openai")
    handle.replies(Reply("Paris", fault=faults.SlowFirstToken(20)), Reply("Paris", fault=faults.MalformedBody()))
    late, malformed = post(handle), post(handle)
    assert (late.waits, late.json["choices"][0]["message"]["content"]) == ([20.0], "Paris")
    assert malformed.outcome == "malformed"


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_e16_a_malformed_event_may_be_followed_by_the_rest(dialect):
    """One event is cut, those after it are whole, and whoever passes over it reads to the end."""
    handle = make_world().provider(dialect)
    handle.replies(Reply("one two three four", fault=faults.StreamMalformed(1, continues=True)))
    answered = post(handle, stream=True)
    payloads = [piece.decode().partition("data: ")[2].strip() for piece in answered.pieces]
    readable = [each for each in payloads if each == "[DONE]" or each.endswith("}")]
    assert len(readable) == len(payloads) - 1
    assert "three" in "".join(readable)
    assert "two" not in "".join(readable)
    assert (answered.outcome, answered.failure) == ("200", None)
    assert handle.requests[0].usage.source == "exact"


def test_e16_a_client_that_gives_up_at_the_malformed_event_has_left_the_stream():
    """Our own layer raises there, and the provider sees it go."""
    handle = make_world().provider("openai")
    handle.replies(Reply("one two three", fault=faults.StreamMalformed(1, continues=True)))
    with pytest.raises(errors.StreamInterruptedError) as caught:
        list(handle.as_provider("gpt-4o").stream(CompletionRequest.ask("hi")))
    assert (caught.value.kind, caught.value.partial_text) == ("malformed", "one")
    assert handle.requests[0].outcome == "abandoned"


@pytest.mark.parametrize("window", ["60s", "1m", 60, 60.0, timedelta(minutes=1)], ids=str)
def test_e17_a_provider_fails_for_a_time_and_recovers(window):
    """Every request within the minute fails, and the first one after it does not."""
    world = make_world()
    handle = world.provider("openai").fails(faults.ServerError(503), for_=window).replies("back")
    seen = []
    for _ in range(4):
        seen.append(post(handle).status)
        world.clock.advance(20)
    assert seen == [503, 503, 503, 200]
    assert handle._provider.unused_steps() == []


def test_e17_a_window_begins_when_it_is_its_turn():
    """After a step that is used up, and after a window before it."""
    world = make_world()
    handle = world.provider("openai").replies("first").fails(faults.ServerError(500), for_="10s")
    handle.fails(faults.ServerError(503), for_="10s").replies("last", times=None)
    world.clock.advance(100)
    seen = []
    for _ in range(6):
        seen.append(post(handle).status)
        world.clock.advance(5)
    assert seen == [200, 500, 503, 503, 200, 200]


def test_e17_a_window_of_a_rule_gives_way_to_the_script_when_it_is_over():
    """A more specific rule answers as long as it lasts."""
    world = make_world()
    handle = world.provider("openai").replies("all is well", times=None)
    handle.when(model="gpt-4o").fails(faults.Overloaded(), for_="1s")
    seen = [post(handle).status, post(handle, model="gpt-4.1").status]
    world.clock.advance(1)
    assert [*seen, post(handle).status] == [503, 200, 200]


def test_e17_a_window_in_which_nobody_asked_is_an_unused_step():
    """What was to be proven was not."""
    world = make_world()
    handle = world.provider("openai").fails(faults.ServerError(503), for_="1m30s").replies("back")
    world.clock.advance(200)
    assert post(handle).status == 200
    (unused,) = handle._provider.unused_steps()
    assert unused.label == "server_error(status=503) for 90 s"


def test_e17_the_official_sdk_gets_through_an_outage():
    """Its own retries carry it over a minute without an answer."""
    with Simulation() as sim:
        sim.openai.fails(faults.RateLimited(retry_after=20), for_="60s").replies("Paris")
        client = openai.OpenAI(max_retries=5)
        answer = client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
        assert answer.choices[0].message.content == "Paris"
        assert 60 <= sim.clock.elapsed() < 65


def test_a_window_is_no_limit_of_the_clients():
    """It decides who answers, and waits for nobody."""
    world = make_world()
    provider = world.provider("openai").fails(faults.ServerError(503), for_="5s").replies("ok").as_provider("gpt-4o")
    with pytest.raises(errors.ServerError):
        provider.complete(CompletionRequest.ask("hi"), Timeouts(total=3))
    assert world.clock.now_ns() == 0


MISTAKES = [
    pytest.param(
        lambda h: faults.RateLimited(retry_after="dat"),
        "RateLimited: retry_after cannot be 'dat'. Did you mean `date`? It is seconds, a timedelta, an HTTP date, "
        '"date", "ms" or "unreadable".\n\n'
        'To fix: RateLimited(retry_after=30); for any other text RateLimited(headers={"retry-after": "..."})',
        id="unknown-form",
    ),
    pytest.param(
        lambda h: faults.RateLimited(retry_after=30, seconds=20),
        "RateLimited: retry_after=30 and seconds=20 are two times for one wait.\n\n"
        'To fix: RateLimited(retry_after=30), or a word with its time: RateLimited(retry_after="date", seconds=30)',
        id="two-times",
    ),
    pytest.param(
        lambda h: faults.ServerError(503, retry_after="ms"),
        "ServerError: retry_after cannot be 'ms'. It is seconds, a timedelta or an HTTP date.\n\n"
        'To fix: ServerError(status=503, retry_after=30); for any other text ServerError(headers={"retry-after": '
        '"..."})',
        id="a-form-of-another-fault",
    ),
    pytest.param(
        lambda h: faults.Overloaded(headers={"content-length": "7"}),
        "Overloaded: the header `content-length` says how the body travels, and is written by whoever carries it.\n\n"
        "To fix: leave it out; for a body that stays incomplete, faults.StreamDropped(after_chunks=0)",
        id="framing-header",
    ),
    pytest.param(
        lambda h: faults.Overloaded(headers=["x-note"]),
        "Overloaded: headers must be a mapping of names to texts, got ['x-note'].\n\n"
        'To fix: headers={"x-note": "..."}',
        id="no-headers",
    ),
    pytest.param(
        lambda h: faults.StreamError(2, error=faults.ConnectionReset()),
        "StreamError: error must be a fault that is answered by an error, got ConnectionReset().\n\n"
        "To fix: StreamError(after_chunks=2, error=RateLimited(retry_after=30))",
        id="an-error-nobody-can-tell",
    ),
    pytest.param(
        lambda h: faults.StreamMalformed(2, continues="yes"),
        "StreamMalformed: continues must be True or False, got 'yes'.\n\n"
        "To fix: StreamMalformed(after_chunks=2, continues=True)",
        id="neither-true-nor-false",
    ),
    pytest.param(
        lambda h: Reply("Paris", fault=faults.RateLimited(30)),
        "Reply: after RateLimited(retry_after=30) nothing of the answer would come.\n\n"
        "To fix: fails(faults.RateLimited(retry_after=30))",
        id="nothing-left-of-the-reply",
    ),
    pytest.param(
        lambda h: Reply("Paris", fault=faults.StreamDropped),
        "Reply: fault must be a fault of llmtest.faults, got StreamDropped.\n\n"
        "To fix: Reply(text, fault=faults.StreamDropped(after_chunks=2))",
        id="a-class-of-faults",
    ),
    pytest.param(
        lambda h: h.fails(faults.Overloaded(), for_="60"),
        "fails: for_ must be a duration above 0, got '60'.\n\n"
        'To fix: for_="60s", "1m30s" or "250ms"; or a number of seconds',
        id="no-unit",
    ),
    pytest.param(
        lambda h: h.fails(faults.Overloaded(), for_=0),
        "fails: for_ must be a duration above 0, got 0.\n\n"
        'To fix: for_="60s", "1m30s" or "250ms"; or a number of seconds',
        id="no-time",
    ),
    pytest.param(
        lambda h: h.fails(faults.Overloaded(), 3, for_="60s"),
        "fails: times=3 and for_='60s' say two different things.\n\nTo fix: leave one of them out",
        id="times-and-time",
    ),
]


@pytest.mark.parametrize(("make", "text"), MISTAKES)
def test_facts_that_make_no_sense_are_refused_where_they_are_written(make, text):
    """Each has one clear error."""
    with pytest.raises(ConfigurationError) as caught:
        make(make_world().provider("openai"))
    assert str(caught.value) == text
