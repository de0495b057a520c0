"""What the agent makes of what models do."""

import pytest
from agent import MOST_TURNS, NoAnswerError, Shop, answer

from llmtest import Reply, ToolCall, faults


@pytest.fixture
def shop():
    """Return a shop with two orders."""
    return Shop({"A1": 20.0, "B2": 35.5})


def results_of(request):
    """Return what the tools told the model in a request, in order."""
    return [message.text for message in request.request.messages if message.role == "tool"]


def test_a_tool_s_result_reaches_the_model(llm_sim, shop):
    """The model asks, is told, and answers."""
    llm_sim.openai.when(turn=1).calls_tool("look_up", {"order": "A1"})
    llm_sim.openai.when(tool_result_contains="$20.00").replies("It cost 20 dollars.")

    assert answer("What did order A1 cost?", shop) == "It cost 20 dollars."
    llm_sim.assert_sequence("openai:200", "openai:200")


def test_the_model_is_told_of_every_tool(llm_sim, shop):
    """Each tool is declared, with a description."""
    llm_sim.openai.replies("Hello")

    answer("Hi", shop)

    declared = llm_sim.openai.requests[0].request.tools
    assert [tool.name for tool in declared] == ["look_up", "refund"]
    assert all(tool.description for tool in declared)


def test_two_calls_in_one_turn_get_two_results(llm_sim, shop):
    """Every call is answered under its own id, in order."""
    llm_sim.openai.calls_tools(
        ToolCall("call_a", "look_up", '{"order": "A1"}'), ToolCall("call_b", "look_up", '{"order": "B2"}')
    ).replies("Both are here.")

    answer("Where are A1 and B2?", shop)

    told = [message for message in llm_sim.openai.requests[1].request.messages if message.role == "tool"]
    assert [(message.tool_call_id, message.text) for message in told] == [
        ("call_a", "Order A1 cost $20.00."),
        ("call_b", "Order B2 cost $35.50."),
    ]


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        pytest.param("delete_shop", {}, "there is no tool delete_shop", id="unknown tool"),
        pytest.param("look_up", '{"order": "A', "not JSON", id="malformed JSON"),
        pytest.param("look_up", '["A1"]', "must be", id="no object"),
        pytest.param("look_up", {"number": "A1"}, "must be", id="wrong argument"),
        pytest.param("refund", {"order": "Z9"}, "KeyError", id="a tool that raises"),
    ],
)
def test_a_mistake_is_told_and_the_conversation_goes_on(llm_sim, shop, name, arguments, told):
    """What is wrong with a call is the model's to mend."""
    llm_sim.openai.calls_tool(name, arguments).replies("Let me think.")

    assert answer("Refund me", shop) == "Let me think."
    (result,) = results_of(llm_sim.openai.requests[1])
    assert result.startswith("Error: ")
    assert told in result
    assert shop.refunded == []


def test_a_refund_is_made_once_whatever_is_retried(llm_sim, shop):
    """The request after the refund fails twice and is sent again; the tool is not run again."""
    llm_sim.openai.calls_tool("refund", {"order": "A1"})
    llm_sim.openai.fails(faults.ConnectionReset()).fails(faults.ServerError(500)).replies("Done.")

    assert answer("Refund A1", shop) == "Done."
    assert shop.refunded == ["A1"]
    llm_sim.assert_sequence("openai:200", "openai:reset", "openai:500", "openai:200")
    first, *again = [request.body for request in llm_sim.openai.requests[1:]]
    assert all(body == first for body in again)


def test_a_model_that_refunds_twice_is_told_so(llm_sim, shop):
    """The shop itself refuses the second time; nobody relies on the model."""
    llm_sim.openai.calls_tool("refund", {"order": "A1"}, times=2).replies("It was refunded already.")

    answer("Refund A1, twice", shop)

    assert shop.refunded == ["A1"]
    assert "refunded before" in results_of(llm_sim.openai.requests[2])[-1]


def test_an_agent_that_never_ends_is_stopped(llm_sim, shop):
    """A model that goes round in circles costs a known number of requests."""
    llm_sim.openai.calls_tool("look_up", {"order": "A1"}, times=None)

    with pytest.raises(NoAnswerError, match=f"{MOST_TURNS} turns"):
        answer("Where is A1?", shop)
    llm_sim.assert_attempts("openai", MOST_TURNS)


def test_half_an_answer_is_none(llm_sim, shop):
    """An answer that the limit of tokens cut off is an error."""
    llm_sim.openai.replies(Reply("The order is", finish_reason="length"))

    with pytest.raises(NoAnswerError, match="cut off"):
        answer("Where is A1?", shop)
