"""Run by `test_litellm.py` in litellm's own environment: its Router, answered in process."""

import asyncio

import litellm
import pytest

from llmtest import faults

QUESTION = [{"role": "user", "content": "Capital of France?"}]
MODELS = [
    {"model_name": "main", "litellm_params": {"model": "openai/gpt-4o", "api_key": "k"}},
    {"model_name": "spare", "litellm_params": {"model": "anthropic/claude-sonnet-4-5", "api_key": "k"}},
]


def router(**options):
    """Return a Router over both providers; one retry of its own at most, unless told otherwise."""
    return litellm.Router(model_list=MODELS, num_retries=0, **options)


def text_of(answer):
    """Return what the model said."""
    return answer.choices[0].message.content


def ask(model, *, wait, **options):
    """Ask the Router, through its synchronous or its asynchronous half."""
    if not wait:
        return text_of(router(**options).completion(model=model, messages=QUESTION))
    return text_of(asyncio.run(router(**options).acompletion(model=model, messages=QUESTION)))


both = pytest.mark.parametrize("wait", [False, True], ids=["sync", "async"])


@both
@pytest.mark.parametrize(("model", "provider"), [("main", "openai"), ("spare", "anthropic")])
def test_the_router_is_answered(llm_sim, model, provider, wait):
    """Both routes, sync and async, reach the simulated provider; the asynchronous ones hold aiohttp's transport."""
    llm_sim.provider(provider).replies("Paris")
    assert ask(model, wait=wait) == "Paris"
    llm_sim.assert_attempts(provider, 1)


@both
def test_the_router_falls_back(llm_sim, wait):
    """What litellm's own fallback does is seen from the providers' side."""
    llm_sim.openai.fails(faults.ServerError(status=503), times=None, optional=True)
    llm_sim.anthropic.replies("Paris")
    assert ask("main", wait=wait, fallbacks=[{"main": ["spare"]}]) == "Paris"
    llm_sim.assert_fallback("openai", "anthropic")


def test_a_stream_arrives_piece_by_piece(llm_sim):
    """A stream through aiohttp's transport is read to its end."""
    llm_sim.openai.replies("Paris is the capital")

    async def stream():
        answer = await router().acompletion(model="main", messages=QUESTION, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in answer])

    assert asyncio.run(stream()) == "Paris is the capital"


@both
def test_a_context_window_error_is_told_by_its_words(llm_sim, wait):
    """The Router chooses this class by the text of the error, so the text is the genuine one."""
    llm_sim.openai.fails(faults.ContextLengthExceeded())
    with pytest.raises(litellm.ContextWindowExceededError):
        ask("main", wait=wait)
