"""Every fault, as the official SDKs for Node see it: what they raise, with which facts, and how often they ask."""

import pytest

from tests.node.node_process import require

require("openai", "@anthropic-ai/sdk")
pytestmark = pytest.mark.slow

ONCE = {"maxRetries": 0}
HURRIED = {"maxRetries": 0, "timeout": 300}
"""Gives up after so many milliseconds; for nothing but what never comes, because these machines are busy."""

TEXT = "Paris"
WHOLE_AND_STREAMED = {"openai": ("chat", "chatStream"), "anthropic": ("message", "messageStream")}

STATUSES = [
    # fault, openai: (class, status, type, code, param), anthropic: (class, status, type)
    (
        "rate_limited",
        ("RateLimitError", 429, "requests", "rate_limit_exceeded", None),
        ("RateLimitError", 429, "rate_limit_error"),
    ),
    (
        "quota_exceeded",
        ("RateLimitError", 429, "insufficient_quota", "insufficient_quota", None),
        ("PaymentRequiredError", 402, "billing_error"),
    ),
    (
        {"quota_exceeded": {"status": 402}},
        ("APIError", 402, "insufficient_quota", "insufficient_quota", None),
        ("PaymentRequiredError", 402, "billing_error"),
    ),
    (
        {"timeout": {"phase": "server"}},
        ("APIError", 408, "server_error", None, None),
        ("RequestTimeoutError", 408, "timeout_error"),
    ),
    (
        {"invalid_request": {"status": 409}},
        ("ConflictError", 409, "invalid_request_error", None, None),
        ("ConflictError", 409, "invalid_request_error"),
    ),
    (
        {"invalid_request": {"status": 422}},
        ("UnprocessableEntityError", 422, "invalid_request_error", None, None),
        ("UnprocessableEntityError", 422, "invalid_request_error"),
    ),
    (
        "authentication_failed",
        ("AuthenticationError", 401, "invalid_request_error", "invalid_api_key", None),
        ("AuthenticationError", 401, "authentication_error"),
    ),
    (
        "permission_denied",
        ("PermissionDeniedError", 403, "invalid_request_error", "missing_scope", None),
        ("PermissionDeniedError", 403, "permission_error"),
    ),
    (
        "model_not_found",
        ("NotFoundError", 404, "invalid_request_error", "model_not_found", None),
        ("NotFoundError", 404, "not_found_error"),
    ),
    (
        "context_length_exceeded",
        ("BadRequestError", 400, "invalid_request_error", "context_length_exceeded", "messages"),
        ("BadRequestError", 400, "invalid_request_error"),
    ),
    (
        {"invalid_request": {"message": "No.", "param": "stop"}},
        ("BadRequestError", 400, "invalid_request_error", "unsupported_parameter", "stop"),
        ("BadRequestError", 400, "invalid_request_error"),
    ),
    (
        "content_filtered",
        ("BadRequestError", 400, "invalid_request_error", "content_policy_violation", None),
        ("BadRequestError", 400, "invalid_request_error"),
    ),
    (
        "request_too_large",
        ("APIError", 413, "invalid_request_error", "request_too_large", None),
        ("ContentTooLargeError", 413, "request_too_large"),
    ),
    (
        "server_error",
        ("InternalServerError", 500, "server_error", None, None),
        ("InternalServerError", 500, "api_error"),
    ),
    # Pages of a gateway: there is no JSON to take a type from.
    (
        {"server_error": {"status": 502}},
        ("InternalServerError", 502, None, None, None),
        ("InternalServerError", 502, None),
    ),
    (
        {"server_error": {"status": 503}},
        ("InternalServerError", 503, "server_error", None, None),
        ("ServiceUnavailableError", 503, "overloaded_error"),
    ),
    (
        {"server_error": {"status": 504}},
        ("InternalServerError", 504, None, None, None),
        ("GatewayTimeoutError", 504, None),
    ),
    (
        "overloaded",
        ("InternalServerError", 503, "server_error", None, None),
        ("OverloadedError", 529, "overloaded_error"),
    ),
]
"""Faults that are an answer with a status: openai has no class for 413, anthropic has one for everything."""


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("fault", "openai", "anthropic"), STATUSES, ids=[str(row[0]) for row in STATUSES])
def test_a_status_becomes_the_class_of_the_sdk(served, node, fault, openai, anthropic, streamed):
    """Class, status, type, code and param are the provider's; the request id can be quoted to its support."""
    steps = [{"fails": fault}]
    served.script(openai=steps, anthropic=steps)
    told = node.call(WHOLE_AND_STREAMED["openai"][streamed], client=ONCE)
    error = told["error"]
    assert (error["classes"][0], error["status"], error.get("type"), error.get("code"), error.get("param")) == openai
    assert error["classes"][-3:] == ["APIError", "OpenAIError", "Error"]
    assert error["requestID"].startswith("req_")

    told = node.call(WHOLE_AND_STREAMED["anthropic"][streamed], client=ONCE)
    error = told["error"]
    assert (error["classes"][0], error["status"], error["type"]) == anthropic
    assert error["classes"][-3:] == ["APIError", "AnthropicError", "Error"]
    assert error["requestID"].startswith("req_")
    assert served.outcomes("openai") == [str(openai[1])]
    assert served.outcomes("anthropic") == [str(anthropic[1])]


TERMINATED = ("TypeError", "terminated")
SYNTAX = ("SyntaxError", None)
TIMED_OUT = ("APIConnectionTimeoutError", "Request timed out.")
NO_CONNECTION = ("APIConnectionError", "Connection error.")
NOTHING = None
"""No error: the application gets less than there was, and nobody tells it."""

BREAKS = [
    # fault, and what each call raises: openai whole, streamed, anthropic whole, streamed; the outcome in our log
    ("connection_refused", (NO_CONNECTION,) * 4, "refused"),
    ("connection_closed", (NO_CONNECTION,) * 4, "reset"),
    ("connection_reset", (NO_CONNECTION,) * 4, "reset"),
    ({"timeout": {"phase": "connect"}}, (TIMED_OUT,) * 4, "timeout"),
    ({"timeout": {"phase": "read"}}, (TIMED_OUT,) * 4, "timeout"),
    ("malformed_body", (SYNTAX,) * 4, "malformed"),
    ("wrong_content_type", (NOTHING,) * 4, "200"),
    ("empty_response", (NOTHING,) * 4, "200"),
    ({"stream_dropped": {"after_chunks": 1}}, (TERMINATED,) * 4, "dropped"),
    ({"stream_truncated": {"after_chunks": 1}}, (SYNTAX, NOTHING) * 2, "truncated"),
    ({"stream_malformed": {"after_chunks": 1}}, (SYNTAX,) * 4, "malformed"),
]


@pytest.mark.parametrize(("fault", "expected", "outcome"), BREAKS, ids=[str(row[0]) for row in BREAKS])
def test_what_breaks_below_http_surfaces_as_in_production(served, node, fault, expected, outcome):
    """The SDKs wrap what happens before the headers; what breaks after them comes through as fetch has it."""
    steps = [{"fails": fault, "times": "forever"}]
    served.script(openai=steps, anthropic=steps)
    client = HURRIED if outcome == "timeout" else ONCE
    told = [node.call(name, client=client)["error"] for calls in WHOLE_AND_STREAMED.values() for name in calls]
    found = [error and (error["classes"][0], error["message"]) for error in told]
    assert [
        error and (error[0], wanted[1] and error[1]) if wanted else error
        for error, wanted in zip(found, expected, strict=True)
    ] == list(expected)
    assert served.settled_outcomes("openai") == served.settled_outcomes("anthropic") == [outcome] * 2


def test_a_broken_connection_is_broken_for_real(served, node):
    """Below the SDK's error is the operating system's: a reset is a reset, a connection that closes is one."""
    served.script(
        openai=[
            {"fails": "connection_reset"},
            {"fails": "connection_closed"},
            {"fails": {"stream_dropped": {"after_chunks": 1}}},
        ]
    )
    assert node.call("chat", client=ONCE)["error"]["causes"] == ["fetch failed", "ECONNRESET"]
    assert node.call("chat", client=ONCE)["error"]["causes"] == ["fetch failed", "UND_ERR_SOCKET"]
    assert node.call("chatStream", client=ONCE)["error"]["causes"] == ["UND_ERR_SOCKET"]


def test_a_page_of_a_gateway_is_handed_out_as_text(served, node):
    """Both SDKs return the HTML where an object is expected."""
    steps = [{"fails": "wrong_content_type"}]
    served.script(openai=steps, anthropic=steps)
    assert "502 Bad Gateway" in node.value("chat")
    assert "502 Bad Gateway" in node.value("message")


@pytest.mark.parametrize("name", ["stream_dropped", "stream_truncated", "stream_malformed", "stream_error"])
def test_what_came_before_a_stream_broke_has_arrived(served, node, name):
    """Two visible pieces, as the fault says, before whatever happens then."""
    steps = [{"fails": {name: {"after_chunks": 2}}}]
    served.script(openai=steps, anthropic=steps)
    chunks = node.call("chatStream", client=ONCE)["chunks"]
    assert len([chunk for chunk in chunks if chunk["choices"][0]["delta"].get("content")]) == 2
    events = node.call("messageStream", client=ONCE)["chunks"]
    assert len([event for event in events if event["type"] == "content_block_delta"]) == 2


def test_an_error_within_a_stream(served, node):
    """Both raise their base class, without a status: the 200 has long been sent."""
    steps = [{"fails": {"stream_error": {"after_chunks": 1}}}]
    served.script(openai=steps, anthropic=steps)
    error = node.call("chatStream", client=ONCE)["error"]
    assert (error["classes"][0], error.get("status"), error["type"]) == ("APIError", None, "server_error")
    assert error["message"].startswith("That model is currently overloaded")
    assert error["requestID"].startswith("req_")

    error = node.call("messageStream", client=ONCE)["error"]
    assert (error["classes"][0], error.get("status"), error["type"]) == ("APIError", None, "overloaded_error")
    assert error["requestID"].startswith("req_")


@pytest.mark.parametrize("call", ["chat", "chatStream", "message", "messageStream"])
def test_retry_after_is_honoured(served, node, call):
    """The SDK comes back when it was told to, not after its own half second, and then has its answer."""
    steps = [{"fails": {"rate_limited": {"retry_after": 0.03}}, "times": 2}, {"replies": TEXT}]
    served.script(openai=steps, anthropic=steps)
    told = node.call(call, client={"maxRetries": 2})
    assert (told["error"], told["requests"]) == (None, 3)
    # A busy machine may make a wait longer, and seldom each of them; the SDK's own would be 375 ms and more.
    assert 29 <= min(told["waits"]) < 370, told["waits"]


@pytest.mark.parametrize("fault", ["rate_limited", "server_error", "overloaded"])
def test_patience_ends(served, node, fault):
    """What can be retried is asked three times by default, and then raised."""
    named = {fault: {"retry_after": 0.01}}
    steps = [{"fails": named, "times": "forever"}]
    served.script(openai=steps, anthropic=steps)
    for name in ("chat", "message"):
        told = node.call(name)
        assert (told["requests"], told["error"]["status"] >= 429) == (3, True)


@pytest.mark.parametrize("fault", ["authentication_failed", "content_filtered", "model_not_found", "request_too_large"])
def test_what_cannot_get_better_is_asked_once(served, node, fault):
    """The SDKs do not retry these."""
    steps = [{"fails": fault, "times": "forever"}]
    served.script(openai=steps, anthropic=steps)
    assert [node.call(name)["requests"] for name in ("chat", "message")] == [1, 1]


def test_a_late_first_token_is_waited_for(served, node):
    """The answer is right and late."""
    steps = [{"fails": {"slow_first_token": {"seconds": 0.1}}, "times": 2}]
    served.script(openai=steps, anthropic=steps)
    for calls in WHOLE_AND_STREAMED.values():
        whole, streamed = (node.call(name, client=ONCE) for name in calls)
        assert (whole["error"], streamed["error"]) == (None, None)
        assert min(whole["took"], streamed["took"]) >= 99


STALLS = [({"timeout": {"phase": "first_token"}}, "timeout"), ({"stream_stalled": {"after_chunks": 1}}, "stalled")]


@pytest.mark.parametrize(("fault", "outcome"), STALLS, ids=["timeout", "stalled"])
@pytest.mark.parametrize("call", ["chatStream", "messageStream"])
def test_a_silent_stream_is_ended_by_nobody_but_the_application(served, node, call, fault, outcome):
    """The timeout of both SDKs ends with the headers: the application must abort a stream that has fallen silent."""
    steps = [{"fails": fault}]
    served.script(openai=steps, anthropic=steps)
    told = node.call(call, client={"maxRetries": 0, "timeout": 50}, abortAfter=400)
    assert told["aborted"]
    assert told["took"] >= 390
    provider = "openai" if call == "chatStream" else "anthropic"
    assert served.settled_outcomes(provider) == [outcome]


def test_a_call_that_the_application_aborts_leaves_nothing_behind(served, node):
    """The server notices that the client has left, and stops answering."""
    served.script(openai=[{"replies": {"text": TEXT, "latency": "20s"}}])
    error = node.call("chat", abortAfter=100)["error"]
    assert (error["classes"][0], error["message"]) == ("APIUserAbortError", "Request was aborted.")
    assert served.settled_outcomes("openai") == ["abandoned"]


def test_a_quota_is_enforced(served, node):
    """Real quotas: the third request of the minute is refused, with the headers of the provider."""
    served.script(openai={"limits": {"rpm": 2}}, anthropic={"limits": {"rpm": 2}})
    for name, header in (
        ("chat", "x-ratelimit-remaining-requests"),
        ("message", "anthropic-ratelimit-requests-remaining"),
    ):
        assert [node.value(name, client=ONCE)["headers"][header] for _ in range(2)] == ["1", "0"]
        assert node.call(name, client=ONCE)["error"]["classes"][0] == "RateLimitError"
