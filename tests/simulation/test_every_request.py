"""Every request goes through the engine, whatever it asks for: numbered, limited, scripted, faulted, billed."""

import re

import anthropic
import httpx
import openai
import pytest

from llmtest import Embedding, Json, Raw, Simulation, faults
from llmtest.errors import ConfigurationError, SimulationStateError, UnscriptedRequestError, UnusedStepsError
from llmtest.events import RequestAnswered, RequestReceived


@pytest.fixture
def sim():
    """A simulation that is looser with its steps."""
    with Simulation(strict=False) as simulation:
        yield simulation


@pytest.fixture
def client(sim):
    """The official client, which does not ask twice."""
    return openai.OpenAI(api_key="k", max_retries=0)


def embed(client, *texts, model="text-embedding-3-small", **more):
    """Ask for vectors."""
    return client.embeddings.create(model=model, input=list(texts), encoding_format="float", **more)


def forgiven(sim):
    """Return the errors of the test itself, which then no longer fail it."""
    found = list(sim.world.harness_errors)
    sim.world.harness_errors.clear()
    return found


def ask(client, prompt="hi"):
    """Return what is answered."""
    answer = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": prompt}])
    return answer.choices[0].message.content


def test_e01_embeddings_spend_tokens_of_the_quota(sim, client):
    """A quota of 40,000 tokens a minute lets four requests of 10,000 tokens through, and refuses sixteen."""
    sim.openai.limits(tpm=40_000)
    refused = 0
    for _ in range(20):
        try:
            embed(client, [7] * 10_000)
        except openai.RateLimitError:
            refused += 1
    assert refused == 16


def test_e02_a_fault_strikes_whatever_comes_next(sim, client):
    """A fault is for the next request, embeddings included; a rule by the model's name finds them too."""
    sim.openai.fails(faults.RateLimited())
    with pytest.raises(openai.RateLimitError):
        embed(client, "a")
    sim.openai.when(model="text-embedding-3-small").fails(faults.ServerError(503))
    with pytest.raises(openai.InternalServerError):
        embed(client, "a")
    assert len(embed(client, "a").data) == 1
    assert sim.world.unused_steps() == []


def test_a_fault_after_a_reply_waits_for_it(sim, client):
    """Steps are a conversation's row: what comes between it does not meet a fault that is not next."""
    sim.openai.replies("Paris").fails(faults.ServerError(500))
    assert len(embed(client, "a").data) == 1
    assert ask(client) == "Paris"
    with pytest.raises(openai.InternalServerError):
        embed(client, "a")


def test_vectors_wait_for_a_request_for_vectors(sim, client):
    """A step of vectors is passed over by a conversation, and the other way round."""
    sim.openai.replies("Paris").replies(Embedding([1.0, 2.0])).replies("Rome").replies(Embedding([[3.0], [4.0]]))
    assert embed(client, "a", "b").data[1].embedding == [1.0, 2.0]
    assert (ask(client), ask(client)) == ("Paris", "Rome")
    assert [row.embedding for row in embed(client, "a", "b").data] == [[3.0], [4.0]]
    assert sim.world.unused_steps() == []


def test_a_vector_too_few_is_an_error_of_the_test(sim, client):
    """Two vectors for three inputs can be sent by nobody; the text names both ways out."""
    sim.openai.replies(Embedding([[1.0], [2.0]]))
    with pytest.raises(SimulationStateError) as caught:
        embed(client, "a", "b", "c")
    assert str(caught.value) == (
        "`openai`: a step gives 2 vectors, and the request has 3 inputs.\n\n"
        "To fix: one vector for all of them, Embedding([0.1, 0.2]), or one for each"
    )
    assert forgiven(sim) == [caught.value]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (faults.Timeout(), openai.APITimeoutError),
        (faults.ConnectionRefused(), openai.APIConnectionError),
        (faults.AuthenticationFailed(), openai.AuthenticationError),
        (faults.MalformedBody(), ValueError),
        (faults.StreamDropped(1), openai.APIConnectionError),
    ],
    ids=str,
)
@pytest.mark.parametrize("operation", ["embeddings", "models"])
def test_faults_are_those_of_every_answer(sim, fault, error, operation):
    """What can go wrong with an answer can go wrong with vectors and lists; the SDK raises what it raises."""
    client = openai.OpenAI(api_key="k", max_retries=0, timeout=5)
    sim.openai.when(operation=operation).fails(fault)
    with pytest.raises(error):
        embed(client, "a") if operation == "embeddings" else client.models.list().data
    assert sim.openai.requests[0].operation == operation


def test_lists_and_counts_are_scripted_by_operation(sim, client):
    """`operation=` is a condition; JSON of one's own is answered as it is."""
    sim.openai.when(operation="models").replies(Json({"object": "list", "data": [{"id": "m", "object": "model"}]}))
    assert [card.id for card in client.models.list()] == ["m"]
    sim.anthropic.when(operation="count_tokens").replies(Json({"input_tokens": 7}))
    counted = anthropic.Anthropic(api_key="k").messages.count_tokens(
        model="claude-sonnet-4-5", messages=[{"role": "user", "content": "hi"}]
    )
    assert counted.input_tokens == 7


def test_an_endpoint_nobody_models_is_scripted(sim, client):
    """`on` gives a handle for any endpoint; it is numbered, in the trace, and can fail."""
    videos = sim.openai.on("POST", "/v1/videos")
    videos.replies(Json({"id": "video_1", "object": "video"})).fails(faults.RateLimited(5))
    asked = {"prompt": "a cat", "model": "sora-2"}
    assert client.post("/videos", body=asked, cast_to=object)["id"] == "video_1"
    with pytest.raises(openai.RateLimitError) as caught:
        client.post("/videos", body=asked, cast_to=object)
    assert caught.value.response.headers["retry-after"] == "5"
    request = sim.openai.requests[0]
    assert (request.operation, request.model, request.outcome) == ("POST /v1/videos", "sora-2", "200")
    assert [event.outcome for event in sim.trace.of(RequestAnswered)] == ["200", "429"]


def test_an_endpoint_nobody_models_needs_a_step(sim, client):
    """Without a step left a request to it is an error of the test, whose advice answers it."""
    sim.openai.on("POST", "/v1/videos")
    with pytest.raises(UnscriptedRequestError, match="POST /v1/videos") as caught:
        client.post("/videos", body={"prompt": "a cat"}, cast_to=object)
    assert forgiven(sim) == [caught.value]
    advice = re.search(r"2\. answer every request: +llm_sim\.(.+)", str(caught.value))[1]
    eval(f"sim.{advice}", {"sim": sim, "Json": Json})
    assert [client.post("/videos", body={}, cast_to=object) for _ in range(2)] == [{}, {}]


CONVERSATION = "a str, a Reply, a Json, a Raw or a fault"
MISPLACED = [
    ("POST", "/v1/videos", lambda rule: rule.replies("hi"), "replies('hi')"),
    ("POST", "/v1/videos", lambda rule: rule.replies(Embedding([1.0])), "replies(Embedding)"),
    ("POST", "/v1/videos", lambda rule: rule.calls_tool("look"), "calls_tool('look')"),
    ("POST", "/v1/videos", lambda rule: rule.echoes(), "echoes()"),
    ("POST", "/v1/embeddings", lambda rule: rule.replies("hi"), "replies('hi')"),
    ("POST", "/v1/embeddings", lambda rule: rule.generates(), "generates()"),
    ("POST", "/v1/chat/completions", lambda rule: rule.replies(Embedding([1.0])), "replies(Embedding)"),
]
TAKES = {
    "/v1/videos": ("POST /v1/videos", "a Json, a Raw or a fault", 'Json({"data": []})'),
    "/v1/embeddings": ("embeddings", "an Embedding, a Json, a Raw or a fault", "Embedding([0.1, 0.2])"),
    "/v1/chat/completions": ("chat", CONVERSATION, '"Paris"'),
}


@pytest.mark.parametrize(
    ("method", "path", "write", "label"), MISPLACED, ids=[f"{row[1]}-{row[3]}" for row in MISPLACED]
)
def test_a_step_that_answers_no_such_request_is_refused_where_it_is_written(sim, method, path, write, label):
    """A text never answers an image, nor a vector a conversation; the advice is a step that does."""
    operation, takes, example = TAKES[path]
    rule = sim.openai.on(method, path)
    with pytest.raises(ConfigurationError) as caught:
        write(rule)
    assert str(caught.value) == (
        f"{label} would never be played: it is no answer to `{operation}`, which takes {takes}.\n\n"
        f"To fix: replies({example})"
    )
    rule.replies(eval(example))


@pytest.mark.parametrize(
    ("path", "result"),
    [
        ("/v1/videos", "hi"),
        ("/v1/videos", Embedding([1.0])),
        ("/v1/embeddings", "hi"),
        ("/v1/chat/completions", Embedding([1.0])),
    ],
)
def test_a_function_that_returns_no_answer_to_its_request_is_an_error_of_the_test(sim, path, result):
    """The error is recorded, and names what the function may return to such a request."""
    sim.openai.on("POST", path).replies(lambda request: result)
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    body = {"model": "m", "input": "hi"} if path.endswith("embeddings") else body
    with pytest.raises(SimulationStateError) as caught:
        httpx.post(f"https://api.openai.com{path}", json=body)
    takes = TAKES[path][1]
    assert str(caught.value) == (
        f"`openai`: the test's own reply function failed: TypeError: it returned {type(result).__name__}, not {takes}"
        f"\n\nTo fix: make the function return {takes} for every request it may see."
    )
    assert forgiven(sim) == [caught.value]


def test_parts_of_a_path_are_parameters(sim, client):
    """`{name}` stands for one part of a path."""
    sim.openai.on("GET", "/v1/files/{id}").replies(Json({"id": "f-1", "object": "file"}, headers={"x-note": "n"}))
    assert client.files.with_raw_response.retrieve("f-1").headers["x-note"] == "n"


def test_an_endpoint_that_is_simulated_has_one_handle(sim, client):
    """`on` at a known endpoint is a rule for its operation."""
    sim.openai.on("POST", "/v1/embeddings").replies(Embedding([9.0]))
    assert embed(client, "a").data[0].embedding == [9.0]


def test_bytes_go_out_as_they_are(sim, client):
    """`Raw` answers a conversation too: a page of a proxy with status 418."""
    sim.openai.replies(Raw(418, {"content-type": "text/plain"}, "short and stout"))
    with pytest.raises(openai.APIStatusError) as caught:
        ask(client)
    assert (caught.value.status_code, caught.value.response.text) == (418, "short and stout")
    assert sim.openai.requests[0].outcome == "418"
    assert sim.costs.total_usd == 0


def test_functions_answer_what_their_rule_is_for(sim, client):
    """A function on a rule by operation sees that request, and returns what fits it."""
    sim.openai.when(operation="embeddings").replies(lambda request: Embedding([float(len(request.inputs))]))
    assert embed(client, "a", "b").data[0].embedding == [2.0]


def test_embeddings_are_billed(sim, client):
    """An answer of vectors costs what its tokens cost, by the published price; a list of models costs nothing."""
    sim.openai.replies(Embedding([1.0], usage=None))
    embed(client, [5] * 1_000_000)
    list(client.models.list())
    assert str(sim.costs.total_usd).rstrip("0") == "0.02"


def test_everything_takes_its_time(sim, client):
    """A latency is that of every answer."""
    sim.openai.latency(2.0)
    embed(client, "a")
    list(client.models.list())
    assert sim.clock.elapsed() == 4.0


def test_e30_a_refused_request_is_what_it_was(sim):
    """A body that the API turns down is noted under its operation and its model."""
    httpx.post("https://api.openai.com/v1/embeddings", json={})
    httpx.post("https://api.openai.com/v1/chat/completions", json={"model": "gpt-4o"})
    found = [(record.operation, record.model, record.outcome) for record in sim.openai.requests]
    assert found == [("embeddings", None, "400"), ("chat", "gpt-4o", "400")]
    assert [event.operation for event in sim.trace.of(RequestReceived)] == ["embeddings", "chat"]


def test_e03_a_path_that_nobody_serves_is_an_event(sim):
    """It is counted, in the trace, and an error of the test."""
    with pytest.raises(SimulationStateError, match="an endpoint that is not simulated"):
        httpx.post("https://api.openai.com/v1/chat/complete", json={"model": "m"})
    record = sim.openai.requests[0]
    assert (record.operation, record.model, record.outcome, record.path) == (
        "unserved",
        "m",
        "unserved",
        "/v1/chat/complete",
    )
    assert sim.trace.of(RequestReceived)[0].operation == "unserved"
    assert len(forgiven(sim)) == 1


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_e23_what_the_api_has_is_not_denied_in_its_name(sim, method):
    """OpenAI makes vector stores and deletes them; here that is not simulated, and said so by us, not as its 405."""
    with pytest.raises(SimulationStateError, match="an endpoint that is not simulated"):
        httpx.request(method, "https://api.openai.com/v1/vector_stores" + ("" if method == "GET" else "/vs-1"))
    assert len(forgiven(sim)) == 1


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda sim: sim.openai.on("POST", "images"),
            (
                "on() takes a method and a path, got 'POST' and 'images'.\n\n"
                'To fix: on("POST", "/v1/images/generations")'
            ),
        ),
        (lambda _: Embedding([]), "Embedding: a vector is a list of finite numbers, got [].\n\n"),
        (lambda _: Embedding(["a"]), "Embedding: a vector is a list of finite numbers, got ['a'].\n\n"),
        (lambda _: Json({1, 2}), "Json: JSON cannot say this: "),
        (lambda _: Raw(99), "Raw: status must be from 100 to 599, got 99.\n\nTo fix: status=200"),
        (lambda _: Raw(200, {"a b": "c"}), "Raw: 'a b' is no name of a header.\n\n"),
        (lambda _: Raw(body={"a": 1}), "Raw: the body must be bytes or text, got {'a': 1}.\n\nTo fix: Json({'a': 1})"),
    ],
    ids=["path", "no-vector", "no-numbers", "no-json", "status", "header", "body"],
)
def test_what_cannot_be_sent_is_refused_where_it_is_written(sim, make, text):
    """Each mistake has one clear error, before any request."""
    with pytest.raises(ConfigurationError) as caught:
        make(sim)
    assert str(caught.value).startswith(text)


def test_vectors_that_nobody_asked_for_are_unused_steps():
    """A step of vectors that was never played fails the test at its end, as every step does."""
    with pytest.raises(UnusedStepsError, match="step 1: replies"), Simulation() as sim:
        sim.openai.replies(Embedding([1.0]))
