"""A support agent: the model calls tools until it has an answer."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from openai import OpenAI
from openai.types.chat import ChatCompletionFunctionToolParam, ChatCompletionMessageParam
from openai.types.chat.chat_completion_message import ChatCompletionMessage

MODEL = "gpt-4o"
MOST_TURNS = 6
SYSTEM = "You are the support of a small shop. Look an order up before you refund it. Refund an order at most once."


class NoAnswerError(Exception):
    """The agent came to no answer."""


@dataclass
class Shop:
    """What the tools act on.

    Args:
        orders: Price in USD by order number.
    """

    orders: dict[str, float]
    refunded: list[str] = field(default_factory=list)

    def look_up(self, order: str) -> str:
        """Tell about an order."""
        if order not in self.orders:
            return f"There is no order {order}."
        return f"Order {order} cost ${self.orders[order]:.2f}."

    def refund(self, order: str) -> str:
        """Give the money of an order back; fails where there is none to give back."""
        if order in self.refunded:
            raise ValueError(f"order {order} was refunded before")
        price = self.orders[order]
        self.refunded.append(order)
        return f"Refunded ${price:.2f}."

    def tools(self) -> dict[str, Callable[..., str]]:
        """Return what the model may call."""
        return {"look_up": self.look_up, "refund": self.refund}


def declaration(name: str, tool: Callable[..., str]) -> ChatCompletionFunctionToolParam:
    """Return how the model is told of a tool; every tool here takes the number of an order."""
    return {
        "type": "function",
        "function": {
            "name": name,
            "description": (tool.__doc__ or name).strip(),
            "parameters": {
                "type": "object",
                "properties": {"order": {"type": "string", "description": "Number of the order"}},
                "required": ["order"],
                "additionalProperties": False,
            },
        },
    }


def answer(question: str, shop: Shop, client: OpenAI | None = None) -> str:
    """Answer a question of a customer.

    Raises:
        NoAnswerError: The model went on calling tools, or its answer was cut off.
    """
    client = client or OpenAI(timeout=30)
    tools = shop.tools()
    messages: list[ChatCompletionMessageParam] = [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": question},
    ]
    for _ in range(MOST_TURNS):
        completion = client.chat.completions.create(
            model=MODEL,
            messages=messages,
            tools=[declaration(name, tool) for name, tool in tools.items()],
        )
        choice = completion.choices[0]
        if choice.finish_reason == "length":
            raise NoAnswerError("the answer was cut off by the limit of tokens")
        if not choice.message.tool_calls:
            return choice.message.content or ""
        messages += run_tools(choice.message, tools)
    raise NoAnswerError(f"no answer after {MOST_TURNS} turns")


def run_tools(message: ChatCompletionMessage, tools: dict[str, Callable[..., str]]) -> list[ChatCompletionMessageParam]:
    """Run what the model calls, and return what it is told: its own message, and one result for each call."""
    results: list[ChatCompletionMessageParam] = []
    calls: list[Any] = []
    for call in message.tool_calls or ():
        if call.type != "function":  # nothing else was offered
            continue
        calls.append(call.model_dump(include={"id", "type", "function"}))
        result = run_tool(tools, call.function.name, call.function.arguments)
        results.append({"role": "tool", "tool_call_id": call.id, "content": result})
    return [{"role": "assistant", "content": message.content, "tool_calls": calls}, *results]


def run_tool(tools: dict[str, Callable[..., str]], name: str, arguments: str) -> str:
    """Run one tool; whatever goes wrong is a text for the model, which can do something about it."""
    tool = tools.get(name)
    if tool is None:
        return f"Error: there is no tool {name}. Tools: {', '.join(tools)}."
    try:
        given = json.loads(arguments)
    except ValueError as error:
        return f"Error: the arguments are not JSON: {error}."
    if not isinstance(given, dict) or given.keys() != {"order"} or not isinstance(given["order"], str):
        return 'Error: the arguments must be {"order": "..."}.'
    try:
        return tool(**given)
    except Exception as error:  # noqa: BLE001 - the conversation goes on, whatever a tool raises
        return f"Error: {type(error).__name__}: {error}."
