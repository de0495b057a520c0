"""The official client of Ollama against the simulated one: chat, prompts, tools, forms, models, failures."""

import asyncio
import json
import os

import pytest

from llmtest import Embedding, Reply, Simulation, faults
from llmtest.types import Usage

ollama = pytest.importorskip("ollama")

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
ASKED = [{"role": "user", "content": "Capital of France?"}]


@pytest.fixture
def sim():
    """A simulation that the client asks."""
    with Simulation() as simulation:
        yield simulation


def search(q: str) -> str:
    """Search.

    Args:
        q: What for.
    """
    return q


def test_a_chat_is_answered_whole_and_streamed(sim):
    """Text, thoughts, counts and durations come as Ollama has them, by `Client` and module functions alike."""
    sim.ollama.replies(Reply("Paris is it.", thinking="France.", usage=Usage(12, 3)), times=2)
    whole = ollama.chat("llama3.2", ASKED, think=True)
    assert (whole.message.content, whole.message.thinking) == ("Paris is it.", "France.")
    assert (whole.done, whole.done_reason, whole.prompt_eval_count, whole.eval_count) == (True, "stop", 12, 3)
    assert whole.total_duration == whole.load_duration + whole.prompt_eval_duration + whole.eval_duration
    pieces = list(ollama.Client().chat("llama3.2", ASKED, stream=True))
    assert [piece.message.content for piece in pieces] == ["", "Paris", " is", " it.", ""]
    assert "".join(piece.message.thinking or "" for piece in pieces) == "France."
    assert [piece.done for piece in pieces] == [False] * 4 + [True]
    assert pieces[-1].eval_count == 3
    assert [record.stream for record in sim.ollama.requests] == [False, True]
    assert sim.costs.total_usd == 0


def test_the_asynchronous_client_is_answered(sim):
    """Whole and streamed, under the virtual clock."""
    sim.ollama.replies(Reply("Paris", latency=30), "Rome")

    async def ask():
        client = ollama.AsyncClient(host="localhost:11434")
        first = await client.chat("llama3.2", ASKED)
        pieces = [piece.response async for piece in await client.generate("llama3.2", "And Italy?", stream=True)]
        return first.message.content, "".join(pieces)

    assert sim.run(ask()) == ("Paris", "Rome")
    assert sim.clock.elapsed() == 30


def test_tools_go_round(sim):
    """A call has an object as arguments; its result comes back under the call that it answers."""
    sim.ollama.calls_tool("search", {"q": "x"}).replies("Found.")
    first = ollama.chat("llama3.2", ASKED, tools=[search])
    (call,) = first.message.tool_calls
    assert (call.function.name, call.function.arguments) == ("search", {"q": "x"})
    assert sim.ollama.requests[0].request.tools[0].name == "search"
    again = [*ASKED, first.message, {"role": "tool", "tool_name": "search", "content": "found x"}]
    assert ollama.chat("llama3.2", again).message.content == "Found."
    *_, said, result = sim.ollama.requests[1].request.messages
    assert (result.tool_call_id, result.text) == (said.tool_calls[0].id, "found x")


def test_an_answer_has_the_form_that_was_asked_for(sim):
    """`format` is "json" or a schema, and what is generated fits it."""
    sim.ollama.generates()
    said = ollama.chat("llama3.2", ASKED, format=SCHEMA).message.content
    assert list(json.loads(said)) == ["city"]
    assert sim.ollama.requests[0].request.response_format.schema == SCHEMA
    ollama.generate("llama3.2", "JSON please", format="json")
    assert sim.ollama.requests[1].request.response_format.type == "json_object"


def test_options_are_ours_or_kept(sim):
    """What every API has is read; what only Ollama knows stays verbatim, and `num_predict` cuts."""
    sim.ollama.replies("one two three four five six")
    options = {"num_ctx": 8192, "temperature": 0.5, "num_predict": 3, "stop": ["END"], "seed": 7}
    answer = ollama.generate("llama3.2", "Count.", system="Be brief.", suffix="!", options=options, keep_alive="10m")
    assert (answer.response.split(), answer.done_reason) == (["one", "two", "thre"], "length")
    request = sim.ollama.requests[0].request
    assert (request.max_tokens, request.temperature, request.seed, request.stop_sequences) == (3, 0.5, 7, ("END",))
    assert [message.text for message in request.messages] == ["Be brief.", "Count."]
    kept = request.extra_for("ollama")
    assert (kept["options"]["num_ctx"], kept["keep_alive"], kept["suffix"]) == (8192, "10m", "!")


def test_pictures_are_read(sim):
    """Base64 beside the text, whose type its first bytes tell."""
    sim.ollama.replies("A dot.")
    picture = "iVBORw0KGgo="
    ollama.chat("llava", [{"role": "user", "content": "What is it?", "images": [picture]}])
    _, image = sim.ollama.requests[0].request.messages[0].content
    assert (image.data, image.media_type) == (picture, "image/png")


def test_log_probabilities_are_told_where_they_are_asked_for(sim):
    """A list with the tokens of the answer, joined its text."""
    sim.ollama.replies("Paris is it.")
    answer = ollama.chat("llama3.2", ASKED, logprobs=True, top_logprobs=2)
    assert "".join(token.token for token in answer.logprobs) == "Paris is it."
    assert {len(token.top_logprobs) for token in answer.logprobs} == {2}


def test_embeddings_of_both_kinds(sim):
    """`embed` takes several texts, `embeddings` one; a script may say the vectors."""
    vectors = ollama.embed("all-minilm", ["a", "b"]).embeddings
    assert len(vectors) == 2
    assert vectors[0] != vectors[1]
    sim.ollama.when(operation="embeddings").replies(Embedding([0.5, 0.25]))
    assert list(ollama.embeddings("all-minilm", "a").embedding) == [0.5, 0.25]


def test_models_are_listed_shown_loaded_pulled_copied_and_deleted(sim):
    """What one call changes the next one sees."""
    assert [model.model for model in ollama.list().models] == ["llama3.2:latest"]
    shown = ollama.show("llama3.2")
    assert (shown.details.family, shown.modelinfo["llama.context_length"]) == ("llama", 131072)
    assert ollama.chat("llama3.2", []).done_reason == "load"
    assert [model.model for model in ollama.ps().models] == ["llama3.2:latest"]
    assert ollama.generate("llama3.2", keep_alive=0).done_reason == "unload"
    assert ollama.ps().models == []
    steps = list(ollama.pull("qwen3:8b", stream=True))
    assert (steps[0].status, steps[-1].status) == ("pulling manifest", "success")
    assert [step.completed for step in steps if step.completed][-1] == steps[1].total
    assert ollama.pull("mistral").status == "success"
    assert ollama.copy("qwen3:8b", "mine").status == "success"
    assert ollama.create("maid", from_="llama3.2", system="Serve.").status == "success"
    assert ollama.delete("mistral").status == "success"
    assert [model.model for model in ollama.list().models] == [
        "llama3.2:latest",
        "qwen3:8b",
        "mine:latest",
        "maid:latest",
    ]
    with pytest.raises(ollama.ResponseError, match="model 'mistral' not found") as caught:
        ollama.chat("mistral", ASKED)
    assert caught.value.status_code == 404


@pytest.mark.parametrize(
    ("fault", "status", "text"),
    [
        (faults.ModelNotFound(), 404, "model 'llama3.2' not found"),
        (faults.Overloaded(), 503, "server busy, please try again.  maximum pending requests exceeded"),
        (faults.ContextLengthExceeded(), 400, "the input length exceeds the context length"),
        (faults.AuthenticationFailed(), 401, "unauthorized"),
        (faults.ServerError(), 500, "llama-server process has terminated: exit status 2"),
        (faults.RateLimited(retry_after=3), 429, "too many requests"),
    ],
    ids=str,
)
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_e31_a_failure_is_a_text(sim, fault, status, text, streamed):
    """Each fault comes with Ollama's status and words; the client tries once."""
    sim.ollama.fails(fault)
    with pytest.raises(ollama.ResponseError) as caught:
        list(ollama.chat("llama3.2", ASKED, stream=True)) if streamed else ollama.chat("llama3.2", ASKED)
    assert (caught.value.status_code, caught.value.error) == (status, text)


def test_a_line_inside_a_stream_says_that_it_failed(sim):
    """What came before it has come."""
    sim.ollama.fails(faults.StreamError(after_chunks=2, error=faults.Overloaded()))
    pieces = []
    with pytest.raises(ollama.ResponseError, match="server busy") as caught:
        pieces.extend(piece.message.content for piece in ollama.chat("llama3.2", ASKED, stream=True))
    assert caught.value.status_code == -1


@pytest.mark.parametrize(
    ("ask", "text"),
    [
        ({"messages": [{"role": "critic", "content": "x"}]}, "invalid role"),
        ({"options": {"temperature": "hot"}}, 'option "temperature" must be of type float32'),
        ({"options": {"stop": "END"}}, 'option "stop" must be of type array'),
        ({"top_logprobs": 30}, "top_logprobs must be between 0 and 20"),
        ({"think": "hard"}, "invalid think value"),
    ],
)
def test_what_the_server_refuses_is_refused(sim, ask, text):
    """A wrong request is answered before any step is played."""
    sim.ollama.replies("never")
    sim.strict = False
    with pytest.raises(ollama.ResponseError, match=text) as caught:
        ollama.chat("llama3.2", **{"messages": ASKED, **ask})
    assert caught.value.status_code == 400


def test_nobody_answers_at_a_refused_connection(sim):
    """The client's own sentence."""
    sim.ollama.fails(faults.ConnectionRefused())
    with pytest.raises(ConnectionError, match="Failed to connect to Ollama"):
        ollama.chat("llama3.2", ASKED)


def test_the_address_comes_from_the_environment(monkeypatch):
    """`OLLAMA_HOST` with another machine is Ollama all the same."""
    monkeypatch.setenv("OLLAMA_HOST", "gpu-box:9999")
    with Simulation() as sim:
        sim.ollama.replies("Paris")
        assert ollama.Client().chat("llama3.2", ASKED).message.content == "Paris"
    assert os.environ["OLLAMA_HOST"] == "gpu-box:9999"


def test_many_clients_at_once(sim):
    """Answers go to who asked."""
    sim.ollama.echoes()

    async def ask():
        client = ollama.AsyncClient()
        asked = (client.chat("llama3.2", [{"role": "user", "content": str(number)}]) for number in range(5))
        return [answer.message.content for answer in await asyncio.gather(*asked)]

    assert sim.run(ask()) == ["0", "1", "2", "3", "4"]


def test_thoughts_of_the_compatible_api_are_called_reasoning():
    """The fingerprint is Ollama's, usage is three counts, and ids are small numbers."""
    openai = pytest.importorskip("openai")
    with Simulation() as sim:
        sim.ollama.replies(Reply("Paris", thinking="France."), times=2)
        client = openai.OpenAI(base_url="http://localhost:11434/v1", api_key="ollama")
        told = client.chat.completions.create(model="llama3.2", messages=ASKED).model_dump(exclude_unset=True)
        assert (told["choices"][0]["message"]["reasoning"], told["system_fingerprint"]) == ("France.", "fp_ollama")
        assert sorted(told["usage"]) == ["completion_tokens", "prompt_tokens", "total_tokens"]
        assert 0 <= int(told["id"].removeprefix("chatcmpl-")) < 999
        chunks = list(client.chat.completions.create(model="llama3.2", messages=ASKED, stream=True))
        assert chunks[1].choices[0].delta.model_extra["reasoning"] == "France."


@pytest.mark.parametrize(
    ("fault", "kind"), [(faults.ModelNotFound(), "not_found_error"), (faults.Overloaded(), "api_error")], ids=str
)
def test_errors_of_the_compatible_api_are_objects_without_a_code(sim, fault, kind):
    """The same words, in OpenAI's envelope."""
    openai = pytest.importorskip("openai")
    sim.ollama.fails(fault)
    client = openai.OpenAI(base_url="http://localhost:11434/v1", api_key="ollama", max_retries=0)
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model="llama3.2", messages=ASKED)
    assert (caught.value.body["type"], caught.value.code) == (kind, None)
