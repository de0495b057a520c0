"""What the apps on litellm have in common: two deployments behind a Router."""

import asyncio

import litellm

HELLO = [{"role": "user", "content": "Tell me of Paris"}]


def deployment(name, model, **more):
    """Return a deployment of the Router."""
    return {"model_name": name, "litellm_params": {"model": model, "api_key": "k", **more}}


MAIN = deployment("main", "openai/gpt-4o")
SPARE = deployment("spare", "anthropic/claude-opus-5")


def router(*deployments, **options):
    """Return a Router without retries of its own, unless told otherwise."""
    return litellm.Router(model_list=list(deployments or (MAIN, SPARE)), **{"num_retries": 0, **options})


def ask(routes, model="main", **more):
    """Ask for one whole answer."""
    return asyncio.run(routes.acompletion(model=model, messages=HELLO, **more)).choices[0].message.content


def read(routes, model="main", **more):
    """Ask for a stream, and return its text."""

    async def main():
        stream = await routes.acompletion(model=model, messages=HELLO, stream=True, **more)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    return asyncio.run(main())
